//! One HTTP exchange by the rules of a DM Client: what may be sent where, redirects, and the answer to a challenge.

mod reference;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use omadm_auth::Secret;
use omadm_auth::digest::{Answers, Untrusted};
use omadm_auth::header::Challenge;
use omadm_mo::DeviceId;
#[cfg(feature = "dm2")]
use omadm_session::dm2::client::HttpReply;

use crate::client::ClientConfig;
use crate::error::TransportError;
use crate::peer::{Peer, is_https};
use crate::retry_after;
use crate::transport::{HttpRequest, HttpResponse, Transport};

const DEVICE_ID: HeaderName = HeaderName::from_static("omadm-devid");
const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");
#[cfg(feature = "dm2")]
const OMADM_ACCEPT: HeaderName = HeaderName::from_static("omadm-accept");
/// What the client says of itself.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("omadm-client/", env!("CARGO_PKG_VERSION")));

/// Who learns the identity of the device by the header `OMADM-DevID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identify {
    /// Every receiver: a package has to have it (`DM 2.0 §5.2.2, §5.2.4`), and who asks for a bootstrap.
    Always,
    /// Only the host and port of the account: data requests.
    #[cfg(feature = "dm2")]
    AtHome,
    /// Nobody: in DM 1.x the message says it.
    #[cfg(feature = "dm1")]
    Never,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// To any host.
    #[cfg(feature = "dm2")]
    Anywhere,
    /// Only to the peer itself: it and no other is the one to trust.
    #[cfg(feature = "dm2")]
    AtHome,
    /// To any host, by `https`, as the binding of DM 1.x has it.
    #[cfg(feature = "dm1")]
    Secured,
}

impl Redirects {
    /// Most redirects in a row.
    fn limit(self) -> u32 {
        match self {
            #[cfg(feature = "dm2")]
            Self::Anywhere | Self::AtHome => 5,
            #[cfg(feature = "dm1")]
            Self::Secured => 3,
        }
    }
}

/// What is to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) content_type: Option<String>,
    pub(crate) accept: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) identify: Identify,
    pub(crate) redirects: Redirects,
    /// Most octets of the answer.
    pub(crate) limit: usize,
}

/// What the server was found to ask for in this session.
enum Answering {
    /// Nothing yet.
    Unasked,
    /// HTTP Basic.
    Basic,
    /// HTTP Digest: what follows answers the same challenge, without a round trip of its own.
    Digest(Box<Answers>),
}

/// What credentials were given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Basic,
    Digest,
}

/// The exchanges of one session.
pub(crate) struct Exchange<'a, T> {
    transport: &'a T,
    pub(crate) config: &'a ClientConfig,
    peer: &'a Peer,
    device_id: &'a DeviceId,
    /// What the server has asked for in this session.
    answering: Answering,
    /// When the server wants the device to come again that has sent it away.
    pub(crate) retry_after: Option<HeaderValue>,
}

impl<'a, T: Transport> Exchange<'a, T> {
    /// With a peer that has asked for nothing yet.
    pub(crate) fn new(
        transport: &'a T,
        config: &'a ClientConfig,
        peer: &'a Peer,
        device_id: &'a DeviceId,
    ) -> Self {
        Self { transport, config, peer, device_id, answering: Answering::Unasked, retry_after: None }
    }

    /// Sends and gives the last answer, whatever its status.
    #[cfg(feature = "dm2")]
    pub(crate) async fn send(&mut self, outgoing: Outgoing) -> Result<HttpReply, TransportError> {
        self.send_with(outgoing, HeaderMap::new()).await.map(reply)
    }

    /// Sends with further headers and gives the last answer, whatever its status; as many redirects are followed as
    /// [`Redirects`] allows. Cookies go to the peer only.
    pub(crate) async fn send_with(
        &mut self,
        outgoing: Outgoing,
        further: HeaderMap,
    ) -> Result<HttpResponse, TransportError> {
        let mut uri = parse(&outgoing.uri)?;
        let mut redirects = 0;
        loop {
            if !is_https(&uri) && !self.config.plain_http {
                return Err(TransportError::PlainHttp { uri: uri.to_string() });
            }
            let response = self.attempt(&outgoing, &uri, &further).await?;
            let Some(location) = redirect(&outgoing.method, &response) else {
                self.retry_after = retry_after::said(&response);
                return Ok(response);
            };
            redirects += 1;
            uri = follow(&uri, location, redirects, outgoing.redirects.limit())?;
            let reason = match outgoing.redirects {
                #[cfg(feature = "dm2")]
                Redirects::AtHome if !self.peer.is_home(&uri) => "it leads to another host or port",
                #[cfg(feature = "dm1")]
                Redirects::Secured if !is_https(&uri) => "it leads to http",
                _ => continue,
            };
            return Err(TransportError::Redirect { location: uri.to_string(), reason });
        }
    }

    /// Sends, and again if the account's own server asks for credentials that it was not given: once a scheme, and once more when only
    /// the nonce of a digest was not good any more.
    async fn attempt(
        &mut self,
        outgoing: &Outgoing,
        uri: &Uri,
        further: &HeaderMap,
    ) -> Result<HttpResponse, TransportError> {
        let mut digests = 0_u8;
        loop {
            let given = self.authorization(outgoing, uri)?;
            let scheme = given.as_ref().map(|(scheme, _)| *scheme);
            let response = self.transport.send(self.request(outgoing, uri, further, given)?).await?;
            if scheme == Some(Scheme::Digest) {
                self.check_proof(&response, uri)?;
                digests += 1;
            }
            let refused = response.status == StatusCode::UNAUTHORIZED && self.peer.is_home(uri);
            if !refused || digests > 1 || !self.take_challenge(&response.headers, scheme, uri)? {
                return Ok(response);
            }
        }
    }

    /// The credentials that go along unasked, or because they were asked for before in this session.
    fn authorization(
        &mut self,
        outgoing: &Outgoing,
        uri: &Uri,
    ) -> Result<Option<(Scheme, HeaderValue)>, TransportError> {
        let Some(credentials) = self.peer.credentials.as_ref().filter(|_| self.peer.is_home(uri)) else {
            return Ok(None);
        };
        let is_private = self.transport.is_private(uri);
        let unasked = self.config.preemptive_basic && !self.config.psk && self.peer.basic && is_private;
        let may_send_basic = self.may_send_basic(uri);
        let (scheme, text) = match &mut self.answering {
            Answering::Digest(answers) => {
                let target = uri.path_and_query().map_or("/", |target| target.as_str());
                let text = answers.authorize(outgoing.method.as_str(), target, &outgoing.body);
                (Scheme::Digest, Secret::new(text.into_bytes()))
            }
            Answering::Basic if may_send_basic => (Scheme::Basic, credentials.to_header()),
            Answering::Unasked if unasked => (Scheme::Basic, credentials.to_header()),
            Answering::Unasked | Answering::Basic => return Ok(None),
        };
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Held(text)))
            .map_err(|_| control_characters(uri))?;
        value.set_sensitive(true);
        Ok(Some((scheme, value)))
    }

    fn may_send_basic(&self, uri: &Uri) -> bool {
        self.peer.basic && (self.transport.is_private(uri) || self.config.basic_without_tls)
    }

    /// Whether a challenge is worth another try, which [`Exchange::authorization`] then answers. `sent` is what was refused.
    fn take_challenge(
        &mut self,
        headers: &HeaderMap,
        sent: Option<Scheme>,
        uri: &Uri,
    ) -> Result<bool, TransportError> {
        let Some(credentials) = &self.peer.credentials else { return Ok(false) };
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Challenge> = values.filter_map(Challenge::read_all).flatten().collect();
        let asks_for_basic = challenges.iter().any(|challenge| challenge.is("Basic"));
        // A secret that was refused by one scheme is not better by another.
        let may_digest = match sent {
            None => true,
            Some(Scheme::Basic) => !asks_for_basic,
            Some(Scheme::Digest) => Answers::is_only_stale(&challenges),
        };
        if may_digest {
            let user = (credentials.user.as_str(), &credentials.password);
            let allowed = &self.config.digests;
            // Over TLS the body is safe already.
            let with_body = !self.transport.is_private(uri);
            if let Some(answers) = Answers::to(&challenges, user, allowed, with_body, client_nonce()?) {
                self.answering = Answering::Digest(Box::new(answers));
                return Ok(true);
            }
        }
        if sent.is_none() && asks_for_basic && self.may_send_basic(uri) {
            self.answering = Answering::Basic;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether the server has proved that it knows the secret, if it said something of it.
    fn check_proof(&mut self, response: &HttpResponse, uri: &Uri) -> Result<(), TransportError> {
        let (Answering::Digest(answers), Some(info)) =
            (&mut self.answering, response.headers.get(AUTHENTICATION_INFO))
        else {
            return Ok(());
        };
        let checked =
            info.to_str().map_err(|_| Untrusted).and_then(|info| answers.check(info, &response.body));
        checked.map_err(|_| TransportError::Untrusted {
            host: uri.authority().map(ToString::to_string).unwrap_or_default(),
        })
    }

    fn request(
        &self,
        outgoing: &Outgoing,
        uri: &Uri,
        further: &HeaderMap,
        authorization: Option<(Scheme, HeaderValue)>,
    ) -> Result<HttpRequest, TransportError> {
        let mut headers = further.clone();
        if !self.peer.is_home(uri) {
            headers.remove(COOKIE);
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        if let Some(accept) = &outgoing.accept {
            headers.insert(ACCEPT, value(accept.as_bytes(), uri)?);
        }
        if let Some(content_type) = &outgoing.content_type {
            headers.insert(CONTENT_TYPE, value(content_type.as_bytes(), uri)?);
        }
        let identify = match outgoing.identify {
            Identify::Always => true,
            #[cfg(feature = "dm2")]
            Identify::AtHome => self.peer.is_home(uri),
            #[cfg(feature = "dm1")]
            Identify::Never => false,
        };
        if identify {
            headers.insert(DEVICE_ID, value(self.device_id.as_str().as_bytes(), uri)?);
        }
        headers.extend(authorization.map(|(_, value)| (AUTHORIZATION, value)));
        let home = self.peer.is_home(uri) && self.transport.is_private(uri);
        Ok(HttpRequest {
            method: outgoing.method.clone(),
            uri: uri.clone(),
            headers,
            body: outgoing.body.clone(),
            answer_limit: outgoing.limit,
            identity: if home { self.peer.identity(self.config.psk) } else { None },
        })
    }
}

pub(crate) fn parse(text: &str) -> Result<Uri, TransportError> {
    let bad = |reason: &str| TransportError::BadUri { uri: text.to_owned(), reason: reason.to_owned() };
    // A fragment is for the one who reads the answer, not for the one who gives it.
    let without_fragment = text.split_once('#').map_or(text, |(uri, _)| uri);
    let uri: Uri =
        without_fragment.parse().map_err(|error: http::uri::InvalidUri| bad(&error.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad("its scheme is neither http nor https"));
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err(bad("it holds credentials")),
        Some(_) => Ok(uri),
        None => Err(bad("it names no host")),
    }
}

fn value(octets: &[u8], uri: &Uri) -> Result<HeaderValue, TransportError> {
    HeaderValue::from_bytes(octets).map_err(|_| control_characters(uri))
}

fn control_characters(uri: &Uri) -> TransportError {
    let reason = "a header for it would hold control characters".to_owned();
    TransportError::BadUri { uri: uri.to_string(), reason }
}

/// A secret as the owner of a header value, which it is wiped with.
struct Held(Secret);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Where an answer redirects to, if it does. 303 asks for a GET, so it means nothing as answer to an upload.
fn redirect<'r>(method: &Method, response: &'r HttpResponse) -> Option<&'r HeaderValue> {
    let followed = match response.status.as_u16() {
        301 | 302 | 307 | 308 => true,
        303 => *method == Method::GET,
        _ => false,
    };
    response.headers.get(LOCATION).filter(|_| followed)
}

/// The next address of a redirect: never from https to http.
pub(crate) fn follow(
    from: &Uri,
    location: &HeaderValue,
    count: u32,
    limit: u32,
) -> Result<Uri, TransportError> {
    let text = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let refuse = |reason| TransportError::Redirect { location: text.clone(), reason };
    if count > limit {
        return Err(refuse("there are too many in a row"));
    }
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let at = from.path_and_query().map_or("/", |at| at.as_str());
    let to = parse(&reference::resolve(scheme, authority, at, &text))
        .map_err(|_| refuse("it leads to no http or https address without credentials in it"))?;
    if is_https(from) && !is_https(&to) {
        return Err(refuse("it leads from https to http"));
    }
    Ok(to)
}

/// A nonce of our own for digests.
fn client_nonce() -> Result<String, TransportError> {
    let mut octets = [0; 16];
    openssl::rand::rand_bytes(&mut octets).map_err(|error| TransportError::Settings(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

#[cfg(feature = "dm2")]
fn reply(response: HttpResponse) -> HttpReply {
    let header = |name: HeaderName| {
        let values: Vec<_> =
            response.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    HttpReply {
        status: response.status.as_u16(),
        content_type: header(CONTENT_TYPE),
        omadm_accept: header(OMADM_ACCEPT),
        body: response.body,
    }
}

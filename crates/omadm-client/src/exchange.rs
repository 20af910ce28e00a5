//! One HTTP exchange by the rules of a DM client: what may be sent where, redirects, and the answer to a challenge.

mod reference;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use omadm_auth::Secret;
use omadm_mo::DeviceId;
use omadm_session::dm2::client::HttpReply;

use crate::account::{Peer, is_https};
use crate::client::ClientConfig;
use crate::error::TransportError;
use crate::transport::{HttpRequest, HttpResponse, Transport};

const DEVICE_ID: HeaderName = HeaderName::from_static("omadm-devid");
const OMADM_ACCEPT: HeaderName = HeaderName::from_static("omadm-accept");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("omadm-client/", env!("CARGO_PKG_VERSION")));
const MAX_REDIRECTS: u32 = 5;

/// Who learns the identity of the device by the header `OMADM-DevID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identify {
    /// Every receiver: a package has to have it (`DM 2.0 §5.2.2, §5.2.4`).
    Always,
    /// Only the host and port of the account: data requests.
    AtHome,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// To any host.
    Anywhere,
    /// Only to the peer itself: it and no other is the one to trust.
    AtHome,
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

/// The exchanges of one session.
pub(crate) struct Exchange<'a, T> {
    pub(crate) transport: &'a T,
    pub(crate) config: &'a ClientConfig,
    pub(crate) peer: &'a Peer,
    pub(crate) device_id: &'a DeviceId,
    /// The server has asked for HTTP Basic credentials in this session.
    pub(crate) challenged: bool,
}

impl<T: Transport> Exchange<'_, T> {
    /// Sends and gives the last answer, whatever its status; at most five redirects are followed.
    pub(crate) async fn send(&mut self, outgoing: Outgoing) -> Result<HttpReply, TransportError> {
        let mut uri = parse(&outgoing.uri)?;
        let mut redirects = 0;
        loop {
            if !is_https(&uri) && !self.config.plain_http {
                return Err(TransportError::PlainHttp { uri: uri.to_string() });
            }
            let response = self.attempt(&outgoing, &uri).await?;
            let Some(location) = redirect(&outgoing.method, &response) else {
                return Ok(reply(response));
            };
            redirects += 1;
            uri = follow(&uri, location, redirects)?;
            if outgoing.redirects == Redirects::AtHome && !self.peer.is_home(&uri) {
                let location = uri.to_string();
                return Err(TransportError::Redirect {
                    location,
                    reason: "it leads to another host or port",
                });
            }
        }
    }

    /// Sends once, or twice if the account's own server asks for credentials that it was not given.
    async fn attempt(&mut self, outgoing: &Outgoing, uri: &Uri) -> Result<HttpResponse, TransportError> {
        let allowed = self.peer.is_home(uri) && (is_https(uri) || self.config.basic_without_tls);
        let unasked = self.config.preemptive_basic && is_https(uri);
        let offered = allowed && (self.challenged || unasked);
        let response = self.transport.send(self.request(outgoing, uri, offered)?).await?;
        let recoverable = allowed && !offered && self.peer.credentials.is_some();
        if recoverable && response.status == StatusCode::UNAUTHORIZED && asks_for_basic(&response.headers) {
            self.challenged = true;
            return self.transport.send(self.request(outgoing, uri, true)?).await;
        }
        Ok(response)
    }

    fn request(&self, outgoing: &Outgoing, uri: &Uri, offer: bool) -> Result<HttpRequest, TransportError> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, AGENT);
        if let Some(accept) = &outgoing.accept {
            headers.insert(ACCEPT, value(accept.as_bytes(), uri)?);
        }
        if let Some(content_type) = &outgoing.content_type {
            headers.insert(CONTENT_TYPE, value(content_type.as_bytes(), uri)?);
        }
        if outgoing.identify == Identify::Always || self.peer.is_home(uri) {
            headers.insert(DEVICE_ID, value(self.device_id.as_str().as_bytes(), uri)?);
        }
        if let Some(credentials) = self.peer.credentials.as_ref().filter(|_| offer) {
            let mut authorization =
                HeaderValue::from_maybe_shared(Bytes::from_owner(Held(credentials.to_header())))
                    .map_err(|_| control_characters(uri))?;
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        Ok(HttpRequest {
            method: outgoing.method.clone(),
            uri: uri.clone(),
            headers,
            body: outgoing.body.clone(),
            answer_limit: outgoing.limit,
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

/// The next address of a redirect: never from https to http, at most [`MAX_REDIRECTS`].
fn follow(from: &Uri, location: &HeaderValue, count: u32) -> Result<Uri, TransportError> {
    let text = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let refuse = |reason| TransportError::Redirect { location: text.clone(), reason };
    if count > MAX_REDIRECTS {
        return Err(refuse("it is the sixth in a row"));
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

/// Whether one of the challenges is HTTP Basic (`RFC 9110 §11.6.1`: a header may hold several).
fn asks_for_basic(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    challenges.flat_map(|value| value.split(',')).any(|part| {
        let scheme = part.split_whitespace().next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("Basic"))
    })
}

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

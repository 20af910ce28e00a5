//! Who a device is (`DM 2.0 §9.2.1`): HTTP Basic, HTTP Digest, a client certificate or a pre-shared key; and that the DevID it names
//! is its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use omadm_auth::digest::{self, Given, Hash, Nonces, Qop};
use omadm_auth::{BasicCredentials, Secret, StoredCredential};
use omadm_mo::{DeviceId, Time};
use omadm_session::dm2::server::Refusal;
use omadm_store::{CheckIn, Credential, NewEvent, StoredSecret};
use serde_json::json;

use super::bearer::Bearer;
use super::{OMADM_DEVID, refusal, store_failed};
use crate::config::AuthSection;
use crate::context::{Context, REALM};
use crate::listener::Connection;
use crate::proxy::Sender;
use crate::tls::Identified;
use crate::{clock, random};

/// The proof of the server, and the nonce to use next (`RFC 7616 §3.5`).
const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");

/// What the schemes need to know.
pub struct Schemes {
    basic: bool,
    psk: bool,
    digests: Vec<Hash>,
    nonces: Mutex<Nonces>,
}

impl Schemes {
    /// The schemes of the configuration; `key` is that of nonces.
    pub fn new(settings: &AuthSection, key: Secret) -> Self {
        let nonces = Nonces::new(key, settings.nonce_lifetime.0, settings.nonces, micros(clock::now()));
        Self {
            basic: settings.basic,
            psk: settings.psk,
            digests: settings.digest.clone(),
            nonces: Mutex::new(nonces),
        }
    }

    /// What a device may answer to, the best first.
    fn challenges(&self, stale: bool) -> Vec<HeaderValue> {
        let nonce = || Some(self.nonces().issue(micros(clock::now()), random::octets().ok()?));
        let digests = self.digests.iter().filter_map(|hash| {
            HeaderValue::from_str(&digest::challenge(REALM, *hash, &nonce()?, stale)).ok()
        });
        let basic = self.basic.then(|| format!("Basic realm=\"{REALM}\", charset=\"UTF-8\""));
        digests.chain(basic.and_then(|value| HeaderValue::from_str(&value).ok())).collect()
    }

    fn nonces(&self) -> std::sync::MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Time) -> u64 {
    u64::try_from(time.0).unwrap_or_default()
}

/// A request as far as it says who sends it (an extension of each request), and what the answer has to say of that.
pub struct Caller {
    /// On which connection it came.
    pub connection: Arc<Connection>,
    /// Who is on the other side.
    pub sender: Sender,
    method: Method,
    uri: Uri,
    authorization: Option<HeaderValue>,
    says: OnceLock<Says>,
    bearer: Bearer,
}

/// Who is on the other end of a local link: of OBEX, which has no requests of HTTP, and proves nothing of DM.
pub struct LinkCaller(Caller);

impl LinkCaller {
    /// With the address that stands for it.
    pub fn at(peer: SocketAddr) -> Self {
        Self(Caller {
            connection: Arc::new(Connection::plain(peer)),
            sender: Sender { source: peer.ip(), identified: Identified::Nobody, is_secure: false },
            method: Method::POST,
            uri: Uri::default(),
            authorization: None,
            says: OnceLock::new(),
            bearer: Bearer::of_link(peer),
        })
    }

    /// Its address.
    pub fn peer(&self) -> SocketAddr {
        self.0.connection.peer
    }

    /// In the words of HTTP.
    pub(super) fn as_caller(&self) -> &Caller {
        &self.0
    }
}

/// What the answer says beside its status.
enum Says {
    /// The server's proof.
    Proof(String),
    /// The answer was right but for its nonce.
    Stale,
    /// So many seconds to wait.
    Wait(u64),
}

impl Caller {
    /// What brings what it says.
    pub(super) fn bearer(&self) -> Bearer {
        self.bearer
    }

    /// Path and query of the request.
    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("", PathAndQuery::as_str)
    }

    /// Whether transport or HTTP say who sends it, in a way that could be taken here.
    pub fn has_credentials(&self) -> bool {
        let scheme = self.authorization.as_ref().and_then(|value| value.to_str().ok());
        let scheme = scheme.and_then(|value| value.split(' ').next());
        match scheme {
            Some(scheme) => ["Basic", "Digest"].iter().any(|known| known.eq_ignore_ascii_case(scheme)),
            None => self.sender.identified != Identified::Nobody,
        }
    }
}

/// Reads who sends a request, and completes the answer.
pub async fn layer(State(context): State<Arc<Context>>, mut request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<Arc<Connection>>().cloned() else {
        return next.run(request).await;
    };
    let sender = context.proxies.sender(&connection, request.headers());
    let caller = Arc::new(Caller {
        bearer: Bearer::of_request(sender.is_secure, request.headers()),
        sender,
        connection,
        method: request.method().clone(),
        uri: request.uri().clone(),
        authorization: request.headers().get(AUTHORIZATION).cloned(),
        says: OnceLock::new(),
    });
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    let headers = response.headers_mut();
    match caller.says.get() {
        Some(Says::Wait(seconds)) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        Some(Says::Proof(proof)) => {
            headers.extend(HeaderValue::from_str(proof).ok().map(|proof| (AUTHENTICATION_INFO, proof)));
        }
        Some(Says::Stale) | None => {}
    }
    if status == StatusCode::UNAUTHORIZED {
        for challenge in context.schemes.challenges(matches!(caller.says.get(), Some(Says::Stale))) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// How a request says who sends it.
enum Claim {
    Basic(BasicCredentials),
    Digest(Given),
    SharedKey { user: String, key: Secret },
    Certificate(DeviceId),
}

impl Claim {
    /// Who it is said to be. Certificates have no user; no user has a control character in its name.
    fn name(&self) -> String {
        match self {
            Self::Basic(given) => given.user.clone(),
            Self::Digest(given) => given.user.clone(),
            Self::SharedKey { user, .. } => user.clone(),
            Self::Certificate(device) => format!("\0{device}"),
        }
    }

    /// Whether what is kept of the device proves it.
    fn is_proved_by(&self, kept: &Credential, method: &Method) -> bool {
        if let Self::Certificate(device) = self {
            return kept.device == *device;
        }
        let Some(stored) = StoredCredential::read(kept.verifier.expose()) else { return false };
        match self {
            Self::Basic(given) => stored.matches(&given.password),
            Self::Digest(given) => stored
                .digest_key(given.algorithm.hash)
                .is_some_and(|key| given.matches(&key, method.as_str(), b"")),
            Self::SharedKey { key, .. } => stored.shared_key().is_some_and(|kept| kept == *key),
            Self::Certificate(_) => false,
        }
    }
}

/// Checks the credentials of a request; the credential is read each time, so that one that was removed ends at once.
///
/// # Errors
/// 401; 403 when TLS says that it is another device; 429 after too many failures; 503 when the store fails.
pub async fn authenticate(context: &Context, caller: &Caller) -> Result<Credential, Refusal> {
    Ok(settle(context, caller).await?.1)
}

/// Who a device has proved to be, and what it showed for that.
pub struct Proven {
    /// Its credential.
    pub credential: Credential,
    /// Its user name; none if a certificate proved it.
    pub user: Option<String>,
    /// Its secret, if that was shown.
    pub shown: Option<Secret>,
    /// By which way.
    pub scheme: &'static str,
}

/// As [`authenticate`], and gives what the request showed.
///
/// # Errors
/// As [`authenticate`].
pub async fn prove(context: &Context, caller: &Caller) -> Result<Proven, Refusal> {
    let (claim, credential) = settle(context, caller).await?;
    let (user, shown, scheme) = match claim {
        Claim::Basic(given) => (Some(given.user), Some(given.password), "Basic"),
        Claim::Digest(given) => (Some(given.user), None, "Digest"),
        Claim::SharedKey { user, key } => (Some(user), Some(key), "pre-shared key"),
        Claim::Certificate(_) => (None, None, "certificate"),
    };
    Ok(Proven { credential, user, shown, scheme })
}

async fn settle(context: &Context, caller: &Caller) -> Result<(Claim, Credential), Refusal> {
    let claim = claim(context, caller)?;
    let kept = match &claim {
        Claim::Certificate(device) => {
            let device = context.store.device(device).await.map_err(|error| store_failed(&error))?;
            let device = device.filter(|device| device.revoked.is_none());
            device.map(|device| certified(device.id, device.generation))
        }
        _ => context.store.credential(&claim.name()).await.map_err(|error| store_failed(&error))?,
    };
    let kept = kept.filter(|kept| claim.is_proved_by(kept, &caller.method));
    accept(context, caller, &claim, kept.as_ref()).await?;
    let kept = kept.ok_or_else(|| refusal(401, WRONG))?;
    Ok((claim, kept))
}

/// Who sent a message, and what is known of the device.
pub struct Known {
    /// User name.
    pub user: String,
    /// Its credential.
    pub credential: Credential,
    /// What the message needs to know; the store may know better by now.
    pub check: CheckIn,
    /// Whether this is from memory: another node may have served the device since. Only a write to the store shows that it has not.
    pub is_remembered: bool,
}

/// As [`authenticate`], and brings with the credential what a message of the device needs; of who has the wrong secret, nothing.
///
/// # Errors
/// As [`authenticate`].
pub async fn check_in(context: &Context, caller: &Caller, limit: u32) -> Result<Known, Refusal> {
    let claim = Arc::new(claim(context, caller)?);
    let user = claim.name();
    let remembered = context.memory.take(&user, |kept| claim.is_proved_by(kept, &caller.method));
    let is_remembered = remembered.is_some();
    let known = match remembered {
        Some(known) => Ok(Some(known)),
        None => match claim.as_ref() {
            Claim::Certificate(device) => context.store.check_in(device, limit).await.map(|check| {
                let check = check?;
                Some((certified(check.device.id.clone(), check.device.generation), check))
            }),
            _ => {
                let (claim, method) = (claim.clone(), caller.method.clone());
                let proved = Box::new(move |kept: &Credential| claim.is_proved_by(kept, &method));
                context.store.check_in_user(&user, proved, limit).await
            }
        },
    };
    let known = known.map_err(|error| store_failed(&error))?;
    accept(context, caller, &claim, known.as_ref().map(|(credential, _)| credential)).await?;
    let (credential, check) = known.ok_or_else(|| refusal(401, WRONG))?;
    Ok(Known { user, credential, check, is_remembered })
}

/// Reads anew what a message of a device needs, where its credential is still the one that it proved.
///
/// # Errors
/// 401 when it is not; 503 when the store fails.
pub async fn check_in_again(
    context: &Context,
    user: &str,
    credential: &Credential,
    limit: u32,
) -> Result<CheckIn, Refusal> {
    let read = if credential.verifier.expose().is_empty() {
        context.store.check_in(&credential.device, limit).await
    } else {
        let proved = credential.clone();
        let same = Box::new(move |kept: &Credential| *kept == proved);
        let read = context.store.check_in_user(user, same, limit).await;
        read.map(|read| read.map(|(_, check)| check))
    };
    let check = read.map_err(|error| store_failed(&error))?;
    check.filter(|check| check.device.generation == credential.generation).ok_or_else(|| refusal(401, GONE))
}

/// What a device hears whose credential ended while its message was in work.
pub const GONE: &str = "the device was removed or enrolled anew, or its bootstrap was revoked";
const WRONG: &str = "user or secret is wrong";

/// What stands for the credential of a device that has a certificate: no secret is kept for it.
fn certified(device: DeviceId, generation: i64) -> Credential {
    Credential { device, generation, verifier: StoredSecret::default() }
}

/// What a request claims: by its header if it has one, else by its connection.
fn claim(context: &Context, caller: &Caller) -> Result<Claim, Refusal> {
    let claim = match &caller.authorization {
        Some(value) => value.to_str().ok().and_then(|value| by_header(&context.schemes, caller, value)),
        None => match &caller.sender.identified {
            Identified::Nobody => return Err(refusal(401, "credentials are needed")),
            Identified::Certificate(device) => Some(Claim::Certificate(device.clone())),
            Identified::SharedKey { user, key } if context.schemes.psk => {
                Some(Claim::SharedKey { user: user.clone(), key: key.clone() })
            }
            Identified::SharedKey { .. } => None,
        },
    };
    let claim = claim.ok_or_else(|| {
        refusal(401, "the Authorization header is none that is taken here; WWW-Authenticate says which are")
    })?;
    hold_back(context, caller, &claim.name())?;
    Ok(claim)
}

/// Has those wait who have failed too often, under the name that they claim or from where they are.
///
/// # Errors
/// 429
pub fn hold_back(context: &Context, caller: &Caller, name: &str) -> Result<(), Refusal> {
    let Some(wait) = context.guard.wait(Some(name), caller.sender.source, clock::now()) else {
        return Ok(());
    };
    let seconds = wait.as_secs() + 1;
    // A request is asked once.
    let _set = caller.says.set(Says::Wait(seconds));
    Err(refusal(429, format!("too many failed logins; wait {seconds} s")))
}

fn by_header(schemes: &Schemes, caller: &Caller, value: &str) -> Option<Claim> {
    if let Some(given) = BasicCredentials::from_header(value) {
        return schemes.basic.then_some(Claim::Basic(given));
    }
    let given = Given::from_header(value)?;
    let allowed = schemes.digests.contains(&given.algorithm.hash) && given.qop == Qop::Auth;
    (allowed && given.realm == REALM && given.is_for(caller.target())).then_some(Claim::Digest(given))
}

/// Settles a claim: `kept` is the credential that proves it, if there is one.
async fn accept(
    context: &Context,
    caller: &Caller,
    claim: &Claim,
    kept: Option<&Credential>,
) -> Result<(), Refusal> {
    let user = claim.name();
    let Some(kept) = kept else {
        tracing::warn!(user, "wrong user or secret; enrol the device or bootstrap it anew");
        context.guard.note(Some(&user), caller.sender.source, clock::now()).await;
        return Err(refusal(401, WRONG));
    };
    let agrees = match &caller.sender.identified {
        Identified::Nobody => true,
        Identified::Certificate(device) => *device == kept.device,
        Identified::SharedKey { user: identity, .. } => *identity == user,
    };
    if !agrees {
        tracing::warn!(device = %kept.device, "TLS and HTTP credentials are of different devices");
        return Err(refusal(403, "the credentials of TLS and HTTP are of different devices"));
    }
    if let Claim::Digest(given) = claim {
        use_nonce(context, caller, given, kept)?;
    }
    context.guard.succeeded(&user);
    Ok(())
}

/// Counts the use of the nonce, and prepares the server's own proof.
fn use_nonce(context: &Context, caller: &Caller, given: &Given, kept: &Credential) -> Result<(), Refusal> {
    let now = micros(clock::now());
    let mut nonces = context.schemes.nonces();
    if let Err(unusable) = nonces.take(&given.nonce, given.count, now) {
        // A request is asked once.
        let _set = caller.says.set(Says::Stale);
        return Err(refusal(401, format!("{unusable}; answer the new one")));
    }
    let next = if nonces.is_ageing(&given.nonce, now) {
        random::octets().ok().map(|random| nonces.issue(now, random))
    } else {
        None
    };
    drop(nonces);
    let key = StoredCredential::read(kept.verifier.expose())
        .and_then(|stored| stored.digest_key(given.algorithm.hash));
    if let Some(key) = key {
        let _set = caller.says.set(Says::Proof(given.info(&key, b"", next.as_deref())));
    }
    Ok(())
}

/// Checks that a request names no other device than its credentials do.
///
/// # Errors
/// 403, which is also a security event.
pub async fn same_device(
    context: &Context,
    credential: &Credential,
    named: &DeviceId,
    connection: &Connection,
) -> Result<(), Refusal> {
    if *named == credential.device {
        return Ok(());
    }
    Err(tell_apart(context, &credential.device, named.as_str(), connection).await)
}

/// Tells operators that a device called itself by another name than its own, and gives the answer to it (403).
pub async fn tell_apart(
    context: &Context,
    device: &DeviceId,
    named: &str,
    connection: &Connection,
) -> Refusal {
    tracing::warn!(%device, %named, "a device used the DevID of another; check it for a copied identity");
    let now = clock::now();
    if context.remarks.take(device, now) {
        let body = json!({ "what": "foreign DevID", "named": named, "peer": connection.peer.to_string() });
        let event =
            NewEvent { device: Some(device.clone()), kind: "security".into(), body: body.to_string() };
        if let Err(error) = context.store.add_events(vec![event], now).await {
            tracing::error!(%error, "a security event could not be stored");
        }
    }
    refusal(403, format!("{named} does not belong to these credentials"))
}

/// The DevID that a Data Repository request names, if it names one (`OMADM-DevID` is not required there).
///
/// # Errors
/// 400 when it is not legal, or there are several.
pub fn named_device(headers: &HeaderMap) -> Result<Option<DeviceId>, Refusal> {
    let mut values = headers.get_all(OMADM_DEVID).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) {
        return Err(refusal(400, "the header OMADM-DevID is there twice with different values"));
    }
    let text = first.to_str().map_err(|_| refusal(400, "OMADM-DevID is not printable ASCII"))?;
    DeviceId::parse(text).map(Some).map_err(|error| refusal(400, format!("OMADM-DevID: {error}")))
}

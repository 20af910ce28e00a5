//! Who may push over HTTP.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use omadm_auth::digest::{self, Given, Hash, Nonces, Qop};
use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::ota_http;

use super::{HttpPushConfig, Peer};

const REALM: &str = "push";
/// How long a nonce is good for.
const LIFETIME: Duration = Duration::from_secs(300);
/// Nonces whose uses are remembered.
const NONCES: usize = 1_000;
const CHALLENGE: HeaderName = HeaderName::from_static("x-wap-authenticate");

/// Checks who sends a request. Which headers OTA-HTTP uses for which side is not known for sure, so challenges are given in those of HTTP
/// and in its own, and answers taken in both.
pub(super) struct Doorkeeper {
    user: Option<(String, Secret)>,
    digests: Vec<Hash>,
    plain_basic: bool,
    nonces: Mutex<Nonces>,
}

impl Doorkeeper {
    pub(super) fn new(config: &HttpPushConfig) -> Self {
        let mut key = vec![0; 32];
        // Without randomness no nonce is issued, and so none is taken.
        let _filled = openssl::rand::rand_bytes(&mut key);
        let digests = if config.weak { vec![Hash::Sha256, Hash::Md5] } else { vec![Hash::Sha256] };
        let nonces = Mutex::new(Nonces::new(Secret::new(key), LIFETIME, NONCES, now()));
        Self { user: config.user.clone(), digests, plain_basic: config.weak, nonces }
    }

    /// Whether the sender has proved who it is, if it may push. Without TLS nobody has: what proves the sender of a request there says
    /// nothing of its body, which others on the way can read and change.
    ///
    /// # Errors
    /// The headers of the answer that says that it may not.
    pub(super) fn admit(
        &self,
        peer: &Peer,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<bool, HeaderMap> {
        let Some((user, secret)) = &self.user else { return Ok(peer.known) };
        let basic = peer.secure || self.plain_basic;
        let given = [AUTHORIZATION.as_str(), ota_http::AUTHORIZATION];
        let mut given = given.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
        let mut stale = false;
        let admitted = given.any(|value| {
            if let Some(given) = BasicCredentials::from_header(value) {
                return basic && given.user == *user && given.password == *secret;
            }
            let right = Given::from_header(value).filter(|given| self.is_right(given, method, target));
            right.is_some_and(|given| {
                let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
                let fresh = nonces.take(&given.nonce, given.count, now()).is_ok();
                stale = !fresh;
                fresh
            })
        });
        if admitted { Ok(peer.secure) } else { Err(self.challenges(basic, stale)) }
    }

    /// Whether a digest is right, but for its nonce.
    fn is_right(&self, given: &Given, method: &Method, target: &str) -> bool {
        let Some((user, secret)) = &self.user else { return false };
        let key = digest::user_key(given.algorithm.hash, user, REALM, secret);
        given.user == *user
            && given.realm == REALM
            && given.qop == Qop::Auth
            && self.digests.contains(&given.algorithm.hash)
            && given.is_for(target)
            && given.matches(&key, method.as_str(), b"")
    }

    fn challenges(&self, basic: bool, stale: bool) -> HeaderMap {
        let nonce = || {
            let mut random = [0; 12];
            openssl::rand::rand_bytes(&mut random).ok()?;
            Some(self.nonces.lock().unwrap_or_else(PoisonError::into_inner).issue(now(), random))
        };
        let digests = self.digests.iter();
        let digests = digests.filter_map(|hash| Some(digest::challenge(REALM, *hash, &nonce()?, stale)));
        let basic = basic.then(|| format!("Basic realm=\"{REALM}\", charset=\"UTF-8\""));
        let mut headers = HeaderMap::new();
        for value in digests.chain(basic).filter_map(|value| HeaderValue::from_str(&value).ok()) {
            headers.append(WWW_AUTHENTICATE, value.clone());
            headers.append(CHALLENGE, value);
        }
        headers
    }
}

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

//! What is kept of a device between its sessions of DM 1.x: keys, nonces, and the server's own secret towards it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use omadm_auth::Secret;
use omadm_auth::dm1::{Keys, NonceHistory, Scheme};
use omadm_session::dm1::server as engine;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{ServerError, random};

/// First octet of the stored form, which has nothing but values in it: another set of them needs another number.
const FORM: u8 = 1;
/// With the longest history of nonces, most need no more octets.
const USUAL: usize = 1024;
/// Keep secrets that are made of the seed apart from each other.
const SERVER_SECRET: &[u8] = b"omadm server secret";
const NOTIFICATION_SECRET: &[u8] = b"omadm notification secret";

/// As it is kept of one device. Whoever reads it can pass for the device and for the server towards it: the store has to be guarded like
/// a file of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The user name of the device.
    pub user: String,
    /// The keys of the device.
    pub keys: Keys,
    /// What the server's secrets towards the device are made of.
    seed: Secret,
    /// The scheme by which the device proved itself last, and shall be challenged.
    scheme: Option<Scheme>,
    /// Whether the device was given a secret that is for notifications alone.
    has_notification_secret: bool,
    /// `MsgID` of the last report that was taken; 0 before the first.
    reported: u64,
    /// What sessions have left.
    left: engine::Kept,
}

/// How both sides prove themselves at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// The device.
    pub device: Scheme,
    /// The server; `None` where TLS has to do.
    pub server: Option<Scheme>,
}

/// The stored form, after [`FORM`].
#[derive(Serialize, Deserialize)]
struct Form {
    user: String,
    keys: Zeroizing<Vec<u8>>,
    seed: Zeroizing<Vec<u8>>,
    scheme: Option<Scheme>,
    notification_secret: bool,
    reported: u64,
    client_nonce: Vec<u8>,
    used_nonces: NonceHistory,
    server_nonce: Vec<u8>,
    server_scheme: Option<Scheme>,
}

impl Kept {
    /// For a device that is enrolled with a user name and a secret.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(user: &str, secret: &Secret) -> Result<Self, ServerError> {
        Ok(Self {
            user: user.to_owned(),
            keys: Keys::of(user, secret),
            seed: Secret::new(random::octets::<32>()?.to_vec()),
            scheme: None,
            has_notification_secret: false,
            reported: 0,
            left: engine::Kept {
                client_nonce: Vec::new(),
                used_nonces: NonceHistory::default(),
                server_nonce: Vec::new(),
                server_scheme: None,
            },
        })
    }

    /// Begins anew with what a bootstrap brings to the device: the schemes by which it and the server prove themselves, and a nonce for
    /// either.
    #[must_use]
    pub fn begun(self, schemes: Schemes, client_nonce: [u8; 16], server_nonce: [u8; 16]) -> Self {
        let left = engine::Kept {
            client_nonce: client_nonce.to_vec(),
            used_nonces: NonceHistory::default(),
            server_nonce: server_nonce.to_vec(),
            server_scheme: schemes.server,
        };
        Self { scheme: Some(schemes.device), left, ..self }
    }

    /// The nonce for the next credentials of the device, and that for those of the server.
    pub fn nonces(&self) -> (&[u8], &[u8]) {
        (&self.left.client_nonce, &self.left.server_nonce)
    }

    /// With what a message has left, and the scheme that proved it; `None` if that changes nothing.
    pub fn after(self, left: Option<engine::Kept>, scheme: Option<Scheme>) -> Option<Self> {
        let scheme = scheme.or(self.scheme);
        let changes = left.is_some() || scheme != self.scheme;
        changes.then(|| Self {
            left: left.unwrap_or(self.left),
            scheme,
            user: self.user,
            keys: self.keys,
            seed: self.seed,
            has_notification_secret: self.has_notification_secret,
            reported: self.reported,
        })
    }

    /// With a report of this `MsgID`; `None` if that or a later one was taken before.
    pub fn with_report(self, number: u64) -> Option<Self> {
        (number > self.reported).then_some(Self { reported: number, ..self })
    }

    /// Reads the stored form; what another version wrote in another way is as good as nothing.
    pub fn read(stored: &[u8]) -> Option<Self> {
        let form: Form = postcard::from_bytes(stored.strip_prefix(&[FORM])?).ok()?;
        Some(Self {
            user: form.user,
            keys: Keys::from_bytes(&form.keys)?,
            seed: Secret::new(form.seed.to_vec()),
            scheme: form.scheme,
            has_notification_secret: form.notification_secret,
            reported: form.reported,
            left: engine::Kept {
                client_nonce: form.client_nonce,
                used_nonces: form.used_nonces,
                server_nonce: form.server_nonce,
                server_scheme: form.server_scheme,
            },
        })
    }

    /// The stored form.
    pub fn write(&self) -> Vec<u8> {
        let form = Form {
            user: self.user.clone(),
            keys: Zeroizing::new(self.keys.to_bytes().expose().to_vec()),
            seed: Zeroizing::new(self.seed.expose().to_vec()),
            scheme: self.scheme,
            notification_secret: self.has_notification_secret,
            reported: self.reported,
            client_nonce: self.left.client_nonce.clone(),
            used_nonces: self.left.used_nonces.clone(),
            server_nonce: self.left.server_nonce.clone(),
            server_scheme: self.left.server_scheme,
        };
        let mut written = Vec::with_capacity(USUAL);
        written.push(FORM);
        // It is all text and numbers, which can be written.
        postcard::to_extend(&form, written).unwrap_or_default()
    }

    /// The secret by which the server with this identifier proves itself to the device. What one of several servers has is no way to
    /// that of another.
    pub fn server_secret(&self, server_id: &str) -> Secret {
        self.secret(SERVER_SECRET, server_id)
    }

    /// Gives the device a secret of each server that is for notifications alone.
    pub fn with_notification_secret(self) -> Self {
        Self { has_notification_secret: true, ..self }
    }

    /// The secret by which the server with this identifier proves notifications alone, if the device was given one.
    pub fn notification_secret(&self, server_id: &str) -> Option<Secret> {
        self.has_notification_secret.then(|| self.secret(NOTIFICATION_SECRET, server_id))
    }

    fn secret(&self, purpose: &[u8], server_id: &str) -> Secret {
        let digest = Sha256::new()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(self.seed.expose())
            .chain_update(server_id)
            .finalize();
        Secret::new(URL_SAFE_NO_PAD.encode(digest).into_bytes())
    }

    /// The account for the engine.
    pub fn account(&self, device_id: &str, server_id: &str) -> engine::Account {
        let left = self.left.clone();
        engine::Account {
            user: self.user.clone(),
            client_keys: Some(self.keys.clone()),
            client_nonce: left.client_nonce,
            used_nonces: left.used_nonces,
            client_scheme: self.scheme,
            server_keys: Some(Keys::of(server_id, &self.server_secret(server_id))),
            server_nonce: left.server_nonce,
            server_scheme: left.server_scheme,
            ..by_transport(device_id, server_id)
        }
    }
}

/// The account of a device that is known by its transport alone.
pub fn by_transport(device_id: &str, server_id: &str) -> engine::Account {
    engine::Account {
        device_id: device_id.to_owned(),
        user: String::new(),
        client_keys: None,
        client_nonce: Vec::new(),
        used_nonces: NonceHistory::default(),
        client_scheme: None,
        server_user: server_id.to_owned(),
        server_keys: None,
        server_nonce: Vec::new(),
        server_scheme: None,
        default_nonce: false,
        transport_authenticated: false,
        resp_uri: None,
        capabilities: engine::Capabilities::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept::new("dev-1", &Secret::new(b"correct horse battery".to_vec())).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut kept = kept();
        assert_eq!(Kept::read(&kept.write()), Some(kept.clone()));
        kept.left.client_nonce = vec![1, 2, 3];
        kept.left.used_nonces.note(&[9; 16]);
        kept.left.server_nonce = vec![4];
        kept.left.server_scheme = Some(Scheme::MacSha256);
        kept.scheme = Some(Scheme::Md5);
        assert_eq!(Kept::read(&kept.write()), Some(kept.clone()));
        let cut = kept.write().len() - 1;
        for other in [&b""[..], b"{}", b"\x01", b"\x01\x01a", &kept.write()[..cut]] {
            assert_eq!(Kept::read(other), None);
        }
    }

    #[test]
    fn every_server_has_a_secret_of_its_own_towards_each_device() {
        let (one, other) = (kept(), kept());
        assert_eq!(one.server_secret("a"), Kept::read(&one.write()).unwrap().server_secret("a"));
        assert_ne!(one.server_secret("a"), one.server_secret("b"));
        assert_ne!(one.server_secret("a"), other.server_secret("a"));
        assert_eq!(one.server_secret("a").expose().len(), 43);
        assert_eq!(one.notification_secret("a"), None);
        let one = one.with_notification_secret();
        assert_ne!(one.notification_secret("a"), Some(one.server_secret("a")));
        assert_ne!(one.notification_secret("a"), one.notification_secret("b"));
        assert_eq!(Kept::read(&one.write()).unwrap().notification_secret("a"), one.notification_secret("a"));
        let account = one.account("IMEI:1", "a");
        assert_eq!(account.server_keys, Some(Keys::of("a", &one.server_secret("a"))));
        assert_eq!((account.user.as_str(), account.device_id.as_str()), ("dev-1", "IMEI:1"));
    }

    #[test]
    fn the_scheme_of_a_device_is_remembered() {
        let kept = kept();
        assert_eq!(kept.account("IMEI:1", "a").client_scheme, None);
        assert_eq!(kept.clone().after(None, None), None);
        let after = kept.after(None, Some(Scheme::Md5)).unwrap();
        assert_eq!(after.account("IMEI:1", "a").client_scheme, Some(Scheme::Md5));
        assert_eq!(after.clone().after(None, Some(Scheme::Md5)), None);
        let left = engine::Kept { client_nonce: vec![7], ..after.left.clone() };
        let by_transport = after.after(Some(left), None).unwrap().account("IMEI:1", "a");
        assert_eq!((by_transport.client_scheme, by_transport.client_nonce), (Some(Scheme::Md5), vec![7]));
    }

    #[test]
    fn a_bootstrap_begins_with_its_nonces() {
        let schemes = Schemes { device: Scheme::Basic, server: Some(Scheme::Sha256) };
        let begun = kept().begun(schemes, [1; 16], [2; 16]);
        assert_eq!(begun.nonces(), (&[1; 16][..], &[2; 16][..]));
        let account = begun.account("IMEI:1", "a");
        assert_eq!((account.client_nonce, account.server_nonce), (vec![1; 16], vec![2; 16]));
        assert_eq!(
            (account.client_scheme, account.server_scheme),
            (Some(Scheme::Basic), Some(Scheme::Sha256))
        );
    }

    #[test]
    fn neither_secret_stands_in_what_is_kept() {
        let kept = kept();
        let written = kept.write();
        let holds = |octets: &[u8]| written.windows(octets.len()).any(|part| part == octets);
        assert!(!holds(b"horse") && !holds(kept.server_secret("a").expose()));
    }
}

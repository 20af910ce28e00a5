//! Authentication of DM 1.x in the application layer (`DM 1.3 SEC §5.3, §5.4, §5.6`): basic, digests over nonces, and MACs of messages.
//!
//! Nobody has to keep a password: A = H(user:password) is enough to prove and to check everything but to send basic credentials
//! ([`Keys`]). Nonces are raw octets throughout; on the wire they stand in base64.
//!
//! The texts of 1.3 name SHA-256 schemes that were never published in full. The formulas here are those of MD5 with the other hash, the
//! names are `syncml:auth-sha256` and `syncml:auth-MAC-SHA256` (our choice). Which schemes are acceptable is the caller's.

mod header;
mod nonce;
mod obex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::digest::hex_digits;
use crate::secret::Secret;

pub use header::{HMAC_HEADER, HmacHeader};
pub use nonce::{DEFAULT_NONCE, NonceHistory, challenge_nonce};
pub use obex::obex_digest;

/// Longest `Data` of a `Cred` in octets that is looked into.
pub const MAX_CREDENTIALS: usize = 4096;

/// A hash function of these schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Hash {
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA256")]
    Sha256,
}

impl Hash {
    /// Octets of a digest.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }
    /// The digest of parts that follow each other.
    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Md5 => fold(md5::Md5::new(), parts),
            Self::Sha256 => fold(Sha256::new(), parts),
        }
    }
}

fn fold<D: sha2::Digest>(digest: D, parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(digest, |digest, part| digest.chain_update(part)).finalize().to_vec()
}

/// How one side proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// User and password as they are. Weak: only within TLS, if at all.
    #[serde(rename = "basic")]
    Basic,
    /// A digest over a nonce, of MD5. Weak.
    #[serde(rename = "md5")]
    Md5,
    /// A digest over a nonce, of SHA-256.
    #[serde(rename = "sha256")]
    Sha256,
    /// A MAC of each message in the header `x-syncml-hmac`, of MD5. Weak.
    #[serde(rename = "mac-md5")]
    MacMd5,
    /// A MAC of each message, of SHA-256.
    #[serde(rename = "mac-sha256")]
    MacSha256,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 5] = [Self::Basic, Self::Md5, Self::Sha256, Self::MacMd5, Self::MacSha256];

    /// Its name in configuration: `basic`, `md5`, `sha256`, `mac-md5`, `mac-sha256`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::MacMd5 => "mac-md5",
            Self::MacSha256 => "mac-sha256",
        }
    }
    /// Reads the name that configuration has.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }
    /// `Type` of its `Cred` and `Chal`.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Basic => "syncml:auth-basic",
            Self::Md5 => "syncml:auth-md5",
            Self::Sha256 => "syncml:auth-sha256",
            Self::MacMd5 => "syncml:auth-MAC",
            Self::MacSha256 => "syncml:auth-MAC-SHA256",
        }
    }
    /// Reads `Type`, in any letter case.
    #[must_use]
    pub fn of_type(type_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.type_name().eq_ignore_ascii_case(type_name.trim()))
    }
    /// The scheme of messages with a MAC.
    #[must_use]
    pub fn mac(hash: Hash) -> Self {
        match hash {
            Hash::Md5 => Self::MacMd5,
            Hash::Sha256 => Self::MacSha256,
        }
    }
    /// Whether each message has a MAC, and no `Cred`.
    #[must_use]
    pub fn is_mac(self) -> bool {
        matches!(self, Self::MacMd5 | Self::MacSha256)
    }
    /// Whether somebody who listens may learn the password, or guess at it in earnest.
    #[must_use]
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Basic | Self::Md5 | Self::MacMd5)
    }
    /// Its hash; `None` for basic.
    #[must_use]
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Basic => None,
            Self::Md5 | Self::MacMd5 => Some(Hash::Md5),
            Self::Sha256 | Self::MacSha256 => Some(Hash::Sha256),
        }
    }
}

/// A = H(user:password) for each hash: what either side keeps of a user instead of the password. Whoever has it can answer challenges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    md5: Secret,
    sha256: Secret,
}

/// How credentials were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// As the formula says.
    Exact,
    /// With the base64 text of the nonce in place of its octets: a common mistake (`lenient_nonce`).
    NonceText,
}

impl Keys {
    /// Makes the keys of a user.
    #[must_use]
    pub fn of(user: &str, password: &Secret) -> Self {
        Self::of_pair(&[user.as_bytes(), b":", password.expose()])
    }

    fn of_pair(parts: &[&[u8]]) -> Self {
        Self { md5: Secret::new(Hash::Md5.of(parts)), sha256: Secret::new(Hash::Sha256.of(parts)) }
    }

    /// 48 octets for storage, to be guarded like a password.
    #[must_use]
    pub fn to_bytes(&self) -> Secret {
        // Full size at once: a vector that grew would leave a copy behind.
        let mut bytes = Vec::with_capacity(Hash::Md5.size() + Hash::Sha256.size());
        bytes.extend_from_slice(self.md5.expose());
        bytes.extend_from_slice(self.sha256.expose());
        Secret::new(bytes)
    }

    /// The inverse of [`Keys::to_bytes`]; `None` when there are not exactly 48 octets.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (md5, sha256) = bytes.split_at_checked(Hash::Md5.size())?;
        (sha256.len() == Hash::Sha256.size())
            .then(|| Self { md5: Secret::new(md5.to_vec()), sha256: Secret::new(sha256.to_vec()) })
    }

    fn key(&self, hash: Hash) -> Zeroizing<String> {
        let key = match hash {
            Hash::Md5 => &self.md5,
            Hash::Sha256 => &self.sha256,
        };
        Zeroizing::new(STANDARD.encode(key.expose()))
    }

    /// `Data` of a `Cred`: B64(H(B64(A):nonce)).
    #[must_use]
    pub fn digest(&self, hash: Hash, nonce: &[u8]) -> String {
        STANDARD.encode(hash.of(&[self.key(hash).as_bytes(), b":", nonce]))
    }

    /// The MAC of a message: H(B64(A):nonce:B64(H(body))) over its exact octets.
    #[must_use]
    pub fn mac(&self, hash: Hash, nonce: &[u8], body: &[u8]) -> Vec<u8> {
        let body = STANDARD.encode(hash.of(&[body]));
        hash.of(&[self.key(hash).as_bytes(), b":", nonce, b":", body.as_bytes()])
    }

    /// Checks `Data` of a `Cred` with a digest. The time it takes does not depend on what is wrong.
    #[must_use]
    pub fn check_digest(&self, hash: Hash, nonce: &[u8], data: &str) -> Option<Proof> {
        let given = decode_base64(data)?;
        prove(nonce, &given, |nonce| hash.of(&[self.key(hash).as_bytes(), b":", nonce]))
    }

    /// Checks the MAC of a message.
    #[must_use]
    pub fn check_mac(&self, hash: Hash, nonce: &[u8], body: &[u8], mac: &[u8]) -> Option<Proof> {
        prove(nonce, mac, |nonce| self.mac(hash, nonce, body))
    }

    /// Checks `Data` of a `Cred` with user and password.
    #[must_use]
    pub fn check_basic(&self, data: &str) -> bool {
        decode_base64(data).is_some_and(|pair| Self::of_pair(&[&pair]) == *self)
    }
}

/// Both forms are always computed, so that time tells nothing.
fn prove(nonce: &[u8], given: &[u8], expected: impl Fn(&[u8]) -> Vec<u8>) -> Option<Proof> {
    let given = Secret::new(given.to_vec());
    let exact = Secret::new(expected(nonce)) == given;
    let text = Secret::new(expected(STANDARD.encode(nonce).as_bytes())) == given;
    match (exact, text) {
        (true, _) => Some(Proof::Exact),
        (false, true) => Some(Proof::NonceText),
        (false, false) => None,
    }
}

/// `Data` of a `Cred` with user and password.
#[must_use]
pub fn basic(user: &str, password: &Secret) -> Secret {
    let password = password.expose();
    let mut plain = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    plain.extend_from_slice(user.as_bytes());
    plain.push(b':');
    plain.extend_from_slice(password);
    let mut text = String::with_capacity(plain.len().div_ceil(3) * 4);
    STANDARD.encode_string(&*plain, &mut text);
    Secret::new(text.into_bytes())
}

/// The user that basic credentials name. They prove nothing yet.
#[must_use]
pub fn basic_user(data: &str) -> Option<String> {
    let pair = decode_base64(data)?;
    let user = pair.split(|octet| *octet == b':').next()?;
    String::from_utf8(user.to_vec()).ok()
}

/// Base64 with or without its padding, as peers send it.
fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const INDIFFERENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = text.trim();
    (text.len() <= MAX_CREDENTIALS).then_some(())?;
    INDIFFERENT.decode(text).ok().map(Zeroizing::new)
}

/// The octets of a MAC as carried: they themselves, or their hexadecimal digits, as in an example of the standard.
fn mac_octets(text: &str) -> Option<Vec<u8>> {
    let octets = decode_base64(text)?;
    for hash in [Hash::Md5, Hash::Sha256] {
        if octets.len() == hash.size() * 2
            && let Some(binary) = hex_digits(&octets)
        {
            return Some(binary);
        }
    }
    Some(octets.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(user: &str, password: &str) -> Keys {
        Keys::of(user, &Secret::new(password.as_bytes().to_vec()))
    }

    const BODY: &[u8] = b"<SyncML xmlns='SYNCML:SYNCML1.2'/>";

    fn counting() -> Vec<u8> {
        (0..16).collect()
    }

    #[test]
    fn digests_are_those_of_the_standard_and_of_peers() {
        let bruce = keys("Bruce2", "OhBehave");
        assert_eq!(bruce.digest(Hash::Md5, b"Nonce"), "Zz6EivR3yeaaENcRN6lpAQ==");
        let other = keys("Bruce1", "OhBehave");
        assert_eq!(other.key(Hash::Md5).as_str(), "izei3G6za6rVDRgO8aQXyQ==");
        assert_eq!(other.digest(Hash::Md5, b"nonce"), "lnZLb3wBhv5gvClt8C+m7w==");
        let device = keys("dev-1", "s3cret");
        assert_eq!(device.key(Hash::Md5).as_str(), "GwGmqOYrJdbdjLgFwjiCNA==");
        assert_eq!(device.digest(Hash::Md5, &counting()), "RyEHbgLtLV8epxbMPEuCvQ==");
        let long = "v0/TIqWDnDGXyVdfmaShZoewxq2N21qDoeo+8GvMNzQ=";
        assert_eq!(device.digest(Hash::Sha256, &counting()), long);
    }

    #[test]
    fn macs_are_nested_hashes_over_the_octets_of_the_body() {
        let device = keys("dev-1", "s3cret");
        let mac = |hash| STANDARD.encode(device.mac(hash, &counting(), BODY));
        assert_eq!(mac(Hash::Md5), "uuy8CVxX/0kCMT7+M0y2nA==");
        assert_eq!(mac(Hash::Sha256), "f1QJ75Q0j9gKmuDB9d20o8wbyJAdlro7ANo4Qjblbn4=");
    }

    /// Digests of notifications, of `vectors/dm1/notification/digest.txt`.
    const NOTIFICATIONS: &str = include_str!("../../../../vectors/dm1/notification/digest.txt");

    #[test]
    fn digests_of_notifications_are_those_of_the_vectors() {
        let octets = |digits: &str| {
            let digits = digits.trim_start_matches('-').as_bytes();
            let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.chunks(2).map(octet).collect::<Vec<_>>()
        };
        let mut count = 0;
        for line in NOTIFICATIONS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split(' ').map(octets).collect();
            let [server, secret, nonce, message, digest] = fields.try_into().unwrap();
            let keys = Keys::of(std::str::from_utf8(&server).unwrap(), &Secret::new(secret));
            let hash = if digest.len() == 16 { Hash::Md5 } else { Hash::Sha256 };
            assert_eq!(keys.mac(hash, &nonce, &message), digest, "{line}");
            assert_eq!(keys.check_mac(hash, &nonce, &message, &digest), Some(Proof::Exact));
            count += 1;
        }
        assert!(count > 4, "an empty file proves nothing");
    }

    #[test]
    fn basic_credentials_are_checked_without_the_password() {
        let password = Secret::new(b"OhBehave".to_vec());
        let data = basic("Bruce2", &password);
        let data = std::str::from_utf8(data.expose()).unwrap();
        assert_eq!(data, "QnJ1Y2UyOk9oQmVoYXZl");
        assert_eq!(basic_user(data).as_deref(), Some("Bruce2"));
        assert!(keys("Bruce2", "OhBehave").check_basic(data));
        assert!(!keys("Bruce2", "OhBehav").check_basic(data));
        assert!(!keys("Bruce2", "OhBehave").check_basic("no base64!"));
        assert!(!keys("Bruce2", "OhBehave").check_basic(&"QUFB".repeat(MAX_CREDENTIALS)));
    }

    #[test]
    fn only_the_right_digest_is_right() {
        let device = keys("dev-1", "s3cret");
        for hash in [Hash::Md5, Hash::Sha256] {
            for nonce in [&b""[..], b"n", &counting()] {
                let data = device.digest(hash, nonce);
                assert_eq!(device.check_digest(hash, nonce, &data), Some(Proof::Exact));
                assert_eq!(device.check_digest(hash, nonce, data.trim_end_matches('=')), Some(Proof::Exact));
                assert_eq!(device.check_digest(hash, b"other", &data), None);
                assert_eq!(keys("dev-1", "S3cret").check_digest(hash, nonce, &data), None);
                let mac = device.mac(hash, nonce, BODY);
                assert_eq!(device.check_mac(hash, nonce, BODY, &mac), Some(Proof::Exact));
                assert_eq!(device.check_mac(hash, nonce, b"<SyncML/>", &mac), None);
                assert_eq!(device.check_mac(hash, nonce, BODY, &mac[1..]), None);
            }
        }
        assert_eq!(device.check_digest(Hash::Md5, b"n", &device.digest(Hash::Sha256, b"n")), None);
        assert_eq!(device.check_digest(Hash::Md5, b"n", ""), None);
    }

    #[test]
    fn a_digest_over_the_text_of_the_nonce_is_told_apart() {
        let device = keys("dev-1", "s3cret");
        let data = device.digest(Hash::Md5, b"AAECAwQFBgcICQoLDA0ODw==");
        assert_eq!(device.check_digest(Hash::Md5, &counting(), &data), Some(Proof::NonceText));
    }

    #[test]
    fn keys_survive_storage_and_do_not_print() {
        let device = keys("dev-1", "s3cret");
        let bytes = device.to_bytes();
        assert_eq!(bytes.expose().len(), 48);
        assert_eq!(Keys::from_bytes(bytes.expose()), Some(device.clone()));
        assert_eq!(Keys::from_bytes(&bytes.expose()[1..]), None);
        assert_eq!(Keys::from_bytes(&[]), None);
        assert_eq!(format!("{device:?}"), "Keys { md5: Secret(..), sha256: Secret(..) }");
    }

    #[test]
    fn schemes_have_distinct_names_that_are_read_back() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::named(scheme.as_str()), Some(scheme));
            assert_eq!(Scheme::of_type(&scheme.type_name().to_uppercase()), Some(scheme));
            assert_eq!(scheme.is_mac(), scheme.hash().is_some_and(|hash| Scheme::mac(hash) == scheme));
        }
        assert_eq!(Scheme::of_type(" syncml:auth-SHA256 "), Some(Scheme::Sha256));
        assert_eq!(Scheme::of_type("syncml:auth-X509"), None);
        let strong: Vec<_> = Scheme::ALL.into_iter().filter(|scheme| !scheme.is_weak()).collect();
        assert_eq!(strong, [Scheme::Sha256, Scheme::MacSha256]);
    }
}

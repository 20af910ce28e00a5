//! What a server keeps of a device's secret, for every way in which the device may prove that it has it.

use sha2::{Digest as _, Sha256};

use crate::digest::{Hash, user_key};
use crate::notification::NotificationCredentials;
use crate::secret::Secret;
use crate::verifier::Verifier;

/// First octet of the stored form.
const VERSION: u8 = 2;
/// Octets of a stored [`Verifier`].
const VERIFIER: usize = 48;
/// Octets of the salt, with which a stored [`Verifier`] begins.
const SALT: usize = 16;
/// Keeps the secret of notifications apart from everything else that may be made of a verifier.
const NOTIFICATIONS: &[u8] = b"omadm notification secret";
/// The digests whose keys are kept, in their order.
const HASHES: [Hash; 3] = Hash::ALL;
/// Longest pre-shared key in octets: what every peer has to take (`RFC 4279 §5.3`).
pub const MAX_SHARED_KEY: usize = 64;

/// The stored form of a device's credential, read where it is.
///
/// HTTP Basic is checked by a [`Verifier`]. HTTP Digest needs a key of each digest ([`user_key`]), which is no way back to the secret, but
/// whoever reads it can answer challenges of that realm. PSK-TLS needs the secret itself, which is kept for devices that use it and for
/// no others. So the store has to be guarded like a file of keys.
#[derive(Clone, Copy)]
pub struct StoredCredential<'a> {
    verifier: &'a [u8],
    keys: &'a [u8],
    shared: &'a [u8],
}

impl<'a> StoredCredential<'a> {
    /// Makes the stored form; `salt` has to be fresh random octets. `shared` also keeps the secret as a pre-shared key.
    #[must_use]
    pub fn make(user: &str, realm: &str, secret: &Secret, salt: [u8; 16], shared: bool) -> Secret {
        let verifier = Verifier::new(secret, salt).to_bytes();
        let kept = if shared { secret.expose() } else { &[] };
        let keys: usize = HASHES.iter().map(|hash| hash.size()).sum();
        // Full size at once: a vector that grew would leave a copy behind.
        let mut bytes = Vec::with_capacity(1 + VERIFIER + keys + kept.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&verifier);
        for hash in HASHES {
            bytes.extend_from_slice(user_key(hash, user, realm, secret).expose());
        }
        bytes.extend_from_slice(kept);
        Secret::new(bytes)
    }

    /// Reads a stored form; of the first version (a [`Verifier`] alone) only HTTP Basic can be checked. `None` if it is neither.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() == VERIFIER {
            return Some(Self { verifier: bytes, keys: &[], shared: &[] });
        }
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (verifier, rest) = rest.split_at_checked(VERIFIER)?;
        let (keys, shared) = rest.split_at_checked(HASHES.iter().map(|hash| hash.size()).sum())?;
        Some(Self { verifier, keys, shared })
    }

    /// Whether `secret` is the one.
    #[must_use]
    pub fn matches(&self, secret: &Secret) -> bool {
        Verifier::from_bytes(self.verifier).is_some_and(|verifier| verifier.matches(secret))
    }

    /// The user's key for HTTP Digest.
    #[must_use]
    pub fn digest_key(&self, hash: Hash) -> Option<Secret> {
        let before = HASHES.iter().take_while(|kept| **kept != hash).map(|kept| kept.size()).sum();
        let key = self.keys.split_at_checked(before)?.1.split_at_checked(hash.size())?.0;
        Some(Secret::new(key.to_vec()))
    }

    /// What proves notifications to the device (`DM 2.0 §5.2.1.2`). The digest needs the shared secret as it is, so it is one of its own,
    /// made of the verifier: no way back to the device's secret, and nothing more to keep. `None` when there is no verifier.
    #[must_use]
    pub fn notification(&self) -> Option<NotificationCredentials> {
        let salt = self.verifier.get(..SALT)?;
        let secret = Sha256::new().chain_update(NOTIFICATIONS).chain_update(self.verifier).finalize();
        NotificationCredentials::new(Secret::new(secret.to_vec()), Secret::new(salt.to_vec()))
    }

    /// The pre-shared key, of devices that use one.
    #[must_use]
    pub fn shared_key(&self) -> Option<Secret> {
        (!self.shared.is_empty()).then(|| Secret::new(self.shared.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_proof_has_its_key() {
        let secret = Secret::new(b"correct horse battery".to_vec());
        for shared in [false, true] {
            let stored = StoredCredential::make("device", "omadm", &secret, [3; 16], shared);
            let read = StoredCredential::read(stored.expose()).unwrap();
            assert!(read.matches(&secret) && !read.matches(&Secret::new(b"wrong".to_vec())));
            for hash in Hash::ALL {
                assert_eq!(read.digest_key(hash), Some(user_key(hash, "device", "omadm", &secret)));
            }
            assert_eq!(read.shared_key(), shared.then(|| secret.clone()));
            let found = stored.expose().windows(5).any(|octets| octets == b"horse");
            assert_eq!(found, shared, "the secret is kept only where it has to be");
        }
    }

    #[test]
    fn the_first_version_is_still_read() {
        let secret = Secret::new(b"correct horse battery".to_vec());
        let bytes = Verifier::new(&secret, [3; 16]).to_bytes();
        let read = StoredCredential::read(&bytes).unwrap();
        assert!(read.matches(&secret));
        assert_eq!((read.digest_key(Hash::Sha256), read.shared_key()), (None, None));
    }

    #[test]
    fn notifications_have_a_secret_of_their_own() {
        let secret = Secret::new(b"correct horse battery".to_vec());
        let stored = StoredCredential::make("u", "r", &secret, [3; 16], false);
        let notification = StoredCredential::read(stored.expose()).unwrap().notification().unwrap();
        assert_eq!(notification.data().expose(), [3; 16]);
        assert_eq!(notification.secret().expose().len(), 32);
        let old = Verifier::new(&secret, [3; 16]).to_bytes();
        let same = StoredCredential::read(&old).unwrap().notification();
        assert_eq!(same, Some(notification.clone()), "the first version has it, too");
        let other = StoredCredential::make("u", "r", &secret, [4; 16], false);
        assert_ne!(StoredCredential::read(other.expose()).unwrap().notification(), Some(notification));
    }

    #[test]
    fn nothing_else_is_read() {
        let good = StoredCredential::make("u", "r", &Secret::new(vec![1; 16]), [3; 16], false);
        for length in (0..good.expose().len()).filter(|length| *length != VERIFIER) {
            assert!(StoredCredential::read(&good.expose()[..length]).is_none(), "{length}");
        }
        let mut other = good.expose().to_vec();
        other[0] = 3;
        assert!(StoredCredential::read(&other).is_none());
    }
}

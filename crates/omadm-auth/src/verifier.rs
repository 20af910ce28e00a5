//! What a server keeps of a machine-made secret: enough to check it, too little to use it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// SHA-256 over a random salt and the secret. Meant for secrets of 128 bits of entropy or more (device credentials and
/// API tokens are made by us); a person's password needs a slow hash instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    salt: [u8; 16],
    digest: [u8; 32],
}

impl Verifier {
    /// Makes the verifier of a secret; `salt` has to be fresh random octets.
    #[must_use]
    pub fn new(secret: &Secret, salt: [u8; 16]) -> Self {
        Self { salt, digest: digest(&salt, secret) }
    }

    /// Whether `secret` is the one; the comparison takes the same time whatever differs.
    #[must_use]
    pub fn matches(&self, secret: &Secret) -> bool {
        self.digest.ct_eq(&digest(&self.salt, secret)).into()
    }

    /// 48 octets for storage: the salt, then the digest.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.salt.as_slice(), &self.digest].concat()
    }

    /// The inverse of [`Verifier::to_bytes`]; `None` when there are not exactly 48 octets.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (salt, rest) = bytes.split_first_chunk()?;
        Some(Self { salt: *salt, digest: rest.try_into().ok()? })
    }
}

fn digest(salt: &[u8; 16], secret: &Secret) -> [u8; 32] {
    // The salt has a fixed length, so no two pairs of salt and secret run together to the same octets.
    Sha256::new().chain_update(salt).chain_update(secret.expose()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn is_sha256_over_salt_and_secret() {
        // FIPS 180-2 appendix B.2, cut after its first 16 octets.
        let salt = *b"abcdbcdecdefdefg";
        let verifier = Verifier::new(&secret("efghfghighijhijkijkljklmklmnlmnomnopnopq"), salt);
        let expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        let hex: String = verifier.to_bytes().iter().skip(16).map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn knows_its_secret_and_no_other() {
        let verifier = Verifier::new(&secret("right"), [7; 16]);
        assert!(verifier.matches(&secret("right")));
        for wrong in ["", "righ", "right ", "Right"] {
            assert!(!verifier.matches(&secret(wrong)), "{wrong:?}");
        }
        assert_ne!(verifier, Verifier::new(&secret("right"), [8; 16]), "the salt counts");
    }

    #[test]
    fn survives_storage() {
        let verifier = Verifier::new(&secret("right"), [7; 16]);
        let bytes = verifier.to_bytes();
        assert_eq!(bytes.len(), 48);
        assert_eq!(Verifier::from_bytes(&bytes), Some(verifier));
        assert_eq!(Verifier::from_bytes(&bytes[..47]), None);
        assert_eq!(Verifier::from_bytes(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(Verifier::from_bytes(&[]), None);
    }
}

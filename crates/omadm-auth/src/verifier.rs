//! What a server keeps of a machine-made secret: enough to check it, too little to use it.

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
    pub fn new(_secret: &Secret, _salt: [u8; 16]) -> Self {
        todo!()
    }
    /// Whether `secret` is the one; constant time.
    #[must_use]
    pub fn matches(&self, _secret: &Secret) -> bool {
        todo!()
    }
    /// 48 octets for storage.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
    /// The inverse of [`Verifier::to_bytes`].
    #[must_use]
    pub fn from_bytes(_bytes: &[u8]) -> Option<Self> {
        todo!()
    }
}

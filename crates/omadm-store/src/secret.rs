//! Octets of secrets.

use std::fmt;

use zeroize::Zeroizing;

/// What is kept of a device's secret (opaque here). It may be the secret itself, so it does not print, and is zeroised when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoredSecret(Zeroizing<Vec<u8>>);

impl StoredSecret {
    /// The octets, where they are needed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for StoredSecret {
    fn from(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = StoredSecret::from(b"correct horse".to_vec());
        assert_eq!(
            (secret.expose(), format!("{secret:?}").as_str()),
            (&b"correct horse"[..], "StoredSecret(..)")
        );
    }
}

//! The keys that packages may be signed with.

use std::path::PathBuf;

use openssl::hash::MessageDigest;
use openssl::md::Md;
use openssl::pkey::{Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::Verifier;

use crate::ServerError;

/// Shortest RSA key in bits: the digest is only as good as its signature.
const MIN_RSA: u32 = 2_048;

/// Public keys with the names of their files.
pub struct TrustedKeys(Vec<(String, PKey<Public>)>);

impl TrustedKeys {
    /// Reads PEM files.
    ///
    /// # Errors
    /// When one cannot be read, or is of a kind or length that is not taken.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ServerError> {
        let keys = paths.iter().map(|path| {
            let what = "package.trusted_keys";
            let wrong = |problem: String| ServerError::Certificate { what, path: path.clone(), problem };
            let pem = std::fs::read(path).map_err(|source| ServerError::File {
                what,
                path: path.clone(),
                source,
            })?;
            let key = PKey::public_key_from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
            match key.id() {
                Id::ED25519 | Id::EC => {}
                Id::RSA if key.bits() >= MIN_RSA => {}
                Id::RSA => return Err(wrong(format!("an RSA key needs {MIN_RSA} bits or more"))),
                _ => return Err(wrong("is neither an Ed25519 nor an RSA nor an ECDSA key".to_owned())),
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, key))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the key that made a signature over octets with this SHA-256: with RSA (PKCS#1 v1.5) and ECDSA the usual one over the
    /// octets, with Ed25519, which cannot be fed piece by piece, one over the 32 octets of the digest.
    pub fn signer(&self, digest: &[u8], signature: &[u8]) -> Option<&str> {
        // What cannot be verified at all was not made by that key.
        let made_by = |key: &PKey<Public>| verifies(key, digest, signature).unwrap_or(false);
        self.0.iter().find(|(_, key)| made_by(key)).map(|(name, _)| name.as_str())
    }
}

fn verifies(key: &PKey<Public>, digest: &[u8], signature: &[u8]) -> Result<bool, openssl::error::ErrorStack> {
    if key.id() == Id::ED25519 {
        return Verifier::new_without_digest(key)?.verify_oneshot(signature, digest);
    }
    let mut verifying = PkeyCtx::new(key)?;
    verifying.verify_init()?;
    verifying.set_signature_md(Md::sha256())?;
    debug_assert_eq!(digest.len(), MessageDigest::sha256().size());
    verifying.verify(digest, signature)
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::sign::Signer;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn trusted(keys: &[&PKey<Private>]) -> (tempfile::TempDir, Result<TrustedKeys, ServerError>) {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let path = dir.path().join(format!("key{number}.pem"));
            std::fs::write(&path, key.public_key_to_pem().unwrap()).unwrap();
            paths.push(path);
        }
        let read = TrustedKeys::read(&paths);
        (dir, read)
    }

    #[test]
    fn signatures_of_each_kind_are_known_by_their_key() {
        let content = b"a package";
        let digest = Sha256::digest(content);
        let ed25519 = PKey::generate_ed25519().unwrap();
        let rsa = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let (_dir, keys) = trusted(&[&ed25519, &rsa, &ec]);
        let keys = keys.unwrap();
        let over_content = |key: &PKey<Private>| {
            let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
            signer.update(content).unwrap();
            signer.sign_to_vec().unwrap()
        };
        let over_digest = |key: &PKey<Private>| {
            Signer::new_without_digest(key).unwrap().sign_oneshot_to_vec(&digest).unwrap()
        };
        let signatures =
            [("key0", over_digest(&ed25519)), ("key1", over_content(&rsa)), ("key2", over_content(&ec))];
        for (name, signature) in signatures {
            assert_eq!(keys.signer(&digest, &signature), Some(name));
            assert_eq!(keys.signer(&Sha256::digest(b"another"), &signature), None, "{name}");
        }
        let stranger = PKey::generate_ed25519().unwrap();
        assert_eq!(keys.signer(&digest, &over_digest(&stranger)), None);
        assert_eq!(keys.signer(&digest, b""), None);
    }

    #[test]
    fn weak_keys_and_other_kinds_are_refused() {
        let weak = PKey::from_rsa(Rsa::generate(1_024).unwrap()).unwrap();
        let (_dir, keys) = trusted(&[&weak]);
        assert!(keys.err().unwrap().to_string().contains("2048 bits"));
        let other = PKey::generate_x25519().unwrap();
        let (_dir, keys) = trusted(&[&other]);
        assert!(keys.err().unwrap().to_string().contains("neither"));
    }
}

//! Signatures of packages: detached, over the SHA-256, by keys that the device was given beforehand.
//!
//! RSA (PKCS#1 v1.5) and elliptic curves sign the digest as `openssl dgst -sha256 -sign` does; Ed25519 signs its 32 octets as the message.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::Verifier;

use super::Digest;

/// Fewest bits of an RSA key.
const MIN_RSA_BITS: u32 = 2_048;
/// Fewest bits of a key on an elliptic curve.
const MIN_CURVE_BITS: u32 = 224;
/// Longest signature in base64: that of an RSA key of 16384 bits.
const MAX_SIGNATURE: usize = 2_736;
/// Longest file with a key.
const MAX_KEY_FILE: u64 = 64 << 10;

/// Whoever has signed a package with one of the private keys of these is trusted.
#[derive(Clone, Default)]
pub struct PackageKeys(Vec<PKey<Public>>);

impl std::fmt::Debug for PackageKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackageKeys({})", self.0.len())
    }
}

/// Why a key or a signature is not good.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A key file.
    #[error("{}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no key that could vouch for a package.
    #[error("this device has no key to check a signature with")]
    NoKeys,
    /// The signature cannot be read.
    #[error("the signature is not base64 of 1 to {MAX_SIGNATURE} characters")]
    Unreadable,
    /// No key fits.
    #[error("the signature is by none of the {0} keys of this device")]
    Wrong(usize),
}

impl PackageKeys {
    /// Reads public keys (PEM, `SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// [`SignatureError::Key`] for a file that holds none, or one that is too short.
    pub fn read(files: &[PathBuf]) -> Result<Self, SignatureError> {
        files.iter().map(|path| read_key(path)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks the signature (base64) of the package with this digest.
    ///
    /// # Errors
    /// [`SignatureError`] when none of the keys vouches for it.
    pub fn check(&self, digest: &Digest, signature: &str) -> Result<(), SignatureError> {
        if self.0.is_empty() {
            return Err(SignatureError::NoKeys);
        }
        let signature = signature.trim();
        if signature.is_empty() || signature.len() > MAX_SIGNATURE {
            return Err(SignatureError::Unreadable);
        }
        let signature = STANDARD.decode(signature).map_err(|_| SignatureError::Unreadable)?;
        // What a key cannot even try is not by it.
        let fits = |key: &PKey<Public>| verify(key, digest, &signature).unwrap_or(false);
        if self.0.iter().any(fits) { Ok(()) } else { Err(SignatureError::Wrong(self.0.len())) }
    }
}

fn read_key(path: &Path) -> Result<PKey<Public>, SignatureError> {
    let fault = |reason: String| SignatureError::Key { path: path.to_owned(), reason };
    if fs::metadata(path).map_err(|error| fault(error.to_string()))?.len() > MAX_KEY_FILE {
        return Err(fault(format!("it has more than {MAX_KEY_FILE} octets")));
    }
    let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
    let key = PKey::public_key_from_pem(&pem)
        .map_err(|_| fault("it holds no public key in PEM (BEGIN PUBLIC KEY)".to_owned()))?;
    let least = match key.id() {
        Id::RSA => MIN_RSA_BITS,
        Id::EC => MIN_CURVE_BITS,
        Id::ED25519 => 0,
        _ => return Err(fault("its key is none of RSA, an elliptic curve, and Ed25519".to_owned())),
    };
    if key.bits() < least {
        return Err(fault(format!("its key has {} bits, {least} are the least", key.bits())));
    }
    Ok(key)
}

fn verify(key: &PKey<Public>, digest: &Digest, signature: &[u8]) -> Result<bool, ErrorStack> {
    if key.id() == Id::ED25519 {
        return Verifier::new_without_digest(key)?.verify_oneshot(signature, digest);
    }
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    if key.id() == Id::RSA {
        context.set_rsa_padding(Padding::PKCS1)?;
    }
    context.set_signature_md(Md::sha256())?;
    context.verify(digest, signature)
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::sha::sha256;
    use openssl::sign::Signer;

    use super::*;

    const PACKAGE: &[u8] = b"a package";

    fn keys(key: &PKey<Private>) -> Result<PackageKeys, SignatureError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), key.public_key_to_pem().unwrap()).unwrap();
        PackageKeys::read(&[file.path().to_owned()])
    }

    fn sign(key: &PKey<Private>) -> String {
        let signature = match key.id() {
            Id::ED25519 => Signer::new_without_digest(key).unwrap().sign_oneshot_to_vec(&sha256(PACKAGE)),
            _ => Signer::new(MessageDigest::sha256(), key).unwrap().sign_oneshot_to_vec(PACKAGE),
        };
        STANDARD.encode(signature.unwrap())
    }

    fn all() -> Vec<PKey<Private>> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        vec![
            PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap(),
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(),
            PKey::generate_ed25519().unwrap(),
        ]
    }

    #[test]
    fn each_kind_of_key_vouches_for_what_it_signed_and_nothing_else() {
        let (ours, others) = (all(), all());
        for (key, other) in ours.iter().zip(&others) {
            let (keys, signature) = (keys(key).unwrap(), sign(key));
            keys.check(&sha256(PACKAGE), &signature).unwrap();
            assert!(matches!(keys.check(&sha256(b"another"), &signature), Err(SignatureError::Wrong(1))));
            assert!(matches!(keys.check(&sha256(PACKAGE), &sign(other)), Err(SignatureError::Wrong(1))));
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let keys = keys(&PKey::generate_ed25519().unwrap()).unwrap();
        for text in ["", " ", "%%%", "AAAA", &"A".repeat(MAX_SIGNATURE + 4)] {
            assert!(keys.check(&sha256(PACKAGE), text).is_err(), "{text:.10}");
        }
        let none = PackageKeys::default();
        assert!(matches!(none.check(&sha256(PACKAGE), "AAAA"), Err(SignatureError::NoKeys)));
    }

    #[test]
    fn short_keys_are_not_taken() {
        let short = PKey::from_rsa(Rsa::generate(1_024).unwrap()).unwrap();
        assert!(keys(&short).unwrap_err().to_string().contains("1024 bits"));
        let missing = PackageKeys::read(&[PathBuf::from("/nonexistent/key.pem")]);
        assert!(matches!(missing, Err(SignatureError::Key { .. })));
    }
}

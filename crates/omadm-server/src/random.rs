//! Randomness from the operating system, and the secrets made of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use omadm_auth::{Secret, StoredCredential, Verifier};
use omadm_store::StoredSecret;

use crate::ServerError;
use crate::context::REALM;

/// What every operator token begins with, so that a leaked one is found by scanners.
pub const TOKEN_PREFIX: &str = "omadm_";

/// Fresh random octets.
///
/// # Errors
/// When the operating system gives none.
pub fn octets<const N: usize>() -> Result<[u8; N], ServerError> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| ServerError::Random(error.to_string()))?;
    Ok(octets)
}

/// A secret of 256 bits as printable text, after a prefix.
///
/// # Errors
/// As [`octets`].
pub fn secret(prefix: &str) -> Result<Secret, ServerError> {
    let mut text = String::with_capacity(prefix.len() + 44);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(octets::<32>()?, &mut text);
    Ok(Secret::new(text.into_bytes()))
}

/// A word of 128 bits that nobody can guess, in hexadecimal digits.
///
/// # Errors
/// As [`octets`].
pub fn word() -> Result<String, ServerError> {
    octets().map(|octets| format!("{:032x}", u128::from_be_bytes(octets)))
}

/// The verifier of a secret under a fresh salt, in its stored form.
///
/// # Errors
/// As [`octets`].
pub fn verifier(secret: &Secret) -> Result<Vec<u8>, ServerError> {
    Ok(Verifier::new(secret, octets()?).to_bytes())
}

/// What is kept of a device's secret under a fresh salt; `shared` also keeps the secret, for pre-shared keys in TLS.
///
/// # Errors
/// As [`octets`].
pub fn credential(user: &str, secret: &Secret, shared: bool) -> Result<StoredSecret, ServerError> {
    Ok(StoredCredential::make(user, REALM, secret, octets()?, shared).expose().to_vec().into())
}

/// A number from 0 up to and without `end`; 0 when there is no randomness, as it only spreads load.
pub fn below(end: u64) -> u64 {
    octets::<8>().map_or(0, |octets| u64::from_le_bytes(octets) % end.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_printable() {
        let (a, b) = (secret(TOKEN_PREFIX).unwrap(), secret(TOKEN_PREFIX).unwrap());
        assert_ne!(a, b);
        let text = std::str::from_utf8(a.expose()).unwrap();
        assert!(text.starts_with("omadm_") && text.len() == 6 + 43, "{text}");
        assert!(Verifier::from_bytes(&verifier(&a).unwrap()).unwrap().matches(&a));
    }
}

//! OBEX authentication (`IrOBEX 1.3 §3.5`): weak, for it is made of MD5, and a link that it guards is a local one.

use md5::{Digest as _, Md5};

use crate::secret::Secret;

/// What a challenge is answered with: `MD5(nonce ":" password)`.
#[must_use]
pub fn obex_digest(nonce: &[u8; 16], password: &Secret) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update(nonce);
    digest.update(b":");
    digest.update(password.expose());
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_over_nonce_colon_and_password() {
        // printf 'NNNNNNNNNNNNNNNN:secret' | md5sum
        let digest = obex_digest(b"NNNNNNNNNNNNNNNN", &Secret::new(b"secret".to_vec()));
        let text: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(text, "31dc0d83fa4ad3b199a5b8fa045be608");
    }
}

//! SHA256-DIGEST of a DM Notification (`DM 2.0 §5.2.1.2, §9.1`).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// What server and device share for notifications: `Auth/Noti/Secret` and `Auth/Noti/Data` of the account (`DM 2.0 §12.2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationCredentials {
    secret: Secret,
    data: Secret,
}

impl NotificationCredentials {
    /// From the values of the nodes; `data` may be empty. `None` when `secret` is empty: then none is provisioned.
    #[must_use]
    pub fn new(secret: Secret, data: Secret) -> Option<Self> {
        (!secret.expose().is_empty()).then_some(Self { secret, data })
    }

    /// `Auth/Noti/Secret`.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// `Auth/Noti/Data`; may be empty.
    #[must_use]
    pub fn data(&self) -> &Secret {
        &self.data
    }

    /// SHA-256 over the secret, the notification with 32 zeros in the place of its digest, and the data.
    ///
    /// The three run together without lengths, and a plain hash can be extended: what reads notifications has to account for every
    /// octet, as that of `omadm-codec` does.
    #[must_use]
    pub fn digest(&self, zeroed: &[u8]) -> [u8; 32] {
        let hash = Sha256::new().chain_update(self.secret.expose()).chain_update(zeroed);
        hash.chain_update(self.data.expose()).finalize().into()
    }

    /// Whether `digest` is that of the notification; the comparison takes the same time whatever differs.
    #[must_use]
    pub fn verify(&self, zeroed: &[u8], digest: &[u8; 32]) -> bool {
        self.digest(zeroed).ct_eq(digest).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &[u8], data: &[u8]) -> NotificationCredentials {
        NotificationCredentials::new(Secret::new(secret.to_vec()), Secret::new(data.to_vec())).unwrap()
    }

    fn octets(hex: &str) -> Vec<u8> {
        let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(octet).collect()
    }

    /// The messages and digests of `vectors/dm2/notification/digest.txt`, computed with sha256sum.
    const VECTORS: &str = include_str!("../../../vectors/dm2/notification/digest.txt");

    #[test]
    fn digests_are_those_of_the_vectors() {
        let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let [secret, data, message, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let field = |text: &str| octets(text.trim_start_matches('-'));
            let credentials = credentials(&field(secret), &field(data));
            let (message, expected) = (octets(message), octets(expected).try_into().unwrap());
            assert_eq!(credentials.digest(&message), expected, "{line}");
            assert!(credentials.verify(&message, &expected), "{line}");
            count += 1;
        }
        assert!(count > 3, "an empty file proves nothing");
    }

    #[test]
    fn every_bit_counts() {
        let message = octets("20804020").into_iter().chain([0; 32]).collect::<Vec<_>>();
        let noti = credentials(b"secret", b"data");
        let digest = noti.digest(&message);
        for bit in 0..message.len() * 8 {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!noti.verify(&changed, &digest), "bit {bit} of the message");
        }
        for bit in 0..256 {
            let mut changed = digest;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!noti.verify(&message, &changed), "bit {bit} of the digest");
        }
        for (secret, data) in [(&b"Secret"[..], &b"data"[..]), (b"secret", b"dat"), (b"secret", b"")] {
            assert!(!credentials(secret, data).verify(&message, &digest));
        }
    }

    #[test]
    fn without_secret_there_are_no_credentials() {
        assert_eq!(
            NotificationCredentials::new(Secret::new(Vec::new()), Secret::new(b"data".to_vec())),
            None
        );
    }

    #[test]
    fn does_not_print() {
        assert!(!format!("{:?}", credentials(b"hunter2", b"salt")).contains("hunter2"));
    }
}

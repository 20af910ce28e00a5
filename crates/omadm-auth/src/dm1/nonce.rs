//! Nonces that were used, and nonces that nobody has to keep.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// What stands for a nonce that one side has lost, `0x00000000` (`DM 1.2 NOTI §6.2.2`).
pub const DEFAULT_NONCE: [u8; 4] = [0; 4];

/// What the key is used for, so that it can serve others beside.
const PURPOSE: &[u8] = b"omadm dm1 challenge";

/// The last nonces that an account was authenticated with. None of them is taken again (`DM 1.3 SEC`: countermeasures against replay).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NonceHistory(Vec<[u8; SHORT]>);

/// Octets of a digest by which a nonce is known again.
const SHORT: usize = 8;

impl NonceHistory {
    /// How many are kept.
    pub const CAPACITY: usize = 64;

    /// Whether the nonce was used.
    #[must_use]
    pub fn contains(&self, nonce: &[u8]) -> bool {
        self.0.contains(&short(nonce))
    }

    /// Notes a nonce as used; forgets the oldest.
    pub fn note(&mut self, nonce: &[u8]) {
        if self.0.len() >= Self::CAPACITY {
            self.0.remove(0);
        }
        self.0.push(short(nonce));
    }
}

/// In one piece: it is written in every session that proves itself.
impl Serialize for NonceHistory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_flattened())
    }
}

impl<'de> Deserialize<'de> for NonceHistory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        let (kept, rest) = octets.as_chunks();
        match rest {
            [] if kept.len() <= Self::CAPACITY => Ok(Self(kept.to_vec())),
            _ => Err(D::Error::custom("not a history of nonces")),
        }
    }
}

/// Enough of a digest to know a nonce again.
fn short(nonce: &[u8]) -> [u8; SHORT] {
    let mut kept = [0; SHORT];
    kept.iter_mut().zip(Sha256::digest(nonce)).for_each(|(kept, octet)| *kept = octet);
    kept
}

/// The nonce of a challenge, made of what it is for: nobody can guess it without the key, and it need not be kept until it is answered.
#[must_use]
pub fn challenge_nonce(key: &Secret, about: &[&[u8]]) -> [u8; 16] {
    let mut nonce = [0; 16];
    // HMAC takes keys of any length.
    if let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.expose()) {
        // Lengths keep the parts apart.
        let mac = about.iter().fold(mac.chain_update(PURPOSE), |mac, part| {
            mac.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
        });
        nonce.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(short, octet)| *short = octet);
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_64_are_known() {
        let mut history = NonceHistory::default();
        for n in 0..=64_u8 {
            assert!(!history.contains(&[n]));
            history.note(&[n]);
        }
        assert!(!history.contains(&[0]));
        assert!((1..=64).all(|n| history.contains(&[n])));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut history = NonceHistory::default();
        for n in 0..=NonceHistory::CAPACITY {
            let written = postcard::to_allocvec(&history).unwrap();
            assert_eq!(postcard::from_bytes::<NonceHistory>(&written).unwrap(), history);
            history.note(&n.to_be_bytes());
        }
        for octets in [1, SHORT + 1, (NonceHistory::CAPACITY + 1) * SHORT] {
            let other = postcard::to_allocvec(&vec![0_u8; octets]).unwrap();
            assert!(postcard::from_bytes::<NonceHistory>(&other).is_err(), "{octets}");
        }
    }

    #[test]
    fn challenges_differ_by_all_that_they_are_about() {
        let key = Secret::new(vec![7; 32]);
        let nonce = |about: &[&[u8]]| challenge_nonce(&key, about);
        assert_eq!(nonce(&[b"a", b"b"]), nonce(&[b"a", b"b"]));
        for other in [&[&b"ab"[..], b""][..], &[b"a", b"c"], &[b"b", b"a"], &[b"a"]] {
            assert_ne!(nonce(&[b"a", b"b"]), nonce(other));
        }
        assert_ne!(nonce(&[b"a"]), challenge_nonce(&Secret::new(vec![8; 32]), &[b"a"]));
    }
}

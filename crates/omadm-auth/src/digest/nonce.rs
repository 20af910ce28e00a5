//! Nonces that a server recognises without having kept them, and how often each was used.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

const RANDOM: usize = 12;
const STAMP: usize = 8;
const MAC: usize = 16;
/// What the key is used for, so that it can serve others beside.
const PURPOSE: &[u8] = b"omadm digest nonce";

/// When a nonce was issued, in microseconds after 1970, and what tells it from others of that instant.
type Id = (u64, [u8; RANDOM]);

/// Why a nonce cannot be used; the client gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not one of ours, or not of now.
    #[error("the nonce is too old or was made by another server")]
    Stale,
    /// This count was used before.
    #[error("the nonce count was used before")]
    Replayed,
}

/// Issues nonces and counts their uses.
///
/// A nonce is its time and random octets with a MAC over both, so nothing is kept of those that are never answered. Of those that
/// are, the last `capacity` are: when one has to go, so do all that were issued before it and are seen for the first time
/// afterwards. Therefore no count is ever taken twice.
#[derive(Debug)]
pub struct Nonces {
    key: Secret,
    lifetime: u64,
    capacity: usize,
    uses: BTreeMap<Id, Uses>,
    /// Nonces issued up to then are taken only if they are in `uses`.
    floor: u64,
}

impl Nonces {
    /// What was issued before `now` (microseconds after 1970) is stale, as its uses are not known. Nodes that share a `key` take each
    /// other's nonces; each counts the uses that it sees.
    #[must_use]
    pub fn new(key: Secret, lifetime: Duration, capacity: usize, now: u64) -> Self {
        let lifetime = u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX);
        Self { key, lifetime, capacity: capacity.max(1), uses: BTreeMap::new(), floor: now }
    }

    /// A new nonce; `random` has to be fresh.
    #[must_use]
    pub fn issue(&self, now: u64, random: [u8; RANDOM]) -> String {
        // Later than the floor even within its instant: a nonce that is issued is one that is taken.
        let stamp = now.max(self.floor.saturating_add(1));
        let mut octets = Vec::with_capacity(STAMP + RANDOM + MAC);
        octets.extend_from_slice(&stamp.to_be_bytes());
        octets.extend_from_slice(&random);
        let tag = self.tag(&octets);
        octets.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// Whether more than half of the time of a nonce is over, so that a successor is due.
    #[must_use]
    pub fn is_ageing(&self, nonce: &str, now: u64) -> bool {
        self.read(nonce).is_none_or(|(issued, _)| now.saturating_sub(issued) > self.lifetime / 2)
    }

    /// Takes one use of a nonce. To be asked only for answers that are right otherwise, so that nobody else fills the memory.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn take(&mut self, nonce: &str, count: u32, now: u64) -> Result<(), Unusable> {
        let oldest = now.saturating_sub(self.lifetime);
        while let Some(first) = self.uses.first_entry().filter(|first| first.key().0 < oldest) {
            first.remove();
        }
        let id = self.read(nonce).filter(|(issued, _)| *issued >= oldest).ok_or(Unusable::Stale)?;
        if let Some(uses) = self.uses.get_mut(&id) {
            return uses.take(count);
        }
        if id.0 <= self.floor {
            return Err(Unusable::Stale);
        }
        let mut uses = Uses::default();
        uses.take(count)?;
        self.uses.insert(id, uses);
        if self.uses.len() > self.capacity
            && let Some(((issued, _), _)) = self.uses.pop_first()
        {
            self.floor = self.floor.max(issued);
        }
        Ok(())
    }

    fn read(&self, nonce: &str) -> Option<Id> {
        if nonce.len() != (STAMP + RANDOM + MAC) * 4 / 3 {
            return None;
        }
        let octets = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (body, tag) = octets.split_at_checked(STAMP + RANDOM)?;
        if Secret::new(tag.to_vec()) != Secret::new(self.tag(body).to_vec()) {
            return None;
        }
        let (stamp, random) = body.split_first_chunk::<STAMP>()?;
        Some((u64::from_be_bytes(*stamp), random.try_into().ok()?))
    }

    fn tag(&self, body: &[u8]) -> [u8; MAC] {
        let mut tag = [0; MAC];
        // HMAC takes keys of any length.
        if let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.key.expose()) {
            let full = mac.chain_update(PURPOSE).chain_update(body).finalize().into_bytes();
            tag.iter_mut().zip(full).for_each(|(short, octet)| *short = octet);
        }
        tag
    }
}

/// The counts of one nonce: the highest, and which of the 64 up to it were used, as requests may overtake each other.
#[derive(Debug, Default)]
struct Uses {
    highest: u32,
    window: u64,
}

impl Uses {
    fn take(&mut self, count: u32) -> Result<(), Unusable> {
        if count > self.highest {
            let ahead = count - self.highest;
            self.window = self.window.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Ok(());
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        if count == 0 || bit == 0 || self.window & bit != 0 {
            return Err(Unusable::Replayed);
        }
        self.window |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000_000;

    fn nonces(capacity: usize) -> Nonces {
        Nonces::new(Secret::new(vec![7; 32]), Duration::from_secs(60), capacity, START)
    }

    #[test]
    fn counts_are_taken_once_in_any_order_of_the_last_64() {
        let mut nonces = nonces(4);
        let nonce = nonces.issue(START, [1; 12]);
        for (count, expected) in [
            (1, Ok(())),
            (1, Err(Unusable::Replayed)),
            (3, Ok(())),
            (2, Ok(())),
            (2, Err(Unusable::Replayed)),
            (0, Err(Unusable::Replayed)),
            (100, Ok(())),
            (37, Ok(())),
            (36, Err(Unusable::Replayed)),
            (u32::MAX, Ok(())),
            (u32::MAX, Err(Unusable::Replayed)),
            (100, Err(Unusable::Replayed)),
        ] {
            assert_eq!(nonces.take(&nonce, count, START + 1), expected, "{count}");
        }
    }

    #[test]
    fn what_is_old_or_forged_is_stale() {
        let mut nonces = nonces(4);
        let nonce = nonces.issue(START + 5, [1; 12]);
        assert!(
            !nonces.is_ageing(&nonce, START + 30_000_005) && nonces.is_ageing(&nonce, START + 30_000_006)
        );
        assert_eq!(nonces.take(&nonce, 1, START + 60_000_005), Ok(()));
        assert_eq!(nonces.take(&nonce, 2, START + 60_000_006), Err(Unusable::Stale));
        let now = START + 60_000_006;
        let good = nonces.issue(now, [2; 12]);
        for at in 0..good.len() {
            let mut forged = good.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(nonces.take(&forged, 1, now), Err(Unusable::Stale), "octet {at}");
        }
        for forged in ["", "x", &"A".repeat(48), &"é".repeat(24)] {
            assert_eq!(nonces.take(forged, 1, now), Err(Unusable::Stale));
        }
        assert_eq!(nonces.take(&good, 1, now), Ok(()));
    }

    #[test]
    fn a_full_memory_forgets_no_use() {
        let mut nonces = nonces(2);
        let all: Vec<String> = (0..4).map(|n| nonces.issue(START + 10 * n, [1; 12])).collect();
        for nonce in &all {
            assert_eq!(nonces.take(nonce, 1, START + 100), Ok(()));
        }
        assert_eq!(nonces.uses.len(), 2);
        for nonce in &all[..2] {
            assert_eq!(
                nonces.take(nonce, 2, START + 100),
                Err(Unusable::Stale),
                "forgotten, so not taken at all"
            );
        }
        assert_eq!(nonces.take(&all[3], 1, START + 100), Err(Unusable::Replayed));
        assert_eq!(nonces.take(&all[3], 2, START + 100), Ok(()));
        let late = nonces.issue(START, [9; 12]);
        assert_eq!(nonces.take(&late, 1, START + 100), Ok(()), "one that is issued now is taken");
    }

    #[test]
    fn a_new_start_takes_no_old_nonce() {
        let before = nonces(2).issue(START - 1, [1; 12]);
        let issued = Nonces::new(Secret::new(vec![7; 32]), Duration::from_secs(60), 2, START - 50)
            .issue(START - 1, [1; 12]);
        let mut after = nonces(2);
        assert_eq!(after.take(&issued, 1, START + 1), Err(Unusable::Stale));
        assert_eq!(after.take(&before, 1, START + 1), Ok(()));
        let mut other = Nonces::new(Secret::new(vec![8; 32]), Duration::from_secs(60), 2, START);
        assert_eq!(other.take(&before, 1, START + 1), Err(Unusable::Stale), "another key");
    }
}

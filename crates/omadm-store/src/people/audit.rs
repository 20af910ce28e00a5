//! The audit log: entries of which each holds the hash of the one before, one chain a node, and how a chain is checked.

use std::collections::HashMap;

use omadm_mo::Time;
use sha2::{Digest as _, Sha256};

/// What stands in place of the hash before the first entry of a chain.
pub const NO_HASH: [u8; 32] = [0; 32];

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its chain: the node that wrote it.
    pub chain: String,
    /// Place in its chain, from 1.
    pub seq: i64,
    /// When it was written.
    pub at: Time,
    /// Hash of the entry before; [`NO_HASH`] for the first.
    pub prev: Vec<u8>,
    /// Hash of this one: [`entry_hash`].
    pub hash: Vec<u8>,
    /// What is said (JSON as text).
    pub entry: String,
}

/// The last entry of a chain, or of what was cut off from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The chain.
    pub chain: String,
    /// Place of the entry.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// Which entries are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditQuery {
    /// Of one chain, after a place in it, in order.
    Chain {
        /// The chain.
        chain: String,
        /// The place.
        after: i64,
    },
    /// Of all chains, the newest first, before an entry; of those of the same time, by chain and place.
    Before {
        /// Time of that entry.
        at: Time,
        /// Its chain.
        chain: String,
        /// Its place.
        seq: i64,
    },
}

/// The hash of an entry: SHA-256 over the hash before, the chain after its length in octets, the place, the time in microseconds, and
/// the text. Numbers have 8 octets, the highest first.
#[must_use]
pub fn entry_hash(prev: &[u8], chain: &str, seq: i64, at: Time, entry: &str) -> [u8; 32] {
    let length = u64::try_from(chain.len()).unwrap_or(u64::MAX);
    Sha256::new()
        .chain_update(prev)
        .chain_update(length.to_be_bytes())
        .chain_update(chain)
        .chain_update(seq.to_be_bytes())
        .chain_update(at.0.to_be_bytes())
        .chain_update(entry)
        .finalize()
        .into()
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chain {chain}, entry {seq}: {what}")]
pub struct AuditProblem {
    /// The chain.
    pub chain: String,
    /// Place of the entry in it.
    pub seq: i64,
    /// What is wrong there, in words.
    pub what: String,
}

/// Checks chains, entry by entry, and what entries say of other chains.
#[derive(Debug, Default)]
pub struct ChainCheck {
    /// The last entry of each chain so far.
    heads: HashMap<String, (i64, Vec<u8>)>,
    /// First entry of each chain, with the hash that it says was before.
    first: HashMap<String, (i64, Vec<u8>)>,
    /// What has to be true of entries, and what is known of those that were cut off.
    anchors: Vec<AuditHead>,
    cuts: Vec<AuditHead>,
    /// Hashes of the entries that anchors may name.
    hashes: HashMap<(String, i64), Vec<u8>>,
}

impl ChainCheck {
    /// Knows what has to be true of some entries, such as heads that were noted elsewhere.
    #[must_use]
    pub fn new(anchors: Vec<AuditHead>) -> Self {
        Self { anchors, ..Self::default() }
    }

    /// Takes the next entry of its chain.
    ///
    /// # Errors
    /// When the entry is not what its hash says, or does not follow the one before.
    pub fn next(&mut self, entry: &AuditEntry) -> Result<(), AuditProblem> {
        let AuditEntry { chain, seq, at, prev, hash, entry } = entry;
        let problem = |what: String| AuditProblem { chain: chain.clone(), seq: *seq, what };
        if entry_hash(prev, chain, *seq, *at, entry) != hash.as_slice() {
            return Err(problem("it was changed: its hash is not that of what it says".to_owned()));
        }
        match self.heads.get(chain) {
            None => {
                self.first.insert(chain.clone(), (*seq, prev.clone()));
            }
            Some((last, _)) if *seq != last.saturating_add(1) => {
                return Err(problem(format!("entries are missing: the one before is {last}")));
            }
            Some((last, known)) if known != prev => {
                return Err(problem(format!("it does not follow entry {last}: that was replaced")));
            }
            Some(_) => {}
        }
        self.heads.insert(chain.clone(), (*seq, hash.clone()));
        self.hashes.insert((chain.clone(), *seq), hash.clone());
        let (anchors, cuts) = stated(entry);
        self.anchors.extend(anchors);
        self.cuts.extend(cuts);
        Ok(())
    }

    /// After the last entry of all chains: whether they begin where they may, and are as others have seen them. Gives the heads.
    ///
    /// # Errors
    /// The first thing that is not as it should be.
    pub fn end(self) -> Result<Vec<AuditHead>, AuditProblem> {
        for (chain, (seq, prev)) in &self.first {
            let cut = |cut: &AuditHead| cut.chain == *chain && cut.seq == seq - 1 && cut.hash == *prev;
            let begins = *seq == 1 && prev.as_slice() == NO_HASH;
            if !begins && !self.cuts.iter().any(cut) {
                let what =
                    "entries before it are missing, and no entry says that they were cut off".to_owned();
                return Err(AuditProblem { chain: chain.clone(), seq: *seq, what });
            }
        }
        for AuditHead { chain, seq, hash } in &self.anchors {
            let first = self.first.get(chain).map_or(i64::MAX, |(first, _)| *first);
            let is_cut = self.cuts.iter().any(|cut| cut.chain == *chain && cut.seq >= *seq);
            let what = match self.hashes.get(&(chain.clone(), *seq)) {
                Some(found) if found == hash => continue,
                None if is_cut || (*seq < first && first < i64::MAX) => continue,
                Some(_) => "it is another one than the anchor that was made of it",
                None => "it is missing, and there is an anchor that was made of it",
            };
            return Err(AuditProblem { chain: chain.clone(), seq: *seq, what: what.to_owned() });
        }
        let heads = self.heads.into_iter().map(|(chain, (seq, hash))| AuditHead { chain, seq, hash });
        let mut heads: Vec<_> = heads.collect();
        heads.sort_by(|one, other| one.chain.cmp(&other.chain));
        Ok(heads)
    }
}

/// What an entry says of other entries: `anchors` that are to be there, and `cuts` that are not any more.
fn stated(entry: &str) -> (Vec<AuditHead>, Vec<AuditHead>) {
    let entry: serde_json::Value = serde_json::from_str(entry).unwrap_or_default();
    let heads = |name: &str| {
        let listed = entry.get(name).and_then(serde_json::Value::as_array);
        listed.into_iter().flatten().filter_map(AuditHead::read).collect()
    };
    (heads("anchors"), heads("cuts"))
}

impl AuditHead {
    /// As it stands in entries: `chain`, `seq`, and `hash` in hexadecimal digits.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "chain": self.chain, "seq": self.seq, "hash": hex(&self.hash) })
    }

    /// The inverse of [`AuditHead::to_json`].
    #[must_use]
    pub fn read(value: &serde_json::Value) -> Option<Self> {
        let chain = value.get("chain")?.as_str()?.to_owned();
        let seq = value.get("seq")?.as_i64()?;
        Some(Self { chain, seq, hash: from_hex(value.get("hash")?.as_str()?)? })
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|octet| octet.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

impl AuditEntry {
    /// As it is exported: all that its hash is over, and the hash.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "chain": self.chain, "seq": self.seq, "at": self.at.0, "prev": hex(&self.prev), "hash": hex(&self.hash),
            "entry": self.entry,
        })
    }

    /// The inverse of [`AuditEntry::to_json`]; more members are left aside.
    #[must_use]
    pub fn read(value: &serde_json::Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
        let number = |name: &str| value.get(name).and_then(serde_json::Value::as_i64);
        Some(Self {
            chain: text("chain")?.to_owned(),
            seq: number("seq")?,
            at: Time(number("at")?),
            prev: from_hex(text("prev")?)?,
            hash: from_hex(text("hash")?)?,
            entry: text("entry")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(name: &str, entries: &[&str]) -> Vec<AuditEntry> {
        let mut prev = NO_HASH.to_vec();
        let link = |(index, entry): (usize, &&str)| {
            let (seq, at) = (i64::try_from(index).unwrap() + 1, Time::from_secs(7));
            let hash = entry_hash(&prev, name, seq, at, entry).to_vec();
            let before = std::mem::replace(&mut prev, hash.clone());
            AuditEntry { chain: name.to_owned(), seq, at, prev: before, hash, entry: (*entry).to_owned() }
        };
        entries.iter().enumerate().map(link).collect()
    }

    fn check(entries: &[AuditEntry], anchors: Vec<AuditHead>) -> Result<Vec<AuditHead>, AuditProblem> {
        let mut check = ChainCheck::new(anchors);
        entries.iter().try_for_each(|entry| check.next(entry))?;
        check.end()
    }

    fn head(entry: &AuditEntry) -> AuditHead {
        AuditHead { chain: entry.chain.clone(), seq: entry.seq, hash: entry.hash.clone() }
    }

    #[test]
    fn a_whole_chain_is_good() {
        let entries = chain("a", &["{}", "{}", "x"]);
        assert_eq!(check(&entries, vec![]), Ok(vec![head(&entries[2])]));
        assert_eq!(check(&entries, vec![head(&entries[1])]), Ok(vec![head(&entries[2])]));
        let again: Vec<_> = entries.iter().map(|entry| AuditEntry::read(&entry.to_json()).unwrap()).collect();
        assert_eq!(again, entries);
    }

    #[test]
    fn what_was_changed_is_found_where_it_is() {
        let entries = chain("a", &["1", "2", "3", "4"]);
        let at = |entries: &[AuditEntry]| check(entries, vec![]).unwrap_err().seq;
        let mut changed = entries.clone();
        changed[1].entry = "two".to_owned();
        assert_eq!(at(&changed), 2);
        changed[1].hash = entry_hash(&changed[1].prev, "a", 2, changed[1].at, "two").to_vec();
        let broken = check(&changed, vec![]).unwrap_err();
        assert!(broken.seq == 3 && broken.what.contains("entry 2"), "{broken}");
        let gap = [&entries[..1], &entries[2..]].concat();
        assert_eq!(at(&gap), 3);
        assert_eq!(at(&entries[1..]), 2, "the beginning is missing");
        let mut later = entries.clone();
        later[3].at = Time(8);
        assert_eq!(at(&later), 4);
    }

    #[test]
    fn a_lost_end_is_known_to_anchors() {
        let entries = chain("a", &["1", "2", "3"]);
        let anchor = head(&entries[2]);
        assert_eq!(check(&entries[..2], vec![anchor.clone()]).unwrap_err().seq, 3);
        let said = serde_json::json!({ "anchors": [anchor.to_json()] }).to_string();
        let other = chain("b", &[&said]);
        assert_eq!(check(&[&entries[..2], &other[..]].concat(), vec![]).unwrap_err().chain, "a");
        assert!(check(&[&entries[..], &other[..]].concat(), vec![]).is_ok());
        let rewritten = chain("a", &["1", "2", "three"]);
        let problem = check(&rewritten, vec![anchor]).unwrap_err();
        assert!(problem.what.contains("another one"), "{problem}");
    }

    #[test]
    fn what_was_cut_off_is_said_so() {
        let mut entries = chain("a", &["1", "2", "3"]);
        let cut = serde_json::json!({ "cuts": [head(&entries[1]).to_json()] }).to_string();
        entries.push({
            let (prev, at) = (entries[2].hash.clone(), Time(9));
            let hash = entry_hash(&prev, "a", 4, at, &cut).to_vec();
            AuditEntry { chain: "a".to_owned(), seq: 4, at, prev, hash, entry: cut }
        });
        assert!(check(&entries[2..], vec![head(&entries[0])]).is_ok());
        assert_eq!(check(&entries[1..], vec![]).unwrap_err().seq, 2, "more is there than was left");
    }

    #[test]
    fn digits_are_octets() {
        assert_eq!(from_hex("00ff"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}

//! GBA Push keys and messages against vectors that other tools computed (`DM 2.0 §9.3.1.3`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;

use omadm_auth::gba::{self, GbaError, GbaPush, NafId, NafKey, Place, Protected};
use proptest::prelude::*;

const VECTORS: &str = include_str!("../../../vectors/gba/bootstrap.txt");

struct Case(BTreeMap<&'static str, &'static str>);

impl Case {
    fn all() -> Vec<Self> {
        let field = |line: &'static str| {
            let (name, value) = line.split_once('=').unwrap();
            (name.trim_end(), value.trim_start())
        };
        let blocks = VECTORS.split("\n\n").filter(|block| !block.starts_with('#'));
        let cases: Vec<Self> = blocks.map(|block| Self(block.lines().map(field).collect())).collect();
        assert!(cases.len() > 2, "an empty file proves nothing");
        cases
    }

    fn text(&self, field: &str) -> &'static str {
        self.0[field]
    }

    fn octets(&self, field: &str) -> Vec<u8> {
        let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        self.text(field).as_bytes().chunks(2).map(octet).collect()
    }

    fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.octets(field).try_into().unwrap()
    }

    fn naf_id(&self) -> NafId {
        NafId::new(self.text("fqdn"), self.array("ua")).unwrap()
    }

    fn key(&self) -> NafKey {
        let place = if self.text("place") == "card" { Place::Card } else { Place::Terminal };
        let (ks, rand) = (self.array("ks"), self.array("rand"));
        NafKey::derive(ks, place, &rand, self.text("impi"), &self.naf_id()).unwrap()
    }
}

/// A device on which GBA Push was run for one case.
struct Ran<'c>(&'c Case);

impl GbaPush for Ran<'_> {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        (transaction == self.0.text("b_tid")).then(|| self.0.key())
    }
}

#[test]
fn keys_are_those_of_the_vectors() {
    for case in Case::all() {
        assert_eq!(case.naf_id().as_bytes(), case.octets("naf_id"), "{}", case.text("name"));
        for key in [case.key(), NafKey::new(case.array("ks_naf"))] {
            let keys = key.bootstrap_keys();
            assert_eq!(keys.integrity().to_vec(), case.octets("dmbik"), "{}", case.text("name"));
            assert_eq!(keys.encryption().to_vec(), case.octets("dmbek"), "{}", case.text("name"));
        }
    }
}

#[test]
fn messages_are_those_of_the_vectors() {
    for case in Case::all() {
        let (transaction, bootstrap) = (case.text("b_tid"), case.text("bootstrap").as_bytes());
        let keys = case.key().bootstrap_keys();
        let protected = keys.protect(transaction, case.array("iv"), bootstrap).unwrap();
        assert_eq!(protected, case.octets("protected"), "{}", case.text("name"));
        assert_eq!(gba::open(&protected, &Ran(&case)).unwrap().expose(), bootstrap);
    }
}

#[test]
fn no_changed_octet_and_no_other_length_goes_through() {
    let cases = Case::all();
    let case = &cases[0];
    let protected = case.octets("protected");
    for at in 0..protected.len() {
        let mut changed = protected.clone();
        changed[at] ^= 1;
        assert!(gba::open(&changed, &Ran(case)).is_err(), "octet {at}");
        assert!(gba::open(&protected[..at], &Ran(case)).is_err(), "cut at {at}");
        // Whoever has the keys of the run that the message names hears that it was changed.
        if let Ok(message) = Protected::read(&changed) {
            assert_eq!(message.open(&case.key().bootstrap_keys()), Err(GbaError::Mac), "octet {at}");
        }
    }
    assert!(gba::open(&[protected.as_slice(), &[0]].concat(), &Ran(case)).is_err());
}

#[test]
fn a_message_says_why_it_is_refused() {
    let cases = Case::all();
    let (case, other) = (&cases[0], &cases[1]);
    let protected = case.octets("protected");
    assert_eq!(gba::open(&protected, &Ran(other)), Err(GbaError::NoKeys), "unknown B-TID");
    let foreign = other.key().bootstrap_keys().protect(case.text("b_tid"), [0; 16], b"x").unwrap();
    assert_eq!(gba::open(&foreign, &Ran(case)), Err(GbaError::Mac), "other keys");
    let mut newer = protected;
    newer[0] = 2;
    assert_eq!(gba::open(&newer, &Ran(case)), Err(GbaError::Profile(2)));
    assert_eq!(gba::open(b"[]", &Ran(case)), Err(GbaError::Form));
}

#[test]
fn names_have_bounds() {
    let keys = NafKey::new([7; 32]).bootstrap_keys();
    for (length, legal) in [(0, false), (1, true), (255, true), (256, false)] {
        let name = "n".repeat(length);
        let protected = keys.protect(&name, [0; 16], b"");
        assert_eq!(protected.is_ok(), legal, "{length}");
        assert_eq!(NafId::new(&name, [0; 5]).is_some(), legal, "{length}");
        if let Ok(protected) = protected {
            assert_eq!(Protected::read(&protected).unwrap().transaction, name);
        }
    }
    assert!(NafId::new("dm example", [0; 5]).is_none());
    let naf = NafId::new("dm.example.org", [0; 5]).unwrap();
    for (length, legal) in [(65_535, true), (65_536, false)] {
        let key = NafKey::derive([0; 32], Place::Terminal, &[0; 16], &"i".repeat(length), &naf);
        assert_eq!(key.is_some(), legal, "{length}");
    }
}

proptest! {
    /// Whatever comes in: it is refused, or it has the parts of the profile and no others.
    #[test]
    fn any_octets_are_read_or_refused(octets in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        // Well begun, so that more than the first octets are looked at.
        (1u8..4, prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(length, rest)| [&[1, length], &[b'a'; 4][..usize::from(length)], &rest].concat()),
    ]) {
        if let Ok(message) = Protected::read(&octets) {
            prop_assert!(!message.transaction.is_empty() && octets[2..].starts_with(message.transaction.as_bytes()));
            prop_assert_eq!((octets.len() - 2 - message.transaction.len() - 16 - 32) % 16, 0);
            prop_assert_eq!(message.open(&NafKey::new([9; 32]).bootstrap_keys()), Err(GbaError::Mac));
        }
    }

    #[test]
    fn what_is_protected_is_opened_by_the_same_keys_only(
        key: [u8; 32],
        other: [u8; 32],
        iv: [u8; 16],
        transaction in "[ -~]{1,255}",
        bootstrap in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let protected = NafKey::new(key).bootstrap_keys().protect(&transaction, iv, &bootstrap).unwrap();
        let message = Protected::read(&protected).unwrap();
        prop_assert_eq!(message.transaction, transaction);
        let opened = message.open(&NafKey::new(key).bootstrap_keys()).unwrap();
        prop_assert_eq!(opened.expose(), bootstrap.as_slice());
        if key != other {
            prop_assert_eq!(message.open(&NafKey::new(other).bootstrap_keys()), Err(GbaError::Mac));
        }
    }
}

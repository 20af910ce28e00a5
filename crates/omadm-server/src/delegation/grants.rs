//! What giving and taking rights does to a statement on who may do what with a node, whichever protocol writes it: an ACL of DM 1.x, or an
//! entry of the Delegation Access Control MO of DM 2.0.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Who stands for everybody.
pub const EVERYBODY: &str = "*";

/// Rights by their holders, as bits whose meaning is that of the protocol; nobody is there without a right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement(BTreeMap<String, u8>);

/// What shall be given to whom.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The server that gets the rights.
    pub to: &'a str,
    /// The rights.
    pub rights: u8,
    /// Whether nobody else keeps them.
    pub exclusive: bool,
    /// The server that gives them.
    pub by: &'a str,
    /// What it keeps whatever happens, so that it can take them back.
    pub kept: u8,
}

/// What a delegation has changed in a statement, and so what it takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Rights that are there for it.
    pub added: Statement,
    /// Rights that others lost for it.
    pub removed: Statement,
}

impl Statement {
    /// What somebody has by his own name.
    pub fn of(&self, holder: &str) -> u8 {
        self.0.get(holder).copied().unwrap_or_default()
    }

    /// What somebody may do: by his own name, and with everybody.
    pub fn allows(&self, holder: &str) -> u8 {
        self.of(holder) | self.of(EVERYBODY)
    }

    /// Whether nobody may do anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holders with what they have, in order.
    pub fn holders(&self) -> impl Iterator<Item = (&str, u8)> {
        self.0.iter().map(|(holder, rights)| (holder.as_str(), *rights))
    }

    /// Gives rights.
    pub fn give(&mut self, holder: &str, rights: u8) {
        if rights != 0 {
            *self.0.entry(holder.to_owned()).or_default() |= rights;
        }
    }

    /// Takes rights.
    pub fn take(&mut self, holder: &str, rights: u8) {
        if let Some(held) = self.0.get_mut(holder) {
            *held &= !rights;
            if *held == 0 {
                self.0.remove(holder);
            }
        }
    }

    /// The statement with a grant in it, and what that has changed. `claimed` is what other delegations have given to the same server
    /// here: it counts as given by this one, too, so that it stays until the last of them ends.
    pub fn granted(&self, grant: Grant<'_>, claimed: u8) -> (Self, Changed) {
        let (mut next, mut changed) = (self.clone(), Changed::default());
        if grant.exclusive {
            for (holder, rights) in self.holders().filter(|(holder, _)| *holder != grant.to) {
                let kept = if holder == grant.by { grant.kept } else { 0 };
                let lost = rights & grant.rights & !kept;
                next.take(holder, lost);
                changed.removed.give(holder, lost);
            }
            let missing = grant.kept & !next.allows(grant.by);
            next.give(grant.by, missing);
            changed.added.give(grant.by, missing);
        }
        let wanted = grant.rights & !next.of(EVERYBODY);
        changed.added.give(grant.to, wanted & (!self.of(grant.to) | claimed));
        next.give(grant.to, wanted);
        (next, changed)
    }

    /// The statement without what a delegation has changed. `claimed` is what other delegations still give to `to`.
    pub fn revoked(&self, changed: &Changed, to: &str, claimed: u8) -> Self {
        let mut next = self.clone();
        for (holder, rights) in changed.added.holders() {
            next.take(holder, if holder == to { rights & !claimed } else { rights });
        }
        for (holder, rights) in changed.removed.holders() {
            next.give(holder, rights);
        }
        next
    }
}

impl FromIterator<(String, u8)> for Statement {
    fn from_iter<T: IntoIterator<Item = (String, u8)>>(pairs: T) -> Self {
        let mut statement = Self::default();
        pairs.into_iter().for_each(|(holder, rights)| statement.give(&holder, rights));
        statement
    }
}

impl fmt::Display for Statement {
    /// One form for each, such that digests of it tell whether something has changed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(holder, rights)| write!(f, "{holder}={rights};"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: u8 = 2;
    const REPLACE: u8 = 4;
    const EXEC: u8 = 16;

    fn statement(pairs: &[(&str, u8)]) -> Statement {
        pairs.iter().map(|(holder, rights)| ((*holder).to_owned(), *rights)).collect()
    }

    fn shared(rights: u8) -> Grant<'static> {
        Grant { to: "b", rights, exclusive: false, by: "a", kept: REPLACE }
    }

    #[test]
    fn what_is_added_goes_again_and_nothing_else() {
        let before = statement(&[("a", GET | REPLACE), ("b", EXEC), ("c", GET)]);
        let (during, changed) = before.granted(shared(GET | EXEC), 0);
        assert_eq!(during, statement(&[("a", GET | REPLACE), ("b", GET | EXEC), ("c", GET)]));
        assert_eq!(changed.added, statement(&[("b", GET)]));
        // Somebody changes it meanwhile: that stays.
        let mut later = during.clone();
        later.take("c", GET);
        later.give("d", EXEC);
        let after = later.revoked(&changed, "b", 0);
        assert_eq!(after, statement(&[("a", GET | REPLACE), ("b", EXEC), ("d", EXEC)]));
    }

    #[test]
    fn what_everybody_has_needs_no_grant() {
        let before = statement(&[(EVERYBODY, GET), ("a", REPLACE)]);
        let (during, changed) = before.granted(shared(GET | EXEC), 0);
        assert_eq!(during, statement(&[(EVERYBODY, GET), ("a", REPLACE), ("b", EXEC)]));
        assert_eq!(during.revoked(&changed, "b", 0), before);
    }

    #[test]
    fn the_last_of_two_delegations_takes_what_both_gave() {
        let before = statement(&[("a", GET | REPLACE)]);
        let (first, of_first) = before.granted(shared(GET | EXEC), 0);
        let (both, of_second) = first.granted(shared(GET | REPLACE), of_first.added.of("b"));
        assert_eq!(of_second.added, statement(&[("b", GET | REPLACE)]));
        let one = both.revoked(&of_first, "b", of_second.added.of("b"));
        assert_eq!(one, statement(&[("a", GET | REPLACE), ("b", GET | REPLACE)]));
        assert_eq!(one.revoked(&of_second, "b", 0), before);
        let other = both.revoked(&of_second, "b", of_first.added.of("b"));
        assert_eq!(other.revoked(&of_first, "b", 0), before);
    }

    #[test]
    fn exclusive_rights_are_of_one_and_come_back_to_those_who_had_them() {
        let grant = Grant { exclusive: true, ..shared(GET | REPLACE) };
        for before in [
            statement(&[("a", GET | REPLACE | EXEC), ("c", GET | EXEC)]),
            statement(&[(EVERYBODY, GET | REPLACE), ("c", REPLACE)]),
            statement(&[("a", GET | REPLACE), ("b", GET)]),
        ] {
            let (during, changed) = before.granted(grant, 0);
            let with_get: Vec<_> = during.holders().filter(|(_, rights)| rights & GET != 0).collect();
            assert!(matches!(with_get.as_slice(), [("b", _)]), "{during}");
            let with_replace: Vec<_> = during.holders().filter(|(_, rights)| rights & REPLACE != 0).collect();
            assert!(matches!(with_replace.as_slice(), [("a", _), ("b", _)]), "{during}");
            assert_eq!(during.revoked(&changed, "b", 0), before);
        }
    }
}

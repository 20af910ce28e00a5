//! What an authority may do with a node, as finely as any protocol tells it apart.

use super::{Operation, Rights};

/// A set of operations: the rights of `DM 2.0 §12.3` with Write split into the commands of an ACL (`DM 1.3 TND §8.2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Powers(u8);

impl Powers {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const GET: Self = Self(1);
    pub(crate) const EXEC: Self = Self(2);
    pub(crate) const DELEGATE: Self = Self(4);
    pub(crate) const ADD: Self = Self(8);
    pub(crate) const REPLACE: Self = Self(16);
    pub(crate) const DELETE: Self = Self(32);
    /// What the right Write is made of.
    pub(crate) const WRITES: Self = Self(8 | 16 | 32);
    pub(crate) const ALL: Self = Self(63);
    /// What an ACL can say.
    pub(crate) const OF_ACL: Self = Self(63 & !4);

    /// What an operation takes.
    pub(crate) fn of(operation: Operation) -> Self {
        match operation {
            Operation::Get => Self::GET,
            Operation::Add => Self::ADD,
            Operation::Replace => Self::REPLACE,
            Operation::Delete => Self::DELETE,
            Operation::Exec => Self::EXEC,
            Operation::Delegate => Self::DELEGATE,
        }
    }

    /// What rights give, if Write is all of `writes`.
    pub(crate) fn from_rights(rights: Rights, writes: Self) -> Self {
        let given = |right, powers| if rights.contains(right) { powers } else { Self::NONE };
        given(Rights::READ, Self::GET)
            .and(given(Rights::WRITE, writes))
            .and(given(Rights::EXECUTE, Self::EXEC))
            .and(given(Rights::DELEGATE, Self::DELEGATE))
    }

    /// The rights that show at least this much.
    pub(crate) fn rights(self) -> Rights {
        let shown = |powers, right| if self.meets(powers) { right } else { Rights::NONE };
        shown(Self::GET, Rights::READ)
            .union(shown(Self::WRITES, Rights::WRITE))
            .union(shown(Self::EXEC, Rights::EXECUTE))
            .union(shown(Self::DELEGATE, Rights::DELEGATE))
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether all of `other` is in this set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether anything of `other` is in this set.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    pub(crate) fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is not in `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

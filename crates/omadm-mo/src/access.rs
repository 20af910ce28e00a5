//! Who may do what: rights of the Delegation Access Control MO, of the bootstrap, and of the DDF, in one decision
//! (`DM 2.0 §6.3.1.1, §10, §12.3`).

use alloc::string::String;
use core::fmt;

use crate::name::ServerId;

/// A set of access rights, the value of an `AR` node (`DM 2.0 §12.3`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);
    /// GET, HPUT, HPOST.
    pub const READ: Self = Self(1);
    /// HGET, DELETE.
    pub const WRITE: Self = Self(2);
    /// EXEC.
    pub const EXECUTE: Self = Self(4);
    /// HGET on the rights themselves.
    pub const DELEGATE: Self = Self(8);
    /// All four.
    pub const ALL: Self = Self(15);

    /// Takes an AR value, 0 to 15.
    #[must_use]
    pub fn from_ar(value: i64) -> Option<Self> {
        u8::try_from(value).ok().filter(|bits| *bits <= 15).map(Self)
    }
    /// The AR value.
    #[must_use]
    pub fn ar(self) -> u8 {
        self.0
    }
    /// Whether all of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A Management Authority, the value of a `MAID` node (`DM 2.0 §12.3`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// `serverid:…`; a bare name is read as this.
    Server(ServerId),
    /// `appid:…`.
    Application(String),
    /// `*`.
    Everyone,
}

/// On whose behalf the tree is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A DM Server in a session: rights, bootstrap permissions and DDF access types all apply.
    Server(ServerId),
    /// The bootstrap of a server: it becomes the creator of what is stored; DDF structure and format apply, access types
    /// and rights do not (`DM 2.0 §8.5`).
    Bootstrap(ServerId),
    /// The device itself and its plug-ins: structure and format apply.
    Device,
}

/// The logical operations of `DM 2.0 §6.3.1.1`, Write split as the DDF access types split it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Operation {
    Get,
    Add,
    Replace,
    Delete,
    Exec,
    Delegate,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "Get",
            Self::Add => "Add",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Exec => "Exec",
            Self::Delegate => "Delegate",
        })
    }
}

//! Who may do what: rights of the Delegation Access Control MO, of the bootstrap, and of the DDF, in one decision
//! (`DM 2.0 §6.3.1.1, §10, §12.3`).

mod account;
pub(crate) mod acl;
pub(crate) mod dac;
mod decide;
mod judge;
mod powers;
mod view;

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::name::ServerId;
pub(crate) use account::{guarded_below, holds_guarded};
pub use acl::Acl;
pub(crate) use judge::{Judge, Seat};
pub(crate) use powers::Powers;
pub(crate) use view::View;

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

impl Authority {
    const SERVER: &'static str = "serverid:";
    const APPLICATION: &'static str = "appid:";

    /// Reads the value of a `MAID` node; `bare` says whether a name without prefix is taken for a server.
    #[must_use]
    pub fn parse(text: &str, bare: bool) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone);
        }
        if let Some(name) = text.strip_prefix(Self::APPLICATION) {
            return (!name.is_empty()).then(|| Self::Application(name.into()));
        }
        let name = text.strip_prefix(Self::SERVER).or(bare.then_some(text))?;
        ServerId::parse(name).ok().map(Self::Server)
    }

    /// Whether an access right entry for this authority applies to `other`.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        *self == Self::Everyone || self == other
    }
}

impl fmt::Display for Authority {
    /// The value of a `MAID` node, with its prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Server(server) => format!("{}{server}", Self::SERVER),
            Self::Application(name) => format!("{}{name}", Self::APPLICATION),
            Self::Everyone => String::from("*"),
        })
    }
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

impl Operation {
    /// The right that the operation takes (`DM 2.0 §6.3.1.1`).
    #[must_use]
    pub fn right(self) -> Rights {
        match self {
            Self::Get => Rights::READ,
            Self::Add | Self::Replace | Self::Delete => Rights::WRITE,
            Self::Exec => Rights::EXECUTE,
            Self::Delegate => Rights::DELEGATE,
        }
    }
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

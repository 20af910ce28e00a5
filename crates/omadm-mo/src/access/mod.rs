//! Who may do what: rights of the Delegation Access Control MO, of the bootstrap, and of the DDF, in one decision
//! (`DM 2.0 §6.3.1.1, §10, §12.3`).
//!
//! # One thing seen twice
//!
//! The ACL property of DM 1.x and the entries of the Delegation Access Control MO (DAC) are two views of one statement
//! (`DM 2.0 §13.2`). On a device that has the DAC, for a node of an MO instance:
//!
//! | ACL of the node | DAC entry with the Path of the node |
//! |---|---|
//! | server, or `*` | MAID `serverid:…`, or `*` |
//! | Get | Read |
//! | Add, Replace, Delete | Write |
//! | Exec | Execute |
//! | Replace on an interior node, which lets its holder change the ACL | Delegate |
//!
//! Both are evaluated alike: the nearest node with a statement decides alone, and in it what `*` has and what the server has by its
//! name add up.
//!
//! - A new ACL writes the entries of its node. An empty one removes them. Entries of applications, which an ACL cannot name, stay
//!   as long as there is an ACL.
//! - The DAC says what holds. The property only remembers how Write is split, and both protocols ask
//!   for them. What entries give no more is taken out of the property; where an entry gives Write and the property splits nothing for
//!   its holder, Write is all three commands. `?prop=ACL` is read from both together.
//! - DM 1.x lets who may replace a parent change the ACL of a child; DM 2.0 lets nobody reach past entries that are
//!   overwritten further down. So the parent counts for a statement that DM 1.x made (there is a property), for both protocols, and
//!   not for one that DM 2.0 made. Thus what a creator owns alone by DM 2.0 is closed to DM 1.x too.
//! - To delete a node of an instance takes Delete on all below it that has a statement, for both.
//! - Entries that stand for ACLs go with their nodes; renaming a node moves all entries below its Path.
//!
//! Where an instance has no statement at or above a node, DM 2.0 gives nothing (`DM 2.0 §10`), and DM 1.x goes on to the ACLs above
//! the instance, in the end to that of the root, `Add=*&Get=*` from the factory: a device with accounts of DM 1.x only follows the
//! plain rules. Outside of instances, and on a device without the DAC, DM 1.x has the ACLs alone; there DM 2.0 gives every
//! bootstrapped server everything (`DM 2.0 §10`). The nodes of the DAC itself are read by DM 1.x as far as DM 2.0 lets the server
//! read them, and changed through ACLs only.

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
pub use acl::{Acl, MAX_ACL};
pub use dac::{entry_moid, entry_name};
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

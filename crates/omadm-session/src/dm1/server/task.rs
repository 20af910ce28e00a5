//! What one operator command means for a DM 1.x device.

use core::time::Duration;

use omadm_codec::dm1::OperationKind;
use omadm_mo::{Format, Value};

use crate::dm1::QuestionKind;

/// What is to be done. How it is said depends on what the device can do, and may take several messages.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Read nodes or properties: the value of a leaf, the names of the children of an interior node.
    Get {
        /// Addresses, one or more.
        uris: Vec<String>,
    },
    /// Read all below a node. A device that cannot list in one way is asked in the next: TNDS, then StructData, then node by node.
    List {
        /// The address, without `?list=`.
        uri: String,
        /// The first way to try.
        how: Listing,
    },
    /// Give a leaf its value, or make an interior node (format `node`).
    Set {
        /// The address.
        uri: String,
        /// What it shall hold.
        content: Content,
        /// Whether the node is there.
        existence: Existence,
    },
    /// Remove a node with all below it. One that is not there counts as removed only if the device says so.
    Delete {
        /// The address.
        uri: String,
    },
    /// Execute a node.
    Exec {
        /// The address.
        uri: String,
        /// The argument.
        content: Option<Content>,
        /// By which its end is known if it comes later; at most 128 octets, unlike any other.
        correlator: Option<String>,
    },
    /// Copy the value of a leaf.
    Copy {
        /// From where.
        source: String,
        /// To where.
        target: String,
    },
    /// Ask the user.
    Ask(Question),
    /// All or nothing, in this order. Holds Set, Delete and Copy (and Exec towards Windows) that are no larger than one message.
    Atomic(Vec<Task>),
    /// In this order. Holds all but List, Atomic and Sequence.
    Sequence(Vec<Task>),
    /// A command as it is.
    Raw {
        /// Which.
        kind: OperationKind,
        /// Its items, one or more.
        items: Vec<RawItem>,
    },
}

/// A way to read a sub-tree (`DM 1.3 TND §9.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// `?list=TNDS`.
    Tnds,
    /// `?list=StructData`.
    StructData,
    /// `?list=Struct`: no values.
    Struct,
    /// `?list=MORoot`: which management objects there are. No other way is tried.
    MoRoot,
    /// `?list=MORootData`: the same, with values. No other way is tried.
    MoRootData,
    /// Node by node.
    Walk,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// `Format`.
    pub format: Format,
    /// `Type`; absent means `text/plain`, or no MOID. A TNDS document is text of format `xml` with its media type.
    pub media_type: Option<String>,
    /// The value; of an interior node [`Value::Null`].
    pub value: Value,
}

/// Whether a node is there, as far as is known. What proves wrong is tried the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// Replace, then Add on 404.
    Present,
    /// Add, then Replace on 418.
    Absent,
    /// Replace, then Add on 404; nothing is sent behind it before it is answered.
    Unknown,
}

/// An item of [`Task::Raw`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawItem {
    /// `Target`.
    pub target: Option<String>,
    /// `Source`.
    pub source: Option<String>,
    /// `Meta` and `Data`.
    pub content: Option<Content>,
}

/// A question to the user (`DM 1.3 PROTO §10`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which kind of.
    pub kind: QuestionKind,
    /// What is shown.
    pub text: String,
    /// `MINDT`: how long it is shown at least, in whole seconds from 1.
    pub min_display: Option<Duration>,
    /// `MAXDT`: how long the user has time, in whole seconds from 1.
    pub max_display: Option<Duration>,
}

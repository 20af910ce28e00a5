//! A sub-tree with its properties, as it stands in a TNDS document (`DM 1.3 TNDS`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::value::{Format, Value};

/// A TNDS document without its encoding. The hierarchy may be nested, or spread over several nodes that name their places by
/// `path`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The children of `MgmtTree`.
    pub nodes: Vec<SnapshotNode>,
}

/// One `Node`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotNode {
    /// `NodeName`, a segment of a URI, percent-encoded as it has to be there; empty is the last segment of the target. `None`
    /// leaves the place to the device.
    pub name: Option<String>,
    /// `Path`: from the target of the command to the parent of this node.
    pub path: Option<String>,
    /// `ACL`.
    pub acl: Option<String>,
    /// `Format`.
    pub format: Option<Format>,
    /// `Title`.
    pub title: Option<String>,
    /// `TStamp`. Kept by the device: of no effect in what a server sends.
    pub tstamp: Option<String>,
    /// `VerNo`. Kept by the device as well.
    pub ver_no: Option<String>,
    /// `Type`.
    pub kind: Option<SnapshotType>,
    /// `Value` of a leaf. A decoder gives [`Value::Text`] for characters (base64 of `bin` and `b64` as carried) and
    /// [`Value::Bytes`] for OPAQUE; the tree makes of them a value of the node's format. What the tree gives is of the node's
    /// format: an encoder writes [`Value::to_text`], in WBXML OPAQUE for [`Value::Bytes`] of format `bin`.
    pub value: Option<Value>,
    /// The nodes below.
    pub children: Vec<SnapshotNode>,
}

/// `Type` of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotType {
    /// `MIME`, of a leaf.
    Mime(String),
    /// `DDFName`, of an interior node: a MOID or empty.
    DdfName(String),
}

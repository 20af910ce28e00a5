//! Transactions on the tree: all or nothing, undone unless prepared, and a record of what changed.

use alloc::string::String;
use alloc::vec::Vec;

use crate::access::{Actor, Authority, Rights};
use crate::client_uri::ClientUri;
use crate::content::Content;
use crate::error::OperationError;
use crate::name::{Miid, Moid};
use crate::node::{NodeId, NodePath, Properties};
use crate::tree::Tree;
use crate::value::{Format, Value};

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum ChangeKind {
    Added,
    Replaced,
    Removed,
}

/// What a transaction changed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Path from `.`, the instance it belongs to, and what happened.
    pub entries: Vec<(NodePath, Option<(Moid, Miid)>, ChangeKind)>,
}

/// A node as it is kept durably.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// Format of the node.
    pub format: Format,
    /// Value of a leaf.
    pub value: Option<Value>,
    /// Run-time properties.
    pub properties: Properties,
    /// Set on the root of an MO instance: MOID, MIID, revision.
    pub instance: Option<(Moid, Miid, u64)>,
}

/// A transaction; undone when dropped.
pub struct Change<'t> {
    pub(crate) tree: &'t mut Tree,
}

/// A transaction whose effects are in the tree and which can still be undone by [`Tree::revert`] until it is durable.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) changes: ChangeSet,
}

impl Prepared {
    /// What changed.
    #[must_use]
    pub fn changes(&self) -> &ChangeSet {
        &self.changes
    }
    /// The durable form of what changed, read from the tree as it is now: a record per touched node (parents first, `None` for removed), the
    /// roots of touched instances included for their new revision.
    #[must_use]
    pub fn records(&self, _tree: &Tree) -> Vec<(NodePath, Option<NodeRecord>)> {
        todo!()
    }
}

impl Change<'_> {
    /// The tree as it is inside the transaction.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        self.tree
    }
    /// HGET with a ClientURI (`DM 2.0 §5.3.1`): replaces all that is at `uri` by `content`, or creates it if the parent
    /// resolves and the DDF allows Add. `label` is the label of MOData: free when the place is given, but on a permanent
    /// node (other than an MO root) a different label is a rename. Gives the concrete address.
    ///
    /// # Errors
    /// Any [`OperationError`]; the transaction is then to be dropped.
    pub fn store_at(&mut self, _uri: &ClientUri, _label: Option<&str>, _content: Content) -> Result<ClientUri, OperationError> {
        todo!()
    }
    /// One item of an HGET without ClientURI, or of a bootstrap: the item's own ClientURI gives MOID and path; empty
    /// mo-inst is a new instance, for which `label` suggests the MIID (used if legal and free, else a fresh one).
    /// A new instance gives its creator AR 15 in the Delegation Access Control MO, and nobody else anything.
    ///
    /// # Errors
    /// As [`Change::store_at`].
    pub fn store_item(&mut self, _uri: &ClientUri, _label: &str, _content: Content) -> Result<ClientUri, OperationError> {
        todo!()
    }
    /// HGET of a body that is no MO serialization onto one leaf: the octets are the value; `media_type` (without
    /// parameters) has to be among the MIME types of the DDF, or `text/plain` for a text format.
    ///
    /// # Errors
    /// As [`Change::store_at`]; `BadData` for a type that does not fit or an interior target.
    pub fn store_leaf(&mut self, _uri: &ClientUri, _media_type: &str, _octets: &[u8]) -> Result<ClientUri, OperationError> {
        todo!()
    }
    /// DELETE: all matches with all that is below them, or none. Gives their addresses.
    ///
    /// # Errors
    /// As [`Tree::authorise`] for Delete.
    pub fn delete(&mut self, _uri: &ClientUri) -> Result<Vec<ClientUri>, OperationError> {
        todo!()
    }
    /// Creates an instance with `content` below its root (missing required nodes get their defaults), by the device.
    ///
    /// # Errors
    /// `UnknownMoid`, `BadData`, `Full`.
    pub fn create_instance(&mut self, _moid: &Moid, _miid: &Miid, _content: Content) -> Result<NodeId, OperationError> {
        todo!()
    }
    /// Sets a leaf, by the device; no entry in the change set when the value is the same.
    ///
    /// # Errors
    /// `NotFound`, `BadData`, `Full`.
    pub fn set(&mut self, _leaf: NodeId, _value: Value) -> Result<(), OperationError> {
        todo!()
    }
    /// Adds a child, by the device.
    ///
    /// # Errors
    /// `NotFound`, `BadData`, `Full`.
    pub fn add(&mut self, _parent: NodeId, _name: &str, _content: Content) -> Result<NodeId, OperationError> {
        todo!()
    }
    /// Removes a node with all below it, by the device; of an MO root also its access entries.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove(&mut self, _node: NodeId) -> Result<(), OperationError> {
        todo!()
    }
    /// Sets the rights of an authority on a sub-tree (`path` as in the Path node, `/` for the whole instance), by the device.
    ///
    /// # Errors
    /// `UnknownMoid`, `NotFound`, `BadAccessEntry`, `Full`.
    pub fn grant(
        &mut self, _moid: &Moid, _miid: &Miid, _path: &str, _authority: &Authority, _rights: Rights,
    ) -> Result<(), OperationError> {
        todo!()
    }
    /// How many text values were converted to a number or bool so far (a tolerance of the decoder).
    #[must_use]
    pub fn converted(&self) -> usize {
        todo!()
    }
    /// Addresses of the actor and of what is left to undo end here: keeps the effects, still revertible.
    #[must_use]
    pub fn prepare(self) -> Prepared {
        todo!()
    }
    /// Keeps the effects for good.
    pub fn commit(self) -> ChangeSet {
        todo!()
    }
}

// Silences unused imports until the bodies are in.
type _Unused = (Actor, String);

//! The tree: an arena of nodes under `.`, and an index of MO instances by MOID and MIID.

use alloc::sync::Arc;

use crate::access::{Actor, Authority, Operation, Rights};
use crate::change::{Change, NodeRecord, Prepared};
use crate::client_uri::ClientUri;
use crate::content::Content;
use crate::ddf::Catalogue;
use crate::error::OperationError;
use crate::name::{DeviceId, Miid, Moid, ServerId};
use crate::node::{NodeId, NodePath, NodeRef};
use crate::resolve::Found;
use crate::time::Time;

/// Upper bounds of what a tree holds; exceeding one is [`OperationError::Full`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Nodes, 1 or more. Default 200,000.
    pub nodes: usize,
    /// Octets of all names and values. Default 16 MiB.
    pub bytes: usize,
    /// Depth below `.`. Default 32.
    pub depth: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self { nodes: 200_000, bytes: 16 << 20, depth: 32 }
    }
}

/// One MO instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its MOID.
    pub moid: Moid,
    /// Its MIID, unique within the MOID.
    pub miid: Miid,
    /// Its root node.
    pub root: NodeId,
    /// Counts the changes of the whole tree at the last change of this instance; never the same value twice, so it serves
    /// as cache validator (`DM 2.0 §11.1`).
    pub revision: u64,
}

/// The management tree of one device.
pub struct Tree {
    _private: (),
}

impl Tree {
    /// An empty tree over the definitions of `catalogue`.
    #[must_use]
    pub fn new(_catalogue: Arc<Catalogue>, _quota: Quota) -> Self {
        todo!()
    }
    /// The definitions in use.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        todo!()
    }
    /// Starts a transaction; dropping it undoes it.
    pub fn begin(&mut self, _actor: Actor, _now: Time) -> Change<'_> {
        todo!()
    }
    /// Undoes a prepared transaction that could not be made durable. It must be the last one prepared.
    pub fn revert(&mut self, _prepared: Prepared) {
        todo!()
    }
    /// The node behind a handle.
    #[must_use]
    pub fn node(&self, _id: NodeId) -> Option<NodeRef<'_>> {
        todo!()
    }
    /// The root node `.`.
    #[must_use]
    pub fn root(&self) -> NodeRef<'_> {
        todo!()
    }
    /// All MO instances, by MOID then MIID.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        core::iter::empty()
    }
    /// The instances of one MOID.
    pub fn instances_of<'t>(&'t self, _moid: &Moid) -> impl Iterator<Item = &'t Instance> + use<'t> {
        core::iter::empty()
    }
    /// One instance.
    #[must_use]
    pub fn instance(&self, _moid: &Moid, _miid: &Miid) -> Option<&Instance> {
        todo!()
    }
    /// The instance that holds a node.
    #[must_use]
    pub fn instance_of_node(&self, _id: NodeId) -> Option<&Instance> {
        todo!()
    }
    /// The concrete ClientURI of a node inside an instance.
    #[must_use]
    pub fn address_of(&self, _id: NodeId) -> Option<ClientUri> {
        todo!()
    }
    /// Resolves an address for `actor` by the two steps of `DM 2.0 §6.1.2`, nothing but existence and visibility checked:
    /// `*` as mo-inst sees only instances on which the actor has a right; nodes without any access type do not exist for
    /// a server.
    ///
    /// # Errors
    /// `UnknownMoid`, `NotFound`, `Several`, `NotProvisioned`.
    pub fn resolve(&self, _actor: &Actor, _uri: &ClientUri) -> Result<alloc::vec::Vec<Found>, OperationError> {
        todo!()
    }
    /// Resolves an address and checks that `actor` may do `operation` on what it matches (for Get: Read right on all nodes
    /// below as well, those without Get in the DDF left aside; for Delete: on all nodes below).
    ///
    /// # Errors
    /// As [`Tree::resolve`], and `NoRight`, `NotInDefinition`, `NotAllowed`, `WildcardNotAllowed` (Exec).
    pub fn authorise(
        &self, _actor: &Actor, _uri: &ClientUri, _operation: Operation,
    ) -> Result<alloc::vec::Vec<Found>, OperationError> {
        todo!()
    }
    /// What `actor` sees at and below a node; `level` as the lv field (`None` is all). Nodes without Get are left out.
    #[must_use]
    pub fn content(&self, _actor: &Actor, _id: NodeId, _level: Option<u32>) -> Option<Content> {
        todo!()
    }
    /// Label of a node in MOData: its name; for an MO root the root name of the DDF if it has one, else the MIID.
    #[must_use]
    pub fn label_of(&self, _id: NodeId) -> Option<&str> {
        todo!()
    }
    /// The rights of an authority on a node by the Delegation Access Control MO (most specific Path wins; `*` adds up).
    #[must_use]
    pub fn rights(&self, _authority: &Authority, _id: NodeId) -> Rights {
        todo!()
    }
    /// Whether a server provisioned `moid` at bootstrap (`<x>/Perm/<x>/MOID`, `*` for all); the Delegation Access Control
    /// MO is provisioned for every bootstrapped server.
    #[must_use]
    pub fn provisioned(&self, _server: &ServerId, _moid: &Moid) -> bool {
        todo!()
    }
    /// MOIDs with the instances on which the server has any right, for the MOS of Package#1 (`DM 2.0 §5.2.2`): every
    /// provisioned MOID of the catalogue, also with no instance.
    #[must_use]
    pub fn supported(&self, _server: &ServerId) -> alloc::vec::Vec<(Moid, alloc::vec::Vec<Miid>)> {
        todo!()
    }
    /// The root of the DM Account of a server.
    #[must_use]
    pub fn account(&self, _server: &ServerId) -> Option<NodeRef<'_>> {
        todo!()
    }
    /// All accounts, by SrvID.
    pub fn accounts(&self) -> impl Iterator<Item = (ServerId, NodeRef<'_>)> {
        core::iter::empty()
    }
    /// The value of `DevInfo/DevID`.
    #[must_use]
    pub fn device_id(&self) -> Option<DeviceId> {
        todo!()
    }
    /// Every node as a record, parents first, for a snapshot.
    pub fn records(&self) -> impl Iterator<Item = (NodePath, NodeRecord)> {
        core::iter::empty()
    }
    /// Puts back a record of a snapshot or journal (`None` removes the node and all below). No rule but structure is checked.
    ///
    /// # Errors
    /// `NotFound` when the parent is missing, `BadData` when a leaf is in the way.
    pub fn restore(&mut self, _path: &[crate::NodeName], _record: Option<NodeRecord>) -> Result<(), OperationError> {
        todo!()
    }
    /// The change counter behind [`Instance::revision`].
    #[must_use]
    pub fn revision(&self) -> u64 {
        todo!()
    }
}

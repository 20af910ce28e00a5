//! The tree: an arena of nodes under `.`, and an index of MO instances by MOID and MIID.

pub(crate) mod arena;
pub(crate) mod children;
mod read;
mod record;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::access::Actor;
use crate::alias::Tolerances;
use crate::change::{Change, Prepared};
use crate::client_uri::ClientUri;
use crate::ddf::{AccessType, Catalogue, Definition, Rule};
use crate::name::{Miid, Moid, NodeName};
use crate::node::{Node, NodeId, NodePath, NodeRef, path_text};
use crate::time::Time;
use arena::{Arena, ROOT};

/// Deepest node below `.` that any tree can have, whatever its [`Quota`]: recursion over a tree stays within it.
pub const MAX_DEPTH: usize = 128;

/// Upper bounds of what a tree holds; exceeding one is [`crate::OperationError::Full`].
///
/// Servers may fill it to the last octet. So that they cannot keep the device from writing what it has to (its own values, a
/// grant, a bootstrap), the device itself may go a [`Quota::RESERVE`]th beyond `nodes` and `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Nodes that servers may fill, 1 or more. Default 200,000.
    pub nodes: usize,
    /// Octets of all names, values, ACLs, titles and types that servers may fill. Default 16 MiB.
    pub bytes: usize,
    /// Depth below `.`, [`MAX_DEPTH`] at most. Default 32.
    pub depth: usize,
}

impl Quota {
    /// What is kept for the device itself beside the quota: one part of so many, rounded up.
    pub const RESERVE: usize = 16;

    /// The bounds that hold for the device itself and for a bootstrap.
    #[must_use]
    pub fn with_reserve(self) -> Self {
        let beyond = |bound: usize| bound.saturating_add(bound.div_ceil(Self::RESERVE));
        Self { nodes: beyond(self.nodes), bytes: beyond(self.bytes), depth: self.depth }
    }
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
    catalogue: Arc<Catalogue>,
    quota: Quota,
    tolerances: Tolerances,
    pub(crate) arena: Arena,
    pub(crate) index: BTreeMap<Moid, BTreeMap<Miid, Instance>>,
    pub(crate) revision: u64,
    /// Counts transactions that were kept, so that only the last one can be reverted.
    pub(crate) kept: u64,
}

impl Tree {
    /// An empty tree over the definitions of `catalogue`.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, quota: Quota) -> Self {
        Self {
            catalogue,
            quota: Quota { depth: quota.depth.min(MAX_DEPTH), ..quota },
            tolerances: Tolerances::default(),
            arena: Arena::new(),
            index: BTreeMap::new(),
            revision: 0,
            kept: 0,
        }
    }
    /// The definitions in use.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }
    /// The upper bounds in force.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.quota
    }
    /// Which departures from the normative text are accepted.
    #[must_use]
    pub fn tolerances(&self) -> Tolerances {
        self.tolerances
    }
    /// Chooses which departures from the normative text are accepted from now on.
    pub fn set_tolerances(&mut self, tolerances: Tolerances) {
        self.tolerances = tolerances;
    }
    /// How many nodes there are, `.` included.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.arena.nodes()
    }
    /// Octets of all names, values, ACLs, titles and types, as the [`Quota`] counts them.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.arena.bytes()
    }
    /// Starts a transaction; dropping it undoes it.
    pub fn begin(&mut self, actor: Actor, now: Time) -> Change<'_> {
        Change::new(self, actor, now)
    }
    /// Undoes a prepared transaction that could not be made durable. It must be the last one kept in this tree: otherwise
    /// nothing is done and the answer is false.
    pub fn revert(&mut self, prepared: Prepared) -> bool {
        prepared.revert(self)
    }
    /// The node behind a handle.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<NodeRef<'_>> {
        self.arena.get(id).map(|node| NodeRef { tree: self, id, node })
    }
    /// The root node `.`.
    #[must_use]
    pub fn root(&self) -> NodeRef<'_> {
        NodeRef { tree: self, id: ROOT, node: self.arena.root() }
    }
    /// All MO instances, by MOID then MIID.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.index.values().flat_map(BTreeMap::values)
    }
    /// The instances of one MOID.
    pub fn instances_of<'t>(&'t self, moid: &Moid) -> impl Iterator<Item = &'t Instance> + use<'t> {
        self.instances_named(moid.as_str())
    }
    /// One instance.
    #[must_use]
    pub fn instance(&self, moid: &Moid, miid: &Miid) -> Option<&Instance> {
        self.index.get(moid)?.get(miid)
    }
    /// The instance that holds a node.
    #[must_use]
    pub fn instance_of_node(&self, id: NodeId) -> Option<&Instance> {
        let (moid, miid) = self.node(self.instance_root(id)?)?.node.instance.as_ref()?;
        self.instance(moid, miid)
    }
    /// The concrete ClientURI of a node inside an instance.
    #[must_use]
    pub fn address_of(&self, id: NodeId) -> Option<ClientUri> {
        let instance = self.instance_of_node(id)?;
        let path = self.names_below(instance.root, id);
        Some(ClientUri::concrete(instance.moid.clone(), instance.miid.clone(), path))
    }
    /// Label of a node in MOData: its name; for an MO root the root name of the DDF if it has one, else the MIID.
    #[must_use]
    pub fn label_of(&self, id: NodeId) -> Option<&str> {
        let node = self.arena.get(id)?;
        let Some((moid, miid)) = &node.instance else { return Some(node.name.as_str()) };
        match self.catalogue.get(moid.as_str()).map(|definition| &definition.root.name) {
            Some(crate::ddf::DdfName::Named(name)) => Some(name.as_str()),
            Some(crate::ddf::DdfName::Unnamed(_)) | None => Some(miid.as_str()),
        }
    }
    /// The change counter behind [`Instance::revision`].
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }
    /// Makes the change counter at least this. A store that keeps [`Tree::revision`] beside its records calls it after
    /// [`Tree::restore`], so that an instance that was removed and made anew never gets a revision again.
    pub fn advance_revision(&mut self, at_least: u64) {
        self.revision = self.revision.max(at_least);
    }

    /// Whether the MOID is in the catalogue. Instances of another one, restored from older records, cannot be addressed: what
    /// a server may see of them is not known.
    pub(crate) fn knows(&self, moid: &str) -> bool {
        self.catalogue.get(moid).is_some()
    }

    pub(crate) fn definition(&self, moid: &str) -> Option<&Definition> {
        self.catalogue.get(moid).map(Arc::as_ref)
    }

    pub(crate) fn instances_named<'t>(&'t self, moid: &str) -> impl Iterator<Item = &'t Instance> + use<'t> {
        self.index.get(moid).into_iter().flat_map(BTreeMap::values)
    }

    /// The node itself and its ancestors, `.` last.
    pub(crate) fn ancestry(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        let first = self.arena.get(id).map(|node| (id, node));
        core::iter::successors(first, |(id, node)| {
            (*id != ROOT).then(|| self.arena.get(node.parent).map(|parent| (node.parent, parent)))?
        })
    }

    /// Root of the MO instance that holds a node: the nearest one, as instances may be nested in a DM 1.x tree.
    pub(crate) fn instance_root(&self, id: NodeId) -> Option<NodeId> {
        self.ancestry(id).find(|(_, node)| node.instance.is_some()).map(|(id, _)| id)
    }

    pub(crate) fn path_of(&self, id: NodeId) -> NodePath {
        self.names_below(ROOT, id)
    }

    /// Names from below `top` down to `id`.
    pub(crate) fn names_below(&self, top: NodeId, id: NodeId) -> Vec<NodeName> {
        let mut names: Vec<NodeName> =
            self.ancestry(id).take_while(|(at, _)| *at != top).map(|(_, node)| node.name.clone()).collect();
        names.reverse();
        names
    }

    /// How many nodes deep below `.` a node is.
    pub(crate) fn depth_of(&self, id: NodeId) -> usize {
        self.ancestry(id).count().saturating_sub(1)
    }

    /// The definition of a node with the case rule that it inherits.
    pub(crate) fn rule_of(&self, id: NodeId) -> Option<Rule<'_>> {
        self.rule_in(&self.catalogue, id)
    }

    /// [`Tree::rule_of`] that borrows from a catalogue of the caller, who changes the tree meanwhile.
    pub(crate) fn rule_in<'c>(&self, catalogue: &'c Catalogue, id: NodeId) -> Option<Rule<'c>> {
        let mut below: Vec<&Node> = Vec::new();
        for (_, node) in self.ancestry(id) {
            if let Some((moid, _)) = &node.instance {
                let root = Rule::of_root(&catalogue.get(moid.as_str())?.root);
                return below
                    .iter()
                    .rev()
                    .try_fold(root, |rule, node| rule.child(node.name.as_str(), node.is_leaf()));
            }
            below.push(node);
        }
        None
    }

    /// What servers may do with a node: what the definition says, for nodes that it leaves open (below `Ext`) of the closest
    /// described ancestor.
    pub(crate) fn access_of(&self, id: NodeId) -> AccessType {
        let described = self.ancestry(id).find_map(|(at, _)| self.rule_of(at));
        described.map_or(AccessType::DATA, |rule| rule.ddf.access)
    }

    /// The nodes at and below `top`, parents first, nested MO instances included.
    pub(crate) fn subtree(&self, top: NodeId) -> impl Iterator<Item = NodeId> {
        let mut pending = alloc::vec![top];
        core::iter::from_fn(move || {
            let id = pending.pop()?;
            if let Some(children) = self.arena.get(id).and_then(Node::children) {
                pending.extend(children.iter().rev());
            }
            Some(id)
        })
    }

    /// How errors name a node: its address, or its path when it is in no instance.
    pub(crate) fn describe(&self, id: NodeId) -> String {
        match self.address_of(id) {
            Some(address) => address.to_string(),
            None => path_text(&self.path_of(id)),
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("nodes", &self.arena.nodes())
            .field("bytes", &self.arena.bytes())
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

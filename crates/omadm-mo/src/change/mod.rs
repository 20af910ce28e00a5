//! Transactions on the tree: all or nothing, undone unless prepared, and a record of what changed.

mod acl;
mod device;
mod dm1;
mod edit;
mod entries;
mod instance;
mod store;
mod undo;
mod write;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use crate::access::{Actor, Operation};
use crate::alias::Departure;
use crate::client_uri::ClientUri;
use crate::error::OperationError;
use crate::name::{Miid, Moid};
use crate::node::{NodeId, NodePath, Properties};
use crate::time::Time;
use crate::tree::Tree;
use crate::value::{Format, Value};
pub use undo::Prepared;
use undo::Undo;

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum ChangeKind {
    Added,
    Replaced,
    Removed,
}

/// One change: path from `.`, the MO instance that holds the node, and what happened.
pub type ChangeEntry = (NodePath, Option<(Moid, Miid)>, ChangeKind);

/// What a transaction changed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Every added node has an entry; of what was removed only the top has one.
    pub entries: Vec<ChangeEntry>,
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

/// A transaction; undone when dropped. Each operation on it is itself all or nothing.
pub struct Change<'t> {
    tree: &'t mut Tree,
    actor: Actor,
    now: Time,
    undo: Vec<Undo>,
    changes: ChangeSet,
    departures: Vec<Departure>,
    /// During a command of DM 1.x: the nodes whose TStamp and VerNo say already that they changed.
    stamped: Option<BTreeSet<NodeId>>,
    kept: bool,
}

impl<'t> Change<'t> {
    pub(crate) fn new(tree: &'t mut Tree, actor: Actor, now: Time) -> Self {
        let (undo, changes, departures) = (Vec::new(), ChangeSet::default(), Vec::new());
        Self { tree, actor, now, undo, changes, departures, stamped: None, kept: false }
    }

    /// The tree as it is inside the transaction.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        self.tree
    }
    /// What changed so far.
    #[must_use]
    pub fn changes(&self) -> &ChangeSet {
        &self.changes
    }
    /// DELETE: all matches with all that is below them, or none. Gives their addresses.
    ///
    /// # Errors
    /// As [`Tree::authorise`] for Delete.
    pub fn delete(&mut self, uri: &ClientUri) -> Result<Vec<ClientUri>, OperationError> {
        let found = self.tree.authorise(&self.actor, uri, Operation::Delete)?;
        let addresses = found.iter().filter_map(|found| self.tree.address_of(found.node)).collect();
        self.attempt(|change| {
            for found in found {
                change.within(found.instance_root, |change| {
                    change.take_away(found.node);
                    Ok(())
                })?;
            }
            Ok(addresses)
        })
    }
    /// What was tolerated in the data so far, each once.
    #[must_use]
    pub fn departures(&self) -> &[Departure] {
        &self.departures
    }
    /// Keeps the effects; until they are durable, [`Tree::revert`] can undo them.
    #[must_use]
    pub fn prepare(mut self) -> Prepared {
        self.keep();
        Prepared {
            changes: core::mem::take(&mut self.changes),
            undo: core::mem::take(&mut self.undo),
            kept: self.tree.kept,
        }
    }
    /// Keeps the effects for good.
    pub fn commit(mut self) -> ChangeSet {
        self.keep();
        core::mem::take(&mut self.changes)
    }

    /// From here on dropping the transaction undoes nothing, and the slots of removed nodes can be used again.
    fn keep(&mut self) {
        self.kept = true;
        self.tree.kept += 1;
        for undo in &self.undo {
            if let Undo::Removed { nodes, .. } = undo {
                for (id, _) in nodes {
                    self.tree.arena.release(*id);
                }
            }
        }
    }

    /// Removes a sub-tree with the access entries of every MO instance in it, and with those that are ACLs of its nodes.
    fn take_away(&mut self, id: NodeId) {
        self.remove_acl_entries(id);
        for instance in self.instances_below(id) {
            self.remove_entries(&instance);
        }
        self.detach(id);
    }
}

impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("actor", &self.actor)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.kept {
            while let Some(undo) = self.undo.pop() {
                undo.apply(self.tree);
            }
        }
    }
}

//! The undo log of a transaction, and what is left of it once the transaction is prepared.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use super::{ChangeSet, NodeRecord};
use crate::name::{Miid, Moid, NodeName};
use crate::node::{Node, NodeId, NodePath, Properties};
use crate::time::Time;
use crate::tree::{Instance, Tree};
use crate::value::{Format, Value};

/// How to take one step back.
pub(crate) enum Undo {
    /// Remove the node again.
    Added(NodeId),
    /// Put a sub-tree back, its root first.
    Removed { path: NodePath, nodes: Vec<(NodeId, Node)>, instances: Vec<Instance> },
    /// Set a leaf back.
    Value(NodeId, Format, Value),
    /// Set the properties back.
    Properties(NodeId, Box<Properties>),
    /// Give the node its old name and with it its old path.
    Renamed { id: NodeId, path: NodePath, name: NodeName },
    /// Set TStamp and VerNo back.
    Stamp(NodeId, Time, u16),
    /// Take an MO instance out of the index.
    Registered(NodeId),
    /// Set the revision of an MO instance back.
    Revision(Moid, Miid, u64),
}

impl Undo {
    /// Takes the step back. The change counter stays where it is, so that no revision is given twice.
    pub(crate) fn apply(self, tree: &mut Tree) {
        match self {
            Self::Added(id) => {
                for (id, _) in tree.unlink(id) {
                    tree.arena.release(id);
                }
            }
            Self::Removed { nodes, instances, .. } => {
                tree.relink(nodes);
                for instance in instances {
                    tree.register(instance.root, Some((instance.moid, instance.miid, instance.revision)));
                }
            }
            Self::Value(id, format, value) => {
                tree.arena.set_leaf(id, format, value);
            }
            Self::Properties(id, properties) => {
                tree.arena.set_properties(id, *properties);
            }
            Self::Renamed { id, name, .. } => {
                tree.rename(id, name);
            }
            Self::Stamp(id, tstamp, ver_no) => {
                if let Some(node) = tree.arena.get_mut(id) {
                    node.properties.tstamp = tstamp;
                    node.properties.ver_no = ver_no;
                }
            }
            Self::Registered(id) => {
                tree.unregister(id);
                if let Some(node) = tree.arena.get_mut(id) {
                    node.instance = None;
                }
            }
            Self::Revision(moid, miid, revision) => {
                let instance = tree.index.get_mut(&moid).and_then(|instances| instances.get_mut(&miid));
                if let Some(instance) = instance {
                    instance.revision = revision;
                }
            }
        }
    }

    /// The node that the step changed, if it may still be there.
    fn touched(&self, tree: &Tree) -> Option<NodeId> {
        match self {
            Self::Added(id)
            | Self::Value(id, ..)
            | Self::Properties(id, _)
            | Self::Stamp(id, ..)
            | Self::Registered(id) => Some(*id),
            Self::Revision(moid, miid, _) => tree.instance(moid, miid).map(|instance| instance.root),
            Self::Removed { .. } | Self::Renamed { .. } => None,
        }
    }
}

/// A transaction whose effects are in the tree and which can still be undone by [`Tree::revert`] until it is durable.
pub struct Prepared {
    pub(super) changes: ChangeSet,
    pub(super) undo: Vec<Undo>,
    /// [`Tree::kept`] right after this transaction.
    pub(super) kept: u64,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Prepared {
    /// What changed.
    #[must_use]
    pub fn changes(&self) -> &ChangeSet {
        &self.changes
    }
    /// The durable form of what changed, read from the tree as it is now: what was removed (`None`), then a record per
    /// touched node that is still there, parents first, the roots of touched instances included for their new revision.
    /// Handing them to [`Tree::restore`] in this order repeats the transaction.
    #[must_use]
    pub fn records(&self, tree: &Tree) -> Vec<(NodePath, Option<NodeRecord>)> {
        let removed = self.undo.iter().filter_map(|undo| match undo {
            Undo::Removed { path, .. } | Undo::Renamed { path, .. } => Some(path),
            _ => None,
        });
        let removed: BTreeSet<&NodePath> = removed.collect();
        let moved = self.undo.iter().filter_map(|undo| match undo {
            Undo::Renamed { id, .. } => Some(tree.subtree(*id)),
            _ => None,
        });
        let touched = self.undo.iter().filter_map(|undo| undo.touched(tree)).chain(moved.flatten());
        let touched: BTreeSet<(NodePath, NodeId)> =
            touched.filter(|id| tree.arena.get(*id).is_some()).map(|id| (tree.path_of(id), id)).collect();
        let gone = removed.into_iter().map(|path| (path.clone(), None));
        let there = touched.into_iter().map(|(path, id)| {
            let record = tree.record_of(id);
            (path, record)
        });
        gone.chain(there).collect()
    }

    pub(crate) fn revert(self, tree: &mut Tree) -> bool {
        if self.kept != tree.kept {
            return false;
        }
        for undo in self.undo.into_iter().rev() {
            undo.apply(tree);
        }
        // What was prepared before this one can now be reverted in turn.
        tree.kept -= 1;
        true
    }
}

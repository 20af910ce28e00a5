//! What a host has to make durable of a change in the tree.

use std::collections::BTreeSet;

use omadm_mo::{Miid, Moid, NodePath, NodeRecord, Prepared, Tree};

/// Records in the order in which they repeat a change, with the management objects concerned.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) records: Vec<(NodePath, Option<NodeRecord>)>,
    pub(crate) instances: Vec<(Moid, Miid)>,
}

impl Durable {
    /// `None` when nothing changed.
    pub(crate) fn of(prepared: &Prepared, tree: &Tree) -> Option<Self> {
        let changes = &prepared.changes().entries;
        if changes.is_empty() {
            return None;
        }
        let instances: BTreeSet<_> = changes.iter().filter_map(|(_, instance, _)| instance.clone()).collect();
        Some(Self { records: prepared.records(tree), instances: instances.into_iter().collect() })
    }
}

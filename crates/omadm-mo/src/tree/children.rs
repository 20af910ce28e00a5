//! The children of one interior node, by name.

use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::ddf::folded;
use crate::name::NodeName;
use crate::node::NodeId;

/// Children in name order. Names that compare without regard to letter case keep the case in which they were given.
#[derive(Default)]
pub(crate) struct Children {
    by_name: BTreeMap<NodeName, NodeId>,
    /// The children whose names compare without regard to letter case, by folded name.
    by_folded: BTreeMap<String, NodeId>,
}

impl Children {
    pub(crate) fn get(&self, name: &str) -> Option<NodeId> {
        let exact = self.by_name.get(name);
        let found = match exact {
            None if !self.by_folded.is_empty() => self.by_folded.get(&folded(name)),
            found => found,
        };
        found.copied()
    }

    /// The child spelt exactly so.
    pub(crate) fn get_exact(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn insert(&mut self, name: NodeName, fold: bool, id: NodeId) {
        if fold {
            self.by_folded.insert(folded(name.as_str()), id);
        }
        self.by_name.insert(name, id);
    }

    pub(crate) fn remove(&mut self, name: &str, fold: bool) {
        if fold {
            self.by_folded.remove(&folded(name));
        }
        self.by_name.remove(name);
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = NodeId> {
        self.by_name.values().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}

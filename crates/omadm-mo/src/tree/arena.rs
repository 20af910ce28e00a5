//! Where nodes live: slots with generations, so that a handle of a removed node never finds another one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::name::NodeName;
use crate::node::{Body, Node, NodeId, Properties};
use crate::tree::children::Children;
use crate::value::{Format, Value};

/// Handle of the tree root.
pub(crate) const ROOT: NodeId = NodeId { index: 0, generation: 0 };

/// All nodes of a tree. The root is kept apart because it is always there; slot `n` has the handle index `n + 1`.
pub(crate) struct Arena {
    root: Node,
    slots: Vec<Slot>,
    free: BTreeSet<u32>,
    /// Counts the handles given out, so that no two are alike even if a slot goes back to an older node.
    generation: u32,
    nodes: usize,
    bytes: usize,
}

struct Slot {
    generation: u32,
    node: Option<Node>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let root = Node {
            name: NodeName::root(),
            parent: ROOT,
            body: Body::Interior(Children::default()),
            properties: Properties::default(),
            instance: None,
            fold: false,
        };
        Self { root, slots: Vec::new(), free: BTreeSet::new(), generation: 0, nodes: 1, bytes: 0 }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// How many nodes there are, the root included.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Octets of all names, values and properties.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        match id.index.checked_sub(1) {
            None => Some(&self.root),
            Some(at) => self
                .slots
                .get(usize::try_from(at).ok()?)
                .filter(|slot| slot.generation == id.generation)?
                .node
                .as_ref(),
        }
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        match id.index.checked_sub(1) {
            None => Some(&mut self.root),
            Some(at) => self
                .slots
                .get_mut(usize::try_from(at).ok()?)
                .filter(|slot| slot.generation == id.generation)?
                .node
                .as_mut(),
        }
    }

    /// Takes in a node; `None` when there are no more handles. The caller links it to its parent.
    pub(crate) fn insert(&mut self, node: Node) -> Option<NodeId> {
        let index = match self.free.pop_first() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?.checked_add(1)?;
                self.slots.push(Slot { generation: 0, node: None });
                index
            }
        };
        let slot = self.slots.get_mut(usize::try_from(index).ok()?.checked_sub(1)?)?;
        self.generation = self.generation.wrapping_add(1);
        slot.generation = self.generation;
        self.nodes += 1;
        self.bytes += node.weight();
        slot.node = Some(node);
        Some(NodeId { index, generation: slot.generation })
    }

    /// Takes a node out. Its slot is not used again before [`Arena::release`], so [`Arena::put_back`] can undo this.
    pub(crate) fn take(&mut self, id: NodeId) -> Option<Node> {
        let at = usize::try_from(id.index.checked_sub(1)?).ok()?;
        let slot = self.slots.get_mut(at).filter(|slot| slot.generation == id.generation)?;
        let node = slot.node.take()?;
        self.nodes -= 1;
        self.bytes -= node.weight();
        Some(node)
    }

    /// Makes the slot of a node that was taken out available for new nodes.
    pub(crate) fn release(&mut self, id: NodeId) {
        if id.index > 0 {
            self.free.insert(id.index);
        }
    }

    /// Puts a node back under its old handle.
    pub(crate) fn put_back(&mut self, id: NodeId, node: Node) {
        self.free.remove(&id.index);
        let at = id.index.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at)) {
            self.nodes += 1;
            self.bytes += node.weight();
            *slot = Slot { generation: id.generation, node: Some(node) };
        }
    }

    /// Gives a node other properties; gives the old ones.
    pub(crate) fn set_properties(&mut self, id: NodeId, properties: Properties) -> Option<Properties> {
        let added = properties.weight();
        let old = core::mem::replace(&mut self.get_mut(id)?.properties, properties);
        self.bytes = self.bytes.saturating_add(added).saturating_sub(old.weight());
        Some(old)
    }

    /// Gives a node another name; gives the old one. The caller links it to its parent anew.
    pub(crate) fn set_name(&mut self, id: NodeId, name: NodeName) -> Option<NodeName> {
        let added = name.as_str().len();
        let old = core::mem::replace(&mut self.get_mut(id)?.name, name);
        self.bytes = self.bytes.saturating_add(added).saturating_sub(old.as_str().len());
        Some(old)
    }

    /// Gives a leaf another value; gives the old one, or `None` if it is no leaf.
    pub(crate) fn set_leaf(&mut self, id: NodeId, format: Format, value: Value) -> Option<(Format, Value)> {
        let added = value.size();
        let node = self.get_mut(id)?;
        let Body::Leaf(old_format, old_value) = &mut node.body else { return None };
        let old = (core::mem::replace(old_format, format), core::mem::replace(old_value, value));
        self.bytes = self.bytes + added - old.1.size();
        Some(old)
    }
}

//! The tree as durable records, and back.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::arena::ROOT;
use super::children::Children;
use super::{Instance, MAX_DEPTH, Tree};
use crate::change::NodeRecord;
use crate::ddf::Rule;
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName};
use crate::node::{Body, Node, NodeId, NodePath, path_text};
use crate::value::Format;

impl Tree {
    /// Every node as a record, parents first, for a snapshot. The first is `.` itself, with the empty path.
    pub fn records(&self) -> impl Iterator<Item = (NodePath, NodeRecord)> {
        self.subtree(ROOT).filter_map(|id| Some((self.path_of(id), self.record_of(id)?)))
    }

    /// Puts back a record of a snapshot or journal (`None` removes the node and all below, if it is there). No rule but
    /// structure is checked.
    ///
    /// # Errors
    /// `NotFound` when the parent of a record is missing, `BadData` when a leaf is in the way, the value is not of its format, the
    /// path is deeper than [`MAX_DEPTH`], the MO instance is already elsewhere, or a sibling is there whose name differs in letter
    /// case only where that counts for nothing.
    pub fn restore(&mut self, path: &[NodeName], record: Option<NodeRecord>) -> Result<(), OperationError> {
        let Some((name, parent)) = path.split_last() else {
            return self.restore_root(record);
        };
        if path.len() > MAX_DEPTH {
            return Err(bad(path, "the path is too deep"));
        }
        let follow = |names: &[NodeName]| {
            names.iter().try_fold(ROOT, |id, name| self.arena.get(id)?.children()?.get_exact(name.as_str()))
        };
        let Some(record) = record else {
            if let Some(id) = follow(path) {
                self.discard(id);
            }
            return Ok(());
        };
        let missing = || OperationError::NotFound { address: path_text(parent) };
        let parent_id = follow(parent).ok_or_else(missing)?;
        let children = self.arena.get(parent_id).and_then(Node::children);
        let existing = children.ok_or_else(|| bad(path, "its parent is a leaf"))?.get(name.as_str());
        // Names that differ in letter case only: the definition told them apart when the records were written.
        if let Some(other) = existing.and_then(|id| self.arena.get(id)).filter(|other| other.name != *name) {
            let reason = format!("the definition does not tell it from {} any more", other.name.as_str());
            return Err(bad(path, &reason));
        }
        self.check_record(path, existing, &record)?;
        match existing {
            Some(id) => self.overwrite(id, record),
            None => self.put_new(parent_id, name, record),
        }
    }

    /// The durable form of one node.
    pub(crate) fn record_of(&self, id: NodeId) -> Option<NodeRecord> {
        let node = self.arena.get(id)?;
        let instance = node.instance.as_ref().and_then(|(moid, miid)| {
            self.instance(moid, miid).map(|instance| (moid.clone(), miid.clone(), instance.revision))
        });
        Some(NodeRecord {
            format: node.format(),
            value: node.value().cloned(),
            properties: node.properties.clone(),
            instance,
        })
    }

    fn restore_root(&mut self, record: Option<NodeRecord>) -> Result<(), OperationError> {
        let record = record.filter(|record| !record.format.is_leaf());
        let record = record.ok_or_else(|| bad(&[], "the root of the tree stays an interior node"))?;
        self.arena.set_properties(ROOT, record.properties);
        Ok(())
    }

    fn check_record(
        &self,
        path: &[NodeName],
        existing: Option<NodeId>,
        record: &NodeRecord,
    ) -> Result<(), OperationError> {
        let fits = match &record.value {
            None => record.format == Format::Node,
            Some(value) => value.fits(record.format),
        };
        if !fits {
            return Err(bad(path, "the value is not of the format"));
        }
        let node = existing.and_then(|id| self.arena.get(id));
        if node.is_some_and(|node| node.is_leaf() != record.format.is_leaf()) {
            return Err(bad(path, "a node of the other kind is in the way"));
        }
        let elsewhere = record.instance.as_ref().and_then(|(moid, miid, _)| self.instance(moid, miid));
        if elsewhere.is_some_and(|instance| Some(instance.root) != existing) {
            return Err(bad(path, "the same MO instance is elsewhere in the tree"));
        }
        Ok(())
    }

    fn overwrite(&mut self, id: NodeId, record: NodeRecord) -> Result<(), OperationError> {
        self.unregister(id);
        if let Some(value) = record.value {
            self.arena.set_leaf(id, record.format, value);
        }
        self.arena.set_properties(id, record.properties);
        if let Some(node) = self.arena.get_mut(id) {
            node.instance = None;
        }
        self.register(id, record.instance);
        Ok(())
    }

    fn put_new(&mut self, parent: NodeId, name: &NodeName, record: NodeRecord) -> Result<(), OperationError> {
        let body = match record.value {
            Some(value) => Body::Leaf(record.format, value),
            None => Body::Interior(Children::default()),
        };
        let rule = match &record.instance {
            Some((moid, _, _)) => {
                self.definition(moid.as_str()).map(|definition| Rule::of_root(&definition.root))
            }
            None => self.rule_of(parent).and_then(|rule| rule.child(name.as_str(), record.format.is_leaf())),
        };
        let node = Node {
            name: name.clone(),
            parent,
            body,
            properties: record.properties,
            instance: None,
            fold: rule.is_some_and(|rule| rule.fold),
        };
        let id = self.link(node).ok_or_else(|| self.full())?;
        self.register(id, record.instance);
        Ok(())
    }

    /// Takes in a node and links it to its parent; `None` when there are no more handles.
    pub(crate) fn link(&mut self, node: Node) -> Option<NodeId> {
        let (parent, name, fold) = (node.parent, node.name.clone(), node.fold);
        let id = self.arena.insert(node)?;
        if let Some(children) = self.arena.get_mut(parent).and_then(Node::children_mut) {
            children.insert(name, fold, id);
        }
        Some(id)
    }

    /// Takes a sub-tree out of the tree, its root first, and its MO instances out of the index. The slots are not released.
    pub(crate) fn unlink(&mut self, top: NodeId) -> Vec<(NodeId, Node)> {
        let Some(node) = self.arena.get(top) else { return Vec::new() };
        let (parent, name, fold) = (node.parent, node.name.clone(), node.fold);
        if let Some(children) = self.arena.get_mut(parent).and_then(Node::children_mut) {
            children.remove(name.as_str(), fold);
        }
        let ids: Vec<NodeId> = self.subtree(top).collect();
        ids.into_iter()
            .filter_map(|id| {
                self.unregister(id);
                Some((id, self.arena.take(id)?))
            })
            .collect()
    }

    /// The opposite of [`Tree::unlink`]; MO instances are registered by the caller, who knows their revisions.
    pub(crate) fn relink(&mut self, nodes: Vec<(NodeId, Node)>) {
        if let Some((top, node)) = nodes.first() {
            let (top, parent, name, fold) = (*top, node.parent, node.name.clone(), node.fold);
            if let Some(children) = self.arena.get_mut(parent).and_then(Node::children_mut) {
                children.insert(name, fold, top);
            }
        }
        for (id, node) in nodes {
            self.arena.put_back(id, node);
        }
    }

    /// Gives a node another name among its siblings, of which none has it; gives the old one.
    pub(crate) fn rename(&mut self, id: NodeId, name: NodeName) -> Option<NodeName> {
        let (parent, fold) = self.arena.get(id).map(|node| (node.parent, node.fold))?;
        let old = self.arena.set_name(id, name.clone())?;
        if let Some(children) = self.arena.get_mut(parent).and_then(Node::children_mut) {
            children.remove(old.as_str(), fold);
            children.insert(name, fold, id);
        }
        Some(old)
    }

    /// Removes a sub-tree for good.
    fn discard(&mut self, top: NodeId) {
        for (id, node) in self.unlink(top) {
            if node.instance.is_some() {
                // The removal was a change of its own when the record was written.
                self.revision += 1;
            }
            self.arena.release(id);
        }
    }

    /// Makes a node the root of an MO instance.
    pub(crate) fn register(&mut self, id: NodeId, instance: Option<(Moid, Miid, u64)>) {
        let Some((moid, miid, revision)) = instance else { return };
        if let Some(node) = self.arena.get_mut(id) {
            node.instance = Some((moid.clone(), miid.clone()));
        }
        self.revision = self.revision.max(revision);
        let instance = Instance { moid: moid.clone(), miid: miid.clone(), root: id, revision };
        self.index.entry(moid).or_default().insert(miid, instance);
    }

    /// Takes an MO instance out of the index; the node stays. Gives what was there.
    pub(crate) fn unregister(&mut self, id: NodeId) -> Option<Instance> {
        let (moid, miid) = self.arena.get_mut(id)?.instance.clone()?;
        let instances = self.index.get_mut(&moid)?;
        let instance = instances.remove(&miid);
        if instances.is_empty() {
            self.index.remove(&moid);
        }
        instance
    }

    /// No more nodes can be taken in.
    pub(crate) fn full(&self) -> OperationError {
        OperationError::Full { needed: self.arena.nodes() + 1, limit: self.quota.nodes }
    }
}

fn bad(path: &[NodeName], reason: &str) -> OperationError {
    OperationError::BadData { address: path_text(path), reason: reason.to_string() }
}

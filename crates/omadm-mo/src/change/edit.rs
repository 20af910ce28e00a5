//! The primitive steps of a transaction. Each keeps properties, revisions, the undo log and the change set in order.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::undo::Undo;
use super::{Change, ChangeKind};
use crate::access::Actor;
use crate::alias::Departure;
use crate::ddf::Rule;
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName};
use crate::node::{Body, Node, NodeId, NodePath, Properties};
use crate::tree::{Instance, Quota};
use crate::value::{Format, Value};

/// A point of a transaction to which it can go back.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) undo: usize,
    pub(super) entries: usize,
    departures: usize,
}

impl Change<'_> {
    pub(super) fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), entries: self.changes.entries.len(), departures: self.departures.len() }
    }

    /// Runs one operation: all of it or nothing.
    pub(super) fn attempt<T, E>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.mark();
        let outcome = operation(self);
        if outcome.is_err() {
            self.roll_back(mark);
        }
        outcome
    }

    pub(super) fn roll_back(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            if let Some(undo) = self.undo.pop() {
                undo.apply(self.tree);
            }
        }
        self.changes.entries.truncate(mark.entries);
        self.departures.truncate(mark.departures);
    }

    /// Remembers that something was tolerated.
    pub(super) fn depart(&mut self, departure: Departure) {
        if !self.departures.contains(&departure) {
            self.departures.push(departure);
        }
    }

    /// The nodes added since `mark` that are still there.
    pub(super) fn added_since(&self, mark: Mark) -> Vec<NodeId> {
        let steps = self.undo.iter().skip(mark.undo);
        let added = steps.filter_map(|undo| match undo {
            Undo::Added(id) => Some(*id),
            _ => None,
        });
        added.filter(|id| self.tree.arena.get(*id).is_some()).collect()
    }

    /// Adds a node; the name is known to be free.
    pub(super) fn insert(
        &mut self,
        parent: NodeId,
        name: NodeName,
        body: Body,
        rule: Option<Rule<'_>>,
    ) -> Result<NodeId, OperationError> {
        let mime = match body {
            Body::Leaf(..) => rule.and_then(|rule| rule.ddf.mime()).map(String::from),
            Body::Interior(_) => None,
        };
        let node = Node {
            name,
            parent,
            body,
            properties: Properties { tstamp: self.now, mime, ..Properties::default() },
            instance: None,
            fold: rule.is_some_and(|rule| rule.fold),
        };
        self.check_quota(&node)?;
        let id = self.tree.link(node).ok_or_else(|| self.tree.full())?;
        self.undo.push(Undo::Added(id));
        if let Some(stamped) = &mut self.stamped {
            stamped.insert(id);
        }
        self.stamp(parent);
        self.note(id, ChangeKind::Added);
        self.touch(parent);
        Ok(id)
    }

    /// Replaces the value of a leaf, also by an equal one.
    pub(super) fn set_value(
        &mut self,
        id: NodeId,
        format: Format,
        value: Value,
    ) -> Result<(), OperationError> {
        let old = self.tree.arena.get(id).and_then(Node::value).map_or(0, Value::size);
        let needed = (self.tree.arena.bytes() + value.size()).saturating_sub(old);
        let limit = self.quota().bytes;
        if needed > limit && value.size() > old {
            return Err(OperationError::Full { needed, limit });
        }
        if let Some((format, value)) = self.tree.arena.set_leaf(id, format, value) {
            self.undo.push(Undo::Value(id, format, value));
            self.stamp(id);
            self.note(id, ChangeKind::Replaced);
            self.touch(id);
        }
        Ok(())
    }

    pub(super) fn set_mime(&mut self, id: NodeId, mime: &str) -> Result<(), OperationError> {
        self.set_properties(id, |properties| properties.mime = Some(mime.into())).map(drop)
    }

    /// Changes the properties of a node that do not follow from its value; says whether that made a difference.
    pub(super) fn set_properties(
        &mut self,
        id: NodeId,
        change: impl FnOnce(&mut Properties),
    ) -> Result<bool, OperationError> {
        let Some(node) = self.tree.arena.get(id) else { return Ok(false) };
        let old = node.properties.clone();
        let mut new = old.clone();
        change(&mut new);
        if new == old {
            return Ok(false);
        }
        let added = new.weight().saturating_sub(old.weight());
        let (needed, limit) = (self.tree.arena.bytes() + added, self.quota().bytes);
        if added > 0 && needed > limit {
            return Err(OperationError::Full { needed, limit });
        }
        self.tree.arena.set_properties(id, new);
        self.undo.push(Undo::Properties(id, Box::new(old)));
        Ok(true)
    }

    /// Gives a node another name, which no sibling has.
    pub(super) fn rename(&mut self, id: NodeId, name: NodeName) -> Result<(), OperationError> {
        let path = self.tree.path_of(id);
        let Some(node) = self.tree.arena.get(id) else { return Ok(()) };
        let (parent, added) = (node.parent, name.as_str().len().saturating_sub(node.name.as_str().len()));
        let (needed, limit) = (self.tree.arena.bytes() + added, self.quota().bytes);
        if added > 0 && needed > limit {
            return Err(OperationError::Full { needed, limit });
        }
        self.note(id, ChangeKind::Removed);
        let Some(name) = self.tree.rename(id, name) else { return Ok(()) };
        self.undo.push(Undo::Renamed { id, path, name });
        let moved: Vec<NodeId> = self.tree.subtree(id).collect();
        for id in moved {
            self.note(id, ChangeKind::Added);
        }
        for changed in [id, parent] {
            self.stamp(changed);
            self.touch(changed);
        }
        Ok(())
    }

    /// Removes a sub-tree.
    pub(super) fn detach(&mut self, top: NodeId) {
        let path = self.tree.path_of(top);
        let Some(parent) = self.tree.arena.get(top).map(|node| node.parent) else { return };
        self.note(top, ChangeKind::Removed);
        let instances = self.instances_below(top);
        let nodes = self.tree.unlink(top);
        self.undo.push(Undo::Removed { path, nodes, instances });
        self.stamp(parent);
        self.touch(parent);
    }

    /// Makes the node added last the root of an MO instance.
    pub(super) fn register(&mut self, root: NodeId, moid: &Moid, miid: &Miid) {
        let revision = self.next_revision();
        self.tree.register(root, Some((moid.clone(), miid.clone(), revision)));
        self.undo.push(Undo::Registered(root));
        if let Some((_, instance, _)) = self.changes.entries.last_mut() {
            *instance = Some((moid.clone(), miid.clone()));
        }
    }

    /// MO instances whose roots are at or below a node.
    pub(super) fn instances_below(&self, top: NodeId) -> Vec<Instance> {
        let here = self.tree.arena.get(top).filter(|node| node.instance.is_some());
        let here = here.and_then(|_| self.tree.instance_of_node(top));
        here.into_iter().chain(self.tree.nested_instances(top)).cloned().collect()
    }

    /// The bounds for whoever makes the change.
    pub(super) fn quota(&self) -> Quota {
        match &self.actor {
            Actor::Server(_) => self.tree.quota(),
            Actor::Bootstrap(_) | Actor::Device => self.tree.quota().with_reserve(),
        }
    }

    fn check_quota(&self, node: &Node) -> Result<(), OperationError> {
        let quota = self.quota();
        let full = |needed, limit| Err(OperationError::Full { needed, limit });
        let bytes = self.tree.arena.bytes() + node.weight();
        let depth = self.tree.depth_of(node.parent) + 1;
        let nodes = self.tree.arena.nodes() + 1;
        if nodes > quota.nodes {
            full(nodes, quota.nodes)
        } else if bytes > quota.bytes {
            full(bytes, quota.bytes)
        } else if depth > quota.depth {
            full(depth, quota.depth)
        } else {
            Ok(())
        }
    }

    /// TStamp and VerNo of a node that changed (`DM 1.3 TND`): 65535 is followed by 0. A command of DM 1.x counts once for
    /// each node.
    pub(super) fn stamp(&mut self, id: NodeId) {
        if self.stamped.as_mut().is_some_and(|stamped| !stamped.insert(id)) {
            return;
        }
        if let Some(node) = self.tree.arena.get_mut(id) {
            let properties = &mut node.properties;
            self.undo.push(Undo::Stamp(id, properties.tstamp, properties.ver_no));
            properties.tstamp = self.now;
            properties.ver_no = properties.ver_no.wrapping_add(1);
        }
    }

    /// A new revision for the MO instance that holds a changed node.
    pub(super) fn touch(&mut self, id: NodeId) {
        let Some((moid, miid)) =
            self.tree.instance_of_node(id).map(|instance| (instance.moid.clone(), instance.miid.clone()))
        else {
            return;
        };
        let revision = self.next_revision();
        let instances = self.tree.index.get_mut(&moid);
        if let Some(instance) = instances.and_then(|instances| instances.get_mut(&miid)) {
            let old = core::mem::replace(&mut instance.revision, revision);
            self.undo.push(Undo::Revision(moid, miid, old));
        }
    }

    fn next_revision(&mut self) -> u64 {
        self.tree.revision += 1;
        self.tree.revision
    }

    pub(super) fn note(&mut self, id: NodeId, kind: ChangeKind) {
        let path: NodePath = self.tree.path_of(id);
        let instance = self.tree.instance_of_node(id);
        let instance = instance.map(|instance| (instance.moid.clone(), instance.miid.clone()));
        self.changes.entries.push((path, instance, kind));
    }
}

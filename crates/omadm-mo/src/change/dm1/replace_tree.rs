//! Replace of a sub-tree by a TNDS document (`DM 1.3 TNDS`): what was there before and is not in the document goes.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::add::New;
use super::no_right;
use super::plan::{First, Planned, Shape, of_document};
use super::value::Before;
use crate::Change;
use crate::access::{Operation, Powers};
use crate::dm1::uri::address_of;
use crate::dm1::{Dm1Error, Dm1Uri, NewNode, Snapshot, UriLimits, node_type};
use crate::name::NodeName;
use crate::node::{Node, NodeId};
use crate::tree::arena::ROOT;
use crate::tree::children::Children;

impl Change<'_> {
    pub(super) fn replace_tree(&mut self, uri: &Dm1Uri, document: &Snapshot) -> Result<(), Dm1Error> {
        let operation = Operation::Replace;
        self.target(uri, operation)?;
        let top = self.tree.dm1_find_one(&self.actor, uri, operation)?;
        let target = self.tree.path_of(top);
        if !self.judge().allows(top, operation) {
            return Err(no_right(&target, operation));
        }
        if top == ROOT || (self.bound().is_some() && self.tree.is_inbox(top)) {
            let reason = "a document cannot take its place";
            return Err(Dm1Error::NotAllowed { address: address_of(&target), operation, reason });
        }
        let planned = of_document(&target, document, First::ByName)?;
        self.drop_unplanned(top, &planned)?;
        self.merge_planned(&planned, uri.limits())
    }

    /// Changes what is there to what is planned, and makes what is not.
    pub(super) fn merge_planned(&mut self, planned: &[Planned], limits: &UriLimits) -> Result<(), Dm1Error> {
        let mut new = New::new();
        let mut made = Vec::new();
        for node in planned {
            let id = match self.tree.dm1_walk(&node.path) {
                (id, []) if !new.contains(&id) => {
                    self.change_to(id, node)?;
                    id
                }
                _ => self.add_node(node, &mut new, limits)?,
            };
            made.push((id, node));
        }
        self.set_planned_acls(&made)
    }

    /// Deletes what is below a node and not planned. Nodes that cannot be deleted stay.
    fn drop_unplanned(&mut self, top: NodeId, planned: &[Planned]) -> Result<(), Dm1Error> {
        let mut wanted: BTreeSet<&[NodeName]> = BTreeSet::new();
        let mut leaves: BTreeSet<&[NodeName]> = BTreeSet::new();
        for node in planned {
            wanted.extend((0..=node.path.len()).filter_map(|to| node.path.get(..to)));
            leaves.extend(node.is_leaf().then_some(node.path.as_slice()));
        }
        let mut pending = alloc::vec![top];
        let mut extra = Vec::new();
        while let Some(id) = pending.pop() {
            let path = self.tree.path_of(id);
            let of_other_kind = self.tree.arena.get(id).is_some_and(|node| {
                wanted.contains(path.as_slice()) && leaves.contains(path.as_slice()) != node.is_leaf()
            });
            let goes = of_other_kind || !wanted.contains(path.as_slice());
            if goes && id != top && !self.stays(id) {
                extra.push(id);
                continue;
            }
            let children = self.tree.arena.get(id).and_then(Node::children);
            pending.extend(children.into_iter().flat_map(Children::iter));
        }
        for id in extra {
            if let Some(lacking) = self.judge().undeletable(id) {
                return Err(no_right(&self.tree.path_of(lacking), Operation::Delete));
            }
            self.take_away(id);
        }
        Ok(())
    }

    /// Whether a node stays although a document lacks it: the device cannot be without it.
    fn stays(&self, id: NodeId) -> bool {
        self.is_permanent(id) || self.is_kept_from_server(id) || self.holds_permanent(id)
    }

    /// Changes a node that is there to what is planned.
    fn change_to(&mut self, id: NodeId, planned: &Planned) -> Result<(), Dm1Error> {
        let (address, operation) = (address_of(&planned.path), Operation::Replace);
        let not_allowed = |reason| Dm1Error::NotAllowed { address: address.clone(), operation, reason };
        let Some(node) = self.tree.arena.get(id) else { return Ok(()) };
        match &planned.shape {
            Shape::Interior(kind) => {
                if node.is_leaf() {
                    return Err(not_allowed("a leaf does not become an interior node"));
                }
                if kind.as_deref().is_some_and(|kind| node_type(node) != Some(kind)) {
                    return Err(not_allowed("the type of an interior node stays"));
                }
            }
            Shape::Leaf(_) if !node.is_leaf() => {
                return Err(not_allowed("an interior node does not become a leaf"));
            }
            Shape::Leaf(leaf) if self.holds(id, leaf)? => {}
            Shape::Leaf(leaf) => {
                self.check_changeable(id)?;
                self.put_value(id, leaf)?;
            }
        }
        let title = self.tree.arena.get(id).map(|node| node.properties.title.clone()).unwrap_or_default();
        match &planned.title {
            Some(wanted) if *wanted != title.unwrap_or_default() => {
                self.check_replaceable(id)?;
                self.put_title(id, wanted)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a leaf holds already what a document has for it. Only who may read it is told so.
    fn holds(&mut self, id: NodeId, new: &NewNode) -> Result<bool, Dm1Error> {
        let reads = self.judge().at(id).powers.contains(Powers::GET) && self.tree.dm1_access(id).get;
        let Some(format) = self.leaf_format(id).filter(|_| reads || self.bound().is_none()) else {
            return Ok(false);
        };
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, id);
        let address = self.tree.dm1_address(id);
        let leaf = self.leaf_of(&address, rule, Before::Leaf(format), new)?;
        let node = self.tree.arena.get(id);
        Ok(node.is_some_and(|node| {
            let same_type = leaf.mime.as_deref().is_none_or(|mime| node_type(node) == Some(mime));
            node.format() == leaf.format && node.value() == Some(&leaf.value) && same_type
        }))
    }

    /// The server may replace a leaf within a document: in effect it deletes and adds, so that either access type will do.
    fn check_changeable(&self, id: NodeId) -> Result<(), Dm1Error> {
        let (path, operation) = (self.tree.path_of(id), Operation::Replace);
        if !self.judge().allows(id, operation) || self.is_kept_from_server(id) {
            return Err(no_right(&path, operation));
        }
        let access = self.tree.dm1_access(id);
        if self.bound().is_some() && !access.replace && !access.add {
            let reason = "no access type Replace";
            return Err(Dm1Error::NotAllowed { address: address_of(&path), operation, reason });
        }
        Ok(())
    }
}

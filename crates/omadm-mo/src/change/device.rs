//! What the device itself and its plug-ins do: structure and format hold, rights and access types do not.

use alloc::string::ToString;
use alloc::sync::Arc;

use super::Change;
use super::write::{Below, Policy};
use crate::content::Content;
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName};
use crate::node::{Node, NodeId};
use crate::tree::arena::ROOT;
use crate::value::Value;
use crate::well_known;

impl Change<'_> {
    /// Creates an instance with `content` below its root (missing required nodes get their defaults), by the device.
    /// Nobody gets rights on it: [`Change::grant`] gives them.
    ///
    /// # Errors
    /// `UnknownMoid`, `BadData` (also when the MIID is taken or the definition allows no more instances), `Full`.
    pub fn create_instance(
        &mut self,
        moid: &Moid,
        miid: &Miid,
        content: Content,
    ) -> Result<NodeId, OperationError> {
        let definition = self.definition(moid)?;
        let bad = |reason: &str| {
            Err(OperationError::BadData { address: moid.to_string(), reason: reason.to_string() })
        };
        if self.tree.instance(moid, miid).is_some() {
            return bad("the MIID is taken");
        }
        let limit = definition.root.occurrence.limit();
        if limit.is_some_and(|limit| self.tree.instances_of(moid).count() >= limit) {
            return bad("the definition allows no more instances");
        }
        let mark = self.mark();
        self.attempt(|change| {
            let root = change.make_instance(&definition, miid, content, Policy::DEVICE)?;
            match moid.as_str() {
                well_known::DMACC => change.tree.check_account(root)?,
                well_known::DACMO => change.settle_entries(&super::entries::Entries::new(), mark)?,
                _ => {}
            }
            Ok(root)
        })
    }
    /// Sets a leaf, by the device; no entry in the change set when the value is the same.
    ///
    /// # Errors
    /// `NotFound`, `BadData`, `Full`.
    pub fn set(&mut self, leaf: NodeId, value: Value) -> Result<(), OperationError> {
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, leaf);
        let node = self.tree.node(leaf).ok_or_else(stale)?;
        let current = node.format();
        if !current.is_leaf() {
            return Err(self.bad(leaf, "a value for an interior node"));
        }
        self.attempt(|change| {
            let conformed = change.conform(rule, Some(current), value);
            let (format, value) = conformed.map_err(|reason| change.bad(leaf, &reason))?;
            let same = change.tree.arena.get(leaf).and_then(Node::value) == Some(&value);
            if same && format == current {
                return Ok(());
            }
            change.within(leaf, |change| change.set_value(leaf, format, value))
        })
    }
    /// Adds a child, by the device.
    ///
    /// # Errors
    /// `NotFound`, `BadData`, `Full`.
    pub fn add(&mut self, parent: NodeId, name: &str, content: Content) -> Result<NodeId, OperationError> {
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, parent);
        let node = self.tree.node(parent).ok_or_else(stale)?;
        if node.format().is_leaf() {
            return Err(self.bad(parent, "children for a leaf"));
        }
        let name = NodeName::parse(name)?;
        if self.child_of(parent, &name).is_some() {
            return Err(self.bad_child(parent, &name, "there is such a node already"));
        }
        let below = Below::of(rule);
        self.attempt(|change| {
            change.within(parent, |change| {
                let child = change.create(parent, below, name, content, Policy::DEVICE, false)?;
                change.check_occurrence(parent, below, Policy::DEVICE)?;
                Ok(child)
            })
        })
    }
    /// Removes a node with all below it, by the device; of an MO root also its access entries.
    ///
    /// # Errors
    /// `NotFound`; `BadData` for the root of the tree, and for what a DM Account cannot be without.
    pub fn remove(&mut self, node: NodeId) -> Result<(), OperationError> {
        let parent = self.tree.arena.get(node).ok_or_else(stale)?.parent;
        if node == ROOT {
            return Err(self.bad(node, "the root of the tree stays"));
        }
        self.attempt(|change| {
            change.within(parent, |change| {
                change.take_away(node);
                Ok(())
            })
        })
    }
}

/// A handle of a node that is not there any more.
fn stale() -> OperationError {
    OperationError::NotFound { address: "a removed node".to_string() }
}

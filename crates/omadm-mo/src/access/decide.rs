//! The one decision whether an actor may do something (`DM 2.0 §6.3.1.1`): MOID known, MOID provisioned, address matches,
//! rights on all nodes involved, and last what the definition allows.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::dac::Grants;
use super::{Actor, Judge, Operation, Powers, Rights};
use crate::client_uri::ClientUri;
use crate::ddf::{Rule, Scope};
use crate::error::OperationError;
use crate::node::NodeId;
use crate::resolve::Found;
use crate::tree::{Instance, Tree};
use crate::well_known;

impl Tree {
    /// Resolves an address and checks that `actor` may do `operation` on what it matches (for Get: Read right on all nodes
    /// below as well, those without Get in the DDF and below the level that is asked for left aside; for Delete: on all
    /// nodes below).
    ///
    /// # Errors
    /// As [`Tree::resolve`], and `NoRight`, `NotInDefinition`, `NotAllowed`, `WildcardNotAllowed` (only Get and Delete take
    /// wildcards).
    pub fn authorise(
        &self,
        actor: &Actor,
        uri: &ClientUri,
        operation: Operation,
    ) -> Result<Vec<Found>, OperationError> {
        if uri.has_wildcard() && !matches!(operation, Operation::Get | Operation::Delete) {
            return Err(OperationError::WildcardNotAllowed { address: uri.to_string() });
        }
        let found = self.resolve(actor, uri)?;
        if matches!(actor, Actor::Server(_)) {
            let judge = Judge::new(self, actor);
            if operation == Operation::Delete {
                self.check_deletable(&judge, &found)?;
            }
            for found in &found {
                self.check_rights(&judge, *found, operation, uri.query.level())?;
            }
            for found in &found {
                self.check_definition(found.node, operation)?;
            }
            if operation == Operation::Delete {
                self.check_remainder(&found)?;
            }
        }
        Ok(found)
    }

    /// An attempt to delete what the definition never lets go is not allowed, whatever the rights (`DM 2.0 §6.3.1.2`). Only a
    /// server without any right on the instance is not told so.
    fn check_deletable(&self, judge: &Judge<'_>, found: &[Found]) -> Result<(), OperationError> {
        let knows = |found: &&Found| {
            self.instance_of_node(found.node).is_some_and(|instance| match instance.moid.as_str() {
                // Its entries have rights of their own, and its root is for every server that has an account.
                well_known::DACMO => judge
                    .authority()
                    .is_some_and(|authority| self.rights(authority, instance.root) != Rights::NONE),
                _ => !judge.grants(instance).anywhere().is_none(),
            })
        };
        found.iter().filter(knows).try_for_each(|found| self.check_definition(found.node, Operation::Delete))
    }

    /// The server has the right on all nodes that the operation involves.
    pub(crate) fn check_rights(
        &self,
        judge: &Judge<'_>,
        found: Found,
        operation: Operation,
        level: Option<u32>,
    ) -> Result<(), OperationError> {
        let refused = |id| OperationError::NoRight { operation, address: self.describe(id) };
        let Some((authority, instance)) = judge.authority().zip(self.instance_of_node(found.node)) else {
            return Err(refused(found.node));
        };
        if instance.moid.as_str() == well_known::DACMO {
            let held = self.rights(authority, found.node).contains(operation.right());
            return if held { Ok(()) } else { Err(refused(found.node)) };
        }
        let grants = judge.grants(instance);
        let needed = self.needed(operation, found.node);
        let guarded = operation == Operation::Delete && self.deletes_guarded(instance, found.node);
        if guarded || !grants.at(self, found.node).contains(needed) {
            return Err(refused(found.node));
        }
        if operation == Operation::Exec {
            return Ok(());
        }
        let involved = |anchor| operation != Operation::Get || self.is_read_with(found.node, anchor, level);
        let mut lacking = self.lacking_below(&grants, instance, found.node, needed, &involved);
        if operation == Operation::Delete {
            // DM 1.x trees may hold one MO inside another: what is inside goes as well, by its own entries.
            lacking = lacking.or_else(|| {
                self.nested_instances(found.node).find_map(|nested| {
                    self.lacking_below(&judge.grants(nested), nested, found.node, needed, &|_| true)
                })
            });
        }
        lacking.map_or(Ok(()), |id| Err(refused(id)))
    }

    /// What an operation takes on a node. To replace what is in an interior node is to delete and to add.
    fn needed(&self, operation: Operation, id: NodeId) -> Powers {
        let replaces_all =
            operation == Operation::Replace && self.arena.get(id).is_some_and(|node| !node.is_leaf());
        if replaces_all { Powers::WRITES } else { Powers::of(operation) }
    }

    /// A node below `top` at which other entries take over and do not give what is needed.
    fn lacking_below(
        &self,
        grants: &Grants,
        instance: &Instance,
        top: NodeId,
        needed: Powers,
        involved: &dyn Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        if self.is_below(instance.root, top) && !grants.at(self, instance.root).contains(needed) {
            return Some(instance.root);
        }
        let mut lacking = grants.anchors().filter(|(_, powers)| !powers.contains(needed)).map(|(id, _)| id);
        lacking.find(|id| self.is_below(*id, top) && involved(*id))
    }

    /// Whether a node is below `top`.
    pub(crate) fn is_below(&self, id: NodeId, top: NodeId) -> bool {
        id != top && self.ancestry(id).any(|(at, _)| at == top)
    }

    /// MO instances whose roots are below `top`.
    pub(crate) fn nested_instances(&self, top: NodeId) -> impl Iterator<Item = &Instance> {
        let below = self.subtree(top).filter(move |id| *id != top);
        below.filter_map(|id| {
            let (moid, miid) = self.arena.get(id)?.instance.as_ref()?;
            self.instance(moid, miid)
        })
    }

    /// Whether reading `top` down to `level` includes a node below it.
    fn is_read_with(&self, top: NodeId, below: NodeId, level: Option<u32>) -> bool {
        let between: Vec<NodeId> =
            self.ancestry(below).map(|(id, _)| id).take_while(|id| *id != top).collect();
        let within =
            level.and_then(|level| usize::try_from(level).ok()).is_none_or(|level| between.len() <= level);
        within && between.iter().all(|id| self.access_of(*id).get)
    }

    /// Whether a part of an account goes that only a bootstrap writes; the account as a whole may go.
    pub(crate) fn deletes_guarded(&self, instance: &Instance, id: NodeId) -> bool {
        let in_account = instance.moid.as_str() == well_known::DMACC && id != instance.root;
        in_account && self.is_guarded(instance.root, id)
    }

    /// The definition allows the operation on this node.
    pub(crate) fn check_definition(&self, id: NodeId, operation: Operation) -> Result<(), OperationError> {
        let rule = self.rule_of(id);
        let access = self.access_of(id);
        let permanent = rule.is_some_and(|rule| rule.ddf.scope == Scope::Permanent);
        let address = || self.describe(id);
        let (allowed, reason) = match operation {
            Operation::Get => (access.get, "no access type Get"),
            Operation::Add => (access.add, "no access type Add"),
            Operation::Replace => (access.replace, "no access type Replace"),
            Operation::Exec => (access.exec, "no access type Exec"),
            Operation::Delete if permanent => (false, "the node is permanent"),
            Operation::Delete => (access.delete, "no access type Delete"),
            Operation::Delegate => (true, ""),
        };
        match operation {
            _ if allowed => Ok(()),
            Operation::Exec | Operation::Delete => {
                Err(OperationError::NotAllowed { operation, address: address(), reason })
            }
            _ => Err(OperationError::NotInDefinition { operation, address: address(), reason }),
        }
    }

    /// Of nodes that the definition demands, at least one stays when these are removed.
    fn check_remainder(&self, removed: &[Found]) -> Result<(), OperationError> {
        let going: BTreeSet<NodeId> = removed.iter().map(|found| found.node).collect();
        let mut checked = BTreeSet::new();
        for found in removed {
            let Some(rule) = self.rule_of(found.node).filter(|rule| rule.ddf.occurrence.is_required()) else {
                continue;
            };
            let parent = self.arena.get(found.node).map(|node| node.parent);
            // All matches under one parent by one rule stand or fall together.
            if !checked.insert((parent, core::ptr::from_ref(rule.ddf))) {
                continue;
            }
            let stays = if found.node == found.instance_root {
                let moid = self.instance_of_node(found.node).map(|instance| &instance.moid);
                moid.is_some_and(|moid| {
                    self.instances_of(moid).any(|instance| !going.contains(&instance.root))
                })
            } else {
                parent.is_some_and(|parent| self.others_stay(parent, rule, &going))
            };
            if !stays {
                return Err(OperationError::NotAllowed {
                    operation: Operation::Delete,
                    address: self.describe(found.node),
                    reason: "the definition demands that one is there",
                });
            }
        }
        Ok(())
    }

    fn others_stay(&self, parent: NodeId, rule: Rule<'_>, going: &BTreeSet<NodeId>) -> bool {
        let mut siblings = self.node(parent).into_iter().flat_map(|parent| parent.children());
        siblings.any(|sibling| {
            !going.contains(&sibling.id()) && self.rule_of(sibling.id()).is_some_and(|other| other.is(rule))
        })
    }
}

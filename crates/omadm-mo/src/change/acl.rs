//! The ACL property and the entries of the Delegation Access Control MO kept one (see [`crate::access`]).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Change, ChangeKind};
use crate::access::acl::can_name;
use crate::access::dac::Group;
use crate::access::{Acl, Authority, Powers, Rights};
use crate::client_uri::path_from_root;
use crate::error::OperationError;
use crate::name::NodeName;
use crate::node::NodeId;
use crate::tree::Instance;
use crate::value::Value;

impl Change<'_> {
    /// Gives a node an ACL of its own, or none, and writes the access right entries that stand for it.
    pub(super) fn set_acl(&mut self, id: NodeId, acl: &Acl) -> Result<(), OperationError> {
        let text = (!acl.is_empty()).then(|| acl.to_string());
        self.set_properties(id, |properties| properties.acl = text)?;
        self.stamp(id);
        self.note(id, ChangeKind::Replaced);
        self.touch(id);
        let Some(instance) = self.tree.governed(id).cloned() else { return Ok(()) };
        let path = self.tree.names_below(instance.root, id);
        let interior = self.tree.arena.get(id).is_some_and(|node| !node.is_leaf());
        let entries: Vec<(Authority, Rights)> =
            acl.entries(interior).map(|(holder, rights)| (holder.clone(), rights)).collect();
        self.put_entries(&instance, &path, entries)
    }

    /// Replaces the entries for a place in an instance by those of an ACL. Whom an ACL cannot name keeps what it has, unless
    /// the ACL goes.
    fn put_entries(
        &mut self,
        instance: &Instance,
        path: &[NodeName],
        mut entries: Vec<(Authority, Rights)>,
    ) -> Result<(), OperationError> {
        let groups = self.groups_at(instance, path);
        if !entries.is_empty() {
            let kept = groups.iter().flat_map(|(_, group)| &group.entries);
            entries.extend(kept.filter(|(holder, _)| !can_name(holder)).cloned());
        }
        for (node, _) in groups {
            self.detach(node);
        }
        for (holder, rights) in entries {
            self.put_entry(&instance.moid, &instance.miid, path, &holder, rights)?;
        }
        self.prune_entries(instance);
        Ok(())
    }

    /// The groups of entries for one place, with their nodes.
    fn groups_at(&self, instance: &Instance, path: &[NodeName]) -> Vec<(NodeId, Group)> {
        let nodes = self.tree.entry_node(instance).into_iter().flat_map(|node| node.children());
        let groups = nodes.filter_map(|node| Some((node.id(), self.tree.group(node).ok()?)));
        groups.filter(|(_, group)| group.path == path).collect()
    }

    /// Entries that stand for the ACLs of nodes go with the nodes.
    pub(super) fn remove_acl_entries(&mut self, top: NodeId) {
        let Some(instance) = self.tree.governed(top).filter(|instance| instance.root != top).cloned() else {
            return;
        };
        let with_acl =
            |id: &NodeId| self.tree.arena.get(*id).is_some_and(|node| node.properties.acl.is_some());
        let inside = |id: &NodeId| self.tree.instance_root(*id) == Some(instance.root);
        let paths: Vec<_> = self
            .tree
            .subtree(top)
            .filter(|id| with_acl(id) && inside(id))
            .map(|id| self.tree.names_below(instance.root, id))
            .collect();
        for path in paths {
            for (node, _) in self.groups_at(&instance, &path) {
                self.detach(node);
            }
        }
        self.prune_entries(&instance);
    }

    /// The entries for what is at and below a renamed node get its new path.
    pub(super) fn move_entries(&mut self, id: NodeId, old: &[NodeName]) -> Result<(), OperationError> {
        let Some(instance) = self.tree.governed(id).filter(|instance| instance.root != id).cloned() else {
            return Ok(());
        };
        let new = self.tree.names_below(instance.root, id);
        let nodes = self.tree.entry_node(&instance).into_iter().flat_map(|node| node.children());
        let moved: Vec<(NodeId, Value)> = nodes
            .filter_map(|node| {
                let group = self.tree.group(node).ok()?;
                let below = group.path.strip_prefix(old)?;
                Some((node.child("Path")?.id(), Value::Text(path_from_root(&[&new, below].concat()))))
            })
            .collect();
        for (leaf, path) in moved {
            self.set_value(leaf, crate::Format::Chr, path)?;
        }
        Ok(())
    }

    /// Takes from the ACLs in an instance what its entries give no more. What is left of an ACL only says how the right Write is
    /// split.
    pub(super) fn settle_acls(&mut self, instance: &Instance) -> Result<(), OperationError> {
        let own = |id: NodeId| {
            let acl = Acl::written(self.tree.arena.get(id)?)?;
            (self.tree.instance_root(id) == Some(instance.root)).then_some((id, acl))
        };
        let written: Vec<(NodeId, Acl)> = self.tree.subtree(instance.root).filter_map(own).collect();
        if written.is_empty() {
            return Ok(());
        }
        let groups = self.tree.groups(instance)?;
        for (id, acl) in written {
            let path = self.tree.names_below(instance.root, id);
            let entries: Vec<_> =
                groups.iter().filter(|group| group.path == path).flat_map(|group| &group.entries).collect();
            let left = acl.within(|holder| {
                let held = entries.iter().filter(|(other, _)| other == holder);
                let rights = held.fold(Rights::NONE, |sum, (_, rights)| sum.union(*rights));
                Powers::from_rights(rights, Powers::WRITES)
            });
            let text = (!left.is_empty()).then(|| left.to_string());
            if self.set_properties(id, |properties| properties.acl = text)? {
                self.stamp(id);
                self.note(id, ChangeKind::Replaced);
            }
        }
        Ok(())
    }

    /// Nodes about an instance for which there are no entries left go.
    fn prune_entries(&mut self, instance: &Instance) {
        let empty = self.tree.entry_node(instance).is_some_and(|node| node.children().next().is_none());
        if empty {
            self.remove_entries(instance);
        }
    }
}

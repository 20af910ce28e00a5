//! Writing the entries of the Delegation Access Control MO (`DM 2.0 §12.3`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Change;
use super::edit::Mark;
use super::write::{Below, Policy};
use crate::access::dac::{Grants, Group, entry_name};
use crate::access::{Actor, Authority, Judge, Operation, Rights};
use crate::alias::Departure;
use crate::client_uri::{path_from_root, path_names};
use crate::content::Content;
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName, ServerId};
use crate::node::{NodeId, NodeRef};
use crate::tree::Instance;
use crate::value::Value;
use crate::well_known;

/// All entries by the names of their `<MOID>` and `<MIID>` nodes.
pub(super) type Entries = BTreeMap<(NodeName, NodeName), Vec<Group>>;

/// MIID of the Delegation Access Control MO.
const MIID: &str = "dac";

impl Change<'_> {
    /// Sets the rights of an authority on a sub-tree (`path` as in the Path node, `/` for the whole instance), by the device.
    ///
    /// # Errors
    /// `UnknownMoid` (also when the catalogue has no Delegation Access Control MO), `NotFound`, `BadAccessEntry`, `Full`.
    pub fn grant(
        &mut self,
        moid: &Moid,
        miid: &Miid,
        path: &str,
        authority: &Authority,
        rights: Rights,
    ) -> Result<(), OperationError> {
        let names = path_names(path)
            .map_err(|_| OperationError::BadAccessEntry { reason: "Path is not a path from the MO root" })?;
        if !self.tree.knows(moid.as_str()) {
            return Err(OperationError::UnknownMoid { moid: moid.to_string() });
        }
        if !self.tree.controls_access() {
            return Err(OperationError::UnknownMoid { moid: well_known::DACMO.to_string() });
        }
        if self.tree.instance(moid, miid).is_none() {
            let address = crate::ClientUri::concrete(moid.clone(), miid.clone(), Vec::new()).to_string();
            return Err(OperationError::NotFound { address });
        }
        self.attempt(|change| {
            change.put_entry(moid, miid, &names, authority, rights)?;
            match change.tree.instance(moid, miid).cloned() {
                Some(instance) => change.settle_acls(&instance),
                None => Ok(()),
            }
        })
    }

    /// Sets one entry, if the device has the mechanism.
    pub(super) fn put_entry(
        &mut self,
        moid: &Moid,
        miid: &Miid,
        path: &[NodeName],
        authority: &Authority,
        rights: Rights,
    ) -> Result<(), OperationError> {
        if !self.tree.controls_access() {
            return Ok(());
        }
        let root = self.access_root()?;
        let name = entry_name(moid)
            .ok_or(OperationError::BadAccessEntry { reason: "the MOID is too long for a node name" })?;
        let node = self.child_or_new(root, name)?;
        let node = self.child_or_new(node, NodeName::from(miid))?;
        let group = self.tree.node(node).and_then(|node| self.group_for(node, path));
        let entry = interior([
            ("MAID", Content::Leaf(Value::Text(authority.to_string()))),
            ("AR", Content::Leaf(Value::Int(rights.ar().into()))),
        ])?;
        let Some(group) = group else {
            let mut content = Vec::new();
            if !path.is_empty() {
                content.push(("Path", Content::Leaf(Value::Text(path_from_root(path)))));
            }
            content.push(("Permissions", interior([("1", entry)])?));
            let name = self.next_name(node)?;
            return self.add_entry_node(node, name, interior(content)?).map(drop);
        };
        let permissions = self.child_or_new(group, NodeName::parse("Permissions")?)?;
        match self.tree.node(permissions).and_then(|permissions| right_leaf(permissions, authority)) {
            Some(leaf) => {
                let value = Value::Int(rights.ar().into());
                let node = self.tree.node(leaf);
                if node.and_then(|leaf| leaf.value()) == Some(&value) {
                    return Ok(());
                }
                self.set_value(leaf, crate::Format::Int, value)
            }
            None => {
                let name = self.next_name(permissions)?;
                self.add_entry_node(permissions, name, entry).map(drop)
            }
        }
    }

    /// Removes all entries of an instance.
    pub(super) fn remove_entries(&mut self, instance: &Instance) {
        let Some(node) = self.tree.entry_node(instance) else { return };
        let (id, moid_node) = (node.id(), node.node.parent);
        self.detach(id);
        if self.tree.node(moid_node).is_some_and(|node| node.children().next().is_none()) {
            self.detach(moid_node);
        }
    }

    /// All entries, each checked.
    ///
    /// # Errors
    /// `BadAccessEntry`.
    pub(super) fn all_entries(&self) -> Result<Entries, OperationError> {
        let mut entries = Entries::new();
        for moid in self.tree.access_root().into_iter().flat_map(|root| root.children()) {
            for miid in moid.children() {
                let groups: Result<Vec<Group>, _> =
                    miid.children().map(|group| self.tree.group(group)).collect();
                entries.insert((moid.name().clone(), miid.name().clone()), groups?);
            }
        }
        Ok(entries)
    }

    /// Checks what a write did to the entries: they are legal, and a server changed only those of sub-trees that it may
    /// delegate, in favour of servers that provisioned the MOID (`DM 2.0 §6.3.1.1, §12.3`).
    ///
    /// # Errors
    /// `BadAccessEntry`, `NoRight`.
    pub(super) fn settle_entries(&mut self, before: &Entries, since: Mark) -> Result<(), OperationError> {
        let after = self.all_entries()?;
        if let Actor::Server(server) = &self.actor {
            let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let none = Vec::new();
                let old = before.get(key).unwrap_or(&none);
                let new = after.get(key).unwrap_or(&none);
                self.check_delegation(server, key, old, new)?;
            }
        }
        self.normalise_authorities()?;
        for instance in self.subjects_since(since) {
            self.settle_acls(&instance)?;
        }
        Ok(())
    }

    /// The MO instances whose entries changed since `mark`.
    fn subjects_since(&self, mark: Mark) -> Vec<Instance> {
        let depth = self.tree.access_root().map_or(0, |root| root.path().len());
        let changed = self.changes.entries.iter().skip(mark.entries);
        let about = changed.filter_map(|(path, instance, _)| {
            let (moid, _) = instance.as_ref()?;
            (moid.as_str() == well_known::DACMO).then(|| path.get(depth..))?
        });
        let keys: BTreeSet<&[NodeName]> = about.map(|names| names.get(..2).unwrap_or_default()).collect();
        if keys.iter().any(|names| names.is_empty()) {
            return self.tree.instances().cloned().collect();
        }
        keys.into_iter().filter_map(|names| self.tree.entry_subject(names).cloned()).collect()
    }

    /// A server adds no `<MOID>` node without entries: it would be about nothing, so no right would guard it.
    ///
    /// # Errors
    /// `BadAccessEntry`.
    pub(super) fn check_new_moids(&self, root: NodeId, mark: Mark) -> Result<(), OperationError> {
        let added = self.added_since(mark);
        let mut moids = added.into_iter().filter_map(|id| self.tree.node(id));
        if moids.any(|moid| moid.node.parent == root && moid.children().next().is_none()) {
            return Err(OperationError::BadAccessEntry { reason: "a MOID without entries" });
        }
        Ok(())
    }

    fn check_delegation(
        &self,
        server: &ServerId,
        key: &(NodeName, NodeName),
        old: &[Group],
        new: &[Group],
    ) -> Result<(), OperationError> {
        let (old_sums, new_sums) = (sums(old), sums(new));
        if old_sums == new_sums {
            return Ok(());
        }
        let refused = |address| OperationError::NoRight { operation: Operation::Delegate, address };
        let Some(subject) = self.tree.entry_subject(&[key.0.clone(), key.1.clone()]) else {
            return Err(refused(key.0.to_string() + "/" + key.1.as_str()));
        };
        let grants = Grants::new(self.tree, subject.root, old, &Authority::Server(server.clone()));
        let judge = Judge::new(self.tree, &self.actor);
        let paths: BTreeSet<_> = old_sums.keys().chain(new_sums.keys()).collect();
        for path in paths.into_iter().filter(|path| old_sums.get(*path) != new_sums.get(*path)) {
            let place = self.tree.deepest(subject.root, path);
            if !judge.may_delegate(place, grants.at(self.tree, place)) {
                return Err(refused(self.tree.describe(place)));
            }
            let given = new_sums.get(path).into_iter().flatten();
            for (authority, rights) in given {
                // To take rights away is no delegation.
                let held = old_sums.get(path).and_then(|old| old.get(authority)).copied().unwrap_or_default();
                let entitled = match authority {
                    Authority::Server(to) => self.tree.provisioned(to, &subject.moid),
                    Authority::Application(_) | Authority::Everyone => true,
                };
                if !held.contains(*rights) && !entitled {
                    return Err(refused(self.tree.describe(place)));
                }
            }
        }
        Ok(())
    }

    /// Gives every MAID its prefix, so that none is sent without.
    fn normalise_authorities(&mut self) -> Result<(), OperationError> {
        let Some(root) = self.tree.access_root() else { return Ok(()) };
        let groups = root.children().flat_map(|moid| moid.children()).flat_map(|miid| miid.children());
        let entries = groups
            .filter_map(|group| group.child("Permissions"))
            .flat_map(|permissions| permissions.children());
        let bare: Vec<(NodeId, Value)> = entries
            .filter_map(|entry| {
                let maid = entry.child("MAID")?;
                let Value::Text(text) = maid.value()? else { return None };
                let full = Authority::parse(text, true)?.to_string();
                (full != *text).then(|| (maid.id(), Value::Text(full)))
            })
            .collect();
        if !bare.is_empty() {
            self.depart(Departure::BareAuthority);
        }
        for (leaf, value) in bare {
            self.set_value(leaf, crate::Format::Chr, value)?;
        }
        Ok(())
    }

    /// The root of the Delegation Access Control MO, made when there is none.
    fn access_root(&mut self) -> Result<NodeId, OperationError> {
        if let Some(root) = self.tree.access_root() {
            return Ok(root.id());
        }
        let definition = self.definition(&Moid::parse(well_known::DACMO)?)?;
        self.make_instance(&definition, &Miid::parse(MIID)?, Content::empty(), Policy::DEVICE)
    }

    /// The `<x>` node for a Path.
    fn group_for(&self, node: NodeRef<'_>, path: &[NodeName]) -> Option<NodeId> {
        let mut groups = node.children();
        let found = groups.find(|group| self.tree.group(*group).is_ok_and(|group| group.path == path));
        found.map(|group| group.id())
    }

    fn child_or_new(&mut self, parent: NodeId, name: NodeName) -> Result<NodeId, OperationError> {
        match self.child_of(parent, &name) {
            Some(child) => Ok(child),
            None => self.add_entry_node(parent, name, Content::empty()),
        }
    }

    fn add_entry_node(
        &mut self,
        parent: NodeId,
        name: NodeName,
        content: Content,
    ) -> Result<NodeId, OperationError> {
        let catalogue = Arc::clone(self.tree.catalogue());
        let below = Below::of(self.tree.rule_in(&catalogue, parent));
        self.create(parent, below, name, content, Policy::DEVICE, true)
    }

    /// The lowest number that is not yet a child's name.
    fn next_name(&self, parent: NodeId) -> Result<NodeName, OperationError> {
        let children = self.tree.node(parent).map_or(0, |parent| parent.children().count());
        for number in 1..=children + 1 {
            let name = NodeName::parse(&number.to_string())?;
            if self.child_of(parent, &name).is_none() {
                return Ok(name);
            }
        }
        Err(self.tree.full())
    }
}

/// What every Path gives to every authority, whatever the order and number of entries.
fn sums(groups: &[Group]) -> BTreeMap<&[NodeName], BTreeMap<&Authority, Rights>> {
    let mut sums: BTreeMap<&[NodeName], BTreeMap<&Authority, Rights>> = BTreeMap::new();
    for group in groups {
        let sum = sums.entry(group.path.as_slice()).or_default();
        for (authority, rights) in &group.entries {
            let held = sum.entry(authority).or_default();
            *held = held.union(*rights);
        }
    }
    sums
}

/// The AR leaf of the entry for an authority.
fn right_leaf(permissions: NodeRef<'_>, authority: &Authority) -> Option<NodeId> {
    let wanted = Value::Text(authority.to_string());
    let mut entries = permissions.children();
    let entry = entries.find(|entry| entry.child("MAID").and_then(|maid| maid.value()) == Some(&wanted))?;
    entry.child("AR").map(|leaf| leaf.id())
}

fn interior<'n>(children: impl IntoIterator<Item = (&'n str, Content)>) -> Result<Content, OperationError> {
    let children: Result<Vec<_>, OperationError> =
        children.into_iter().map(|(name, content)| Ok((NodeName::parse(name)?, content))).collect();
    Ok(Content::Interior(children?))
}

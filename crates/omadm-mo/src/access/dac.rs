//! The Delegation Access Control MO (`DM 2.0 §12.3`) as the source of rights: `<MOID>/<MIID>/<x>/{Path, Permissions}`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::account::text_of;
use super::acl::{can_name, with_delegate};
use super::{Acl, Actor, Authority, Judge, Powers, Rights};
use crate::client_uri::path_names;
use crate::error::OperationError;
use crate::name::{Moid, NodeName, ServerId};
use crate::node::{Node, NodeId, NodeRef};
use crate::tree::{Instance, Tree};
use crate::value::Value;
use crate::well_known;

/// The entries for one sub-tree of one MO instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// From the MO root to the top of the sub-tree.
    pub(crate) path: Vec<NodeName>,
    /// In the order of their nodes.
    pub(crate) entries: Vec<(Authority, Rights)>,
}

/// What one authority may do where in one MO instance.
#[derive(Debug)]
pub(crate) enum Grants {
    /// The same everywhere.
    Uniform(Powers),
    /// At these nodes and below; the most specific node alone decides.
    ByNode { authority: Authority, root: NodeId, anchors: BTreeMap<NodeId, Powers> },
}

impl Grants {
    /// What `groups` give to `authority`, as finely as the ACLs of their nodes tell. A group whose Path leads nowhere has no
    /// effect.
    pub(crate) fn new(tree: &Tree, root: NodeId, groups: &[Group], authority: &Authority) -> Self {
        let mut anchors: BTreeMap<NodeId, Powers> = BTreeMap::new();
        for group in groups {
            let Some((anchor, node)) = group.anchor(tree, root) else { continue };
            let acl = Acl::written(node);
            let applying = group.entries.iter().filter(|(holder, _)| holder.covers(authority));
            let powers = applying
                .fold(Powers::NONE, |sum, (holder, rights)| sum.and(refined(holder, *rights, acl.as_ref())));
            let sum = anchors.entry(anchor).or_default();
            *sum = sum.and(powers);
        }
        Self::ByNode { authority: authority.clone(), root, anchors }
    }

    /// What may be done with one node.
    pub(crate) fn at(&self, tree: &Tree, id: NodeId) -> Powers {
        match self {
            Self::Uniform(powers) => *powers,
            Self::ByNode { root, .. } => {
                let mut inside = true;
                let mut way = tree.ancestry(id).take_while(|(at, _)| {
                    let here = inside;
                    inside = at != root;
                    here
                });
                way.find_map(|(at, node)| self.own(at, node)).unwrap_or_default()
            }
        }
    }

    /// What is said of a node by itself.
    pub(crate) fn own(&self, id: NodeId, node: &Node) -> Option<Powers> {
        match self {
            Self::Uniform(powers) => Some(*powers),
            Self::ByNode { authority, anchors, .. } => anchors.get(&id).copied().or_else(|| {
                // An ACL from the time before the device had the Delegation Access Control MO.
                let acl = Acl::written(node)?;
                Some(with_delegate(acl.granted(authority), !node.is_leaf()))
            }),
        }
    }

    /// All that may be done with any part.
    pub(crate) fn anywhere(&self) -> Powers {
        match self {
            Self::Uniform(powers) => *powers,
            Self::ByNode { anchors, .. } => {
                anchors.values().fold(Powers::NONE, |sum, powers| sum.and(*powers))
            }
        }
    }

    /// Nodes at which something else begins to hold.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = (NodeId, Powers)> {
        let anchors = match self {
            Self::Uniform(_) => None,
            Self::ByNode { anchors, .. } => Some(anchors),
        };
        anchors.into_iter().flatten().map(|(id, powers)| (*id, *powers))
    }
}

impl Group {
    /// The node that the group is about, if it is there.
    fn anchor<'t>(&self, tree: &'t Tree, root: NodeId) -> Option<(NodeId, &'t Node)> {
        let id =
            self.path.iter().try_fold(root, |id, name| tree.arena.get(id)?.children()?.get(name.as_str()))?;
        Some((id, tree.arena.get(id)?))
    }
}

/// What an entry gives to its holder. Write is all three commands, unless the ACL of the node gives the holder only some of them.
fn refined(holder: &Authority, rights: Rights, acl: Option<&Acl>) -> Powers {
    let named = acl.map(|acl| acl.of(holder).within(Powers::WRITES)).filter(|powers| !powers.is_none());
    Powers::from_rights(rights, named.unwrap_or(Powers::WRITES))
}

impl Tree {
    /// The rights of an authority on a node by the Delegation Access Control MO: the entries with the most specific Path
    /// that holds the node decide, and among them those for `*` add up with its own. On a device without that MO every
    /// bootstrapped server has all rights (`DM 2.0 §10`).
    #[must_use]
    pub fn rights(&self, authority: &Authority, id: NodeId) -> Rights {
        match self.instance_of_node(id) {
            None => Rights::NONE,
            Some(instance) if instance.moid.as_str() == well_known::DACMO => self.entry_rights(authority, id),
            Some(instance) => self.grants(authority, instance).at(self, id).rights(),
        }
    }

    /// Whether the device has the access control mechanism of `DM 2.0 §10`. Entries without their definition count, so that
    /// a smaller catalogue does not open everything.
    pub(crate) fn controls_access(&self) -> bool {
        self.knows(well_known::DACMO) || self.index.contains_key(well_known::DACMO)
    }

    /// The MO instance whose entries say what may be done with a node; `None` where only ACLs do.
    pub(crate) fn governed(&self, id: NodeId) -> Option<&Instance> {
        let instance = self.instance_of_node(id)?;
        (self.controls_access() && instance.moid.as_str() != well_known::DACMO).then_some(instance)
    }

    /// What is said of a node by itself, as an ACL: the property where ACLs alone decide, else the access right entries as finely
    /// as the property tells. `None` leaves it to the parent.
    pub(crate) fn acl_of(&self, id: NodeId) -> Option<Acl> {
        let node = self.arena.get(id)?;
        let written = Acl::written(node);
        let Some(instance) = self.governed(id) else { return written };
        let path = self.names_below(instance.root, id);
        let groups = self.groups(instance).unwrap_or_default();
        let mut groups = groups.iter().filter(|group| group.path == path).peekable();
        if groups.peek().is_none() {
            return written;
        }
        let mut acl = Acl::default();
        for (holder, rights) in groups.flat_map(|group| &group.entries) {
            let powers = refined(holder, *rights, written.as_ref()).within(Powers::OF_ACL);
            if can_name(holder) {
                acl.give(holder.clone(), powers);
            }
        }
        Some(acl)
    }

    /// The ACL that decides about a node: its own, or that of the nearest node above that has one.
    pub(crate) fn effective_acl(&self, id: NodeId) -> Acl {
        self.ancestry(id).find_map(|(at, _)| self.acl_of(at)).unwrap_or_else(Acl::factory)
    }

    /// Whether a server has a right on any part of an instance.
    pub(crate) fn any_right(&self, server: &ServerId, instance: &Instance) -> bool {
        let authority = Authority::Server(server.clone());
        if instance.moid.as_str() == well_known::DACMO {
            return self.entry_rights(&authority, instance.root) != Rights::NONE;
        }
        !self.grants(&authority, instance).anywhere().is_none()
    }

    /// What an authority may do where in an instance (not in the Delegation Access Control MO itself).
    pub(crate) fn grants(&self, authority: &Authority, instance: &Instance) -> Grants {
        if !self.controls_access() {
            let bootstrapped =
                matches!(authority, Authority::Server(server) if self.account(server).is_some());
            return Grants::Uniform(if bootstrapped { Powers::ALL } else { Powers::NONE });
        }
        // Entries are checked when they are written; should one be damaged, nobody has rights by its instance.
        let groups = self.groups(instance).unwrap_or_default();
        Grants::new(self, instance.root, &groups, authority)
    }

    /// The root of the Delegation Access Control MO.
    pub(crate) fn access_root(&self) -> Option<NodeRef<'_>> {
        self.instances_named(well_known::DACMO).next().and_then(|instance| self.node(instance.root))
    }

    /// The node that holds the entries of an instance.
    pub(crate) fn entry_node(&self, instance: &Instance) -> Option<NodeRef<'_>> {
        self.access_root()?.child(entry_name(&instance.moid)?.as_str())?.child(instance.miid.as_str())
    }

    /// The entries of an instance.
    ///
    /// # Errors
    /// `BadAccessEntry` for an entry that is not legal.
    pub(crate) fn groups(&self, instance: &Instance) -> Result<Vec<Group>, OperationError> {
        let nodes = self.entry_node(instance).into_iter().flat_map(|node| node.children());
        nodes.map(|node| self.group(node)).collect()
    }

    /// Reads the entries below one `<MOID>/<MIID>/<x>` node.
    pub(crate) fn group(&self, node: NodeRef<'_>) -> Result<Group, OperationError> {
        let bad = |reason| OperationError::BadAccessEntry { reason };
        let path = match text_of(node, "Path") {
            None => Vec::new(),
            Some(text) => path_names(text).map_err(|_| bad("Path is not a path from the MO root"))?,
        };
        let mut entries = Vec::new();
        for entry in node.child("Permissions").into_iter().flat_map(|permissions| permissions.children()) {
            let authority = text_of(entry, "MAID")
                .and_then(|text| Authority::parse(text, self.tolerances().bare_authorities))
                .ok_or(bad("MAID is neither serverid:, appid: nor *"))?;
            let rights = match entry.child("AR").and_then(|node| node.value().cloned()) {
                Some(Value::Int(number)) => Rights::from_ar(number),
                _ => None,
            };
            entries.push((authority, rights.ok_or(bad("AR is not a number from 0 to 15"))?));
        }
        Ok(Group { path, entries })
    }

    /// The MO instance that a node of the Delegation Access Control MO is about.
    pub(crate) fn entry_subject(&self, path: &[NodeName]) -> Option<&Instance> {
        match path {
            [moid, miid, ..] => self.index.get(entry_moid(moid)?.as_str())?.get(miid.as_str()),
            _ => None,
        }
    }

    /// The rights on a node of the Delegation Access Control MO: a bootstrapped server reads the entries of instances on
    /// which it has any right, and changes those of sub-trees that it may delegate.
    fn entry_rights(&self, authority: &Authority, id: NodeId) -> Rights {
        let Authority::Server(server) = authority else { return Rights::NONE };
        let Some(root) = self.instance_root(id) else { return Rights::NONE };
        if self.account(server).is_none() {
            return Rights::NONE;
        }
        let path = self.names_below(root, id);
        let Some(subject) = self.entry_subject(&path) else {
            return if path.len() < 2 { Rights::READ } else { Rights::NONE };
        };
        let grants = self.grants(authority, subject);
        if grants.anywhere().is_none() {
            return Rights::NONE;
        }
        let group = self.ancestry(id).nth(path.len().saturating_sub(3)).filter(|_| path.len() > 2);
        let group = group.and_then(|(id, _)| self.node(id)).and_then(|node| self.group(node).ok());
        let place = group.map_or(subject.root, |group| self.deepest(subject.root, &group.path));
        let judge = Judge::new(self, &Actor::Server(server.clone()));
        if judge.may_delegate(place, grants.at(self, place)) {
            Rights::READ.union(Rights::WRITE).union(Rights::DELEGATE)
        } else {
            Rights::READ
        }
    }

    /// The node at the end of `path`, or the last one on the way that exists.
    pub(crate) fn deepest(&self, root: NodeId, path: &[NodeName]) -> NodeId {
        let mut at = root;
        for name in path {
            match self.arena.get(at).and_then(Node::children).and_then(|children| children.get(name.as_str()))
            {
                Some(child) => at = child,
                None => break,
            }
        }
        at
    }

    /// Whether an authority may read a node of the Delegation Access Control MO whose ancestors it reads.
    pub(super) fn reads_entry(&self, authority: &Authority, id: NodeId, node: &Node) -> bool {
        let (Authority::Server(server), Some(root)) = (authority, self.instance_root(id)) else {
            return false;
        };
        self.sees_entries(server, root, id, node) && self.entry_rights(authority, id).contains(Rights::READ)
    }

    /// Whether a server sees a node of the Delegation Access Control MO whose ancestors it sees.
    pub(super) fn sees_entries(&self, server: &ServerId, root: NodeId, id: NodeId, node: &Node) -> bool {
        if id == root {
            return self.account(server).is_some();
        }
        if node.parent == root {
            let Some(moid) = entry_moid(&node.name) else { return false };
            let miids = self.node(id).into_iter().flat_map(|node| node.children());
            let mut subjects = miids.filter_map(|miid| self.index.get(&moid)?.get(miid.name().as_str()));
            return subjects.any(|subject| self.any_right(server, subject));
        }
        match self.arena.get(node.parent).filter(|parent| parent.parent == root) {
            None => true,
            Some(parent) => {
                let subject = self.entry_subject(&[parent.name.clone(), node.name.clone()]);
                subject.is_some_and(|subject| self.any_right(server, subject))
            }
        }
    }
}

/// Name of the `<MOID>` node for a MOID: a node name cannot hold `/`, which is percent-encoded then.
#[must_use]
pub fn entry_name(moid: &Moid) -> Option<NodeName> {
    NodeName::escaped(moid.as_str()).ok()
}

/// The MOID that a `<MOID>` node is about.
#[must_use]
pub fn entry_moid(name: &NodeName) -> Option<Moid> {
    Moid::parse(&name.unescaped()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moid_comes_back_from_the_name_of_its_entry() {
        for (text, named) in [
            ("urn:oma:mo:x:1.0", "urn:oma:mo:x:1.0"),
            ("a/1.0/Cam", "a%2F1.0%2FCam"),
            ("a%2F1.0", "a%252F1.0"),
            ("a%252F/1.0", "a%25252F%2F1.0"),
            ("100%25", "100%2525"),
            ("50%20", "50%20"),
            ("50%2f", "50%2f"),
        ] {
            let moid = Moid::parse(text).unwrap();
            let name = entry_name(&moid).unwrap();
            assert_eq!((name.as_str(), entry_moid(&name)), (named, Some(moid)));
        }
    }
}

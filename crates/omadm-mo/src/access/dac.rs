//! The Delegation Access Control MO (`DM 2.0 §12.3`) as the source of rights: `<MOID>/<MIID>/<x>/{Path, Permissions}`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::account::text_of;
use super::{Authority, Rights};
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
    Uniform(Rights),
    /// At these nodes and below; the most specific node alone decides.
    ByNode(BTreeMap<NodeId, Rights>),
}

impl Grants {
    /// The rights that `groups` give to `authority`. A group whose Path leads nowhere has no effect.
    pub(crate) fn new(tree: &Tree, root: NodeId, groups: &[Group], authority: &Authority) -> Self {
        let mut anchors: BTreeMap<NodeId, Rights> = BTreeMap::new();
        for group in groups {
            let Some(anchor) = group
                .path
                .iter()
                .try_fold(root, |id, name| tree.arena.get(id)?.children()?.get(name.as_str()))
            else {
                continue;
            };
            let applying = group.entries.iter().filter(|(holder, _)| holder.covers(authority));
            let rights = applying.fold(Rights::NONE, |sum, (_, rights)| sum.union(*rights));
            let sum = anchors.entry(anchor).or_default();
            *sum = sum.union(rights);
        }
        Self::ByNode(anchors)
    }

    /// The rights on one node.
    pub(crate) fn at(&self, tree: &Tree, id: NodeId) -> Rights {
        match self {
            Self::Uniform(rights) => *rights,
            Self::ByNode(anchors) => {
                tree.ancestry(id).find_map(|(at, _)| anchors.get(&at)).copied().unwrap_or_default()
            }
        }
    }

    /// All rights on any part.
    pub(crate) fn anywhere(&self) -> Rights {
        match self {
            Self::Uniform(rights) => *rights,
            Self::ByNode(anchors) => anchors.values().fold(Rights::NONE, |sum, rights| sum.union(*rights)),
        }
    }

    /// Nodes at which other rights begin.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = (NodeId, Rights)> {
        let anchors = match self {
            Self::Uniform(_) => None,
            Self::ByNode(anchors) => Some(anchors),
        };
        anchors.into_iter().flatten().map(|(id, rights)| (*id, *rights))
    }
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
            Some(instance) => self.grants(authority, instance).at(self, id),
        }
    }

    /// Whether the device has the access control mechanism of `DM 2.0 §10`. Entries without their definition count, so that
    /// a smaller catalogue does not open everything.
    pub(crate) fn controls_access(&self) -> bool {
        self.knows(well_known::DACMO) || self.index.contains_key(well_known::DACMO)
    }

    /// Whether a server has a right on any part of an instance.
    pub(crate) fn any_right(&self, server: &ServerId, instance: &Instance) -> bool {
        let authority = Authority::Server(server.clone());
        if instance.moid.as_str() == well_known::DACMO {
            return self.entry_rights(&authority, instance.root) != Rights::NONE;
        }
        self.grants(&authority, instance).anywhere() != Rights::NONE
    }

    /// What an authority may do where in an instance (not in the Delegation Access Control MO itself).
    pub(crate) fn grants(&self, authority: &Authority, instance: &Instance) -> Grants {
        if !self.controls_access() {
            let bootstrapped =
                matches!(authority, Authority::Server(server) if self.account(server).is_some());
            return Grants::Uniform(if bootstrapped { Rights::ALL } else { Rights::NONE });
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
        if grants.anywhere() == Rights::NONE {
            return Rights::NONE;
        }
        let group = self.ancestry(id).nth(path.len().saturating_sub(3)).filter(|_| path.len() > 2);
        let group = group.and_then(|(id, _)| self.node(id)).and_then(|node| self.group(node).ok());
        let place = group.map_or(subject.root, |group| self.deepest(subject.root, &group.path));
        if grants.at(self, place).contains(Rights::DELEGATE) {
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
pub(crate) fn entry_name(moid: &Moid) -> Option<NodeName> {
    let text = moid.as_str();
    if !text.contains('/') && !looks_encoded(text) {
        return NodeName::parse(text).ok();
    }
    NodeName::parse(&text.replace('%', "%25").replace('/', "%2F")).ok()
}

/// The MOID that a `<MOID>` node is about.
fn entry_moid(name: &NodeName) -> Option<Moid> {
    let text = name.as_str();
    let decoded: String =
        if looks_encoded(text) { text.replace("%2F", "/").replace("%25", "%") } else { text.into() };
    Moid::parse(&decoded).ok()
}

/// Whether a text is read as percent-encoded, also one that is a MOID as it stands and has to be encoded for that.
fn looks_encoded(text: &str) -> bool {
    text.contains("%2F") || text.contains("%25")
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

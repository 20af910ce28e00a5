//! What a command asks for, node by node, parents first.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::dm1::uri::{address_of, name_of};
use crate::dm1::{Dm1Error, NewNode, Snapshot, SnapshotNode, SnapshotType};
use crate::name::NodeName;
use crate::value::Format;

/// One node that shall be there.
pub(super) struct Planned {
    /// From the root of the tree.
    pub(super) path: Vec<NodeName>,
    pub(super) shape: Shape,
    pub(super) acl: Option<String>,
    pub(super) title: Option<String>,
}

/// What it shall be.
pub(super) enum Shape {
    /// An interior node with its Type.
    Interior(Option<String>),
    Leaf(NewNode),
}

/// Which node the first one of a document is, if it has a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// A child of the target.
    Below,
    /// The target itself if it has its name, else a child.
    ByName,
}

impl Planned {
    pub(super) fn is_leaf(&self) -> bool {
        matches!(self.shape, Shape::Leaf(_))
    }

    /// An interior node of which nothing more is said.
    pub(super) fn bare(path: Vec<NodeName>) -> Self {
        Self { path, shape: Shape::Interior(None), acl: None, title: None }
    }
}

/// The plan of a command without a document.
pub(super) fn one(path: Vec<NodeName>, node: NewNode) -> Planned {
    let shape = match node.format {
        Some(Format::Node) => Shape::Interior(kind_of(node.media_type.as_deref())),
        _ => Shape::Leaf(node),
    };
    Planned { path, shape, acl: None, title: None }
}

/// The plan of a TNDS document.
///
/// # Errors
/// `Malformed` for a name or path that is none, `Exists` for two nodes at one place, `BadData` for a leaf with nodes below it.
pub(super) fn of_document(
    target: &[NodeName],
    document: &Snapshot,
    first: First,
) -> Result<Vec<Planned>, Dm1Error> {
    let is_target = first == First::ByName && {
        let name = document.nodes.first().filter(|node| node.path.is_none());
        let name = name.and_then(|node| name_of(node.name.as_deref()?.trim()).ok());
        name.is_some() && name.as_ref() == target.last()
    };
    let mut planned = Vec::new();
    for (at, node) in document.nodes.iter().enumerate() {
        let mut path = target.to_vec();
        path.extend(below_target(target, node, is_target)?);
        if at > 0 || !is_target {
            path.extend(own_name(node, &path)?);
        }
        flatten(path, node, &mut planned)?;
    }
    settle(planned)
}

/// The Path of a child of `MgmtTree`, from the target on.
fn below_target(
    target: &[NodeName],
    node: &SnapshotNode,
    is_target: bool,
) -> Result<Vec<NodeName>, Dm1Error> {
    let text = node.path.as_deref().unwrap_or_default().trim();
    let absolute = text == "." || text.starts_with("./");
    let relative = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    if relative.is_empty() || relative == "." {
        return Ok(Vec::new());
    }
    let malformed = |reason| Dm1Error::Malformed { address: text.into(), reason };
    let mut names: Vec<NodeName> =
        relative.split('/').map(|segment| name_of(segment).map_err(malformed)).collect::<Result<_, _>>()?;
    if absolute && names.starts_with(target) {
        names.drain(..target.len());
    } else if is_target && names.first() == target.last() {
        names.remove(0);
    }
    Ok(names)
}

/// The name of a child of `MgmtTree`; without one the node is what the path leads to.
fn own_name(node: &SnapshotNode, above: &[NodeName]) -> Result<Option<NodeName>, Dm1Error> {
    match node.name.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(name) => {
            let malformed = |reason| Dm1Error::Malformed { address: address_of(above) + "/" + name, reason };
            name_of(name).map(Some).map_err(malformed)
        }
    }
}

/// A node and all below it, without recursion: a document may be as deep as its decoder let it be.
fn flatten(path: Vec<NodeName>, top: &SnapshotNode, planned: &mut Vec<Planned>) -> Result<(), Dm1Error> {
    let mut pending = alloc::vec![(path, top)];
    while let Some((path, node)) = pending.pop() {
        for child in node.children.iter().rev() {
            let mut below = path.clone();
            let name = own_name(child, &path)?;
            below.push(name.ok_or_else(|| bad(&path, "a node without name below another"))?);
            pending.push((below, child));
        }
        if path.len() > crate::tree::MAX_DEPTH {
            let limit = crate::tree::MAX_DEPTH;
            return Err(Dm1Error::Full { address: address_of(&path), needed: path.len(), limit });
        }
        planned.push(of_node(path, node)?);
    }
    Ok(())
}

fn of_node(path: Vec<NodeName>, node: &SnapshotNode) -> Result<Planned, Dm1Error> {
    let named = match &node.kind {
        Some(SnapshotType::DdfName(name)) => kind_of(Some(name)),
        Some(SnapshotType::Mime(_)) | None => None,
    };
    let interior = match node.format {
        Some(format) => !format.is_leaf(),
        None => !node.children.is_empty() || matches!(node.kind, Some(SnapshotType::DdfName(_))),
    };
    if !interior && !node.children.is_empty() {
        return Err(bad(&path, "a leaf with nodes below it"));
    }
    if interior && node.value.is_some() {
        return Err(bad(&path, "a value for an interior node"));
    }
    let media_type = match &node.kind {
        Some(SnapshotType::Mime(mime)) => Some(mime.clone()),
        Some(SnapshotType::DdfName(_)) | None => None,
    };
    let shape = if interior {
        Shape::Interior(named)
    } else {
        Shape::Leaf(NewNode { format: node.format, media_type, value: node.value.clone() })
    };
    Ok(Planned { path, shape, acl: node.acl.clone(), title: node.title.clone() })
}

/// Parents first, each place once, and interior what has something below it.
fn settle(mut planned: Vec<Planned>) -> Result<Vec<Planned>, Dm1Error> {
    planned.sort_by_key(|node| node.path.len());
    let mut places = BTreeSet::new();
    let mut parents = BTreeSet::new();
    for node in &planned {
        if !places.insert(node.path.as_slice()) {
            return Err(Dm1Error::Exists { address: address_of(&node.path) });
        }
        parents.extend((0..node.path.len()).filter_map(|to| node.path.get(..to)));
    }
    let parents: BTreeSet<Vec<NodeName>> = parents.into_iter().map(<[NodeName]>::to_vec).collect();
    for node in &mut planned {
        let says_nothing =
            matches!(&node.shape, Shape::Leaf(leaf) if leaf.format.is_none() && leaf.value.is_none());
        if parents.contains(&node.path) && node.is_leaf() {
            if !says_nothing {
                return Err(bad(&node.path, "a leaf with nodes below it"));
            }
            node.shape = Shape::Interior(None);
        }
    }
    Ok(planned)
}

/// A Type that says something.
fn kind_of(text: Option<&str>) -> Option<String> {
    // A server that writes the default type of leaves on an interior node means none.
    let says = |kind: &&str| !kind.is_empty() && *kind != crate::dm1::PLAIN_TEXT;
    text.map(str::trim).filter(says).map(ToString::to_string)
}

fn bad(path: &[NodeName], reason: &str) -> Dm1Error {
    Dm1Error::BadData { address: address_of(path), reason: reason.to_string() }
}

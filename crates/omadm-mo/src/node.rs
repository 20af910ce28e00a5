//! Nodes and their run-time properties (`DM 1.3 TND`, `DM 2.0 §6.3.1`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::ddf::DdfNode;
use crate::name::{Miid, Moid, NodeName};
use crate::time::Time;
use crate::tree::Tree;
use crate::tree::children::Children;
use crate::value::{Format, Value};

/// Handle of a node in its tree; stale after the node is removed (then look-ups give `None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Names from the tree root `.` (not included) down to a node.
pub type NodePath = Vec<NodeName>;

/// A path as errors show it.
pub(crate) fn path_text(path: &[NodeName]) -> String {
    path.iter().fold(String::from("."), |text, name| text + "/" + name.as_str())
}

/// Run-time properties beside Name, Format and Size, which follow from the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// ACL as set through DM 1.x (see [`crate::access`]); none inherits.
    pub acl: Option<String>,
    /// Human-readable name, 255 octets at most.
    pub title: Option<String>,
    /// When value or properties last changed.
    pub tstamp: Time,
    /// MIME type of a leaf; of an interior node its Type, if that is no MOID of the catalogue.
    pub mime: Option<String>,
    /// Version, counted up by one at each change, 65535 is followed by 0.
    pub ver_no: u16,
}

/// What the tree holds for one node.
pub(crate) struct Node {
    pub(crate) name: NodeName,
    /// The tree root is its own parent.
    pub(crate) parent: NodeId,
    pub(crate) body: Body,
    pub(crate) properties: Properties,
    /// Set on the root of an MO instance.
    pub(crate) instance: Option<(Moid, Miid)>,
    /// Whether the name compares without regard to letter case.
    pub(crate) fold: bool,
}

/// What is below or in a node.
pub(crate) enum Body {
    Interior(Children),
    Leaf(Format, Value),
}

impl Node {
    pub(crate) fn children(&self) -> Option<&Children> {
        match &self.body {
            Body::Interior(children) => Some(children),
            Body::Leaf(..) => None,
        }
    }

    pub(crate) fn children_mut(&mut self) -> Option<&mut Children> {
        match &mut self.body {
            Body::Interior(children) => Some(children),
            Body::Leaf(..) => None,
        }
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match &self.body {
            Body::Interior(_) => None,
            Body::Leaf(_, value) => Some(value),
        }
    }

    pub(crate) fn format(&self) -> Format {
        match &self.body {
            Body::Interior(_) => Format::Node,
            Body::Leaf(format, _) => *format,
        }
    }

    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self.body, Body::Leaf(..))
    }

    /// What the node counts against the quota, in octets.
    pub(crate) fn weight(&self) -> usize {
        self.name.as_str().len() + self.value().map_or(0, Value::size) + self.properties.weight()
    }
}

impl Properties {
    /// What those properties count against the quota that a server can make long, in octets.
    pub(crate) fn weight(&self) -> usize {
        [&self.acl, &self.title, &self.mime].into_iter().flatten().map(String::len).sum()
    }
}

/// A node looked at through its tree.
#[derive(Clone, Copy)]
pub struct NodeRef<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) id: NodeId,
    pub(crate) node: &'t Node,
}

impl<'t> NodeRef<'t> {
    /// Handle of this node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }
    /// Name of this node; the tree root is `.`.
    #[must_use]
    pub fn name(&self) -> &'t NodeName {
        &self.node.name
    }
    /// Format of this node.
    #[must_use]
    pub fn format(&self) -> Format {
        self.node.format()
    }
    /// Value of a leaf; `None` for an interior node.
    #[must_use]
    pub fn value(&self) -> Option<&'t Value> {
        self.node.value()
    }
    /// Run-time properties.
    #[must_use]
    pub fn properties(&self) -> &'t Properties {
        &self.node.properties
    }
    /// Children in name order; none for a leaf.
    pub fn children(&self) -> impl Iterator<Item = NodeRef<'t>> + use<'t> {
        let tree = self.tree;
        self.node.children().into_iter().flat_map(Children::iter).filter_map(|id| tree.node(id))
    }
    /// The child of this name, case as the DDF says.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<NodeRef<'t>> {
        self.node.children()?.get(name).and_then(|id| self.tree.node(id))
    }
    /// Names from the tree root to this node.
    #[must_use]
    pub fn path(&self) -> NodePath {
        self.tree.path_of(self.id)
    }
    /// Definition of this node, where the DDF has one (below `Ext` and `Bearer` there is none).
    #[must_use]
    pub fn definition(&self) -> Option<&'t DdfNode> {
        self.tree.rule_of(self.id).map(|rule| rule.ddf)
    }
}

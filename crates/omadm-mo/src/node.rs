//! Nodes and their run-time properties (`DM 1.3 TND`, `DM 2.0 §6.3.1`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::name::NodeName;
use crate::time::Time;
use crate::tree::Tree;
use crate::value::{Format, Value};

/// Handle of a node in its tree; stale after the node is removed (then look-ups give `None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Names from the tree root `.` (not included) down to a node.
pub type NodePath = Vec<NodeName>;

/// Run-time properties beside Name, Format and Size, which follow from the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// ACL as set through DM 1.x, kept as written; empty inherits.
    pub acl: Option<String>,
    /// Human-readable name, 255 octets at most.
    pub title: Option<String>,
    /// When value or properties last changed.
    pub tstamp: Time,
    /// MIME type of a leaf.
    pub mime: Option<String>,
    /// Version, counted up by one at each change, 65535 is followed by 0.
    pub ver_no: u16,
}

/// A node looked at through its tree.
#[derive(Clone, Copy)]
pub struct NodeRef<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) id: NodeId,
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
        todo!()
    }
    /// Format of this node.
    #[must_use]
    pub fn format(&self) -> Format {
        todo!()
    }
    /// Value of a leaf; `None` for an interior node.
    #[must_use]
    pub fn value(&self) -> Option<&'t Value> {
        todo!()
    }
    /// Run-time properties.
    #[must_use]
    pub fn properties(&self) -> &'t Properties {
        todo!()
    }
    /// Children in name order; none for a leaf.
    pub fn children(&self) -> impl Iterator<Item = NodeRef<'t>> + use<'t> {
        core::iter::empty()
    }
    /// The child of this name, case as the DDF says.
    #[must_use]
    pub fn child(&self, _name: &str) -> Option<NodeRef<'t>> {
        todo!()
    }
    /// Names from the tree root to this node.
    #[must_use]
    pub fn path(&self) -> NodePath {
        todo!()
    }
    /// Definition of this node, where the DDF has one (below `Ext` and `Bearer` there is none).
    #[must_use]
    pub fn definition(&self) -> Option<&'t crate::ddf::DdfNode> {
        todo!()
    }
}

//! A sub-tree outside the tree: what is read from it and what is written to it.

use alloc::vec::Vec;

use crate::name::NodeName;
use crate::value::Value;

/// A node with all that is below it. Leaf values from the wire may still be in their JSON type; the tree brings
/// them into the format of the DDF when they are stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// An interior node and its children in order; names are unique (the decoder sees to it).
    Interior(Vec<(NodeName, Content)>),
    /// A leaf.
    Leaf(Value),
}

impl Content {
    /// An interior node without children.
    #[must_use]
    pub fn empty() -> Self {
        Self::Interior(Vec::new())
    }

    /// The child of exactly this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Interior(children) => {
                children.iter().find(|(child, _)| child.as_str() == name).map(|(_, content)| content)
            }
            Self::Leaf(_) => None,
        }
    }

    /// Whether this is a leaf.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf(_))
    }
}

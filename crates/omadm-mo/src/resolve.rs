//! From address to nodes (`DM 2.0 §6.1.2`).

use crate::node::NodeId;

/// One match of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The matched node.
    pub node: NodeId,
    /// Root of its MO instance.
    pub instance_root: NodeId,
}

//! The Inbox (`DM 1.3 STDOBJ §5.3.4`): what is added there goes to the place that its MOID has, and never stands in the Inbox itself.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::plan::{First, Planned, Shape, of_document};
use super::property::{child_address, moved_reference};
use super::{no_right, refused};
use crate::Change;
use crate::access::Operation;
use crate::ddf::{DdfName, Definition};
use crate::dm1::uri::address_of;
use crate::dm1::{Dm1Error, Snapshot, UriLimits};
use crate::name::NodeName;
use crate::node::NodeId;
use crate::value::Value;

/// Where the nodes of a document stand in the Inbox and where they go.
struct Move {
    from: Vec<NodeName>,
    to: Vec<NodeName>,
}

impl Change<'_> {
    /// The Inbox that a path leads to or into.
    pub(super) fn inbox_above(&self, path: &[NodeName]) -> Option<NodeId> {
        let (deepest, _) = self.tree.dm1_walk(path);
        if self.tree.is_inbox(deepest) { self.tree.instance_root(deepest) } else { None }
    }

    /// Places the objects of a document. Those without a name get that of their definition, or a number.
    pub(super) fn place_document(
        &mut self,
        inbox: NodeId,
        document: &Snapshot,
        limits: &UriLimits,
    ) -> Result<(), Dm1Error> {
        let mut named = document.clone();
        for (at, node) in named.nodes.iter_mut().enumerate() {
            let is_named = node.name.as_deref().is_some_and(|name| !name.trim().is_empty());
            if !is_named && node.path.is_none() {
                node.name = Some((at + 1).to_string());
            }
        }
        let target = self.tree.path_of(inbox);
        let planned = of_document(&target, &named, First::Below)?;
        self.place_planned(inbox, planned, limits)
    }

    /// Places what is planned to stand in the Inbox.
    pub(super) fn place_planned(
        &mut self,
        inbox: NodeId,
        mut planned: Vec<Planned>,
        limits: &UriLimits,
    ) -> Result<(), Dm1Error> {
        let operation = Operation::Add;
        let above = self.tree.path_of(inbox);
        if !self.judge().allows(inbox, operation) {
            return Err(no_right(&above, operation));
        }
        if self.bound().is_some() && !self.tree.dm1_access(inbox).add {
            let reason = "no access type Add";
            return Err(Dm1Error::NotAllowed { address: address_of(&above), operation, reason });
        }
        let mut taken = BTreeSet::new();
        let mut moves = Vec::new();
        for node in planned.iter_mut().filter(|node| node.path.len() <= above.len() + 1) {
            if node.path.len() == above.len() {
                node.path
                    .push(NodeName::parse("1").map_err(|error| refused(error.into(), &address_of(&above)))?);
            }
            let to = self.place_of(node, &mut taken)?;
            moves.push(Move { from: node.path.clone(), to });
        }
        for node in &mut planned {
            if let Some(moved) = moves.iter().find(|moved| node.path.starts_with(&moved.from)) {
                node.path.splice(..moved.from.len(), moved.to.iter().cloned());
            }
            self.redirect(inbox, &above, node, &moves);
        }
        self.merge_planned(&planned, limits)
    }

    /// The path that an object gets: that of its definition, or for one of which there are several a name of its own below it.
    fn place_of(
        &mut self,
        node: &Planned,
        taken: &mut BTreeSet<Vec<NodeName>>,
    ) -> Result<Vec<NodeName>, Dm1Error> {
        let address = address_of(&node.path);
        let Shape::Interior(Some(kind)) = &node.shape else {
            let reason = "without a MOID as its type there is no place for it";
            return Err(Dm1Error::Unsupported { address, reason });
        };
        let catalogue = Arc::clone(self.tree.catalogue());
        let definition = self.known_moid(kind).and_then(|moid| catalogue.get(moid.as_str()));
        let definition = definition.ok_or_else(|| Dm1Error::NotFound { address: address.clone() })?;
        self.free_place(definition, node, taken).map_err(|error| refused(error, &address))
    }

    fn free_place(
        &mut self,
        definition: &Definition,
        node: &Planned,
        taken: &mut BTreeSet<Vec<NodeName>>,
    ) -> Result<Vec<NodeName>, crate::error::OperationError> {
        let container = self.place(definition)?;
        let mut path = self.tree.path_of(container);
        let wanted = match (&definition.root.name, node.path.last()) {
            (DdfName::Named(name), _) => {
                path.push(name.clone());
                return Ok(path);
            }
            (DdfName::Unnamed(_), Some(name)) => name.clone(),
            (DdfName::Unnamed(_), None) => NodeName::parse("1")?,
        };
        let mut name = self.free_name(container, &wanted)?;
        let mut number = 1;
        path.push(name.clone());
        // Two objects of one document may want the same name.
        while !taken.insert(path.clone()) {
            number += 1;
            name = NodeName::parse(&(wanted.as_str().to_string() + "-" + &number.to_string()))?;
            name = self.free_name(container, &name)?;
            path.pop();
            path.push(name.clone());
        }
        Ok(path)
    }

    /// A value that refers to another object of the document refers to its real place then.
    fn redirect(&self, inbox: NodeId, above: &[NodeName], node: &mut Planned, moves: &[Move]) {
        let Shape::Leaf(leaf) = &mut node.shape else { return };
        let Some(Value::Text(text)) = &leaf.value else { return };
        let address = self.tree.dm1_address(inbox);
        let moved = moves.iter().find_map(|moved| {
            let name = moved.from.get(above.len())?;
            moved_reference(text, &child_address(&address, name), &address_of(&moved.to))
        });
        if let Some(moved) = moved {
            leaf.value = Some(Value::Text(moved));
        }
    }
}

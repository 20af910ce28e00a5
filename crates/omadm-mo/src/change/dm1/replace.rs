//! Replace of the value of a leaf (`DM 1.3 REPPRO §7.6.12`).

use alloc::string::ToString;
use alloc::sync::Arc;

use super::refused;
use super::value::Before;
use crate::Change;
use crate::access::Operation;
use crate::ddf::Scope;
use crate::dm1::{Dm1Error, Dm1Uri, NewNode, Part};
use crate::node::{Node, NodeId};
use crate::value::Format;

impl Change<'_> {
    pub(super) fn replace_leaf(&mut self, uri: &Dm1Uri, new: NewNode) -> Result<(), Dm1Error> {
        if uri.part() != Part::Node {
            return Err(Dm1Error::WrongPart { address: uri.to_string() });
        }
        let id = self.tree.dm1_find_one(&self.actor, uri, Operation::Replace)?;
        self.check_replaceable(id)?;
        self.put_value(id, &new)
    }

    /// Gives a leaf what a command has for it; rights have been looked at.
    pub(super) fn put_value(&mut self, id: NodeId, new: &NewNode) -> Result<(), Dm1Error> {
        let (address, operation) = (self.tree.dm1_address(id), Operation::Replace);
        let not_allowed = |reason| Dm1Error::NotAllowed { address: address.clone(), operation, reason };
        let Some(current) = self.tree.arena.get(id).filter(|node| node.is_leaf()).map(Node::format) else {
            return Err(not_allowed("a value for an interior node"));
        };
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, id);
        let leaf = self.leaf_of(&address, rule, Before::Leaf(current), new).map_err(|error| match error {
            Dm1Error::Unsupported { .. } if rule.is_some_and(|rule| rule.ddf.scope == Scope::Permanent) => {
                not_allowed("format and type of a permanent node stay")
            }
            error => error,
        })?;
        let refused = |error| refused(error, &address);
        self.set_value(id, leaf.format, leaf.value).map_err(refused)?;
        match leaf.mime {
            Some(mime) => self.set_mime(id, &mime).map_err(refused),
            None => Ok(()),
        }
    }

    /// The format of a leaf that is there.
    pub(super) fn leaf_format(&self, id: NodeId) -> Option<Format> {
        self.tree.arena.get(id).filter(|node| node.is_leaf()).map(Node::format)
    }
}

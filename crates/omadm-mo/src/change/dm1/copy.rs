//! Copy of a leaf (`DM 1.3 REPPRO §7.6.4`). There is no right of that name: it takes Get on the source and what an Add or a Replace
//! of the target takes.

use super::add::New;
use super::no_right;
use super::plan::one;
use crate::Change;
use crate::access::Operation;
use crate::dm1::uri::address_of;
use crate::dm1::{Dm1Error, Dm1Uri, NewNode};
use crate::node::NodeId;

impl Change<'_> {
    pub(super) fn copy_leaf(&mut self, from: &Dm1Uri, to: &Dm1Uri) -> Result<(), Dm1Error> {
        self.target(from, Operation::Get)?;
        let source = self.tree.dm1_find_one(&self.actor, from, Operation::Get)?;
        let path = self.target(to, Operation::Add)?;
        let new = self.copied(source)?;
        let forbidden = |error| match error {
            Dm1Error::Unsupported { address, reason } => Dm1Error::Forbidden { address, reason },
            error => error,
        };
        match self.tree.dm1_walk(&path) {
            (target, []) if self.leaf_format(target).is_some() => {
                self.check_replaceable(target)?;
                self.put_value(target, &new).map_err(forbidden)
            }
            (_, []) => {
                let address = address_of(&path);
                Err(Dm1Error::Forbidden { address, reason: "only leaves are copied, and to leaves" })
            }
            _ => self.add_node(&one(path, new), &mut New::new(), to.limits()).map(drop).map_err(forbidden),
        }
    }

    /// What a leaf holds, if the server may have it.
    fn copied(&self, source: NodeId) -> Result<NewNode, Dm1Error> {
        let path = self.tree.path_of(source);
        if !self.judge().allows(source, Operation::Get) {
            return Err(no_right(&path, Operation::Get));
        }
        let access = self.tree.dm1_access(source);
        if self.bound().is_some() && !(access.copy && access.get) {
            let (address, operation) = (address_of(&path), Operation::Get);
            return Err(Dm1Error::NotAllowed { address, operation, reason: "no access type Copy" });
        }
        let node = self.tree.arena.get(source);
        let Some((node, value)) = node.and_then(|node| Some((node, node.value()?))) else {
            let address = address_of(&path);
            return Err(Dm1Error::Forbidden { address, reason: "only leaves are copied, and to leaves" });
        };
        let media_type = node.properties.mime.clone();
        Ok(NewNode { format: Some(node.format()), media_type, value: Some(value.clone()) })
    }
}

//! From an address of DM 1.x to nodes.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::uri::{Place, address_of};
use super::{Dm1Error, Dm1Uri};
use crate::access::{Actor, Judge, Operation, Seat};
use crate::client_uri::ClientUri;
use crate::ddf::{AccessType, Rule};
use crate::error::OperationError;
use crate::name::NodeName;
use crate::node::{Node, NodeId};
use crate::tree::Tree;
use crate::tree::arena::ROOT;
use crate::well_known;

/// Why nothing is read in the Inbox (`DM 1.3 STDOBJ §5.3.4`).
pub(super) const INBOX_IS_CLOSED: &str = "objects are put into the Inbox, and none is read there";

/// A node as a server of DM 1.x meets it: with the rights and the definition that hold there.
#[derive(Clone)]
pub(crate) struct Spot<'t> {
    pub(crate) id: NodeId,
    pub(crate) node: &'t Node,
    pub(crate) seat: Seat,
    pub(crate) rule: Option<Rule<'t>>,
    pub(crate) access: AccessType,
}

impl Tree {
    /// The node at the end of a path, or the last one on the way that is there, with what of the path is left.
    pub(crate) fn dm1_walk<'p>(&self, path: &'p [NodeName]) -> (NodeId, &'p [NodeName]) {
        let mut at = ROOT;
        for (done, name) in path.iter().enumerate() {
            let children = self.arena.get(at).and_then(Node::children);
            match children.and_then(|children| children.get(name.as_str())) {
                Some(child) => at = child,
                None => return (at, path.get(done..).unwrap_or_default()),
            }
        }
        (at, &[])
    }

    /// The nodes that an address means: one, or with a wildcard several.
    pub(crate) fn dm1_find(
        &self,
        actor: &Actor,
        uri: &Dm1Uri,
        operation: Operation,
    ) -> Result<Vec<NodeId>, Dm1Error> {
        let judge = Judge::new(self, actor);
        match &uri.place {
            Place::Path(path) => match self.dm1_walk(path) {
                (id, []) => Ok(alloc::vec![id]),
                (deepest, _) => Err(self.dm1_missing(&judge, deepest, uri, operation)),
            },
            Place::Virtual(address) => self.dm1_resolve(actor, &judge, address),
        }
    }

    /// The one node that an address means.
    pub(crate) fn dm1_find_one(
        &self,
        actor: &Actor,
        uri: &Dm1Uri,
        operation: Operation,
    ) -> Result<NodeId, Dm1Error> {
        match self.dm1_find(actor, uri, operation)?.as_slice() {
            [id] => Ok(*id),
            [] => Err(Dm1Error::NotFound { address: uri.to_string() }),
            found => Err(Dm1Error::Several { address: uri.to_string(), count: found.len() }),
        }
    }

    /// What to say of a node that is not there: to whom nothing is allowed where it would be, not even that; of the Inbox that
    /// nothing can be read there.
    pub(crate) fn dm1_missing(
        &self,
        judge: &Judge<'_>,
        deepest: NodeId,
        uri: &Dm1Uri,
        operation: Operation,
    ) -> Dm1Error {
        let address = uri.to_string();
        if operation == Operation::Get && judge.authority().is_some() && self.is_inbox(deepest) {
            Dm1Error::NotAllowed { address, operation, reason: INBOX_IS_CLOSED }
        } else if judge.at(deepest).powers.is_none() {
            Dm1Error::NoRight { address, operation }
        } else {
            Dm1Error::NotFound { address }
        }
    }

    /// The nodes of a virtual address.
    pub(crate) fn dm1_resolve(
        &self,
        actor: &Actor,
        judge: &Judge<'_>,
        uri: &ClientUri,
    ) -> Result<Vec<NodeId>, Dm1Error> {
        let rewritten = self.canonical(uri);
        let uri = rewritten.as_ref().unwrap_or(uri);
        let not_found = || Dm1Error::NotFound { address: uri.to_string() };
        if !self.knows(uri.moid.as_str()) {
            return Err(not_found());
        }
        match self.follow(actor, uri, Some(judge)) {
            Ok(found) => Ok(found.into_iter().map(|found| found.node).collect()),
            Err(OperationError::Several { address, count }) => Err(Dm1Error::Several { address, count }),
            Err(_) => Err(not_found()),
        }
    }

    /// A node with the rights and the definition that hold there.
    pub(crate) fn dm1_spot(&self, judge: &Judge<'_>, id: NodeId) -> Option<Spot<'_>> {
        let (node, seat, rule) = (self.arena.get(id)?, judge.at(id), self.rule_of(id));
        Some(Spot { id, node, seat, rule, access: self.dm1_access(id) })
    }

    /// What the definition lets servers do with a node; nothing in an object whose definition the device does not have.
    pub(crate) fn dm1_access(&self, id: NodeId) -> AccessType {
        match self.instance_of_node(id) {
            Some(instance) if !self.knows(instance.moid.as_str()) => AccessType::default(),
            Some(_) | None => self.access_of(id),
        }
    }

    /// The children of a node that the actor may read.
    pub(crate) fn dm1_readable_below<'t>(
        &'t self,
        judge: &'t Judge<'_>,
        above: &Spot<'t>,
    ) -> impl Iterator<Item = Spot<'t>> + use<'t> {
        self.dm1_below(judge, above).filter(Spot::reads)
    }

    /// The children of a node that the actor may know of. All but those that are exposed to no server (`DM 2.0 §6.3.1`), and
    /// access right entries that do not concern it.
    pub(crate) fn dm1_known_below<'t>(
        &'t self,
        judge: &'t Judge<'_>,
        above: &Spot<'t>,
    ) -> impl Iterator<Item = Spot<'t>> + use<'t> {
        let knows_all = judge.authority().is_none();
        self.dm1_below(judge, above).filter(move |spot| {
            let is_secret = spot.access.is_empty() || (spot.seat.is_entry() && spot.seat.powers.is_none());
            knows_all || !is_secret
        })
    }

    fn dm1_below<'t>(
        &'t self,
        judge: &'t Judge<'_>,
        above: &Spot<'t>,
    ) -> impl Iterator<Item = Spot<'t>> + use<'t> {
        let above = above.clone();
        let children = above.node.children().into_iter().flat_map(crate::tree::children::Children::iter);
        children.filter_map(move |id| {
            let node = self.arena.get(id)?;
            let (rule, is_root) = match &node.instance {
                Some((moid, _)) => (self.definition(moid.as_str()).map(|it| Rule::of_root(&it.root)), true),
                None => {
                    let below = above.rule.filter(|rule| !rule.ddf.is_open());
                    (below.and_then(|rule| rule.child(node.name.as_str(), node.is_leaf())), false)
                }
            };
            let access = match rule {
                Some(rule) => rule.ddf.access,
                None if is_root => AccessType::default(),
                None => above.access,
            };
            let seat = judge.below(&above.seat, id, node);
            Some(Spot { id, node, seat, rule, access })
        })
    }

    /// Whether a node is the Inbox, or in it.
    pub(crate) fn is_inbox(&self, id: NodeId) -> bool {
        self.instance_of_node(id)
            .is_some_and(|instance| instance.moid.as_str().starts_with(well_known::INBOX))
    }

    /// The absolute address of a node.
    pub(crate) fn dm1_address(&self, id: NodeId) -> alloc::string::String {
        address_of(&self.path_of(id))
    }
}

impl Spot<'_> {
    /// Whether the value, or what is below, may be read.
    pub(crate) fn reads(&self) -> bool {
        self.seat.powers.contains(crate::access::Powers::GET) && self.access.get
    }
}

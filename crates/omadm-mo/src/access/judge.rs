//! One decision: what one actor may do, with what was worked out for it kept until the decision is made.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::acl::with_delegate;
use super::dac::Grants;
use super::{Acl, Actor, Authority, Operation, Powers};
use crate::node::{Node, NodeId};
use crate::tree::arena::ROOT;
use crate::tree::{Instance, Tree};
use crate::well_known;

/// What an actor may do where, for the time of one decision.
pub(crate) struct Judge<'t> {
    tree: &'t Tree,
    /// `None` for whom no rights are looked at: the device and a bootstrap.
    authority: Option<Authority>,
    /// By the root of the instance.
    grants: RefCell<BTreeMap<NodeId, Rc<Grants>>>,
}

/// A node with what DM 1.x lets the actor do there.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) powers: Powers,
    region: Region,
}

/// Where the rights of a node come from.
#[derive(Clone)]
enum Region {
    /// ACLs alone.
    Plain,
    /// The entries for an MO instance.
    Governed(Rc<Grants>),
    /// The Delegation Access Control MO itself.
    Entries,
}

impl Seat {
    /// Whether the node belongs to the Delegation Access Control MO.
    pub(crate) fn is_entry(&self) -> bool {
        matches!(self.region, Region::Entries)
    }
}

impl<'t> Judge<'t> {
    pub(crate) fn new(tree: &'t Tree, actor: &Actor) -> Self {
        let authority = match actor {
            Actor::Server(server) => Some(Authority::Server(server.clone())),
            Actor::Bootstrap(_) | Actor::Device => None,
        };
        Self { tree, authority, grants: RefCell::default() }
    }

    /// Whose rights are looked at.
    pub(crate) fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// What the entries for an MO instance give the actor.
    pub(crate) fn grants(&self, instance: &Instance) -> Rc<Grants> {
        let mut known = self.grants.borrow_mut();
        let grants = known.entry(instance.root).or_insert_with(|| {
            Rc::new(match &self.authority {
                Some(authority) => self.tree.grants(authority, instance),
                None => Grants::Uniform(Powers::ALL),
            })
        });
        Rc::clone(grants)
    }

    /// What DM 1.x lets the actor do with a node: the nearest ACL or access right entries at or above it decide.
    pub(crate) fn at(&self, id: NodeId) -> Seat {
        let mut way: Vec<(NodeId, &Node)> = self.tree.ancestry(id).collect();
        let root = way.pop().map(|(_, root)| root);
        let acl = root.and_then(Acl::written).unwrap_or_else(Acl::factory);
        let powers = self.authority.as_ref().map_or(Powers::ALL, |who| with_delegate(acl.granted(who), true));
        let start = Seat { powers, region: Region::Plain };
        way.into_iter().rev().fold(start, |seat, (id, node)| self.below(&seat, id, node))
    }

    /// The same for a child of a node for which it is known.
    pub(crate) fn below(&self, parent: &Seat, id: NodeId, node: &Node) -> Seat {
        let Some(authority) = &self.authority else { return parent.clone() };
        let region = match &node.instance {
            None => parent.region.clone(),
            Some((moid, _)) if moid.as_str() == well_known::DACMO => Region::Entries,
            Some((moid, miid)) => match self.tree.instance(moid, miid) {
                Some(instance) if self.tree.controls_access() => Region::Governed(self.grants(instance)),
                Some(_) | None => Region::Plain,
            },
        };
        let own = match &region {
            Region::Plain => written_powers(node, authority),
            Region::Governed(grants) => grants.own(id, node),
            Region::Entries => {
                let reads = self.tree.reads_entry(authority, id, node);
                Some(if reads { Powers::GET } else { Powers::NONE })
            }
        };
        Seat { powers: own.unwrap_or(parent.powers), region }
    }

    /// Whether DM 1.x lets the actor do something with a node.
    pub(crate) fn allows(&self, id: NodeId, operation: Operation) -> bool {
        self.at(id).powers.contains(Powers::of(operation))
    }

    /// Whether the actor may change the ACL of a node, or the access right entries for it. `own` is what it may do there.
    ///
    /// Who may replace the parent may change an ACL too (`DM 1.3 TND §8.2`), but not what the Delegation Access Control MO says
    /// of the node by itself (`DM 2.0 §12.3`).
    pub(crate) fn may_delegate(&self, id: NodeId, own: Powers) -> bool {
        let above = || {
            let node = self.tree.arena.get(id).filter(|node| id != ROOT && node.properties.acl.is_some());
            node.is_some_and(|node| self.at(node.parent).powers.contains(Powers::DELEGATE))
        };
        own.contains(Powers::DELEGATE) || above()
    }

    /// A node at or below `top` that the actor must not delete. The ACLs of what is below do not count for DM 1.x; access right
    /// entries do.
    pub(crate) fn undeletable(&self, top: NodeId) -> Option<NodeId> {
        self.authority.as_ref()?;
        if !self.allows(top, Operation::Delete) {
            return Some(top);
        }
        let here = self.tree.instance_of_node(top);
        let nested = self.tree.nested_instances(top);
        here.into_iter().chain(nested).find_map(|instance| {
            if instance.moid.as_str() == well_known::DACMO {
                return Some(instance.root);
            }
            if self.tree.deletes_guarded(instance, top) {
                return Some(top);
            }
            if !self.tree.controls_access() {
                return None;
            }
            let grants = self.grants(instance);
            let lacking = grants.anchors().filter(|(_, powers)| !powers.contains(Powers::DELETE));
            lacking.map(|(id, _)| id).find(|id| self.tree.is_below(*id, top))
        })
    }
}

/// What the ACL of a node gives, if it has one.
fn written_powers(node: &Node, authority: &Authority) -> Option<Powers> {
    let acl = Acl::written(node)?;
    Some(with_delegate(acl.granted(authority), !node.is_leaf()))
}

//! What of an MO instance an actor may know to exist.

use alloc::rc::Rc;
use core::cell::OnceCell;

use super::dac::Grants;
use super::{Actor, Authority, Judge, Operation, Powers};
use crate::ddf::Rule;
use crate::name::ServerId;
use crate::node::{Node, NodeId};
use crate::tree::{Instance, Tree};
use crate::well_known;

/// An MO instance as one actor sees it, for the time of one request.
#[derive(Clone)]
pub(crate) struct View<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) root: NodeId,
    actor: &'t Actor,
    instance: &'t Instance,
    kind: Kind,
    /// What the actor may do where, once it was asked: an address may compare thousands of leaves, and the entries of the
    /// instance are read for the first one only.
    grants: Rc<OnceCell<Grants>>,
    /// Decides in the place of the grants where the rights of DM 1.x hold.
    judge: Option<&'t Judge<'t>>,
}

/// MOs with rules of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    AccessControl,
    Plain,
}

impl<'t> View<'t> {
    pub(crate) fn new(tree: &'t Tree, actor: &'t Actor, instance: &'t Instance) -> Self {
        let kind = match instance.moid.as_str() {
            well_known::DMACC => Kind::Account,
            well_known::DACMO => Kind::AccessControl,
            _ => Kind::Plain,
        };
        Self { tree, root: instance.root, actor, instance, kind, grants: Rc::default(), judge: None }
    }

    /// The same as a server of DM 1.x sees it.
    pub(crate) fn judged_by(self, judge: Option<&'t Judge<'t>>) -> Self {
        Self { judge, ..self }
    }

    /// Whether the actor can see a node whose ancestors it sees. A node without any access type is not exposed to servers
    /// (`DM 2.0 §6.3.1`), nor are `Perm` of an account (`DM 2.0 §12.2`) and the access entries of instances on which the
    /// server has no right.
    pub(crate) fn shows(&self, id: NodeId, node: &Node, rule: Option<Rule<'_>>) -> bool {
        let Actor::Server(server) = self.actor else { return true };
        if rule.is_some_and(|rule| rule.ddf.access.is_empty()) {
            return false;
        }
        match self.kind {
            Kind::Plain => true,
            Kind::Account => node.parent != self.root || !node.name.as_str().eq_ignore_ascii_case("Perm"),
            Kind::AccessControl => self.tree.sees_entries(server, self.root, id, node),
        }
    }

    /// Whether the actor sees the value or the children of a node that it can see.
    pub(crate) fn reads(&self, rule: Option<Rule<'_>>) -> bool {
        !matches!(self.actor, Actor::Server(_)) || rule.is_none_or(|rule| rule.ddf.access.get)
    }

    /// Whether the actor has a right on any part of the instance.
    pub(crate) fn has_any_right(&self) -> bool {
        match self.actor {
            Actor::Server(_) if self.judge.is_some() => self.judged(self.root),
            Actor::Server(server) => self.tree.any_right(server, self.instance),
            Actor::Bootstrap(_) | Actor::Device => true,
        }
    }

    /// Whether an nv field may be compared with a leaf: comparing is reading.
    pub(crate) fn may_compare(&self, leaf: NodeId, rule: Option<Rule<'_>>) -> bool {
        match self.actor {
            Actor::Server(_) if self.judge.is_some() => self.reads(rule) && self.judged(leaf),
            Actor::Server(server) => self.reads(rule) && self.powers(server, leaf).contains(Powers::GET),
            Actor::Bootstrap(_) | Actor::Device => true,
        }
    }

    fn judged(&self, id: NodeId) -> bool {
        self.judge.is_some_and(|judge| judge.allows(id, Operation::Get))
    }

    fn powers(&self, server: &ServerId, id: NodeId) -> Powers {
        let authority = || Authority::Server(server.clone());
        match self.kind {
            // Each entry has rights of its own.
            Kind::AccessControl => Powers::from_rights(self.tree.rights(&authority(), id), Powers::WRITES),
            Kind::Account | Kind::Plain => {
                self.grants.get_or_init(|| self.tree.grants(&authority(), self.instance)).at(self.tree, id)
            }
        }
    }
}

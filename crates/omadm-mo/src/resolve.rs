//! From address to nodes (`DM 2.0 §6.1.2`).

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::access::{Actor, Judge, View};
use crate::client_uri::{ClientUri, Condition, MoInst, Segment, XName};
use crate::ddf::Rule;
use crate::error::OperationError;
use crate::node::{Node, NodeId};
use crate::tree::{Instance, Tree};

/// One match of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The matched node.
    pub node: NodeId,
    /// Root of its MO instance.
    pub instance_root: NodeId,
}

/// A node on the way to a match.
#[derive(Clone)]
struct Step<'t> {
    id: NodeId,
    node: &'t Node,
    rule: Option<Rule<'t>>,
    view: View<'t>,
}

impl Tree {
    /// Resolves an address for `actor` by the two steps of `DM 2.0 §6.1.2`, nothing but existence and visibility checked:
    /// `*` as mo-inst sees only instances on which the actor has a right; nodes without any access type do not exist for
    /// a server, and nv fields are satisfied only by leaves that it may read.
    ///
    /// # Errors
    /// `UnknownMoid`, `NotFound`, `Several`, `NotProvisioned`.
    pub fn resolve(&self, actor: &Actor, uri: &ClientUri) -> Result<Vec<Found>, OperationError> {
        let rewritten = self.canonical(uri);
        self.resolve_exactly(actor, rewritten.as_ref().unwrap_or(uri))
    }

    /// [`Tree::resolve`] for an address in which no alias is left.
    pub(crate) fn resolve_exactly(
        &self,
        actor: &Actor,
        uri: &ClientUri,
    ) -> Result<Vec<Found>, OperationError> {
        self.check_moid(actor, uri)?;
        self.follow(actor, uri, None)
    }

    /// Both steps for an address of a MOID that the actor may use. `judge` decides what may be compared where the rights of
    /// DM 1.x hold.
    pub(crate) fn follow<'t>(
        &'t self,
        actor: &'t Actor,
        uri: &ClientUri,
        judge: Option<&'t Judge<'t>>,
    ) -> Result<Vec<Found>, OperationError> {
        let mut steps = self.find_instances(actor, uri, judge)?;
        let mut next = Vec::new();
        for segment in &uri.path {
            for step in steps.drain(..) {
                step.descend(segment, uri, &mut next)?;
            }
            core::mem::swap(&mut steps, &mut next);
        }
        if steps.is_empty() {
            return Err(OperationError::NotFound { address: uri.to_string() });
        }
        Ok(steps.iter().map(|step| Found { node: step.id, instance_root: step.view.root }).collect())
    }

    /// The MOID is known, and provisioned for the actor.
    pub(crate) fn check_moid(&self, actor: &Actor, uri: &ClientUri) -> Result<(), OperationError> {
        if !self.knows(uri.moid.as_str()) {
            return Err(OperationError::UnknownMoid { moid: uri.moid.to_string() });
        }
        match actor {
            Actor::Server(server) if !self.provisioned(server, &uri.moid) => {
                Err(OperationError::NotProvisioned { moid: uri.moid.to_string() })
            }
            Actor::Server(_) | Actor::Bootstrap(_) | Actor::Device => Ok(()),
        }
    }

    /// Step 1: the MO instances that the mo-inst component means.
    fn find_instances<'t>(
        &'t self,
        actor: &'t Actor,
        uri: &ClientUri,
        judge: Option<&'t Judge<'t>>,
    ) -> Result<Vec<Step<'t>>, OperationError> {
        let rule = self.definition(uri.moid.as_str()).map(|definition| Rule::of_root(&definition.root));
        let step = |instance: &'t Instance| {
            let view = View::new(self, actor, instance).judged_by(judge);
            let node = self.arena.get(instance.root)?;
            view.shows(instance.root, node, rule).then_some(Step { id: instance.root, node, rule, view })
        };
        let all = || self.instances_of(&uri.moid).filter_map(step);
        let steps: Vec<Step<'t>> = match &uri.inst {
            MoInst::Miid(miid) => self.instance(&uri.moid, miid).and_then(step).into_iter().collect(),
            MoInst::Only => all().collect(),
            MoInst::All => all().filter(|step| step.view.has_any_right()).collect(),
            MoInst::XName(letter) => all().filter(|step| step.satisfies(*letter, uri)).collect(),
        };
        match steps.len() {
            0 => Err(OperationError::NotFound { address: uri.to_string() }),
            count if count > 1 && uri.inst != MoInst::All => {
                Err(OperationError::Several { address: uri.to_string(), count })
            }
            _ => Ok(steps),
        }
    }
}

impl<'t> Step<'t> {
    /// Step 2 for one segment: the children that it means.
    fn descend(
        &self,
        segment: &Segment,
        uri: &ClientUri,
        found: &mut Vec<Self>,
    ) -> Result<(), OperationError> {
        match segment {
            Segment::Name(name) => found.extend(self.child(name.as_str())),
            Segment::Wildcard => found.extend(self.children()),
            Segment::XName(letter) => {
                let before = found.len();
                found.extend(self.children().filter(|child| child.satisfies(*letter, uri)));
                let count = found.len() - before;
                if count > 1 {
                    return Err(OperationError::Several { address: uri.to_string(), count });
                }
            }
        }
        Ok(())
    }

    fn child(&self, name: &str) -> Option<Self> {
        self.node.children()?.get(name).and_then(|id| self.step_to(id))
    }

    fn children(&self) -> impl Iterator<Item = Self> {
        self.node
            .children()
            .into_iter()
            .flat_map(crate::tree::children::Children::iter)
            .filter_map(|id| self.step_to(id))
    }

    /// The step to a child, if the actor can see it. A nested MO instance has an address of its own and is not part of
    /// this one.
    fn step_to(&self, id: NodeId) -> Option<Self> {
        let node = self.view.tree.arena.get(id).filter(|node| node.instance.is_none())?;
        let rule = self.rule.and_then(|rule| rule.child(node.name.as_str(), node.is_leaf()));
        self.view.shows(id, node, rule).then_some(Self { id, node, rule, view: self.view.clone() })
    }

    /// Whether all nv fields of this letter hold for this node.
    fn satisfies(&self, letter: XName, uri: &ClientUri) -> bool {
        let mut conditions = uri.query.conditions().filter(|condition| condition.letter == letter).peekable();
        // An x-name without nv fields does not parse; one that was put together by hand matches nothing.
        conditions.peek().is_some() && conditions.all(|condition| self.holds(condition))
    }

    fn holds(&self, condition: &Condition) -> bool {
        let leaf = condition.path.iter().try_fold(self.clone(), |step, name| step.child(name.as_str()));
        leaf.is_some_and(|leaf| {
            leaf.node.value().is_some_and(|value| value.equals_text(&condition.value))
                && leaf.view.may_compare(leaf.id, leaf.rule)
        })
    }
}

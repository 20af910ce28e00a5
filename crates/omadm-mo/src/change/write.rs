//! Bringing content into the tree under the rules of its definition: structure, format, occurrence, access types.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Change;
use crate::access::{Actor, Operation};
use crate::alias::Departure;
use crate::content::Content;
use crate::ddf::{AccessType, DdfName, Occurrence, Rule, Scope};
use crate::error::OperationError;
use crate::name::NodeName;
use crate::node::{Body, Node, NodeId};
use crate::tree::children::Children;
use crate::value::{Format, Value};

/// Which parts of the definition bind a write beside structure and format.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    /// Access types: Add for new nodes, Replace for values.
    pub(super) access: bool,
    /// Permanent nodes stay when new data does not hold them.
    pub(super) scope: bool,
    /// At least one un-named node where the definition demands it. The device may fill them in later.
    pub(super) least: bool,
    /// New data has to hold what has to be there exactly once; otherwise what is there stays.
    pub(super) exact: bool,
}

impl Policy {
    /// A server in a session.
    pub(super) const SERVER: Self = Self { access: true, scope: true, least: true, exact: true };
    /// A server on the access entries: the right to delegate takes the place of the definition (`DM 2.0 §6.3.1.1`).
    pub(super) const ENTRIES: Self = Self { access: false, scope: false, least: true, exact: true };
    /// A bootstrap, or a server that replaces its whole account.
    pub(super) const BOOTSTRAP: Self = Self { access: false, scope: true, least: true, exact: false };
    /// The device.
    pub(super) const DEVICE: Self = Self { access: false, scope: true, least: false, exact: false };

    /// What holds for an actor in general.
    pub(super) fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Server(_) => Self::SERVER,
            Actor::Bootstrap(_) => Self::BOOTSTRAP,
            Actor::Device => Self::DEVICE,
        }
    }

    /// Whether a child that new data does not hold stays: permanent nodes, and those the writer cannot see or write.
    fn holds_back(self, rule: Option<Rule<'_>>, access: AccessType) -> bool {
        let writable = access.delete || access.writes();
        let permanent = rule.is_some_and(|rule| rule.ddf.scope == Scope::Permanent);
        let one_to_replace =
            rule.is_some_and(|rule| rule.ddf.occurrence == Occurrence::One && rule.ddf.format.is_leaf());
        (self.scope && permanent) || (self.access && (!writable || (one_to_replace && !access.replace)))
    }
}

/// What is known of the children of an interior node.
#[derive(Clone, Copy)]
pub(super) enum Below<'c> {
    /// The definition describes them.
    Described(Rule<'c>),
    /// No definition says what may be put there: below `Ext` and `Bearer`, and outside all MO instances.
    Open,
}

impl<'c> Below<'c> {
    pub(super) fn of(rule: Option<Rule<'c>>) -> Self {
        match rule {
            Some(rule) if !rule.ddf.is_open() => Self::Described(rule),
            Some(_) | None => Self::Open,
        }
    }

    fn rule(self) -> Option<Rule<'c>> {
        match self {
            Self::Described(rule) => Some(rule),
            Self::Open => None,
        }
    }
}

impl Change<'_> {
    /// Replaces what is at a node by `content`.
    pub(super) fn replace(
        &mut self,
        id: NodeId,
        rule: Option<Rule<'_>>,
        content: Content,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let leaf = self.tree.arena.get(id).is_some_and(Node::is_leaf);
        match content {
            Content::Leaf(value) if leaf => self.replace_value(id, rule, value, policy),
            Content::Interior(children) if !leaf => self.replace_children(id, rule, children, policy),
            Content::Leaf(_) => Err(self.bad(id, "a value for an interior node")),
            Content::Interior(_) => Err(self.bad(id, "children for a leaf")),
        }
    }

    fn replace_value(
        &mut self,
        id: NodeId,
        rule: Option<Rule<'_>>,
        value: Value,
        policy: Policy,
    ) -> Result<(), OperationError> {
        if policy.access && !self.access(id, rule).replace {
            return Err(self.not_defined(id, Operation::Replace, "no access type Replace"));
        }
        let current = self.tree.arena.get(id).map(Node::format);
        let (format, value) = self.conform(rule, current, value).map_err(|reason| self.bad(id, &reason))?;
        self.set_value(id, format, value)
    }

    fn replace_children(
        &mut self,
        id: NodeId,
        rule: Option<Rule<'_>>,
        children: Vec<(NodeName, Content)>,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let below = Below::of(rule);
        let kept: BTreeSet<NodeId> =
            children.iter().filter_map(|(name, _)| self.child_of(id, name)).collect();
        // First, so that old and new data need not fit into the quota together.
        self.drop_others(id, below, &kept, policy)?;
        let mut written = BTreeSet::new();
        for (name, content) in children {
            let child = match self.child_of(id, &name) {
                Some(child) if written.contains(&child) => return Err(self.bad(child, "the same name twice")),
                Some(child) => self.replace_child(child, below, content, policy).map(|()| child)?,
                None => self.create(id, below, name, content, policy, false)?,
            };
            written.insert(child);
        }
        self.check_occurrence(id, below, policy)
    }

    fn replace_child(
        &mut self,
        child: NodeId,
        below: Below<'_>,
        content: Content,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let Some(node) = self.tree.arena.get(child) else { return Ok(()) };
        if node.instance.is_some() {
            return Err(self.bad(child, "another management object is there"));
        }
        let rule = below.rule().and_then(|rule| rule.child(node.name.as_str(), node.is_leaf()));
        if policy.access && self.access(child, rule).is_empty() {
            return Err(self.not_defined(child, Operation::Replace, "no access type"));
        }
        self.replace(child, rule, content, policy)
    }

    /// Removes the children that new data does not hold, as far as the definition lets them go: permanent nodes stay, and
    /// so does what the writer cannot know of or cannot give.
    fn drop_others(
        &mut self,
        id: NodeId,
        below: Below<'_>,
        kept: &BTreeSet<NodeId>,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let children: Vec<NodeId> =
            self.tree.arena.get(id).and_then(Node::children).into_iter().flat_map(Children::iter).collect();
        for child in children.into_iter().filter(|child| !kept.contains(child)) {
            let Some(node) = self.tree.arena.get(child).filter(|node| node.instance.is_none()) else {
                continue;
            };
            let rule = below.rule().and_then(|rule| rule.child(node.name.as_str(), node.is_leaf()));
            if policy.holds_back(rule, self.access(child, rule)) || self.guards(child) {
                continue;
            }
            let demanded = rule.is_some_and(|rule| {
                rule.ddf.occurrence == Occurrence::One && matches!(rule.ddf.name, DdfName::Named(_))
            });
            match (demanded, policy.exact) {
                (true, true) => {
                    return Err(self.not_defined(child, Operation::Delete, "exactly one has to be there"));
                }
                (true, false) => continue,
                (false, _) => {}
            }
            self.take_away(child);
        }
        Ok(())
    }

    /// Creates a node below `parent`, which has no such child. `with_parent` says that the parent is new as well: then what
    /// has to be there exactly once needs no access type Add.
    pub(super) fn create(
        &mut self,
        parent: NodeId,
        below: Below<'_>,
        name: NodeName,
        content: Content,
        policy: Policy,
        with_parent: bool,
    ) -> Result<NodeId, OperationError> {
        let rule = match below {
            Below::Open => None,
            Below::Described(rule) => match rule.child(name.as_str(), content.is_leaf()) {
                Some(rule) => Some(rule),
                None => return Err(self.bad_child(parent, &name, "the definition has no such node")),
            },
        };
        if policy.access {
            let is = |property: fn(Rule<'_>) -> bool| rule.is_some_and(property);
            let born_with_parent = with_parent && is(|rule| rule.ddf.occurrence == Occurrence::One);
            if !born_with_parent && !self.access(parent, rule).add {
                return Err(self.no_add(parent, &name, "no access type Add"));
            }
            if !with_parent && is(|rule| rule.ddf.scope == Scope::Permanent) {
                return Err(self.no_add(parent, &name, "the node is permanent"));
            }
        }
        match (content, rule.map(|rule| rule.ddf.format)) {
            (Content::Interior(children), Some(Format::Node) | None) => {
                let id = self.insert(parent, name, Body::Interior(Children::default()), rule)?;
                self.fill(id, rule, children, policy)?;
                Ok(id)
            }
            (Content::Interior(_), Some(_)) => Err(self.bad_child(parent, &name, "children for a leaf")),
            (Content::Leaf(_), Some(Format::Node)) => {
                Err(self.bad_child(parent, &name, "a value for an interior node"))
            }
            (Content::Leaf(value), _) => {
                let (format, value) = self
                    .conform(rule, None, value)
                    .map_err(|reason| self.bad_child(parent, &name, &reason))?;
                self.insert(parent, name, Body::Leaf(format, value), rule)
            }
        }
    }

    /// Puts the children of a new interior node in place: those given, and those that come with it.
    pub(super) fn fill(
        &mut self,
        id: NodeId,
        rule: Option<Rule<'_>>,
        children: Vec<(NodeName, Content)>,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let below = Below::of(rule);
        for (name, content) in children {
            if self.child_of(id, &name).is_some() {
                return Err(self.bad_child(id, &name, "the same name twice"));
            }
            self.create(id, below, name, content, policy, true)?;
        }
        self.check_occurrence(id, below, policy)?;
        match below {
            Below::Described(rule) => self.add_required(id, rule),
            Below::Open => Ok(()),
        }
    }

    /// Adds the named children that have to be there exactly once and are not, with the values of the definition
    /// (`DM 2.0 §6.3.1.2`: a permanent child is created with its parent).
    fn add_required(&mut self, id: NodeId, rule: Rule<'_>) -> Result<(), OperationError> {
        for child in rule.children().filter(|child| child.ddf.occurrence == Occurrence::One) {
            let DdfName::Named(name) = &child.ddf.name else { continue };
            if self.child_of(id, name).is_some() {
                continue;
            }
            if child.ddf.format.is_leaf() {
                let body = Body::Leaf(child.ddf.format, child.ddf.initial_value());
                self.insert(id, name.clone(), body, Some(child))?;
            } else {
                let below =
                    self.insert(id, name.clone(), Body::Interior(Children::default()), Some(child))?;
                self.add_required(below, child)?;
            }
        }
        Ok(())
    }

    /// No more un-named children than the definition allows, and not fewer than it demands. (A named child is there once
    /// at most because names are unique.)
    pub(super) fn check_occurrence(
        &self,
        id: NodeId,
        below: Below<'_>,
        policy: Policy,
    ) -> Result<(), OperationError> {
        let Below::Described(rule) = below else { return Ok(()) };
        let un_named = |child: &Rule<'_>| matches!(child.ddf.name, DdfName::Unnamed(_));
        for child in rule.children().filter(un_named) {
            let occurrence = child.ddf.occurrence;
            let least = policy.least && occurrence.is_required();
            let limit = occurrence.limit();
            if limit.is_none() && !least {
                continue;
            }
            let nodes = self.tree.node(id).into_iter().flat_map(|node| node.children());
            let count = nodes
                .filter(|node| {
                    let of = rule.child(node.name().as_str(), node.node.is_leaf());
                    of.is_some_and(|of| of.is(child))
                })
                .take(limit.map_or(1, |limit| limit.saturating_add(1)))
                .count();
            if limit.is_some_and(|limit| count > limit) {
                return Err(self.not_defined(id, Operation::Add, "no more such nodes can be there"));
            }
            if least && count == 0 {
                return Err(self.not_defined(
                    id,
                    Operation::Replace,
                    "at least one such node has to be there",
                ));
            }
        }
        Ok(())
    }

    /// Brings a value into the format of the definition; without one it keeps the format of the leaf that is there, if it
    /// fits, or the one it comes in.
    pub(super) fn conform(
        &mut self,
        rule: Option<Rule<'_>>,
        current: Option<Format>,
        value: Value,
    ) -> Result<(Format, Value), String> {
        let format = match (rule, current) {
            (Some(rule), _) => rule.ddf.format,
            (None, Some(current)) if value.fits(current) => current,
            (None, _) => value.natural_format(),
        };
        let (value, departure) = value.into_format(format).map_err(|error| error.to_string())?;
        self.tolerate(departure)?;
        Ok((format, value))
    }

    /// Accepts a departure and remembers it; `Err` says that it is not accepted.
    pub(super) fn tolerate(&mut self, departure: Option<Departure>) -> Result<(), String> {
        match departure {
            Some(departure) if !self.tree.tolerances().accept(departure) => {
                Err(String::from("the value is not in the form of its format"))
            }
            departure => {
                departure.into_iter().for_each(|departure| self.depart(departure));
                Ok(())
            }
        }
    }

    /// What the definition lets servers do with a node of this rule at or below `place`.
    fn access(&self, place: NodeId, rule: Option<Rule<'_>>) -> AccessType {
        rule.map_or_else(|| self.tree.access_of(place), |rule| rule.ddf.access)
    }

    /// Whether servers may write to a node or to anything that its definition has below it.
    pub(super) fn takes_writes(&self, id: NodeId, rule: Option<Rule<'_>>) -> bool {
        rule.map_or_else(|| self.tree.access_of(id).writes(), Rule::takes_writes)
    }

    pub(super) fn child_of(&self, id: NodeId, name: &NodeName) -> Option<NodeId> {
        self.tree.arena.get(id)?.children()?.get(name.as_str())
    }

    pub(super) fn bad(&self, id: NodeId, reason: &str) -> OperationError {
        OperationError::BadData { address: self.tree.describe(id), reason: reason.to_string() }
    }

    pub(super) fn bad_child(&self, parent: NodeId, name: &NodeName, reason: &str) -> OperationError {
        OperationError::BadData { address: self.describe_child(parent, name), reason: reason.to_string() }
    }

    fn no_add(&self, parent: NodeId, name: &NodeName, reason: &'static str) -> OperationError {
        let address = self.describe_child(parent, name);
        OperationError::NotInDefinition { operation: Operation::Add, address, reason }
    }

    fn not_defined(&self, id: NodeId, operation: Operation, reason: &'static str) -> OperationError {
        OperationError::NotInDefinition { operation, address: self.tree.describe(id), reason }
    }

    fn describe_child(&self, parent: NodeId, name: &NodeName) -> String {
        let parent = self.tree.describe(parent);
        parent.trim_end_matches('/').to_string() + "/" + name.as_str()
    }
}

//! Add, with the nodes above that it needs (`DM 1.3 REPPRO §7.6.1`).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::plan::{Planned, Shape};
use super::value::Before;
use super::{no_right, refused};
use crate::Change;
use crate::access::{Acl, Authority, Operation, Powers, guarded_below};
use crate::change::write::{Below, Policy};
use crate::ddf::{DdfName, Definition, Occurrence, Rule, Scope};
use crate::dm1::uri::address_of;
use crate::dm1::{Dm1Error, UriLimits};
use crate::name::{Moid, NodeName};
use crate::node::{Body, Node, NodeId};
use crate::tree::children::Children;
use crate::value::Format;
use crate::well_known;

/// The nodes that a command has made so far.
pub(super) type New = BTreeSet<NodeId>;

/// A node about to be made.
struct Birth<'c, 'p> {
    parent: NodeId,
    name: &'p NodeName,
    path: &'p [NodeName],
    definition: Option<&'c Definition>,
    rule: Option<Rule<'c>>,
}

impl Change<'_> {
    /// Makes all that is planned; none of it may be there.
    pub(super) fn add_planned(&mut self, planned: &[Planned], limits: &UriLimits) -> Result<(), Dm1Error> {
        let mut new = New::new();
        let mut made = Vec::new();
        for node in planned {
            made.push((self.add_node(node, &mut new, limits)?, node));
        }
        self.set_planned_acls(&made)
    }

    /// Makes one node that is planned, and the interior nodes above it that are missing.
    pub(super) fn add_node(
        &mut self,
        planned: &Planned,
        new: &mut New,
        limits: &UriLimits,
    ) -> Result<NodeId, Dm1Error> {
        let Some((name, above)) = planned.path.split_last() else {
            return Err(Dm1Error::Exists { address: address_of(&[]) });
        };
        limits.check(&planned.path)?;
        let (mut parent, missing) = self.tree.dm1_walk(above);
        let there = above.len() - missing.len();
        for (at, name) in missing.iter().enumerate() {
            let ancestor = above.get(..=there + at).unwrap_or(above).to_vec();
            self.check_parent(parent, name, &ancestor, new)?;
            parent = self.make_node(parent, name, &Planned::bare(ancestor), new)?;
        }
        self.check_parent(parent, name, &planned.path, new)?;
        if let Some(there) = self.child_of(parent, name) {
            if !new.contains(&there) {
                return Err(self.exists(there, &planned.path));
            }
            // It came with its parent; what the document says of it holds.
            self.fill_in(there, planned)?;
            return Ok(there);
        }
        self.make_node(parent, name, planned, new)
    }

    /// A node can be put there, and the server may.
    fn check_parent(
        &self,
        parent: NodeId,
        name: &NodeName,
        path: &[NodeName],
        new: &New,
    ) -> Result<(), Dm1Error> {
        let operation = Operation::Add;
        if self.tree.arena.get(parent).is_none_or(Node::is_leaf) {
            let reason = "its parent is a leaf";
            return Err(Dm1Error::NotAllowed { address: address_of(path), operation, reason });
        }
        let there = self.child_of(parent, name);
        if new.contains(&parent) || there.is_some_and(|there| !new.contains(&there)) {
            return Ok(());
        }
        if self.judge().allows(parent, operation) { Ok(()) } else { Err(no_right(path, operation)) }
    }

    /// What to say of a node that is there already: nothing to whom nothing is allowed with it.
    fn exists(&self, id: NodeId, path: &[NodeName]) -> Dm1Error {
        if self.judge().at(id).powers.is_none() {
            no_right(path, Operation::Add)
        } else {
            Dm1Error::Exists { address: address_of(path) }
        }
    }

    fn make_node(
        &mut self,
        parent: NodeId,
        name: &NodeName,
        planned: &Planned,
        new: &mut New,
    ) -> Result<NodeId, Dm1Error> {
        let catalogue = Arc::clone(self.tree.catalogue());
        let moid = match &planned.shape {
            Shape::Interior(Some(kind)) => self.known_moid(kind),
            Shape::Interior(None) | Shape::Leaf(_) => None,
        };
        let definition = moid.and_then(|moid| catalogue.get(moid.as_str()));
        let below = Below::of(self.tree.rule_in(&catalogue, parent));
        let rule = match (definition, below) {
            (Some(definition), _) => Some(Rule::of_root(&definition.root)),
            (None, Below::Open) => None,
            (None, Below::Described(rule)) => match rule.child(name.as_str(), planned.is_leaf()) {
                Some(rule) => Some(rule),
                None => return Err(self.not_added(&planned.path, "the definition has no such node")),
            },
        };
        let birth =
            Birth { parent, name, path: &planned.path, definition: definition.map(Arc::as_ref), rule };
        self.check_birth(&birth, new.contains(&parent))?;
        let powers = self.judge().at(parent).powers;
        let id = self.give_birth(&birth, planned)?;
        new.insert(id);
        if let Some(limit) = definition.and_then(|definition| definition.root.occurrence.limit()) {
            let count = definition.map_or(0, |it| self.tree.instances_of(&it.moid).count());
            if count > limit {
                return Err(too_many(&planned.path));
            }
        } else if definition.is_none() {
            self.check_occurrence(parent, below, Policy::DEVICE).map_err(|_| too_many(&planned.path))?;
        }
        self.finish_birth(id, &birth, planned, powers, new)?;
        Ok(id)
    }

    /// The definition lets the server make the node.
    fn check_birth(&self, birth: &Birth<'_, '_>, with_parent: bool) -> Result<(), Dm1Error> {
        if self.bound().is_none() {
            return Ok(());
        }
        let reserved = |definition: &Definition| {
            matches!(definition.moid.as_str(), well_known::DMACC | well_known::DACMO)
        };
        let root = self.tree.instance_root(birth.parent);
        let guarded =
            root.filter(|root| self.moid_of(*root) == Some(well_known::DMACC)).is_some_and(|root| {
                let mut path = self.tree.names_below(root, birth.parent);
                path.push(birth.name.clone());
                guarded_below(&path).any(<[&str]>::is_empty)
            });
        if guarded || birth.definition.is_some_and(reserved) {
            return Err(no_right(birth.path, Operation::Add));
        }
        let comes_along =
            with_parent && birth.rule.is_some_and(|rule| rule.ddf.occurrence == Occurrence::One);
        let access = birth.rule.map_or_else(|| self.tree.dm1_access(birth.parent), |rule| rule.ddf.access);
        if !comes_along && !access.add {
            return Err(self.not_added(birth.path, "no access type Add"));
        }
        if !with_parent && birth.rule.is_some_and(|rule| rule.ddf.scope == Scope::Permanent) {
            return Err(self.not_added(birth.path, "the node is permanent"));
        }
        Ok(())
    }

    /// Puts the node in its place.
    fn give_birth(&mut self, birth: &Birth<'_, '_>, planned: &Planned) -> Result<NodeId, Dm1Error> {
        let address = address_of(birth.path);
        let unsupported = |reason| Dm1Error::Unsupported { address: address.clone(), reason };
        let described = birth.rule.map(|rule| rule.ddf.format);
        let (body, mime) = match &planned.shape {
            Shape::Interior(_) if described.is_some_and(Format::is_leaf) => {
                return Err(unsupported("the definition has a leaf there"));
            }
            Shape::Leaf(leaf)
                if described == Some(Format::Node) && leaf.format.is_none() && leaf.value.is_none() =>
            {
                (Body::Interior(Children::default()), None)
            }
            Shape::Interior(kind) => {
                let kind = kind.clone().filter(|_| birth.definition.is_none());
                (Body::Interior(Children::default()), kind)
            }
            Shape::Leaf(leaf) => {
                let leaf = self.leaf_of(&address, birth.rule, Before::Nothing, leaf)?;
                (Body::Leaf(leaf.format, leaf.value), leaf.mime)
            }
        };
        let refused = |error| refused(error, &address);
        let id = self.insert(birth.parent, birth.name.clone(), body, birth.rule).map_err(refused)?;
        if let Some(mime) = mime {
            self.set_mime(id, &mime).map_err(refused)?;
        }
        Ok(id)
    }

    /// What comes with a new node: its place among the management objects, permanent nodes, the ACL of its creator, its title.
    fn finish_birth(
        &mut self,
        id: NodeId,
        birth: &Birth<'_, '_>,
        planned: &Planned,
        parent_powers: Powers,
        new: &mut New,
    ) -> Result<(), Dm1Error> {
        let refused = |error| refused(error, &address_of(birth.path));
        if let Some(definition) = birth.definition {
            let miid = self.free_miid(&definition.moid, birth.name.as_str()).map_err(refused)?;
            self.register(id, &definition.moid, &miid);
        }
        if let Some(rule) = birth.rule {
            self.add_permanent(id, rule, new).map_err(refused)?;
        }
        let overruled = self.tree.governed(id).is_some()
            && self.tree.acl_of(id).is_some()
            && !self.judge().allows(id, Operation::Add);
        if overruled {
            return Err(no_right(birth.path, Operation::Add));
        }
        self.set_creator_acl(id, birth.parent, parent_powers)?;
        self.set_title(id, planned)
    }

    /// The permanent nodes of a definition come with their parents (`DM 2.0 §6.3.1.2`). All others are for the server to add.
    fn add_permanent(
        &mut self,
        id: NodeId,
        rule: Rule<'_>,
        new: &mut New,
    ) -> Result<(), crate::error::OperationError> {
        let comes =
            |child: &Rule<'_>| child.ddf.scope == Scope::Permanent && child.ddf.occurrence == Occurrence::One;
        for child in rule.children().filter(comes) {
            let DdfName::Named(name) = &child.ddf.name else { continue };
            let body = if child.ddf.format.is_leaf() {
                Body::Leaf(child.ddf.format, child.ddf.initial_value())
            } else {
                Body::Interior(Children::default())
            };
            let below = self.insert(id, name.clone(), body, Some(child))?;
            new.insert(below);
            self.add_permanent(below, child, new)?;
        }
        Ok(())
    }

    /// Who makes an interior node without the right to replace its parent gets rights on it (`DM 1.3 TND §8.2`). An ACL ends
    /// inheritance, so that Get is put into it as the parent has it.
    fn set_creator_acl(&mut self, id: NodeId, parent: NodeId, powers: Powers) -> Result<(), Dm1Error> {
        let Some(server) = self.bound().cloned().map(Authority::Server) else { return Ok(()) };
        let is_leaf = self.tree.arena.get(id).is_none_or(Node::is_leaf);
        if is_leaf || powers.contains(Powers::REPLACE) || !crate::access::acl::can_name(&server) {
            return Ok(());
        }
        let mut acl = self.tree.effective_acl(parent).within(|_| Powers::GET);
        acl.give(server, Powers::WRITES.and(Powers::GET));
        if acl.of(&Authority::Everyone).contains(Powers::GET) {
            acl = acl.within(|holder| match holder {
                Authority::Everyone => Powers::ALL,
                Authority::Server(_) | Authority::Application(_) => Powers::ALL.without(Powers::GET),
            });
        }
        self.set_acl(id, &acl).map_err(|error| refused(error, &self.tree.dm1_address(id)))
    }

    /// Gives a node that came with its parent the value that the document has for it.
    fn fill_in(&mut self, id: NodeId, planned: &Planned) -> Result<(), Dm1Error> {
        let address = address_of(&planned.path);
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, id);
        let current = self.tree.arena.get(id).map_or(Format::Node, Node::format);
        match &planned.shape {
            Shape::Interior(_) if !current.is_leaf() => {}
            Shape::Leaf(leaf) if current.is_leaf() => {
                let leaf = self.leaf_of(&address, rule, Before::Nothing, leaf)?;
                self.set_value(id, leaf.format, leaf.value).map_err(|error| refused(error, &address))?;
            }
            Shape::Interior(_) | Shape::Leaf(_) => {
                return Err(Dm1Error::Unsupported { address, reason: "the definition has another format" });
            }
        }
        self.set_title(id, planned)
    }

    /// The ACLs of a document. Each has to be one that the server could set afterwards, so that all are checked before the first
    /// takes rights away.
    pub(super) fn set_planned_acls(&mut self, made: &[(NodeId, &Planned)]) -> Result<(), Dm1Error> {
        let mut acls = Vec::new();
        for (id, planned) in made {
            let Some(text) = planned.acl.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
                continue;
            };
            let same = Acl::parse(text).is_ok_and(|acl| self.tree.acl_of(*id).as_ref() == Some(&acl));
            if !same {
                acls.push((*id, self.new_acl(*id, text)?));
            }
        }
        for (id, acl) in acls {
            self.set_acl(id, &acl).map_err(|error| refused(error, &self.tree.dm1_address(id)))?;
        }
        Ok(())
    }

    pub(super) fn set_title(&mut self, id: NodeId, planned: &Planned) -> Result<(), Dm1Error> {
        match &planned.title {
            Some(title) => self.put_title(id, title),
            None => Ok(()),
        }
    }

    /// The MOID of the catalogue that a Type means.
    pub(super) fn known_moid(&self, kind: &str) -> Option<Moid> {
        Moid::parse(kind).ok().filter(|moid| self.tree.knows(moid.as_str()))
    }

    fn not_added(&self, path: &[NodeName], reason: &'static str) -> Dm1Error {
        Dm1Error::NotAllowed { address: address_of(path), operation: Operation::Add, reason }
    }
}

fn too_many(path: &[NodeName]) -> Dm1Error {
    Dm1Error::BadData {
        address: address_of(path),
        reason: String::from("the definition allows no more such nodes"),
    }
}

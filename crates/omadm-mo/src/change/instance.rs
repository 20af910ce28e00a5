//! MO instances: where they stand in the tree, what they are called, and how they come to be.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Change;
use super::write::Policy;
use crate::access::{Actor, Authority, Operation, Rights};
use crate::alias::Departure;
use crate::content::Content;
use crate::ddf::{DdfName, Definition, Rule, Scope};
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName, ServerId};
use crate::node::{Body, Node, NodeId};
use crate::tree::children::Children;
use crate::value::Value;
use crate::well_known;

impl Change<'_> {
    /// A new instance on behalf of a server. Its MIID is `wanted`, if that is legal and free.
    pub(super) fn new_instance(
        &mut self,
        moid: &Moid,
        wanted: &str,
        content: Content,
    ) -> Result<NodeId, OperationError> {
        let definition = self.definition(moid)?;
        let refused = |reason| OperationError::NotInDefinition {
            operation: Operation::Add,
            address: moid.to_string(),
            reason,
        };
        if let Actor::Server(_) = &self.actor {
            match moid.as_str() {
                // Those of DM 1.x, too: rights go by server identifier, whichever the protocol.
                account if account.starts_with(well_known::DMACC_ANY) => {
                    let address = moid.to_string();
                    return Err(OperationError::NoRight { operation: Operation::Add, address });
                }
                well_known::DACMO => return Err(refused("the device makes it by itself")),
                _ if !definition.root.access.add => return Err(refused("no access type Add")),
                _ if definition.root.scope == Scope::Permanent => return Err(refused("it is permanent")),
                _ => {}
            }
        }
        let limit = definition.root.occurrence.limit();
        if limit.is_some_and(|limit| self.tree.instances_of(moid).count() >= limit) {
            return Err(refused("no more instances can be there"));
        }
        let miid = self.free_miid(moid, wanted)?;
        let policy = Policy::of(&self.actor);
        let root = self.make_instance(&definition, &miid, content, policy)?;
        if let Some(creator) = self.creator(moid, root) {
            self.put_entry(moid, &miid, &[], &Authority::Server(creator), Rights::ALL)?;
        }
        if moid.as_str() == well_known::DMACC {
            self.check_account(root)?;
        }
        Ok(root)
    }

    /// Creates an instance at its place, with all that comes with it but the access entries.
    pub(super) fn make_instance(
        &mut self,
        definition: &Definition,
        miid: &Miid,
        content: Content,
        policy: Policy,
    ) -> Result<NodeId, OperationError> {
        let rule = Rule::of_root(&definition.root);
        let Content::Interior(children) = content else {
            return Err(bad_root(definition, "a value for an interior node"));
        };
        if definition.root.format.is_leaf() {
            return Err(bad_root(definition, "the root of the definition is a leaf"));
        }
        let mut parent = self.place(definition)?;
        let name = match &definition.root.name {
            DdfName::Named(name) => name.clone(),
            DdfName::Unnamed(_) => NodeName::from(miid),
        };
        // DM 1.x finds objects by their paths, such as `./DevInfo`: who comes later and has the name in common stands apart.
        if self.is_of_another(parent, &name, &definition.moid) {
            parent = self.descend(&[container_name(&definition.moid)?], definition)?;
        }
        let name = self.free_name(parent, &name)?;
        let root = self.insert(parent, name, Body::Interior(Children::default()), Some(rule))?;
        self.register(root, &definition.moid, miid);
        self.fill(root, Some(rule), children, policy)?;
        Ok(root)
    }

    /// [`crate::Tree::check_account`]; also sees whether a bootstrap names MOIDs by aliases.
    pub(super) fn check_account(&mut self, root: NodeId) -> Result<(), OperationError> {
        self.tree.check_account(root)?;
        if matches!(self.actor, Actor::Bootstrap(_)) && self.tree.permits_by_alias(root) {
            self.depart(Departure::MoidAlias);
        }
        Ok(())
    }

    /// The definition of a MOID.
    pub(super) fn definition(&self, moid: &Moid) -> Result<Arc<Definition>, OperationError> {
        let definition = self.tree.catalogue().get(moid.as_str());
        definition.cloned().ok_or_else(|| OperationError::UnknownMoid { moid: moid.to_string() })
    }

    /// The server to which a new instance belongs (`DM 2.0 §10`): an account to its own server, all else to the actor.
    fn creator(&self, moid: &Moid, root: NodeId) -> Option<ServerId> {
        let actor = match &self.actor {
            Actor::Server(server) | Actor::Bootstrap(server) => server,
            Actor::Device => return None,
        };
        if moid.as_str() != well_known::DMACC {
            return Some(actor.clone());
        }
        match self.tree.node(root)?.child("SrvID")?.value()? {
            Value::Text(text) => ServerId::parse(text).ok(),
            _ => None,
        }
    }

    /// The MIID that is wanted if it is legal and free, else a free number. The search begins behind as many as are taken, so
    /// that many instances one after the other do not each try all numbers before their own.
    pub(super) fn free_miid(&self, moid: &Moid, wanted: &str) -> Result<Miid, OperationError> {
        let wanted = Miid::parse(wanted).ok();
        if let Some(miid) = wanted.filter(|miid| self.tree.instance(moid, miid).is_none()) {
            return Ok(miid);
        }
        let taken = self.tree.index.get(moid).map_or(0, BTreeMap::len);
        // One of these taken + 1 numbers is free.
        for number in taken + 1..=2 * taken + 1 {
            let miid = Miid::parse(&number.to_string())?;
            if self.tree.instance(moid, &miid).is_none() {
                return Ok(miid);
            }
        }
        Err(self.tree.full())
    }

    /// `name` if no sibling has it, else with a number that makes it unique; found as [`Change::free_miid`] does.
    pub(super) fn free_name(&self, parent: NodeId, name: &NodeName) -> Result<NodeName, OperationError> {
        if self.child_of(parent, name).is_none() {
            return Ok(name.clone());
        }
        let children = self.tree.arena.get(parent).and_then(Node::children);
        let siblings = children.map_or(0, Children::len);
        for number in siblings + 1..=2 * siblings + 1 {
            let name = NodeName::parse(&(name.as_str().to_string() + "-" + &number.to_string()))?;
            if self.child_of(parent, &name).is_none() {
                return Ok(name);
            }
        }
        Err(self.tree.full())
    }

    /// Whether a child of this name is the root of another object.
    fn is_of_another(&self, parent: NodeId, name: &NodeName, moid: &Moid) -> bool {
        let there = self.child_of(parent, name).filter(|id| self.tree.instance_root(*id) == Some(*id));
        there.and_then(|id| self.tree.instance_of_node(id)).is_some_and(|instance| instance.moid != *moid)
    }

    /// The node below which instances of an MO stand, made if need be: the Path of the definition; without one `.` for a
    /// named root, and a node called after the MOID for un-named roots.
    pub(super) fn place(&mut self, definition: &Definition) -> Result<NodeId, OperationError> {
        let names: Vec<NodeName> = match (&definition.root.path, &definition.root.name) {
            (Some(path), _) => {
                let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
                parts.map(NodeName::parse).collect::<Result<_, _>>()?
            }
            (None, DdfName::Named(_)) => Vec::new(),
            (None, DdfName::Unnamed(_)) => alloc::vec![container_name(&definition.moid)?],
        };
        self.descend(&names, definition)
    }

    /// The node with these names from the root on, made if need be.
    fn descend(&mut self, names: &[NodeName], definition: &Definition) -> Result<NodeId, OperationError> {
        let mut at = self.tree.root().id();
        for name in names {
            at = match self.child_of(at, name) {
                Some(child) if self.tree.node(child).is_some_and(|node| node.format().is_leaf()) => {
                    return Err(bad_root(definition, "a leaf is in the way of its Path"));
                }
                Some(child) => child,
                None => self.insert(at, name.clone(), Body::Interior(Children::default()), None)?,
            };
        }
        Ok(at)
    }
}

/// The last part of a MOID that is not a version, such as `oma-dm-dmacc`.
fn container_name(moid: &Moid) -> Result<NodeName, OperationError> {
    let is_version = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '.');
    let last = moid.as_str().rsplit([':', '/']).find(|part| !is_version(part));
    let legal: String =
        last.unwrap_or("MO").chars().map(|c| if "*()".contains(c) { '_' } else { c }).collect();
    Ok(NodeName::parse(&legal)?)
}

fn bad_root(definition: &Definition, reason: &str) -> OperationError {
    OperationError::BadData { address: definition.moid.to_string(), reason: reason.to_string() }
}

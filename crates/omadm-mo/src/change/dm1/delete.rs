//! Delete (`DM 1.3 REPPRO §7.6.5`), and what goes with the last account of a server.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::refused;
use crate::Change;
use crate::access::{Acl, Authority, Operation, Powers};
use crate::ddf::Scope;
use crate::dm1::{Dm1Error, Dm1Uri, Part};
use crate::name::ServerId;
use crate::node::NodeId;
use crate::tree::arena::ROOT;
use crate::value::Value;
use crate::well_known;

/// Where an account has the identifier of its server: DM 1.x and DM 2.0.
const SERVER_IDS: [&str; 2] = ["ServerID", "SrvID"];

impl Change<'_> {
    pub(super) fn delete_node(&mut self, uri: &Dm1Uri) -> Result<(), Dm1Error> {
        let operation = Operation::Delete;
        if uri.part() != Part::Node {
            return Err(Dm1Error::WrongPart { address: uri.to_string() });
        }
        let id = self.tree.dm1_find_one(&self.actor, uri, operation)?;
        if id == ROOT {
            let reason = "the root of the tree stays";
            return Err(Dm1Error::NotAllowed { address: uri.to_string(), operation, reason });
        }
        self.check_deletable(id)?;
        let servers = self.servers_below(id);
        self.take_away(id);
        for server in servers {
            if !self.servers_below(ROOT).contains(&server) {
                self.forget_server(&server)?;
            }
        }
        Ok(())
    }

    /// The server may delete the node, and the definition lets it. What is below a node goes with it, whatever its own access types
    /// (`DM 1.3 TND §7.3`), and so do permanent nodes that came with it; a management object that is permanent stays.
    pub(super) fn check_deletable(&self, id: NodeId) -> Result<(), Dm1Error> {
        if self.bound().is_none() {
            return Ok(());
        }
        let (address, operation) = (self.tree.dm1_address(id), Operation::Delete);
        if let Some(lacking) = self.judge().undeletable(id) {
            return Err(Dm1Error::NoRight { address: self.tree.dm1_address(lacking), operation });
        }
        if !self.tree.dm1_access(id).delete {
            return Err(Dm1Error::NotAllowed { address, operation, reason: "no access type Delete" });
        }
        if self.is_permanent(id) || self.holds_permanent(id) {
            return Err(Dm1Error::NotAllowed {
                address,
                operation,
                reason: "it is permanent, or holds what is",
            });
        }
        Ok(())
    }

    pub(super) fn is_permanent(&self, id: NodeId) -> bool {
        self.tree.rule_of(id).is_some_and(|rule| rule.ddf.scope == Scope::Permanent)
    }

    pub(super) fn holds_permanent(&self, id: NodeId) -> bool {
        self.tree.nested_instances(id).any(|nested| self.is_permanent(nested.root))
    }

    /// The servers that have accounts at or below a node.
    fn servers_below(&self, top: NodeId) -> BTreeSet<ServerId> {
        let instances = self.instances_below(top).into_iter();
        let accounts = instances.filter(|it| it.moid.as_str().starts_with(well_known::DMACC_ANY));
        accounts.filter_map(|account| self.server_of(account.root)).collect()
    }

    /// The server that an account is for.
    pub(super) fn server_of(&self, account: NodeId) -> Option<ServerId> {
        let account = self.tree.node(account)?;
        let leaf = SERVER_IDS.iter().find_map(|name| account.child(name))?;
        match leaf.value()? {
            Value::Text(text) => ServerId::parse(text).ok(),
            _ => None,
        }
    }

    /// Takes a server out of all ACLs. One in which nobody is left leaves it to the parent; for the root what the factory gave to
    /// all holds again. Access right entries that no ACL stands for are not touched.
    pub(super) fn forget_server(&mut self, server: &ServerId) -> Result<(), Dm1Error> {
        let holder = Authority::Server(server.clone());
        let named = |id: NodeId| {
            let acl = Acl::written(self.tree.arena.get(id)?)?;
            acl.holders().iter().any(|(other, _)| *other == holder).then_some(id)
        };
        let nodes: Vec<NodeId> = self.tree.subtree(ROOT).filter_map(named).collect();
        for id in nodes {
            let mut acl = self.tree.acl_of(id).unwrap_or_default();
            let lost = acl.of(&holder);
            acl = acl.without(&holder);
            if id == ROOT {
                let held = acl.holders().iter().fold(Powers::NONE, |sum, (_, powers)| sum.and(*powers));
                let factory = Acl::factory().of(&Authority::Everyone);
                acl.give(Authority::Everyone, lost.without(held).within(factory));
            }
            self.set_acl(id, &acl).map_err(|error| refused(error, &self.tree.dm1_address(id)))?;
        }
        Ok(())
    }
}

//! Commands of DM 1.x that change the tree (`DM 1.3 TND`, `DM 1.3 TNDS`, `DM 1.3 REPPRO §7.6`). Each happens as a whole or not at
//! all. Checks come in this order: address, existence, rights, definition, format and type, room.

mod add;
mod copy;
mod delete;
mod inbox;
mod plan;
mod property;
mod replace;
mod replace_tree;
mod value;

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Change;
use super::edit::Mark;
use crate::access::{Actor, Judge, Operation};
use crate::client_uri::{ClientUri, Segment};
use crate::dm1::uri::{Place, address_of};
use crate::dm1::{Dm1Error, Dm1Uri, NewNode, Part, Snapshot};
use crate::error::OperationError;
use crate::name::{Miid, Moid, NodeName, ServerId};
use crate::node::NodeId;
use crate::well_known;

impl Change<'_> {
    /// Add of one node: a leaf, or an interior node if `node` has the format `node`; missing interior nodes above it are made as
    /// well. What is added to the Inbox goes where its Type belongs.
    ///
    /// # Errors
    /// 404, 405, 413, 414, 415, 418, 420, 425, 500 (see [`Dm1Error::status`]).
    pub fn dm1_add(&mut self, uri: &Dm1Uri, node: NewNode) -> Result<(), Dm1Error> {
        self.command(|change| {
            let path = change.target(uri, Operation::Add)?;
            let planned = plan::one(path, node);
            match change.inbox_above(&planned.path) {
                Some(inbox) => change.place_planned(inbox, alloc::vec![planned], uri.limits()),
                None => change.add_planned(&[planned], uri.limits()),
            }
        })
    }

    /// Add of a TNDS document. Its first node is a child of the target, or the target itself if it has no name.
    ///
    /// # Errors
    /// As [`Change::dm1_add`]: what the Add of the first node that cannot be made would give.
    pub fn dm1_add_tree(&mut self, uri: &Dm1Uri, document: &Snapshot) -> Result<(), Dm1Error> {
        self.command(|change| {
            let target = change.target(uri, Operation::Add)?;
            match change.inbox_above(&target) {
                Some(inbox) => change.place_document(inbox, document, uri.limits()),
                None => {
                    let planned = plan::of_document(&target, document, plan::First::Below)?;
                    change.add_planned(&planned, uri.limits())
                }
            }
        })
    }

    /// Replace of the value of a leaf, with its format and type where `node` has them.
    ///
    /// # Errors
    /// 404, 405, 413, 415, 420, 425, 500.
    pub fn dm1_replace(&mut self, uri: &Dm1Uri, node: NewNode) -> Result<(), Dm1Error> {
        self.command(|change| change.replace_leaf(uri, node))
    }

    /// Replace of a sub-tree by a TNDS document. Its first node is the target if it has no name or that of the target, else a
    /// child. What the document lacks is deleted, but for permanent nodes; an ACL or title that it lacks stays.
    ///
    /// # Errors
    /// As [`Change::dm1_add`] and [`Change::dm1_replace`].
    pub fn dm1_replace_tree(&mut self, uri: &Dm1Uri, document: &Snapshot) -> Result<(), Dm1Error> {
        self.command(|change| change.replace_tree(uri, document))
    }

    /// Replace of a property: ACL, Name (which renames the node) or Title.
    ///
    /// # Errors
    /// 404, 405, 413, 414, 418, 420, 425, 500.
    pub fn dm1_set_property(&mut self, uri: &Dm1Uri, text: &str) -> Result<(), Dm1Error> {
        self.command(|change| change.set_property(uri, text))
    }

    /// Delete of a node with all below it. When the last account of a server goes, so does the server from all ACLs.
    ///
    /// # Errors
    /// 404, 405, 425.
    pub fn dm1_delete(&mut self, uri: &Dm1Uri) -> Result<(), Dm1Error> {
        self.command(|change| change.delete_node(uri))
    }

    /// Copy of the value of a leaf to another, which is made if it is not there.
    ///
    /// # Errors
    /// 403, 404, 405, 413, 414, 420, 425.
    pub fn dm1_copy(&mut self, from: &Dm1Uri, to: &Dm1Uri) -> Result<(), Dm1Error> {
        self.command(|change| change.copy_leaf(from, to))
    }

    /// Takes a server out of all ACLs (`DM 1.3 TND §8.2`): for a device that removes an account by itself.
    ///
    /// # Errors
    /// 420.
    pub fn dm1_forget(&mut self, server: &ServerId) -> Result<(), Dm1Error> {
        self.command(|change| change.forget_server(server))
    }

    /// Runs one command: all of it or nothing, TStamp and VerNo of each node counted once.
    fn command<T>(&mut self, command: impl FnOnce(&mut Self) -> Result<T, Dm1Error>) -> Result<T, Dm1Error> {
        self.stamped = Some(BTreeSet::new());
        let mark = self.mark();
        let outcome = self.attempt(|change| {
            let done = command(change)?;
            change.check_accounts(mark)?;
            Ok(done)
        });
        self.stamped = None;
        outcome
    }

    /// The server whose rights bind the command.
    fn bound(&self) -> Option<&ServerId> {
        match &self.actor {
            Actor::Server(server) => Some(server),
            Actor::Bootstrap(_) | Actor::Device => None,
        }
    }

    fn judge(&self) -> Judge<'_> {
        Judge::new(self.tree, &self.actor)
    }

    /// The path of the node that a command is to make or to change.
    fn target(&self, uri: &Dm1Uri, operation: Operation) -> Result<Vec<NodeName>, Dm1Error> {
        if uri.part() != Part::Node {
            return Err(Dm1Error::WrongPart { address: uri.to_string() });
        }
        match &uri.place {
            Place::Path(path) => Ok(path.clone()),
            Place::Virtual(address) => match self.tree.dm1_find_one(&self.actor, uri, operation) {
                Ok(id) => Ok(self.tree.path_of(id)),
                Err(Dm1Error::NotFound { .. }) => self.new_below(uri, address, operation),
                Err(error) => Err(error),
            },
        }
    }

    /// The path of a node that is not there, by the virtual address of its parent.
    fn new_below(
        &self,
        uri: &Dm1Uri,
        address: &ClientUri,
        operation: Operation,
    ) -> Result<Vec<NodeName>, Dm1Error> {
        let Some((Segment::Name(name), above)) = address.path.split_last() else {
            return Err(Dm1Error::NotFound { address: uri.to_string() });
        };
        let mut parent = uri.clone();
        parent.place = Place::Virtual(ClientUri { path: above.to_vec(), ..address.clone() });
        let parent = self.tree.dm1_find_one(&self.actor, &parent, operation)?;
        let mut path = self.tree.path_of(parent);
        path.push(name.clone());
        Ok(path)
    }

    /// Whether a server must leave a node alone that only a bootstrap writes.
    fn is_kept_from_server(&self, id: NodeId) -> bool {
        let Some(root) = self.tree.instance_root(id).filter(|_| self.bound().is_some()) else { return false };
        self.moid_of(root) == Some(well_known::DMACC) && self.tree.is_guarded(root, id)
    }

    /// What has to hold of the accounts that a command changed. Rights go by server identifier, so that a server must not make a
    /// second account with that of another.
    fn check_accounts(&self, since: Mark) -> Result<(), Dm1Error> {
        let changed = self.changes.entries.iter().skip(since.entries);
        let accounts: BTreeSet<&(Moid, Miid)> = changed
            .filter_map(|(_, instance, _)| instance.as_ref())
            .filter(|(moid, _)| moid.as_str().starts_with(well_known::DMACC_ANY))
            .collect();
        for (moid, miid) in accounts {
            let Some(root) = self.tree.instance(moid, miid).map(|account| account.root) else { continue };
            let address = self.tree.dm1_address(root);
            if moid.as_str() == well_known::DMACC {
                self.tree.check_account(root).map_err(|error| refused(error, &address))?;
            }
            let server = self.server_of(root).filter(|_| self.bound().is_some());
            if server.is_some_and(|server| self.has_other_account(&server, root)) {
                return Err(Dm1Error::Forbidden {
                    address,
                    reason: "another account is for the same server",
                });
            }
        }
        Ok(())
    }

    fn has_other_account(&self, server: &ServerId, than: NodeId) -> bool {
        let accounts =
            self.tree.instances().filter(|other| other.moid.as_str().starts_with(well_known::DMACC_ANY));
        let mut others = accounts.filter(|other| other.root != than);
        others.any(|other| self.server_of(other.root).as_ref() == Some(server))
    }
}

/// What a refusal of a step of the tree is for a server of DM 1.x.
fn refused(error: OperationError, address: &str) -> Dm1Error {
    let address = String::from(address);
    match error {
        OperationError::Full { needed, limit } => Dm1Error::Full { address, needed, limit },
        OperationError::NoRight { operation, .. } => Dm1Error::NoRight { address, operation },
        OperationError::NotAllowed { operation, reason, .. } => {
            Dm1Error::NotAllowed { address, operation, reason }
        }
        OperationError::UnknownMoid { .. } | OperationError::NotFound { .. } => {
            Dm1Error::NotFound { address }
        }
        error => Dm1Error::BadData { address, reason: error.to_string() },
    }
}

/// No right on what is at a path.
fn no_right(path: &[NodeName], operation: Operation) -> Dm1Error {
    Dm1Error::NoRight { address: address_of(path), operation }
}

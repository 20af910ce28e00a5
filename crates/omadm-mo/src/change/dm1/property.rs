//! Replace of a property: ACL, Name, Title (`DM 1.3 TND §8.2`).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::refused;
use crate::Change;
use crate::access::{Acl, Authority, MAX_ACL, Operation, Powers};
use crate::change::ChangeKind;
use crate::change::write::Below;
use crate::ddf::{Scope, same_name};
use crate::dm1::uri::{address_of, name_of, segment_of};
use crate::dm1::{Dm1Error, Dm1Uri, Part, Property, UriLimits};
use crate::name::NodeName;
use crate::node::NodeId;
use crate::tree::arena::ROOT;
use crate::value::{Format, Value};
use crate::well_known;

/// Longest Title in octets.
const MAX_TITLE: usize = 255;

/// Leaves of an account that may hold the address of a connection.
const REFERENCES: [&str; 2] = ["ConRef", "PrefConRef"];

impl Change<'_> {
    pub(super) fn set_property(&mut self, uri: &Dm1Uri, text: &str) -> Result<(), Dm1Error> {
        let Part::Property(property) = uri.part() else {
            return Err(Dm1Error::WrongPart { address: uri.to_string() });
        };
        let id = self.tree.dm1_find_one(&self.actor, uri, Operation::Replace)?;
        match property {
            Property::Acl => {
                let acl = self.new_acl(id, text)?;
                self.set_acl(id, &acl).map_err(|error| refused(error, &self.tree.dm1_address(id)))
            }
            Property::Name => {
                self.check_replaceable(id)?;
                self.rename_node(id, text, uri.limits())
            }
            Property::Title => {
                self.check_replaceable(id)?;
                self.put_title(id, text)
            }
            Property::Format | Property::Size | Property::TStamp | Property::Type | Property::VerNo => {
                Err(Dm1Error::WrongPart { address: uri.to_string() })
            }
        }
    }

    /// The ACL that a text means for a node, if the server may set it.
    pub(super) fn new_acl(&self, id: NodeId, text: &str) -> Result<Acl, Dm1Error> {
        let (address, operation) = (self.tree.dm1_address(id), Operation::Replace);
        let judge = self.judge();
        let sealed = self.bound().is_some()
            && self.tree.instance_of_node(id).is_some_and(|it| it.moid.as_str() == well_known::DACMO);
        if sealed || !judge.may_delegate(id, judge.at(id).powers) {
            return Err(Dm1Error::NoRight { address, operation });
        }
        if text.len() > MAX_ACL {
            return Err(Dm1Error::TooLarge { address, needed: text.len(), limit: MAX_ACL });
        }
        let acl = Acl::parse(text)
            .map_err(|reason| Dm1Error::BadData { address: address.clone(), reason: reason.to_string() })?;
        if id == ROOT && !acl.of(&Authority::Everyone).contains(Powers::ADD) {
            let reason = "everyone may add below the root";
            return Err(Dm1Error::NotAllowed { address, operation, reason });
        }
        Ok(acl)
    }

    /// The server may replace the node, and the definition lets it.
    pub(super) fn check_replaceable(&self, id: NodeId) -> Result<(), Dm1Error> {
        let (address, operation) = (self.tree.dm1_address(id), Operation::Replace);
        if !self.judge().allows(id, operation) || self.is_kept_from_server(id) {
            return Err(Dm1Error::NoRight { address, operation });
        }
        if self.bound().is_some() && !self.tree.dm1_access(id).replace {
            return Err(Dm1Error::NotAllowed { address, operation, reason: "no access type Replace" });
        }
        Ok(())
    }

    pub(super) fn put_title(&mut self, id: NodeId, text: &str) -> Result<(), Dm1Error> {
        let address = self.tree.dm1_address(id);
        if text.len() > MAX_TITLE {
            return Err(Dm1Error::TooLarge { address, needed: text.len(), limit: MAX_TITLE });
        }
        let title = (!text.is_empty()).then(|| String::from(text));
        self.set_properties(id, |properties| properties.title = title)
            .map_err(|error| refused(error, &address))?;
        self.stamp(id);
        self.note(id, ChangeKind::Replaced);
        self.touch(id);
        Ok(())
    }

    fn rename_node(&mut self, id: NodeId, text: &str, limits: &UriLimits) -> Result<(), Dm1Error> {
        let (address, operation) = (self.tree.dm1_address(id), Operation::Replace);
        let not_allowed = |reason| Dm1Error::NotAllowed { address: address.clone(), operation, reason };
        let Some(parent) = self.tree.arena.get(id).filter(|_| id != ROOT).map(|node| node.parent) else {
            return Err(not_allowed("the root has no other name"));
        };
        let catalogue = Arc::clone(self.tree.catalogue());
        let rule = self.tree.rule_in(&catalogue, id);
        if rule.is_some_and(|rule| rule.ddf.scope == Scope::Permanent) {
            return Err(not_allowed("the node is permanent"));
        }
        let illegal =
            |reason: &str| Dm1Error::BadData { address: address.clone(), reason: reason.to_string() };
        let name = name_of(text).map_err(illegal)?;
        let old = self.tree.path_of(id);
        if old.last() == Some(&name) {
            return Ok(());
        }
        self.check_new_name(id, &name, limits)?;
        if let Some(other) = self.child_of(parent, &name).filter(|other| *other != id) {
            return Err(Dm1Error::Exists { address: self.tree.dm1_address(other) });
        }
        let is_root = self.tree.arena.get(id).is_some_and(|node| node.instance.is_some());
        let is_leaf = self.tree.arena.get(id).is_some_and(crate::node::Node::is_leaf);
        let others = rule.is_some_and(|rule| match Below::of(self.tree.rule_in(&catalogue, parent)) {
            Below::Described(above) if !is_root => {
                above.child(name.as_str(), is_leaf).is_none_or(|meant| !meant.is(rule))
            }
            Below::Described(_) | Below::Open => {
                matches!(&rule.ddf.name, crate::ddf::DdfName::Named(named)
                    if !same_name(named.as_str(), name.as_str(), rule.fold))
            }
        });
        if others {
            return Err(not_allowed("the definition gives the name"));
        }
        let refused = |error| refused(error, &address);
        let root = self.tree.instance_root(id);
        let inside = root.map(|root| self.tree.names_below(root, id)).unwrap_or_default();
        self.rename(id, name).map_err(refused)?;
        self.move_entries(id, &inside).map_err(refused)?;
        let new = self.tree.path_of(id);
        self.follow_references(&old, &new).map_err(refused)
    }

    /// The limits of the device, for the node and all below it.
    fn check_new_name(&self, id: NodeId, name: &NodeName, limits: &UriLimits) -> Result<(), Dm1Error> {
        if *limits == UriLimits::default() {
            return Ok(());
        }
        let depth = self.tree.depth_of(id);
        let moved = self.tree.subtree(id).map(|below| {
            let mut path = self.tree.path_of(below);
            if let Some(place) = path.get_mut(depth.saturating_sub(1)) {
                *place = name.clone();
            }
            path
        });
        moved.into_iter().try_for_each(|path| limits.check(&path))
    }

    /// Connection references of accounts follow what they refer to.
    fn follow_references(
        &mut self,
        old: &[NodeName],
        new: &[NodeName],
    ) -> Result<(), crate::error::OperationError> {
        let (old, new) = (address_of(old), address_of(new));
        let accounts = self.tree.instances().filter(|it| it.moid.as_str().starts_with(well_known::DMACC_ANY));
        let leaves = accounts.flat_map(|account| self.tree.subtree(account.root));
        let moved: Vec<(NodeId, Format, Value)> = leaves
            .filter_map(|id| {
                let node = self.tree.arena.get(id).filter(|node| REFERENCES.contains(&node.name.as_str()))?;
                let Value::Text(text) = node.value()? else { return None };
                Some((id, node.format(), Value::Text(moved_reference(text, &old, &new)?)))
            })
            .collect();
        moved.into_iter().try_for_each(|(id, format, value)| self.set_value(id, format, value))
    }
}

/// A reference to what is at or below a place that has moved.
pub(super) fn moved_reference(text: &str, old: &str, new: &str) -> Option<String> {
    let rest = text.strip_prefix(old)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| String::from(new) + rest)
}

/// The address of a child of a node.
pub(super) fn child_address(parent: &str, name: &NodeName) -> String {
    String::from(parent) + "/" + &segment_of(name)
}

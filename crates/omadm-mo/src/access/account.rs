//! DM Accounts (`DM 2.0 §12.2`): which servers there are, and what they were given at bootstrap.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::content::Content;
use crate::error::OperationError;
use crate::name::{DeviceId, Miid, Moid, NodeName, ServerId};
use crate::node::{NodeId, NodeRef};
use crate::server_uri::ServerUri;
use crate::tree::Tree;
use crate::value::Value;
use crate::well_known;

/// Parts of an account that only a bootstrap writes: `Perm` (`DM 2.0 §12.2`) and the keys of the bootstrap server
/// (`DM 2.0 §9.3.2`).
const GUARDED: [&[&str]; 2] = [&["Perm"], &["Auth", "Bootstrap"]];

/// Leaves of Auth that cannot be empty.
const NEEDED: [(&str, &str); 6] = [
    ("Noti", "Secret"),
    ("Trsp", "Data"),
    ("Trsp", "Secret"),
    ("Bootstrap", "ServerURI"),
    ("Bootstrap", "ClientPubKey"),
    ("Bootstrap", "ClientSecretKey"),
];

/// The paths that lead from a place in an account to its guarded parts; the empty path when the place is inside one.
pub(crate) fn guarded_below(path: &[NodeName]) -> impl Iterator<Item = &'static [&'static str]> {
    GUARDED.into_iter().filter_map(move |guarded| {
        let common = path.len().min(guarded.len());
        // Letter case is looked through, whatever the definition says: a guard must not be missed.
        let together = path.iter().zip(guarded).all(|(name, part)| name.as_str().eq_ignore_ascii_case(part));
        together.then(|| guarded.get(common..))?
    })
}

/// Whether writing `content` at a path of an account touches a guarded part.
pub(crate) fn holds_guarded(path: &[NodeName], content: &Content) -> bool {
    guarded_below(path).any(|rest| {
        let found = rest.iter().try_fold(content, |content, part| match content {
            Content::Interior(children) => children
                .iter()
                .find(|(name, _)| name.as_str().eq_ignore_ascii_case(part))
                .map(|(_, child)| child),
            Content::Leaf(_) => None,
        });
        found.is_some()
    })
}

impl Tree {
    /// Whether a server provisioned `moid` at bootstrap (`<x>/Perm/<x>/MOID`, `*` for all); the Delegation Access Control
    /// MO is provisioned for every bootstrapped server, and so is everything on a device without that MO (`DM 2.0 §10`).
    #[must_use]
    pub fn provisioned(&self, server: &ServerId, moid: &Moid) -> bool {
        let Some(account) = self.account(server) else { return false };
        if moid.as_str() == well_known::DACMO || !self.controls_access() {
            return true;
        }
        permitted(account).any(|given| {
            given == "*" || given == moid.as_str() || self.alias_of(given).as_ref() == Some(moid)
        })
    }

    /// Whether an account names one of its MOIDs by an alias that is accepted.
    pub(crate) fn permits_by_alias(&self, account: NodeId) -> bool {
        self.node(account).into_iter().flat_map(permitted).any(|given| self.alias_of(given).is_some())
    }

    fn alias_of(&self, given: &str) -> Option<Moid> {
        Moid::parse(given).ok().and_then(|given| self.canonical_moid(&given))
    }

    /// MOIDs with the instances on which the server has any right, for the MOS of Package#1 (`DM 2.0 §5.2.2`): every
    /// provisioned MOID of the catalogue, also with no instance.
    #[must_use]
    pub fn supported(&self, server: &ServerId) -> Vec<(Moid, Vec<Miid>)> {
        let moids = self.catalogue().iter().map(|definition| &definition.moid);
        moids
            .filter(|moid| self.provisioned(server, moid))
            .map(|moid| {
                let seen = self.instances_of(moid).filter(|instance| self.any_right(server, instance));
                (moid.clone(), seen.map(|instance| instance.miid.clone()).collect())
            })
            .collect()
    }

    /// The root of the DM Account of a server.
    #[must_use]
    pub fn account(&self, server: &ServerId) -> Option<NodeRef<'_>> {
        let roots = self.instances_named(well_known::DMACC).filter_map(|instance| self.node(instance.root));
        roots.into_iter().find(|root| text_of(*root, "SrvID") == Some(server.as_str()))
    }

    /// All accounts, by SrvID.
    pub fn accounts(&self) -> impl Iterator<Item = (ServerId, NodeRef<'_>)> {
        let roots = self.instances_named(well_known::DMACC).filter_map(|instance| self.node(instance.root));
        let accounts: BTreeMap<ServerId, NodeRef<'_>> =
            roots.filter_map(|root| Some((ServerId::parse(text_of(root, "SrvID")?).ok()?, root))).collect();
        accounts.into_iter()
    }

    /// The value of `DevInfo/DevID`.
    #[must_use]
    pub fn device_id(&self) -> Option<DeviceId> {
        let instance = self.instances_named(well_known::DEVINFO).next()?;
        DeviceId::parse(text_of(self.node(instance.root)?, "DevID")?).ok()
    }

    /// Whether a node of an account is, or holds, a part that only a bootstrap writes.
    pub(crate) fn is_guarded(&self, account: NodeId, id: NodeId) -> bool {
        let path = self.names_below(account, id);
        let Some(node) = self.node(id) else { return false };
        guarded_below(&path).any(|rest| rest.iter().try_fold(node, |node, part| node.child(part)).is_some())
    }

    /// What has to hold for every account: a SrvID of its own, an endpoint that is a URI, the MOIDs it is for, and no empty
    /// secrets.
    ///
    /// # Errors
    /// `BadData` says what is wrong.
    pub(crate) fn check_account(&self, root: NodeId) -> Result<(), OperationError> {
        let bad = |reason: &str| {
            Err(OperationError::BadData { address: self.describe(root), reason: reason.to_string() })
        };
        let Some(account) = self.node(root) else { return Ok(()) };
        let Some(server) = text_of(account, "SrvID").and_then(|text| ServerId::parse(text).ok()) else {
            return bad("the account has no SrvID");
        };
        let same = |other: NodeRef<'_>| text_of(other, "SrvID") == Some(server.as_str());
        let mut roots = self.instances_named(well_known::DMACC).filter_map(|other| self.node(other.root));
        if roots.any(|other| other.id() != root && same(other)) {
            return bad("another account has this SrvID");
        }
        if text_of(account, "SrvURI").is_none_or(|uri| ServerUri::parse(uri).is_err()) {
            return bad("SrvURI is not an absolute URI");
        }
        let mut groups = account.child("Perm").into_iter().flat_map(|perm| perm.children()).peekable();
        if groups.peek().is_none() {
            return bad("Perm has no groups");
        }
        if groups.any(|group| text_of(group, "MOID").is_none_or(str::is_empty)) {
            return bad("a group of Perm has no MOID");
        }
        check_credentials(account).or_else(|reason| bad(&reason))
    }
}

/// Credentials that are there have to be more than nothing: a leaf that a bootstrap leaves out is made without a value, and a
/// secret of no octets is known to everyone (`DM 2.0 §12.2.1`).
fn check_credentials(account: NodeRef<'_>) -> Result<(), String> {
    let leaf = |part: &str, name: &str| account.child("Auth")?.child(part)?.child(name)?.value();
    for (part, name) in NEEDED {
        if leaf(part, name).is_some_and(|value| value.size() == 0) {
            return Err(format!("Auth/{part} has no {name}"));
        }
    }
    match leaf("Bootstrap", "SecMode") {
        Some(Value::Bytes(octets)) => match octets.as_slice() {
            [0] | b"PSK" => Ok(()),
            [2] | b"X.509" if leaf("Bootstrap", "ServerPubKey").is_some_and(|key| key.size() == 0) => {
                Err("Auth/Bootstrap is for X.509 and has no ServerPubKey".to_string())
            }
            [2] | b"X.509" => Ok(()),
            _ => Err("SecMode is neither 0 (PSK) nor 2 (X.509)".to_string()),
        },
        _ => Ok(()),
    }
}

/// The MOIDs that an account is for.
fn permitted(account: NodeRef<'_>) -> impl Iterator<Item = &str> {
    let groups = account.child("Perm").into_iter().flat_map(|perm| perm.children());
    groups.filter_map(|group| text_of(group, "MOID"))
}

/// The text of a child leaf.
pub(super) fn text_of<'t>(node: NodeRef<'t>, name: &str) -> Option<&'t str> {
    match node.child(name)?.value()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

//! What is kept of a delegation beside its state, in the forms in which the store holds it.

use omadm_codec::delegation::{Body, DelegationMessage, DelegationRequest, ItemStatus, NAMESPACE, decode};
use omadm_codec::{Limits, StatusCode};
use omadm_mo::DeviceId;
use omadm_store::{Delegation, DelegationPart};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::grants::{Changed, Statement};

/// What became of a delegation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Whether this server asked the other one.
    pub ours: bool,
    /// Who approved it here: the name of an operator's token, or the contract.
    pub approved_by: Option<String>,
    /// Fingerprint of the certificate by which the other server was known when it asked, or agreed.
    pub certificate: Option<String>,
    /// Why it is in its state, for people.
    pub reason: Option<String>,
    /// When rights began to be taken back, in microseconds since 1970.
    pub revoking_since: Option<i64>,
    /// When it became active, in microseconds since 1970.
    pub active_since: Option<i64>,
    /// Whether operators were told that a device is out of reach.
    pub alarmed: bool,
    /// Whether the other server does not know yet of everything that became of the parts.
    pub untold: bool,
}

/// What is to be done next on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing was asked of it.
    #[default]
    Begin,
    /// It is asked where its objects are.
    Locate,
    /// It is asked who may do what, so that rights can be added.
    Read,
    /// Rights are being added.
    Write,
    /// The rights are there.
    Hold,
    /// It is to be asked who may do what, so that rights can be taken back.
    Release,
    /// It is asked that.
    ReadAgain,
    /// Rights are being taken back.
    TakeBack,
    /// Nothing.
    Over,
}

/// What was found and changed on a device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// What is to be done next.
    pub phase: Phase,
    /// Whether the nodes are those of DM 2.0; a device may speak both.
    pub dm2: bool,
    /// Whether rights are taken back because they could not be given in full.
    pub undone: bool,
    /// The commands that it waits for.
    pub commands: Vec<Uuid>,
    /// The nodes, once they are known, with what was added.
    pub nodes: Vec<NodeRecord>,
    /// The same while it is taken back.
    pub taking: Vec<NodeRecord>,
    /// The session of the device in which something was written last.
    pub session: Option<i64>,
    /// What came of it, as a status of the protocol.
    pub status: Option<u16>,
    /// The same, for people.
    pub reason: Option<String>,
    /// Whether the other server was told.
    pub told: bool,
}

/// What was found and changed at a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeRecord {
    /// The target of the delegation that it belongs to.
    pub target: String,
    /// Its address: a path of DM 1.x, or a ClientURI.
    pub node: String,
    /// Whether it had no statement of its own.
    pub inherited: bool,
    /// What was changed.
    pub changed: Changed,
    /// What was written last.
    pub written: Statement,
    /// Digests of the statement that held before and of the one that was written.
    pub before: String,
    /// As [`NodeRecord::before`].
    pub after: String,
}

/// What a delegation is about.
///
/// # Errors
/// One sentence, if what is stored cannot be read.
pub fn terms(delegation: &Delegation) -> Result<DelegationRequest, String> {
    let octets = delegation.document.as_bytes();
    let limits = Limits { bytes: octets.len(), ..Limits::default() };
    match decode(octets, NAMESPACE, &limits) {
        Ok(DelegationMessage { body: Body::Request(request), .. }) => Ok(request),
        Ok(_) => Err("the stored document is no request".to_owned()),
        Err(error) => Err(format!("the stored document cannot be read: {error}")),
    }
}

/// A digest of a statement for people who compare.
pub fn digest(statement: &Statement) -> String {
    hex(&Sha256::digest(statement.to_string()))
}

/// Octets in hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Detail {
    /// Of a delegation; what cannot be read is empty.
    pub fn of(delegation: &Delegation) -> Self {
        serde_json::from_str(&delegation.detail).unwrap_or_default()
    }

    /// As it is stored.
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl Record {
    /// What the other server is told: each target with its nodes, or one sentence for the whole device.
    pub fn items(&self, device: &DeviceId) -> Vec<ItemStatus> {
        let status = StatusCode(self.status.unwrap_or(StatusCode::OK.0));
        let item = |target: Option<String>, nodes| {
            let (device, reason) = (device.clone(), self.reason.clone());
            ItemStatus { device, target, nodes, status, reason }
        };
        let mut items: Vec<ItemStatus> = Vec::new();
        for node in &self.nodes {
            match items.iter_mut().find(|item| item.target.as_ref() == Some(&node.target)) {
                Some(item) => item.nodes.push(node.node.clone()),
                None => items.push(item(Some(node.target.clone()), vec![node.node.clone()])),
            }
        }
        if items.is_empty() { vec![item(None, Vec::new())] } else { items }
    }

    /// Of a part; what cannot be read is empty.
    pub fn of(part: &DelegationPart) -> Self {
        serde_json::from_str(&part.record).unwrap_or_default()
    }

    /// As it is stored.
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

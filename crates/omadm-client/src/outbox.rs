//! What a server is still to be told: alerts, and that its bootstrap is complete.
//!
//! Both live in the key/value area, so a kill at any instant loses neither.

use omadm_codec::dm2::alert::AlertData;
use omadm_codec::dm2::{Alert, Mark};
use omadm_mo::{ClientUri, DeviceId, ServerId, Tree, Value as NodeValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::Device;
use crate::error::{ClientError, PersistError};
use crate::persistence::{Batch, Entries};

const BOOTSTRAP: &str = "bootstrap/";
const ALERTS: &str = "alerts/";

/// What a person wants to know of a device at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// DevID; `None` without a DevInfo plug-in.
    pub device_id: Option<DeviceId>,
    /// Accounts by server.
    pub accounts: Vec<AccountStatus>,
    /// MO instances in the tree.
    pub instances: usize,
    /// Nodes in the tree.
    pub nodes: usize,
}

/// One account of a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStatus {
    /// Server identifier.
    pub server: ServerId,
    /// SrvURI; empty when the account has none.
    pub uri: String,
    /// Whether BootstrapComplete is still to be sent.
    pub bootstrap_pending: bool,
    /// Undelivered alerts.
    pub alerts: usize,
}

#[derive(Serialize, Deserialize)]
struct StoredAlert {
    #[serde(rename = "type")]
    alert_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    mark: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<(Option<String>, Value)>,
}

/// The entry that says that a server has yet to be sent BootstrapComplete.
pub(crate) fn bootstrap_pending(server: &ServerId) -> (String, Option<Value>) {
    (format!("{BOOTSTRAP}{server}"), Some(true.into()))
}

impl Device {
    /// Keeps an alert for the next session with a server, durably.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`], [`ClientError::AlertAddress`], [`ClientError::OutboxFull`] and [`ClientError::Persist`].
    pub fn raise_alert(&mut self, server: &ServerId, alert: Alert) -> Result<(), ClientError> {
        for (field, address) in [("SourceURI", &alert.source), ("TargetURI", &alert.target)] {
            if let Some(Err(source)) = address.as_deref().map(ClientUri::parse) {
                return Err(ClientError::AlertAddress { field, source });
            }
        }
        if self.tree.account(server).is_none() {
            return Err(ClientError::NoAccount { server: server.clone(), reason: "there is none" });
        }
        let mut alerts = self.alerts(server);
        if alerts.len() >= self.config.outbox {
            return Err(ClientError::OutboxFull { server: server.clone(), limit: self.config.outbox });
        }
        alerts.push(alert);
        Ok(self.append(&Batch { nodes: Vec::new(), entries: vec![alerts_entry(server, alerts)?] })?)
    }

    /// Servers with an account that have yet to be sent BootstrapComplete.
    #[must_use]
    pub fn bootstraps_pending(&self) -> Vec<ServerId> {
        self.tree
            .accounts()
            .map(|(server, _)| server)
            .filter(|server| self.bootstrap_is_pending(server))
            .collect()
    }

    /// What a person wants to know.
    #[must_use]
    pub fn status(&self) -> Status {
        let accounts = self.tree.accounts().map(|(server, account)| AccountStatus {
            uri: match account.child("SrvURI").and_then(|node| node.value()) {
                Some(NodeValue::Text(uri)) => uri.clone(),
                _ => String::new(),
            },
            bootstrap_pending: self.bootstrap_is_pending(&server),
            alerts: self.alerts(&server).len(),
            server,
        });
        Status {
            device_id: self.tree.device_id(),
            accounts: accounts.collect(),
            instances: self.tree.instances().count(),
            nodes: self.tree.node_count(),
        }
    }

    /// Undelivered alerts, oldest first.
    #[must_use]
    pub fn alerts(&self, server: &ServerId) -> Vec<Alert> {
        let stored = self.entries.get(&format!("{ALERTS}{server}"));
        stored.and_then(Value::as_array).into_iter().flatten().filter_map(read).collect()
    }

    pub(crate) fn bootstrap_is_pending(&self, server: &ServerId) -> bool {
        self.entries.contains_key(&format!("{BOOTSTRAP}{server}"))
    }

    /// Forgets what a server took: the oldest `alerts` alerts, and that its bootstrap is to be reported.
    pub(crate) fn delivered(&mut self, server: &ServerId, alerts: usize) -> Result<(), PersistError> {
        let mut entries = Vec::new();
        if self.bootstrap_is_pending(server) {
            entries.push((format!("{BOOTSTRAP}{server}"), None));
        }
        if alerts > 0 {
            let mut kept = self.alerts(server);
            let rest = kept.split_off(alerts.min(kept.len()));
            entries.push(alerts_entry(server, rest)?);
        }
        self.append(&Batch { nodes: Vec::new(), entries })
    }
}

/// Entries of servers whose account is gone: nobody is there to be told.
pub(crate) fn orphans(tree: &Tree, entries: &Entries) -> Vec<(String, Option<Value>)> {
    let accounts: Vec<ServerId> = tree.accounts().map(|(server, _)| server).collect();
    let known = |name: &str| accounts.iter().any(|server| server.as_str() == name);
    entries
        .keys()
        .filter(|key| {
            key.strip_prefix(BOOTSTRAP).or(key.strip_prefix(ALERTS)).is_some_and(|name| !known(name))
        })
        .map(|key| (key.clone(), None))
        .collect()
}

fn alerts_entry(server: &ServerId, alerts: Vec<Alert>) -> Result<(String, Option<Value>), PersistError> {
    let key = format!("{ALERTS}{server}");
    if alerts.is_empty() {
        return Ok((key, None));
    }
    let stored: Vec<StoredAlert> = alerts.into_iter().map(store).collect();
    let value = serde_json::to_value(stored)
        .map_err(|error| PersistError::Inconsistent(format!("an alert cannot be written: {error}")))?;
    Ok((key, Some(value)))
}

fn store(alert: Alert) -> StoredAlert {
    let Alert { alert_type, source, target, mark, data } = alert;
    let data = data.map(|AlertData { data_type, data }| (data_type, data));
    StoredAlert { alert_type, source, target, mark: mark.as_str().to_owned(), data }
}

fn read(stored: &Value) -> Option<Alert> {
    let StoredAlert { alert_type, source, target, mark, data } = StoredAlert::deserialize(stored).ok()?;
    let data = data.map(|(data_type, data)| AlertData { data_type, data });
    Some(Alert { alert_type, source, target, mark: Mark::parse(&mark).unwrap_or_default(), data })
}

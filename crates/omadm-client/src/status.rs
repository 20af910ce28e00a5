//! The state of a device at a glance, for people.

use omadm_mo::{DeviceId, ServerId, Value};

use crate::defaults::DefaultSource;
use crate::device::Device;

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
    /// What servers subscribed to.
    pub subscriptions: Vec<SubscriptionStatus>,
    /// Executions whose end a server has yet to be told, oldest first.
    pub executions: Vec<ExecutionStatus>,
    /// Where data of a MOID comes from when there is none.
    pub defaults: Vec<(String, DefaultSource)>,
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

/// One subscription of a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionStatus {
    /// The server.
    pub server: String,
    /// What it subscribed to.
    pub client: String,
    /// Where the reports go.
    pub uri: String,
    /// How often the newest report failed, and why.
    pub failed: Option<(u32, String)>,
}

/// One execution of a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionStatus {
    /// The server that asked for it.
    pub server: String,
    /// What is executed.
    pub address: String,
    /// Where its end is to be reported; `None` is SrvURI.
    pub report_to: Option<String>,
    /// It has ended, and the server is to be told.
    pub ended: bool,
    /// How often the report failed, and why.
    pub failed: Option<(u32, String)>,
}

impl Device {
    /// What a person wants to know.
    #[must_use]
    pub fn status(&self) -> Status {
        let accounts = self.tree.accounts().map(|(server, account)| AccountStatus {
            uri: match account.child("SrvURI").and_then(|node| node.value()) {
                Some(Value::Text(uri)) => uri.clone(),
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
            subscriptions: self.subscription_statuses(),
            executions: self.execution_statuses(),
            defaults: self.defaults().map(|(moid, source)| (moid.to_owned(), source)).collect(),
        }
    }
}

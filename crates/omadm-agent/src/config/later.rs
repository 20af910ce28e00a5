//! Sections for what goes on beside sessions.

use std::net::SocketAddr;
use std::path::PathBuf;

use omadm_client::dm1::NotifiedConfig;
use omadm_client::notification::Bounds;
use omadm_client::{NotificationConfig, ReportConfig};
use omadm_config::{Fault, Span};
use omadm_mo::{Moid, ParameterValues};
use serde::{Deserialize, Serialize};

use crate::bearer::Bearer;

/// Most numbers of management objects in notifications of DM 1.3.
const MAX_OBJECTS: usize = 256;

/// `[network]`
///
/// What replaces parameters of ServerURIs (`DM 2.0 §6.2`), where a value that is not set becomes `-1`, and what the machine does not
/// tell of its networks (`DM 2.0 §12.4`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSection {
    /// `[MCC]`, the country of the home network.
    pub mcc: Option<String>,
    /// `[MNC]`, the home network.
    pub mnc: Option<String>,
    /// `[CMCC]`, the country of the network in use.
    pub cmcc: Option<String>,
    /// `[CMNC]`, the network in use.
    pub cmnc: Option<String>,
    /// `[SPName]`, the service provider.
    pub sp_name: Option<String>,
    /// The kinds of interfaces that the system does not tell or tells wrong: `mobile`, `wireless`, `wireline` or `other`, such as
    /// `[{ name = "usb0", kind = "mobile" }]`.
    pub interfaces: Vec<InterfaceEntry>,
    /// File in which another program keeps `1` while the mobile network is a roaming one and `0` while it is not.
    pub roaming_file: Option<PathBuf>,
}

/// One of `network.interfaces`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Bearer,
}

impl NetworkSection {
    /// The values as the library has them.
    pub fn parameters(&self) -> ParameterValues {
        let Self { mcc, mnc, cmcc, cmnc, sp_name, .. } = self.clone();
        ParameterValues { dev_id: None, mnc, mcc, cmnc, cmcc, sp_name }
    }
}

/// `[notification]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationSection {
    /// Listen for notifications of servers: connectionless WAP push over UDP (`DM 2.0 §E.1`).
    pub enabled: bool,
    /// Address and port; the standard has port 2948.
    pub listen: SocketAddr,
    /// Of an account with notification credentials, take only notifications with a digest.
    pub require_digest: bool,
    /// Age by its TIMESTAMP at which a notification is too old.
    pub max_age: Span,
    /// Numbers of notifications of each server that are remembered to know a repetition, 1 to 1000.
    pub remembered: usize,
    /// Most datagrams from one address in ten seconds; more are dropped unread. 1 or more.
    pub per_source: u32,
    /// Most datagrams in ten seconds, 1 or more.
    pub in_all: u32,
    /// Short messages that wait for their other parts, some 34 KiB each at most; one more drops the oldest. 0 to 1000.
    pub sms_messages: usize,
    /// How long after its first part one is dropped, in whole seconds.
    pub sms_age: Span,
    /// Command that registers with the cloud messaging service of this machine: it gets the SenderID of a server as its last argument and
    /// prints the registration, which the server is told (`DM 2.0 §E.2.2`). Empty: there is no such service.
    pub cloud_command: Vec<String>,
    /// Take notifications of DM 1.3 beside those of DM 1.2.
    pub dm1_extended: bool,
    /// Take triggers of version 1.2 beside those of 1.0 and 1.1, though no enabler defines them.
    pub dm1_newer_triggers: bool,
    /// Least time between two sessions with one server that begin with the default nonce (`DM 1.2 NOTI §6.2.2`), one minute or more.
    pub dm1_default_nonce: Span,
    /// Numbers of management objects in notifications of DM 1.3, such as `[{ number = 1, moid = "urn:oma:mo:oma-dm-devinfo:1.0" }]`; servers
    /// have to have the same. 256 at most.
    pub dm1_objects: Vec<ObjectNumber>,
}

/// One of `notification.dm1_objects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectNumber {
    /// The number.
    pub number: u16,
    /// The object.
    pub moid: String,
}

impl Default for NotificationSection {
    fn default() -> Self {
        let NotificationConfig {
            require_digest, max_age, remembered, per_source, in_all, parts, dm1, ..
        } = NotificationConfig::default();
        Self {
            enabled: false,
            listen: ([0, 0, 0, 0], 2948).into(),
            require_digest,
            max_age: Span(max_age),
            remembered,
            per_source,
            in_all,
            sms_messages: parts.messages,
            sms_age: Span::secs(parts.age),
            cloud_command: Vec::new(),
            dm1_extended: dm1.extended,
            dm1_newer_triggers: dm1.newer_triggers,
            dm1_default_nonce: Span(dm1.resynchronise_every),
            dm1_objects: Vec::new(),
        }
    }
}

impl NotificationSection {
    /// Whether what it says of DM 1.x is in order.
    pub(super) fn check_dm1(&self) -> Result<(), Fault> {
        if self.dm1_default_nonce < Span::secs(60) {
            return Err(Fault::new("notification.dm1_default_nonce", "has to be one minute or more"));
        }
        const KEY: &str = "notification.dm1_objects";
        if self.dm1_objects.len() > MAX_OBJECTS {
            return Err(Fault::new(KEY, format!("has at most {MAX_OBJECTS} numbers")));
        }
        for (at, object) in self.dm1_objects.iter().enumerate() {
            Moid::parse(&object.moid).map_err(|error| Fault::new(KEY, error.to_string()))?;
            if self.dm1_objects.iter().take(at).any(|other| other.number == object.number) {
                return Err(Fault::new(KEY, format!("has the number {} twice", object.number)));
            }
        }
        Ok(())
    }

    /// As the library has it.
    pub fn to_notifications(&self) -> NotificationConfig {
        let object = |of: &ObjectNumber| Some((of.number, Moid::parse(&of.moid).ok()?));
        let dm1 = NotifiedConfig {
            extended: self.dm1_extended,
            newer_triggers: self.dm1_newer_triggers,
            remembered: self.remembered,
            resynchronise_every: self.dm1_default_nonce.0,
            objects: self.dm1_objects.iter().filter_map(object).collect(),
            ..NotifiedConfig::default()
        };
        NotificationConfig {
            require_digest: self.require_digest,
            max_age: self.max_age.0,
            per_source: self.per_source,
            in_all: self.in_all,
            remembered: self.remembered,
            parts: Bounds { messages: self.sms_messages, age: self.sms_age.0.as_secs() },
            dm1,
            ..NotificationConfig::default()
        }
    }
}

/// `[report]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportSection {
    /// For how long changes under a subscription are gathered into one report.
    pub window: Span,
    /// Pause after the first report that failed, one second or more; twice as long after each further one, an hour at most.
    pub retry: Span,
    /// Most attempts to report one state, 1 or more; a further change, or a session with the server that ends well, gives it
    /// another chance. After as many sessions, one a trigger, the end of an execution goes to SrvURI instead of its ServerURI.
    pub attempts: u32,
    /// How often the machine is asked for new values under a subscription; 0 is never.
    pub look_interval: Span,
}

impl Default for ReportSection {
    fn default() -> Self {
        let ReportConfig { window, retry, attempts, look_interval } = ReportConfig::default();
        Self { window: Span(window), retry: Span(retry), attempts, look_interval: Span(look_interval) }
    }
}

impl ReportSection {
    /// The settings as the library has them.
    pub fn to_reports(&self) -> ReportConfig {
        let Self { window, retry, attempts, look_interval } = self;
        ReportConfig { window: window.0, retry: retry.0, attempts: *attempts, look_interval: look_interval.0 }
    }
}

/// `[show]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShowSection {
    /// Command that opens a page in the user's browser, such as `["firefox", "--new-window"]`; the address follows as its last
    /// argument, and no shell reads it. Empty: there is no browser, and SHOW is answered 501.
    pub command: Vec<String>,
    /// Most pages in a minute; more are answered 503.
    pub pages_per_minute: usize,
}

impl Default for ShowSection {
    fn default() -> Self {
        Self { command: vec!["xdg-open".to_owned()], pages_per_minute: 10 }
    }
}

/// `[maintenance]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaintenanceSection {
    /// Command that servers run by executing `Operations/Maintain` of the agent's object, such as `["/usr/sbin/logrotate",
    /// "/etc/logrotate.conf"]`; they are told when it has ended. No shell reads it, and nothing of what a server sends reaches it.
    /// Empty: there is none, and it is answered 501.
    pub command: Vec<String>,
    /// How long it may take, one second or more; then it is stopped and has failed.
    pub timeout: Span,
}

impl Default for MaintenanceSection {
    fn default() -> Self {
        Self { command: Vec::new(), timeout: Span::secs(3_600) }
    }
}

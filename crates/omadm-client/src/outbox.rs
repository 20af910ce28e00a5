//! What a server is still to be told: alerts, and that its bootstrap is complete.
//!
//! Both live in the key/value area, so a kill at any instant loses neither.

use omadm_codec::dm2::alert::AlertData;
use omadm_codec::dm2::{Alert, Mark};
use omadm_mo::{ClientUri, ServerId, Tree};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::Device;
use crate::entry;
use crate::error::{ClientError, PersistError};
use crate::persistence::{Batch, Entries};
use crate::running::KeptIn;
use crate::{defaults, executions, notification, subscriptions};

const BOOTSTRAP: &str = "bootstrap/";
const ALERTS: &str = "alerts/";

/// An alert as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredAlert {
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
pub(crate) fn bootstrap_pending(server: &ServerId) -> (String, Option<String>) {
    (format!("{BOOTSTRAP}{server}"), Some("true".to_owned()))
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

    /// Undelivered alerts, oldest first.
    #[must_use]
    pub fn alerts(&self, server: &ServerId) -> Vec<Alert> {
        let stored = self.entries.get(&format!("{ALERTS}{server}"));
        let stored: Option<Vec<StoredAlert>> = stored.and_then(|stored| entry::read(stored));
        stored.into_iter().flatten().map(Alert::from).collect()
    }

    pub(crate) fn bootstrap_is_pending(&self, server: &ServerId) -> bool {
        self.entries.contains_key(&format!("{BOOTSTRAP}{server}"))
    }

    /// What plug-ins have to tell a server: alerts that they have raised, and ends of executions. Durable before it is told; an
    /// alert for which there is no room is lost only if the session breaks off before the server has it.
    pub(crate) fn news(&mut self, server: &ServerId) -> Vec<(Alert, KeptIn)> {
        let mut news = Vec::new();
        for alert in self.raised() {
            let kept = match self.raise_alert(server, alert.clone()) {
                Ok(()) => KeptIn::Outbox,
                Err(error @ (ClientError::OutboxFull { .. } | ClientError::Persist(_))) => {
                    tracing::warn!(%server, alert = alert.alert_type, "an alert is not kept: {error}");
                    KeptIn::Nowhere
                }
                Err(error) => {
                    tracing::warn!(%server, alert = alert.alert_type, "an alert is lost: {error}");
                    continue;
                }
            };
            news.push((alert, kept));
        }
        news.extend(self.collect_finished(server).into_iter().map(|alert| (alert, KeptIn::Outbox)));
        news
    }

    /// Alerts of plug-ins, in the form of DM 2.0.
    fn raised(&mut self) -> Vec<Alert> {
        let raised: Vec<Alert> = self.plugins.iter_mut().flat_map(|plugin| plugin.alerts()).collect();
        #[cfg(feature = "dm1")]
        let raised = {
            let others: Vec<_> = self.plugins.iter_mut().flat_map(|plugin| plugin.generic_alerts()).collect();
            let others = others.into_iter().map(|alert| crate::dm1x::from_generic(&self.tree, alert));
            raised.into_iter().chain(others).collect()
        };
        raised
    }

    /// All that a server is to be told in a session: ends of executions that it wants to hear where `is_here` says the session
    /// is, and the outbox.
    pub(crate) fn gather(
        &mut self,
        server: &ServerId,
        is_here: impl Fn(&str) -> bool,
    ) -> Vec<(Alert, KeptIn)> {
        let unkept = self.news(server).into_iter().filter(|(_, kept)| *kept == KeptIn::Nowhere);
        let unkept: Vec<_> = unkept.collect();
        let ends = self.ends_for(server, is_here).into_iter();
        let ends = ends.map(|(key, alert)| (alert, KeptIn::Execution(key)));
        let outbox = self.alerts(server).into_iter().map(|alert| (alert, KeptIn::Outbox));
        ends.chain(outbox).chain(unkept).collect()
    }

    /// Forgets what a server took, and that its bootstrap is to be reported. Of the outbox the oldest are taken first.
    pub(crate) fn delivered<'a>(
        &mut self,
        server: &ServerId,
        taken: impl Iterator<Item = &'a KeptIn>,
    ) -> Result<(), PersistError> {
        let mut entries = Vec::new();
        let mut alerts = 0;
        for kept in taken {
            match kept {
                KeptIn::Outbox => alerts += 1,
                KeptIn::Execution(key) => {
                    self.pending.forget(key);
                    entries.push((key.clone(), None));
                }
                KeptIn::Nowhere => {}
            }
        }
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

/// What all entries of [`OF_A_SERVER`] have.
#[derive(Deserialize)]
struct Owned {
    server: String,
}

/// How the keys of entries begin that name their server in the member `server` of an object.
const OF_A_SERVER: [&str; 3] = [defaults::PREFIX, executions::PREFIX, subscriptions::PREFIX];

/// Entries of servers whose account is gone: nobody is there to be told, or to be fetched from.
pub(crate) fn orphans(tree: &Tree, entries: &Entries) -> Vec<(String, Option<String>)> {
    let accounts: Vec<ServerId> = tree.accounts().map(|(server, _)| server).collect();
    let known = |name: &str| accounts.iter().any(|server| server.as_str() == name);
    let is_orphan = |(key, value): &(&String, &String)| {
        let in_value = OF_A_SERVER.iter().any(|prefix| key.starts_with(prefix));
        let named = if in_value {
            entry::read(value).map(|Owned { server }| server)
        } else {
            let named = [BOOTSTRAP, ALERTS, notification::SEEN].iter().find_map(|of| key.strip_prefix(of));
            named.map(str::to_owned)
        };
        named.is_some_and(|name| !known(&name))
    };
    entries.iter().filter(is_orphan).map(|(key, _)| (key.clone(), None)).collect()
}

/// The entry that holds the alerts of a server.
pub(crate) fn alerts_entry(
    server: &ServerId,
    alerts: Vec<Alert>,
) -> Result<(String, Option<String>), PersistError> {
    let key = format!("{ALERTS}{server}");
    if alerts.is_empty() {
        return Ok((key, None));
    }
    let stored: Vec<StoredAlert> = alerts.into_iter().map(store).collect();
    Ok((key, Some(entry::write("an alert", &stored)?)))
}

/// An alert in the form in which it is kept.
pub(crate) fn store(alert: Alert) -> StoredAlert {
    let Alert { alert_type, source, target, mark, data } = alert;
    let data = data.map(|AlertData { data_type, data }| (data_type, data));
    StoredAlert { alert_type, source, target, mark: mark.as_str().to_owned(), data }
}

impl From<StoredAlert> for Alert {
    fn from(stored: StoredAlert) -> Self {
        let StoredAlert { alert_type, source, target, mark, data } = stored;
        let data = data.map(|(data_type, data)| AlertData { data_type, data });
        Self { alert_type, source, target, mark: Mark::parse(&mark).unwrap_or_default(), data }
    }
}

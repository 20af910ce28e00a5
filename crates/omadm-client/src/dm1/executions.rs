//! Executions that servers of DM 1.x are told the end of later (`DM 1.3 PROTO §6.7`): by a Generic Alert with their Correlator.
//!
//! Each has an entry in the key/value area before its 202 is sent, and loses it in the batch that keeps the alert.

use std::collections::BTreeSet;

use omadm_codec::StatusCode;
use omadm_mo::{ClientUri, ServerId};
use omadm_session::dm1::client::{AlertId, EffectResult, Execution as Ordered};

use super::Mark;
use super::alerts::GenericAlert;
use crate::device::Device;
use crate::error::PersistError;
use crate::host::not_kept;
use crate::persistence::Batch;
use crate::plugin::{EXECUTION_COMPLETE, Execution, Finished, Refusal};
use crate::text;

/// How the keys of the entries begin; a number follows, the lowest is the oldest.
const PREFIX: &str = "dm1/execution/";

/// What of DM 1.x is in memory only.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Number of the next alert, beside what is kept.
    pub(super) next_alert: AlertId,
    /// When reports are to be sent; `None` if at once.
    pub(super) reports_due: Option<tokio::time::Instant>,
    /// Ends that are not durable yet: key, and what the plug-in said.
    ended: Vec<(String, Finished)>,
    /// Servers that wait for a session because an execution has ended.
    sessions: BTreeSet<ServerId>,
}

impl Pending {
    /// Whether a server waits for a session, or an end is not durable yet.
    #[cfg(feature = "dm2")]
    pub(crate) fn is_session_due(&self) -> bool {
        !self.sessions.is_empty()
    }
}

/// One execution as it is kept.
struct Kept {
    server: String,
    /// As the server wrote it.
    uri: String,
    /// The same as plug-ins know it.
    address: String,
    correlator: Option<String>,
}

impl Kept {
    fn write(&self) -> String {
        let Self { server, uri, address, correlator } = self;
        text::join([Some(server.as_str()), Some(uri), Some(address), correlator.as_deref()])
    }

    fn read(line: &str) -> Option<Self> {
        let [server, uri, address, correlator]: [Option<String>; 4] = text::split(line)?.try_into().ok()?;
        Some(Self { server: server?, uri: uri?, address: address?, correlator })
    }
}

impl Device {
    /// Runs an executable node.
    pub(super) fn execute_dm1(&mut self, server: &ServerId, ordered: Ordered) -> EffectResult {
        let Ordered { uri, address, instance: (moid, _), correlator, argument } = ordered;
        let owner = self.owners.get(&moid).copied();
        let answer = match owner.and_then(|owner| self.plugins.get_mut(owner)) {
            Some(plugin) => plugin.execute_with(&address, argument.as_ref()),
            None => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, format!("no plug-in serves {moid}"))),
        };
        match answer {
            Ok(Execution::Done) => EffectResult::Done,
            Ok(Execution::Running) => {
                let kept = Kept { server: server.to_string(), uri, address: address.to_string(), correlator };
                self.begin_dm1(server, &kept)
                    .map_or_else(super::running::refused, |()| EffectResult::Accepted)
            }
            Err(refusal) => super::running::refused(refusal),
        }
    }

    fn begin_dm1(&mut self, server: &ServerId, kept: &Kept) -> Result<(), Refusal> {
        let limit = self.config.executions;
        if self.dm1_executions(server).count() >= limit {
            let reason = format!("{limit} executions for {server} have not ended or are not reported yet");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        let last = self.kept_executions().last().and_then(|(key, _)| number(key));
        let key = format!("{PREFIX}{:020}", last.map_or(0, |last| last.saturating_add(1)));
        let entries = vec![(key, Some(kept.write()))];
        self.append(&Batch { nodes: Vec::new(), entries }).map_err(|error| not_kept(&error))
    }

    /// Executions of a server whose end it has not been told, by their addresses as it wrote them.
    pub fn dm1_executions(&self, server: &ServerId) -> impl Iterator<Item = String> {
        let ours = self.kept_executions().filter(move |(_, kept)| kept.server == server.as_str());
        ours.map(|(_, kept)| kept.uri)
    }

    /// Servers of DM 1.x that wait for a session because an execution has ended, each given once. Plug-ins are asked what has ended
    /// before.
    pub fn dm1_sessions_due(&mut self) -> BTreeSet<ServerId> {
        self.collect_ends();
        std::mem::take(&mut self.dm1.sessions)
    }

    /// Takes up what had not ended when the device stopped.
    pub(crate) fn resume_dm1_executions(&mut self) {
        let running: Vec<(String, String)> =
            self.kept_executions().map(|(key, kept)| (key.to_owned(), kept.address)).collect();
        for (key, address) in running {
            let Some((owner, address)) = self.owner_of(&address) else { continue };
            let Some(plugin) = self.plugins.get_mut(owner) else { continue };
            let status = match plugin.resume(&address) {
                Ok(Execution::Running) => continue,
                Ok(Execution::Done) => StatusCode::OK,
                Err(refusal) => {
                    tracing::warn!(%address, "an execution did not survive the restart: {}", refusal.reason);
                    refusal.status
                }
            };
            self.dm1.ended.push((key, Finished::new(address, status)));
        }
    }

    /// Whether a server waits for the end of an execution of this address.
    pub(crate) fn is_open_dm1_execution(&self, address: &ClientUri) -> bool {
        self.open_dm1_execution(address).is_some()
    }

    fn open_dm1_execution(&self, address: &ClientUri) -> Option<String> {
        let text = address.to_string();
        let is_open = |key: &str| !self.dm1.ended.iter().any(|(ended, _)| ended == key);
        let mut all = self.kept_executions();
        all.find(|(key, kept)| kept.address == text && is_open(key)).map(|(key, _)| key.to_owned())
    }

    /// Takes the end of an execution that [`Device::is_open_dm1_execution`] knows.
    pub(crate) fn end_dm1_execution(&mut self, finished: Finished) {
        if let Some(key) = self.open_dm1_execution(&finished.address) {
            self.dm1.ended.push((key, finished));
        }
    }

    /// Makes ends durable as alerts. Gives those for `server`; other servers are due a session.
    pub(crate) fn save_dm1_ends(&mut self, server: Option<&ServerId>) -> Vec<AlertId> {
        let mut told = Vec::new();
        for (key, finished) in std::mem::take(&mut self.dm1.ended) {
            match self.save_dm1_end(&key, &finished) {
                Ok(Some((of, id))) if Some(&of) == server => told.push(id),
                Ok(Some((of, _))) => drop(self.dm1.sessions.insert(of)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("the end of an execution cannot be kept yet: {error}");
                    self.dm1.ended.push((key, finished));
                }
            }
        }
        told
    }

    /// The bound of the outbox is not looked at: there are no more of these than executions.
    fn save_dm1_end(
        &mut self,
        key: &str,
        finished: &Finished,
    ) -> Result<Option<(ServerId, AlertId)>, PersistError> {
        let Some(kept) = self.entries.get(key).and_then(|line| Kept::read(line)) else { return Ok(None) };
        let Ok(server) = ServerId::parse(&kept.server) else { return Ok(None) };
        let owner = self.owners.get(&finished.address.moid).and_then(|owner| self.plugins.get(*owner));
        let alert_type = owner.map(|owner| owner.report_type(&finished.address));
        let (format, data) = finished.generic_data();
        let alert = GenericAlert {
            alert_type: alert_type.unwrap_or_else(|| EXECUTION_COMPLETE.to_owned()),
            mark: if finished.status.is_success() { Mark::Informational } else { Mark::Warning },
            source: Some(kept.uri),
            target: None,
            correlator: kept.correlator,
            format,
            data,
        };
        let (id, entry) = self.alert_entry(&server, alert);
        self.append(&Batch { nodes: Vec::new(), entries: vec![entry, (key.to_owned(), None)] })?;
        Ok(Some((server, id)))
    }

    fn kept_executions(&self) -> impl Iterator<Item = (&str, Kept)> {
        let all = self.entries.range(PREFIX.to_owned()..).take_while(|(key, _)| key.starts_with(PREFIX));
        all.filter_map(|(key, line)| Some((key.as_str(), Kept::read(line)?)))
    }
}

/// The server of an entry, if it is one of these.
pub(super) fn server(key: &str, line: &str) -> Option<String> {
    key.starts_with(PREFIX).then(|| Kept::read(line))?.map(|kept| kept.server)
}

fn number(key: &str) -> Option<u64> {
    key.strip_prefix(PREFIX)?.parse().ok()
}

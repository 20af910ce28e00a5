//! Executions whose end a server is told later (`DM 2.0 §5.3.5, §5.4.1`).
//!
//! Each has an entry in the key/value area before its 202 is sent, and loses it when the server has the alert: a kill in between
//! loses neither.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use omadm_codec::dm2::alert::AlertData;
use omadm_codec::dm2::{Alert, Mark, StatusCode};
use omadm_mo::{ClientUri, Miid, Moid, ServerId, ServerUri};
use omadm_session::dm2::client::{EffectResult, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::device::Device;
use crate::effects::refused;
use crate::entry;
use crate::error::PersistError;
use crate::host::not_kept;
use crate::outbox::{self, StoredAlert};
use crate::persistence::Batch;
use crate::plugin::{EXECUTION_COMPLETE, Execution, Finished, Refusal};
use crate::reporting::{DueSession, after};
use crate::status::ExecutionStatus;

/// How the keys of the entries begin; a number follows, the lowest is the oldest.
pub(crate) const PREFIX: &str = "execution/";

/// One execution as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    server: String,
    address: String,
    /// ServerURI as the server wrote it, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report_to: Option<String>,
    /// What the server is to be told, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<StoredAlert>,
    #[serde(default)]
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What is under way, in memory.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Ends that are not durable yet: key, status, data.
    ended: VecDeque<(String, StatusCode, Option<AlertData>)>,
    /// Ends that a session was begun for: they wait for a new trigger, as a client does not try again by itself (`DM 2.0 §5.6`).
    held: BTreeSet<String>,
    /// Servers for whom the end of an execution is in the outbox.
    sessions: BTreeSet<ServerId>,
}

impl Pending {
    /// The end of an execution is told.
    pub(crate) fn forget(&mut self, key: &str) {
        self.held.remove(key);
    }
}

impl Kept {
    fn entry(&self, key: &str) -> Result<(String, Option<String>), PersistError> {
        Ok((key.to_owned(), Some(entry::write("an execution", self)?)))
    }
}

impl Device {
    /// Runs an executable node. With a ServerURI its end is reported there later, also if it ends at once.
    pub(crate) fn execute(
        &mut self,
        server: &ServerId,
        address: &ClientUri,
        instance: &(Moid, Miid),
        report_to: Option<&ServerUri>,
    ) -> EffectResult {
        // Before it begins, so that a kill in the middle leaves a trace that the next start reports.
        let begun = report_to.map(|uri| self.begin(server, address, Some(uri))).transpose();
        let begun = match begun {
            Ok(begun) => begun,
            Err(refusal) => return refusal,
        };
        let owner = self.owners.get(&instance.0).copied();
        let answer = match owner.and_then(|owner| self.plugins.get_mut(owner)) {
            Some(plugin) => plugin.execute(address),
            None => {
                let reason = format!("no plug-in serves {}", instance.0);
                Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason))
            }
        };
        match (begun, answer) {
            (None, Ok(Execution::Done)) => EffectResult::Done,
            (None, Ok(Execution::Running)) => match self.begin(server, address, None) {
                Ok(_) => EffectResult::Accepted,
                Err(refusal) => refusal,
            },
            (None, Err(refusal)) => refused(refusal),
            (Some(_), Ok(Execution::Running)) => EffectResult::Accepted,
            (Some(key), Ok(Execution::Done)) => {
                self.pending.ended.push_back((key, StatusCode::OK, None));
                EffectResult::Accepted
            }
            (Some(key), Err(refusal)) => {
                tracing::info!(%server, %address, "an execution failed: {}", refusal.reason);
                self.pending.ended.push_back((key, refusal.status, None));
                EffectResult::Accepted
            }
        }
    }

    /// Keeps that an execution has begun; gives its key, or why it must not begin.
    fn begin(
        &mut self,
        server: &ServerId,
        address: &ClientUri,
        report_to: Option<&ServerUri>,
    ) -> Result<String, EffectResult> {
        let limit = self.config.executions;
        if self.executions().filter(|(_, kept)| kept.server == server.as_str()).count() >= limit {
            let reason = format!("{limit} executions for {server} have not ended or are not reported yet");
            return Err(refused(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)));
        }
        let last =
            self.executions().last().and_then(|(key, _)| key.strip_prefix(PREFIX)?.parse::<u64>().ok());
        let key = format!("{PREFIX}{:020}", last.map_or(0, |last| last.saturating_add(1)));
        let kept = Kept {
            server: server.to_string(),
            address: address.to_string(),
            report_to: report_to.map(|uri| uri.as_str().to_owned()),
            alert: None,
            attempts: 0,
            reason: None,
        };
        let kept = kept
            .entry(&key)
            .and_then(|entry| self.append(&Batch { nodes: Vec::new(), entries: vec![entry] }));
        kept.map_or_else(|error| Err(refused(not_kept(&error))), |()| Ok(key))
    }

    /// Takes up what had not ended when the device stopped.
    pub(crate) fn resume_executions(&mut self) {
        let running = self.executions().filter(|(_, kept)| kept.alert.is_none());
        let running: Vec<(String, String)> =
            running.map(|(key, kept)| (key.to_owned(), kept.address)).collect();
        for (key, address) in running {
            let resumed = match self.owner_of(&address) {
                Some((owner, address)) => match self.plugins.get_mut(owner) {
                    Some(plugin) => plugin.resume(&address),
                    None => continue,
                },
                None => Err(Refusal::new(StatusCode::INTERNAL_ERROR, "no plug-in serves it any more")),
            };
            match resumed {
                Ok(Execution::Running) => {}
                Ok(Execution::Done) => self.pending.ended.push_back((key, StatusCode::OK, None)),
                Err(refusal) => {
                    tracing::warn!(address, "an execution did not survive the restart: {}", refusal.reason);
                    self.pending.ended.push_back((key, refusal.status, None));
                }
            }
        }
    }

    /// Asks plug-ins what has ended and makes it durable. Gives the alerts that went into the outbox for `server`; other servers
    /// with such alerts are due a session.
    pub(crate) fn collect_finished(&mut self, server: &ServerId) -> Vec<Alert> {
        self.ask_for_ends();
        self.save_ends(Some(server))
    }

    /// Whether a server waits for the end of an execution of this address.
    pub(crate) fn is_open_execution(&self, address: &ClientUri) -> bool {
        self.open_execution(address).is_some()
    }

    fn open_execution(&self, address: &ClientUri) -> Option<String> {
        let text = address.to_string();
        let is_open = |key: &str| !self.pending.ended.iter().any(|(ended, ..)| ended == key);
        let mut all = self.executions();
        all.find(|(key, kept)| kept.address == text && kept.alert.is_none() && is_open(key))
            .map(|(key, _)| key.to_owned())
    }

    /// Takes the end of an execution that [`Device::is_open_execution`] knows.
    pub(crate) fn end_execution(&mut self, Finished { address, status, data }: Finished) {
        if let Some(key) = self.open_execution(&address) {
            self.pending.ended.push_back((key, status, data));
        }
    }

    pub(crate) fn save_ends(&mut self, server: Option<&ServerId>) -> Vec<Alert> {
        let mut told = Vec::new();
        while let Some((key, status, data)) = self.pending.ended.pop_front() {
            match self.save_end(&key, status, data.clone()) {
                Ok(Some((of, alert))) if Some(&of) == server => told.push(alert),
                Ok(Some((of, _))) => drop(self.pending.sessions.insert(of)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("the end of an execution cannot be kept yet: {error}");
                    self.pending.ended.push_front((key, status, data));
                    break;
                }
            }
        }
        told
    }

    /// Gives the alert with its server if it went into the outbox. The bound of the outbox is not looked at: there are no more of
    /// these than executions.
    fn save_end(
        &mut self,
        key: &str,
        status: StatusCode,
        data: Option<AlertData>,
    ) -> Result<Option<(ServerId, Alert)>, PersistError> {
        let Some(mut kept) = self.execution(key) else { return Ok(None) };
        let alert = self.end_alert(&kept.address, status, data);
        if kept.report_to.is_some() {
            kept.alert = Some(outbox::store(alert));
            let entries = vec![kept.entry(key)?];
            self.append(&Batch { nodes: Vec::new(), entries })?;
            return Ok(None);
        }
        let Ok(server) = ServerId::parse(&kept.server) else { return Ok(None) };
        self.move_to_outbox(&server, vec![(key.to_owned(), alert.clone())])?;
        Ok(Some((server, alert)))
    }

    fn move_to_outbox(&mut self, server: &ServerId, ends: Vec<(String, Alert)>) -> Result<(), PersistError> {
        let mut alerts = self.alerts(server);
        let mut entries = Vec::with_capacity(ends.len() + 1);
        for (key, alert) in ends {
            alerts.push(alert);
            entries.push((key, None));
        }
        entries.push(outbox::alerts_entry(server, alerts)?);
        self.append(&Batch { nodes: Vec::new(), entries })
    }

    fn end_alert(&self, address: &str, status: StatusCode, data: Option<AlertData>) -> Alert {
        let owner = self.owner_of(address);
        let alert_type =
            owner.and_then(|(owner, address)| Some(self.plugins.get(owner)?.report_type(&address)));
        let plain =
            || AlertData { data_type: Some("application/json".to_owned()), data: json!({ "sc": status.0 }) };
        Alert {
            source: Some(address.to_owned()),
            mark: if status.is_success() { Mark::Informational } else { Mark::Warning },
            data: Some(data.unwrap_or_else(plain)),
            ..Alert::new(alert_type.as_deref().unwrap_or(EXECUTION_COMPLETE))
        }
    }

    /// Ends that a server wants to hear at a ServerURI for which `is_here` holds, oldest first.
    pub(crate) fn ends_for(&self, server: &ServerId, is_here: impl Fn(&str) -> bool) -> Vec<(String, Alert)> {
        let ours = self.executions().filter(|(_, kept)| {
            kept.server == server.as_str() && kept.report_to.as_deref().is_some_and(&is_here)
        });
        ours.filter_map(|(key, kept)| Some((key.to_owned(), kept.alert?.into()))).collect()
    }

    /// Sessions in which servers wait for the end of an execution, those that are due now.
    pub(crate) fn sessions_to_report(&mut self) -> Vec<DueSession> {
        let mut due: Vec<DueSession> = Vec::new();
        let mut given = Vec::new();
        for (key, kept) in self.executions() {
            if kept.alert.is_none() || self.pending.held.contains(key) {
                continue;
            }
            let (Ok(server), at) = (ServerId::parse(&kept.server), kept.report_to) else { continue };
            let session = DueSession { server, at: at.and_then(|at| ServerUri::parse(&at).ok()) };
            given.push(key.to_owned());
            if !due.contains(&session) {
                due.push(session);
            }
        }
        self.pending.held.extend(given);
        let waiting = std::mem::take(&mut self.pending.sessions).into_iter();
        due.extend(waiting.map(|server| DueSession { server, at: None }));
        due
    }

    /// When a session is to be run because of an execution, or its end is to be kept.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        let waits = |(key, kept): (&str, Kept)| kept.alert.is_some() && !self.pending.held.contains(key);
        if !self.pending.sessions.is_empty() || self.executions().any(waits) {
            return Some(Instant::now());
        }
        #[cfg(feature = "dm1")]
        if self.dm1.is_session_due() {
            return Some(Instant::now());
        }
        self.pending.ended.front().and_then(|_| after(self.config.reports.retry))
    }

    /// There is a new trigger for sessions with a server: ends that could not be told get another chance after it.
    pub(crate) fn release_ends(&mut self, server: &ServerId) {
        let ours = self.executions().filter(|(_, kept)| kept.server == server.as_str());
        let ours: Vec<String> = ours.map(|(key, _)| key.to_owned()).collect();
        for key in ours {
            self.pending.held.remove(&key);
        }
    }

    /// Looks at what became of the ends that were to be told in a session at `at`: when it is of no use to try again, and after
    /// too many attempts, they go to SrvURI with the next session (`DM 2.0 §5.3.5`).
    pub(crate) fn after_report(
        &mut self,
        server: &ServerId,
        at: &ServerUri,
        outcome: &Outcome,
    ) -> Result<(), PersistError> {
        let Outcome::Aborted { reason, http_status, .. } = outcome else { return Ok(()) };
        let hopeless =
            http_status.is_some_and(|status| (400..500).contains(&status) && !matches!(status, 408 | 429));
        let limit = self.config.reports.attempts;
        let left = self.ends_for(server, |uri| uri == at.as_str());
        let mut given_up = Vec::new();
        for (key, alert) in left {
            let Some(mut kept) = self.execution(&key) else { continue };
            kept.attempts = kept.attempts.saturating_add(1);
            kept.reason = Some(reason.clone());
            if hopeless || kept.attempts >= limit {
                given_up.push((key, alert));
                continue;
            }
            let entries = vec![kept.entry(&key)?];
            self.append(&Batch { nodes: Vec::new(), entries })?;
        }
        if given_up.is_empty() {
            return Ok(());
        }
        tracing::warn!(%server, uri = at.as_str(), "ends of executions go to SrvURI instead: {reason}");
        self.move_to_outbox(server, given_up)
    }

    /// What a person wants to know of them.
    pub(crate) fn execution_statuses(&self) -> Vec<ExecutionStatus> {
        let statuses = self.executions().map(|(_, kept)| ExecutionStatus {
            server: kept.server,
            address: kept.address,
            report_to: kept.report_to,
            ended: kept.alert.is_some(),
            failed: kept.reason.map(|reason| (kept.attempts, reason)),
        });
        statuses.collect()
    }

    fn execution(&self, key: &str) -> Option<Kept> {
        entry::read(self.entries.get(key)?)
    }

    fn executions(&self) -> impl Iterator<Item = (&str, Kept)> {
        let from = self.entries.range(PREFIX.to_owned()..);
        let ours = from.take_while(|(key, _)| key.starts_with(PREFIX));
        ours.filter_map(|(key, value)| Some((key.as_str(), entry::read(value)?)))
    }
}

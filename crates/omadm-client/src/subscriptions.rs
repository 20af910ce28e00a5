//! What servers subscribed to, and what they are still to be told of it (`DM 2.0 §5.3.11, §5.3.12`).
//!
//! A subscription is kept with a digest of the state that its server knows. So whatever changes a part of the tree is found, by
//! whomever and whenever, and what was not reported before a kill is reported after it.

use std::collections::BTreeMap;
use std::time::Instant;

use omadm_codec::dm2::StatusCode;
use omadm_mo::{ClientUri, Miid, MoInst, Moid, ServerId, ServerUri};
use omadm_session::dm2::client::{EffectResult, Observation, Observed, observe};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::device::Device;
use crate::effects::{refused, settled};
use crate::entry;
use crate::error::PersistError;
use crate::host::not_kept;
use crate::persistence::Batch;
use crate::plugin::Refusal;
use crate::reporting::after;
use crate::status::SubscriptionStatus;

/// How the keys of the entries begin; server and ClientURI follow.
pub(crate) const PREFIX: &str = "subscription/";

/// One subscription as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) server: String,
    /// ClientURI, which names the subscription.
    pub(crate) client: String,
    /// Where reports go, parameters not replaced.
    pub(crate) uri: String,
    /// Digest of the state that the server knows.
    known: String,
    /// `OMADM-Accept` by which the last report was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// A report that the server has not taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failure {
    /// Digest of the state that it told.
    state: String,
    attempts: u32,
    reason: String,
    /// Trying again is of no use: only another state is tried.
    #[serde(default)]
    hopeless: bool,
}

/// How a report went.
#[derive(Debug)]
pub(crate) enum Reported {
    /// The server has it; it took a form by this `OMADM-Accept`.
    Taken { accept: Option<String> },
    /// Not now.
    Failed { reason: String },
    /// The server does not take any form that there is.
    Refused { reason: String },
}

/// What is due, in memory: after a start everything is looked at anew.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Change counter of the tree when subscriptions were last compared with it.
    compared: Option<u64>,
    /// When plug-ins were last asked for live values.
    refreshed: Option<Instant>,
    /// When a subscription is to be reported, by key; `None` is never.
    due: BTreeMap<String, Option<Instant>>,
}

impl Watch {
    /// The next time that something is to be done for one of the subscriptions.
    fn next(&self) -> Option<Instant> {
        self.due.values().copied().flatten().min()
    }
}

impl Subscription {
    fn key(server: &str, client: &str) -> String {
        format!("{PREFIX}{}", json!([server, client]))
    }

    fn entry(&self) -> Result<(String, Option<String>), PersistError> {
        Ok((Self::key(&self.server, &self.client), Some(entry::write("a subscription", self)?)))
    }
}

/// Digest of a state, so that no value of a leaf stands in the journal twice.
pub(crate) fn digest(observation: &Observation) -> String {
    let octets = openssl::sha::sha256(&observation.state());
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Device {
    /// Keeps a subscription, in place of one of the same server to the same ClientURI.
    pub(crate) fn subscribe(
        &mut self,
        server: &ServerId,
        client: &ClientUri,
        uri: &ServerUri,
    ) -> EffectResult {
        let key = Subscription::key(server.as_str(), &client.to_string());
        let before = self.subscription(&key);
        let limit = self.config.subscriptions;
        let others = self.subscriptions().filter(|(_, other)| other.server == server.as_str()).count();
        if before.is_none() && others >= limit {
            let reason = format!("{server} has {limit} subscriptions already, which is the limit");
            return refused(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        // What an earlier subscription has yet to report stays to be reported.
        let known = before.map_or_else(|| self.digest_of(server, client), |before| before.known);
        let subscription = Subscription {
            server: server.to_string(),
            client: client.to_string(),
            uri: uri.as_str().to_owned(),
            known,
            accept: None,
            failure: None,
        };
        self.watch.due.remove(&key);
        self.watch.compared = None;
        settled(self.keep_subscription(&subscription).map_err(|error| not_kept(&error)))
    }

    /// Ends the subscription of a server to this ClientURI.
    pub(crate) fn unsubscribe(&mut self, server: &ServerId, client: &ClientUri) -> EffectResult {
        let key = Subscription::key(server.as_str(), &client.to_string());
        if !self.entries.contains_key(&key) {
            let reason = format!("{server} has not subscribed to {client}");
            return refused(Refusal::new(StatusCode::NOT_FOUND, reason));
        }
        settled(self.end_subscription(key).map_err(|error| not_kept(&error)))
    }

    /// Compares subscriptions with the tree, if it has changed, after plug-ins had the chance to say what is new.
    pub(crate) fn look(&mut self) -> Result<(), PersistError> {
        if self.is_look_due() {
            self.watch.refreshed = Some(Instant::now());
            let watched = self.watched();
            if let Err(refusal) = self.refresh(&watched) {
                tracing::warn!("live values under a subscription are not up to date: {}", refusal.reason);
            }
        }
        if self.watch.compared == Some(self.tree.revision()) {
            return Ok(());
        }
        let all: Vec<(String, Subscription)> =
            self.subscriptions().map(|(key, subscription)| (key.to_owned(), subscription)).collect();
        for (key, subscription) in all {
            self.compare(key, &subscription)?;
        }
        self.watch.compared = Some(self.tree.revision());
        Ok(())
    }

    fn compare(&mut self, key: String, subscription: &Subscription) -> Result<(), PersistError> {
        let state = match self.observed(subscription) {
            Some(Observed::Data(observation) | Observed::Gone(observation)) => digest(&observation),
            Some(Observed::Unclear) => return Ok(()),
            Some(Observed::Forbidden) | None => {
                tracing::info!(
                    server = subscription.server,
                    client = subscription.client,
                    "the subscription ends: the server may not read this any more"
                );
                return self.end_subscription(key);
            }
        };
        if state == subscription.known {
            self.watch.due.remove(&key);
            return Ok(());
        }
        let first = after(self.config.reports.window);
        let limit = self.config.reports.attempts;
        let given_up = subscription
            .failure
            .as_ref()
            .is_some_and(|failure| failure.state == state && (failure.hopeless || failure.attempts >= limit));
        let due = self.watch.due.entry(key).or_insert(first);
        if given_up {
            *due = None;
        } else if due.is_none() {
            *due = first;
        }
        Ok(())
    }

    /// What its server is to be told of a subscription.
    pub(crate) fn observed(&self, subscription: &Subscription) -> Option<Observed> {
        let server = ServerId::parse(&subscription.server).ok()?;
        let client = self.watched_address(&subscription.client)?;
        Some(observe(&self.tree, &server, &client))
    }

    /// Keys of the subscriptions that are to be reported now.
    pub(crate) fn reports_due(&self) -> Vec<String> {
        let now = Instant::now();
        let due = self.watch.due.iter().filter(|(_, due)| due.is_some_and(|due| due <= now));
        due.map(|(key, _)| key.clone()).collect()
    }

    /// When a subscription wants attention next.
    pub(crate) fn next_report(&self) -> Option<Instant> {
        self.subscriptions().next()?;
        if self.watch.compared != Some(self.tree.revision()) {
            return Some(Instant::now());
        }
        let interval = self.config.reports.look_interval;
        let look = self.watch.refreshed.and_then(|at| at.checked_add(interval));
        look.filter(|_| !interval.is_zero()).into_iter().chain(self.watch.next()).min()
    }

    /// Keeps how a report of a state went.
    pub(crate) fn reported(
        &mut self,
        key: &str,
        observed: &Observed,
        outcome: Reported,
    ) -> Result<(), PersistError> {
        let (Some(mut subscription), Observed::Data(observation) | Observed::Gone(observation)) =
            (self.subscription(key), observed)
        else {
            return Ok(());
        };
        let state = digest(observation);
        let failed = |reason, hopeless| {
            let before = subscription.failure.as_ref().filter(|failure| failure.state == state);
            let attempts = before.map_or(0, |failure| failure.attempts).saturating_add(1);
            Failure { state: state.clone(), attempts, reason, hopeless }
        };
        let failure = match outcome {
            Reported::Taken { .. } if matches!(observed, Observed::Gone(_)) => {
                return self.end_subscription(key.to_owned());
            }
            Reported::Taken { accept } => {
                subscription.known = state;
                subscription.accept = accept;
                subscription.failure = None;
                self.watch.due.remove(key);
                // What has changed meanwhile is found by the next look.
                self.watch.compared = None;
                let kept = self.keep_subscription(&subscription);
                if kept.is_err() {
                    // It will be told again, but not at once.
                    self.watch.due.insert(key.to_owned(), after(self.config.reports.retry));
                }
                return kept;
            }
            Reported::Failed { reason } => failed(reason, false),
            Reported::Refused { reason } => failed(reason, true),
        };
        let attempts = failure.attempts;
        let gives_up = failure.hopeless || attempts >= self.config.reports.attempts;
        let next = if gives_up { None } else { after(self.config.reports.pause(attempts)) };
        self.watch.due.insert(key.to_owned(), next);
        tracing::warn!(
            server = subscription.server,
            client = subscription.client,
            attempts,
            gives_up,
            "a report was not taken: {}",
            failure.reason
        );
        subscription.failure = Some(failure);
        self.keep_subscription(&subscription)
    }

    /// A session with the server went well: what was given up is tried again.
    pub(crate) fn encourage(&mut self, server: &ServerId) -> Result<(), PersistError> {
        let limit = self.config.reports.attempts;
        let given_up = |subscription: &Subscription| {
            let failure = subscription.failure.as_ref();
            subscription.server == server.as_str()
                && failure.is_some_and(|failure| !failure.hopeless && failure.attempts >= limit)
        };
        let all: Vec<_> = self.subscriptions().filter(|(_, of)| given_up(of)).collect();
        let all: Vec<Subscription> = all.into_iter().map(|(_, subscription)| subscription).collect();
        for mut subscription in all {
            subscription.failure = None;
            self.keep_subscription(&subscription)?;
            self.watch.compared = None;
        }
        Ok(())
    }

    /// One subscription.
    pub(crate) fn subscription(&self, key: &str) -> Option<Subscription> {
        entry::read(self.entries.get(key)?)
    }

    /// What a person wants to know of them.
    pub(crate) fn subscription_statuses(&self) -> Vec<SubscriptionStatus> {
        let statuses = self.subscriptions().map(|(_, subscription)| SubscriptionStatus {
            server: subscription.server,
            client: subscription.client,
            uri: subscription.uri,
            failed: subscription.failure.map(|failure| (failure.attempts, failure.reason)),
        });
        statuses.collect()
    }

    fn subscriptions(&self) -> impl Iterator<Item = (&str, Subscription)> {
        let from = self.entries.range(PREFIX.to_owned()..);
        let ours = from.take_while(|(key, _)| key.starts_with(PREFIX));
        ours.filter_map(|(key, value)| Some((key.as_str(), entry::read(value)?)))
    }

    fn keep_subscription(&mut self, subscription: &Subscription) -> Result<(), PersistError> {
        let entries = vec![subscription.entry()?];
        self.append(&Batch { nodes: Vec::new(), entries })
    }

    fn end_subscription(&mut self, key: String) -> Result<(), PersistError> {
        self.watch.due.remove(&key);
        self.append(&Batch { nodes: Vec::new(), entries: vec![(key, None)] })
    }

    fn digest_of(&self, server: &ServerId, client: &ClientUri) -> String {
        match observe(&self.tree, server, client) {
            Observed::Data(observation) | Observed::Gone(observation) => digest(&observation),
            Observed::Unclear | Observed::Forbidden => String::new(),
        }
    }

    fn is_look_due(&self) -> bool {
        let interval = self.config.reports.look_interval;
        let due = self.watch.refreshed.is_none_or(|at| at.elapsed() >= interval);
        !interval.is_zero() && due && self.subscriptions().next().is_some()
    }

    /// The instances that hold what was subscribed to.
    fn watched(&self) -> Vec<(Moid, Miid)> {
        let mut watched = Vec::new();
        for (_, subscription) in self.subscriptions() {
            let Some(client) = self.watched_address(&subscription.client) else { continue };
            let instances = self.tree.instances_of(&client.moid).filter(|instance| match &client.inst {
                MoInst::Miid(miid) => instance.miid == *miid,
                MoInst::XName(_) | MoInst::Only | MoInst::All => true,
            });
            watched.extend(instances.map(|instance| (instance.moid.clone(), instance.miid.clone())));
        }
        watched.sort();
        watched.dedup();
        watched
    }

    fn watched_address(&self, client: &str) -> Option<ClientUri> {
        let catalogue = self.tree.catalogue();
        ClientUri::parse_with(client, &|moid| catalogue.get(moid).is_some()).ok()
    }
}

//! Admission by session: whoever comes when there is too much to do is told when to come again, before anything was done for it. Messages
//! of sessions that were accepted are never turned away.

mod state;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omadm_mo::{DeviceId, Time};
use omadm_store::NewEvent;
use serde_json::json;

use crate::config::DeviceSection;
use crate::context::Context;
use crate::metrics::{Metrics, Protocol, Session};
use crate::{clock, random};
use state::{Limits, News};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Admission of sessions on this node.
pub struct Admission {
    state: Mutex<state::Admission>,
    hasher: RandomState,
    metrics: Arc<Metrics>,
}

impl Admission {
    /// With the limits of the configuration.
    pub fn new(device: &DeviceSection, metrics: Arc<Metrics>) -> Self {
        let limits = Limits {
            starting: device.max_new_sessions,
            open: device.max_open_sessions,
            store_queue: device.max_store_queue,
            idle: device.open_session_idle.micros(),
            shortest_retry: device.retry_after.micros(),
            longest_retry: device.longest_retry.micros(),
        };
        Self { state: Mutex::new(state::Admission::new(limits)), hasher: RandomState::new(), metrics }
    }

    /// Lets a device begin a session; none if it has to come again later. Held until the answer.
    pub fn begin(&self, context: &Context, device: &DeviceId, protocol: Protocol) -> Option<Starting<'_>> {
        let waiting = context.store.commits().waiting();
        let admitted = self.state().admit(self.hasher.hash_one(device), waiting, clock::now());
        if !admitted {
            self.metrics.sessions.count((protocol, Session::Refused));
        }
        admitted.then_some(Starting { admission: self, protocol })
    }

    /// A message was answered, whose session goes on or is over.
    pub fn answered(&self, device: &DeviceId, protocol: Protocol, goes_on: bool) {
        if !goes_on {
            self.metrics.sessions.count((protocol, Session::Ended));
        }
        self.state().answered(self.hasher.hash_one(device), goes_on, clock::now());
    }

    /// After how many seconds a device that gets 503 shall come again.
    pub fn retry_after(&self) -> u64 {
        let chance = random::below(u64::MAX);
        let micros = self.state().retry_after(clock::now(), chance);
        micros.div_euclid(SECOND).unsigned_abs()
    }

    /// The figures.
    pub fn tell(&self, metrics: &Metrics, now: Time) {
        let state = self.state();
        let (starting, open) = state.counts();
        let longest = state.longest_retry_now(now);
        drop(state);
        metrics.sessions_starting.set((), i64::try_from(starting).unwrap_or(i64::MAX));
        metrics.sessions_open.set((), i64::try_from(open).unwrap_or(i64::MAX));
        metrics.retry_after.set((), longest.div_euclid(SECOND));
    }

    /// Forgets sessions from which nothing comes any more, and tells operators of an overload when it begins and ends.
    pub async fn tidy(&self, context: &Context, now: Time) {
        let news = self.state().tidy(now);
        let (kind, overload) = match news {
            Some(News::Began(overload)) => {
                tracing::warn!(refused = overload.refused, "new sessions are turned away under overload");
                ("overload.began", overload)
            }
            Some(News::Ended(overload)) => {
                tracing::info!(
                    refused = overload.refused,
                    "the overload is over: new sessions are taken again"
                );
                ("overload.ended", overload)
            }
            None => return,
        };
        let body = json!({ "since": clock::rfc3339(overload.began), "refused": overload.refused });
        let event = NewEvent { device: None, kind: kind.into(), body: body.to_string() };
        if let Err(error) = context.store.add_events(vec![event], now).await {
            tracing::error!(%error, "an event about an overload could not be stored");
        }
    }

    fn state(&self) -> MutexGuard<'_, state::Admission> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A first message in work.
pub struct Starting<'a> {
    admission: &'a Admission,
    protocol: Protocol,
}

impl Starting<'_> {
    /// It began a session: it is stored. One that is only asked for credentials has begun none.
    pub fn accepted(&self) {
        self.admission.metrics.sessions.count((self.protocol, Session::Accepted));
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.admission.state().started();
    }
}

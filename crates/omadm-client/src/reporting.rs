//! What a device tells outside of sessions, or in sessions of its own: reports of subscriptions, and ends of executions.

use std::time::{Duration, Instant};

use http::Method;
use omadm_mo::{ServerId, ServerUri};
use omadm_session::dm2::client::{Observed, Outcome, Report, expand_text};

use crate::account::Account;
use crate::client::Client;
use crate::device::Device;
use crate::effects::Host;
use crate::error::{ClientError, PersistError};
use crate::exchange::Exchange;
use crate::session::engine_config;
use crate::subscriptions::{Reported, Subscription};
use crate::transport::Transport;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// When and how often a device reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// For how long changes under a subscription are gathered into one report. Default 2 s.
    pub window: Duration,
    /// Pause after the first report of a subscription that failed, twice as long after each further one, an hour at most.
    /// Default 10 s.
    pub retry: Duration,
    /// Most attempts to report one state, 1 or more; then the next change of the state, or a session with the server that goes
    /// well, gives it another chance. Most sessions at a ServerURI to tell the end of an execution, one a trigger; then it goes
    /// to SrvURI. Default 8.
    pub attempts: u32,
    /// How often plug-ins are asked for live values under a subscription; 0 is never. Default 60 s.
    pub look_interval: Duration,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(2),
            retry: Duration::from_secs(10),
            attempts: 8,
            look_interval: Duration::from_secs(60),
        }
    }
}

impl ReportConfig {
    /// The pause after so many attempts.
    pub(crate) fn pause(&self, attempts: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
        self.retry.saturating_mul(factor).min(LONGEST_PAUSE.max(self.retry))
    }
}

/// A session in which a server waits for the end of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSession {
    /// The server.
    pub server: ServerId,
    /// Where it wants it; `None` is SrvURI.
    pub at: Option<ServerUri>,
}

/// The instant after a pause; `None` is never.
pub(crate) fn after(pause: Duration) -> Option<Instant> {
    Instant::now().checked_add(pause)
}

impl Device {
    /// What a session changed in what is still to be told.
    pub(crate) fn after_session(
        &mut self,
        server: &ServerId,
        at: Option<&ServerUri>,
        outcome: &Outcome,
    ) -> Result<(), PersistError> {
        match at {
            Some(at) => self.after_report(server, at, outcome)?,
            None => self.release_ends(server),
        }
        match outcome {
            Outcome::Ended { .. } => self.encourage(server),
            Outcome::Aborted { .. } => Ok(()),
        }
    }
}

impl<T: Transport> Client<T> {
    /// Sends the reports of subscriptions that are due (`DM 2.0 §5.3.11`), and asks plug-ins which executions have ended. To be
    /// called after sessions, after changes by the device itself, and when [`Client::next_report`] says so. A report that fails
    /// is no error: it is tried again.
    ///
    /// # Errors
    /// [`ClientError::Persist`] when the outcome cannot be kept, [`ClientError::NoDeviceId`].
    pub async fn report(&mut self) -> Result<(), ClientError> {
        self.device.collect_ends();
        self.device.look()?;
        for key in self.device.reports_due() {
            let Some(subscription) = self.device.subscription(&key) else { continue };
            let Some(observed) = self.device.observed(&subscription) else { continue };
            let outcome = match &observed {
                Observed::Data(_) | Observed::Gone(_) => self.tell(&subscription, &observed).await?,
                Observed::Unclear | Observed::Forbidden => continue,
            };
            self.device.reported(&key, &observed, outcome)?;
        }
        Ok(())
    }

    /// Sessions that servers wait for because an execution has ended: run them with [`Client::run_session_at`]. Each is given once;
    /// one that fails is given again after the next session with the server, which is a new trigger (`DM 2.0 §5.6`).
    pub fn sessions_due(&mut self) -> Vec<DueSession> {
        self.device.sessions_to_report()
    }

    /// How long there is nothing to do for [`Client::report`], as far as can be told: a plug-in whose execution ends says so when
    /// it is asked. `None` is for ever.
    #[must_use]
    pub fn next_report(&self) -> Option<Duration> {
        self.device.next_report().map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// How long there is nothing to do for [`Client::sessions_due`]; `None` is for ever.
    #[must_use]
    pub fn next_session(&self) -> Option<Duration> {
        self.device.next_end().map(|next| next.saturating_duration_since(Instant::now()))
    }

    async fn tell(
        &mut self,
        subscription: &Subscription,
        observed: &Observed,
    ) -> Result<Reported, ClientError> {
        let Self { config, device, transport, .. } = self;
        let device_id = device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let engine_config = engine_config(config, device, &device_id);
        let failed = |reason: String| Ok(Reported::Failed { reason });
        let server = match ServerId::parse(&subscription.server) {
            Ok(server) => server,
            Err(error) => return failed(error.to_string()),
        };
        let account = match Account::read(device.tree(), &server, &engine_config.parameters) {
            Ok(account) => account,
            Err(error) => return failed(error.to_string()),
        };
        let uri = match expand_text(&engine_config, &subscription.uri) {
            Ok(uri) => uri,
            Err(reason) => return failed(reason),
        };
        let exchange = Exchange::new(transport, config, &account.peer, &device_id);
        let mut host = Host { device, server: &server, exchange, browser: None };
        Ok(put(&mut host, &uri, subscription.accept.clone(), observed).await)
    }
}

/// Sends a report, twice at most: in another form if the server says that it takes another (`DM 2.0 §5.3.11`).
async fn put<T: Transport>(
    host: &mut Host<'_, T>,
    uri: &str,
    known: Option<String>,
    observed: &Observed,
) -> Reported {
    let (Observed::Data(observation) | Observed::Gone(observation)) = observed else {
        return Reported::Failed { reason: "there is nothing to report".to_owned() };
    };
    let mut accept = known;
    let mut refused: Option<String> = None;
    loop {
        // A list by which nothing can be sent any more is forgotten: the server may have changed its mind.
        let report = match (observation.report(accept.as_deref()), &refused) {
            (Some(report), _) => Some(report),
            (None, None) => observation.report(None),
            (None, Some(_)) => None,
        };
        let fresh = report.filter(|report| refused.as_ref() != Some(&report.content_type));
        let Some(Report { content_type, body }) = fresh else {
            let named = accept.as_deref().unwrap_or("nothing");
            return Reported::Refused { reason: format!("{uri} answered 415 and accepts {named}") };
        };
        match host.upload(Method::PUT, uri.to_owned(), content_type.clone(), body).await {
            Ok(reply) if (200..300).contains(&reply.status) => return Reported::Taken { accept },
            Ok(reply) if reply.status == 415 && refused.is_none() => {
                refused = Some(content_type);
                accept = reply.omadm_accept;
            }
            Ok(reply) if reply.status == 415 => {
                return Reported::Refused { reason: format!("{uri} answered 415 to what it accepts") };
            }
            Ok(reply) => return Reported::Failed { reason: format!("{uri} answered {}", reply.status) },
            Err(error) => return Reported::Failed { reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let config = ReportConfig { retry: Duration::from_secs(10), ..ReportConfig::default() };
        for (attempts, seconds) in
            [(0, 10), (1, 10), (2, 20), (3, 40), (9, 2_560), (10, 3_600), (u32::MAX, 3_600)]
        {
            assert_eq!(config.pause(attempts), Duration::from_secs(seconds), "{attempts}");
        }
        let slow = ReportConfig { retry: Duration::from_secs(7_200), ..ReportConfig::default() };
        assert_eq!(slow.pause(5), Duration::from_secs(7_200), "never sooner than asked for");
    }
}

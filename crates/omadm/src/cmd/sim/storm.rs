//! `omadm sim --storm`: all devices come within a short time, as after a power cut, and come again when the server says so.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use omadm_client::HttpsTransport;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::device::{Account, Ended, Model, Speech, Trouble, session};
use super::enrolment::Enrolled;
use super::progress;
use super::report::{milliseconds, percentile};
use crate::api::Api;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// By which part of it, at most, a device comes later than it was told.
const LATER: f64 = 0.1;
/// Pause of a device that nobody answered, twice as long for each time in a row.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause between two reads of the operator.
const LOOK: Duration = Duration::from_millis(100);
/// Reasons that are told apart.
const MAX_REASONS: usize = 20;

/// Devices that come together.
pub struct Storm {
    pub account: Account,
    pub model: Model,
    pub speech: Speech,
    /// Connections, which the devices share.
    pub transports: Vec<HttpsTransport>,
    /// Within which time all of them come.
    pub within: Duration,
    /// After which time from the start on a device that was not served is given up.
    pub patience: Duration,
}

/// How one device fared.
#[derive(Default)]
struct Fared {
    /// How often it was told to come again later.
    refused: u64,
    /// The longest time that it was told.
    longest_retry: Duration,
    /// How often nobody answered.
    unreached: u64,
    /// Sessions that were accepted and broke.
    failed: Vec<String>,
    /// When it was served, from the start of the storm, and how long that session took.
    served: Option<(Duration, Duration)>,
}

/// How all of them fared.
#[derive(Default)]
pub struct Report {
    devices: usize,
    within: Duration,
    refused: u64,
    unreached: u64,
    failed: u64,
    reasons: BTreeMap<String, u64>,
    longest_retry: Duration,
    all_served: Duration,
    sessions: Vec<Duration>,
    reads: Vec<Duration>,
    failed_reads: u64,
}

impl Storm {
    /// Has every device served once; meanwhile an operator reads.
    pub async fn run(self, api: Arc<Api>, enrolled: Vec<Enrolled>) -> Result<Report, Failure> {
        let (devices, within) = (enrolled.len(), self.within);
        let bar = progress("devices served", devices as u64);
        let (over, ends) = watch::channel(false);
        let operator = tokio::spawn(reads(api, ends));
        let storm = Arc::new(self);
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for (number, device) in enrolled.into_iter().enumerate() {
            let start = within.mul_f64(number as f64 / devices.max(1) as f64);
            tasks.spawn(storm.clone().device(device, number, began, start, bar.clone()));
        }
        let mut report = Report { devices, within, ..Report::default() };
        while let Some(ended) = tasks.join_next().await {
            report.add(ended.map_err(|error| Failure::Failed(format!("a device stopped: {error}")))??);
        }
        bar.finish_and_clear();
        // The operator has stopped by itself if it does not listen any more.
        let _listens = over.send(true);
        let read =
            operator.await.map_err(|error| Failure::Failed(format!("the operator stopped: {error}")))?;
        (report.reads, report.failed_reads) = read;
        report.reads.sort_unstable();
        report.sessions.sort_unstable();
        Ok(report)
    }

    /// One device, until it is served or there is no more time.
    async fn device(
        self: Arc<Self>,
        device: Enrolled,
        number: usize,
        began: Instant,
        start: Duration,
        bar: ProgressBar,
    ) -> Result<Fared, Failure> {
        let transport = self.transports.get(number % self.transports.len().max(1));
        let transport = transport.ok_or_else(|| Failure::Failed("there is no connection".to_owned()))?;
        let mut fared = Fared::default();
        let (mut pause, mut wait) = (PAUSE, start);
        while began.elapsed().saturating_add(wait) < self.patience {
            tokio::time::sleep(wait).await;
            // A device that waits holds nothing: there may be very many of them.
            let mut client =
                self.model.client(&device, &self.account, transport.clone(), Default::default())?;
            let from = Instant::now();
            let ended = session(&mut client, &self.account.server, self.speech).await;
            let ended = ended.map_err(|error| Failure::Failed(format!("{}: {error}", device.id)))?;
            match ended {
                Ended { trouble: None, .. } => {
                    fared.served = Some((began.elapsed(), from.elapsed()));
                    bar.inc(1);
                    break;
                }
                Ended { trouble: Some(Trouble::Refused(told)), .. } => {
                    fared.refused += 1;
                    fared.longest_retry = fared.longest_retry.max(told);
                    wait = told.mul_f64(1.0 + LATER * random());
                }
                Ended { trouble: Some(Trouble::Unreached(_)), .. } => {
                    fared.unreached += 1;
                    wait = pause.mul_f64(1.0 + random());
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
                Ended { trouble: Some(Trouble::Broken(reason)), .. } => {
                    fared.failed.push(reason);
                    wait = pause.mul_f64(1.0 + random());
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
        Ok(fared)
    }
}

/// A number from 0 to 1.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// An operator who looks at the server again and again; how long each look took, and how many failed.
async fn reads(api: Arc<Api>, mut ends: watch::Receiver<bool>) -> (Vec<Duration>, u64) {
    let (mut took, mut failed) = (Vec::new(), 0);
    loop {
        tokio::select! {
            _ = ends.wait_for(|over| *over) => return (took, failed),
            () = tokio::time::sleep(LOOK) => {}
        }
        let from = Instant::now();
        match api.get("/devices?limit=1").await {
            Ok(_) => took.push(from.elapsed()),
            Err(_) => failed += 1,
        }
    }
}

impl Report {
    fn add(&mut self, fared: Fared) {
        self.refused += fared.refused;
        self.unreached += fared.unreached;
        self.longest_retry = self.longest_retry.max(fared.longest_retry);
        for reason in fared.failed {
            self.failed += 1;
            let known = self.reasons.contains_key(&reason) || self.reasons.len() < MAX_REASONS;
            *self.reasons.entry(if known { reason } else { "other reasons".to_owned() }).or_default() += 1;
        }
        if let Some((at, took)) = fared.served {
            self.all_served = self.all_served.max(at);
            self.sessions.push(took);
        }
    }

    /// Prints how they fared.
    pub fn print(&self, output: Format) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&self.to_json());
        }
        let (served, within) = (self.sessions.len(), self.within.as_secs_f64());
        screen::line(&format!("{} devices came within {within:.1} s, {served} were served", self.devices))?;
        screen::line(&format!("the last of them after  {:>10.1} s", self.all_served.as_secs_f64()))?;
        screen::line(&format!("told to come later      {:>10} times", self.refused))?;
        screen::line(&format!("longest Retry-After     {:>10.0} s", self.longest_retry.as_secs_f64()))?;
        screen::line(&format!("nobody answered         {:>10} times", self.unreached))?;
        screen::line(&format!("accepted and broken     {:>10}", self.failed))?;
        for (what, times) in [("session", &self.sessions), ("operator's read", &self.reads)] {
            for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
                if let Some(time) = percentile(times, percent) {
                    screen::line(&format!("{name} of a {what:<16} {:>10.2} ms", milliseconds(time)))?;
                }
            }
        }
        for (reason, count) in &self.reasons {
            screen::line(&format!("{count} broke: {}", screen::clean(reason)))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let latency = |times: &[Duration]| {
            let of = |percent| percentile(times, percent).map(milliseconds);
            json!({ "p50": of(50), "p99": of(99), "max": of(100) })
        };
        json!({
            "devices": self.devices,
            "within_seconds": self.within.as_secs_f64(),
            "served": self.sessions.len(),
            "served_after_seconds": self.all_served.as_secs_f64(),
            "refused": self.refused,
            "longest_retry_after_seconds": self.longest_retry.as_secs_f64(),
            "unreached": self.unreached,
            "failed": self.failed,
            "errors": self.reasons,
            "session_ms": latency(&self.sessions),
            "operator_reads": self.reads.len(),
            "operator_reads_failed": self.failed_reads,
            "operator_read_ms": latency(&self.reads),
        })
    }

    /// Whether all were served, and no session failed that was accepted.
    pub fn verdict(&self) -> Result<(), Failure> {
        let unserved = self.devices.saturating_sub(self.sessions.len());
        match (unserved, self.failed, self.failed_reads) {
            (0, 0, 0) => Ok(()),
            (unserved, failed, reads) => Err(Failure::Failed(format!(
                "{unserved} devices were not served, {failed} sessions broke that were accepted, {reads} reads of the operator failed"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_to_be_served_and_nothing_may_break() {
        let served = |refused| Fared {
            refused,
            served: Some((Duration::from_secs(3), Duration::from_millis(5))),
            ..Fared::default()
        };
        let mut report = Report { devices: 2, ..Report::default() };
        report.add(served(4));
        assert!(report.verdict().is_err(), "one is missing");
        report.add(served(1));
        assert!(report.verdict().is_ok());
        assert_eq!(report.to_json()["refused"], 5);
        assert_eq!(report.to_json()["served_after_seconds"], 3.0);
        report.add(Fared { failed: vec!["HTTP 500".to_owned()], ..Fared::default() });
        assert!(report.verdict().is_err());
    }

    #[test]
    fn chance_is_between_0_and_1() {
        assert!((0..1_000).all(|_| (0.0..=1.0).contains(&random())));
    }
}

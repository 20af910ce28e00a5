//! What a load came to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::screen::{self, Format};

/// Reasons that are told apart; more are counted together, so that a reason with a number in it cannot fill the report.
const MAX_REASONS: usize = 20;

/// How one session went.
pub struct Sample {
    /// From its first message to its end.
    pub took: Duration,
    /// Packages that the device sent.
    pub messages: u32,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// How all sessions went.
pub struct Figures {
    devices: usize,
    concurrency: usize,
    time: Duration,
    messages: u64,
    latencies: Vec<Duration>,
    errors: BTreeMap<String, u64>,
}

impl Figures {
    /// No sessions yet.
    pub fn new(devices: usize, concurrency: usize) -> Self {
        Self {
            devices,
            concurrency,
            time: Duration::ZERO,
            messages: 0,
            latencies: Vec::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Adds the sessions of a round that took `time` in all.
    pub fn add_round(&mut self, time: Duration, samples: Vec<Sample>) {
        self.time += time;
        for sample in samples {
            self.messages = self.messages.saturating_add(u64::from(sample.messages));
            match sample.error {
                None => self.latencies.push(sample.took),
                Some(reason) => self.count(reason),
            }
        }
        self.latencies.sort_unstable();
    }

    fn count(&mut self, reason: String) {
        let known = self.errors.contains_key(&reason) || self.errors.len() < MAX_REASONS;
        let reason = if known { reason } else { "other reasons".to_owned() };
        let count = self.errors.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Latency that `percent` of the good sessions did not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        percentile(&self.latencies, percent)
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    /// Prints the figures.
    pub fn print(&self, output: Format) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&self.to_json());
        }
        let good = self.latencies.len() as u64;
        screen::line(&format!(
            "{good} sessions of {} devices in {:.2} s, {} at a time; {} failed",
            self.devices,
            self.time.as_secs_f64(),
            self.concurrency,
            self.failed()
        ))?;
        screen::line(&format!("sessions/s  {:>10.1}", self.per_second(good)))?;
        screen::line(&format!("messages/s  {:>10.1}", self.per_second(self.messages)))?;
        for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
            if let Some(latency) = self.percentile(percent) {
                screen::line(&format!("{name} latency {:>10.2} ms", milliseconds(latency)))?;
            }
        }
        for (reason, count) in &self.errors {
            screen::line(&format!("{count} failed: {}", screen::clean(reason)))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let good = self.latencies.len() as u64;
        json!({
            "devices": self.devices,
            "concurrency": self.concurrency,
            "seconds": self.time.as_secs_f64(),
            "sessions": good,
            "sessions_per_second": self.per_second(good),
            "messages": self.messages,
            "messages_per_second": self.per_second(self.messages),
            "latency_ms": {
                "p50": self.percentile(50).map(milliseconds),
                "p99": self.percentile(99).map(milliseconds),
                "max": self.percentile(100).map(milliseconds),
            },
            "failed": self.failed(),
            "errors": self.errors,
        })
    }

    /// Whether every session was good.
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.failed() {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!(
                "{failed} sessions failed; the server's log and `omadm session ls` say why"
            ))),
        }
    }
}

/// The time that `percent` of these did not exceed, which are sorted.
pub fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let rank = times.len().saturating_mul(percent).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: u64, error: Option<&str>) -> Sample {
        Sample { took: Duration::from_millis(millis), messages: 2, error: error.map(str::to_owned) }
    }

    #[test]
    fn percentiles_are_of_good_sessions_only() {
        let mut figures = Figures::new(100, 4);
        let samples = (1..=100).map(|millis| sample(millis, None)).chain([sample(9_999, Some("HTTP 500"))]);
        figures.add_round(Duration::from_secs(2), samples.collect());
        assert_eq!(figures.percentile(50), Some(Duration::from_millis(50)));
        assert_eq!(figures.percentile(99), Some(Duration::from_millis(99)));
        assert_eq!(figures.percentile(100), Some(Duration::from_millis(100)));
        assert_eq!(figures.to_json()["sessions_per_second"], 50.0);
        assert_eq!(figures.to_json()["messages_per_second"], 101.0);
        assert!(figures.verdict().is_err());
    }

    #[test]
    fn no_session_has_no_latency() {
        let figures = Figures::new(0, 1);
        assert_eq!(figures.percentile(50), None);
        assert!(figures.verdict().is_ok());
    }

    #[test]
    fn many_reasons_are_counted_together() {
        let mut figures = Figures::new(1, 1);
        figures.add_round(Duration::ZERO, (0..50).map(|n| sample(1, Some(&n.to_string()))).collect());
        assert_eq!(figures.errors.len(), MAX_REASONS + 1);
        assert_eq!(figures.failed(), 50);
    }
}

//! `omadm sim --endure`: devices come again and again, whatever happens to the servers meanwhile, and nothing may be lost that was
//! acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use omadm_client::Client;
use omadm_mo::ServerId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::device::{Ended, Speech, Trouble, session};
use super::load::Share;
use super::progress;
use crate::api::{Api, ApiError};
use crate::cmd::device;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Pause of who was not served, if the server said nothing of it.
const PAUSE: Duration = Duration::from_millis(200);
/// How long somebody tries who is not served.
const PATIENCE: Duration = Duration::from_secs(120);
/// Reasons that are told apart.
const MAX_REASONS: usize = 20;

/// Devices that do not give up, and an operator who does not, either.
#[derive(Clone)]
pub struct Endurance {
    /// Where commands are queued.
    pub api: Arc<Api>,
    /// Whom the devices talk to.
    pub server: ServerId,
    /// What they speak.
    pub speech: Speech,
    /// What each device is asked for before each session.
    pub gets: Arc<[String]>,
    /// For how long new sessions begin.
    pub lasts: Duration,
}

/// What a worker has seen.
#[derive(Default)]
struct Seen {
    commands: Vec<Seated>,
    sessions: u64,
    refused: u64,
    unreached: u64,
    broken: Vec<String>,
    requests_failed: u64,
    lost: Vec<String>,
    longest: Duration,
    longest_request: Duration,
}

/// A command that the server has acknowledged, and said to be final.
struct Seated {
    id: String,
    end: Value,
}

/// What came of it.
#[derive(Default)]
pub struct Report {
    devices: usize,
    sessions: u64,
    commands: u64,
    refused: u64,
    unreached: u64,
    broken: u64,
    reasons: BTreeMap<String, u64>,
    requests_failed: u64,
    longest: Duration,
    longest_request: Duration,
    lost: Vec<String>,
}

impl Endurance {
    /// Has the shares served at the same time, until the time is over and every device has had a good session after that.
    pub async fn run(self, shares: Vec<Share>) -> Result<Report, Failure> {
        let devices = shares.iter().map(Vec::len).sum();
        let bar = progress("sessions", 0);
        let until = Instant::now() + self.lasts;
        let mut tasks = JoinSet::new();
        for share in shares {
            tasks.spawn(self.clone().work(share, until, bar.clone()));
        }
        let mut report = Report { devices, ..Report::default() };
        while let Some(ended) = tasks.join_next().await {
            report.add(ended.map_err(|error| Failure::Failed(format!("a worker stopped: {error}")))??);
        }
        bar.finish_and_clear();
        Ok(report)
    }

    async fn work(self, mut share: Share, until: Instant, bar: ProgressBar) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        while Instant::now() < until {
            for client in &mut share {
                let Some(id) = client.device().dm1_device_id().map(|id| id.to_string()) else { continue };
                let queued = self.queue(&id, &mut seen).await?;
                self.serve(client, &mut seen).await?;
                bar.inc(1);
                for id in queued {
                    self.settle(id, &mut seen).await?;
                }
            }
        }
        // What was queued without an acknowledgement is carried out, too.
        for client in &mut share {
            self.serve(client, &mut seen).await?;
        }
        for command in std::mem::take(&mut seen.commands) {
            let now = self.read(&command.id, &mut seen).await?;
            if now.as_ref() != Some(&command.end) {
                seen.lost.push(format!("{} was {} and is {}", command.id, command.end, said(now.as_ref())));
            }
            seen.commands.push(command);
        }
        Ok(seen)
    }

    /// Queues what a device is asked for; gives the commands that the server has acknowledged.
    async fn queue(&self, device: &str, seen: &mut Seen) -> Result<Vec<String>, Failure> {
        let path = format!("{}/commands", device::path(device));
        let mut ids = Vec::new();
        for address in self.gets.iter() {
            let body = json!({ "verb": "get", "address": address });
            let queued = again(seen, || self.api.post(&path, &body, Duration::ZERO)).await?;
            let id = queued.get("id").and_then(Value::as_str);
            ids.push(id.ok_or_else(|| Failure::Failed("a command has no identifier".to_owned()))?.to_owned());
        }
        Ok(ids)
    }

    /// Runs sessions of a device until one is good.
    async fn serve(&self, client: &mut Client, seen: &mut Seen) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let Ended { trouble, .. } = session(client, &self.server, self.speech)
                .await
                .map_err(|error| Failure::Failed(format!("a virtual device failed: {error}")))?;
            let wait = match trouble {
                None => break,
                Some(Trouble::Refused(told)) => {
                    seen.refused += 1;
                    told
                }
                Some(Trouble::Unreached(_)) => {
                    seen.unreached += 1;
                    PAUSE
                }
                Some(Trouble::Broken(reason)) => {
                    seen.broken.push(reason);
                    PAUSE
                }
            };
            if began.elapsed() > PATIENCE {
                return Err(Failure::Failed(format!(
                    "a device was not served within {} s",
                    PATIENCE.as_secs()
                )));
            }
            tokio::time::sleep(wait).await;
        }
        seen.sessions += 1;
        seen.longest = seen.longest.max(began.elapsed());
        Ok(())
    }

    /// A command that was acknowledged before a good session is carried out after it, and stays so.
    async fn settle(&self, id: String, seen: &mut Seen) -> Result<(), Failure> {
        match self.read(&id, seen).await? {
            Some(end) if end.get("state").is_some_and(|state| state == "done") => {
                seen.commands.push(Seated { id, end });
            }
            other => seen.lost.push(format!("{id} is {} after its session", said(other.as_ref()))),
        }
        Ok(())
    }

    /// How a command ended; `None` if the server does not know it.
    async fn read(&self, id: &str, seen: &mut Seen) -> Result<Option<Value>, Failure> {
        let path = format!("/commands/{id}");
        let read = again(seen, || async {
            match self.api.get(&path).await {
                Err(ApiError::Refused { status: 404, .. }) => Ok(None),
                read => read.map(Some),
            }
        });
        Ok(read.await?.map(|command| {
            let members = ["state", "status", "finished", "result", "attempts"];
            members
                .iter()
                .map(|name| ((*name).to_owned(), command.get(name).cloned().unwrap_or_default()))
                .collect()
        }))
    }
}

fn said(command: Option<&Value>) -> String {
    command.map_or_else(|| "unknown".to_owned(), Value::to_string)
}

/// Repeats a request of the operator as long as the server is not to be had.
async fn again<T, F: Future<Output = Result<T, ApiError>>>(
    seen: &mut Seen,
    ask: impl Fn() -> F,
) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => {
                seen.longest_request = seen.longest_request.max(began.elapsed());
                return Ok(answer);
            }
            Err(error) if is_passing(&error) && began.elapsed() < PATIENCE => seen.requests_failed += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the same request may succeed later.
fn is_passing(error: &ApiError) -> bool {
    match error {
        ApiError::Unreachable { .. } | ApiError::Slow { .. } => true,
        ApiError::Refused { status, .. } => *status == 429 || *status >= 500,
        ApiError::Address { .. }
        | ApiError::Token { .. }
        | ApiError::Unauthorised { .. }
        | ApiError::Answer { .. } => false,
    }
}

impl Report {
    fn add(&mut self, seen: Seen) {
        self.sessions += seen.sessions;
        self.commands += seen.commands.len() as u64;
        self.refused += seen.refused;
        self.unreached += seen.unreached;
        self.broken += seen.broken.len() as u64;
        for reason in seen.broken {
            let known = self.reasons.contains_key(&reason) || self.reasons.len() < MAX_REASONS;
            *self.reasons.entry(if known { reason } else { "other reasons".to_owned() }).or_default() += 1;
        }
        self.requests_failed += seen.requests_failed;
        self.longest = self.longest.max(seen.longest);
        self.longest_request = self.longest_request.max(seen.longest_request);
        self.lost.extend(seen.lost);
    }

    /// Prints what came of it.
    pub fn print(&self, output: Format) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&self.to_json());
        }
        let (devices, sessions) = (self.devices, self.sessions);
        screen::line(&format!(
            "{sessions} good sessions of {devices} devices, {} commands acknowledged",
            self.commands
        ))?;
        screen::line(&format!("told to come later      {:>10} times", self.refused))?;
        screen::line(&format!("nobody answered         {:>10} times", self.unreached))?;
        screen::line(&format!("broken and begun anew   {:>10}", self.broken))?;
        screen::line(&format!("requests repeated       {:>10}", self.requests_failed))?;
        screen::line(&format!("longest without service {:>10.1} s", self.longest.as_secs_f64()))?;
        for (reason, count) in &self.reasons {
            screen::line(&format!("{count} broke: {}", screen::clean(reason)))?;
        }
        for lost in &self.lost {
            screen::line(&format!("lost: {}", screen::clean(lost)))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        json!({
            "devices": self.devices,
            "sessions": self.sessions,
            "commands": self.commands,
            "refused": self.refused,
            "unreached": self.unreached,
            "broken": self.broken,
            "errors": self.reasons,
            "requests_failed": self.requests_failed,
            "longest_without_service_seconds": self.longest.as_secs_f64(),
            "longest_request_seconds": self.longest_request.as_secs_f64(),
            "lost": self.lost,
        })
    }

    /// Whether all is there that was acknowledged.
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.lost.len() {
            0 => Ok(()),
            lost => {
                Err(Failure::Failed(format!("{lost} acknowledged commands or results were lost or changed")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_sessions_are_counted_and_lost_commands_fail() {
        let mut report = Report { devices: 1, ..Report::default() };
        report.add(Seen { sessions: 3, broken: vec!["HTTP 502".to_owned(); 2], ..Seen::default() });
        assert_eq!(report.to_json()["errors"]["HTTP 502"], 2);
        assert!(report.verdict().is_ok(), "sessions may break");
        report.add(Seen { lost: vec!["one".to_owned()], ..Seen::default() });
        assert!(report.verdict().is_err());
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let refused = |status| ApiError::Refused { status, detail: String::new(), at: None };
        assert!([429, 500, 502, 503].into_iter().all(|status| is_passing(&refused(status))));
        assert!([400, 404, 409].into_iter().all(|status| !is_passing(&refused(status))));
    }
}

//! The cloud messaging service of this machine, which a command registers with (`DM 2.0 §E.2.2`).

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use omadm_client::notification::CloudService;
use omadm_client::{Client, Refusal, StatusCode};
use omadm_mo::ServerId;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::Instant;

/// Longest time for a registration, and the pause after one that failed.
const TIME: Duration = Duration::from_secs(60);
/// Most octets of a registration; those of Firebase have some 200.
const MAX_REGISTRATION: u64 = 4_096;

/// Registers with the service by running a command with the SenderID as last argument; no shell is involved.
struct ByCommand<'c>(&'c [String]);

impl ByCommand<'_> {
    async fn run(&self, sender: &str) -> Result<String, String> {
        let [program, arguments @ ..] = self.0 else { return Err("no command is configured".to_owned()) };
        let failed = |error: std::io::Error| format!("{program}: {error}");
        let mut command = Command::new(program);
        command.args(arguments).arg(sender).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let mut printed = String::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_REGISTRATION + 1).read_to_string(&mut printed).await.map_err(failed)?;
        }
        let reg_id = printed.trim();
        if printed.len() as u64 > MAX_REGISTRATION || reg_id.is_empty() || reg_id.contains(char::is_control) {
            return Err(format!("{program} printed no line of 1 to {MAX_REGISTRATION} octets"));
        }
        let status = child.wait().await.map_err(failed)?;
        if status.success() { Ok(reg_id.to_owned()) } else { Err(format!("{program} failed ({status})")) }
    }
}

impl CloudService for ByCommand<'_> {
    async fn register(&mut self, sender: &str) -> Result<String, Refusal> {
        let late = |_| Err(format!("it took more than {} s", TIME.as_secs()));
        let registered = tokio::time::timeout(TIME, self.run(sender)).await.unwrap_or_else(late);
        registered.map_err(|reason| Refusal::new(StatusCode::INTERNAL_ERROR, reason))
    }
}

/// The registrations of a running agent.
pub struct Registrations<'c> {
    service: ByCommand<'c>,
    /// Servers, with the SenderID that they were registered for.
    made: BTreeSet<(ServerId, String)>,
    /// Nothing is tried before.
    rest: Option<Instant>,
}

impl<'c> Registrations<'c> {
    /// None yet; `command` is empty if there is no service.
    pub fn new(command: &'c [String]) -> Self {
        Self { service: ByCommand(command), made: BTreeSet::new(), rest: None }
    }

    /// Registers with the service for each server that offers it and is not registered for by this run. What fails is told, and
    /// tried again a minute later at the earliest.
    pub async fn complete(&mut self, client: &mut Client) {
        if self.service.0.is_empty() || self.rest.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let servers: Vec<ServerId> = client.device().tree().accounts().map(|(server, _)| server).collect();
        for server in servers {
            let Some(sender) = client.sender_id(&server) else { continue };
            let key = (server, sender);
            if self.made.contains(&key) {
                continue;
            }
            match client.register_with_cloud(&key.0, &mut self.service).await {
                Ok(_) => {
                    tracing::info!(server = %key.0, "registered for cloud messaging");
                    self.made.insert(key);
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    self.rest = Instant::now().checked_add(TIME);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn register(script: &str) -> Result<String, String> {
        let words = ["sh", "-c", script, "sh"].map(str::to_owned);
        ByCommand(&words).register("42").await.map_err(|refusal| refusal.reason)
    }

    #[tokio::test]
    async fn a_command_gets_the_sender_and_prints_the_registration() {
        assert_eq!(register("echo \"reg of $1\"").await.as_deref(), Ok("reg of 42"));
        assert_eq!(register("printf %4096d 0").await.map(|reg_id| reg_id.len()), Ok(1));
        assert_eq!(register("printf %04096d 0").await.map(|reg_id| reg_id.len()), Ok(4_096));
        for bad in ["printf %04097d 0", "true", "echo a; echo b", "echo a; exit 3"] {
            assert!(register(bad).await.is_err(), "{bad}");
        }
        assert!(ByCommand(&["/none/such".to_owned()]).register("42").await.is_err());
    }
}

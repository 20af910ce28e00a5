//! Client initiated bootstrap (`DM 2.0 §8.3`): an agent without an account fetches one from the bootstrap server it knows.

use std::path::Path;
use std::time::Duration;

use omadm_client::{BasicCredentials, Body, BootstrapSource, Client, ClientError, PersistError, Secret};
use omadm_mo::{ServerId, ServerUri};
use tokio::time::Instant;

use crate::config::BootstrapSection;
use crate::consent::Asking;
use crate::error::AgentError;
use crate::setup::Setup;

/// Seconds between the first two attempts; twice as long after each further failure.
const FIRST_PAUSE: u32 = 60;
/// Longest pause in seconds.
const LONGEST_PAUSE: u32 = 86_400;
/// Longest password file in octets.
const MAX_PASSWORD: usize = 4096;

/// The bootstrap server at `url`, with the device's credentials there.
pub fn source(settings: &BootstrapSection, url: &str) -> Result<BootstrapSource, AgentError> {
    let uri = ServerUri::parse(url).map_err(|error| AgentError::Refused(format!("{url}: {error}")))?;
    Ok(BootstrapSource { uri, credentials: credentials(settings)? })
}

fn credentials(settings: &BootstrapSection) -> Result<Option<BasicCredentials>, AgentError> {
    let (Some(user), Some(path)) = (&settings.user, &settings.password_file) else { return Ok(None) };
    Ok(Some(BasicCredentials { user: user.clone(), password: read_secret(path)? }))
}

/// A secret in a file, without white space at its end.
pub fn read_secret(path: &Path) -> Result<Secret, AgentError> {
    use std::io::Read as _;
    let error = |source| AgentError::File { action: "read the password", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(error)?;
    // In its full size at once: a vector that grew would leave a copy of the password behind.
    let mut content = Vec::with_capacity(MAX_PASSWORD + 1);
    let read = file.take(MAX_PASSWORD as u64 + 1).read_to_end(&mut content);
    let content = Body::from(content);
    read.map_err(error)?;
    if content.len() > MAX_PASSWORD {
        return Err(AgentError::Refused(format!("{} is larger than {MAX_PASSWORD} bytes", path.display())));
    }
    Ok(Secret::new(content.trim_ascii_end().to_vec()))
}

/// The attempts of a running agent.
pub struct Provisioning<'s> {
    settings: &'s BootstrapSection,
    /// When to try next; `None` when there is nothing to try.
    due: Option<Instant>,
    failures: u32,
}

impl<'s> Provisioning<'s> {
    /// Due at once if there is a bootstrap server and no account.
    pub fn new(setup: &'s Setup, client: &Client) -> Self {
        let settings = &setup.config.bootstrap;
        let wanted = settings.url.is_some() && client.device().tree().accounts().next().is_none();
        Self { settings, due: wanted.then(Instant::now), failures: 0 }
    }

    /// When the next attempt is due.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Tries once and gives the servers that the device has an account of now.
    ///
    /// # Errors
    /// When the durable state cannot be trusted any more.
    pub async fn attempt(&mut self, client: &mut Client) -> Result<Vec<ServerId>, AgentError> {
        self.due = None;
        let Some(url) = &self.settings.url else { return Ok(Vec::new()) };
        let source = source(self.settings, url)?;
        match client.fetch_bootstrap(&source, &mut Asking::new(self.settings)).await {
            Ok(servers) => {
                let names: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
                tracing::info!(url, servers = names.join(", "), "bootstrap fetched and installed");
                Ok(servers)
            }
            Err(ClientError::Persist(error)) if !matches!(error, PersistError::Full { .. }) => {
                Err(error.into())
            }
            Err(error) if is_final(&error) => {
                tracing::error!(url, "not bootstrapped, and not tried again before the next start: {error}");
                Ok(Vec::new())
            }
            Err(error) => {
                let pause = pause(self.failures);
                self.failures = self.failures.saturating_add(1);
                self.due = Instant::now().checked_add(pause);
                tracing::warn!(url, "not bootstrapped, tried again in {} s: {error}", pause.as_secs());
                Ok(Vec::new())
            }
        }
    }
}

/// Whether trying again means to pester a user, or a server that does not want this device.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::BootstrapRejected(_) | ClientError::BootstrapUnsecured { .. } => true,
        ClientError::BootstrapStatus { status, .. } => [401, 403].contains(status),
        _ => false,
    }
}

/// The pause after so many failures before, a fifth more or less.
fn pause(failures: u32) -> Duration {
    pause_from(FIRST_PAUSE, failures)
}

/// The same where the first pause has so many seconds.
pub fn pause_from(first: u32, failures: u32) -> Duration {
    let seconds = first.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE);
    let random = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    Duration::from_secs(seconds.into()).mul_f64(0.8 + 0.4 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_stretch_the_pause_up_to_a_day() {
        for (failures, seconds) in [(0, 60.0), (1, 120.0), (5, 1_920.0), (11, 86_400.0), (u32::MAX, 86_400.0)]
        {
            let pause = pause(failures).as_secs_f64();
            assert!((0.8..=1.2).contains(&(pause / seconds)), "{failures}: {pause}");
        }
    }

    #[test]
    fn the_password_is_the_file_without_white_space_at_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let settings = BootstrapSection {
            user: Some("device".to_owned()),
            password_file: Some(path.clone()),
            ..BootstrapSection::default()
        };
        for (written, password) in [("secret\n", "secret"), ("secret", "secret"), (" a b \r\n", " a b")] {
            std::fs::write(&path, written).unwrap();
            let credentials = source(&settings, "https://bs.example/").unwrap().credentials.unwrap();
            assert_eq!(
                (credentials.user.as_str(), credentials.password.expose()),
                ("device", password.as_bytes())
            );
        }
        for (length, fits) in [(4_096, true), (4_097, false), (10_000, false)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            assert_eq!(source(&settings, "https://bs.example/").is_ok(), fits, "{length}");
        }
    }
}

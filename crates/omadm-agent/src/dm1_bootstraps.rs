//! Bootstraps of DM 1.x of a running agent: those that are pushed, some of which wait for their PIN, and the one that it looks for while
//! it has no account (`DM 1.3 BOOT §5, §6`).

use std::path::Path;
use std::time::Instant;

use omadm_client::dm1::Accounts as _;
use omadm_client::dm1::bootstrap::{
    Answered, Attempt, BootstrapSettings, Candidate, FetchError, Finder, KnownServers, PinAnswer, PinRequest,
    Proof, Received, Refused, Source, Turn, UrlTemplate, Waiting,
};
use omadm_client::{BasicCredentials, Client, ClientError, PersistError, Secret};
use omadm_mo::ServerId;
use tokio::sync::oneshot;

use crate::config::{Config, Dm1BootstrapSection, SourceAuth, UserMode};
use crate::consent::Asking;
use crate::error::AgentError;
use crate::pin::{self, DeviceUser};
use crate::provisioning::{pause_from, read_secret};

/// Most octets of the file with the address of the smartcard.
const MAX_URL_FILE: u64 = 4096;

/// The bootstraps of a running agent.
pub struct Dm1Bootstraps<'c> {
    config: &'c Config,
    waiting: Waiting,
    /// The question that the user has before him.
    asked: Option<(Turn, oneshot::Receiver<PinAnswer>)>,
    search: Search,
}

/// The search for a bootstrap server.
struct Search {
    /// When to try next; `None` when there is nothing to try.
    due: Option<Instant>,
    failures: u32,
}

/// Something to do.
pub enum Event {
    /// The user has answered.
    Answer(PinAnswer),
    /// A question is due.
    Question,
    /// The search is due.
    Search,
}

impl<'c> Dm1Bootstraps<'c> {
    /// Looks for a bootstrap at once if there is no account.
    pub fn new(config: &'c Config, client: &Client) -> Self {
        let due = has_no_account(client).then(Instant::now);
        let waiting = Waiting::new(config.dm1.bootstrap.to_waiting());
        Self { config, waiting, asked: None, search: Search { due, failures: 0 } }
    }

    /// Waits for something to do. Nothing is lost when the future is dropped.
    pub async fn event(&mut self) -> Event {
        let question = if self.asked.is_none() { self.waiting.due() } else { None };
        let answer = async {
            match &mut self.asked {
                // A task that ended without an answer asked nobody.
                Some((_, answer)) => answer.await.unwrap_or(PinAnswer::Nobody),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = answer => Event::Answer(answer),
            () = at(question) => Event::Question,
            () = at(self.search.due) => Event::Search,
        }
    }

    /// Does it, and gives the servers that the device has an account of now.
    ///
    /// # Errors
    /// When the durable state cannot be trusted any more.
    pub async fn carry_out(
        &mut self,
        event: Event,
        client: &mut Client,
    ) -> Result<Vec<ServerId>, AgentError> {
        match event {
            Event::Answer(answer) => self.answer(answer, client).await,
            Event::Question => {
                self.ask();
                Ok(Vec::new())
            }
            Event::Search => self.look(client).await,
        }
    }

    /// Takes a bootstrap that was pushed. One that needs a PIN waits for it, and all others are installed at once or never. Nobody is told
    /// why not, but whoever reads the log.
    ///
    /// # Errors
    /// When the durable state cannot be trusted any more.
    pub async fn take(
        &mut self,
        received: Received,
        client: &mut Client,
    ) -> Result<Vec<ServerId>, AgentError> {
        let origin = received.origin.to_string();
        let candidate = match Candidate::read(received, &self.config.dm1.bootstrap.to_bootstraps()) {
            Ok(candidate) if client.device().knows_dm1_bootstrap(&candidate) => {
                return Ok(dropped(&origin, &Refused::Repeated));
            }
            Ok(candidate) => candidate,
            Err(error) => return Ok(dropped(&origin, &error)),
        };
        if !candidate.needs_pin() {
            return self.install(&candidate, None, client).await.map(|(_, servers)| servers);
        }
        if self.config.dm1.user == UserMode::None {
            return Ok(dropped(&origin, &Refused::NoPin));
        }
        match self.waiting.add(candidate, Instant::now()) {
            Ok(()) => tracing::info!("the bootstrap {origin} waits for its PIN"),
            Err(reason) => tracing::warn!("the bootstrap {origin} is dropped: {reason}"),
        }
        Ok(Vec::new())
    }

    /// Puts the question that is due before the user, while the agent goes on.
    fn ask(&mut self) {
        let Some(turn) = self.waiting.turn(Instant::now()) else { return };
        let (answer, answered) = oneshot::channel();
        let settings = self.config.dm1.clone();
        let request = PinRequest {
            origin: turn.candidate.origin().clone(),
            attempt: turn.attempt,
            attempts: settings.bootstrap.attempts,
        };
        tokio::spawn(async move { answer.send(pin::ask(&settings, &request).await) });
        self.asked = Some((turn, answered));
    }

    async fn answer(&mut self, answer: PinAnswer, client: &mut Client) -> Result<Vec<ServerId>, AgentError> {
        let Some((turn, _)) = self.asked.take() else { return Ok(Vec::new()) };
        let (answered, servers) = match answer {
            PinAnswer::Nobody => (Answered::Nobody, Vec::new()),
            PinAnswer::Refused => (Answered::Refused, Vec::new()),
            PinAnswer::Pin(typed) => self.install(&turn.candidate, Some(&typed), client).await?,
        };
        let origin = turn.candidate.origin();
        if !self.waiting.settle(&turn, answered, Instant::now()) && answered == Answered::Wrong {
            tracing::warn!("the bootstrap {origin} is dropped: {}", Refused::NotAuthentic);
        }
        Ok(servers)
    }

    /// Installs a bootstrap if it is authentic and wanted.
    async fn install(
        &mut self,
        candidate: &Candidate,
        typed: Option<&str>,
        client: &mut Client,
    ) -> Result<(Answered, Vec<ServerId>), AgentError> {
        let origin = candidate.origin().to_string();
        let verified = match client.verify_dm1_bootstrap(candidate, typed) {
            Ok(Attempt::Verified(verified)) => verified,
            Ok(Attempt::WrongPin) => return Ok((Answered::Wrong, Vec::new())),
            Err(error) => return Ok((Answered::Refused, dropped(&origin, &error))),
        };
        let mut consent = Asking::new(&self.config.bootstrap);
        match client.install_dm1_verified(&verified, &mut consent).await {
            Ok(servers) => {
                self.search.due = None;
                tracing::info!(servers = names(&servers), "the bootstrap {origin} is installed");
                Ok((Answered::Right, servers))
            }
            Err(error) => Ok((Answered::Refused, dropped(&origin, &survivable(error)?))),
        }
    }

    /// Looks once for a bootstrap where the device knows of a server.
    async fn look(&mut self, client: &mut Client) -> Result<Vec<ServerId>, AgentError> {
        self.search.due = None;
        let settings = BootstrapSettings::of(client.device().tree());
        if !settings.enabled || !has_no_account(client) {
            return Ok(Vec::new());
        }
        let sources = client.dm1_bootstrap_servers(&known_servers(&self.config.dm1.bootstrap)?);
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = client.fetch_dm1_bootstrap(&sources, &mut DeviceUser::new(self.config, None)).await;
        let (reason, after) = match outcome {
            Ok(servers) => {
                tracing::info!(servers = names(&servers), "bootstrap fetched and installed");
                return Ok(servers);
            }
            Err(FetchError::Client(ClientError::BootstrapRejected(refusal))) => {
                tracing::error!(
                    "not bootstrapped, and not tried again before the next start: {}",
                    refusal.reason
                );
                return Ok(Vec::new());
            }
            Err(error @ FetchError::Refused { .. }) => {
                tracing::error!("not bootstrapped, and not tried again before the next start: {error}");
                return Ok(Vec::new());
            }
            Err(FetchError::Client(error)) => (survivable(error)?.to_string(), None),
            Err(FetchError::Later { reason, after }) => (reason, after),
            Err(error) => (error.to_string(), None),
        };
        let first = u32::try_from(settings.retry.as_secs()).unwrap_or(u32::MAX);
        let pause = pause_from(first, self.search.failures).max(after.unwrap_or_default());
        self.search.failures = self.search.failures.saturating_add(1);
        self.search.due = Instant::now().checked_add(pause);
        tracing::warn!("not bootstrapped, tried again in {} s: {reason}", pause.as_secs());
        Ok(Vec::new())
    }
}

/// Says that a bootstrap is dropped. Anybody can send one that is none, so it is no error.
fn dropped(origin: &str, why: &dyn std::error::Error) -> Vec<ServerId> {
    tracing::warn!("the bootstrap {origin} is dropped: {why}");
    Vec::new()
}

/// An error after which the agent goes on; the others mean that its durable state cannot be trusted any more.
fn survivable(error: ClientError) -> Result<ClientError, AgentError> {
    match error {
        ClientError::Persist(error) if !matches!(error, PersistError::Full { .. }) => Err(error.into()),
        error => Ok(error),
    }
}

fn names(servers: &[ServerId]) -> String {
    servers.iter().map(ServerId::as_str).collect::<Vec<_>>().join(", ")
}

fn has_no_account(client: &Client) -> bool {
    let tree = client.device().tree();
    tree.accounts().next().is_none() && tree.dm1_accounts().next().is_none()
}

/// The bootstrap servers of the configuration. An address of the smartcard that cannot be used is told and passed over.
pub fn known_servers(settings: &Dm1BootstrapSection) -> Result<KnownServers, AgentError> {
    let source = |url: &str, proof, by| {
        let url = UrlTemplate::parse(url).map_err(|error| AgentError::Refused(error.to_string()))?;
        Ok::<_, AgentError>(Source { url, proof, by })
    };
    let smartcard = settings.smartcard_file.as_deref().and_then(|path| {
        let read = url_of_card(path).and_then(|url| source(&url, Proof::Transport, Finder::Smartcard));
        read.inspect_err(|error| tracing::warn!("no bootstrap server of the smartcard: {error}")).ok()
    });
    let factory = settings.url.as_deref().map(|url| source(url, proof(settings)?, Finder::Factory));
    let operator =
        settings.operator_url.as_deref().map(|url| source(url, Proof::Transport, Finder::Operator));
    Ok(KnownServers { smartcard, factory: factory.transpose()?, operator: operator.transpose()? })
}

fn url_of_card(path: &Path) -> Result<String, AgentError> {
    use std::io::Read as _;
    let error = |source| AgentError::File {
        action: "read the address on the smartcard",
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(MAX_URL_FILE).read_to_string(&mut text).map_err(error)?;
    Ok(text.trim().to_owned())
}

fn proof(settings: &Dm1BootstrapSection) -> Result<Proof, AgentError> {
    let user = || settings.user.clone().unwrap_or_default();
    let secret = || settings.secret_file.as_deref().map_or_else(|| Ok(Secret::new(Vec::new())), read_secret);
    let http = |digest_only| {
        let credentials = BasicCredentials { user: user(), password: secret()? };
        Ok(Proof::Http { credentials, digest_only })
    };
    match settings.auth {
        SourceAuth::Transport => Ok(Proof::Transport),
        SourceAuth::Psk => Ok(Proof::SharedKey { identity: user(), key: secret()? }),
        SourceAuth::HttpBasic => http(false),
        SourceAuth::HttpDigest => http(true),
        SourceAuth::Gba => Ok(Proof::Gba { transaction: user() }),
    }
}

/// Waits until then; `None` is never.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

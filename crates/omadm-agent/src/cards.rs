//! Smartcards of a running agent: read at the start and when one is put in, and applied (`DM 2.0 §8.1`).

use std::time::Duration;

use omadm_client::dm1::bootstrap::PinAnswer;
use omadm_client::smartcard::{
    CardApplied, CardContent, CardError, CardEvent, CardKeys, CardPolicy, CardRefused, Cards as Readers,
    Moment, PcscConfig, Pin, PinQuestion,
};
use omadm_client::{Client, ClientError, PersistError};
use omadm_config::Span;
use omadm_mo::ServerId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::{Config, SmartcardSection};
use crate::error::AgentError;
use crate::network_secret::octets;
use crate::pin::{self, DeviceUser};
use crate::provisioning::{pause_from, read_secret};

/// Seconds between the first two attempts at the address on a card; twice as long after each further failure.
const FIRST_PAUSE: u32 = 10;

/// Servers with a new account.
#[derive(Debug, Default)]
pub struct Begun {
    pub dm2: Vec<ServerId>,
    pub dm1: Vec<ServerId>,
}

/// What was read of a card and cannot be applied yet.
struct Pending {
    content: CardContent,
    moment: Moment,
    due: Option<Instant>,
    failures: u32,
}

/// Applies what was read, and says how it went. Gives what is to be tried again.
async fn apply(
    config: &Config,
    client: &mut Client,
    pending: Pending,
) -> Result<(Begun, Option<Pending>), AgentError> {
    let Pending { content, moment, failures, .. } = pending;
    let policy = CardPolicy { replace: config.smartcard.replace };
    let outcome = client.apply_card(&content, moment, policy, &mut DeviceUser::new(config, None)).await;
    match outcome {
        Ok(applied) => Ok((applied_well(applied), None)),
        Err(CardRefused::Client(ClientError::Persist(error)))
            if !matches!(error, PersistError::Full { .. }) =>
        {
            Err(error.into())
        }
        Err(error) if error.may_pass() => {
            let pause: Duration = pause_from(FIRST_PAUSE, failures);
            tracing::warn!("the card is not applied, tried again in {} s: {error}", pause.as_secs());
            let due = Instant::now().checked_add(pause);
            Ok((
                Begun::default(),
                Some(Pending { content, moment, due, failures: failures.saturating_add(1) }),
            ))
        }
        Err(error) => {
            tracing::error!("the card is not applied, nothing is changed: {error}");
            Ok((Begun::default(), None))
        }
    }
}

fn names(servers: &[ServerId]) -> String {
    servers.iter().map(ServerId::as_str).collect::<Vec<_>>().join(", ")
}

fn applied_well(applied: CardApplied) -> Begun {
    let CardApplied { dm2, dm1, removed } = applied;
    if !removed.is_empty() {
        tracing::warn!(
            servers = names(&removed),
            "accounts removed that came from a card and are not on it any more"
        );
    }
    if dm2.is_empty() && dm1.is_empty() {
        tracing::info!("there is nothing new on the card");
    } else {
        tracing::info!(servers = names(&[dm2.as_slice(), &dm1].concat()), "bootstrap of the card installed");
    }
    Begun { dm2, dm1 }
}

/// Fewest tries that a card has to have left before it is shown the PIN of the configuration, which nobody has just typed.
const TRIES: u8 = 3;

/// The cards of a running agent.
pub struct Cards<'c> {
    config: &'c Config,
    readers: Option<Readers>,
    pending: Option<Pending>,
    /// The PIN of the configuration was shown.
    shown: bool,
}

/// Something to do.
pub enum Event {
    Card(CardEvent),
    /// What could not be applied is tried again.
    Again,
}

impl<'c> Cards<'c> {
    /// Begins to wait for cards, if the configuration says so.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn start(config: &'c Config) -> Result<Self, AgentError> {
        let settings = &config.smartcard;
        let readers = if settings.enabled {
            let mut card = settings.to_card(config.session.strict);
            card.keys = keys(settings)?;
            let Span(settle) = settings.settle;
            Some(Readers::start(PcscConfig { reader: settings.reader.clone(), card, settle }))
        } else {
            None
        };
        Ok(Self { config, readers, pending: None, shown: false })
    }

    /// Waits for something to do. Nothing is lost when the future is dropped.
    pub async fn event(&mut self) -> Event {
        let due = self.pending.as_ref().and_then(|pending| pending.due);
        let again = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let card = async {
            match &mut self.readers {
                Some(readers) => readers.event().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = card => Event::Card(event),
            () = again => Event::Again,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// When the durable state cannot be trusted any more.
    pub async fn carry_out(&mut self, event: Event, client: &mut Client) -> Result<Begun, AgentError> {
        let pending = match event {
            Event::Again => self.pending.take(),
            Event::Card(CardEvent::Read { reader, moment, outcome: Ok(content) }) => {
                let secured = content.secured;
                let iccid = content.iccid.as_deref().unwrap_or("unknown");
                tracing::info!(reader, iccid, secured, "card read");
                Some(Pending { content, moment, due: Some(Instant::now()), failures: 0 })
            }
            Event::Card(CardEvent::Read { reader, outcome: Err(error), .. }) => {
                self.unread(&reader, &error);
                None
            }
            Event::Card(CardEvent::Removed { reader }) => {
                tracing::info!(reader, "card taken out");
                self.pending = None;
                None
            }
            Event::Card(CardEvent::Absent) => {
                self.absent(client)?;
                None
            }
            Event::Card(CardEvent::Pin { question, answer }) => {
                self.ask(question, answer);
                None
            }
            Event::Card(CardEvent::Unavailable { reason }) => {
                tracing::warn!("no card can be read, accounts of cards are kept: {reason}");
                None
            }
        };
        let Some(pending) = pending else { return Ok(Begun::default()) };
        let (begun, again) = apply(self.config, client, pending).await?;
        self.pending = again;
        Ok(begun)
    }

    fn unread(&mut self, reader: &str, error: &CardError) {
        self.pending = None;
        tracing::warn!(reader, "the card is not read, accounts of cards are kept: {error}");
    }

    fn absent(&mut self, client: &mut Client) -> Result<(), AgentError> {
        if self.config.smartcard.keep_without_card {
            tracing::info!("there is no card; accounts of cards are kept");
            return Ok(());
        }
        let removed = client.without_card(Moment::PowerOn)?;
        if removed.is_empty() {
            tracing::info!("there is no card");
        } else {
            tracing::warn!(
                servers = names(&removed),
                "accounts removed that came from a card: there is none now"
            );
        }
        Ok(())
    }

    /// Answers from the configuration, or has the user asked while the agent goes on.
    fn ask(&mut self, question: PinQuestion, answer: oneshot::Sender<Pin>) {
        let is_fresh = question.tries_left.is_some_and(|tries| tries >= TRIES);
        if let Some(path) = self.config.smartcard.pin_file.as_ref().filter(|_| is_fresh && !self.shown) {
            self.shown = true;
            match read_secret(path).map(|secret| typed(secret.expose())) {
                Ok(Some(pin)) => {
                    // Whoever asked may be gone with the card.
                    let _told = answer.send(pin);
                    return;
                }
                Ok(None) => {
                    tracing::warn!("{} (smartcard.pin_file) holds no PIN of 4 to 8 digits", path.display())
                }
                Err(error) => tracing::warn!("the PIN of the configuration: {error}"),
            }
        }
        let settings = self.config.dm1.clone();
        tokio::spawn(async move {
            match pin::ask_for_card(&settings, &question).await {
                PinAnswer::Pin(digits) => match typed(digits.as_bytes()) {
                    // As above.
                    Some(pin) => drop(answer.send(pin)),
                    None => {
                        tracing::warn!("what was typed is no PIN of 4 to 8 digits; the card is not shown it")
                    }
                },
                PinAnswer::Refused => tracing::info!("the user gave no PIN"),
                PinAnswer::Nobody => tracing::info!("nobody was there to give the PIN of the card"),
            }
        });
    }
}

fn typed(octets: &[u8]) -> Option<Pin> {
    Pin::parse(std::str::from_utf8(octets).ok()?.trim()).ok()
}

fn keys(settings: &SmartcardSection) -> Result<Option<CardKeys>, AgentError> {
    let (Some(enc), Some(mac), Some(dek)) =
        (&settings.key_enc_file, &settings.key_mac_file, &settings.key_dek_file)
    else {
        return Ok(None);
    };
    let key = |path: &std::path::PathBuf| {
        let text = read_secret(path)?;
        let refused =
            || AgentError::Refused(format!("{}: a key is written in hexadecimal digits", path.display()));
        let digits = std::str::from_utf8(text.expose()).map_err(|_| refused())?;
        octets(digits.trim()).ok_or_else(refused)
    };
    let keys = CardKeys::new(&key(enc)?, &key(mac)?, key(dek)?, settings.key_version);
    keys.map(Some).map_err(|error| AgentError::Refused(format!("smartcard.key_enc_file: {error}")))
}

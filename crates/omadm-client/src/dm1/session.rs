//! Sessions of DM 1.x.

use std::time::Duration;

use omadm_auth::dm1::{DEFAULT_NONCE, Scheme};
use omadm_codec::Limits;
use omadm_mo::dm1::UriLimits;
use omadm_mo::{DeviceId, Moid, ServerId, Value};
use omadm_session::dm1::client::{self as engine, Cause, Note, Outcome, Session, Trigger, UserInteraction};

use super::abort::Abort;
use super::account::Account;
use super::binding::{Binding, Carrier, LinkConfig, ServedLink, Way, WspConfig};
use super::bootstrap;
use super::link::Link;
use super::running::{Nonces, Running};
use super::sessionless::SessionlessConfig;
use super::user::{self, UserInterface};
use crate::client::{Client, ClientConfig};
use crate::device::Device;
use crate::error::{ClientError, PersistError};
use crate::exchange::Exchange;
use crate::peer::leaf;
use crate::persistence::Batch;
use crate::push::PushContent;
use crate::retry_after;
use crate::transport::Transport;

/// Entry of the key/value area: the number of the last session.
const SESSION: &str = "dm1/session";
/// Where DevInfo of DM 1.x has the identity (`DM 1.3 StdObj §5.3.2`).
const DEVICE_ID: [&str; 2] = ["DevInfo", "DevId"];

/// Most pushes that wait for [`Client::take_push`]; the oldest give way.
const MAX_PUSHED: usize = 16;

/// Settings of DM 1.x sessions.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Largest message to receive, in octets (`MaxMsgSize`). Default 64 KiB, at least 1 KiB.
    pub max_message: u32,
    /// Largest object to receive, in octets (`MaxObjSize`). Default 16 MiB.
    pub max_object: u32,
    /// Whether objects are taken and sent in chunks. Default yes.
    pub large_objects: bool,
    /// Most messages received in one session. Default 1,000.
    pub max_rounds: u32,
    /// Schemes by which either side may prove who it is. Default those of SHA-256.
    pub schemes: Vec<Scheme>,
    /// Take the server's digest also when it is made of the base64 text of the nonce. Default no.
    pub lenient_nonce: bool,
    /// Whether the answers to an Atomic go in several messages where one does not hold them. If not, such an Atomic is answered 517 and
    /// not done. Default true.
    pub split_atomic: bool,
    /// Longest wait for an answer of the user, whatever the server allows. Default two minutes.
    pub patience: Duration,
    /// Longest pause before a message is sent again that got no answer, three times at most. Default 32 s.
    pub longest_pause: Duration,
    /// Local links, such as those of OBEX.
    pub links: LinkConfig,
    /// A WAP gateway, and the servers that are reached through it. Default none.
    pub wsp: Option<WspConfig>,
    /// Commands without a session. Default none are taken.
    pub sessionless: Option<SessionlessConfig>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            max_message: 64 << 10,
            max_object: 16 << 20,
            large_objects: true,
            max_rounds: 1_000,
            schemes: vec![Scheme::Sha256, Scheme::MacSha256],
            lenient_nonce: false,
            split_atomic: true,
            patience: Duration::from_secs(120),
            longest_pause: Duration::from_secs(32),
            links: LinkConfig::default(),
            wsp: None,
            sessionless: None,
        }
    }
}

/// Why a session starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The device's own decision (Alert 1201).
    Client,
    /// A notification with this session id (Alert 1200).
    Server(u16),
}

/// What a session begins with beside the account.
#[derive(Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) start: Start,
    /// Objects that the notification asked for.
    pub(super) requested: &'a [Moid],
    /// Both sides begin with the default nonce, as the notification did.
    pub(super) default_nonce: bool,
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// With whom.
    pub server: ServerId,
    /// How it ended.
    pub outcome: Outcome,
    /// Messages sent, those that were sent again counted again.
    pub messages: u32,
    /// What was worth a line, the last 1,000 at most.
    pub notes: Vec<Note>,
    /// How long the server wants to be left alone that has sent the device away (`Retry-After`), one day at most. Wait a little longer, at
    /// random, so that those who were sent away together do not come back together.
    pub retry_after: Option<Duration>,
}

impl SessionReport {
    /// Of a session that did not begin.
    fn none(server: &ServerId, reason: &str) -> Self {
        let outcome = Outcome::Aborted { cause: Cause::NoReply, reason: reason.to_owned() };
        Self { server: server.clone(), outcome, messages: 0, notes: Vec::new(), retry_after: None }
    }

    /// Whether it came to its end, and was not aborted.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.outcome, Outcome::Ended { .. })
    }
}

impl<T: Transport> Client<T> {
    /// Gives the device a user to tell and to ask; without one user interaction alerts are answered 406 (`DM 1.3 PROTO §10`).
    #[must_use]
    pub fn with_user(self, user: Box<dyn UserInterface>) -> Self {
        Self { user: Some(user), ..self }
    }

    /// What ends DM 1.x sessions of this client before their time, from wherever it is held.
    #[must_use]
    pub fn dm1_abort(&self) -> Abort {
        self.abort.clone()
    }

    /// Takes out what a WAP gateway pushed in a session, the first that came first; for
    /// [`Notifications::content`](crate::Notifications::content).
    pub fn take_push(&mut self) -> Option<PushContent> {
        self.pushed.pop_front()
    }

    /// Runs one DM 1.x session with a server to its end. An aborted session is no error and is not repeated; only where nobody
    /// answers at an address of the account, the next one is tried.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`], [`ClientError::NoDeviceId`], and [`ClientError::Persist`] when the outcome cannot be kept.
    pub async fn run_dm1_session(
        &mut self,
        server: &ServerId,
        start: Start,
    ) -> Result<SessionReport, ClientError> {
        self.dm1_session(server, Occasion { start, requested: &[], default_nonce: false }, None).await
    }

    pub(super) async fn dm1_session(
        &mut self,
        server: &ServerId,
        occasion: Occasion<'_>,
        link: Option<ServedLink>,
    ) -> Result<SessionReport, ClientError> {
        let device_id = self.device.dm1_device_id().ok_or(ClientError::NoDeviceId)?;
        let mut account = Account::read(self.device.tree(), server)?;
        if occasion.default_nonce {
            account.begin_with(&DEFAULT_NONCE);
        }
        if let Some(link) = link {
            let report = self.attempt(&device_id, &account, Way::Served(link), occasion).await?;
            self.device.tidy();
            return Ok(report);
        }
        let mut report = None;
        for uri in &account.addresses {
            let attempt = self.attempt(&device_id, &account, Way::To(uri), occasion).await?;
            let unreachable = matches!(attempt.outcome, Outcome::Aborted { cause: Cause::NoReply, .. })
                && attempt.notes.is_empty();
            report = Some(attempt);
            if !unreachable {
                break;
            }
        }
        self.device.tidy();
        report.ok_or(ClientError::Stalled)
    }

    /// A session by one way.
    async fn attempt(
        &mut self,
        device_id: &DeviceId,
        account: &Account,
        way: Way<'_>,
        occasion: Occasion<'_>,
    ) -> Result<SessionReport, ClientError> {
        let server = &account.engine.server;
        let Self { config, device, transport, user, abort, pushed, .. } = self;
        let (uri, is_link) = (way.uri().to_owned(), way.is_link());
        let wsp = config.dm1.wsp.as_ref().filter(|wsp| !is_link && wsp.serves(server));
        let carrier = Carrier::new(transport, wsp, limit(config.dm1.max_message));
        let peer = account.peer(&uri);
        let exchange = peer.as_ref().map(|peer| Exchange::new(&carrier, config, peer, device_id));
        let binding = match Binding::open(way, exchange, account, config) {
            Ok(binding) => binding,
            Err(reason) => return Ok(SessionReport::none(server, reason)),
        };
        device.dm1_news(server);
        let link = Link::of(&device.entries, server);
        let abilities = user::abilities(user.as_deref());
        let mut engine_config = engine_config(config, device, device_id, &link, abilities);
        engine_config.allow_links = is_link;
        if is_link && !config.dm1.links.basic {
            engine_config.schemes.retain(|scheme| *scheme != Scheme::Basic);
        }
        if let Some(wsp) = wsp {
            wsp.suit(&mut engine_config, config.basic_without_tls);
        }
        let start = engine::Start {
            account: engine::Account { uri, ..account.engine.clone() },
            trigger: match occasion.start {
                Start::Client => Trigger::Client { session_id: device.next_session_id()? },
                Start::Server(session_id) => Trigger::Server { session_id },
            },
            versions: link.versions((device.config.clock)()),
            alerts: device.offered(server),
            requested: occasion.requested.to_vec(),
        };
        let mut nonces = Nonces::default();
        let engine = Session::start(engine_config, start, device.tree(), nonces.fresh(device)?);
        let mut running = Running {
            device,
            server,
            binding,
            user: user.as_mut(),
            patience: config.dm1.patience,
            longest_pause: config.dm1.longest_pause,
            abort,
            messages: 0,
            notes: std::collections::VecDeque::new(),
            nonces,
        };
        let outcome = running.finish(engine).await?;
        let retry_after = running.binding.retry_after().cloned();
        running.binding.close().await;
        pushed.extend(carrier.close().await);
        pushed.drain(..pushed.len().saturating_sub(MAX_PUSHED));
        let (messages, notes) = (running.messages, running.notes.into());
        if let Outcome::Ended { version, .. } = outcome {
            self.device.remember(server, link, version)?;
        }
        let now = (self.device.config.clock)();
        let retry_after = retry_after.and_then(|said| retry_after::wait(&said, now));
        Ok(SessionReport { server: server.clone(), outcome, messages, notes, retry_after })
    }
}

/// Settings of an engine.
pub(super) fn engine_config(
    config: &ClientConfig,
    device: &Device,
    device_id: &DeviceId,
    link: &Link,
    user_interaction: UserInteraction,
) -> engine::Config {
    let SessionConfig {
        max_message, max_object, large_objects, max_rounds, lenient_nonce, split_atomic, ..
    } = config.dm1;
    engine::Config {
        limits: Limits { bytes: limit(max_message), ..device.config.limits },
        strict: device.config.strict,
        wbxml: link.is_wbxml(),
        max_message,
        max_object,
        large_objects,
        max_rounds,
        schemes: config.dm1.schemes.clone(),
        lenient_nonce,
        split_atomic,
        allow_plain_http: config.plain_http,
        user_interaction,
        uri_limits: device.uri_limits(),
        ..engine::Config::new(device_id.clone())
    }
}

/// What is received at most: servers count `MaxMsgSize` in different ways, so there is some room beyond it.
pub(super) fn limit(max_message: u32) -> usize {
    usize::try_from(max_message).unwrap_or(usize::MAX).saturating_mul(2)
}

impl Device {
    /// `./DevInfo/DevId`; where there is none, the DevID of DM 2.0, which is the same.
    #[must_use]
    pub fn dm1_device_id(&self) -> Option<DeviceId> {
        match leaf(self.tree.root(), &DEVICE_ID) {
            Some(Value::Text(id)) => DeviceId::parse(id).ok(),
            _ => self.tree.device_id(),
        }
    }

    /// What `./DevDetail/URI` says of addresses.
    fn uri_limits(&self) -> UriLimits {
        let limit = |name| match leaf(self.tree.root(), &["DevDetail", "URI", name]) {
            Some(Value::Text(limit)) => limit.parse().unwrap_or_default(),
            _ => 0,
        };
        UriLimits {
            max_depth: limit("MaxDepth"),
            max_total: limit("MaxTotLen"),
            max_segment: limit("MaxSegLen"),
        }
    }

    /// An id that this device has not used lately, durably.
    fn next_session_id(&mut self) -> Result<u16, PersistError> {
        let last: u16 = self.entries.get(SESSION).and_then(|last| last.parse().ok()).unwrap_or(0);
        let next = last.checked_add(1).unwrap_or(1);
        self.append(&Batch {
            nodes: Vec::new(),
            entries: vec![(SESSION.to_owned(), Some(next.to_string()))],
        })?;
        Ok(next)
    }

    /// Remembers that a session came to its end, and in which version.
    fn remember(
        &mut self,
        server: &ServerId,
        link: Link,
        version: omadm_codec::dm1::Version,
    ) -> Result<(), PersistError> {
        let link = Link { worked: Some((version, (self.config.clock)())), ..link };
        let pending = self.dm1_bootstraps_pending().contains(server).then(|| bootstrap::reported(server));
        let entries = std::iter::once(link.entry(server)).chain(pending).collect();
        self.append(&Batch { nodes: Vec::new(), entries })
    }
}

//! A device with its network: sessions.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Method;
use omadm_auth::gba::GbaPush;
use omadm_mo::{DeviceId, ParameterValues, ServerId};
use omadm_session::dm2::client::{
    Body, Config, Effect, EffectResult, HttpReply, Input, Note, Outcome, Output, Session, Start, Trigger,
};

use crate::account::Account;
use crate::device::Device;
use crate::error::{ClientError, TransportError};
use crate::exchange::{Exchange, Identify, Outgoing, Redirects};
use crate::https::HttpsTransport;
use crate::transport::Transport;

/// Notes kept of one session.
const MAX_NOTES: usize = 1_000;
/// Most octets of the answer to an upload; nobody reads it.
const UPLOAD_ANSWER: usize = 64 << 10;

/// Settings of sessions.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What replaces the parameters of ServerURIs; `dev_id` is filled in from DevInfo when `None`.
    pub parameters: ParameterValues,
    /// Plain `http` is allowed, for sessions and data. Default no.
    pub plain_http: bool,
    /// HTTP Basic credentials go to the account's own https host without being asked for, which saves a round trip.
    /// Default yes; no waits for the challenge (`DM 2.0 §9.2.1`).
    pub preemptive_basic: bool,
    /// HTTP Basic credentials also go over plain `http`, to the account's own host and port when it asks for them, where everyone
    /// on the way reads them. Means nothing without `plain_http`. Default no (`DM 2.0 §9.2.1`: Basic is for use over TLS).
    pub basic_without_tls: bool,
    /// Every Package#1 lists the supported MOs, not only after a notification that asks for it. Default no.
    pub always_send_mos: bool,
    /// Most Package#2 in one session. Default 1,000.
    pub max_rounds: u32,
    /// Most octets of a fetched body (HGET). Default 16 MiB.
    pub fetch_limit: usize,
    /// Wildcard, x-name and query of ClientURI are on. Default yes.
    pub full_addressing: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            parameters: ParameterValues::default(),
            plain_http: false,
            preemptive_basic: true,
            basic_without_tls: false,
            always_send_mos: false,
            max_rounds: 1_000,
            fetch_limit: 16 << 20,
            full_addressing: true,
        }
    }
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// With whom.
    pub server: ServerId,
    /// How it ended.
    pub outcome: Outcome,
    /// Packages sent.
    pub packages: u32,
    /// What was worth a line, the last 1,000 at most.
    pub notes: Vec<Note>,
}

/// A device with its network.
pub struct Client<T = HttpsTransport> {
    pub(crate) config: ClientConfig,
    pub(crate) device: Device,
    pub(crate) transport: T,
    pub(crate) gba: Option<Box<dyn GbaPush>>,
}

impl<T: Transport> Client<T> {
    /// Puts a device on a transport.
    #[must_use]
    pub fn new(device: Device, transport: T, config: ClientConfig) -> Self {
        Self { config, device, transport, gba: None }
    }
    /// Gives the device what ran GBA Push, so that bootstraps under its protection can be opened (`DM 2.0 §9.3.1.3`).
    #[must_use]
    pub fn with_gba(self, gba: Box<dyn GbaPush>) -> Self {
        Self { gba: Some(gba), ..self }
    }
    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }
    /// The device, to change it between sessions.
    pub fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }
    /// Runs one session with a server to its end. A server that was not told of its bootstrap yet is told now, whatever the
    /// trigger. An aborted session is no error and is not repeated: the next one needs a new trigger (`DM 2.0 §5.6`).
    ///
    /// # Errors
    /// [`ClientError::NoAccount`], [`ClientError::NoDeviceId`], and [`ClientError::Persist`] when the outcome cannot be kept.
    pub async fn run_session(
        &mut self,
        server: &ServerId,
        trigger: Trigger,
    ) -> Result<SessionReport, ClientError> {
        let Self { config, device, transport, gba: _ } = self;
        let device_id = device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let engine_config = engine_config(config, device, &device_id);
        let account = Account::read(device.tree(), server, &engine_config.parameters)?;
        let trigger = if device.bootstrap_is_pending(server) { Trigger::Bootstrap } else { trigger };
        let alerts = device.alerts(server);
        let offered = alerts.iter().map(|_| Kept::Yes).collect();
        let start = Start {
            server: server.clone(),
            uri: account.uri.clone(),
            trigger,
            send_mos: config.always_send_mos,
            alerts,
        };
        let engine = Session::start(engine_config, start, device.tree());
        let exchange =
            Exchange { transport, config, peer: &account.peer, device_id: &device_id, challenged: false };
        let (packages, notes) = (0, VecDeque::new());
        let mut running = Running { device, server, engine, exchange, offered, packages, notes };
        let outcome = running.finish().await?;
        let (packages, notes) = (running.packages, Vec::from(running.notes));
        self.device.tidy();
        Ok(SessionReport { server: server.clone(), outcome, packages, notes })
    }
}

impl ClientConfig {
    /// What replaces the parameters of ServerURIs on this device.
    pub(crate) fn parameters(&self, device_id: &DeviceId) -> ParameterValues {
        let mut parameters = self.parameters.clone();
        parameters.dev_id.get_or_insert_with(|| device_id.to_string());
        parameters
    }
}

fn engine_config(config: &ClientConfig, device: &Device, device_id: &DeviceId) -> Config {
    Config {
        device_id: device_id.clone(),
        parameters: config.parameters(device_id),
        limits: device.config.limits,
        strict: device.config.strict,
        allow_plain_http: config.plain_http,
        max_rounds: config.max_rounds,
        full_addressing: config.full_addressing,
    }
}

/// Whether an alert is in the outbox, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

/// A session under way.
struct Running<'a, T> {
    device: &'a mut Device,
    server: &'a ServerId,
    engine: Session,
    exchange: Exchange<'a, T>,
    /// Alerts that the engine was given and the server has not taken, in order.
    offered: VecDeque<Kept>,
    packages: u32,
    notes: VecDeque<Note>,
}

impl<T: Transport> Running<'_, T> {
    /// Does what the engine says until it is finished.
    async fn finish(&mut self) -> Result<Outcome, ClientError> {
        let mut reported = false;
        loop {
            let output = self.engine.poll_output().ok_or(ClientError::Stalled)?;
            let taken = match &output {
                Output::Finished(Outcome::Ended { .. }) => true,
                Output::Finished(Outcome::Aborted { alerts_delivered, .. }) => *alerts_delivered,
                // The engine acts on an answer, so there was a good one to the first package.
                Output::Effect { .. } => true,
                Output::Post { .. } => self.packages > 0,
                Output::Note(_) => false,
            };
            let waiting = self.engine.undelivered_alerts().count();
            if taken && (!reported || waiting < self.offered.len()) {
                // At once, and not at the end: a kill during the session must not send the alerts twice.
                let taken = self.offered.len().saturating_sub(waiting);
                let kept = self.offered.iter().take(taken).filter(|kept| **kept == Kept::Yes).count();
                match self.device.delivered(self.server, kept) {
                    Ok(()) => {
                        self.offered.drain(..taken);
                        reported = true;
                    }
                    Err(error) if matches!(output, Output::Finished(_)) => return Err(error.into()),
                    // Not now: the engine may wait for a commit, and only it can take back what is in the tree already.
                    Err(error) => tracing::warn!("what the server took cannot be kept yet: {error}"),
                }
            }
            let input = match output {
                Output::Finished(outcome) => return Ok(outcome),
                Output::Note(note) => {
                    self.note(note);
                    continue;
                }
                Output::Post { uri, content_type, accept, body, device_id: _ } => {
                    self.post(uri, content_type, accept, body).await
                }
                Output::Effect { id, effect } => {
                    let result = self.carry_out(effect).await;
                    self.take_alerts();
                    Input::EffectDone { id, result }
                }
            };
            self.engine.handle(&mut self.device.tree, (self.device.config.clock)(), input);
        }
    }

    async fn post(&mut self, uri: String, content_type: String, accept: &str, body: Body) -> Input {
        self.packages += 1;
        let outgoing = Outgoing {
            method: Method::POST,
            uri,
            content_type: Some(content_type),
            accept: Some(accept.to_owned()),
            body: Bytes::from_owner(body),
            identify: Identify::Always,
            redirects: Redirects::Anywhere,
            limit: self.device.config.limits.bytes,
        };
        match self.exchange.send(outgoing).await {
            Ok(reply) => Input::Reply(reply),
            Err(error) => Input::NoReply { reason: error.to_string() },
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(instances) => self.device.refresh(&instances),
            Effect::Commit { records, instances } => self.device.commit(records, &instances),
            Effect::Execute { address, instance } => self.device.execute(&address, &instance),
            Effect::Fetch { uri, accept } => {
                let limit = self.exchange.config.fetch_limit;
                match self.data(Method::GET, uri, None, Some(accept), Body::default(), limit).await {
                    Ok(reply) => EffectResult::Http(reply),
                    Err(TransportError::TooLarge { .. }) => EffectResult::TooLarge,
                    Err(error) => EffectResult::NoReply { reason: error.to_string() },
                }
            }
            Effect::Upload { method, uri, content_type, body } => {
                let method = if method == "PUT" { Method::PUT } else { Method::POST };
                match self.data(method, uri, Some(content_type), None, body, UPLOAD_ANSWER).await {
                    Ok(reply) => EffectResult::Http(reply),
                    // The status says what became of the upload, however much is said beside.
                    Err(TransportError::TooLarge { status, .. }) => EffectResult::Http(HttpReply {
                        status,
                        content_type: None,
                        omadm_accept: None,
                        body: Body::default(),
                    }),
                    Err(error) => EffectResult::NoReply { reason: error.to_string() },
                }
            }
        }
    }

    async fn data(
        &mut self,
        method: Method,
        uri: String,
        content_type: Option<String>,
        accept: Option<String>,
        body: Body,
        limit: usize,
    ) -> Result<HttpReply, TransportError> {
        let (identify, redirects) = (Identify::AtHome, Redirects::Anywhere);
        let body = Bytes::from_owner(body);
        let outgoing = Outgoing { method, uri, content_type, accept, body, identify, redirects, limit };
        self.exchange.send(outgoing).await
    }

    /// Alerts that plug-ins have raised meanwhile: durable first, then in the next package. One for which there is no room goes
    /// with the next package all the same, and is lost only if the session breaks off before.
    fn take_alerts(&mut self) {
        let server = self.server;
        for alert in self.device.raised() {
            let kept = match self.device.raise_alert(server, alert.clone()) {
                Ok(()) => Kept::Yes,
                Err(error @ (ClientError::OutboxFull { .. } | ClientError::Persist(_))) => {
                    tracing::warn!(%server, alert = alert.alert_type, "an alert is not kept: {error}");
                    Kept::No
                }
                Err(error) => {
                    tracing::warn!(%server, alert = alert.alert_type, "an alert is lost: {error}");
                    continue;
                }
            };
            self.offered.push_back(kept);
            let now = (self.device.config.clock)();
            self.engine.handle(&mut self.device.tree, now, Input::Alert(alert));
        }
    }

    fn note(&mut self, note: Note) {
        tracing::debug!(server = %self.server, ?note);
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}

//! A device with its network: sessions.

use omadm_auth::digest::Hash;
use omadm_auth::gba::GbaPush;
use omadm_mo::{DeviceId, ParameterValues, ServerId, ServerUri};
use omadm_session::dm2::client::{Config, Note, Outcome, Session, Start, Trigger, expand_text};

use crate::account::Account;
use crate::browser::Browser;
use crate::device::Device;
use crate::effects::Host;
use crate::error::ClientError;
use crate::exchange::{Answering, Exchange};
use crate::https::HttpsTransport;
use crate::running::Running;
use crate::transport::Transport;

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
    /// Digests that challenges of HTTP Digest may ask for, the best first. Default SHA-256 and SHA-512-256; MD5 is weak and only used if it
    /// stands here.
    pub digests: Vec<Hash>,
    /// The secret of an account is used as its pre-shared key in TLS (PSK-TLS, `DM 2.0 §9.2.2`), with the user name as identity, unless
    /// the account has a certificate. Default no.
    pub psk: bool,
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
            digests: vec![Hash::Sha256, Hash::Sha512_256],
            psk: false,
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
    pub(crate) browser: Option<Box<dyn Browser>>,
}

impl<T: Transport> Client<T> {
    /// Puts a device on a transport.
    #[must_use]
    pub fn new(device: Device, transport: T, config: ClientConfig) -> Self {
        Self { config, device, transport, gba: None, browser: None }
    }
    /// Gives the device what ran GBA Push, so that bootstraps under its protection can be opened (`DM 2.0 §9.3.1.3`).
    #[must_use]
    pub fn with_gba(self, gba: Box<dyn GbaPush>) -> Self {
        Self { gba: Some(gba), ..self }
    }
    /// Gives the device a browser; without one SHOW is answered 501 (`DM 2.0 §5.3.7`).
    #[must_use]
    pub fn with_browser(self, browser: Box<dyn Browser>) -> Self {
        Self { browser: Some(browser), ..self }
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
        self.run_session_at(server, trigger, None).await
    }
    /// [`Client::run_session`] that begins at another URI of the server: where it wants the end of an execution to be reported
    /// (`DM 2.0 §5.3.5`). `None` is SrvURI.
    ///
    /// # Errors
    /// As [`Client::run_session`].
    pub async fn run_session_at(
        &mut self,
        server: &ServerId,
        trigger: Trigger,
        at: Option<&ServerUri>,
    ) -> Result<SessionReport, ClientError> {
        self.session(server, trigger, at, false).await
    }
    /// A session; `send_mos` has Package#1 list the supported MOs, whatever the settings say.
    pub(crate) async fn session(
        &mut self,
        server: &ServerId,
        trigger: Trigger,
        at: Option<&ServerUri>,
        send_mos: bool,
    ) -> Result<SessionReport, ClientError> {
        let Self { config, device, transport, gba: _, browser } = self;
        let device_id = device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let engine_config = engine_config(config, device, &device_id);
        let account = Account::read(device.tree(), server, &engine_config.parameters)?;
        let trigger = if device.bootstrap_is_pending(server) { Trigger::Bootstrap } else { trigger };
        let uri = at.map_or_else(|| account.uri.clone(), |uri| uri.as_str().to_owned());
        let place = expand_text(&engine_config, &uri).ok();
        let is_here = |at: &str| place.is_some() && expand_text(&engine_config, at).ok() == place;
        let (alerts, offered) = device.gather(server, is_here).into_iter().unzip();
        let send_mos = send_mos || config.always_send_mos;
        let start = Start { server: server.clone(), uri, trigger, send_mos, alerts };
        let engine = Session::start(engine_config, start, device.tree());
        let exchange = Exchange {
            transport,
            config,
            peer: &account.peer,
            device_id: &device_id,
            answering: Answering::default(),
        };
        let host = Host { device, server, exchange, browser: browser.as_mut() };
        let (outcome, packages, notes) = Running::new(host, engine, offered).finish().await?;
        self.device.after_session(server, at, &outcome)?;
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

/// Settings of an engine.
pub(crate) fn engine_config(config: &ClientConfig, device: &Device, device_id: &DeviceId) -> Config {
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

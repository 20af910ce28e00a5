//! Sessions of DM 2.0.

use std::time::Duration;

use omadm_mo::{DeviceId, ParameterValues, ServerId, ServerUri};
use omadm_session::dm2::client::{Config, Note, Outcome, Session, Start, Trigger, expand_text};

use crate::account::Account;
use crate::browser::Browser;
use crate::client::{Client, ClientConfig};
use crate::device::Device;
use crate::effects::Host;
use crate::error::ClientError;
use crate::exchange::Exchange;
use crate::retry_after;
use crate::running::{Finished, Running};
use crate::transport::Transport;

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
    /// How long the server wants to be left alone that has sent the device away (`Retry-After`), one day at most. Wait a little longer, at
    /// random, so that those who were sent away together do not come back together.
    pub retry_after: Option<Duration>,
}

impl<T: Transport> Client<T> {
    /// Gives the device a browser; without one SHOW is answered 501 (`DM 2.0 §5.3.7`).
    #[must_use]
    pub fn with_browser(self, browser: Box<dyn Browser>) -> Self {
        Self { browser: Some(browser), ..self }
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
        let Self { config, device, transport, browser, .. } = self;
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
        let exchange = Exchange::new(transport, config, &account.peer, &device_id);
        let host = Host { device, server, exchange, browser: browser.as_mut() };
        let finished = Running::new(host, engine, offered).finish().await?;
        let Finished { outcome, packages, notes, retry_after } = finished;
        let now = (self.device.config.clock)();
        let retry_after = retry_after.and_then(|said| retry_after::wait(&said, now));
        self.device.after_session(server, at, &outcome)?;
        self.device.tidy();
        Ok(SessionReport { server: server.clone(), outcome, packages, notes, retry_after })
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

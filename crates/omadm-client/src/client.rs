//! A device with its network: sessions.

use omadm_mo::{ParameterValues, ServerId};
use omadm_session::dm2::client::{Note, Outcome, Trigger};

use crate::device::Device;
use crate::error::ClientError;
use crate::https::HttpsTransport;
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
    config: ClientConfig,
    device: Device,
    transport: T,
}

impl<T: Transport> Client<T> {
    /// Puts a device on a transport.
    #[must_use]
    pub fn new(device: Device, transport: T, config: ClientConfig) -> Self {
        Self { config, device, transport }
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
        todo!()
    }
}

//! A device with its network.

#[cfg(feature = "dm1")]
use omadm_auth::bootstrap::NetworkSecret;
#[cfg(feature = "dm1")]
use std::collections::VecDeque;

use omadm_auth::digest::Hash;
use omadm_auth::gba::GbaPush;
use omadm_mo::ParameterValues;

#[cfg(feature = "dm2")]
use crate::browser::Browser;
use crate::device::Device;
#[cfg(feature = "dm1")]
use crate::dm1::bootstrap::BootstrapConfig;
#[cfg(feature = "dm1")]
use crate::dm1::{Abort, SessionConfig, UserInterface};
use crate::https::HttpsTransport;
#[cfg(feature = "dm1")]
use crate::push::PushContent;
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
    /// DM 1.x.
    #[cfg(feature = "dm1")]
    pub dm1: SessionConfig,
    /// Bootstraps of DM 1.x.
    #[cfg(feature = "dm1")]
    pub dm1_bootstrap: BootstrapConfig,
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
            #[cfg(feature = "dm1")]
            dm1: SessionConfig::default(),
            #[cfg(feature = "dm1")]
            dm1_bootstrap: BootstrapConfig::default(),
        }
    }
}

/// A device with its network.
pub struct Client<T = HttpsTransport> {
    pub(crate) config: ClientConfig,
    pub(crate) device: Device,
    pub(crate) transport: T,
    pub(crate) gba: Option<Box<dyn GbaPush>>,
    #[cfg(feature = "dm2")]
    pub(crate) browser: Option<Box<dyn Browser>>,
    #[cfg(feature = "dm1")]
    pub(crate) user: Option<Box<dyn UserInterface>>,
    #[cfg(feature = "dm1")]
    pub(crate) abort: Abort,
    /// What came as a push in sessions through a WAP gateway.
    #[cfg(feature = "dm1")]
    pub(crate) pushed: VecDeque<PushContent>,
    #[cfg(feature = "dm1")]
    pub(crate) network: NetworkSecret,
}

impl<T: Transport> Client<T> {
    /// Puts a device on a transport.
    #[must_use]
    pub fn new(device: Device, transport: T, config: ClientConfig) -> Self {
        Self {
            config,
            device,
            transport,
            gba: None,
            #[cfg(feature = "dm2")]
            browser: None,
            #[cfg(feature = "dm1")]
            user: None,
            #[cfg(feature = "dm1")]
            abort: Abort::default(),
            #[cfg(feature = "dm1")]
            pushed: VecDeque::new(),
            #[cfg(feature = "dm1")]
            network: NetworkSecret::default(),
        }
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
}

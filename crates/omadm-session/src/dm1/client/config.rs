//! What a session starts with: settings, the account, and what is to be said.

use omadm_auth::Secret;
use omadm_auth::dm1::Scheme;
use omadm_codec::Limits;
use omadm_codec::dm1::{Mark, Version};
use omadm_mo::dm1::UriLimits;
use omadm_mo::{DeviceId, Moid, ServerId, Value};

/// Settings of a client engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// `Source/LocURI` of every message, equal to `./DevInfo/DevId`.
    pub device_id: DeviceId,
    /// Bounds on received messages. Default 4 MiB, depth 32, 100,000 elements.
    pub limits: Limits,
    /// No tolerance towards the server. The host sets the tree's [`omadm_mo::Tolerances`] to match.
    pub strict: bool,
    /// Messages in WBXML; else in XML.
    pub wbxml: bool,
    /// Largest message to receive, in octets: `MaxMsgSize` of every message. Default 64 KiB, at least 1 KiB.
    pub max_message: u32,
    /// Largest message to send, in octets, where the binding carries no larger one, whatever the server takes. Default `None`.
    pub max_sent: Option<u32>,
    /// Largest object to receive, in octets: `MaxObjSize` of every message, and the bound on what is kept of chunks. Default 16 MiB.
    pub max_object: u32,
    /// Whether objects in chunks are taken and sent (`./DevDetail/LrgObj`). Default true.
    pub large_objects: bool,
    /// Whether the answers to an Atomic go in several messages where one does not hold them. If not, nothing of such an Atomic is done
    /// and it is answered 517 (`DM 1.3 REPPRO §7.6.3` has both). Default true.
    pub split_atomic: bool,
    /// How long an address may be, as `./DevDetail/URI` says. Default unlimited.
    pub uri_limits: UriLimits,
    /// Most messages received in one session, so that a broken server cannot hold a device for ever. Default 1,000.
    pub max_rounds: u32,
    /// Schemes that either side may be authenticated by. A challenge for another one ends the session. Default: those of SHA-256.
    pub schemes: Vec<Scheme>,
    /// Take the server's digest also when it is made of the base64 text of the nonce: a common mistake. Default false.
    pub lenient_nonce: bool,
    /// `http` is allowed as address of the server (off by default: `https` only).
    pub allow_plain_http: bool,
    /// A local link is allowed as address of the server: `obex:` and `obex+rfcomm:`. Default false.
    pub allow_links: bool,
    /// Kinds of user interaction alerts that the device can carry out; others are answered 406. Default none.
    pub user_interaction: UserInteraction,
}

/// What of user interaction alerts a device can show (`DM 1.3 PROTO §10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserInteraction {
    /// Whether there is a user at all.
    pub available: bool,
    /// Most choices in one list. More are answered 416.
    pub max_choices: usize,
}

impl UserInteraction {
    /// Nobody to ask: every user interaction alert is answered 406.
    pub const NONE: Self = Self { available: false, max_choices: 0 };
}

impl Config {
    /// The defaults for a device.
    #[must_use]
    pub fn new(device_id: DeviceId) -> Self {
        Self {
            device_id,
            limits: Limits { bytes: 4 << 20, ..Limits::default() },
            strict: false,
            wbxml: true,
            max_message: 64 << 10,
            max_sent: None,
            max_object: 16 << 20,
            large_objects: true,
            split_atomic: true,
            uri_limits: UriLimits::default(),
            max_rounds: 1_000,
            schemes: vec![Scheme::Sha256, Scheme::MacSha256],
            lenient_nonce: false,
            allow_plain_http: false,
            allow_links: false,
            user_interaction: UserInteraction::NONE,
        }
    }
}

/// A DM account as a session uses it. What the server changes in it during the session counts from the next one on.
#[derive(Clone, Debug)]
pub struct Account {
    /// `ServerID`: access rights are those of this name.
    pub server: ServerId,
    /// Where the first message goes.
    pub uri: String,
    /// How the device proves who it is (`CLCRED`); `None` if TLS does that.
    pub client: Option<Credentials>,
    /// How the server proves who it is (`SRVCRED`).
    pub server_credentials: Option<Credentials>,
    /// Whether the server has to prove it by [`Account::server_credentials`]. If not, it is known by TLS; credentials that it sends
    /// are then looked at all the same.
    pub server_must_prove: bool,
    /// `AAuthPref`: the scheme of the first message. `None` waits for the challenge of the server.
    pub preferred: Option<Scheme>,
}

/// Name, secret and the nonce received last, of one direction.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `AAuthName`.
    pub user: String,
    /// `AAuthSecret`.
    pub password: Secret,
    /// `AAuthType` as a scheme: what the server has to prove itself by. For the device's own credentials it is the scheme used when
    /// the account prefers none and the server's challenge leaves the choice.
    pub scheme: Scheme,
    /// `AAuthData`: octets of the last nonce, empty if there was none.
    pub nonce: Vec<u8>,
}

/// Why a session starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A notification: Alert 1200, with the session id of the notification.
    Server {
        /// From the notification.
        session_id: u16,
    },
    /// The device's own decision: Alert 1201.
    Client {
        /// An id that this device has not used lately. A new start in an older version takes the next one.
        session_id: u16,
    },
}

/// What starts a session.
#[derive(Clone, Debug)]
pub struct Start {
    /// With whom.
    pub account: Account,
    /// Why.
    pub trigger: Trigger,
    /// Versions to try, in order; the next one is tried when the server does not speak the one before. Never empty: an empty list is
    /// taken as 1.2 alone.
    pub versions: Vec<Version>,
    /// Alerts kept for this server, in order.
    pub alerts: Vec<DeviceAlert>,
    /// Management objects that package 1 carries, because the notification asked for them.
    pub requested: Vec<Moid>,
}

/// Number that the host has for an alert.
pub type AlertId = u64;

/// An alert that a device sends: 1226, or 1224 where it is that or the server speaks 1.1.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceAlert {
    /// Comes back in [`super::Effect::AlertDelivered`].
    pub id: AlertId,
    /// Generic Alert (1226), else Client Event (1224).
    pub generic: bool,
    /// `Correlator` of the Exec whose end it tells.
    pub correlator: Option<String>,
    /// `Source/LocURI`: the management object that it is about.
    pub source: Option<String>,
    /// `Target/LocURI`: what came of it, for management objects that define that.
    pub target: Option<String>,
    /// `Type`.
    pub alert_type: String,
    /// `Mark`.
    pub mark: Option<Mark>,
    /// `Format`.
    pub format: omadm_mo::Format,
    /// `Data`.
    pub data: Value,
}

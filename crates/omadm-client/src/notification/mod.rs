//! Notifications: a server asks for a session (`DM 2.0 §5.2.1`, Appendix E).
//!
//! Pushes come over UDP ([`Notifications::listen`]), as short messages or as cloud messages; each is checked against the account of
//! the server that it names, and what passes is a [`Wake`] for [`Client::answer`]. What does not pass is told once in a while and does
//! nothing else, for anybody can send one.

mod check;
mod connection;
mod flood;
mod registering;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use omadm_codec::dm2::cloud;
use omadm_codec::media_type::MediaType;
pub use omadm_codec::sms::Bounds;
use omadm_codec::sms::{Reassembly, Tpdu};
use omadm_codec::wsp::{MAX_PUSH, PUSH_PORT, Push};
use omadm_codec::{DecodeError, Leniency, Limits, Problem};
use omadm_mo::{ServerId, Time};
use omadm_session::dm2::client::Trigger;
use tokio::net::UdpSocket;

use crate::bootstrap::Received;
use crate::client::Client;
use crate::consent::Origin;
use crate::device::Device;
use crate::error::{ClientError, PersistError};
use crate::session::SessionReport;
use crate::transport::Transport;

pub(crate) use check::{SEEN, forget};
pub use connection::{Choice, choose};
use flood::Floods;
pub use omadm_codec::dm2::notification::{Connection, Preference};
pub use registering::CloudService;

/// Longest notification in octets; one with a server identifier of 255 octets has some 400.
const MAX_NOTIFICATION: usize = 1_024;
/// By whom a pushed bootstrap is said to be: nobody knows until its protection is off.
const PUSHED_BY: &str = "a WAP push";

/// Settings of notifications.
#[derive(Clone, Debug)]
pub struct NotificationConfig {
    /// Of an account with notification credentials, only notifications with a digest are taken. Default yes: without, everybody could
    /// leave the digest away.
    pub require_digest: bool,
    /// Age by its TIMESTAMP at which a notification is too old. Default a day.
    pub max_age: Duration,
    /// How far its TIMESTAMP may be in the future. Default five minutes.
    pub max_skew: Duration,
    /// NOTIFICATION-IDs of each server that are remembered to know a repetition, 1 or more. Default 64.
    pub remembered: usize,
    /// Most datagrams from one address in ten seconds; more are dropped unread. Default 20.
    pub per_source: u32,
    /// Most datagrams in ten seconds. Default 200.
    pub in_all: u32,
    /// What is kept of short messages of several parts.
    pub parts: Bounds,
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            require_digest: true,
            max_age: Duration::from_secs(86_400),
            max_skew: Duration::from_secs(300),
            remembered: 64,
            per_source: 20,
            in_all: 200,
            parts: Bounds::default(),
        }
    }
}

/// A server asks for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// With whom.
    pub server: ServerId,
    /// NOTIFICATION-ID, which the session names.
    pub id: Option<u16>,
    /// Package#1 has to list the supported MOs.
    pub send_mos: bool,
    /// Over which connections, the best first; see [`choose`].
    pub connections: Preference,
}

/// What a push brings.
#[derive(Clone, Debug)]
pub enum Pushed {
    /// A server asks for a session.
    Wake(Wake),
    /// A bootstrap, for [`Client::install_received`]: the push protects nothing, so it has to be protected itself (`DM 2.0 §9.3.1.3`).
    Bootstrap(Received),
}

/// Why a notification is ignored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// It is none.
    #[error("it is no notification: {0}")]
    Malformed(#[from] DecodeError),
    /// The push is for another application.
    #[error("the push is not for device management")]
    NotForDm,
    /// The bootstrap in it is not installed.
    #[error("the bootstrap in it is not installed: {0}")]
    NotInstalled(Box<ClientError>),
    /// The bootstrap in it is not protected, so that anybody can have made it.
    #[error("the bootstrap in it is not protected")]
    Unprotected,
    /// The short message is not for the port of pushes.
    #[error("the short message is not for port {PUSH_PORT}")]
    Port,
    /// There is no account of the server that it names.
    #[error("there is no account of {0}")]
    UnknownServer(String),
    /// It names no server, and does not prove which one it is from.
    #[error("it does not say which server it is from")]
    Nameless,
    /// It has no digest, though the account has credentials for one.
    #[error("it has no digest, which {0} has to give")]
    NoDigest(ServerId),
    /// It has a digest, and the account no secret to check it with, or one for another type of proof (`DM 2.0 §5.2.1.2, §12.2`).
    #[error("the account of {0} has no secret to check its digest with")]
    NoSecret(ServerId),
    /// The digest is wrong.
    #[error("the digest is wrong: whoever sent it does not know the secret of {0}")]
    WrongDigest(ServerId),
    /// It is too old, or a repetition of an old one.
    #[error("it is {seconds} s old")]
    TooOld {
        /// Its age.
        seconds: u64,
    },
    /// It comes from the future.
    #[error("it was sent {seconds} s from now: check the clock of this device")]
    FromTheFuture {
        /// How far from now.
        seconds: u64,
    },
    /// It was there already.
    #[error("number {0} was there already")]
    Duplicate(u16),
    /// That it was there cannot be remembered.
    #[error("that it was there cannot be remembered: {0}")]
    NotKept(#[from] PersistError),
}

/// Takes notifications in whatever way they come.
pub struct Notifications {
    config: NotificationConfig,
    socket: Option<UdpSocket>,
    floods: Floods,
    parts: Reassembly,
    /// Begin of the minute, and what was ignored in it.
    ignored: Option<(Instant, u32)>,
}

/// How often it is told that notifications are ignored.
const TELL: Duration = Duration::from_secs(60);

impl Notifications {
    /// Listens to nothing yet.
    #[must_use]
    pub fn new(config: NotificationConfig) -> Self {
        let floods = Floods::new(config.per_source, config.in_all);
        let parts = Reassembly::new(config.parts);
        Self { config, socket: None, floods, parts, ignored: None }
    }

    /// Listens for connectionless WAP push over UDP, which is port 2948 unless it is a test (`DM 2.0 §E.1`). Gives the address.
    ///
    /// # Errors
    /// As the system.
    pub async fn listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind(address).await?;
        let local = socket.local_addr()?;
        self.socket = Some(socket);
        Ok(local)
    }

    /// Waits for a datagram; for ever if it does not listen. What a source sends too much is dropped. Nothing is lost when the future is
    /// dropped.
    pub async fn datagram(&mut self) -> Vec<u8> {
        let Some(socket) = &self.socket else { return std::future::pending().await };
        let mut buffer = vec![0; MAX_PUSH + 1];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((length, source)) if self.floods.allows(source.ip(), Instant::now()) => {
                    buffer.truncate(length);
                    return buffer;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a datagram could not be received");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Takes a push PDU of connectionless WSP, as it comes in a datagram or in the user data of a short message.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn push(&self, device: &mut Device, octets: &[u8]) -> Result<Pushed, Ignored> {
        let push = Push::decode(octets, &limits(MAX_PUSH))?;
        if let Some(content_type) = push.bootstrap_type() {
            // All but those is refused when it is opened; this is to be refused before anybody is bothered with it.
            if !MediaType::parse(&content_type).is_ok_and(|media| media.parameter("sec").is_some()) {
                return Err(Ignored::Unprotected);
            }
            let origin = Origin::Pushed { by: PUSHED_BY.to_owned(), secured: false };
            return Ok(Pushed::Bootstrap(Received { origin, content_type, body: push.body.to_vec().into() }));
        }
        if !push.is_dm_notification() {
            return Err(Ignored::NotForDm);
        }
        self.notification(device, push.body).map(Pushed::Wake)
    }

    /// Takes a short message: SMS-DELIVER of 8-bit data. `None` when parts of the push are still missing.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn short_message(&mut self, device: &mut Device, tpdu: &[u8]) -> Result<Option<Pushed>, Ignored> {
        let Tpdu::Deliver(message) = Tpdu::decode(tpdu, &limits(MAX_NOTIFICATION))? else {
            let problem = Problem::Schema("not SMS-DELIVER".into());
            return Err(DecodeError { at: 0, field: "TP-MTI", problem }.into());
        };
        let port = message.data.ports().map(|ports| ports.destination);
        if port.is_some_and(|port| port != PUSH_PORT) {
            return Err(Ignored::Port);
        }
        let now = u64::try_from(device.now().as_secs()).unwrap_or_default();
        let whole = self.parts.take(now, message.originator, message.data);
        whole.map(|whole| self.push(device, &whole.payload)).transpose()
    }

    /// Takes a push message of a cloud service: its data as a JSON object, in which the key `SMS` has the notification
    /// (`DM 2.0 §E.2.4`).
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn cloud_message(&self, device: &mut Device, data: &[u8]) -> Result<Wake, Ignored> {
        let bounds = limits(MAX_NOTIFICATION);
        let octets = cloud::notification(data, cloud::KEY, &bounds, &mut Leniency::lenient())?;
        self.notification(device, &octets)
    }

    /// Takes Package#0 itself.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn notification(&self, device: &mut Device, package: &[u8]) -> Result<Wake, Ignored> {
        device.notified(package, &self.config)
    }

    /// Tells that a notification is ignored: the first at once, and of more in a minute only how many there were.
    pub fn tell(&mut self, why: &Ignored) {
        let now = Instant::now();
        match &mut self.ignored {
            Some((begin, count)) if now.duration_since(*begin) < TELL => *count += 1,
            ignored => {
                let before = ignored.replace((now, 0)).map_or(0, |(_, count)| count);
                tracing::warn!(before, "a notification is ignored: {why}");
            }
        }
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Bounds of what may come.
fn limits(bytes: usize) -> Limits {
    Limits { bytes, items: 64, ..Limits::default() }
}

impl<T: Transport> Client<T> {
    /// Runs the session that a notification asks for: with the alert that names it, and with the supported MOs if it asks for them
    /// (`DM 2.0 §5.2.2`).
    ///
    /// # Errors
    /// As [`Client::run_session`].
    pub async fn answer(&mut self, wake: &Wake) -> Result<SessionReport, ClientError> {
        self.session(&wake.server, Trigger::Notification(wake.id), None, wake.send_mos).await
    }
}

impl Device {
    /// The time by the device's clock.
    fn now(&self) -> Time {
        (self.config.clock)()
    }
}

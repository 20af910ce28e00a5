//! Notifications: a server asks for a session (`DM 2.0 §5.2.1`, Appendix E).
//!
//! Pushes come over UDP ([`Notifications::listen`]), as short messages or as cloud messages; each is checked against the account of
//! the server that it names, and what passes is a [`Wake`] for [`Client::answer`]. What does not pass is told once in a while and does
//! nothing else, for anybody can send one.

#[cfg(feature = "dm2")]
mod connection;
#[cfg(feature = "dm2")]
mod dm2;
mod flood;
#[cfg(feature = "dm2")]
mod registering;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use omadm_auth::dm1::HMAC_HEADER;
#[cfg(feature = "dm1")]
use omadm_codec::dm1::notification as extended;
#[cfg(feature = "dm2")]
use omadm_codec::dm2::cloud;
use omadm_codec::media_type::{self, MediaType};
pub use omadm_codec::sms::Bounds;
use omadm_codec::sms::{Reassembly, Tpdu};
use omadm_codec::wsp::{self, DM_APPLICATION, MAX_PUSH, PUSH_PORT, Push};
use omadm_codec::{DecodeError, Limits, Problem};
use omadm_mo::{ServerId, Time};
use tokio::net::UdpSocket;

#[cfg(feature = "dm2")]
use crate::bootstrap::Received;
#[cfg(any(feature = "dm1", feature = "dm2"))]
use crate::consent::Origin;
use crate::device::Device;
#[cfg(feature = "dm1")]
use crate::dm1::{NotifiedConfig, bootstrap};
use crate::error::{ClientError, PersistError};
use crate::push::{PushContent, PushOrigin, Pushed};

#[cfg(feature = "dm2")]
pub use connection::{Choice, choose};
#[cfg(feature = "dm2")]
pub use dm2::Wake;
#[cfg(feature = "dm2")]
pub(crate) use dm2::{SEEN, forget};
pub(crate) use flood::Floods;
#[cfg(feature = "dm2")]
pub use omadm_codec::dm2::notification::{Connection, Preference};
#[cfg(feature = "dm2")]
pub use registering::CloudService;

/// Longest short message in octets, with room to spare.
const MAX_SHORT_MESSAGE: usize = 1_024;
/// By whom a push is said to be: nobody knows until what is in it has proved that.
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
    /// DM 1.x.
    #[cfg(feature = "dm1")]
    pub dm1: NotifiedConfig,
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
            #[cfg(feature = "dm1")]
            dm1: NotifiedConfig::default(),
        }
    }
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
    /// A message of DM 1.x without a session has commands in it, which this device takes in sessions only.
    #[cfg(feature = "dm1")]
    #[error("commands are taken in sessions only (dm1.sessionless)")]
    Sessionless,
    /// A message of DM 1.x without a session is not as it has to be.
    #[cfg(feature = "dm1")]
    #[error("it is no message to be carried out: {0}")]
    Unfit(#[from] omadm_session::dm1::client::Unfit),
    /// A message of DM 1.x without a session does not prove that it is from the server of an account.
    #[cfg(feature = "dm1")]
    #[error("it does not prove which server it is from")]
    Unproved,
    /// A message of DM 1.x without a session was there already, or may have been.
    #[cfg(feature = "dm1")]
    #[error("the message {0} was there already, or came much too late")]
    Repeated(u64),
    /// A message of DM 1.x without a session could not be carried out to its end.
    #[cfg(feature = "dm1")]
    #[error("it could not be carried out: {0}")]
    NotCarriedOut(Box<ClientError>),
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
    /// Its version is one that this device does not take.
    #[cfg(feature = "dm1")]
    #[error("its version is {version}, which this device is not to take")]
    Version {
        /// As it stands there: 12 for a trigger of 1.2, 13 for a notification of DM 1.3.
        version: u16,
    },
    /// It was made with the default nonce, as another one was a short time ago (`DM 1.2 NOTI §6.2.2`).
    #[cfg(feature = "dm1")]
    #[error("the nonce of {server} was given up {seconds} s ago, and not again so soon")]
    ResynchronisedLately {
        /// The server.
        server: ServerId,
        /// How long ago.
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
        let via = PushOrigin { by: PUSHED_BY.to_owned(), authenticated: false, sent: None };
        self.pushed(device, octets, via)
    }

    fn pushed(&self, device: &mut Device, octets: &[u8], via: PushOrigin) -> Result<Pushed, Ignored> {
        let push = Push::decode(octets, &limits(MAX_PUSH))?;
        let essence = push.media.essence().ok_or(Ignored::NotForDm)?;
        // Other parameters than those of a bootstrap say nothing here.
        let content_type = push.media.as_http().unwrap_or_else(|| essence.to_owned());
        let application = push.application();
        // Of all that comes here only provisioning documents are known by their content type alone.
        if application.is_none() && !is_provisioning(&content_type) {
            return Err(Ignored::NotForDm);
        }
        let (hmac, body) = (push.text(HMAC_HEADER), Bytes::copy_from_slice(push.body));
        self.content(device, PushContent { content_type, application, hmac, body, via })
    }

    /// Takes what a push brings, by whatever transport. It is told by its content type what it is, and notifications of DM 1.3 and 2.0,
    /// which have the same one, by their first octet.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn content(&self, device: &mut Device, content: PushContent) -> Result<Pushed, Ignored> {
        let media = MediaType::parse(&content.content_type)?;
        if media.essence == wsp::INITIATION_TYPE {
            let is_known = content.application.as_deref().is_some_and(wsp::is_initiation_application);
            return if is_known { Ok(Pushed::Contact(content)) } else { Err(Ignored::NotForDm) };
        }
        let for_another =
            content.application.as_ref().is_some_and(|of| !of.eq_ignore_ascii_case(DM_APPLICATION));
        if for_another && !is_provisioning(&media.essence) {
            return Err(Ignored::NotForDm);
        }
        let is_secured = media.parameter("sec").is_some();
        match media.essence.as_str() {
            wsp::NOTIFICATION_TYPE => self.package0(device, &content),
            #[cfg(feature = "dm1")]
            wsp::TRIGGER_TYPE => device.triggered(&content.body, &self.config.dm1).map(Pushed::Dm1),
            #[cfg(feature = "dm2")]
            media_type::DMMO_JSON if is_secured => {
                let origin = Origin::Pushed { by: content.via.by, secured: false };
                let PushContent { content_type, body, .. } = content;
                Ok(Pushed::Bootstrap(Received { origin, content_type, body: Vec::from(body).into() }))
            }
            // All but those is refused when it is opened; this is to be refused before anybody is bothered with it.
            #[cfg(feature = "dm2")]
            media_type::DMMO_JSON => Err(Ignored::Unprotected),
            #[cfg(feature = "dm1")]
            media_type::SYNCML_DM_WBXML | media_type::SYNCML_DM_XML if !is_secured => {
                Ok(Pushed::Sessionless(content))
            }
            #[cfg(feature = "dm1")]
            wsp::CONNECTIVITY_WBXML
            | wsp::CONNECTIVITY_XML
            | media_type::SYNCML_DM_WBXML
            | media_type::SYNCML_DM_XML => {
                let PushOrigin { by, authenticated, .. } = content.via;
                let origin = Origin::Pushed { by, secured: authenticated };
                let (content_type, body) = (content.content_type, Vec::from(content.body).into());
                Ok(Pushed::Provisioning(bootstrap::Received { content_type, body, origin }))
            }
            _ => Err(Ignored::NotForDm),
        }
    }

    /// A notification of DM 1.3 or 2.0.
    fn package0(&self, device: &mut Device, content: &PushContent) -> Result<Pushed, Ignored> {
        #[cfg(feature = "dm1")]
        if extended::Received::is_of_version(&content.body) {
            let wake = device.notified_extended(&content.body, content.via.sent, &self.config.dm1);
            return wake.map(Pushed::Dm1);
        }
        #[cfg(feature = "dm2")]
        return self.notification(device, &content.body).map(Pushed::Wake);
        #[cfg(not(feature = "dm2"))]
        Err(Ignored::NotForDm)
    }

    /// Takes a short message: SMS-DELIVER of 8-bit data. `None` when parts of the push are still missing.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn short_message(&mut self, device: &mut Device, tpdu: &[u8]) -> Result<Option<Pushed>, Ignored> {
        let Tpdu::Deliver(message) = Tpdu::decode(tpdu, &limits(MAX_SHORT_MESSAGE))? else {
            let problem = Problem::Schema("not SMS-DELIVER".into());
            return Err(DecodeError { at: 0, field: "TP-MTI", problem }.into());
        };
        let port = message.data.ports().map(|ports| ports.destination);
        if port.is_some_and(|port| port != PUSH_PORT) {
            return Err(Ignored::Port);
        }
        let now = u64::try_from(device.now().as_secs()).unwrap_or_default();
        let sent = message.time.unix_seconds().map(Time::from_secs);
        let whole = self.parts.take(now, message.originator, message.data);
        let via = |by| PushOrigin { by: format!("a short message from {by}"), authenticated: false, sent };
        whole.map(|whole| self.pushed(device, &whole.payload, via(whole.originator))).transpose()
    }

    /// Takes a push message of a cloud service: its data as a JSON object, in which the key `SMS` has the notification
    /// (`DM 2.0 §E.2.4`), of DM 2.0 or, as our choice, of another version. A trigger begins with any octet, so what is none of the others
    /// is taken for one.
    ///
    /// # Errors
    /// Why it is ignored.
    #[cfg(feature = "dm2")]
    pub fn cloud_message(&self, device: &mut Device, data: &[u8]) -> Result<Pushed, Ignored> {
        let bounds = limits(MAX_PUSH);
        let octets = cloud::notification(data, cloud::KEY, &bounds, &mut omadm_codec::Leniency::lenient())?;
        let via = PushOrigin { by: "a cloud message".to_owned(), authenticated: false, sent: None };
        let content = PushContent {
            content_type: wsp::NOTIFICATION_TYPE.to_owned(),
            application: Some(DM_APPLICATION.to_owned()),
            hmac: None,
            body: octets.into(),
            via,
        };
        let outcome = self.package0(device, &content);
        #[cfg(feature = "dm1")]
        if let Err(Ignored::Malformed(_)) = outcome
            && let Ok(wake) = device.triggered(&content.body, &self.config.dm1)
        {
            return Ok(Pushed::Dm1(wake));
        }
        outcome
    }

    /// Takes Package#0 itself.
    ///
    /// # Errors
    /// Why it is ignored.
    #[cfg(feature = "dm2")]
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

/// Whether it is a provisioning document, which is for no application.
fn is_provisioning(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    [wsp::CONNECTIVITY_WBXML, wsp::CONNECTIVITY_XML].iter().any(|of| essence.eq_ignore_ascii_case(of))
}

/// Bounds of what may come.
fn limits(bytes: usize) -> Limits {
    Limits { bytes, items: 64, ..Limits::default() }
}

impl Device {
    /// The time by the device's clock.
    fn now(&self) -> Time {
        (self.config.clock)()
    }
}

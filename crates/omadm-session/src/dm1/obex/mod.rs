//! The OBEX binding of DM 1.x, without its links (`DM 1.3 OBEX binding`, `IrOBEX 1.3`): octets in, octets and objects out.
//!
//! Who is OBEX client puts and gets, whichever side of DM it is: [`Client`] sends each message of its own by Put and asks for the
//! answer by Get, and [`Server`] takes and gives them, one after the other. The numbers that the binding leaves open are ours, and stand
//! in [`Settings`].

pub mod check;
mod client;
mod frame;
mod object;
mod server;

pub use client::{Client, Gained};
pub use object::Object;
pub use server::{Event, Server};

use core::time::Duration;

use omadm_auth::BasicCredentials;
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::obex::{HeaderId, MIN_PACKET, ResponseCode};
use omadm_codec::provisioning::{WBXML_TYPE, XML_TYPE};
use omadm_codec::wsp::{NOTIFICATION_TYPE, TRIGGER_TYPE};
use omadm_codec::{DecodeError, Leniency, Limits};
use thiserror::Error;

/// Most headers of a packet.
const MAX_HEADERS: usize = 64;

/// What either side of a connection goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest packet to receive, 255 to 65,535 octets. Default 65,535, for TCP; 8 KiB are for Bluetooth.
    pub max_packet: u16,
    /// Largest object to receive, in octets. Default 72,090: 64 KiB and a tenth.
    pub max_object: usize,
    /// Longest silence of the other side, without a whole packet: for the client, until a request is answered, for the server, between
    /// requests. Default 120 s, which is longer than servers hold back an answer.
    pub silence: Duration,
    /// How long a server holds back the answer to Get until there is one; then it is 0xD3, and may be asked for again. Default 60 s.
    pub hold: Duration,
    /// How often a client asks again after 0xD3. Default 5.
    pub retries: u32,
    /// Pause of a client before it asks again. Default 1 s.
    pub pause: Duration,
    /// Only what the binding says is taken.
    pub strict: bool,
    /// By what a client answers the challenge of a server; what a server asks clients for. Default none: DM asks for its own.
    pub credentials: Option<BasicCredentials>,
    /// Media types that a server takes by Put, in lower case and without parameters.
    pub accepts: &'static [&'static str],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_packet: u16::MAX,
            max_object: (64 << 10) + (64 << 10) / 10,
            silence: Duration::from_secs(120),
            hold: Duration::from_secs(60),
            retries: 5,
            pause: Duration::from_secs(1),
            strict: false,
            credentials: None,
            accepts: MESSAGES,
        }
    }
}

/// The media types of DM messages.
pub const MESSAGES: &[&str] = &[SYNCML_DM_WBXML, SYNCML_DM_XML];

/// The media types of what a server puts to a device before any message of a session: notifications, bootstraps and messages.
pub const PUSHES: &[&str] =
    &[TRIGGER_TYPE, NOTIFICATION_TYPE, WBXML_TYPE, XML_TYPE, SYNCML_DM_WBXML, SYNCML_DM_XML];

impl Settings {
    /// The same within what the standard allows.
    fn legal(self) -> Self {
        Self { max_packet: self.max_packet.max(MIN_PACKET), ..self }
    }

    fn leniency(&self) -> Leniency {
        if self.strict { Leniency::strict() } else { Leniency::lenient() }
    }

    /// Limits of a packet.
    fn limits(&self) -> Limits {
        Limits { bytes: self.max_packet.into(), depth: 1, items: MAX_HEADERS }
    }
}

/// Why a connection, or what went on over it, came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The other side answered a request with a code that is no success. The connection is still there.
    #[error("{request} was answered {code}")]
    Refused {
        /// Which.
        request: &'static str,
        /// How.
        code: ResponseCode,
    },
    /// A packet that is none.
    #[error("a packet cannot be read: {0}")]
    Malformed(DecodeError),
    /// A packet that is one but does not fit.
    #[error("the other side does not keep to the binding: {0}")]
    Protocol(&'static str),
    /// The object is over the limit.
    #[error("an object is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Nothing came.
    #[error("the other side was silent for {seconds} s")]
    Silent {
        /// For how long.
        seconds: u64,
    },
    /// It asks for credentials that there are none of.
    #[error("the other side wants OBEX credentials, and there are none, or they are wrong")]
    Unauthorized,
    /// A header that no packet of the other side has room for.
    #[error("{} does not fit into a packet of {limit} octets", .id.name())]
    NoRoom {
        /// Which.
        id: HeaderId,
        /// Octets of a packet.
        limit: u16,
    },
}

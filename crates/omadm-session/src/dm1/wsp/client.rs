//! A client of a WAP gateway: requests in words of HTTP, one at a time.

use std::fmt;
use std::time::Duration;

use omadm_codec::wsp::{Content, Header, Media, Method, Pdu, Status, Text};
use omadm_codec::{DecodeError, Limits};
use zeroize::Zeroizing;

use super::connection::Connection;
use super::connectionless::Connectionless;
use super::segments::TooLong;
use super::settings::Settings;
use super::transaction::Abort;
use crate::Body;

/// Most headers and capabilities in a message of a gateway.
const MAX_ITEMS: usize = 200;

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In a session over WTP, which repeats what is lost and takes messages of any size; UDP port 9201.
    #[default]
    Connection,
    /// Each in a datagram by itself; UDP port 9200. What is lost is for others to send again.
    Connectionless,
}

/// A request. `Debug` does not show what it holds.
pub struct Request {
    /// The method; one with a body.
    pub method: Method,
    /// Absolute.
    pub uri: Text,
    /// `Content-Type`.
    pub media: Media,
    /// The other headers.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("uri", &self.uri).field("body", &self.body).finish_non_exhaustive()
    }
}

impl Request {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let Self { method, uri, media, headers, body } = self;
        let content = Content { media: media.clone(), headers: headers.clone(), body };
        Pdu::Post { method: *method, uri: uri.clone(), content }.encode(out);
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub media: Option<Media>,
    /// The other headers.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

impl Reply {
    /// `None` for a status that is none of HTTP.
    pub(super) fn of(status: Status, content: Option<Content<'_>>) -> Option<Self> {
        let status = status.to_http()?;
        Some(match content {
            Some(Content { media, headers, body }) => {
                Self { status, media: Some(media), headers, body: body.to_vec().into() }
            }
            None => Self { status, media: None, headers: Vec::new(), body: Body::default() },
        })
    }
}

/// A push that the gateway sent in the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// Whether the gateway wanted to know that it came; it was told.
    pub confirmed: bool,
    /// `Content-Type`.
    pub media: Media,
    /// The other headers.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

impl PushMessage {
    pub(super) fn of(content: Content<'_>, confirmed: bool) -> Self {
        let Content { media, headers, body } = content;
        Self { confirmed, media, headers, body: body.to_vec().into() }
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nothing came.
    #[error("the gateway does not answer")]
    NoResponse,
    /// The reply is larger than what is taken.
    #[error("the answer is larger than {most} octets")]
    AnswerTooLarge {
        /// As many as are taken.
        most: usize,
    },
    /// The gateway's WTP gave up.
    #[error("the gateway gave the transaction up, with reason {0:#04x} of WTP")]
    GivenUp(u8),
    /// The gateway's WSP gave up.
    #[error("the gateway ended it: {0}")]
    Ended(&'static str),
    /// The gateway wants the session to be had elsewhere.
    #[error("the gateway redirects to another one, which the configuration does not name")]
    Redirected,
    /// The request does not fit.
    #[error("{0}; connection mode and smaller messages (dm1.max_message) help")]
    RequestTooLarge(#[from] TooLong),
    /// The reply is no reply.
    #[error("the gateway answers what is no WSP: {0}")]
    Unreadable(DecodeError),
    /// The reply is another PDU than the one that is due, or has a status of no meaning.
    #[error("the gateway answers out of turn")]
    OutOfTurn,
}

impl Failure {
    pub(super) fn of(abort: Abort, settings: &Settings) -> Self {
        match abort {
            Abort::NoResponse => Self::NoResponse,
            Abort::TooLarge => Self::AnswerTooLarge { most: settings.message },
            Abort::Provider(reason) => Self::GivenUp(reason.0),
            Abort::User(reason) => Self::Ended(reason.meaning()),
        }
    }
}

/// What the client wants or tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// A datagram is to be sent to the gateway.
    Transmit(Vec<u8>),
    /// The reply to the request.
    Reply(Reply),
    /// There is no reply to the request.
    Failed(Failure),
    /// A push came.
    Push(PushMessage),
    /// A datagram that cannot be read was dropped.
    Dropped(DecodeError),
}

/// A client of one gateway.
#[derive(Debug)]
pub struct Client(Machine);

#[derive(Debug)]
enum Machine {
    Connection(Box<Connection>),
    Connectionless(Connectionless),
}

impl Client {
    /// `first` is the number of its first transaction: any, best a random one.
    #[must_use]
    pub fn new(mode: Mode, settings: Settings, first: u16) -> Self {
        Self(match mode {
            Mode::Connection => Machine::Connection(Box::new(Connection::new(settings, first))),
            Mode::Connectionless => Machine::Connectionless(Connectionless::new(settings, first)),
        })
    }

    /// Sends a request, in a session that is opened if there is none. One that was under way gets no reply any more.
    pub fn request(&mut self, now: Duration, request: &Request) {
        let mut encoded = Zeroizing::new(Vec::new());
        request.encode(&mut encoded);
        match &mut self.0 {
            Machine::Connection(connection) => connection.request(now, encoded),
            Machine::Connectionless(connectionless) => connectionless.request(now, &encoded),
        }
    }

    /// Takes a datagram of the gateway.
    pub fn datagram(&mut self, now: Duration, octets: &[u8]) {
        match &mut self.0 {
            Machine::Connection(connection) => connection.datagram(now, octets),
            Machine::Connectionless(connectionless) => connectionless.datagram(octets),
        }
    }

    /// The time has come that [`Client::wake_at`] named.
    pub fn tick(&mut self, now: Duration) {
        match &mut self.0 {
            Machine::Connection(connection) => connection.tick(now),
            Machine::Connectionless(connectionless) => connectionless.tick(now),
        }
    }

    /// When [`Client::tick`] is to be called.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        match &self.0 {
            Machine::Connection(connection) => connection.wake_at(),
            Machine::Connectionless(connectionless) => connectionless.wake_at(),
        }
    }

    /// The next output; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        match &mut self.0 {
            Machine::Connection(connection) => connection.poll(),
            Machine::Connectionless(connectionless) => connectionless.poll(),
        }
    }

    /// Ends the session, if there is one.
    pub fn disconnect(&mut self, now: Duration) {
        if let Machine::Connection(connection) = &mut self.0 {
            connection.disconnect(now);
        }
    }
}

/// Bounds on a message of the gateway.
pub(super) fn limits(settings: &Settings) -> Limits {
    Limits { bytes: settings.message, items: MAX_ITEMS, ..Limits::default() }
}

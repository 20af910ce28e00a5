//! SIP as push needs it (`RFC 3261`, `RFC 3428`): requests and responses with their header fields.
//!
//! Here: messages, one a datagram or framed by `Content-Length` in a stream.
//! Never here: transactions and registrations, which are in `omadm-session`.

mod address;
mod decode;

use std::fmt::Write as _;

pub use crate::head::Field;
pub use address::{Via, parameter, tag, uri_of, with_tag};
pub use decode::{Broken, decode, frame};

/// The one version there is.
pub const VERSION: &str = "SIP/2.0";
/// Begins every branch of this version (`RFC 3261 §8.1.1.7`).
pub const MAGIC_COOKIE: &str = "z9hG4bK";
/// Feature tag of the push application in `Contact` and `Accept-Contact`.
pub const PUSH_FEATURE: &str = "+g.oma.pusheventapp";
/// Value of [`PUSH_FEATURE`] for device management: the application's URN without `x-wap-application:` [choice].
pub const DM_FEATURE: &str = "syncml.dm";
/// Most octets of a request that goes over UDP (`RFC 3261 §18.1.1`); larger ones go over TCP.
pub const MAX_UDP_REQUEST: usize = 1_300;
/// Most octets of a message that is taken [choice].
pub const MAX_MESSAGE: usize = 48 << 10;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub start: Start,
    /// Its header fields but `Content-Length`, by their long names, in order.
    pub fields: Vec<Field>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The start line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// Method, such as `MESSAGE`.
        method: String,
        /// Request-URI.
        uri: String,
    },
    /// A response.
    Response {
        /// Status code, 100 to 699.
        code: u16,
        /// Reason phrase.
        reason: String,
    },
}

/// `CSeq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Its number, below 2³¹.
    pub number: u32,
    /// Its method.
    pub method: String,
}

impl Message {
    /// A request with its fields. `method` and `uri` lose white space and control characters.
    #[must_use]
    pub fn request(method: &str, uri: &str, fields: Vec<Field>, body: Vec<u8>) -> Self {
        Self { start: Start::Request { method: word(method), uri: word(uri) }, fields, body }
    }

    /// The response to this request: with its `Via`s, `From`, `To`, `Call-ID` and `CSeq` (`RFC 3261 §8.2.6.2`); `to_tag` is added where `To`
    /// has none.
    #[must_use]
    pub fn response(&self, code: u16, to_tag: &str) -> Self {
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
        let kept = self.fields.iter().filter(|field| copied.iter().any(|name| field.is(name)));
        let fields = kept.map(|field| match field.is("To") {
            true => Field::new("To", &with_tag(field.value(), to_tag)),
            false => field.clone(),
        });
        let start = Start::Response { code, reason: reason(code).to_owned() };
        Self { start, fields: fields.collect(), body: Vec::new() }
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push(Field::new(name, value));
        self
    }

    /// The value of the first field of this name, in its long form.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.is(name)).map(Field::value)
    }

    /// The values of all fields of this name, in its long form.
    pub fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        self.fields.iter().filter(move |field| field.is(name)).map(Field::value)
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status code of a response.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match &self.start {
            Start::Response { code, .. } => Some(*code),
            Start::Request { .. } => None,
        }
    }

    /// `CSeq`.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.field("CSeq")?)
    }

    /// The topmost `Via`.
    #[must_use]
    pub fn via(&self) -> Option<Via> {
        Via::parse(self.field("Via")?)
    }

    /// Puts `via` in the place of the topmost one.
    pub fn set_via(&mut self, via: &Via) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.is("Via")) {
            let rest = address::after_first(field.value()).map(str::to_owned);
            let mut value = via.to_string();
            if let Some(rest) = rest {
                // Writing to a string cannot fail.
                let _written = write!(value, ", {rest}");
            }
            *field = Field::new("Via", &value);
        }
    }

    /// Appends the message, with `Content-Length`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} {VERSION}\r\n"),
            Start::Response { code, reason } => format!("{VERSION} {code:03} {reason}\r\n"),
        };
        out.extend_from_slice(start.as_bytes());
        self.fields.iter().for_each(|field| field.encode(out));
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        out.extend_from_slice(&self.body);
    }
}

impl CSeq {
    /// Reads `number method`.
    fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.split_once([' ', '\t'])?;
        let number = number.parse().ok().filter(|value| *value < 1 << 31 && !number.starts_with('+'))?;
        let method = method.trim_start_matches([' ', '\t']);
        crate::media_type::is_token(method).then(|| Self { number, method: method.to_owned() })
    }
}

/// `text` without what no start line can carry.
fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

/// The phrase for a status code that push uses (`RFC 3261 §21`).
fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        488 => "Not Acceptable Here",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        _ => "",
    }
}

//! Requests of others: a user agent that takes MESSAGE and says so to OPTIONS.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use omadm_auth::dm1::HMAC_HEADER;
use omadm_codec::media_type::MediaType;
use omadm_codec::sip::{self, DM_FEATURE, Message, PUSH_FEATURE, Start};
use omadm_codec::{DecodeError, Limits};

use super::TRANSACTION;

/// What is taken.
const ALLOW: &str = "MESSAGE, OPTIONS";
/// Most transactions that are remembered; one more forgets the oldest.
const MAX_TRANSACTIONS: usize = 256;
/// Most octets of the responses that are remembered for them: a response has the fields of its request in it, and a device is small.
const MAX_REMEMBERED: usize = 128 << 10;

/// Octets that came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// One message.
    pub octets: &'a [u8],
    /// From where.
    pub source: SocketAddr,
    /// When.
    pub now: Instant,
    /// A word that nobody can guess, for the tag of the answer.
    pub unique: &'a str,
}

/// What follows from a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// The response, and where it goes over UDP; over TCP it goes back on the connection.
    pub answer: Option<(Vec<u8>, SocketAddr)>,
    /// A push that was taken.
    pub taken: Option<Taken>,
    /// A response to a request of ours.
    pub response: Option<Box<Message>>,
}

/// What a MESSAGE brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// `Content-Type`.
    pub content_type: String,
    /// Whether `Accept-Contact` says that it is for the DM application.
    pub for_dm: bool,
    /// `Date`, as it is written.
    pub date: Option<String>,
    /// Whom it says it is from: nobody has proved that.
    pub from: String,
    /// `x-syncml-hmac`, by which the sender of a message of DM 1.x proves itself.
    pub hmac: Option<String>,
    /// The content.
    pub body: Vec<u8>,
}

/// The user agent server.
#[derive(Debug)]
pub struct Server {
    /// Media types that are taken.
    accept: &'static [&'static str],
    limits: Limits,
    transactions: VecDeque<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    key: [String; 3],
    until: Instant,
    response: Vec<u8>,
}

impl Server {
    /// Takes content of these media types, of `limits.bytes` at most.
    #[must_use]
    pub fn new(accept: &'static [&'static str], limits: Limits) -> Self {
        Self { accept, limits, transactions: VecDeque::new() }
    }

    /// Takes a message. `has_room` says whether a push could be kept.
    ///
    /// # Errors
    /// When it is no message of SIP that can be answered.
    pub fn receive(&mut self, arrival: Arrival<'_>, has_room: bool) -> Result<Reaction, DecodeError> {
        let mut request = match sip::decode(arrival.octets, &self.limits) {
            Ok(message) if message.code().is_some() => {
                return Ok(Reaction { response: Some(Box::new(message)), ..Reaction::default() });
            }
            Ok(request) => request,
            Err(broken) => return self.refuse(broken, arrival),
        };
        if request.method() == Some("ACK") {
            return Ok(Reaction::default());
        }
        let Some(back) = way_back(&mut request, arrival.source) else { return Ok(Reaction::default()) };
        self.transactions.retain(|transaction| arrival.now < transaction.until);
        let key = key(&request);
        if let Some(before) = self.transactions.iter().find(|before| Some(&before.key) == key.as_ref()) {
            return Ok(Reaction { answer: Some((before.response.clone(), back)), ..Reaction::default() });
        }
        let (response, taken) = match self.judge(&request, has_room) {
            Ok(taken) => (self.ok(&request, arrival.unique), taken),
            Err(code) => (self.refusal(&request, code, arrival.unique), None),
        };
        let mut octets = Vec::new();
        response.encode(&mut octets);
        if let Some(key) = key {
            self.remember(Transaction { key, until: arrival.now + TRANSACTION, response: octets.clone() });
        }
        Ok(Reaction { answer: Some((octets, back)), taken, response: None })
    }

    fn remember(&mut self, transaction: Transaction) {
        self.transactions.push_back(transaction);
        let mut octets: usize = self.transactions.iter().map(|kept| kept.response.len()).sum();
        while self.transactions.len() > MAX_TRANSACTIONS || octets > MAX_REMEMBERED {
            let Some(oldest) = self.transactions.pop_front() else { return };
            octets = octets.saturating_sub(oldest.response.len());
        }
    }

    /// 400 for a request that is broken but says whom to tell.
    fn refuse(&self, broken: sip::Broken, arrival: Arrival<'_>) -> Result<Reaction, DecodeError> {
        let head = broken.head.filter(|head| head.method().is_some_and(|method| method != "ACK"));
        let Some(mut head) = head else { return Err(broken.error) };
        let Some(back) = way_back(&mut head, arrival.source) else { return Err(broken.error) };
        let warning = format!("399 omadm \"{}\"", broken.error.to_string().replace(['"', '\\'], "'"));
        let mut octets = Vec::new();
        head.response(400, arrival.unique).with("Warning", &warning).encode(&mut octets);
        Ok(Reaction { answer: Some((octets, back)), ..Reaction::default() })
    }

    /// The push in a request, or the status code that refuses it (`RFC 3261 §8.2`).
    fn judge(&self, request: &Message, has_room: bool) -> Result<Option<Taken>, u16> {
        let Start::Request { method, uri } = &request.start else { return Err(400) };
        match method.as_str() {
            "MESSAGE" | "OPTIONS" => {}
            // There is never anything left that could be cancelled.
            "CANCEL" => return Err(481),
            _ => return Err(405),
        }
        let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return Err(416);
        }
        if request.field("Require").is_some() {
            return Err(420);
        }
        // It belongs to a dialog, and there are none here.
        if request.field("To").and_then(sip::tag).is_some() {
            return Err(481);
        }
        if method == "OPTIONS" {
            return Ok(None);
        }
        let for_dm = wanted_application(request).map(|application| application == DM_FEATURE);
        if for_dm == Some(false) {
            return Err(488);
        }
        let content_type = request.field("Content-Type").unwrap_or_default();
        let known =
            MediaType::parse(content_type).is_ok_and(|media| self.accept.contains(&media.essence.as_str()));
        if !known
            || encodes(request, "Content-Encoding", &["identity"])
            || encodes(request, "Content-Transfer-Encoding", &["binary", "8bit", "7bit"])
        {
            return Err(415);
        }
        if !has_room {
            return Err(480);
        }
        Ok(Some(Taken {
            content_type: content_type.to_owned(),
            for_dm: for_dm.is_some(),
            date: request.field("Date").map(str::to_owned),
            from: request.field("From").and_then(sip::uri_of).unwrap_or_default().to_owned(),
            hmac: request.field(HMAC_HEADER).map(str::to_owned),
            body: request.body.clone(),
        }))
    }

    fn ok(&self, request: &Message, tag: &str) -> Message {
        let response = request.response(200, tag);
        if request.method() == Some("OPTIONS") {
            return response.with("Allow", ALLOW).with("Accept", &self.accept.join(", "));
        }
        response
    }

    fn refusal(&self, request: &Message, code: u16, tag: &str) -> Message {
        let response = request.response(code, tag);
        match code {
            405 => response.with("Allow", ALLOW),
            415 => response.with("Accept", &self.accept.join(", ")).with("Accept-Encoding", "identity"),
            420 => response.with("Unsupported", request.field("Require").unwrap_or_default()),
            480 => response.with("Retry-After", "30"),
            _ => response,
        }
    }
}

/// Notes in the topmost `Via` where a request came from; gives where its response goes over UDP (`RFC 3261 §18.2.2`, `RFC 3581 §4`):
/// always to the address that it came from, so that nobody can have others flooded.
fn way_back(request: &mut Message, source: SocketAddr) -> Option<SocketAddr> {
    let mut via = request.via()?;
    let port = match via.parameter("rport") {
        Some(_) => source.port(),
        None => via.port.unwrap_or(5060),
    };
    via.came_from(source);
    request.set_via(&via);
    Some(SocketAddr::new(source.ip(), port))
}

/// What two requests of one transaction have in common (`RFC 3261 §17.2.3`).
fn key(request: &Message) -> Option<[String; 3]> {
    let via = request.via()?;
    let sent_by = format!("{}:{}", via.host, via.port.unwrap_or_default());
    Some([via.branch()?.to_owned(), sent_by, request.method()?.to_owned()])
}

/// The push application that `Accept-Contact` demands.
fn wanted_application(request: &Message) -> Option<String> {
    let values = request.all("Accept-Contact");
    let mut pieces = values.flat_map(|value| value.split([';', ',']));
    let value = pieces.find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        name.trim().eq_ignore_ascii_case(PUSH_FEATURE).then_some(value)
    })?;
    Some(value.trim().trim_matches('"').to_ascii_lowercase())
}

/// Whether a field names an encoding that is none of these.
fn encodes(request: &Message, name: &str, plain: &[&str]) -> bool {
    let encoded = |value: &str| !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain));
    request.all(name).any(encoded)
}

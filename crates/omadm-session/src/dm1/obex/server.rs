//! The OBEX server: takes what the other side puts, and gives what it gets.

use core::time::Duration;
use std::collections::VecDeque;

use omadm_auth::Secret;
use omadm_auth::dm1::obex_digest;
use omadm_codec::obex::{
    Challenge, ConnectFields, Header, HeaderId, Opcode, Packet as _, Proof, Request, Response, ResponseCode,
    TARGET_DM,
};
use omadm_codec::{Leniency, Tolerance};

use super::frame::Framer;
use super::object::{Incoming, Object, Outgoing, Unfit, is_one_of, media_type};
use super::{Failure, Settings};

/// Connects that may be refused before the connection ends.
const MAX_REFUSED: u32 = 3;
/// Who asks for credentials, after the octet that stands for ASCII.
const REALM: &[u8] = b"\0omadm";

/// What the server tells its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Octets for the other side.
    Transmit(Vec<u8>),
    /// The other side has connected, and proved to be this user if it was asked.
    Connected {
        /// As it was named.
        user: Option<String>,
    },
    /// An object was put. The answer is [`Server::answer`], [`Server::decline`] or [`Server::finish`].
    Put(Object),
    /// The answer is asked for, and there is none yet.
    Get,
    /// The answer was got.
    Answered,
    /// What was going on is off; an answer that is due is not any more.
    Aborted,
    /// Something was tolerated.
    Tolerated(Tolerance),
    /// The connection is over: `None` when the other side has disconnected.
    Over(Option<Failure>),
}

/// What the next request has to be.
#[derive(Debug)]
enum Turn {
    /// A Put may begin.
    Put,
    /// One is coming in.
    Putting(Box<Incoming>),
    /// A Get may come; its answer may be there already.
    Get(Option<Answer>),
    /// One came, and its answer is held back until there is one, or so long.
    Held { until: Duration },
    /// The answer goes out.
    Answering(Box<Outgoing>),
    /// There will be no answer: a Get finds nothing, a Put begins anew.
    Ended,
}

/// The answer to a Get.
#[derive(Debug)]
enum Answer {
    Object(Object),
    Code(ResponseCode),
}

/// A connection that there is.
#[derive(Clone, Copy, Debug)]
struct Connected {
    /// Its number; none where the client has named no service.
    id: Option<u32>,
    /// Largest packet to send.
    max_packet: u16,
}

/// The server of one link.
///
/// ```text
/// Put --parts--> Putting --last--> Get --Get, no answer yet--> Held --answer--> Answering --last--> Put
///                                   |  <--60 s, 0xD3---------------'               ^
///                                   '--Get, answer is there------------------------'
/// ```
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    nonce: [u8; 16],
    next_id: u32,
    framer: Framer,
    connected: Option<Connected>,
    refused: u32,
    turn: Turn,
    /// When the last packet came.
    heard: Duration,
    is_over: bool,
    events: VecDeque<Event>,
}

impl Server {
    /// For a link that is up. `nonce` is asked to be answered where there are credentials, so it was never used before; `now` is the
    /// time since any moment, the same for all calls.
    #[must_use]
    pub fn new(settings: Settings, nonce: [u8; 16], now: Duration) -> Self {
        Self {
            settings: settings.legal(),
            nonce,
            next_id: 1,
            framer: Framer::default(),
            connected: None,
            refused: 0,
            turn: Turn::Put,
            heard: now,
            is_over: false,
            events: VecDeque::new(),
        }
    }

    /// Takes octets as they come from the link.
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        self.framer.push(octets);
        while !self.is_over {
            match self.framer.next(self.settings.max_packet) {
                Ok(Some(packet)) => {
                    // A packet that comes octet by octet is none until it is there.
                    self.heard = now;
                    self.packet(&packet, now);
                }
                Ok(None) => return,
                Err(error) => {
                    self.respond(ResponseCode::BAD_REQUEST);
                    self.end(Some(Failure::Malformed(error)));
                }
            }
        }
    }

    /// What the object that was put last is answered with. Of no use when that is off.
    pub fn answer(&mut self, object: Object) {
        self.give(Answer::Object(object));
    }

    /// The object that was put last is answered by nothing but a code.
    pub fn decline(&mut self, code: ResponseCode) {
        self.give(Answer::Code(code));
    }

    /// There is nothing more to answer: a Get is told so (0xC4), a Put begins anew.
    pub fn finish(&mut self) {
        if matches!(self.turn, Turn::Held { .. }) {
            self.respond(ResponseCode::NOT_FOUND);
        }
        self.turn = Turn::Ended;
    }

    /// When [`Server::wake`] has to be called at the latest; `None` when it is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let silence = self.heard.saturating_add(self.settings.silence);
        (!self.is_over).then_some(match self.turn {
            Turn::Held { until } => until,
            _ => silence,
        })
    }

    /// Lets what is due happen.
    pub fn wake(&mut self, now: Duration) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if matches!(self.turn, Turn::Held { .. }) {
            self.turn = Turn::Get(None);
            self.heard = now;
            self.respond(ResponseCode::SERVICE_UNAVAILABLE);
        } else {
            self.end(Some(Failure::Silent { seconds: self.settings.silence.as_secs() }));
        }
    }

    /// The link is down.
    pub fn lost(&mut self) {
        if !self.is_over {
            self.end(Some(Failure::Protocol("the link ended without Disconnect")));
        }
    }

    /// What the host is told, until there is nothing more.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn packet(&mut self, packet: &[u8], now: Duration) {
        let Some((opcode, _)) = packet.first().and_then(|octet| Opcode::of(*octet)) else {
            return self.respond(ResponseCode::NOT_IMPLEMENTED);
        };
        let Ok(request) = Request::decode(packet, &self.settings.limits()) else {
            return self.respond_to(opcode, ResponseCode::BAD_REQUEST);
        };
        match opcode {
            Opcode::Connect => self.connect(&request),
            Opcode::Disconnect => self.disconnect(&request),
            Opcode::SetPath => self.respond(ResponseCode::NOT_IMPLEMENTED),
            Opcode::Abort => {
                self.respond(ResponseCode::SUCCESS);
                self.abort();
            }
            Opcode::Put => self.put(&request),
            Opcode::Get => self.get(&request, now),
        }
    }

    /// What was going on is off.
    fn abort(&mut self) {
        if !matches!(self.turn, Turn::Put | Turn::Ended) {
            self.events.push_back(Event::Aborted);
        }
        self.turn = Turn::Put;
    }

    fn connect(&mut self, request: &Request<'_>) {
        self.abort();
        self.connected = None;
        let mut leniency = self.settings.leniency();
        let id = match self.service(request, &mut leniency) {
            Ok(id) => id,
            Err(code) => return self.refuse_connect(code, None),
        };
        let user = match self.prove(request) {
            Ok(user) => user,
            Err(()) => {
                let challenge = Challenge { nonce: self.nonce, wants_user: true, realm: REALM };
                return self.refuse_connect(ResponseCode::UNAUTHORIZED, Some(&challenge));
            }
        };
        self.tell(leniency);
        let theirs = request.connect.map_or(self.settings.max_packet, |fields| fields.max_packet);
        self.connected = Some(Connected { id, max_packet: theirs.min(self.settings.max_packet) });
        self.refused = 0;
        let mut headers = Vec::new();
        if let Some(id) = id {
            headers.push(Header::Number(HeaderId::CONNECTION_ID, id));
            headers.push(Header::Octets(HeaderId::WHO, TARGET_DM));
        }
        self.events.push_back(Event::Connected { user });
        self.transmit(&Response {
            code: ResponseCode::SUCCESS,
            connect: Some(ConnectFields { max_packet: self.settings.max_packet }),
            headers,
        });
    }

    /// The number of the connection, if the service that is wanted is ours.
    fn service(
        &mut self,
        request: &Request<'_>,
        leniency: &mut Leniency,
    ) -> Result<Option<u32>, ResponseCode> {
        let mut targets = request.headers.iter().filter(|header| header.id() == HeaderId::TARGET);
        match (targets.next(), targets.next()) {
            (Some(Header::Octets(_, target)), None) if *target == TARGET_DM => {
                let id = self.next_id;
                self.next_id = self.next_id.wrapping_add(1).max(1);
                Ok(Some(id))
            }
            (Some(_), None) => Err(ResponseCode::NOT_FOUND),
            (None, _) if leniency.allow(Tolerance::UndirectedObex) => Ok(None),
            (None, _) | (Some(_), Some(_)) => Err(ResponseCode::BAD_REQUEST),
        }
    }

    /// The user that the other side has proved to be, where it has to.
    fn prove(&self, request: &Request<'_>) -> Result<Option<String>, ()> {
        let Some(credentials) = &self.settings.credentials else { return Ok(None) };
        let proof = request.octets(HeaderId::PROOF).and_then(|value| Proof::decode(value).ok()).ok_or(())?;
        let expected = obex_digest(&self.nonce, &credentials.password);
        let is_right = Secret::new(proof.digest.to_vec()) == Secret::new(expected.to_vec());
        let is_user = proof.user == credentials.user.as_bytes();
        let is_ours = proof.nonce.is_none_or(|nonce| nonce == self.nonce);
        (is_right && is_user && is_ours).then(|| Some(credentials.user.clone())).ok_or(())
    }

    fn refuse_connect(&mut self, code: ResponseCode, challenge: Option<&Challenge<'_>>) {
        let challenge = challenge.map(Challenge::encode);
        let headers = challenge.iter().map(|value| Header::Octets(HeaderId::CHALLENGE, value)).collect();
        let connect = Some(ConnectFields { max_packet: self.settings.max_packet });
        self.transmit(&Response { code, connect, headers });
        self.refused += 1;
        if self.refused >= MAX_REFUSED {
            self.end(Some(Failure::Protocol("Connect was refused too often")));
        }
    }

    fn disconnect(&mut self, request: &Request<'_>) {
        if let Err(code) = self.check_connection(request, true) {
            return self.respond(code);
        }
        self.respond(ResponseCode::SUCCESS);
        self.end(None);
    }

    /// Whether a request belongs to the connection; it has to say so if it is the `first` packet of what it wants.
    fn check_connection(&self, request: &Request<'_>, first: bool) -> Result<Connected, ResponseCode> {
        let connected = self.connected.ok_or(ResponseCode::BAD_REQUEST)?;
        let is_id = |header: &Header<'_>| header.id() == HeaderId::CONNECTION_ID;
        if request.headers.iter().any(|header| header.id() == HeaderId::TARGET)
            || request.headers.iter().skip(1).any(is_id)
        {
            return Err(ResponseCode::BAD_REQUEST);
        }
        match (request.number(HeaderId::CONNECTION_ID), connected.id) {
            (None, Some(_)) if first => Err(ResponseCode::BAD_REQUEST),
            (None, _) => Ok(connected),
            (given, ours) if given == ours => Ok(connected),
            (Some(_), _) => Err(ResponseCode::NOT_FOUND),
        }
    }

    fn put(&mut self, request: &Request<'_>) {
        let first = !matches!(self.turn, Turn::Putting(_));
        if let Err(code) = self.check_connection(request, first) {
            return self.respond(code);
        }
        let mut incoming = match core::mem::replace(&mut self.turn, Turn::Put) {
            Turn::Putting(incoming) => incoming,
            Turn::Put | Turn::Ended => Box::default(),
            other => {
                self.turn = other;
                return self.respond(ResponseCode::SERVICE_UNAVAILABLE);
            }
        };
        let mut leniency = self.settings.leniency();
        match self.take(&mut incoming, request, &mut leniency) {
            Ok(()) if !request.is_final => {
                self.tell(leniency);
                self.turn = Turn::Putting(incoming);
                self.respond(ResponseCode::CONTINUE);
            }
            Ok(()) => match whole(*incoming, &mut leniency) {
                Ok(object) => {
                    self.tell(leniency);
                    self.turn = Turn::Get(None);
                    self.respond(ResponseCode::SUCCESS);
                    self.events.push_back(Event::Put(object));
                }
                Err(code) => self.respond(code),
            },
            Err(code) => self.respond(code),
        }
    }

    /// Takes a part of an object, if its type is one that is taken here.
    fn take(
        &self,
        incoming: &mut Incoming,
        request: &Request<'_>,
        leniency: &mut Leniency,
    ) -> Result<(), ResponseCode> {
        incoming.take(&request.headers, self.settings.max_object, leniency).map_err(Unfit::code)?;
        let is_taken = |name| is_one_of(name, self.settings.accepts);
        incoming.media_type().is_none_or(is_taken).then_some(()).ok_or(ResponseCode::UNSUPPORTED_MEDIA_TYPE)
    }

    fn get(&mut self, request: &Request<'_>, now: Duration) {
        let first = !matches!(self.turn, Turn::Answering(_));
        let connected = match self.check_connection(request, first) {
            Ok(connected) => connected,
            Err(code) => return self.respond(code),
        };
        match core::mem::replace(&mut self.turn, Turn::Put) {
            Turn::Answering(outgoing) => self.go_on(outgoing, connected),
            Turn::Get(answer) if !request.is_final => {
                self.turn = Turn::Get(answer);
                self.respond(ResponseCode::CONTINUE);
            }
            Turn::Get(answer) => {
                let mut leniency = self.settings.leniency();
                let wanted = request.octets(HeaderId::TYPE).map(|value| media_type(value, &mut leniency));
                match wanted.transpose() {
                    Ok(wanted) if wanted.as_ref().is_none_or(|name| is_one_of(name, super::MESSAGES)) => {
                        self.tell(leniency);
                        self.turn = Turn::Held { until: now.saturating_add(self.settings.hold) };
                        match answer {
                            Some(answer) => self.give(answer),
                            None => self.events.push_back(Event::Get),
                        }
                    }
                    Ok(_) => {
                        self.turn = Turn::Get(answer);
                        self.respond(ResponseCode::NOT_ACCEPTABLE);
                    }
                    Err(unfit) => {
                        self.turn = Turn::Get(answer);
                        self.respond(unfit.code());
                    }
                }
            }
            Turn::Ended => {
                self.turn = Turn::Ended;
                self.respond(ResponseCode::NOT_FOUND);
            }
            other => {
                self.turn = other;
                self.respond(ResponseCode::SERVICE_UNAVAILABLE);
            }
        }
    }

    fn give(&mut self, answer: Answer) {
        match (&self.turn, answer) {
            (Turn::Get(_), answer) => self.turn = Turn::Get(Some(answer)),
            (Turn::Held { .. }, Answer::Code(code)) => {
                self.turn = Turn::Ended;
                self.respond(code);
            }
            (Turn::Held { .. }, Answer::Object(object)) => {
                if let Some(connected) = self.connected {
                    self.go_on(Box::new(Outgoing::new(None, object)), connected);
                }
            }
            _ => {}
        }
    }

    /// The next part of an answer.
    fn go_on(&mut self, mut outgoing: Box<Outgoing>, connected: Connected) {
        let part = outgoing.next(connected.max_packet, |is_last, headers| {
            let code = if is_last { ResponseCode::SUCCESS } else { ResponseCode::CONTINUE };
            (is_last, Response { code, connect: None, headers }.encode())
        });
        match part {
            Ok((is_last, octets)) => {
                self.events.extend(octets.map(Event::Transmit));
                if is_last {
                    self.turn = Turn::Put;
                    self.events.push_back(Event::Answered);
                } else {
                    self.turn = Turn::Answering(outgoing);
                }
            }
            Err(failure) => {
                self.respond(ResponseCode::INTERNAL_ERROR);
                self.end(Some(failure));
            }
        }
    }

    fn respond(&mut self, code: ResponseCode) {
        self.transmit(&Response { code, connect: None, headers: Vec::new() });
    }

    /// As [`Server::respond`]; the answer to Connect has more fields.
    fn respond_to(&mut self, opcode: Opcode, code: ResponseCode) {
        if opcode == Opcode::Connect { self.refuse_connect(code, None) } else { self.respond(code) }
    }

    fn transmit(&mut self, response: &Response<'_>) {
        self.events.extend(response.encode().map(Event::Transmit));
    }

    fn end(&mut self, failure: Option<Failure>) {
        self.is_over = true;
        // An answer that comes now goes nowhere.
        self.turn = Turn::Ended;
        self.events.push_back(Event::Over(failure));
    }

    fn tell(&mut self, leniency: Leniency) {
        self.events.extend(leniency.used.into_iter().map(Event::Tolerated));
    }
}

/// An object whose last packet has come, if it says what it is.
fn whole(incoming: Incoming, leniency: &mut Leniency) -> Result<Object, ResponseCode> {
    let object = incoming.finish(leniency).map_err(Unfit::code)?.with_type(leniency);
    if object.media_type.is_some() { Ok(object) } else { Err(ResponseCode::UNSUPPORTED_MEDIA_TYPE) }
}

impl Unfit {
    fn code(self) -> ResponseCode {
        match self {
            Self::TooLarge => ResponseCode::TOO_LARGE,
            Self::NoLength => ResponseCode::LENGTH_REQUIRED,
            Self::Malformed(_) => ResponseCode::BAD_REQUEST,
        }
    }
}

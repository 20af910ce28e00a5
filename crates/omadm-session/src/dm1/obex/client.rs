//! The OBEX client: puts, gets, and ends.

use core::time::Duration;
use std::collections::VecDeque;

use omadm_auth::dm1::obex_digest;
use omadm_codec::obex::{
    Challenge, ConnectFields, Header, HeaderId, MIN_PACKET, Opcode, Packet as _, Proof, Request, Response,
    ResponseCode, TARGET_DM,
};
use omadm_codec::{Leniency, Tolerance};

use super::frame::Framer;
use super::object::{Field, Incoming, Object, Outgoing, Unfit};
use super::{Failure, Settings};

/// What the client tells its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gained {
    /// Octets for the other side.
    Transmit(Vec<u8>),
    /// There is a connection.
    Connected,
    /// The object is with the other side.
    Put,
    /// The object of the other side.
    Object(Object),
    /// What was going on is off.
    Aborted,
    /// Something was tolerated.
    Tolerated(Tolerance),
    /// The connection is over.
    Disconnected,
    /// It did not work; whether the connection is still there, [`Failure`] says.
    Failed(Failure),
}

/// What an answer is waited for.
#[derive(Debug)]
enum State {
    /// To Connect; `proved` if it answers a challenge.
    Connecting {
        proved: bool,
    },
    /// To nothing: the host has the word.
    Ready,
    Putting(Box<Outgoing>),
    /// To a Get, the object being as far as it has come.
    Getting(Box<Getting>),
    /// To nothing: the Get is sent again then.
    Pausing(Duration, Box<Getting>),
    Aborting,
    Disconnecting,
    Over,
}

#[derive(Debug)]
struct Getting {
    wanted: String,
    incoming: Incoming,
    /// How often it may still be asked for again.
    retries: u32,
}

/// The client of one link.
///
/// ```text
/// Connecting --> Ready --put--> Putting --last--> Ready --get--> Getting --last--> Ready
///                                                                  | 0xD3   ^ after a pause
///                                                                  '-> Pausing
/// ```
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    framer: Framer,
    state: State,
    /// Number of the connection, where the other side has given one.
    id: Option<u32>,
    /// Largest packet to send.
    max_packet: u16,
    /// Since when no packet has come.
    since: Duration,
    gained: VecDeque<Gained>,
}

impl Client {
    /// For a link that is up: connects. `now` is the time since any moment, the same for all calls.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        let mut client = Self {
            settings: settings.legal(),
            framer: Framer::default(),
            state: State::Connecting { proved: false },
            id: None,
            max_packet: MIN_PACKET,
            since: now,
            gained: VecDeque::new(),
        };
        client.connect(None);
        client
    }

    /// Puts an object. Has an effect only when nothing else goes on.
    pub fn put(&mut self, object: Object, now: Duration) {
        if matches!(self.state, State::Ready) {
            self.since = now;
            self.go_on(Box::new(Outgoing::new(self.connection(), object)));
        }
    }

    /// Gets what the other side has to say, in this media type. Has an effect only when nothing else goes on.
    pub fn get(&mut self, wanted: &str, now: Duration) {
        if matches!(self.state, State::Ready) {
            let retries = self.settings.retries;
            self.ask(Getting { wanted: wanted.to_owned(), incoming: Incoming::default(), retries }, now);
        }
    }

    /// Takes back what goes on.
    pub fn abort(&mut self, now: Duration) {
        if matches!(self.state, State::Putting(_) | State::Getting(_) | State::Pausing(..)) {
            self.end_with(Opcode::Abort, State::Aborting, now);
        }
    }

    /// Ends the connection. Has an effect only when nothing else goes on.
    pub fn disconnect(&mut self, now: Duration) {
        if matches!(self.state, State::Ready) {
            self.end_with(Opcode::Disconnect, State::Disconnecting, now);
        }
    }

    /// Takes octets as they come from the link.
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        self.framer.push(octets);
        while !matches!(self.state, State::Over) {
            match self.framer.next(self.settings.max_packet) {
                Ok(Some(packet)) => {
                    self.since = now;
                    self.packet(&packet, now);
                }
                Ok(None) => return,
                Err(error) => self.fail(Failure::Malformed(error)),
            }
        }
    }

    /// When [`Client::wake`] has to be called at the latest; `None` when nothing is waited for.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Ready | State::Over => None,
            State::Pausing(until, _) => Some(*until),
            _ => Some(self.since.saturating_add(self.settings.silence)),
        }
    }

    /// Lets what is due happen.
    pub fn wake(&mut self, now: Duration) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Pausing(_, getting) => self.ask(*getting, now),
            _ => self.fail(Failure::Silent { seconds: self.settings.silence.as_secs() }),
        }
    }

    /// The link is down.
    pub fn lost(&mut self) {
        if !matches!(self.state, State::Over) {
            self.fail(Failure::Protocol("the link ended without Disconnect"));
        }
    }

    /// What the host is told, until there is nothing more.
    pub fn poll(&mut self) -> Option<Gained> {
        self.gained.pop_front()
    }

    fn connect(&mut self, proof: Option<&Proof<'_>>) {
        let proof = proof.map(Proof::encode);
        let mut headers = vec![Header::Octets(HeaderId::TARGET, TARGET_DM)];
        headers.extend(proof.iter().map(|value| Header::Octets(HeaderId::PROOF, value)));
        let connect = Some(ConnectFields { max_packet: self.settings.max_packet });
        self.transmit(&Request { opcode: Opcode::Connect, is_final: true, connect, headers });
    }

    fn connection(&self) -> Option<Field> {
        self.id.map(|id| Field::Number(HeaderId::CONNECTION_ID, id))
    }

    fn ask(&mut self, getting: Getting, now: Duration) {
        self.since = now;
        let wanted = [getting.wanted.as_bytes(), &[0]].concat();
        let id = self.id.map(|id| Header::Number(HeaderId::CONNECTION_ID, id));
        let headers = id.into_iter().chain([Header::Octets(HeaderId::TYPE, &wanted)]).collect();
        self.transmit(&Request { opcode: Opcode::Get, is_final: true, connect: None, headers });
        self.state = State::Getting(Box::new(getting));
    }

    fn end_with(&mut self, opcode: Opcode, state: State, now: Duration) {
        self.since = now;
        let headers = self.id.map(|id| Header::Number(HeaderId::CONNECTION_ID, id)).into_iter().collect();
        self.transmit(&Request { opcode, is_final: true, connect: None, headers });
        self.state = state;
    }

    /// The next part of what is put.
    fn go_on(&mut self, mut outgoing: Box<Outgoing>) {
        let part = outgoing.next(self.max_packet, |is_last, headers| {
            Request { opcode: Opcode::Put, is_final: is_last, connect: None, headers }.encode()
        });
        match part {
            Ok(octets) => {
                self.gained.extend(octets.map(Gained::Transmit));
                self.state = State::Putting(outgoing);
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn packet(&mut self, packet: &[u8], now: Duration) {
        let to_connect = matches!(self.state, State::Connecting { .. });
        let response = match Response::decode(packet, to_connect, &self.settings.limits()) {
            Ok(response) => response,
            Err(error) => return self.fail(Failure::Malformed(error)),
        };
        match core::mem::replace(&mut self.state, State::Over) {
            State::Connecting { proved } => self.connected(&response, proved),
            State::Putting(outgoing) => self.put_answered(outgoing, response.code),
            State::Getting(getting) => self.got(getting, &response, now),
            State::Aborting => {
                self.state = State::Ready;
                self.gained.push_back(Gained::Aborted);
            }
            State::Disconnecting => self.gained.push_back(Gained::Disconnected),
            State::Ready | State::Pausing(..) | State::Over => {
                self.fail(Failure::Protocol("it answers what was not asked"));
            }
        }
    }

    fn connected(&mut self, response: &Response<'_>, proved: bool) {
        match response.code {
            ResponseCode::SUCCESS => {}
            ResponseCode::UNAUTHORIZED => return self.prove(response, proved),
            code => return self.fail(Failure::Refused { request: "Connect", code }),
        }
        let mut leniency = self.settings.leniency();
        let id = response.number(HeaderId::CONNECTION_ID);
        match (id, response.octets(HeaderId::WHO)) {
            (Some(_), Some(TARGET_DM)) => {}
            (_, Some(who)) if who != TARGET_DM => {
                return self.fail(Failure::Protocol("another service answers than that of DM"));
            }
            _ if leniency.allow(Tolerance::UndirectedObex) => {}
            _ => return self.fail(Failure::Protocol("the answer to Connect lacks Connection Id or Who")),
        }
        self.tell(leniency);
        self.id = id;
        let theirs = response.connect.map_or(MIN_PACKET, |fields| fields.max_packet);
        self.max_packet = theirs.min(self.settings.max_packet);
        self.state = State::Ready;
        self.gained.push_back(Gained::Connected);
    }

    /// Answers a challenge, once.
    fn prove(&mut self, response: &Response<'_>, proved: bool) {
        let challenge = response.octets(HeaderId::CHALLENGE).and_then(|value| Challenge::decode(value).ok());
        let Some((challenge, credentials)) =
            challenge.zip(self.settings.credentials.clone()).filter(|_| !proved)
        else {
            return self.fail(Failure::Unauthorized);
        };
        let digest = obex_digest(&challenge.nonce, &credentials.password);
        let proof = Proof { digest, user: credentials.user.as_bytes(), nonce: Some(challenge.nonce) };
        self.connect(Some(&proof));
        self.state = State::Connecting { proved: true };
    }

    fn put_answered(&mut self, outgoing: Box<Outgoing>, code: ResponseCode) {
        let is_sent = outgoing.is_sent();
        let mut leniency = self.settings.leniency();
        match code {
            ResponseCode::SUCCESS if is_sent => {
                self.state = State::Ready;
                self.gained.push_back(Gained::Put);
            }
            ResponseCode::CONTINUE if !is_sent => self.go_on(outgoing),
            ResponseCode::SUCCESS if leniency.allow(Tolerance::EarlyObexSuccess) => {
                self.tell(leniency);
                self.go_on(outgoing);
            }
            ResponseCode::SUCCESS => {
                self.fail(Failure::Protocol("a Put was answered before all of it was there"));
            }
            ResponseCode::CONTINUE => {
                self.fail(Failure::Protocol("it wants more of a Put than there is"));
            }
            code => self.refused("Put", code),
        }
    }

    fn got(&mut self, mut getting: Box<Getting>, response: &Response<'_>, now: Duration) {
        let mut leniency = self.settings.leniency();
        match response.code {
            ResponseCode::CONTINUE | ResponseCode::SUCCESS => {}
            ResponseCode::SERVICE_UNAVAILABLE if getting.retries > 0 => {
                getting.retries -= 1;
                getting.incoming = Incoming::default();
                self.state = State::Pausing(now.saturating_add(self.settings.pause), getting);
                return;
            }
            code => return self.refused("Get", code),
        }
        let limit = self.settings.max_object;
        if let Err(unfit) = getting.incoming.take(&response.headers, limit, &mut leniency) {
            return self.fail(self.unfit(unfit));
        }
        if response.code == ResponseCode::CONTINUE {
            self.tell(leniency);
            self.transmit(&Request {
                opcode: Opcode::Get,
                is_final: true,
                connect: None,
                headers: Vec::new(),
            });
            self.state = State::Getting(getting);
            return;
        }
        let Getting { wanted, incoming, .. } = *getting;
        match incoming.finish(&mut leniency) {
            Ok(object) => {
                self.tell(leniency);
                self.state = State::Ready;
                self.gained.push_back(Gained::Object(object.or_type(&wanted)));
            }
            Err(unfit) => self.fail(self.unfit(unfit)),
        }
    }

    fn unfit(&self, unfit: Unfit) -> Failure {
        match unfit {
            Unfit::TooLarge => Failure::TooLarge { limit: self.settings.max_object },
            Unfit::NoLength => Failure::Protocol("an object has no Length"),
            Unfit::Malformed(what) => Failure::Protocol(what),
        }
    }

    /// The other side will not; the connection is still there.
    fn refused(&mut self, request: &'static str, code: ResponseCode) {
        self.state = State::Ready;
        self.gained.push_back(Gained::Failed(Failure::Refused { request, code }));
    }

    /// Nothing more can come of this connection.
    fn fail(&mut self, failure: Failure) {
        self.state = State::Over;
        self.gained.push_back(Gained::Failed(failure));
    }

    fn transmit(&mut self, request: &Request<'_>) {
        self.gained.extend(request.encode().map(Gained::Transmit));
    }

    fn tell(&mut self, leniency: Leniency) {
        self.gained.extend(leniency.used.into_iter().map(Gained::Tolerated));
    }
}

//! WSP in a session over WTP (`WAP-230 §7`), from the side of the client.

use std::collections::VecDeque;
use std::time::Duration;

use omadm_codec::wsp::{Capability, DEFAULT_SDU, Pdu, ProtocolOptions, Reason};
use omadm_codec::wtp::{self, FROM_RESPONDER, Kind, ProviderReason};
use zeroize::Zeroizing;

use super::client::{Failure, Output, PushMessage, Reply, limits};
use super::initiator::Initiator;
use super::responder::Responder;
use super::segments::TooLong;
use super::settings::Settings;
use super::tid::{TidCounter, TidWindow};
use super::transaction::{Class, Event, encode};
use crate::Body;

/// Most transactions of the gateway that are kept, and most of our own that are over but may have to be acknowledged again.
const MAX_KEPT: usize = 8;

/// A session.
///
/// ```text
/// Closed ─ request ─▶ Opening ─ ConnectReply ─▶ Open ─ request ─▶ Asking ─ Reply ─▶ Open …
///   ▲──── Abort, Disconnect, no answer ─────────┴───────────────────┘
/// ```
#[derive(Debug)]
pub(super) struct Connection {
    settings: Settings,
    tids: TidCounter,
    state: State,
    /// Our transactions that are over.
    finished: VecDeque<Initiator>,
    window: TidWindow,
    /// Transactions of the gateway.
    responders: VecDeque<Responder>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Closed,
    Opening { transaction: Initiator, request: Zeroizing<Vec<u8>> },
    Open(Session),
    Asking { session: Session, transaction: Initiator },
}

/// What was agreed on.
#[derive(Clone, Copy, Debug)]
struct Session {
    id: u32,
    /// Octets of the largest message that the gateway takes, if there is a bound.
    most: Option<usize>,
}

impl Connection {
    pub(super) fn new(settings: Settings, first: u16) -> Self {
        Self {
            settings,
            tids: TidCounter::new(first),
            state: State::Closed,
            finished: VecDeque::new(),
            window: TidWindow::default(),
            responders: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn request(&mut self, now: Duration, request: Zeroizing<Vec<u8>>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(session) => self.ask(now, session, &request),
            State::Asking { session, mut transaction } => {
                transaction.abort(Reason::PEER_REQUEST);
                self.finish(transaction);
                self.ask(now, session, &request);
            }
            State::Opening { transaction, .. } => self.state = State::Opening { transaction, request },
            State::Closed => self.open(now, request),
        }
        self.drain(now);
    }

    pub(super) fn datagram(&mut self, now: Duration, octets: &[u8]) {
        let bounds = omadm_codec::Limits { bytes: usize::from(u16::MAX), ..limits(&self.settings) };
        let pdus = match wtp::datagram(octets, &bounds) {
            Ok(pdus) => pdus,
            Err(error) => return self.outputs.push_back(Output::Dropped(error)),
        };
        for pdu in pdus {
            if pdu.tid & FROM_RESPONDER == 0 {
                self.begun_by_gateway(now, &pdu);
            } else {
                self.of_ours(now, &pdu);
            }
            self.drain(now);
        }
    }

    pub(super) fn tick(&mut self, now: Duration) {
        if let State::Opening { transaction, .. } | State::Asking { transaction, .. } = &mut self.state {
            transaction.tick(now);
        }
        self.finished.iter_mut().for_each(|transaction| transaction.tick(now));
        self.responders.iter_mut().for_each(|transaction| transaction.tick(now));
        self.drain(now);
    }

    pub(super) fn wake_at(&self) -> Option<Duration> {
        let current = match &self.state {
            State::Opening { transaction, .. } | State::Asking { transaction, .. } => transaction.wake_at(),
            State::Closed | State::Open(_) => None,
        };
        let finished = self.finished.iter().filter_map(Initiator::wake_at);
        let responders = self.responders.iter().filter_map(Responder::wake_at);
        finished.chain(responders).chain(current).min()
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn disconnect(&mut self, now: Duration) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => {}
            State::Opening { mut transaction, .. } => {
                transaction.abort(Reason::DISCONNECTED);
                self.finish(transaction);
            }
            State::Asking { session, mut transaction } => {
                transaction.abort(Reason::DISCONNECTED);
                self.finish(transaction);
                self.say_goodbye(now, session);
            }
            State::Open(session) => self.say_goodbye(now, session),
        }
        self.drain(now);
    }

    fn say_goodbye(&mut self, now: Duration, session: Session) {
        let pdu = Pdu::Disconnect { session: session.id };
        // An identifier of a session fits into every packet.
        if let Ok(transaction) = self.begin(now, Class::Unreliable, octets(&pdu)) {
            self.finish(transaction);
        }
    }

    /// Asks for a session; the request is sent when there is one.
    fn open(&mut self, now: Duration, request: Zeroizing<Vec<u8>>) {
        let size = |octets: usize| u32::try_from(octets).unwrap_or(u32::MAX);
        let largest = self.settings.datagram.saturating_mul(usize::from(u8::MAX));
        let pdu = Pdu::Connect {
            capabilities: vec![
                Capability::ClientSdu(size(self.settings.message)),
                Capability::ServerSdu(size(largest)),
                Capability::Options(ProtocolOptions::PUSH.with(ProtocolOptions::CONFIRMED_PUSH)),
            ],
            headers: Vec::new(),
        };
        match self.begin(now, Class::WithResult, octets(&pdu)) {
            Ok(transaction) => self.state = State::Opening { transaction, request },
            Err(error) => self.fail(error.into()),
        }
    }

    fn ask(&mut self, now: Duration, session: Session, request: &[u8]) {
        let octets = request.len();
        let begun = match session.most.filter(|most| octets > *most) {
            Some(most) => Err(TooLong { octets, most }),
            None => self.begin(now, Class::WithResult, request.to_vec()),
        };
        match begun {
            Ok(transaction) => self.state = State::Asking { session, transaction },
            Err(error) => {
                self.state = State::Open(session);
                self.fail(error.into());
            }
        }
    }

    fn begin(&mut self, now: Duration, class: Class, message: Vec<u8>) -> Result<Initiator, TooLong> {
        Initiator::start(self.settings, self.tids.take(), class, message, now)
    }

    fn fail(&mut self, failure: Failure) {
        self.outputs.push_back(Output::Failed(failure));
    }

    /// Keeps a transaction that is over: what it still has to say, and what its peer may ask again.
    fn finish(&mut self, transaction: Initiator) {
        if self.finished.len() == MAX_KEPT {
            self.finished.pop_front();
        }
        self.finished.push_back(transaction);
    }

    /// A PDU of a transaction that this side began.
    fn of_ours(&mut self, now: Duration, pdu: &wtp::Pdu<'_>) {
        let tid = pdu.tid & !FROM_RESPONDER;
        let current = match &mut self.state {
            State::Opening { transaction, .. } | State::Asking { transaction, .. } => Some(transaction),
            State::Closed | State::Open(_) => None,
        };
        let known =
            current.into_iter().chain(&mut self.finished).find(|transaction| transaction.tid() == tid);
        match known {
            Some(transaction) => transaction.handle(now, pdu),
            None if matches!(pdu.kind, Kind::Ack { tid_verification: true, .. }) => {
                self.refuse(tid, ProviderReason::INVALID_TID);
            }
            None => {}
        }
    }

    /// A PDU of a transaction that the gateway began.
    fn begun_by_gateway(&mut self, now: Duration, pdu: &wtp::Pdu<'_>) {
        if let Some(known) = self.responders.iter_mut().find(|transaction| transaction.tid() == pdu.tid) {
            return known.handle(now, pdu);
        }
        let Kind::Invoke { tid_new, class, .. } = pdu.kind else { return };
        let answer = pdu.tid | FROM_RESPONDER;
        if Class::of(class) == Some(Class::WithResult) {
            return self.refuse(answer, ProviderReason::NO_CLASS_2);
        }
        if self.responders.len() == MAX_KEPT {
            return self.refuse(answer, ProviderReason::CAPACITY);
        }
        let doubtful = self.window.is_doubtful(pdu.tid, tid_new);
        if let Some(responder) = Responder::accept(self.settings, pdu, doubtful, now) {
            self.responders.push_back(responder);
        }
    }

    fn refuse(&mut self, tid: u16, reason: ProviderReason) {
        let pdu = wtp::Pdu { tid, is_repeated: false, kind: Kind::ProviderAbort(reason) };
        self.outputs.push_back(Output::Transmit(encode(&pdu)));
    }

    /// Carries on what the transactions say.
    fn drain(&mut self, now: Duration) {
        while let Some(event) = self.next_event() {
            self.answered(now, event);
        }
        for transaction in &mut self.finished {
            while let Some(event) = transaction.poll() {
                if let Event::Transmit(datagram) = event {
                    self.outputs.push_back(Output::Transmit(datagram));
                }
            }
        }
        self.finished.retain(|transaction| !transaction.is_over());
        for mut responder in std::mem::take(&mut self.responders) {
            self.drain_responder(now, &mut responder);
            if !responder.is_over() {
                self.responders.push_back(responder);
            }
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        match &mut self.state {
            State::Opening { transaction, .. } | State::Asking { transaction, .. } => transaction.poll(),
            State::Closed | State::Open(_) => None,
        }
    }

    /// An event of the transaction under way.
    fn answered(&mut self, now: Duration, event: Event) {
        let message = match event {
            Event::Transmit(datagram) => return self.outputs.push_back(Output::Transmit(datagram)),
            Event::Confirmed => return,
            Event::Aborted(abort) => {
                self.state = State::Closed;
                return self.fail(Failure::of(abort, &self.settings));
            }
            Event::Message(message) => message,
        };
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Opening { transaction, request } => {
                self.finish(transaction);
                match self.connected(&message) {
                    Ok(session) => self.ask(now, session, &request),
                    Err(failure) => self.fail(failure),
                }
            }
            State::Asking { session, transaction } => {
                self.finish(transaction);
                self.state = State::Open(session);
                let output = self.reply(&message).map_or_else(Output::Failed, Output::Reply);
                self.outputs.push_back(output);
            }
            state @ (State::Closed | State::Open(_)) => self.state = state,
        }
    }

    /// Reads the answer to Connect.
    fn connected(&self, message: &Body) -> Result<Session, Failure> {
        match Pdu::decode(message, &limits(&self.settings)).map_err(Failure::Unreadable)? {
            Pdu::ConnectReply { session, capabilities, .. } => {
                let agreed = |capability: &Capability| match capability {
                    Capability::ServerSdu(octets) => Some(*octets),
                    // Refused: what holds without an agreement.
                    Capability::Other { id, .. } if is_server_sdu(id) => Some(DEFAULT_SDU),
                    _ => None,
                };
                let most = capabilities.iter().find_map(agreed).filter(|octets| *octets != 0);
                Ok(Session { id: session, most: most.and_then(|octets| usize::try_from(octets).ok()) })
            }
            Pdu::Redirect { .. } => Err(Failure::Redirected),
            _ => Err(Failure::OutOfTurn),
        }
    }

    /// Reads the answer to a method.
    fn reply(&self, message: &Body) -> Result<Reply, Failure> {
        match Pdu::decode(message, &limits(&self.settings)).map_err(Failure::Unreadable)? {
            Pdu::Reply { status, content } => Reply::of(status, content).ok_or(Failure::OutOfTurn),
            _ => Err(Failure::OutOfTurn),
        }
    }

    fn drain_responder(&mut self, now: Duration, responder: &mut Responder) {
        while let Some(event) = responder.poll() {
            match event {
                Event::Transmit(datagram) => self.outputs.push_back(Output::Transmit(datagram)),
                Event::Message(message) => {
                    self.window.remember(responder.tid());
                    self.told(now, responder, &message);
                }
                Event::Confirmed | Event::Aborted(_) => {}
            }
        }
    }

    /// The gateway says something by itself.
    fn told(&mut self, now: Duration, responder: &mut Responder, message: &Body) {
        let limits = limits(&self.settings);
        match Pdu::decode(message, &limits) {
            Ok(Pdu::Push(content)) => {
                self.outputs.push_back(Output::Push(PushMessage::of(content, false)));
            }
            Ok(Pdu::ConfirmedPush(content)) if responder.class() == Class::Acknowledged => {
                self.outputs.push_back(Output::Push(PushMessage::of(content, true)));
                responder.confirm(now);
            }
            Ok(Pdu::Disconnect { session }) => self.disconnected(session),
            // Nothing is sent while a session is suspended but what the user asks for, which resumes it.
            Ok(Pdu::Suspend { .. }) => {}
            Ok(_) => responder.abort(Reason::PROTOCOL_ERROR),
            Err(error) => {
                self.outputs.push_back(Output::Dropped(error));
                responder.abort(Reason::PROTOCOL_ERROR);
            }
        }
    }

    fn disconnected(&mut self, id: u32) {
        match &self.state {
            State::Open(session) if session.id == id => self.state = State::Closed,
            State::Asking { session, .. } if session.id == id => {
                self.state = State::Closed;
                self.fail(Failure::Ended(Reason::DISCONNECTED.meaning()));
            }
            _ => {}
        }
    }
}

/// Whether a capability is the size of what the gateway takes.
fn is_server_sdu(id: &omadm_codec::wsp::Identifier) -> bool {
    matches!(id, omadm_codec::wsp::Identifier::Number(number) if number.get() == 1)
}

fn octets(pdu: &Pdu<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(&mut out);
    out
}

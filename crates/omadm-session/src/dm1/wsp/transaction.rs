//! What both sides of a transaction have in common.

use std::collections::VecDeque;
use std::time::Duration;

use omadm_codec::wsp::Reason;
use omadm_codec::wtp::{Kind, Pdu, ProviderReason};

use crate::Body;

/// Kinds of transactions (`WAP-224 §5.2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Sent once, no answer.
    Unreliable,
    /// Acknowledged.
    Acknowledged,
    /// With a result, which is acknowledged.
    WithResult,
}

impl Class {
    /// By its number.
    pub(super) fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Unreliable),
            1 => Some(Self::Acknowledged),
            2 => Some(Self::WithResult),
            _ => None,
        }
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Unreliable => 0,
            Self::Acknowledged => 1,
            Self::WithResult => 2,
        }
    }
}

/// Why a transaction ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The peer does not answer any more.
    NoResponse,
    /// The peer sends more than is taken.
    TooLarge,
    /// The peer's WTP gave up.
    Provider(ProviderReason),
    /// The peer's WSP gave up.
    User(Reason),
}

/// What a transaction wants or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A datagram is to be sent.
    Transmit(Vec<u8>),
    /// The message of the peer is here: the result at an initiator, the invocation at a responder.
    Message(Body),
    /// The peer has what was sent.
    Confirmed,
    /// It is over without success.
    Aborted(Abort),
}

/// Events that wait to be fetched.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<Event>);

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        self.0.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// A PDU to be sent, in a datagram of its own.
    pub(super) fn transmit(&mut self, tid: u16, kind: Kind<'_>) {
        self.push(Event::Transmit(encode(&Pdu { tid, is_repeated: false, kind })));
    }

    pub(super) fn transmit_all(&mut self, datagrams: impl IntoIterator<Item = Vec<u8>>) {
        self.0.extend(datagrams.into_iter().map(Event::Transmit));
    }
}

pub(super) fn encode(pdu: &Pdu<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(&mut out);
    out
}

/// The timer of what is sent: again after a pause, a few times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repetition {
    pub(super) at: Duration,
    left: u32,
}

impl Repetition {
    pub(super) fn new(now: Duration, pause: Duration, times: u32) -> Self {
        Self { at: now.saturating_add(pause), left: times }
    }

    /// Counts one more; `None` when it was the last.
    pub(super) fn next(self, now: Duration, pause: Duration) -> Option<Self> {
        Some(Self::new(now, pause, self.left.checked_sub(1)?))
    }
}

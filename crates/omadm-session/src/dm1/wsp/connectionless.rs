//! WSP without a connection (`WAP-230 §8.1`): a request and its reply are a datagram each, with an octet before them that makes them a pair.

use std::collections::VecDeque;
use std::time::Duration;

use omadm_codec::wsp::Pdu;

use super::client::{Failure, Output, PushMessage, Reply, limits};
use super::segments::TooLong;
use super::settings::Settings;

/// Requests without a connection.
#[derive(Debug)]
pub(super) struct Connectionless {
    settings: Settings,
    next: u8,
    /// The request under way, and how long to wait.
    waiting: Option<(u8, Duration)>,
    outputs: VecDeque<Output>,
}

impl Connectionless {
    pub(super) fn new(settings: Settings, first: u16) -> Self {
        let [_, next] = first.to_be_bytes();
        Self { settings, next, waiting: None, outputs: VecDeque::new() }
    }

    pub(super) fn request(&mut self, now: Duration, request: &[u8]) {
        let (octets, most) = (request.len() + 1, self.settings.datagram);
        if octets > most {
            let failure = Failure::RequestTooLarge(TooLong { octets, most });
            return self.outputs.push_back(Output::Failed(failure));
        }
        let transaction = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting = Some((transaction, now.saturating_add(self.settings.patience)));
        self.outputs.push_back(Output::Transmit([&[transaction], request].concat()));
    }

    pub(super) fn datagram(&mut self, octets: &[u8]) {
        let decoded = match Pdu::decode_with_tid(octets, &limits(&self.settings)) {
            Ok(decoded) => decoded,
            Err(error) => return self.outputs.push_back(Output::Dropped(error)),
        };
        match decoded {
            (transaction, Pdu::Reply { status, content })
                if self.waiting.is_some_and(|(wanted, _)| wanted == transaction) =>
            {
                self.waiting = None;
                let output = match Reply::of(status, content) {
                    Some(reply) => Output::Reply(reply),
                    None => Output::Failed(Failure::OutOfTurn),
                };
                self.outputs.push_back(output);
            }
            (_, Pdu::Push(content)) => {
                self.outputs.push_back(Output::Push(PushMessage::of(content, false)));
            }
            // A late reply, or what is of no use without a connection.
            _ => {}
        }
    }

    pub(super) fn tick(&mut self, now: Duration) {
        if self.waiting.is_some_and(|(_, deadline)| now >= deadline) {
            self.waiting = None;
            self.outputs.push_back(Output::Failed(Failure::NoResponse));
        }
    }

    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.waiting.map(|(_, deadline)| deadline)
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

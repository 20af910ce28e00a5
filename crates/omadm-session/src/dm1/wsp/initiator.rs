//! The side that begins a transaction (`WAP-224 §9.5`).

use std::time::Duration;

use omadm_codec::wtp::{Kind, Pdu, ProviderReason};

use super::segments::{Heard, Incoming, Outgoing, Packet, Part, Progress, TooLong};
use super::settings::Settings;
use super::transaction::{Abort, Class, Event, Events, Repetition};

/// A transaction, from the side that began it.
///
/// ```text
///            ┌ Ack of a group: the next one
/// Sending ───┴─ Ack ─▶ Waiting ─ Result complete ─▶ Answered ─ time ─▶ Over
///    │  Result complete ─────────────────────────────▲              (class 0: at once, class 1: with the Ack)
///    └ no answer, Abort ─▶ Over
/// ```
#[derive(Debug)]
pub struct Initiator {
    tid: u16,
    class: Class,
    settings: Settings,
    state: State,
    /// Until when something new has to come.
    deadline: Duration,
    incoming: Incoming,
    events: Events,
}

#[derive(Debug)]
enum State {
    /// The invocation is not acknowledged yet.
    Sending {
        outgoing: Outgoing,
        repetition: Repetition,
        verified: bool,
    },
    /// The responder has the invocation.
    Waiting,
    /// The result is here; its acknowledgement is repeated if it was lost.
    Answered {
        until: Duration,
    },
    Over,
}

impl Initiator {
    /// Begins a transaction with this number, which is new to the peer; `tid_new` says that it is smaller than the one before.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn start(
        settings: Settings,
        (tid, tid_new): (u16, bool),
        class: Class,
        message: Vec<u8>,
        now: Duration,
    ) -> Result<Self, TooLong> {
        let outgoing = Outgoing::new(tid, Part::Invoke { class, tid_new }, message, &settings)?;
        let mut events = Events::default();
        events.transmit_all(outgoing.group(false));
        let state = match class {
            Class::Unreliable => State::Over,
            Class::Acknowledged | Class::WithResult => {
                let repetition = Repetition::new(now, settings.retry, settings.retries);
                State::Sending { outgoing, repetition, verified: false }
            }
        };
        let deadline = now.saturating_add(settings.patience);
        let incoming = Incoming::new(settings.message);
        Ok(Self { tid, class, settings, state, deadline, incoming, events })
    }

    /// Its number.
    #[must_use]
    pub fn tid(&self) -> u16 {
        self.tid
    }

    /// Whether nothing more can come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The next event; call until `None`.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When [`Initiator::tick`] is to be called.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        match &self.state {
            State::Sending { repetition, .. } => Some(repetition.at.min(self.deadline)),
            State::Waiting => Some(self.deadline),
            State::Answered { until } => Some(*until),
            State::Over => None,
        }
    }

    /// Takes a PDU with the number of this transaction.
    pub fn handle(&mut self, now: Duration, pdu: &Pdu<'_>) {
        if self.is_over() {
            return;
        }
        match &pdu.kind {
            Kind::Ack { tid_verification: true, .. } => self.verify(now),
            Kind::Ack { tid_verification: false, up_to } => self.acknowledged(now, *up_to),
            Kind::Nack(missing) => self.send_again(now, missing),
            Kind::ProviderAbort(reason) => self.aborted(Abort::Provider(*reason)),
            Kind::UserAbort(reason) => self.aborted(Abort::User(omadm_codec::wsp::Reason(*reason))),
            kind => {
                if let Some(packet) = Packet::of_result(kind) {
                    self.result(now, &packet, pdu.is_repeated);
                }
            }
        }
    }

    /// The time has come that [`Initiator::wake_at`] named.
    pub fn tick(&mut self, now: Duration) {
        match &mut self.state {
            State::Answered { until } if now >= *until => self.state = State::Over,
            State::Sending { .. } | State::Waiting if now >= self.deadline => self.give_up(Abort::NoResponse),
            State::Sending { outgoing, repetition, verified } if now >= repetition.at => {
                let Some(next) = repetition.next(now, self.settings.retry) else {
                    return self.give_up(Abort::NoResponse);
                };
                *repetition = next;
                let probe = outgoing.probe();
                if *verified {
                    self.events.transmit(self.tid, Kind::Ack { tid_verification: true, up_to: None });
                }
                self.events.transmit_all([probe]);
            }
            _ => {}
        }
    }

    /// Ends it, because the user does not want it any more; the peer is told.
    pub fn abort(&mut self, reason: omadm_codec::wsp::Reason) {
        if matches!(self.state, State::Sending { .. } | State::Waiting) {
            self.events.transmit(self.tid, Kind::UserAbort(reason.0));
        }
        self.state = State::Over;
    }

    /// The responder asks whether the transaction is under way.
    fn verify(&mut self, now: Duration) {
        match &mut self.state {
            State::Sending { verified, repetition, .. } => {
                *verified = true;
                // It was heard, so that there is no hurry to repeat it; the count goes on.
                repetition.at = now.saturating_add(self.settings.retry);
                self.events.transmit(self.tid, Kind::Ack { tid_verification: true, up_to: None });
            }
            State::Waiting => {
                self.events.transmit(self.tid, Kind::Ack { tid_verification: true, up_to: None });
            }
            State::Answered { .. } | State::Over => {
                self.events.transmit(self.tid, Kind::ProviderAbort(ProviderReason::INVALID_TID));
            }
        }
    }

    fn acknowledged(&mut self, now: Duration, up_to: Option<u8>) {
        let State::Sending { outgoing, repetition, .. } = &mut self.state else { return };
        match outgoing.acknowledge(up_to) {
            Progress::Nothing => return,
            Progress::Group => {
                *repetition = Repetition::new(now, self.settings.retry, self.settings.retries);
                self.events.transmit_all(outgoing.group(false));
            }
            Progress::All if self.class == Class::Acknowledged => {
                self.events.push(Event::Confirmed);
                self.state = State::Over;
            }
            Progress::All => self.state = State::Waiting,
        }
        self.deadline = now.saturating_add(self.settings.patience);
    }

    fn send_again(&mut self, now: Duration, missing: &[u8]) {
        if let State::Sending { outgoing, repetition, .. } = &mut self.state {
            repetition.at = now.saturating_add(self.settings.retry);
            self.events.transmit_all(outgoing.missing(missing));
        }
    }

    fn result(&mut self, now: Duration, packet: &Packet<'_>, is_repeated: bool) {
        match self.state {
            State::Answered { .. } => {
                if is_repeated {
                    self.acknowledge();
                }
                return;
            }
            State::Sending { .. } | State::Waiting if self.class == Class::WithResult => {}
            _ => return,
        }
        let before = self.incoming.count();
        let heard = self.incoming.add(packet);
        if heard == Heard::Nothing {
            return;
        }
        // Who answers has the invocation.
        self.state = State::Waiting;
        match heard {
            Heard::Nothing => return,
            Heard::More => {}
            Heard::Acknowledge(number) => {
                self.events.transmit(self.tid, Kind::Ack { tid_verification: false, up_to: Some(number) });
            }
            Heard::Missing(numbers) => self.events.transmit(self.tid, Kind::Nack(&numbers)),
            Heard::TooLarge => return self.give_up(Abort::TooLarge),
            Heard::Complete => {
                let message = self.incoming.take();
                self.events.push(Event::Message(message));
                self.acknowledge();
                let longest = self.settings.retry.saturating_mul(self.settings.retries.saturating_add(1));
                self.state = State::Answered { until: now.saturating_add(longest) };
            }
        }
        // Who only repeats itself does not go on for ever.
        if self.incoming.count() > before {
            self.deadline = now.saturating_add(self.settings.patience);
        }
    }

    /// Says that the result is here.
    fn acknowledge(&mut self) {
        let up_to = self.incoming.last();
        self.events.transmit(self.tid, Kind::Ack { tid_verification: false, up_to });
    }

    /// Ends it from this side, and tells both.
    fn give_up(&mut self, why: Abort) {
        let reason = match why {
            Abort::TooLarge => ProviderReason::TOO_LARGE,
            _ => ProviderReason::NO_RESPONSE,
        };
        self.events.transmit(self.tid, Kind::ProviderAbort(reason));
        self.aborted(why);
    }

    fn aborted(&mut self, why: Abort) {
        if !matches!(self.state, State::Answered { .. }) {
            self.events.push(Event::Aborted(why));
        }
        self.state = State::Over;
    }
}

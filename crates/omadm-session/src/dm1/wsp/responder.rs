//! The side that a transaction is begun with (`WAP-224 §9.5`).

use std::time::Duration;

use omadm_codec::wsp::Reason;
use omadm_codec::wtp::{FROM_RESPONDER, Kind, Pdu, ProviderReason};

use super::segments::{Heard, Incoming, Outgoing, Packet, Part, Progress, TooLong};
use super::settings::Settings;
use super::transaction::{Abort, Class, Event, Events, Repetition};

/// A transaction, from the side that it was begun with.
///
/// ```text
/// Receiving ─ complete, TID verified ─▶ Held ─ respond ─▶ Sending ─ Ack ─▶ Over
///    │                                   └ confirm (class 1) ─▶ Confirmed ─ time ─▶ Over
///    └ no end, Abort ─▶ Over
/// ```
#[derive(Debug)]
pub struct Responder {
    /// As it stands in what this side sends.
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
    /// Packets of the invocation are missing, or the peer has not said yet that the transaction is under way.
    Receiving {
        complete: bool,
        verified: bool,
    },
    /// The user has it. `hold_on` is when the peer is told so.
    Held {
        hold_on: Option<Duration>,
    },
    /// The result is under way.
    Sending {
        outgoing: Outgoing,
        repetition: Repetition,
    },
    /// Acknowledged; it is acknowledged again if that was lost.
    Confirmed {
        until: Duration,
    },
    Over,
}

impl Responder {
    /// Takes the Invoke that begins a transaction. `verify` has the peer asked whether it is under way; see
    /// [`super::TidWindow::is_doubtful`]. `None` for another PDU.
    #[must_use]
    pub fn accept(settings: Settings, invoke: &Pdu<'_>, verify: bool, now: Duration) -> Option<Self> {
        let Kind::Invoke { class, .. } = invoke.kind else { return None };
        let class = Class::of(class)?;
        let verify = verify && class != Class::Unreliable;
        let mut responder = Self {
            tid: invoke.tid | FROM_RESPONDER,
            class,
            settings,
            state: State::Receiving { complete: false, verified: !verify },
            deadline: now.saturating_add(settings.patience),
            incoming: Incoming::new(settings.message),
            events: Events::default(),
        };
        if verify {
            responder.ask();
        }
        responder.invoked(now, &Packet::of_invoke(&invoke.kind)?, false);
        Some(responder)
    }

    /// Its number, as the peer has it.
    #[must_use]
    pub fn tid(&self) -> u16 {
        self.tid & !FROM_RESPONDER
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
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

    /// When [`Responder::tick`] is to be called.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        match &self.state {
            State::Receiving { .. } => Some(self.deadline),
            State::Held { hold_on } => Some(hold_on.map_or(self.deadline, |at| at.min(self.deadline))),
            State::Sending { repetition, .. } => Some(repetition.at.min(self.deadline)),
            State::Confirmed { until } => Some(*until),
            State::Over => None,
        }
    }

    /// Takes a PDU with the number of this transaction.
    pub fn handle(&mut self, now: Duration, pdu: &Pdu<'_>) {
        if self.is_over() {
            return;
        }
        match &pdu.kind {
            Kind::Ack { tid_verification, up_to } => self.acknowledged(now, *tid_verification, *up_to),
            Kind::Nack(missing) => {
                if let State::Sending { outgoing, repetition } = &mut self.state {
                    repetition.at = now.saturating_add(self.settings.retry);
                    self.events.transmit_all(outgoing.missing(missing));
                }
            }
            Kind::ProviderAbort(reason) => self.aborted(Abort::Provider(*reason)),
            Kind::UserAbort(reason) => self.aborted(Abort::User(Reason(*reason))),
            kind => {
                if let Some(packet) = Packet::of_invoke(kind) {
                    self.invoked(now, &packet, pdu.is_repeated);
                }
            }
        }
    }

    /// The time has come that [`Responder::wake_at`] named.
    pub fn tick(&mut self, now: Duration) {
        match &mut self.state {
            State::Confirmed { until } if now >= *until => self.state = State::Over,
            State::Receiving { .. } | State::Held { .. } | State::Sending { .. } if now >= self.deadline => {
                self.give_up(Abort::NoResponse);
            }
            State::Held { hold_on } if hold_on.is_some_and(|at| now >= at) => {
                *hold_on = None;
                self.acknowledge();
            }
            State::Sending { outgoing, repetition } if now >= repetition.at => {
                let Some(next) = repetition.next(now, self.settings.retry) else {
                    return self.give_up(Abort::NoResponse);
                };
                *repetition = next;
                let probe = outgoing.probe();
                self.events.transmit_all([probe]);
            }
            _ => {}
        }
    }

    /// Sends the result of a transaction of class 2 whose message is here.
    ///
    /// # Errors
    /// [`TooLong`]; the transaction goes on.
    pub fn respond(&mut self, now: Duration, result: Vec<u8>) -> Result<(), TooLong> {
        if matches!(self.state, State::Held { .. }) && self.class == Class::WithResult {
            let outgoing = Outgoing::new(self.tid, Part::Result, result, &self.settings)?;
            self.events.transmit_all(outgoing.group(false));
            let repetition = Repetition::new(now, self.settings.retry, self.settings.retries);
            self.state = State::Sending { outgoing, repetition };
            self.deadline = now.saturating_add(self.settings.patience);
        }
        Ok(())
    }

    /// Acknowledges a transaction of class 1 whose message is here.
    pub fn confirm(&mut self, now: Duration) {
        if matches!(self.state, State::Held { .. }) && self.class == Class::Acknowledged {
            self.acknowledge();
            let longest = self.settings.retry.saturating_mul(self.settings.retries.saturating_add(1));
            self.state = State::Confirmed { until: now.saturating_add(longest) };
        }
    }

    /// Ends it, because the user cannot do anything with it; the peer is told.
    pub fn abort(&mut self, reason: Reason) {
        if !self.is_over() {
            self.events.transmit(self.tid, Kind::UserAbort(reason.0));
        }
        self.state = State::Over;
    }

    /// Asks whether the transaction is under way.
    fn ask(&mut self) {
        self.events.transmit(self.tid, Kind::Ack { tid_verification: true, up_to: None });
    }

    /// Says that the invocation is here.
    fn acknowledge(&mut self) {
        let up_to = self.incoming.last();
        self.events.transmit(self.tid, Kind::Ack { tid_verification: false, up_to });
    }

    fn invoked(&mut self, now: Duration, packet: &Packet<'_>, is_repeated: bool) {
        match self.state {
            State::Receiving { complete, verified } => {
                if is_repeated && !verified {
                    self.ask();
                }
                if !complete {
                    self.receive(now, packet);
                }
            }
            // The peer does not know yet that it is here.
            State::Held { .. } | State::Confirmed { .. } if is_repeated => self.acknowledge(),
            _ => {}
        }
    }

    fn receive(&mut self, now: Duration, packet: &Packet<'_>) {
        let before = self.incoming.count();
        match self.incoming.add(packet) {
            Heard::Nothing => return,
            Heard::More => {}
            Heard::Acknowledge(number) => {
                self.events.transmit(self.tid, Kind::Ack { tid_verification: false, up_to: Some(number) });
            }
            Heard::Missing(numbers) => self.events.transmit(self.tid, Kind::Nack(&numbers)),
            Heard::TooLarge => return self.give_up(Abort::TooLarge),
            Heard::Complete => {
                if let State::Receiving { complete, .. } = &mut self.state {
                    *complete = true;
                }
                self.hand_on(now);
            }
        }
        // Who only repeats itself does not go on for ever.
        if self.incoming.count() > before {
            self.deadline = now.saturating_add(self.settings.patience);
        }
    }

    /// Gives the message to the user once it is complete and known to be no duplicate.
    fn hand_on(&mut self, now: Duration) {
        if !matches!(self.state, State::Receiving { complete: true, verified: true }) {
            return;
        }
        let message = self.incoming.take();
        self.events.push(Event::Message(message));
        self.state = match self.class {
            Class::Unreliable => State::Over,
            Class::Acknowledged => State::Held { hold_on: None },
            Class::WithResult => State::Held { hold_on: Some(now.saturating_add(self.settings.hold_on)) },
        };
    }

    fn acknowledged(&mut self, now: Duration, tid_verification: bool, up_to: Option<u8>) {
        match &mut self.state {
            State::Receiving { verified, .. } if tid_verification => {
                *verified = true;
                self.hand_on(now);
            }
            State::Sending { outgoing, repetition } if !tid_verification => {
                match outgoing.acknowledge(up_to) {
                    Progress::Nothing => return,
                    Progress::Group => {
                        *repetition = Repetition::new(now, self.settings.retry, self.settings.retries);
                        self.events.transmit_all(outgoing.group(false));
                    }
                    Progress::All => {
                        self.events.push(Event::Confirmed);
                        self.state = State::Over;
                    }
                }
                self.deadline = now.saturating_add(self.settings.patience);
            }
            _ => {}
        }
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
        if !matches!(self.state, State::Confirmed { .. }) {
            self.events.push(Event::Aborted(why));
        }
        self.state = State::Over;
    }
}

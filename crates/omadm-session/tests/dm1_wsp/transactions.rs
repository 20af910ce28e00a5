//! Transactions of WTP: an initiator against a responder (`WAP-224`).

use std::time::Duration;

use omadm_codec::Limits;
use omadm_codec::wsp::Reason;
use omadm_codec::wtp::{FROM_RESPONDER, Kind, Pdu, ProviderReason, Trailer};
use omadm_session::Body;
use omadm_session::dm1::wsp::{
    Abort, Class, Event, Initiator, MIN_DATAGRAM, Responder, Settings, TidWindow, TooLong,
};
use proptest::prelude::*;

use crate::link::{Link, To, Weather};

const TID: u16 = 0x0102;

fn small() -> Settings {
    Settings { datagram: MIN_DATAGRAM, ..Settings::default() }
}

fn octets(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// The responding side: transactions by their number, each answered with the same result.
struct Peer {
    settings: Settings,
    window: TidWindow,
    responders: Vec<Responder>,
    result: Vec<u8>,
    messages: Vec<Body>,
    confirmed: usize,
    aborted: usize,
}

impl Peer {
    fn new(settings: Settings, result: Vec<u8>) -> Self {
        let (window, responders, messages) = (TidWindow::default(), Vec::new(), Vec::new());
        Self { settings, window, responders, result, messages, confirmed: 0, aborted: 0 }
    }

    fn datagram(&mut self, now: Duration, datagram: &[u8]) {
        let pdu = Pdu::decode(datagram, &Limits::default()).unwrap();
        if let Some(known) = self.responders.iter_mut().find(|known| known.tid() == pdu.tid) {
            known.handle(now, &pdu);
        } else if let Kind::Invoke { tid_new, .. } = pdu.kind {
            let doubtful = self.window.is_doubtful(pdu.tid, tid_new);
            self.responders.extend(Responder::accept(self.settings, &pdu, doubtful, now));
        }
    }

    /// Does what the transactions want; gives the datagrams.
    fn drain(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        for responder in &mut self.responders {
            while let Some(event) = responder.poll() {
                match event {
                    Event::Transmit(datagram) => datagrams.push(datagram),
                    Event::Message(message) => {
                        self.window.remember(responder.tid());
                        self.messages.push(message);
                        responder.respond(now, self.result.clone()).unwrap();
                        responder.confirm(now);
                    }
                    Event::Confirmed => self.confirmed += 1,
                    Event::Aborted(_) => self.aborted += 1,
                }
            }
        }
        self.responders.retain(|responder| !responder.is_over());
        datagrams
    }

    fn wake_at(&self) -> Option<Duration> {
        self.responders.iter().filter_map(Responder::wake_at).min()
    }
}

/// How a transaction went.
#[derive(Debug)]
struct Outcome {
    events: Vec<Event>,
    /// What the responder heard.
    heard: Vec<Body>,
    confirmed: usize,
    took: Duration,
    datagrams: usize,
}

/// Runs a transaction until nothing can happen any more.
fn run(settings: Settings, weather: Weather, class: Class, message: &[u8], result: &[u8]) -> Outcome {
    let mut now = Duration::ZERO;
    let mut link = Link::new(weather);
    let mut peer = Peer::new(settings, result.to_vec());
    let mut initiator = Initiator::start(settings, (TID, false), class, message.to_vec(), now).unwrap();
    let (mut events, mut datagrams) = (Vec::new(), 0);
    loop {
        while let Some(event) = initiator.poll() {
            match event {
                Event::Transmit(datagram) => {
                    datagrams += 1;
                    assert!(datagram.len() <= settings.datagram);
                    link.send(now, To::Responder, &datagram);
                }
                event => events.push(event),
            }
        }
        for datagram in peer.drain(now) {
            datagrams += 1;
            assert!(datagram.len() <= settings.datagram);
            link.send(now, To::Initiator, &datagram);
        }
        if let Some((to, datagram)) = link.arrived(now) {
            match to {
                To::Initiator => initiator.handle(now, &Pdu::decode(&datagram, &Limits::default()).unwrap()),
                To::Responder => peer.datagram(now, &datagram),
            }
            continue;
        }
        let timers = [initiator.wake_at(), peer.wake_at(), link.next_at()];
        let Some(next) = timers.into_iter().flatten().min() else { break };
        assert!(next < Duration::from_secs(36_000), "it ends some time: {initiator:?}");
        now = now.max(next);
        initiator.tick(now);
        peer.responders.iter_mut().for_each(|responder| responder.tick(now));
    }
    Outcome { events, heard: peer.messages, confirmed: peer.confirmed, took: now, datagrams }
}

#[test]
fn messages_of_every_size_arrive_in_segments() {
    let segment = MIN_DATAGRAM - 4;
    let sizes = (0..=2 * segment + 1).chain([
        3 * segment - 1,
        3 * segment,
        3 * segment + 1,
        6 * segment,
        256 * segment,
    ]);
    for size in sizes {
        let (message, result) = (octets(size), octets(size.div_ceil(2)));
        let outcome = run(small(), Weather::FINE, Class::WithResult, &message, &result);
        assert_eq!(outcome.events, [Event::Message(result.into())], "{size}");
        assert_eq!((outcome.heard.as_slice(), outcome.confirmed), (&[Body::from(message)][..], 1), "{size}");
    }
}

#[test]
fn a_message_that_does_not_fit_into_256_packets_is_refused() {
    let most = 256 * (MIN_DATAGRAM - 4);
    let start = |size| Initiator::start(small(), (1, false), Class::WithResult, octets(size), Duration::ZERO);
    assert!(start(most).is_ok());
    assert_eq!(start(most + 1).err(), Some(TooLong { octets: most + 1, most }));
}

#[test]
fn every_class_has_its_end() {
    let message = octets(10);
    let outcome = run(small(), Weather::FINE, Class::Unreliable, &message, b"");
    assert_eq!((outcome.events.as_slice(), outcome.heard.len(), outcome.datagrams), (&[][..], 1, 1));
    let outcome = run(small(), Weather::FINE, Class::Acknowledged, &message, b"");
    // Invoke, the question whether it is new, the answer, Ack.
    assert_eq!((outcome.events.as_slice(), outcome.datagrams), (&[Event::Confirmed][..], 4));
    let outcome = run(small(), Weather::FINE, Class::WithResult, &message, b"r");
    assert_eq!((outcome.events.len(), outcome.datagrams), (1, 5));
}

#[test]
fn a_peer_that_is_not_there_is_given_up_after_the_retries() {
    let weather = Weather { lost: 100, ..Weather::FINE };
    let settings = Settings { retries: 2, ..small() };
    let outcome = run(settings, weather, Class::WithResult, &octets(200), b"");
    assert_eq!(outcome.events, [Event::Aborted(Abort::NoResponse)]);
    assert_eq!(outcome.took, Duration::from_secs(15));
    // A group of three, its last packet twice again, Abort.
    assert_eq!(outcome.datagrams, 6);
}

/// The PDUs that a transaction wants to send.
fn said(initiator: &mut Initiator) -> (Vec<Vec<u8>>, Vec<Event>) {
    let (mut datagrams, mut events) = (Vec::new(), Vec::new());
    while let Some(event) = initiator.poll() {
        match event {
            Event::Transmit(datagram) => datagrams.push(datagram),
            event => events.push(event),
        }
    }
    (datagrams, events)
}

fn from_responder(kind: Kind<'_>) -> Pdu<'_> {
    Pdu { tid: TID | FROM_RESPONDER, is_repeated: false, kind }
}

fn ack(up_to: Option<u8>) -> Pdu<'static> {
    from_responder(Kind::Ack { tid_verification: false, up_to })
}

fn begin(settings: Settings, size: usize) -> Initiator {
    Initiator::start(settings, (TID, false), Class::WithResult, octets(size), Duration::ZERO).unwrap()
}

#[test]
fn a_result_that_comes_again_is_acknowledged_again() {
    let mut initiator = begin(small(), 1);
    said(&mut initiator);
    let result = from_responder(Kind::Result { trailer: Trailer::LastOfMessage, data: b"r" });
    initiator.handle(Duration::ZERO, &result);
    let (acknowledgement, events) = said(&mut initiator);
    assert_eq!(events, [Event::Message(b"r".to_vec().into())]);
    assert_eq!(acknowledgement, [vec![0x18, 0x01, 0x02]]);
    initiator.handle(Duration::ZERO, &result);
    assert_eq!(said(&mut initiator), (vec![], vec![]), "a duplicate that the network made");
    initiator.handle(Duration::ZERO, &Pdu { is_repeated: true, ..result });
    assert_eq!(said(&mut initiator), (acknowledgement, vec![]));
    // A question whether it is under way comes too late.
    initiator.handle(Duration::ZERO, &from_responder(Kind::Ack { tid_verification: true, up_to: None }));
    assert_eq!(said(&mut initiator).0, [vec![0x20, 0x01, 0x02, ProviderReason::INVALID_TID.0]]);
    let end = initiator.wake_at().unwrap();
    initiator.tick(end);
    assert!(initiator.is_over());
}

#[test]
fn a_responder_that_has_the_message_may_take_its_time_but_not_for_ever() {
    let mut initiator = begin(small(), 1);
    said(&mut initiator);
    initiator.handle(Duration::ZERO, &ack(None));
    let deadline = small().patience;
    assert_eq!(initiator.wake_at(), Some(deadline), "nothing is repeated any more");
    initiator.tick(deadline);
    let (datagrams, events) = said(&mut initiator);
    assert_eq!(events, [Event::Aborted(Abort::NoResponse)]);
    assert_eq!(datagrams, [vec![0x20, 0x01, 0x02, ProviderReason::NO_RESPONSE.0]]);
}

#[test]
fn a_peer_that_only_repeats_itself_is_given_up() {
    let second = Duration::from_secs(1);
    let end_of_group = Kind::SegmentedResult { trailer: Trailer::LastOfGroup, number: 1, data: b"b" };
    let mut initiator = begin(small(), 1);
    initiator.handle(second, &from_responder(end_of_group.clone()));
    let deadline = initiator.wake_at();
    assert_eq!(deadline, Some(small().patience + second), "something came");
    initiator.handle(2 * second, &from_responder(end_of_group.clone()));
    assert_eq!(initiator.wake_at(), deadline, "nothing new while a packet is missing");
    let first = Kind::Result { trailer: Trailer::Middle, data: b"a" };
    initiator.handle(2 * second, &from_responder(first));
    initiator.handle(3 * second, &from_responder(end_of_group));
    assert_eq!(initiator.wake_at(), Some(small().patience + 2 * second), "nor of a group that is here");

    let part = |number| Kind::SegmentedInvoke { trailer: Trailer::LastOfGroup, number, data: b"b" };
    let invoke =
        Kind::Invoke { trailer: Trailer::Middle, tid_new: false, user_ack: false, class: 1, data: b"a" };
    let pdu = |kind| Pdu { tid: TID, is_repeated: false, kind };
    let mut responder = Responder::accept(small(), &pdu(invoke), false, second).unwrap();
    responder.handle(2 * second, &pdu(part(1)));
    for at in 3..6 {
        responder.handle(at * second, &pdu(part(1)));
    }
    assert_eq!(responder.wake_at(), Some(small().patience + 2 * second));
}

#[test]
fn the_packets_that_are_missing_come_again_and_no_others() {
    let segment = MIN_DATAGRAM - 4;
    let mut initiator = begin(small(), 5 * segment);
    let (first, _) = said(&mut initiator);
    assert_eq!(first.iter().map(|packet| packet[0]).collect::<Vec<_>>(), [0x08, 0x28, 0x2c]);
    initiator.handle(Duration::ZERO, &from_responder(Kind::Nack(&[1, 4, 200])));
    let (again, _) = said(&mut initiator);
    assert_eq!(again.iter().map(|packet| packet[..4].to_vec()).collect::<Vec<_>>(), [[0x29, 1, 2, 1]]);
    initiator.handle(Duration::ZERO, &from_responder(Kind::Nack(&[])));
    assert_eq!(said(&mut initiator).0.len(), 3);
    for nonsense in [ack(Some(1)), ack(Some(3)), ack(Some(255)), ack(None)] {
        initiator.handle(Duration::ZERO, &nonsense);
        assert_eq!(said(&mut initiator).0, Vec::<Vec<u8>>::new());
    }
    initiator.handle(Duration::ZERO, &ack(Some(2)));
    let (second, _) = said(&mut initiator);
    assert_eq!(
        second.iter().map(|packet| (packet[0], packet[3])).collect::<Vec<_>>(),
        [(0x28, 3), (0x2a, 4)]
    );
    initiator.handle(Duration::ZERO, &ack(Some(2)));
    assert_eq!(said(&mut initiator).0, Vec::<Vec<u8>>::new(), "an old one");
}

#[test]
fn aborts_of_either_kind_end_it() {
    for (kind, abort) in [
        (Kind::ProviderAbort(ProviderReason::CAPACITY), Abort::Provider(ProviderReason::CAPACITY)),
        (Kind::UserAbort(0xe1), Abort::User(Reason::DISCONNECTED)),
    ] {
        let mut initiator = begin(small(), 1);
        said(&mut initiator);
        initiator.handle(Duration::ZERO, &from_responder(kind));
        assert_eq!(said(&mut initiator), (vec![], vec![Event::Aborted(abort)]));
        assert!(initiator.is_over() && initiator.wake_at().is_none());
    }
}

#[test]
fn more_than_is_taken_is_refused_before_it_is_kept() {
    let settings = Settings { message: 100, ..small() };
    for (size, taken) in [(100, true), (101, false)] {
        let data = octets(size);
        let mut initiator = begin(settings, 1);
        said(&mut initiator);
        initiator.handle(
            Duration::ZERO,
            &from_responder(Kind::Result { trailer: Trailer::Middle, data: &data[..60] }),
        );
        let rest = Kind::SegmentedResult { trailer: Trailer::LastOfMessage, number: 1, data: &data[60..] };
        initiator.handle(Duration::ZERO, &from_responder(rest));
        let (datagrams, events) = said(&mut initiator);
        if taken {
            assert_eq!(events, [Event::Message(data.into())]);
            assert_eq!(datagrams, [vec![0x98, 1, 2, 0x19, 1]], "it names the last packet");
        } else {
            assert_eq!(events, [Event::Aborted(Abort::TooLarge)]);
            assert_eq!(datagrams, [vec![0x20, 1, 2, ProviderReason::TOO_LARGE.0]]);
        }
    }
}

#[test]
fn packets_out_of_order_are_put_together_and_those_beyond_a_group_dropped() {
    let mut initiator = begin(small(), 1);
    said(&mut initiator);
    let packet = |number, trailer, data| from_responder(Kind::SegmentedResult { trailer, number, data });
    initiator.handle(Duration::ZERO, &packet(2, Trailer::LastOfGroup, b"c"));
    assert_eq!(said(&mut initiator).0, [vec![0x38, 1, 2, 2, 0, 1]], "two are missing");
    initiator.handle(Duration::ZERO, &packet(1, Trailer::Middle, b"b"));
    initiator.handle(Duration::ZERO, &packet(3, Trailer::LastOfMessage, b"too early"));
    assert_eq!(said(&mut initiator).0, Vec::<Vec<u8>>::new());
    initiator.handle(Duration::ZERO, &from_responder(Kind::Result { trailer: Trailer::Middle, data: b"a" }));
    assert_eq!(said(&mut initiator).0, [vec![0x98, 1, 2, 0x19, 2]]);
    let again = Pdu { is_repeated: true, ..packet(2, Trailer::LastOfGroup, b"c") };
    initiator.handle(Duration::ZERO, &again);
    assert_eq!(said(&mut initiator).0, [vec![0x98, 1, 2, 0x19, 2]], "the Ack was lost");
    initiator.handle(Duration::ZERO, &packet(3, Trailer::LastOfMessage, b"d"));
    assert_eq!(said(&mut initiator).1, [Event::Message(b"abcd".to_vec().into())]);
}

#[test]
fn a_duplicate_of_a_transaction_that_is_over_has_no_second_effect() {
    let mut peer = Peer::new(small(), b"r".to_vec());
    let mut initiator = begin(small(), 1);
    let (invoke, _) = said(&mut initiator);
    peer.datagram(Duration::ZERO, &invoke[0]);
    let question = peer.drain(Duration::ZERO);
    assert_eq!(question, [vec![0x1c, 0x81, 0x02]], "nothing is known of this initiator");
    let mut talk = |peer: &mut Peer, datagrams: Vec<Vec<u8>>| {
        for datagram in datagrams {
            initiator.handle(Duration::ZERO, &Pdu::decode(&datagram, &Limits::default()).unwrap());
        }
        for datagram in said(&mut initiator).0 {
            peer.datagram(Duration::ZERO, &datagram);
        }
        peer.drain(Duration::ZERO)
    };
    let result = talk(&mut peer, question);
    assert_eq!(peer.messages.len(), 1);
    assert_eq!(talk(&mut peer, result), Vec::<Vec<u8>>::new());
    assert_eq!((peer.confirmed, peer.responders.len()), (1, 0));
    peer.datagram(Duration::ZERO, &invoke[0]);
    let question = peer.drain(Duration::ZERO);
    assert_eq!(question, [vec![0x1c, 0x81, 0x02]]);
    assert_eq!(talk(&mut peer, question), Vec::<Vec<u8>>::new());
    assert_eq!((peer.messages.len(), peer.responders.len()), (1, 0), "the initiator said no");
}

#[test]
fn a_responder_says_that_it_holds_the_message_and_gives_up_without_a_result() {
    let mut initiator = begin(small(), 1);
    let (invoke, _) = said(&mut initiator);
    let pdu = Pdu::decode(&invoke[0], &Limits::default()).unwrap();
    let mut responder = Responder::accept(small(), &pdu, false, Duration::ZERO).unwrap();
    assert!(matches!(responder.poll(), Some(Event::Message(_))));
    let hold_on = responder.wake_at().unwrap();
    assert_eq!(hold_on, small().hold_on);
    responder.tick(hold_on);
    assert_eq!(responder.poll(), Some(Event::Transmit(vec![0x18, 0x81, 0x02])));
    responder.handle(hold_on, &Pdu { is_repeated: true, ..pdu });
    assert_eq!(responder.poll(), Some(Event::Transmit(vec![0x18, 0x81, 0x02])), "it was lost");
    responder.tick(small().patience);
    assert!(matches!(responder.poll(), Some(Event::Transmit(_))));
    assert_eq!(responder.poll(), Some(Event::Aborted(Abort::NoResponse)));
}

proptest! {
    #[test]
    fn over_any_link_it_ends_with_the_right_octets_or_a_clean_abort(
        seed: u64,
        (lost, repeated) in (0..40_u64, 0..40_u64),
        delay in 0..6_000_u64,
        (message, result) in (0..3_000_usize, 0..3_000_usize),
        group in 1..6_u8,
    ) {
        let weather = Weather { seed, lost, repeated, delay: Duration::from_millis(delay) };
        let settings = Settings { group, ..small() };
        let (message, result) = (octets(message), octets(result));
        let outcome = run(settings, weather, Class::WithResult, &message, &result);
        prop_assert!(outcome.heard.len() <= 1, "no second effect");
        prop_assert!(outcome.heard.iter().all(|heard| **heard == message[..]));
        match outcome.events.as_slice() {
            [Event::Message(got)] => {
                prop_assert_eq!(&got[..], &result[..]);
                prop_assert_eq!(outcome.heard.len(), 1);
            }
            [Event::Aborted(_)] => prop_assert!(lost > 0 || delay > 2_000, "{:?}", outcome),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

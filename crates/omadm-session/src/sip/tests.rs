//! Both ends of SIP, without a network.

use std::time::{Duration, Instant};

use omadm_auth::Secret;
use omadm_codec::Limits;
use omadm_codec::sip::{self, Field, Message};

use super::*;

const NOTIFICATION: &str = "application/vnd.syncml.dm.notification";

fn hop(transport: &'static str) -> Hop {
    Hop { transport, host: "192.0.2.1".to_owned(), port: 5_060 }
}

fn message() -> Message {
    let fields = vec![
        Field::new("From", "<sip:dm@dm.example>;tag=t1"),
        Field::new("To", "<sip:john@ims.example>"),
        Field::new("Call-ID", "c1"),
        Field::new("CSeq", "1 MESSAGE"),
        Field::new("Accept-Contact", "*;+g.oma.pusheventapp=\"syncml.dm\";require;explicit"),
        Field::new("Content-Type", NOTIFICATION),
    ];
    Message::request("MESSAGE", "sip:john@ims.example", fields, vec![0x20, 0])
}

fn sent(step: Step) -> Message {
    let Step::Send(octets) = step else { panic!("{step:?}") };
    sip::decode(&octets, &Limits::default()).unwrap()
}

#[test]
fn over_udp_a_request_is_repeated_until_time_is_up() {
    let begin = Instant::now();
    let mut exchange = Exchange::new(message(), hop("UDP"), None, "u1");
    let mut at = begin;
    let mut pauses = Vec::new();
    loop {
        match exchange.poll(at) {
            Step::Send(_) => pauses.push((at - begin).as_millis()),
            Step::Wait(until) => at = until,
            Step::Over(outcome) => break assert_eq!(outcome, Outcome::TimedOut),
        }
    }
    assert_eq!(pauses, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(at - begin, Duration::from_secs(32));
}

#[test]
fn over_tcp_nothing_is_repeated() {
    let begin = Instant::now();
    let mut exchange = Exchange::new(message(), hop("TCP"), None, "u1");
    assert_eq!(sent(exchange.poll(begin)).via().unwrap().transport, "TCP");
    assert_eq!(exchange.poll(begin), Step::Wait(begin + TRANSACTION));
    assert_eq!(exchange.poll(begin + TRANSACTION), Step::Over(Outcome::TimedOut));
}

#[test]
fn only_a_response_to_it_ends_a_request() {
    let now = Instant::now();
    let mut exchange = Exchange::new(message(), hop("UDP"), None, "u1");
    let request = sent(exchange.poll(now));
    assert_eq!(request.via().unwrap().branch(), Some("z9hG4bKu1"));
    let other = Exchange::new(message(), hop("UDP"), None, "u2").poll(now);
    assert!(!exchange.receive(&sent(other).response(200, "x"), now, "u3"), "of another transaction");
    assert!(!exchange.receive(&request, now, "u3"), "a request");
    let provisional = request.response(100, "x");
    assert!(exchange.receive(&provisional, now, "u3"));
    assert_eq!(exchange.poll(now), Step::Wait(now + T2), "it is being worked on");
    let last = request.response(404, "x");
    assert!(exchange.receive(&last, now, "u3"));
    assert!(exchange.receive(&request.response(200, "x"), now, "u3"), "too late");
    assert_eq!(exchange.poll(now), Step::Over(Outcome::Final(Box::new(last))));
}

#[test]
fn a_challenge_is_answered_once_and_once_more_if_its_nonce_has_aged() {
    let now = Instant::now();
    let credentials = Credentials { user: "dm".to_owned(), secret: Secret::new(b"pw".to_vec()) };
    let challenge = |request: &Message, stale: &str| {
        let value = format!("Digest realm=\"ims\", nonce=\"n{stale}\", qop=\"auth\", algorithm=MD5{stale}");
        request.response(407, "x").with("Proxy-Authenticate", &value)
    };
    for (second, goes_on) in [(", stale=true", true), ("", false)] {
        let mut exchange = Exchange::new(message(), hop("UDP"), Some(credentials.clone()), "u1");
        let first = sent(exchange.poll(now));
        assert_eq!(first.field("Proxy-Authorization"), None);
        assert!(exchange.receive(&challenge(&first, ""), now, "u2"));
        let again = sent(exchange.poll(now));
        assert!(again.field("Proxy-Authorization").is_some_and(|value| value.contains("username=\"dm\"")));
        assert_eq!(again.cseq().map(|cseq| cseq.number), Some(2));
        assert_eq!(exchange.number(), 2);
        assert_ne!(again.via(), first.via(), "a transaction of its own");
        assert!(exchange.receive(&challenge(&again, second), now, "u3"));
        assert_eq!(matches!(exchange.poll(now), Step::Send(_)), goes_on, "{second}");
    }
    let mut anonymous = Exchange::new(message(), hop("UDP"), None, "u1");
    let first = sent(anonymous.poll(now));
    anonymous.receive(&challenge(&first, ""), now, "u2");
    assert!(matches!(anonymous.poll(now), Step::Over(Outcome::Final(_))));
}

struct Device(Server, Instant);

impl Device {
    fn new() -> Self {
        Self(Server::new(&[NOTIFICATION], Limits { bytes: 4_096, ..Limits::default() }), Instant::now())
    }

    fn receive(&mut self, octets: &[u8]) -> Reaction {
        let source = ([198, 51, 100, 9], 40_000).into();
        let arrival = Arrival { octets, source, now: self.1, unique: "mine" };
        self.0.receive(arrival, true).unwrap()
    }

    /// The status code of the response, and what was taken.
    fn ask(&mut self, change: impl Fn(&mut Message)) -> (Message, Option<Taken>) {
        let mut exchange = Exchange::new(message(), hop("UDP"), None, "u1");
        let mut request = sent(exchange.poll(self.1));
        change(&mut request);
        let mut octets = Vec::new();
        request.encode(&mut octets);
        let reaction = self.receive(&octets);
        let (octets, to) = reaction.answer.unwrap();
        assert_eq!(to, ([198, 51, 100, 9], 40_000).into());
        (sip::decode(&octets, &Limits::default()).unwrap(), reaction.taken)
    }
}

fn replace(message: &mut Message, name: &'static str, value: &str) {
    message.fields.retain(|field| !field.is(name));
    message.fields.push(Field::new(name, value));
}

#[test]
fn a_push_is_taken_and_its_repetition_answered_alike() {
    let mut device = Device::new();
    let (response, taken) = device.ask(|_| {});
    assert_eq!(response.code(), Some(200));
    let via = response.via().unwrap();
    assert_eq!(via.parameter("received"), Some(Some("198.51.100.9")));
    assert_eq!(via.parameter("rport"), Some(Some("40000")));
    let taken = taken.unwrap();
    assert_eq!((taken.content_type.as_str(), taken.for_dm), (NOTIFICATION, true));
    assert_eq!((taken.from.as_str(), taken.body.as_slice()), ("sip:dm@dm.example", [0x20, 0].as_slice()));
    let (again, taken) = device.ask(|_| {});
    assert_eq!((again, taken), (response, None), "the same transaction");
    device.1 += TRANSACTION;
    assert!(device.ask(|_| {}).1.is_some(), "it is forgotten");
}

#[test]
fn what_is_no_push_for_us_is_refused_as_it_fits() {
    type Change = fn(&mut Message);
    let cases: [(Change, u16, Option<&'static str>); 12] = [
        (|request| replace(request, "Content-Type", "text/plain"), 415, Some("Accept")),
        (|request| request.fields.retain(|field| !field.is("Content-Type")), 415, Some("Accept")),
        (|request| request.fields.push(Field::new("Content-Encoding", "gzip")), 415, Some("Accept-Encoding")),
        (|request| request.fields.push(Field::new("Content-Transfer-Encoding", "base64")), 415, None),
        (|request| replace(request, "Accept-Contact", "*;+g.oma.pusheventapp=\"mms.ua\""), 488, None),
        (|request| replace(request, "To", "<sip:john@ims.example>;tag=old"), 481, None),
        (|request| request.fields.push(Field::new("Require", "100rel")), 420, Some("Unsupported")),
        (|request| rename(request, "INVITE", "sip:john@ims.example"), 405, Some("Allow")),
        (|request| rename(request, "CANCEL", "sip:john@ims.example"), 481, None),
        (|request| rename(request, "MESSAGE", "tel:+46701"), 416, None),
        (|request| rename(request, "OPTIONS", "sip:john@ims.example"), 200, Some("Allow")),
        (|request| rename(request, "MESSAGE", "sips:john@ims.example"), 200, None),
    ];
    for (change, code, header) in cases {
        let mut device = Device::new();
        let (response, taken) = device.ask(change);
        assert_eq!(response.code(), Some(code));
        assert_eq!(taken.is_some(), code == 200 && header.is_none());
        assert!(header.is_none_or(|name| response.field(name).is_some()), "{code}");
    }
}

fn rename(request: &mut Message, method: &str, uri: &str) {
    replace(request, "CSeq", &format!("1 {method}"));
    *request = Message::request(method, uri, request.fields.clone(), request.body.clone());
}

#[test]
fn broken_and_unanswerable_messages_do_no_harm() {
    let mut device = Device::new();
    let mut octets = Vec::new();
    sent(Exchange::new(message(), hop("UDP"), None, "u1").poll(device.1)).encode(&mut octets);
    let text = String::from_utf8(octets.clone()).unwrap();
    let answer =
        device.receive(text.replace("Content-Length: 2", "Content-Length: 3").as_bytes()).answer.unwrap();
    let answer = sip::decode(&answer.0, &Limits::default()).unwrap();
    assert_eq!(answer.code(), Some(400));
    assert!(answer.field("Warning").unwrap().contains("Content-Length"));
    let ack = text.replace("MESSAGE", "ACK").replace("Content-Length: 2", "Content-Length: 3");
    let arrival = |octets| Arrival { octets, source: ([1, 2, 3, 4], 5).into(), now: device.1, unique: "x" };
    assert!(device.0.receive(arrival(ack.as_bytes()), true).is_err(), "nobody answers an ACK");
    assert!(device.0.receive(arrival(b"\r\n\r\n"), true).is_err());
    let whole = ack.replace(": 3", ": 2");
    assert_eq!(device.0.receive(arrival(whole.as_bytes()), true), Ok(Reaction::default()));
    let full = device.0.receive(arrival(&octets), false).unwrap();
    assert_eq!(sip::decode(&full.answer.unwrap().0, &Limits::default()).unwrap().code(), Some(480));
    assert_eq!(full.taken, None);
}

#[test]
fn transactions_that_are_remembered_are_counted() {
    let mut device = Device::new();
    let mut push = |number: usize| {
        let mut octets = Vec::new();
        let mut exchange = Exchange::new(message(), hop("UDP"), None, &format!("u{number}"));
        sent(exchange.poll(device.1)).encode(&mut octets);
        device.receive(&octets).taken.is_some()
    };
    for number in 0..=256 {
        assert!(push(number), "{number}");
    }
    assert!(!push(1), "still known");
    assert!(push(0), "the oldest is forgotten");
}

#[test]
fn octets_that_are_remembered_are_counted() {
    let mut device = Device(Server::new(&[NOTIFICATION], Limits::default()), Instant::now());
    let mut push = |number: usize| {
        let long = message().with("Via", &format!("SIP/2.0/UDP a;branch={}", "b".repeat(14_000)));
        let mut octets = Vec::new();
        let mut exchange = Exchange::new(long, hop("UDP"), None, &format!("u{number}"));
        sent(exchange.poll(device.1)).encode(&mut octets);
        device.receive(&octets).taken.is_some()
    };
    // Nine responses of 14,000 octets and more are what 128 KiB hold.
    assert!((0..9).all(&mut push));
    assert!(!(0..9).any(&mut push), "all are known");
    assert!(push(9));
    assert!(push(0), "the oldest is forgotten");
}

fn account() -> Account {
    Account {
        address: "sip:john@ims.example".to_owned(),
        registrar: "sip:ims.example".to_owned(),
        contact: "sip:john@192.0.2.1:5060".to_owned(),
        expires: 3_600,
    }
}

#[test]
fn a_registration_is_renewed_in_time() {
    let mut registration = Registration::new(account(), "c".to_owned(), "t".to_owned());
    let mut register = |answer: &dyn Fn(&Message) -> Option<Message>| {
        let request = sent(Exchange::new(registration.request(), hop("UDP"), None, "u").poll(Instant::now()));
        let number = request.cseq().unwrap().number;
        (registration.answered(answer(&request).as_ref(), number), request)
    };
    let seconds = Duration::from_secs;
    let contact = "<sip:john@192.0.2.1:5060>;+g.oma.pusheventapp=\"syncml.dm\"";
    let granted = format!("{contact};expires=600");
    let (verdict, request) = register(&|request| Some(request.response(200, "x").with("Contact", &granted)));
    assert_eq!(verdict, Verdict::Registered(seconds(500)));
    assert_eq!(request.field("Contact"), Some(contact));
    assert_eq!(request.field("Expires"), Some("3600"));
    let (verdict, again) = register(&|request| Some(request.response(200, "x")));
    assert_eq!(verdict, Verdict::Registered(seconds(3_000)), "as long as asked for");
    assert_eq!(again.field("Call-ID"), request.field("Call-ID"));
    assert_eq!(again.cseq().unwrap().number, 2);
    let short = |request: &Message| Some(request.response(200, "x").with("Expires", "1"));
    assert_eq!(register(&short).0, Verdict::Registered(seconds(50)), "not more often");
    let failed = |verdict| match verdict {
        Verdict::Failed(_, pause) => pause.as_secs(),
        Verdict::Registered(_) => panic!("registered"),
    };
    assert_eq!(failed(register(&|_| None).0), 30);
    assert_eq!(failed(register(&|request| Some(request.response(403, "x"))).0), 60);
    for bad in ["0", "x", ""] {
        let answer = |request: &Message| Some(request.response(200, "x").with("Expires", bad));
        assert!(failed(register(&answer).0) > 60, "{bad}");
    }
    let longer = |wanted: &'static str| {
        move |request: &Message| Some(request.response(423, "x").with("Min-Expires", wanted))
    };
    assert!(failed(register(&longer("86401")).0) > 0, "too long");
    assert!(failed(register(&longer("3600")).0) > 0, "it is that already");
    assert_eq!(failed(register(&longer("7200")).0), 0, "at once");
    assert!(failed(register(&longer("7201")).0) > 0, "and not over and over");
    assert_eq!(register(&|_| None).1.field("Expires"), Some("7201"));
}

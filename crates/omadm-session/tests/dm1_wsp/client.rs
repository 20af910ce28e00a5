//! A client of WSP, with and without a connection (`WAP-230`).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use omadm_codec::wsp::{
    Capability, Content, GatewayAddress, Header, Identifier, Media, Method, Pdu, ShortInteger, Status, Text,
};
use omadm_codec::wtp::{self, Kind, Trailer};
use omadm_session::Body;
use omadm_session::dm1::wsp::{
    Class, Client, Failure, MIN_DATAGRAM, Mode, Output, Reply, Request, Settings, TooLong,
};
use proptest::prelude::*;

use crate::gateway::{Answer, Gateway, answering, octets};
use crate::link::{Link, To, Weather};

const URI: &str = "http://dm.example/dm";

fn request(body: &[u8]) -> Request {
    Request {
        method: Method::POST,
        uri: Text::new(URI).unwrap(),
        media: Media::from_http("application/vnd.syncml.dm+wbxml").unwrap(),
        headers: Header::from_http("x-syncml-hmac", "m").unwrap(),
        body: body.to_vec().into(),
    }
}

/// A reply with this body.
fn reply(status: u8, body: &[u8]) -> Vec<u8> {
    let content = Content { media: Media::code(0x42), headers: vec![], body };
    octets(&Pdu::Reply { status: Status(status), content: Some(content) })
}

fn replied(status: u16, body: &[u8]) -> Output {
    let (media, headers) = (Some(Media::code(0x42)), vec![]);
    Output::Reply(Reply { status, media, headers, body: body.to_vec().into() })
}

/// Runs client and gateway until nothing happens at once any more, or, with `patient`, at all; gives what the client told.
fn talk(
    client: &mut Client,
    gateway: &mut Gateway,
    link: &mut Link,
    now: &mut Duration,
    patient: bool,
) -> Vec<Output> {
    let mut told = Vec::new();
    loop {
        while let Some(output) = client.poll() {
            match output {
                Output::Transmit(datagram) => link.send(*now, To::Responder, &datagram),
                output => told.push(output),
            }
        }
        for datagram in gateway.drain(*now) {
            link.send(*now, To::Initiator, &datagram);
        }
        if let Some((to, datagram)) = link.arrived(*now) {
            match to {
                To::Initiator => client.datagram(*now, &datagram),
                To::Responder => gateway.datagram(*now, &datagram),
            }
            continue;
        }
        let timers = [client.wake_at(), link.next_at()];
        let Some(next) = timers.into_iter().flatten().min().filter(|_| patient && told.is_empty()) else {
            return told;
        };
        *now = (*now).max(next);
        client.tick(*now);
    }
}

struct Pair {
    client: Client,
    gateway: Gateway,
    link: Link,
    now: Duration,
}

impl Pair {
    fn new(settings: Settings, answer: Answer) -> Self {
        Self {
            client: Client::new(Mode::Connection, settings, 0x7ffe),
            gateway: Gateway::new(Settings { message: 1 << 20, ..settings }, answer),
            link: Link::new(Weather::FINE),
            now: Duration::ZERO,
        }
    }

    fn ask(&mut self, body: &[u8]) -> Vec<Output> {
        self.client.request(self.now, &request(body));
        self.run()
    }

    fn run(&mut self) -> Vec<Output> {
        talk(&mut self.client, &mut self.gateway, &mut self.link, &mut self.now, false)
    }
}

#[test]
fn requests_of_a_session_are_posts_and_end_with_a_disconnect() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    let answer = answering(move |uri, content| {
        log.borrow_mut().push((uri.to_owned(), content.media.as_http(), content.headers.len()));
        reply(0x20, &[content.body, b"!"].concat())
    });
    let mut pair = Pair::new(Settings::default(), answer);
    // The numbers of the transactions wrap around on the way.
    for body in [&b"one"[..], b"two", b"", &[7; 60_000]] {
        assert_eq!(pair.ask(body), [replied(200, &[body, b"!"].concat())]);
    }
    let wbxml = Some("application/vnd.syncml.dm+wbxml".to_owned());
    assert_eq!(*seen.borrow(), vec![(URI.to_owned(), wbxml, 1); 4]);
    pair.client.disconnect(pair.now);
    assert_eq!(pair.run(), []);
    assert_eq!(pair.gateway.heard, ["Disconnect { session: 5 }"]);
    assert_eq!(pair.ask(b"three"), [replied(200, b"three!")], "in a new session");
}

#[test]
fn statuses_are_those_of_http_and_others_are_none() {
    for (octet, http) in [(0x20, 200), (0x4d, 413), (0x60, 500), (0x64, 504)] {
        let mut pair = Pair::new(Settings::default(), answering(move |_, _| reply(octet, b"")));
        assert_eq!(pair.ask(b"x"), [replied(http, b"")]);
    }
    let mut pair = Pair::new(Settings::default(), answering(|_, _| reply(0x70, b"")));
    assert_eq!(pair.ask(b"x"), [Output::Failed(Failure::OutOfTurn)]);
    let nothing = || octets(&Pdu::Reply { status: Status(0x64), content: None });
    let mut pair = Pair::new(Settings::default(), answering(move |_, _| nothing()));
    let empty = Reply { status: 504, media: None, headers: vec![], body: Body::default() };
    assert_eq!(pair.ask(b"x"), [Output::Reply(empty)]);
}

#[test]
fn what_the_gateway_does_not_take_is_not_sent() {
    let connect = |size: Capability| -> Answer {
        Box::new(move |pdu| match pdu {
            Pdu::Connect { .. } => {
                let capabilities = vec![size.clone()];
                octets(&Pdu::ConnectReply { session: 1, capabilities, headers: vec![] })
            }
            _ => reply(0x20, b""),
        })
    };
    // Before the body: type, two lengths, URI, content type, header.
    let head = 3 + URI.len() + 1 + 16;
    for (size, most) in [
        (Capability::ServerSdu(1000), 1000),
        (
            Capability::Other { id: Identifier::Number(ShortInteger::new(1).unwrap()), parameters: vec![] },
            1400,
        ),
    ] {
        let mut pair = Pair::new(Settings::default(), connect(size));
        assert_eq!(pair.ask(&vec![0; most - head]), [replied(200, b"")]);
        let refused = Failure::RequestTooLarge(TooLong { octets: most + 1, most });
        assert_eq!(pair.ask(&vec![0; most - head + 1]), [Output::Failed(refused)]);
        assert_eq!(pair.ask(b"small"), [replied(200, b"")], "the session goes on");
    }
    let mut pair = Pair::new(Settings::default(), connect(Capability::ServerSdu(0)));
    assert_eq!(pair.ask(&[0; 100_000]), [replied(200, b"")]);
}

#[test]
fn gateways_that_answer_something_else_are_told_apart() {
    let redirect = || {
        let address = GatewayAddress { bearer: None, port: None, address: &[10, 0, 0, 1] };
        octets(&Pdu::Redirect { permanent: true, reuse_security: false, addresses: vec![address] })
    };
    let mut pair = Pair::new(Settings::default(), Box::new(move |_| redirect()));
    assert_eq!(pair.ask(b"x"), [Output::Failed(Failure::Redirected)]);
    let mut pair = Pair::new(Settings::default(), Box::new(|_| reply(0x20, b"")));
    assert_eq!(pair.ask(b"x"), [Output::Failed(Failure::OutOfTurn)], "a reply to Connect");
    let mut pair = Pair::new(Settings::default(), Box::new(|_| vec![0xff]));
    assert!(matches!(pair.ask(b"x")[..], [Output::Failed(Failure::Unreadable(_))]));
    let mut pair = Pair::new(Settings::default(), answering(|_, _| octets(&Pdu::Disconnect { session: 1 })));
    assert_eq!(pair.ask(b"x"), [Output::Failed(Failure::OutOfTurn)]);
}

#[test]
fn an_answer_that_is_too_large_is_refused() {
    let settings = Settings { message: 2_000, ..Settings::default() };
    let mut pair = Pair::new(settings, answering(|_, _| reply(0x20, &[0; 2_000])));
    assert_eq!(pair.ask(b"x"), [Output::Failed(Failure::AnswerTooLarge { most: 2_000 })]);
}

#[test]
fn pushes_in_the_session_are_handed_on_and_confirmed() {
    let mut pair = Pair::new(Settings::default(), answering(|_, _| reply(0x20, b"")));
    pair.ask(b"x");
    let content = |body| Content { media: Media::code(0x44), headers: vec![], body };
    pair.gateway.begin(pair.now, Class::Unreliable, &Pdu::Push(content(b"a")));
    pair.gateway.begin(pair.now, Class::Acknowledged, &Pdu::ConfirmedPush(content(&[1; 3_000])));
    let told = pair.run();
    let [Output::Push(first), Output::Push(second)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((first.confirmed, &first.body[..]), (false, &b"a"[..]));
    assert_eq!(
        (second.confirmed, &second.body[..], &second.media),
        (true, &[1; 3_000][..], &Media::code(0x44))
    );
    assert_eq!(pair.gateway.heard, ["Confirmed"]);
    pair.gateway.heard.clear();
    pair.gateway.begin(
        pair.now,
        Class::Acknowledged,
        &Pdu::Get { method: Method::GET, uri: Text::new("http://a").unwrap(), headers: vec![] },
    );
    assert_eq!(pair.run(), []);
    assert_eq!(pair.gateway.heard, ["Aborted(User(Reason(224)))"], "a device serves nothing");
}

#[test]
fn a_session_that_the_gateway_ends_is_opened_anew() {
    let mut pair = Pair::new(Settings::default(), answering(|_, content| reply(0x20, content.body)));
    assert_eq!(pair.ask(b"x"), [replied(200, b"x")]);
    for id in [4, 5] {
        pair.gateway.begin(pair.now, Class::Unreliable, &Pdu::Disconnect { session: id });
        assert_eq!(pair.run(), []);
    }
    assert_eq!(pair.ask(b"y"), [replied(200, b"y")]);
}

#[test]
fn what_only_a_gateway_may_be_asked_is_refused() {
    let mut client = Client::new(Mode::Connection, Settings::default(), 0);
    let mut say = |octets: &[u8]| {
        client.datagram(Duration::ZERO, octets);
        let mut told = Vec::new();
        while let Some(output) = client.poll() {
            told.push(output);
        }
        told
    };
    let invoke = |class| {
        let kind = Kind::Invoke {
            trailer: Trailer::LastOfMessage,
            tid_new: false,
            user_ack: false,
            class,
            data: b"",
        };
        let mut out = Vec::new();
        wtp::Pdu { tid: 1, is_repeated: false, kind }.encode(&mut out);
        out
    };
    assert_eq!(say(&invoke(2)), [Output::Transmit(vec![0x20, 0x80, 1, 3])], "no class 2");
    assert_eq!(say(&invoke(3)), [], "there is no such class");
    assert!(matches!(say(&invoke(0))[..], [Output::Dropped(_)]), "no WSP in it");
    assert_eq!(say(&[0x1c, 0x80, 9]), [Output::Transmit(vec![0x20, 0, 9, 2])], "no such transaction");
    assert_eq!(say(&[0x18, 0x80, 9]), []);
    assert!(matches!(say(&[0xff])[..], [Output::Dropped(_)]));
    // As many as are kept, and one more.
    for tid in 10..=18_u8 {
        let told = say(&[0x08, 0, tid, 0x01, b'x']);
        let full = Output::Transmit(vec![0x20, 0x80, tid, 7]);
        assert_eq!(told, if tid < 18 { vec![] } else { vec![full] });
    }
}

fn connectionless(datagram: usize) -> Client {
    Client::new(Mode::Connectionless, Settings { datagram, ..Settings::default() }, 0x01ff)
}

#[test]
fn without_a_connection_a_message_is_a_datagram() {
    let mut client = connectionless(1400);
    client.request(Duration::ZERO, &request(b"x"));
    let Some(Output::Transmit(datagram)) = client.poll() else { panic!("a datagram") };
    assert_eq!((datagram[0], datagram[1]), (0xff, 0x60));
    for stray in [&[0xfe, 4, 0x20, 0][..], &[0xff, 5, 1]] {
        client.datagram(Duration::ZERO, stray);
        assert_eq!(client.poll(), None, "another's reply, no reply");
    }
    client.datagram(Duration::ZERO, &[0xff]);
    assert!(matches!(client.poll(), Some(Output::Dropped(_))));
    client.datagram(Duration::ZERO, &[9, 6, 1, 0xc4, b'p']);
    assert!(matches!(client.poll(), Some(Output::Push(push)) if &push.body[..] == b"p" && !push.confirmed));
    client.datagram(Duration::ZERO, &[0xff, 4, 0x20, 1, 0xc2, b'r']);
    assert_eq!(client.poll(), Some(replied(200, b"r")));
    client.datagram(Duration::ZERO, &[0xff, 4, 0x20, 1, 0xc2, b'r']);
    assert_eq!((client.poll(), client.wake_at()), (None, None), "once");

    client.request(Duration::ZERO, &request(b"x"));
    assert!(matches!(client.poll(), Some(Output::Transmit(datagram)) if datagram[0] == 0));
    let deadline = client.wake_at().unwrap();
    assert_eq!(deadline, Settings::default().patience);
    client.tick(deadline);
    assert_eq!(client.poll(), Some(Output::Failed(Failure::NoResponse)));
}

#[test]
fn without_a_connection_a_message_has_to_fit() {
    let head = 1 + 3 + URI.len() + 1 + 16;
    let mut client = connectionless(200);
    client.request(Duration::ZERO, &request(&vec![0; 200 - head]));
    assert!(matches!(client.poll(), Some(Output::Transmit(datagram)) if datagram.len() == 200));
    client.request(Duration::ZERO, &request(&vec![0; 201 - head]));
    let refused = Failure::RequestTooLarge(TooLong { octets: 201, most: 200 });
    assert_eq!(client.poll(), Some(Output::Failed(refused)));
}

#[test]
fn requests_do_not_show_what_they_hold() {
    let shown = format!("{:?}", request(b"secret"));
    assert!(shown.contains("6 octets") && !shown.contains("secret") && !shown.contains("hmac"), "{shown}");
}

proptest! {
    #[test]
    fn over_any_link_a_request_has_one_reply_or_a_failure(
        seed: u64,
        (lost, repeated) in (0..30_u64, 0..30_u64),
        delay in 0..4_000_u64,
        sizes in prop::collection::vec(0..2_000_usize, 1..4),
    ) {
        let settings = Settings { datagram: 2 * MIN_DATAGRAM, ..Settings::default() };
        let mut client = Client::new(Mode::Connection, settings, 0x7fff);
        let mut gateway = Gateway::new(settings, answering(|_, content| reply(0x20, content.body)));
        let mut link = Link::new(Weather { seed, lost, repeated, delay: Duration::from_millis(delay) });
        let mut now = Duration::ZERO;
        for size in sizes {
            let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 256).unwrap()).collect();
            client.request(now, &request(&body));
            let told = talk(&mut client, &mut gateway, &mut link, &mut now, true);
            match &told[..] {
                [Output::Reply(reply)] => prop_assert_eq!(&reply.body[..], &body[..]),
                [Output::Failed(_)] => prop_assert!(lost > 0 || delay > 1_000, "{:?}", told),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

//! The client against servers that do what they like.

use std::time::Duration;

use omadm_codec::Tolerance;
use omadm_codec::obex::{
    Challenge, ConnectFields, Header, HeaderId, Opcode, Packet as _, Request, Response, ResponseCode,
};
use omadm_session::dm1::obex::{Client, Failure, Gained, Settings};

use crate::support::{LIMITS, WBXML, ZERO, credentials, gained, object, response};

const SECOND: Duration = Duration::from_secs(1);
const WHO: Header<'static> = Header::Octets(HeaderId::WHO, b"SYNCML-DM");
const NUMBER: Header<'static> = Header::Number(HeaderId::CONNECTION_ID, 9);

fn lenient() -> Settings {
    Settings {
        max_packet: 255,
        max_object: 1_000,
        silence: 30 * SECOND,
        pause: SECOND,
        retries: 2,
        ..Settings::default()
    }
}

fn strict() -> Settings {
    Settings { strict: true, ..lenient() }
}

fn connected(headers: Vec<Header<'_>>) -> Response<'_> {
    let connect = Some(ConnectFields { max_packet: 255 });
    Response { code: ResponseCode::SUCCESS, connect, headers }
}

/// A client, and what it was told since it began.
struct Called {
    client: Client,
    now: Duration,
    packets: Vec<Vec<u8>>,
    told: Vec<Gained>,
}

impl Called {
    fn new(settings: Settings) -> Self {
        let mut called =
            Self { client: Client::new(settings, ZERO), now: ZERO, packets: Vec::new(), told: Vec::new() };
        called.hear();
        called
    }

    fn ready(settings: Settings) -> Self {
        let mut called = Self::new(settings);
        called.answer(&connected(vec![NUMBER, WHO]));
        assert_eq!(called.told, [Gained::Connected]);
        called.told.clear();
        called
    }

    fn hear(&mut self) {
        let (packets, told) = gained(&mut self.client);
        self.packets.extend(packets);
        self.told.extend(told);
    }

    fn answer(&mut self, response: &Response<'_>) {
        self.client.receive(&response.encode().unwrap(), self.now);
        self.hear();
    }

    fn code(&mut self, code: ResponseCode) {
        self.answer(&response(code, Vec::new()));
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.client.wake(self.now);
        self.hear();
    }

    fn put(&mut self, octets: &[u8]) {
        self.client.put(object(octets), self.now);
        self.hear();
    }

    fn get(&mut self) {
        self.client.get(WBXML, self.now);
        self.hear();
    }

    fn opcodes(&self) -> Vec<(Opcode, bool)> {
        self.packets.iter().map(|octets| Opcode::of(octets[0]).unwrap()).collect()
    }

    fn failure(&self) -> Option<&Failure> {
        self.told.iter().find_map(|told| match told {
            Gained::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}

#[test]
fn it_asks_for_the_service_of_dm_and_names_the_connection_after_that() {
    let mut called = Called::ready(strict());
    assert_eq!(called.packets[0], b"\x80\x00\x13\x10\x00\x00\xff\x46\x00\x0cSYNCML-DM");
    called.get();
    let get = Request::decode(&called.packets[1], &LIMITS).unwrap();
    assert_eq!(get.headers[0], NUMBER);
    assert_eq!(get.octets(HeaderId::TYPE), Some(&b"application/vnd.syncml.dm+wbxml\0"[..]));
}

#[test]
fn it_does_not_talk_to_another_service() {
    let other = Header::Octets(HeaderId::WHO, b"SYNCML-SYNC");
    for answer in [connected(vec![NUMBER, other.clone()]), connected(vec![other])] {
        let mut called = Called::new(lenient());
        called.answer(&answer);
        assert!(matches!(called.failure(), Some(Failure::Protocol(_))), "{:?}", called.told);
    }
    for answer in [connected(vec![]), connected(vec![NUMBER]), connected(vec![WHO])] {
        let mut called = Called::new(strict());
        called.answer(&answer);
        assert!(matches!(called.failure(), Some(Failure::Protocol(_))));
        let mut called = Called::new(lenient());
        called.answer(&answer);
        assert_eq!(called.told, [Gained::Tolerated(Tolerance::UndirectedObex), Gained::Connected]);
    }
    let mut called = Called::new(lenient());
    called.answer(&Response { code: ResponseCode::NOT_FOUND, ..connected(vec![]) });
    assert!(called.failure().unwrap().to_string().contains("Connect was answered 0xC4 Not Found"));
}

#[test]
fn a_challenge_is_answered_once() {
    let value = Challenge { nonce: [7; 16], wants_user: true, realm: b"\0x" }.encode();
    let challenge = Response {
        code: ResponseCode::UNAUTHORIZED,
        ..connected(vec![Header::Octets(HeaderId::CHALLENGE, &value)])
    };
    let mut called = Called::new(lenient());
    called.answer(&challenge);
    assert_eq!(called.failure(), Some(&Failure::Unauthorized), "it knows no password");
    let mut called = Called::new(Settings { credentials: credentials("p"), ..lenient() });
    called.answer(&challenge);
    let again = Request::decode(&called.packets[1], &LIMITS).unwrap();
    assert!(again.octets(HeaderId::PROOF).is_some());
    assert!(!called.packets[1].windows(2).any(|octets| octets == b":p"), "the password stays here");
    called.answer(&challenge);
    assert_eq!(called.failure(), Some(&Failure::Unauthorized), "it is wrong");
}

#[test]
fn success_before_the_end_of_a_put_is_tolerated_by_name() {
    let mut called = Called::ready(lenient());
    called.put(&[2; 400]);
    called.code(ResponseCode::SUCCESS);
    called.code(ResponseCode::SUCCESS);
    assert_eq!(called.told, [Gained::Tolerated(Tolerance::EarlyObexSuccess), Gained::Put]);
    let opcodes = [(Opcode::Connect, true), (Opcode::Put, false), (Opcode::Put, true)];
    assert_eq!(called.opcodes(), opcodes);
    let mut called = Called::ready(strict());
    called.put(&[2; 400]);
    called.code(ResponseCode::SUCCESS);
    assert!(matches!(called.failure(), Some(Failure::Protocol(_))));
}

#[test]
fn a_put_that_is_refused_ends_and_the_connection_goes_on() {
    let mut called = Called::ready(lenient());
    called.put(&[2; 400]);
    called.code(ResponseCode::TOO_LARGE);
    let refused = Failure::Refused { request: "Put", code: ResponseCode::TOO_LARGE };
    assert_eq!(called.told, [Gained::Failed(refused)]);
    called.put(b"\x02");
    called.code(ResponseCode::SUCCESS);
    assert_eq!(called.told[1], Gained::Put);
    called.put(b"\x02");
    called.code(ResponseCode::CONTINUE);
    assert!(matches!(called.told[2], Gained::Failed(Failure::Protocol(_))), "there is no more");
}

#[test]
fn an_answer_that_is_not_ready_is_asked_for_again_after_a_pause() {
    let mut called = Called::ready(lenient());
    called.get();
    for _ in 0..2 {
        called.code(ResponseCode::SERVICE_UNAVAILABLE);
        let before = called.packets.len();
        called.wait(SECOND - Duration::from_nanos(1));
        assert_eq!(called.packets.len(), before);
        called.wait(Duration::from_nanos(1));
        assert_eq!(called.packets.len(), before + 1);
    }
    called.code(ResponseCode::SERVICE_UNAVAILABLE);
    let refused = Failure::Refused { request: "Get", code: ResponseCode::SERVICE_UNAVAILABLE };
    assert_eq!(called.told, [Gained::Failed(refused)], "it was asked for often enough");
}

#[test]
fn an_answer_is_taken_in_its_parts_and_no_larger_than_allowed() {
    let part = |octets| Header::Octets(HeaderId::BODY, octets);
    let last = |octets| Header::Octets(HeaderId::END_OF_BODY, octets);
    let length = Header::Number(HeaderId::LENGTH, 2);
    let mut called = Called::ready(strict());
    called.get();
    called.answer(&response(ResponseCode::CONTINUE, vec![length.clone(), part(b"\x02")]));
    called.answer(&response(ResponseCode::SUCCESS, vec![last(b"\x03")]));
    assert_eq!(called.told, [Gained::Object(object(b"\x02\x03"))]);
    called.get();
    called.answer(&response(ResponseCode::SUCCESS, vec![length, last(b"<")]));
    assert!(matches!(called.failure(), Some(Failure::Protocol(_))), "it has not the Length that it says");

    let mut called = Called::ready(lenient());
    called.get();
    let octets = [2; 200];
    for _ in 0..5 {
        called.answer(&response(ResponseCode::CONTINUE, vec![part(&octets)]));
    }
    assert_eq!(called.failure(), None, "1,000 octets are allowed");
    called.answer(&response(ResponseCode::CONTINUE, vec![part(b"\x02")]));
    assert_eq!(called.failure(), Some(&Failure::TooLarge { limit: 1_000 }));
}

#[test]
fn an_answer_that_never_gets_on_has_an_end() {
    let mut called = Called::ready(lenient());
    called.get();
    for _ in 0..16 {
        called.code(ResponseCode::CONTINUE);
    }
    assert_eq!(called.failure(), None);
    called.code(ResponseCode::CONTINUE);
    assert!(matches!(called.failure(), Some(Failure::Protocol(_))), "nothing of the object comes");
}

#[test]
fn what_was_not_asked_for_ends_the_connection() {
    let mut called = Called::ready(lenient());
    called.code(ResponseCode::SUCCESS);
    assert!(matches!(called.failure(), Some(Failure::Protocol(_))));
    let mut called = Called::ready(lenient());
    called.get();
    called.client.receive(&[0xa0, 0, 2], ZERO);
    called.hear();
    assert!(matches!(called.failure(), Some(Failure::Malformed(_))));
    called.put(b"\x02");
    assert_eq!(called.told.len(), 1, "nothing more comes of it");
}

#[test]
fn silence_has_an_end() {
    for begin in [Called::put as fn(&mut Called, &[u8]), |called, _| called.get()] {
        let mut called = Called::ready(lenient());
        assert_eq!(called.client.deadline(), None, "the host has the word");
        begin(&mut called, b"\x02");
        called.wait(30 * SECOND - Duration::from_nanos(1));
        assert_eq!(called.failure(), None);
        called.wait(Duration::from_nanos(1));
        assert_eq!(called.failure(), Some(&Failure::Silent { seconds: 30 }));
    }
    let mut called = Called::new(lenient());
    called.wait(30 * SECOND);
    assert_eq!(called.failure(), Some(&Failure::Silent { seconds: 30 }), "nobody answers Connect");
}

#[test]
fn what_goes_on_can_be_taken_back() {
    let mut called = Called::ready(lenient());
    called.put(&[2; 400]);
    called.client.abort(ZERO);
    called.hear();
    assert_eq!(called.opcodes().last(), Some(&(Opcode::Abort, true)));
    called.code(ResponseCode::SUCCESS);
    assert_eq!(called.told, [Gained::Aborted]);
    called.client.disconnect(ZERO);
    called.hear();
    called.code(ResponseCode::SUCCESS);
    assert_eq!(called.told[1], Gained::Disconnected);
    assert_eq!(called.client.deadline(), None);
}

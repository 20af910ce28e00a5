//! The server against clients that do what they like.

use std::time::Duration;

use omadm_codec::Tolerance;
use omadm_codec::obex::{Header, HeaderId, Opcode, Request, ResponseCode};
use omadm_session::dm1::obex::{Event, Failure, Settings};

use crate::support::{ID, Served, TARGET, TYPE, WBXML, object, request};

const SECOND: Duration = Duration::from_secs(1);

fn lenient() -> Settings {
    Settings { max_object: 1_000, ..Settings::default() }
}

fn strict() -> Settings {
    Settings { strict: true, ..lenient() }
}

fn connect(headers: Vec<Header<'_>>) -> Request<'_> {
    request(Opcode::Connect, true, headers)
}

fn body(octets: &[u8]) -> Header<'_> {
    Header::Octets(HeaderId::END_OF_BODY, octets)
}

const LENGTH: Header<'static> = Header::Number(HeaderId::LENGTH, 1);

#[test]
fn messages_alternate() {
    let mut served = Served::connected(strict());
    assert_eq!(served.get(), [ResponseCode::SERVICE_UNAVAILABLE], "there is nothing to answer");
    for _ in 0..3 {
        assert_eq!(served.put(b"\x02"), [ResponseCode::SUCCESS]);
        assert_eq!(served.put(b"\x02"), [ResponseCode::SERVICE_UNAVAILABLE], "the answer comes first");
        assert_eq!(served.get(), [], "it is held back");
        assert_eq!(served.get(), [ResponseCode::SERVICE_UNAVAILABLE], "one is held back already");
        assert_eq!(served.put(b"\x02"), [ResponseCode::SERVICE_UNAVAILABLE]);
        served.server.answer(object(b"\x03"));
        assert_eq!(served.codes(), [ResponseCode::SUCCESS]);
        served.server.answer(object(b"\x03"));
        assert_eq!(served.codes(), [], "it was answered");
    }
}

#[test]
fn the_target_is_named_once_and_in_connect_alone() {
    for (headers, code) in [
        (vec![TARGET], ResponseCode::SUCCESS),
        (vec![], ResponseCode::BAD_REQUEST),
        (vec![TARGET, TARGET], ResponseCode::BAD_REQUEST),
        (vec![Header::Octets(HeaderId::TARGET, b"SYNCML-SYNC"), TARGET], ResponseCode::BAD_REQUEST),
        (vec![Header::Octets(HeaderId::TARGET, b"SYNCML-SYNC")], ResponseCode::NOT_FOUND),
        (vec![Header::Octets(HeaderId::TARGET, b"SYNCML-DM\0")], ResponseCode::NOT_FOUND),
    ] {
        assert_eq!(Served::new(strict()).ask(&connect(headers)), [code]);
    }
    let mut served = Served::connected(strict());
    let put = request(Opcode::Put, true, vec![ID, TARGET, TYPE, LENGTH, body(b"\x02")]);
    assert_eq!(served.ask(&put), [ResponseCode::BAD_REQUEST]);
}

#[test]
fn the_wrong_target_is_refused_again_and_then_for_good() {
    let mut served = Served::new(lenient());
    let wrong = connect(vec![Header::Octets(HeaderId::TARGET, b"SYNCML-SYNC")]);
    assert_eq!(served.ask(&wrong), [ResponseCode::NOT_FOUND]);
    assert_eq!(served.ask(&wrong), [ResponseCode::NOT_FOUND]);
    assert!(!served.is_over(), "the right one may come yet");
    assert_eq!(served.ask(&wrong), [ResponseCode::NOT_FOUND]);
    assert!(served.is_over());
    assert_eq!(served.ask(&connect(vec![TARGET])), []);
}

#[test]
fn requests_belong_to_the_connection() {
    let mut served = Served::new(lenient());
    assert_eq!(served.put(b"\x02"), [ResponseCode::BAD_REQUEST], "before Connect");
    let mut served = Served::connected(lenient());
    let other = Header::Number(HeaderId::CONNECTION_ID, 2);
    for (headers, code) in [
        (vec![TYPE, LENGTH, body(b"\x02")], ResponseCode::BAD_REQUEST),
        (vec![other.clone(), TYPE, LENGTH, body(b"\x02")], ResponseCode::NOT_FOUND),
        (vec![TYPE, ID, LENGTH, body(b"\x02")], ResponseCode::BAD_REQUEST),
        (vec![ID, ID, TYPE, LENGTH, body(b"\x02")], ResponseCode::BAD_REQUEST),
    ] {
        assert_eq!(served.ask(&request(Opcode::Put, true, headers)), [code]);
    }
    assert_eq!(served.put(b"\x02"), [ResponseCode::SUCCESS]);
    assert_eq!(served.ask(&request(Opcode::Get, true, vec![TYPE])), [ResponseCode::BAD_REQUEST]);
    assert_eq!(served.ask(&request(Opcode::Disconnect, true, vec![other])), [ResponseCode::NOT_FOUND]);
    assert_eq!(served.ask(&request(Opcode::Disconnect, true, vec![ID])), [ResponseCode::SUCCESS]);
    assert_eq!(served.events.last(), Some(&Event::Over(None)));
}

#[test]
fn the_number_of_a_connection_is_not_used_again() {
    let mut served = Served::connected(lenient());
    assert_eq!(served.ask(&connect(vec![TARGET])), [ResponseCode::SUCCESS]);
    assert_eq!(served.put(b"\x02"), [ResponseCode::NOT_FOUND], "that was the one before");
}

#[test]
fn what_is_no_packet_ends_the_link() {
    for octets in [&[0x82, 0, 2][..], &[0x82, 0, 0], &[0x82, 0xff, 0xff]] {
        let mut served = Served::connected(Settings { max_packet: 0xfffe, ..lenient() });
        assert_eq!(served.raw(octets), [ResponseCode::BAD_REQUEST], "{octets:x?}");
        assert!(matches!(served.events.last(), Some(Event::Over(Some(Failure::Malformed(_))))));
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_link_goes_on() {
    let mut served = Served::connected(lenient());
    for (octets, code) in [
        (&[0x85, 0, 5, 0, 0][..], ResponseCode::NOT_IMPLEMENTED),
        (&[0x87, 0, 3], ResponseCode::NOT_IMPLEMENTED),
        (&[0x82, 0, 6, 0x49, 0, 9], ResponseCode::BAD_REQUEST),
        (&[0x82, 0, 6, 0x49, 0, 2], ResponseCode::BAD_REQUEST),
        (&[0x01, 0, 3], ResponseCode::NOT_IMPLEMENTED),
    ] {
        assert_eq!(served.raw(octets), [code], "{octets:x?}");
    }
    assert_eq!(served.put(b"\x02"), [ResponseCode::SUCCESS]);
}

#[test]
fn an_object_is_as_large_as_is_allowed_and_as_it_says() {
    let mut served = Served::connected(lenient());
    let large = vec![2; 1_001];
    assert_eq!(served.put(&large), [ResponseCode::TOO_LARGE]);
    let part = |octets| Header::Octets(HeaderId::BODY, octets);
    let first = request(Opcode::Put, false, vec![ID, TYPE, part(&large[..600])]);
    assert_eq!(served.ask(&first), [ResponseCode::CONTINUE]);
    assert_eq!(
        served.ask(&request(Opcode::Put, false, vec![part(&large[..401])])),
        [ResponseCode::TOO_LARGE]
    );
    let lies = Header::Number(HeaderId::LENGTH, 2);
    let wrong = request(Opcode::Put, true, vec![ID, TYPE, lies, body(b"\x02")]);
    assert_eq!(served.ask(&wrong), [ResponseCode::BAD_REQUEST]);
    assert_eq!(
        served.ask(&request(Opcode::Put, true, vec![ID, TYPE])),
        [ResponseCode::BAD_REQUEST],
        "no body"
    );
    assert_eq!(served.put(&large[..1_000]), [ResponseCode::SUCCESS]);
}

#[test]
fn only_what_is_accepted_is_taken_and_given() {
    let mut served = Served::connected(lenient());
    let foreign = Header::Octets(HeaderId::TYPE, b"text/x-vcard\0");
    let put = request(Opcode::Put, true, vec![ID, foreign.clone(), LENGTH, body(b"\x02")]);
    assert_eq!(served.ask(&put), [ResponseCode::UNSUPPORTED_MEDIA_TYPE]);
    let with_charset = Header::Octets(HeaderId::TYPE, b"Application/vnd.syncml.dm+xml;charset=utf-8\0");
    let put = request(Opcode::Put, true, vec![ID, with_charset, LENGTH, body(b"<")]);
    assert_eq!(served.ask(&put), [ResponseCode::SUCCESS]);
    let get = request(Opcode::Get, true, vec![ID, foreign]);
    assert_eq!(served.ask(&get), [ResponseCode::NOT_ACCEPTABLE]);
    assert_eq!(served.get(), []);
}

/// Each of them is a tolerance by its name, and refused in strict mode.
#[test]
fn what_peers_leave_out_is_tolerated_by_name() {
    let bare = Header::Octets(HeaderId::TYPE, WBXML.as_bytes());
    for (tolerance, headers, refused) in [
        (Tolerance::MissingObexLength, vec![ID, TYPE, body(b"\x02")], ResponseCode::LENGTH_REQUIRED),
        (Tolerance::MissingObexType, vec![ID, LENGTH, body(b"\x02")], ResponseCode::UNSUPPORTED_MEDIA_TYPE),
        (Tolerance::BareObexType, vec![ID, bare, LENGTH, body(b"\x02")], ResponseCode::BAD_REQUEST),
    ] {
        let put = request(Opcode::Put, true, headers);
        assert_eq!(Served::connected(strict()).ask(&put), [refused], "{tolerance}");
        let mut served = Served::connected(lenient());
        assert_eq!(served.ask(&put), [ResponseCode::SUCCESS], "{tolerance}");
        let events = &served.events[1..];
        assert_eq!(events, [Event::Tolerated(tolerance), Event::Put(object(b"\x02"))]);
    }
    let unknown = request(Opcode::Put, true, vec![ID, LENGTH, body(b"x")]);
    let unsupported = [ResponseCode::UNSUPPORTED_MEDIA_TYPE];
    assert_eq!(Served::connected(lenient()).ask(&unknown), unsupported, "what it is cannot be seen");
    let mut served = Served::new(lenient());
    assert_eq!(served.ask(&connect(vec![])), [ResponseCode::SUCCESS]);
    assert_eq!(served.events[0], Event::Tolerated(Tolerance::UndirectedObex));
    let put = request(Opcode::Put, true, vec![TYPE, LENGTH, body(b"\x02")]);
    assert_eq!(served.ask(&put), [ResponseCode::SUCCESS]);
}

#[test]
fn abort_takes_back_what_goes_on() {
    let part = Header::Octets(HeaderId::BODY, b"\x02");
    let abort = request(Opcode::Abort, true, vec![ID]);
    let mut served = Served::connected(lenient());
    assert_eq!(served.ask(&request(Opcode::Put, false, vec![ID, TYPE, part])), [ResponseCode::CONTINUE]);
    assert_eq!(served.ask(&abort), [ResponseCode::SUCCESS]);
    assert_eq!(served.events.last(), Some(&Event::Aborted));
    assert_eq!(served.put(b"\x03"), [ResponseCode::SUCCESS], "the next Put begins anew");
    assert_eq!(served.events.last(), Some(&Event::Put(object(b"\x03"))));
    assert_eq!(served.get(), []);
    assert_eq!(served.ask(&abort), [ResponseCode::SUCCESS]);
    served.server.answer(object(b"\x04"));
    assert_eq!(served.codes(), [], "nobody waits for that any more");
    assert_eq!(served.put(b"\x05"), [ResponseCode::SUCCESS]);
}

#[test]
fn an_answer_is_held_back_for_its_time_and_may_be_asked_for_again() {
    let settings = Settings { hold: 60 * SECOND, silence: 50 * SECOND, ..lenient() };
    let mut served = Served::connected(settings);
    served.put(b"\x02");
    assert_eq!(served.get(), []);
    assert_eq!(served.wait(60 * SECOND - Duration::from_nanos(1)), []);
    assert!(!served.is_over(), "who waits is not silent");
    assert_eq!(served.wait(Duration::from_nanos(1)), [ResponseCode::SERVICE_UNAVAILABLE]);
    assert_eq!(served.get(), []);
    served.server.answer(object(b"\x03"));
    assert_eq!(served.codes(), [ResponseCode::SUCCESS]);
    assert_eq!(served.wait(50 * SECOND), []);
    assert_eq!(served.events.last(), Some(&Event::Over(Some(Failure::Silent { seconds: 50 }))));
}

#[test]
fn who_is_silent_in_the_middle_of_a_put_is_left() {
    let mut served = Served::connected(Settings { silence: 5 * SECOND, ..lenient() });
    let part = Header::Octets(HeaderId::BODY, b"\x02");
    served.ask(&request(Opcode::Put, false, vec![ID, TYPE, part]));
    served.wait(4 * SECOND);
    assert!(!served.is_over());
    let part = Header::Octets(HeaderId::BODY, b"\x02");
    served.ask(&request(Opcode::Put, false, vec![part]));
    served.wait(4 * SECOND);
    assert!(!served.is_over(), "a packet is a sign of life");
    served.raw(&[0x02]);
    served.wait(SECOND);
    assert!(served.is_over(), "an octet is none");
    assert_eq!(served.put(b"\x02"), []);
}

#[test]
fn a_put_that_never_gets_on_has_an_end() {
    let mut served = Served::connected(lenient());
    let empty = || request(Opcode::Put, false, vec![ID, TYPE]);
    for _ in 0..16 {
        assert_eq!(served.ask(&empty()), [ResponseCode::CONTINUE]);
    }
    assert_eq!(served.ask(&empty()), [ResponseCode::BAD_REQUEST], "nothing of the object comes");
    assert_eq!(served.put(b"\x02"), [ResponseCode::SUCCESS], "another one may");
}

#[test]
fn after_the_end_there_is_nothing_to_get() {
    let mut served = Served::connected(lenient());
    served.put(b"\x02");
    assert_eq!(served.get(), []);
    served.server.finish();
    assert_eq!(served.codes(), [ResponseCode::NOT_FOUND]);
    assert_eq!(served.get(), [ResponseCode::NOT_FOUND]);
    assert_eq!(served.put(b"\x02"), [ResponseCode::SUCCESS], "a session may begin anew");
    served.server.decline(ResponseCode::FORBIDDEN);
    assert_eq!(served.get(), [ResponseCode::FORBIDDEN]);
    assert_eq!(served.get(), [ResponseCode::NOT_FOUND]);
}

#[test]
fn an_answer_after_the_end_goes_nowhere() {
    let mut served = Served::connected(lenient());
    served.put(b"\x02");
    assert_eq!(served.get(), []);
    assert_eq!(served.raw(&[0x82, 0, 2]), [ResponseCode::BAD_REQUEST], "no packet");
    assert!(served.is_over());
    served.server.answer(object(b"\x02"));
    served.server.finish();
    assert_eq!(served.codes(), []);
}

#[test]
fn a_link_that_breaks_is_told_once() {
    let mut served = Served::connected(lenient());
    served.server.lost();
    served.server.lost();
    served.codes();
    assert_eq!(served.events.iter().filter(|event| matches!(event, Event::Over(_))).count(), 1);
    assert_eq!(served.server.deadline(), None);
}

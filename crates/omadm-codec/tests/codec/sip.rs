//! Messages of SIP.

use omadm_codec::sip::{self, Broken, Field, Message, Start, Via};
use omadm_codec::{Limits, Problem};

const MESSAGE: &str = "MESSAGE sip:john@192.0.2.7 SIP/2.0\r\n\
    v: SIP/2.0/UDP dm.example:5070;branch=z9hG4bKa1;rport\r\n\
    Max-Forwards: 70\r\n\
    f: \"DM; <server>\" <sip:dm@dm.example>;tag=t1\r\n\
    t: sip:john@192.0.2.7\r\n\
    i: 1@dm.example\r\n\
    CSeq: 7 MESSAGE\r\n\
    a: *;+g.oma.pusheventapp=\"syncml.dm\"\r\n\
    \x20;require;explicit\r\n\
    c: application/vnd.syncml.dm.notification\r\n\
    l: 4\r\n\r\n\x20\0\r\n";

fn decode(text: &str) -> Result<Message, Broken> {
    sip::decode(text.as_bytes(), &Limits::default())
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.encode(&mut octets);
    octets
}

#[test]
fn a_message_is_read_with_its_compact_and_folded_fields() {
    let message = decode(MESSAGE).unwrap();
    assert_eq!(message.method(), Some("MESSAGE"));
    assert_eq!(
        message.field("Accept-Contact"),
        Some("*;+g.oma.pusheventapp=\"syncml.dm\" ;require;explicit")
    );
    assert_eq!(message.field("content-type"), Some("application/vnd.syncml.dm.notification"));
    assert_eq!(message.field("Content-Length"), None, "it is the length of the body");
    assert_eq!(message.body, b"\x20\0\r\n");
    let cseq = message.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method.as_str()), (7, "MESSAGE"));
    assert_eq!(message.field("From").and_then(sip::uri_of), Some("sip:dm@dm.example"));
    assert_eq!(message.field("From").and_then(sip::tag), Some("t1"));
    assert_eq!(message.field("To").and_then(sip::uri_of), Some("sip:john@192.0.2.7"));
    assert_eq!(sip::decode(&encoded(&message), &Limits::default()), Ok(message));
}

#[test]
fn a_response_says_what_it_answers_and_where_it_goes() {
    let mut request = decode(MESSAGE).unwrap();
    let mut via = request.via().unwrap();
    assert_eq!((via.transport.as_str(), via.host.as_str(), via.port), ("UDP", "dm.example", Some(5070)));
    via.came_from(([203, 0, 113, 5], 40_000).into());
    request.set_via(&via);
    let response = request.response(200, "mine");
    assert_eq!(response.code(), Some(200));
    assert_eq!(
        response.field("Via"),
        Some("SIP/2.0/UDP dm.example:5070;branch=z9hG4bKa1;rport=40000;received=203.0.113.5")
    );
    assert_eq!(response.field("To"), Some("sip:john@192.0.2.7;tag=mine"));
    assert_eq!(response.field("Max-Forwards"), None);
    assert_eq!(request.response(400, "x").response(400, "y").field("To"), Some("sip:john@192.0.2.7;tag=x"));
    let again = sip::decode(&encoded(&response), &Limits::default()).unwrap();
    assert_eq!(again, response);
}

#[test]
fn only_the_topmost_way_back_is_changed() {
    let second = MESSAGE.replace(";rport\r\n", ";rport , SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKb\r\n");
    let mut message = decode(&second).unwrap();
    let via = message.via().unwrap();
    assert_eq!(via.branch(), Some("z9hG4bKa1"));
    message.set_via(&via);
    let value =
        "SIP/2.0/UDP dm.example:5070;branch=z9hG4bKa1;rport, SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKb";
    assert_eq!(message.field("Via"), Some(value));
    let ipv6 = Via::parse("SIP / 2.0 / TCP [2001:db8::1]:5061;branch=z9hG4bKb").unwrap();
    assert_eq!((ipv6.host.as_str(), ipv6.port), ("[2001:db8::1]", Some(5061)));
    for none in [
        "",
        "SIP/2.0/UDP",
        "SIP/1.0/UDP a",
        "SIP/2.0/UDP a:0",
        "SIP/2.0/UDP a:x",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP a/b",
    ] {
        assert_eq!(Via::parse(none), None, "{none}");
    }
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    for (from, to, field, problem) in [
        ("SIP/2.0\r\nv", "SIP/3.0\r\nv", "start line", "version"),
        ("MESSAGE sip:", "MESSAGE  sip:", "start line", "neither"),
        ("MESSAGE sip:john@192.0.2.7 ", "MESSAGE ", "start line", "neither"),
        ("CSeq: 7 MESSAGE", "CSeq: 7 OPTIONS", "CSeq", "not that of the request"),
        ("CSeq: 7 MESSAGE", "CSeq: 2147483648 MESSAGE", "CSeq", "number"),
        ("CSeq: 7 MESSAGE\r\n", "", "CSeq", "missing"),
        ("i: 1@dm.example", "i: 1 @dm.example", "Call-ID", "word"),
        ("t: sip:john@192.0.2.7", "t: ", "To", "address"),
        ("t: sip:john@192.0.2.7", "t: sip:a\r\nTo: sip:b", "To", "twice"),
        (";branch=z9hG4bKa1", "", "Via", "branch"),
        ("v: SIP/2.0/UDP dm.example:5070", "v: nothing", "Via", "way back"),
        ("Max-Forwards: 70", "Max-Forwards 70", "head", "name: value"),
        ("Max-Forwards: 70", "Max-Forwards: 7\u{1}0", "head", "control"),
        ("Max-Forwards: 70\r\n", "Max-Forwards: 70\n", "head", "CR LF"),
        ("c: application/vnd", "c: vnd", "media type", "type/subtype"),
        ("\r\n\r\n\x20", "\r\n\x20", "head", "early"),
    ] {
        let text = MESSAGE.replacen(from, to, 1);
        assert_ne!(text, MESSAGE, "{from:?}");
        let broken = decode(&text).unwrap_err();
        assert_eq!(broken.error.field, field, "{to:?}: {broken}");
        assert!(broken.to_string().contains(problem), "{to:?}: {broken}");
        assert!(broken.error.at <= text.len());
        assert_eq!(broken.head, None);
    }
}

#[test]
fn a_wrong_length_can_be_answered() {
    for (to, problem) in [
        ("l: 5", "early"),
        ("l: -4", "number"),
        ("l: +4", "number"),
        ("l: 99999999999999999999999", "number"),
        ("l: 4\r\nContent-Length: 4", "twice"),
    ] {
        let broken = decode(&MESSAGE.replacen("l: 4", to, 1)).unwrap_err();
        assert!(broken.to_string().contains(problem), "{to}: {broken}");
        let head = broken.head.unwrap();
        assert_eq!(head.response(400, "x").code(), Some(400));
    }
    assert_eq!(
        decode(&MESSAGE.replacen("l: 4", "l: 2", 1)).unwrap().body,
        b"\x20\0",
        "the rest is passed over"
    );
    assert_eq!(
        decode(&MESSAGE.replacen("l: 4\r\n", "", 1)).unwrap().body,
        b"\x20\0\r\n",
        "all of the datagram"
    );
}

#[test]
fn a_stream_is_cut_into_messages() {
    let limits = Limits::default();
    let stream = [b"\r\n\r\n".as_slice(), MESSAGE.as_bytes(), MESSAGE.as_bytes()].concat();
    let first = 4 + MESSAGE.len();
    for length in 0..first {
        assert_eq!(sip::frame(&stream[..length], &limits), Ok(None), "{length}");
    }
    assert_eq!(sip::frame(&stream, &limits), Ok(Some(first)));
    assert_eq!(sip::frame(&stream[first..], &limits), Ok(Some(MESSAGE.len())));
    let endless = sip::frame(MESSAGE.replacen("l: 4\r\n", "", 1).as_bytes(), &limits).unwrap_err();
    assert_eq!((endless.field, endless.problem), ("Content-Length", Problem::Missing));
    let limit = sip::MAX_MESSAGE;
    let head = MESSAGE.split("\r\n\r\n").next().unwrap().len() + 4;
    let of = |body: usize| MESSAGE.replacen("l: 4", &format!("l: {body:05}"), 1);
    // Four more digits than in the original.
    let fits = limit - head - 4;
    assert_eq!(sip::frame(of(fits).as_bytes(), &limits), Ok(None));
    let large = sip::frame(of(fits + 1).as_bytes(), &limits).unwrap_err();
    assert_eq!(large.problem, Problem::TooLarge { limit });
    assert_eq!(sip::frame(&[b'\n'; 64], &limits), Ok(None));
    let idle = sip::frame(&[b'\n'; 65], &limits).unwrap_err();
    assert_eq!(idle.problem, Problem::TooLarge { limit: 64 }, "line ends without end");
    assert!(sip::frame(&vec![b'a'; 16 << 10], &limits).is_err(), "a head without end");
    assert_eq!(sip::frame(&vec![b'a'; (16 << 10) - 1], &limits), Ok(None));
}

#[test]
fn fields_are_counted() {
    let with = |count: usize| {
        let more = "x: y\r\n".repeat(count);
        decode(&MESSAGE.replacen("l: 4\r\n", &format!("l: 4\r\n{more}"), 1))
            .map(|message| message.fields.len())
    };
    // Nine stand there beside the length, and one of them is folded over two lines.
    assert_eq!(with(118), Ok(8 + 118));
    let error = with(119).unwrap_err().error;
    assert_eq!(error.problem, Problem::TooMany { limit: 128 });
    let large = vec![b' '; sip::MAX_MESSAGE + 1];
    let error = sip::decode(&large, &Limits::default()).unwrap_err().error;
    assert_eq!(error.problem, Problem::TooLarge { limit: sip::MAX_MESSAGE });
}

#[test]
fn nothing_gets_out_of_its_line() {
    let fields = vec![Field::new("From", "<sip:a@b>\r\nEvil: 1"), Field::new("Subject", "  x\t")];
    let message = Message::request("MESS AGE\r\n", "sip:a b\r\nEvil: 2", fields, Vec::new());
    let octets = String::from_utf8(encoded(&message)).unwrap();
    assert_eq!(
        octets,
        "MESSAGE sip:abEvil:2 SIP/2.0\r\nFrom: <sip:a@b>Evil: 1\r\nSubject: x\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn status_lines_have_three_digits() {
    let response = |line: &str| decode(&MESSAGE.replacen("MESSAGE sip:john@192.0.2.7 SIP/2.0", line, 1));
    let Start::Response { code, reason } = response("SIP/2.0 404 Not Found").unwrap().start else { panic!() };
    assert_eq!((code, reason.as_str()), (404, "Not Found"));
    for good in ["SIP/2.0 100 ", "SIP/2.0 699", "SIP/2.0 200 a b c"] {
        assert!(response(good).is_ok(), "{good}");
    }
    for bad in ["SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 +20 x", "SIP/2.0 2000 x", "SIP/2.0  200 x"] {
        assert!(response(bad).is_err(), "{bad}");
    }
}

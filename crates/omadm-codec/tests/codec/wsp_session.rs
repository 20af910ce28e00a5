//! PDUs of methods and sessions of WSP (`WAP-230 §8.2`).

use omadm_codec::wsp::{
    Capability, Content, GatewayAddress, Header, Identifier, Media, Method, Pdu, ProtocolOptions,
    ShortInteger, Status, Text, Token,
};
use omadm_codec::{DecodeError, Limits, Problem, check};
use proptest::prelude::*;

use crate::common::{hex, octets};

fn encode(pdu: &Pdu<'_>) -> String {
    let mut out = Vec::new();
    pdu.encode(&mut out);
    hex(&out)
}

fn decode(octets: &[u8]) -> Result<Pdu<'_>, DecodeError> {
    Pdu::decode(octets, &Limits::default())
}

fn header(name: &str, value: &str) -> Header {
    Header::from_http(name, value).unwrap().remove(0)
}

fn content(body: &[u8]) -> Content<'_> {
    Content { media: Media::code(0x42), headers: vec![header("x-syncml-hmac", "m")], body }
}

const HMAC: &str = "782d73796e636d6c2d686d6163006d00";

#[test]
fn every_pdu_has_its_octets() {
    let name = Token::new("x").unwrap();
    let uri = Text::new("http://a/").unwrap();
    let capabilities = vec![
        Capability::ClientSdu(200_000),
        Capability::ServerSdu(0),
        Capability::Options(ProtocolOptions::PUSH.with(ProtocolOptions::CONFIRMED_PUSH)),
        Capability::MethodMor(1),
        Capability::PushMor(2),
        Capability::Other { id: Identifier::Number(ShortInteger::new(7).unwrap()), parameters: vec![9] },
        Capability::Other { id: Identifier::Name(name), parameters: vec![] },
    ];
    let agreed = "04808c9a400281000282c00283010284020287090278 00".replace(' ', "");
    let cases = [
        (
            Pdu::Connect { capabilities: capabilities.clone(), headers: vec![header("User-Agent", "a")] },
            format!("01101703{agreed}a96100"),
        ),
        (Pdu::ConnectReply { session: 300, capabilities, headers: vec![] }, format!("02822c1700{agreed}")),
        (
            Pdu::Redirect {
                permanent: true,
                reuse_security: false,
                addresses: vec![
                    GatewayAddress { bearer: Some(0), port: Some(9201), address: &[10, 0, 0, 1] },
                    GatewayAddress { bearer: None, port: None, address: &[10, 0, 0, 2] },
                ],
            },
            "0380c40023f10a000001040a000002".to_owned(),
        ),
        (Pdu::Reply { status: Status::OK, content: Some(content(b"b")) }, format!("042011c2{HMAC}62")),
        (Pdu::Reply { status: Status(0x64), content: None }, "046400".to_owned()),
        (Pdu::Disconnect { session: 5 }, "0505".to_owned()),
        (Pdu::Push(content(b"b")), format!("0611c2{HMAC}62")),
        (Pdu::ConfirmedPush(content(b"")), format!("0711c2{HMAC}")),
        (Pdu::Suspend { session: 5 }, "0805".to_owned()),
        (Pdu::Resume { session: 5, capabilities: vec![], headers: vec![] }, "09050000".to_owned()),
        (
            Pdu::Get { method: Method::GET, uri: uri.clone(), headers: vec![header("accept", "a/b")] },
            "4009687474703a2f2f612f80612f6200".to_owned(),
        ),
        (
            Pdu::Post { method: Method::PUT, uri, content: content(b"b") },
            format!("610911687474703a2f2f612fc2{HMAC}62"),
        ),
    ];
    for (pdu, wanted) in cases {
        assert_eq!(encode(&pdu), wanted, "{pdu:?}");
        assert_eq!(decode(&octets(&wanted)).as_ref(), Ok(&pdu));
    }
}

#[test]
fn what_kannel_says_is_read() {
    let connect = octets("02000d1504808c9a4004818c9a40028200456e636f64696e672d56657273696f6e00312e3200");
    let Ok(Pdu::ConnectReply { session: 0, capabilities, headers }) = decode(&connect) else {
        panic!("a session")
    };
    assert_eq!(
        capabilities,
        [
            Capability::ClientSdu(200_000),
            Capability::ServerSdu(200_000),
            Capability::Options(ProtocolOptions::default())
        ]
    );
    assert_eq!(headers[0].to_http(), Some(("Encoding-Version", "1.2".to_owned())));
    let reply = octets(
        "070420277f6170706c69636174696f6e2f766e642e73796e636d6c2e646d2b7762786d6c00bd818d85c39368656c6c6f",
    );
    let (7, Pdu::Reply { status, content: Some(content) }) =
        Pdu::decode_with_tid(&reply, &Limits::default()).unwrap()
    else {
        panic!("a reply")
    };
    assert_eq!((status.to_http(), content.body), (Some(200), &b"hello"[..]));
    assert_eq!(content.media.as_http().as_deref(), Some("application/vnd.syncml.dm+wbxml"));
    assert_eq!(content.headers.len(), 3);
}

#[test]
fn the_post_of_a_dm_message_is_short() {
    let uri = Text::new("http://dm.example/dm").unwrap();
    let message = Content { media: Media::code(0x42), headers: vec![], body: &[2, 0xa4] };
    let pdu = Pdu::Post { method: Method::POST, uri, content: message };
    assert_eq!(encode(&pdu), "601401687474703a2f2f646d2e6578616d706c652f646dc202a4");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let at = |text: &str| decode(&octets(text)).map(|_| ()).map_err(|error| (error.field, error.at));
    for (text, field, offset) in [
        ("", "PDU type", 0),
        ("00", "PDU type", 0),
        ("0a", "PDU type", 0),
        ("50", "PDU type", 0),
        ("0120", "Version", 1),
        ("0110", "CapabilitiesLen", 2),
        ("01100100", "Capabilities", 4),
        ("0110010002", "capability", 5),
        ("0110030002800101", "message", 7),
        ("011000000a", "message", 4),
        ("02ffffffffff", "ServerSessionId", 1),
        ("038044", "Addresses", 3),
        ("04", "Status", 1),
        ("0420", "HeadersLen", 2),
        ("042005c2", "headers", 3),
        ("04200062", "message", 3),
        ("050500", "message", 2),
        ("40", "UriLen", 1),
        ("400961", "Uri", 2),
        ("4001ff", "Uri", 2),
        ("400110", "Uri", 2),
        ("600100", "Uri", 3),
        ("60010061", "Content-Type", 4),
    ] {
        assert_eq!(at(text), Err((field, offset)), "{text}");
    }
}

#[test]
fn limits_hold_for_capabilities_headers_and_addresses() {
    let limits = Limits { items: 2, ..Limits::default() };
    let two = ["01100600028000028100", "01100006816100816100", "03800000", "400161816100816100"];
    for text in two {
        assert!(Pdu::decode(&octets(text), &limits).is_ok(), "{text}");
    }
    let three = [
        "01100900028000028100028305",
        "01100009816100816100816100",
        "0380000000",
        "400161816100816100816100",
    ];
    for text in three {
        let octets = octets(text);
        let problem = Pdu::decode(&octets, &limits).map_err(|error| error.problem);
        assert_eq!(problem, Err(Problem::TooMany { limit: 2 }), "{text}");
    }
    let bytes = Limits { bytes: 2, ..Limits::default() };
    assert!(Pdu::decode(&[5, 5], &bytes).is_ok());
    assert_eq!(
        Pdu::decode(&[5, 0x80, 5], &bytes).map_err(|error| error.problem),
        Err(Problem::TooLarge { limit: 2 })
    );
}

proptest! {
    #[test]
    fn what_decodes_comes_back(kind in prop::sample::select(vec![1_u8, 2, 3, 4, 5, 6, 7, 8, 9, 0x40, 0x60]), rest: Vec<u8>) {
        check::check_wsp_session(&[&[kind], rest.as_slice()].concat());
        check::check_wtp(&rest);
    }
}

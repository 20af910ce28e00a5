//! What carries notifications: WSP, short messages, cloud messaging (`DM 2.0 §E`).

use omadm_codec::dm2::cloud::{self, CloudAdvice, CloudPush, CloudRefusal, CloudReply};
use omadm_codec::sms::{
    Address, Bounds, Deliver, Message, Part, Ports, Reassembly, Reference, ServiceCentreTime, Submit, Tpdu,
    UserData, Validity, split,
};
use omadm_codec::wsp::{self, Header, HeaderName, HeaderTooLong, Push, ShortInteger, Text, Token, Value};
use omadm_codec::{Limits, Problem, check};
use proptest::prelude::*;

use crate::common::{cases, hex, hex_cases, octets};
use crate::vectors::{compare, verify};

fn pdu(push: &Push<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push.encode(&mut out);
    out
}

fn tpdu(message: &Tpdu) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

#[test]
fn wsp_vectors() {
    for case in hex_cases("vectors/dm2/wsp") {
        let result = Push::decode(&case.bytes, &Limits::default()).map(|push| {
            let headers: String = push.headers.iter().map(|header| format!("{header:?}\n")).collect();
            let ours = push.is_dm_notification();
            format!(
                "DM notification: {ours}\nTID {}\n{:?}\n{headers}body {}\nencoded {}\n",
                push.transaction,
                push.media,
                hex(push.body),
                hex(&pdu(&push))
            )
        });
        compare(&case, result.map_err(|error| error.to_string()));
    }
}

#[test]
fn a_push_of_a_notification_is_that_of_the_standard() {
    let push = Push::dm_notification(1, &[], &[0x20, 0x00]).unwrap();
    assert_eq!(hex(&pdu(&push)), "010603d8af872000");
    assert!(push.is_dm_notification());
}

#[test]
fn a_push_header_is_48_octets_at_most() {
    let header = |length: usize| Header {
        name: HeaderName::Text(Token::new("X").unwrap()),
        value: Value::Text(Text::new(&"a".repeat(length)).unwrap()),
    };
    // TID, type, HeadersLen, content type, application: 6 octets; then "X", the value, and a zero after each.
    let push = |length| Push::dm_notification(0, &[header(length)], b"").map(|push| pdu(&push).len());
    assert_eq!(push(39), Ok(48));
    assert_eq!(push(40), Err(HeaderTooLong { length: 49 }));
}

#[test]
fn numbers_and_words_of_headers_have_bounds() {
    assert_eq!(ShortInteger::new(127).map(ShortInteger::get), Some(127));
    assert_eq!(ShortInteger::new(128), None);
    for (word, legal) in [("", false), ("a b", false), ("ü", false), ("a\0", false), ("X-~", true)] {
        assert_eq!(Token::new(word).is_some(), legal, "{word:?}");
    }
    for (text, legal) in [("", true), ("ü b", true), ("a\0", false), ("\u{7f}", false)] {
        assert_eq!(Text::new(text).is_some(), legal, "{text:?}");
    }
}

#[test]
fn short_message_vectors() {
    for case in hex_cases("vectors/dm2/sms") {
        let result = Tpdu::decode(&case.bytes, &Limits::default());
        let from_modem = [&[0x01, 0x91][..], &case.bytes].concat();
        assert_eq!(Tpdu::decode_from_modem(&from_modem, &Limits::default()).ok(), result.clone().ok());
        let result = result.map(|message| {
            let facts = match &message {
                Tpdu::Deliver(Deliver { more, originator, time, data }) => {
                    format!("from {originator} at {time}, more {more}\n{}", show(data))
                }
                Tpdu::Submit(Submit { reference, destination, validity, status_report, data }) => format!(
                    "to {destination}, reference {reference}, validity {validity:?}, status report {status_report}\n{}",
                    show(data)
                ),
            };
            format!("{facts}\nencoded {}\n", hex(&tpdu(&message)))
        });
        compare(&case, result.map_err(|error| error.to_string()));
    }
}

#[test]
fn a_time_of_a_service_centre_is_one_of_the_world() {
    let seconds = |octets| ServiceCentreTime(octets).unix_seconds();
    assert_eq!(
        seconds([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x00]),
        Some(1_794_486_890),
        "2026-11-12 12:34:50"
    );
    assert_eq!(seconds([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x40]), Some(1_794_483_290), "an hour ahead");
    assert_eq!(seconds([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x48]), Some(1_794_490_490), "an hour behind");
    assert_eq!(seconds([0x00, 0x10, 0x10, 0, 0, 0, 0]), Some(946_684_800), "2000-01-01");
    assert_eq!(seconds([0x42, 0x20, 0x92, 0, 0, 0, 0]), Some(1_709_164_800), "a leap day");
    assert_eq!(seconds([0x99, 0x21, 0x13, 0x32, 0x95, 0x95, 0]), Some(4_102_444_799), "the last second");
    for wrong in [
        [0x62, 0x31, 0x21, 0, 0, 0, 0],
        [0x62, 0x10, 0x00, 0, 0, 0, 0],
        [0x62, 0x10, 0x10, 0x42, 0, 0, 0],
        [0xa0; 7],
    ] {
        assert_eq!(seconds(wrong), None, "{wrong:?}");
    }
}

fn show(data: &UserData) -> String {
    format!("{:?} {:?} {}", data.ports(), data.part(), hex(data.payload()))
}

#[test]
fn limits_hold() {
    let push = octets("01 06 05 d8 af87 b484 00");
    let with = |bytes, items| {
        let limits = Limits { bytes, items, ..Limits::default() };
        Push::decode(&push, &limits).map(drop).map_err(|error| error.problem)
    };
    assert_eq!(with(push.len(), 2), Ok(()));
    assert_eq!(with(push.len() - 1, 2), Err(Problem::TooLarge { limit: push.len() - 1 }));
    assert_eq!(with(push.len(), 1), Err(Problem::TooMany { limit: 1 }));
    let limits = Limits { bytes: 3, ..Limits::default() };
    assert_eq!(Tpdu::decode(&push, &limits).unwrap_err().problem, Problem::TooLarge { limit: 3 });
}

#[test]
fn addresses_are_numbers_of_20_digits_at_most() {
    for number in ["+46708251358", "1", "12", "*#abc", &"9".repeat(20)] {
        assert_eq!(Address::parse(number).unwrap().to_string(), number);
    }
    for number in ["", "+", "12d", "1 2", "++1", &"9".repeat(21)] {
        assert_eq!(Address::parse(number), None, "{number:?}");
    }
}

#[test]
fn a_payload_goes_into_as_few_messages_as_it_takes() {
    let parts = |length: usize, reference| {
        let parts = split(&vec![7; length], Ports::PUSH, reference).map_err(|error| error.limit)?;
        Ok::<_, usize>(parts.iter().map(|part| part.payload().len()).collect::<Vec<_>>())
    };
    let (short, long) = (Reference::Short(1), Reference::Long(1));
    assert_eq!(parts(0, short), Ok(vec![0]));
    assert_eq!(parts(133, short), Ok(vec![133]));
    assert_eq!(parts(134, short), Ok(vec![128, 6]));
    assert_eq!(parts(134, long), Ok(vec![127, 7]));
    assert_eq!(parts(257, short), Ok(vec![128, 128, 1]));
    assert_eq!(parts(255 * 128, short).map(|parts| parts.len()), Ok(255));
    assert_eq!(parts(255 * 128 + 1, short), Err(255 * 128));
    assert_eq!(parts(255 * 127 + 1, long), Err(255 * 127));
}

#[test]
fn a_part_is_octets_of_the_standard() {
    let parts = split(&[7; 134], Ports::PUSH, Reference::Short(0xab)).unwrap();
    let message = Tpdu::Submit(Submit {
        reference: 0,
        destination: Address::parse("+46708251358").unwrap(),
        validity: Some(Validity::Relative(167)),
        status_report: false,
        data: parts[1].clone(),
    });
    assert_eq!(hex(&tpdu(&message)), "51000b916407281553f80004a7120b05040b8423f00003ab0202070707070707");
}

fn part(reference: u8, total: u8, sequence: u8, payload: &[u8]) -> UserData {
    let part = Part::new(Reference::Short(reference), total, sequence).unwrap();
    UserData::new(Some(Ports::PUSH), Some(part), payload.to_vec()).unwrap()
}

#[test]
fn parts_come_together_in_any_order_and_once() {
    let mut reassembly = Reassembly::default();
    let (from, other) = (Address::parse("+1").unwrap(), Address::parse("+2").unwrap());
    assert_eq!(reassembly.take(0, from.clone(), part(1, 3, 3, b"c")), None);
    assert_eq!(reassembly.take(1, other.clone(), part(1, 3, 1, b"x")), None, "another sender");
    assert_eq!(reassembly.take(1, from.clone(), part(2, 3, 1, b"y")), None, "another reference");
    assert_eq!(reassembly.take(1, from.clone(), part(1, 3, 1, b"a")), None);
    assert_eq!(reassembly.take(2, from.clone(), part(1, 3, 1, b"a")), None, "the same again");
    let whole = Message { originator: from.clone(), ports: Some(Ports::PUSH), payload: b"abc".to_vec() };
    assert_eq!(reassembly.take(2, from.clone(), part(1, 3, 2, b"b")), Some(whole));
    assert_eq!(reassembly.take(2, from, part(1, 3, 2, b"b")), None, "a new message begins");
    let single = UserData::new(None, None, b"z".to_vec()).unwrap();
    let payload = reassembly.take(2, other, single).map(|message| message.payload);
    assert_eq!(payload, Some(b"z".to_vec()));
}

#[test]
fn a_reference_that_is_used_again_begins_another_message() {
    let mut reassembly = Reassembly::default();
    let from = Address::parse("+1").unwrap();
    assert_eq!(reassembly.take(0, from.clone(), part(1, 2, 1, b"old")), None);
    assert_eq!(reassembly.take(9, from.clone(), part(1, 2, 1, b"new")), None);
    let whole = reassembly.take(9, from, part(1, 2, 2, b"er")).unwrap();
    assert_eq!(whole.payload, b"newer");
}

#[test]
fn what_waits_for_parts_is_bounded_in_number_and_time() {
    let from = Address::parse("+1").unwrap();
    let complete = |reassembly: &mut Reassembly, now, reference| {
        reassembly.take(now, from.clone(), part(reference, 2, 2, b"b")).is_some()
    };
    let filled = |bounds| {
        let mut reassembly = Reassembly::new(bounds);
        for reference in 0..3 {
            assert_eq!(reassembly.take(reference.into(), from.clone(), part(reference, 2, 1, b"a")), None);
        }
        reassembly
    };
    let bounds = Bounds { messages: 3, age: 10 };
    assert!(complete(&mut filled(bounds), 9, 0));
    assert!(!complete(&mut filled(bounds), 10, 0), "too old");
    assert!(complete(&mut filled(bounds), 10, 1));
    let two = Bounds { messages: 2, ..bounds };
    assert!(!complete(&mut filled(two), 3, 0), "the oldest of three");
    assert!(complete(&mut filled(two), 3, 1));
}

#[test]
fn cloud_vectors() {
    for case in cases("vectors/dm2/cloud", "json") {
        verify(&case, |leniency| {
            let notification = cloud::notification(&case.bytes, cloud::KEY, &Limits::default(), leniency)?;
            Ok(format!("notification {}\n", hex(&notification)))
        });
    }
}

#[test]
fn cloud_requests_are_those_of_the_services() {
    let push = CloudPush {
        registration: "42",
        notification: &[0x20, 0x80, 0x60, 0x00],
        key: cloud::KEY,
        time_to_live: Some(60),
        collapse_key: Some("dm"),
    };
    let json = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    let data = serde_json::json!({ "SMS": "IIBgAA==" });
    assert_eq!(
        json(push.to_gcm()),
        serde_json::json!({ "registration_ids": ["42"], "data": data, "time_to_live": 60, "collapse_key": "dm" })
    );
    let android = serde_json::json!({ "priority": "HIGH", "ttl": "60s", "collapse_key": "dm" });
    let message = serde_json::json!({ "token": "42", "data": data, "android": android });
    assert_eq!(json(push.to_fcm()), serde_json::json!({ "message": message }));
    let bare = CloudPush { time_to_live: None, collapse_key: None, key: "dm2", ..push };
    let data = serde_json::json!({ "dm2": "IIBgAA==" });
    assert_eq!(json(bare.to_gcm()), serde_json::json!({ "registration_ids": ["42"], "data": data }));
    assert_eq!(json(bare.to_fcm())["message"]["android"], serde_json::json!({ "priority": "HIGH" }));
    let again =
        cloud::notification(&bare.to_fcm(), "dm2", &Limits::default(), &mut omadm_codec::Leniency::strict());
    assert_eq!(again.as_deref(), Ok(push.notification));
}

#[test]
fn answers_of_the_services_are_understood() {
    let gcm = |body: &str| CloudReply::from_gcm(body.as_bytes(), &Limits::default());
    let fcm = |body: &str| CloudReply::from_fcm(body.as_bytes(), &Limits::default());
    let accepted = |id: &str, registration: Option<&str>| {
        Ok(CloudReply::Accepted { id: id.into(), registration: registration.map(Into::into) })
    };
    let refused = |error: &str| Ok(CloudReply::Refused(CloudRefusal(error.into())));
    assert_eq!(gcm(r#"{"success":1,"results":[{"message_id":"1:2"}]}"#), accepted("1:2", None));
    let moved = r#"{"results":[{"message_id":"1:2","registration_id":"43"}]}"#;
    assert_eq!(gcm(moved), accepted("1:2", Some("43")));
    assert_eq!(gcm(r#"{"failure":1,"results":[{"error":"NotRegistered"}]}"#), refused("NotRegistered"));
    assert_eq!(gcm(r#"{"results":[]}"#).unwrap_err().field, "results");
    assert_eq!(fcm(r#"{"name":"projects/p/messages/1"}"#), accepted("projects/p/messages/1", None));
    let unregistered = r#"{"error":{"code":404,"status":"NOT_FOUND","details":[{"@type":"x"},{"errorCode":"UNREGISTERED"}]}}"#;
    assert_eq!(fcm(unregistered), refused("UNREGISTERED"));
    assert_eq!(fcm(r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#), refused("UNAVAILABLE"));
    assert!(fcm("{}").is_err() && fcm("<html>").is_err());
    for (error, advice) in [
        ("NotRegistered", CloudAdvice::Forget),
        ("UNREGISTERED", CloudAdvice::Forget),
        ("Unavailable", CloudAdvice::Retry),
        ("QUOTA_EXCEEDED", CloudAdvice::Retry),
        ("SENDER_ID_MISMATCH", CloudAdvice::GiveUp),
    ] {
        assert_eq!(CloudRefusal(error.into()).advice(), advice, "{error}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..128_u8).prop_map(|number| Value::Short(ShortInteger::new(number).unwrap())),
        "[ -~äß]{0,40}".prop_map(|text| Value::Text(Text::new(&text).unwrap())),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Octets),
        any::<u32>().prop_map(Value::integer),
    ]
}

fn headers() -> impl Strategy<Value = Header> {
    let name = prop_oneof![
        (0..128_u8).prop_map(|code| HeaderName::Code(ShortInteger::new(code).unwrap())),
        "[!-~]{1,20}".prop_map(|name| HeaderName::Text(Token::new(&name).unwrap())),
    ];
    (name, values()).prop_map(|(name, value)| Header { name, value })
}

#[test]
fn a_media_type_with_parameters_as_texts_is_that_of_http() {
    let token = |text: &str| Token::new(text).unwrap();
    let media = |parameters: &[u8]| {
        let name = wsp::MediaName::Text(Text::new("application/dmmo+json").unwrap());
        wsp::Media { name, parameters: parameters.to_vec() }
    };
    let written = wsp::Media::text(token("application/dmmo+json"), &[(token("SEC"), token("3GPP_GBA"))]);
    assert_eq!(written, media(b"SEC\x003GPP_GBA\0"));
    assert_eq!(written.as_http().as_deref(), Some("application/dmmo+json;SEC=3GPP_GBA"));
    assert_eq!(media(b"").as_http().as_deref(), Some("application/dmmo+json"));
    let other_forms: [&[u8]; 6] = [b"\x82\xea", b"SEC", b"SEC\0", b"SEC\0a\0b\0", b"\0", b"SEC\0a b\0"];
    for parameters in other_forms {
        assert_eq!(media(parameters).as_http(), None, "{parameters:?}");
    }
    assert_eq!(wsp::Media::code(7).as_http(), None);
    let body = [1, 2, 3];
    let push = Push::dm_bootstrap(9, written.clone(), &body);
    assert_eq!(Push::decode(&pdu(&push), &Limits::default()), Ok(push.clone()));
    assert_eq!(push.bootstrap_type().as_deref(), Some("application/dmmo+json;SEC=3GPP_GBA"));
    assert_eq!(Push { headers: Vec::new(), ..push }.bootstrap_type(), None, "it is for nobody");
    assert_eq!(Push::dm_notification(9, &[], &body).unwrap().bootstrap_type(), None);
}

fn media() -> impl Strategy<Value = wsp::Media> {
    let name = prop_oneof![
        any::<u32>().prop_map(wsp::MediaName::Code),
        (0..128_u32).prop_map(wsp::MediaName::Code),
        "[!-~]{1,40}".prop_map(|text| wsp::MediaName::Text(Text::new(&text).unwrap())),
    ];
    let parameters = proptest::collection::vec(any::<u8>(), 0..40);
    (name, parameters).prop_map(|(name, parameters)| wsp::Media { name, parameters })
}

proptest! {
    #[test]
    fn pushes_survive_a_round_trip(
        transaction: u8,
        media in media(),
        headers in proptest::collection::vec(headers(), 0..6),
        body: Vec<u8>,
    ) {
        let push = Push { transaction, media, headers, body: &body };
        let octets = pdu(&push);
        prop_assert_eq!(Push::decode(&octets, &Limits::default()), Ok(push));
    }

    #[test]
    fn payloads_survive_splitting_and_reassembly_in_any_order(
        payload in proptest::collection::vec(any::<u8>(), 0..2000),
        long: bool,
        reference: u16,
        (order, repeat) in (any::<u64>(), any::<bool>()),
    ) {
        let number = if long { Reference::Long(reference) } else { Reference::Short(reference.to_be_bytes()[1]) };
        let mut parts = split(&payload, Ports::PUSH, number).unwrap();
        let count = parts.len();
        for at in (1..count).rev() {
            parts.swap(at, usize::try_from(order.rotate_left(u32::try_from(at).unwrap()) % 64).unwrap() % (at + 1));
        }
        let mut reassembly = Reassembly::default();
        let from = Address::parse("+46708251358").unwrap();
        for (at, data) in parts.into_iter().enumerate() {
            let message = Tpdu::Deliver(Deliver {
                more: at + 1 < count,
                originator: from.clone(),
                time: ServiceCentreTime([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x0a]),
                data,
            });
            let Ok(Tpdu::Deliver(received)) = Tpdu::decode(&tpdu(&message), &Limits::default()) else {
                panic!("{message:?}")
            };
            prop_assert_eq!(Tpdu::Deliver(received.clone()), message);
            if repeat && at + 1 < count {
                prop_assert_eq!(reassembly.take(0, received.originator.clone(), received.data.clone()), None);
            }
            let whole = reassembly.take(0, received.originator, received.data);
            let expected = (at + 1 == count).then(|| payload.clone());
            prop_assert_eq!(whole.map(|message| message.payload), expected);
        }
    }

    #[test]
    fn no_octets_make_the_readers_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        check::check_wsp(&octets);
        check::check_sms(&octets);
        check::check_cloud(&octets);
        check::check_registration(&octets);
        check::check_wsp(&[&[0, 6], octets.as_slice()].concat());
        check::check_sms(&[&[0x44, 0, 0x91, 0, 4, 0, 0, 0, 0, 0, 0, 0], octets.as_slice()].concat());
    }
}

//! The push that carries a notification (`DM 2.0 §E.1`), judged by tshark.

use omadm_codec::sms::{Address, Deliver, Ports, Reference, ServiceCentreTime, Tpdu, split};
use omadm_codec::wsp::{Header, HeaderName, HeaderTooLong, Push, Text, Token, Value};
use omadm_conformance::{Dissection, proves};

const NOTIFICATION: [u8; 4] = [0x20, 0x80, 0x60, 0x00];

fn encoded(push: &Push<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push.encode(&mut out);
    out
}

/// A header of `length` octets.
fn header(length: usize) -> Header {
    let text = "a".repeat(length - "X-Id\0\0".len());
    Header {
        name: HeaderName::Text(Token::new("X-Id").unwrap()),
        value: Value::Text(Text::new(&text).unwrap()),
    }
}

fn assert_dissected(dissection: &Dissection, notification: &[u8]) {
    assert!(!dissection.is_malformed(), "{dissection:?}");
    assert_eq!(dissection.field("wsp.pdu_type"), Some("0x06"), "{dissection:?}");
    assert!(dissection.field("wsp.header.content_type").unwrap().contains("0x58"), "{dissection:?}");
    let application = dissection.field("wsp.header.x_wap_application_id");
    assert_eq!(application, Some("x-wap-application:syncml.dm"), "{dissection:?}");
    assert_eq!(dissection.octets("media.type").as_deref(), Some(notification), "{dissection:?}");
}

#[test]
fn a_push_is_what_tshark_takes_it_for() {
    proves!("D2-E.1-02", "D2-E.1-03");
    let plain = encoded(&Push::dm_notification(0x5a, &[], &NOTIFICATION).unwrap());
    assert_eq!(plain, [0x5a, 0x06, 0x03, 0xd8, 0xaf, 0x87, 0x20, 0x80, 0x60, 0x00]);
    let more = encoded(&Push::dm_notification(0x5b, &[header(20)], &NOTIFICATION).unwrap());
    let found = Dissection::of_pushes(&[&plain, &more]);
    for (dissection, transaction) in found.iter().zip(["0x5a", "0x5b"]) {
        assert_dissected(dissection, &NOTIFICATION);
        assert_eq!(dissection.field("wsp.TID"), Some(transaction), "{dissection:?}");
        assert_eq!(dissection.field("udp.dstport"), Some("2948"));
    }
}

#[test]
fn a_push_header_is_never_longer_than_48_octets() {
    proves!("D2-E.1-04");
    // TID, type, length, content type and application take 6.
    let longest = encoded(&Push::dm_notification(1, &[header(42)], &NOTIFICATION).unwrap());
    assert_eq!(longest.len() - NOTIFICATION.len(), 48);
    assert_dissected(&Dissection::of_pushes(&[&longest])[0], &NOTIFICATION);
    let longer = Push::dm_notification(1, &[header(43)], &NOTIFICATION);
    assert_eq!(longer, Err(HeaderTooLong { length: 49 }));
}

#[test]
fn tshark_puts_the_parts_of_a_long_push_together() {
    let notification = [&NOTIFICATION[..], &[0x5a; 300]].concat();
    let push = encoded(&Push::dm_notification(1, &[], &notification).unwrap());
    for reference in [Reference::Short(9), Reference::Long(900)] {
        let parts = split(&push, Ports::PUSH, reference).unwrap();
        let messages = parts.into_iter().map(|data| {
            let mut out = Vec::new();
            let originator = Address::parse("+46708251358").unwrap();
            let time = ServiceCentreTime([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x00]);
            Tpdu::Deliver(Deliver { more: false, originator, time, data }).encode(&mut out);
            out
        });
        let messages: Vec<Vec<u8>> = messages.collect();
        let found = Dissection::of_short_messages(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for dissection in &found {
            assert!(!dissection.is_malformed(), "{dissection:?}");
            assert_eq!(dissection.field("gsm_sms.tp-oa"), Some("46708251358"), "{dissection:?}");
            assert_eq!(dissection.field("gsm_sms.destination_port"), Some("2948"), "{dissection:?}");
        }
        assert_eq!(found.len(), 3);
        assert_dissected(&found[2], &notification);
    }
}

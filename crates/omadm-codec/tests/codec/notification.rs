//! Package#0 (`DM 2.0 §7.1.1`).

use omadm_codec::dm2::Notification;
use omadm_codec::dm2::notification::{Connection, Preference, PreferenceError, Received};
use omadm_codec::{DecodeError, Leniency, Limits, Problem};
use omadm_mo::ServerId;
use proptest::prelude::*;

use crate::common::{Case, hex, hex_cases, octets};
use crate::vectors::verify;

fn encoded(notification: &Notification) -> Vec<u8> {
    let mut out = Vec::new();
    notification.encode(&mut out);
    out
}

fn decode(input: &[u8]) -> Result<Received<'_>, DecodeError> {
    Received::decode(input, &Limits::default(), &mut Leniency::strict())
}

#[test]
fn vectors() {
    for case in hex_cases("vectors/dm2/notification") {
        verify(&case, |leniency| {
            let received = Received::decode(&case.bytes, &Limits::default(), leniency)?;
            let Notification { server_id, connections, id, digest, timestamp, request_mos } =
                &received.notification;
            let ignored: String = received
                .ignored
                .iter()
                .map(|(number, value)| format!("ignored {} {}\n", number.0, hex(value)))
                .collect();
            Ok(format!(
                "SERVER-ID {server_id:?}\nPREFERRED-CON-TYPE {connections:?}\nNOTIFICATION-ID {id:?}\n\
                 SHA256-DIGEST {:?}\nTIMESTAMP {timestamp:?}\nREQ-MOS {request_mos}\n{ignored}encoded {}\ndigest over {}\n",
                digest.map(|digest| hex(&digest)),
                hex(&encoded(&received.notification)),
                hex(&received.digest_input()),
            ))
        });
    }
}

/// Cut at any octet, none is understood: the count of options tells that some are missing.
#[test]
fn cut_notifications_are_refused() {
    let whole = |case: &Case| case.path.with_extension("expected").exists();
    for case in hex_cases("vectors/dm2/notification").into_iter().filter(whole) {
        for end in 0..case.bytes.len() {
            let cut = Received::decode(&case.bytes[..end], &Limits::default(), &mut Leniency::lenient());
            assert!(cut.is_err(), "{} at {end}", case.name());
        }
    }
}

fn full() -> Notification {
    Notification {
        server_id: Some(ServerId::parse("com.example.dm2").unwrap()),
        connections: Preference::new(&[Connection::Wlan, Connection::Cellular, Connection::AnyAvailable])
            .unwrap(),
        id: Some(0x1234),
        digest: None,
        timestamp: Some(1_700_000_000),
        request_mos: true,
    }
}

#[test]
fn the_digest_takes_the_place_of_the_zeros_and_nothing_else_changes() {
    let mut input = Vec::new();
    let sent = full().encode_with_digest(|zeroed| {
        input = zeroed.to_vec();
        [0xd5; 32]
    });
    let zeros = format!("1020{}", "00".repeat(32));
    assert_eq!(hex(&input).replace(&zeros, &format!("1020{}", "d5".repeat(32))), hex(&sent));
    let received = decode(&sent).unwrap();
    assert_eq!(received.digest_input(), input);
    assert_eq!(received.notification, Notification { digest: Some([0xd5; 32]), ..full() });
    let again = received.notification.encode_with_digest(|zeroed| {
        assert_eq!(zeroed, input, "an old digest counts for nothing");
        [0xd5; 32]
    });
    assert_eq!(again, sent);
}

#[test]
fn the_digest_is_over_the_octets_that_came() {
    // RESERVED is set and the time has three octets: our encoder would write neither.
    let came = octets("20ff 5003010203");
    let received = decode(&came).unwrap();
    assert_eq!(received.digest_input(), came);
    assert_ne!(encoded(&received.notification), came);
}

#[test]
fn times_are_four_octets_wide_as_long_as_they_can() {
    for (time, tail) in [(0, "00000000"), (u64::from(u32::MAX), "ffffffff"), (1 << 32, "0000000100000000")] {
        let notification = Notification { timestamp: Some(time), ..Notification::default() };
        let octets = encoded(&notification);
        assert_eq!(hex(&octets[4..]), tail);
        assert_eq!(decode(&octets).unwrap().notification, notification);
    }
}

#[test]
fn preferences_that_make_no_sense_cannot_be_built() {
    use Connection::{AnyAvailable, Cellular, Wireline, Wlan};
    assert_eq!(Preference::new(&[AnyAvailable, Wlan]), Err(PreferenceError::AfterAny(Wlan)));
    assert_eq!(Preference::new(&[Wlan, Cellular, Wlan]), Err(PreferenceError::Twice(Wlan)));
    assert_eq!(Preference::new(&[AnyAvailable, AnyAvailable]), Err(PreferenceError::Twice(AnyAvailable)));
    let list = [Wireline, Cellular, Wlan, AnyAvailable];
    assert_eq!(Preference::new(&list).unwrap().as_slice(), list);
    for connection in list {
        assert_eq!(Connection::parse(connection.as_str()), Some(connection));
    }
}

#[test]
fn server_identifiers_are_compared_in_nfc() {
    let id = |text: &str| ServerId::parse(text).unwrap();
    let decomposed = Notification { server_id: Some(id("dm-u\u{308}")), ..Notification::default() };
    let octets = encoded(&decomposed);
    let received = decode(&octets).unwrap().notification;
    assert_eq!(received.server_id, Some(id("dm-\u{fc}")));
    for notification in [&decomposed, &received] {
        assert_eq!(notification.names(&id("dm-\u{fc}")), Some(true));
        assert_eq!(notification.names(&id("dm-u\u{308}")), Some(true));
        assert_eq!(notification.names(&id("dm-u")), Some(false));
    }
    assert_eq!(Notification::default().names(&id("dm")), None);
}

#[test]
fn limits_hold() {
    let message = encoded(&full());
    let with = |bytes, items| {
        let limits = Limits { bytes, items, ..Limits::default() };
        Received::decode(&message, &limits, &mut Leniency::strict()).map(drop).map_err(|error| error.problem)
    };
    assert_eq!(with(message.len(), 5), Ok(()));
    assert_eq!(with(message.len() - 1, 5), Err(Problem::TooLarge { limit: message.len() - 1 }));
    assert_eq!(with(message.len(), 4), Err(Problem::TooMany { limit: 4 }));
    // 31 options of 4,095 octets are the longest notification there is.
    let mut longest = vec![0x2f, 0x80];
    for _ in 0..31 {
        longest.extend([0x7f, 0xff]);
        longest.extend([0; 4095]);
    }
    assert_eq!(decode(&longest).unwrap().ignored.last().unwrap().0.0, 31 * 7);
}

fn notifications() -> impl Strategy<Value = Notification> {
    let server =
        proptest::option::of("[!-~]{1,40}|[a-zäöü中]{1,20}".prop_map(|text| ServerId::parse(&text).unwrap()));
    let kinds = Just(vec![Connection::Cellular, Connection::Wlan, Connection::Wireline]).prop_shuffle();
    let connections = (kinds, 0..=3_usize, any::<bool>()).prop_map(|(mut kinds, count, any)| {
        kinds.truncate(count);
        kinds.extend(any.then_some(Connection::AnyAvailable));
        Preference::new(&kinds).unwrap()
    });
    let digest = proptest::option::of(any::<[u8; 32]>());
    (server, connections, any::<Option<u16>>(), digest, any::<Option<u64>>(), any::<bool>()).prop_map(
        |(server_id, connections, id, digest, timestamp, request_mos)| Notification {
            server_id,
            connections,
            id,
            digest,
            timestamp,
            request_mos,
        },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(notification in notifications()) {
        let octets = encoded(&notification);
        prop_assert_eq!(decode(&octets).unwrap().notification, notification);
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        omadm_codec::check::check_notification(&octets);
        let mut version_2 = octets;
        if let Some(first) = version_2.first_mut() {
            *first = 0x20 | *first & 0x01;
        }
        omadm_codec::check::check_notification(&version_2);
    }
}

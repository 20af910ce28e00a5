//! Package#0: its format and its options (`DM 2.0 §5.2.1, §7.1.1`), against octets that were put together by hand.

use omadm_auth::{NotificationCredentials, Secret};
use omadm_codec::dm2::Notification;
use omadm_codec::dm2::notification::{Connection, Preference, PreferenceError, Received};
use omadm_codec::{DecodeError, Leniency, Limits};
use omadm_conformance::proves;
use omadm_mo::ServerId;

fn octets(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn encoded(notification: &Notification) -> Vec<u8> {
    let mut out = Vec::new();
    notification.encode(&mut out);
    out
}

fn decode(input: &[u8]) -> Result<Received<'_>, DecodeError> {
    Received::decode(input, &Limits::default(), &mut Leniency::lenient())
}

fn understood(digits: &str) -> Notification {
    decode(&octets(digits)).unwrap_or_else(|error| panic!("{digits}: {error}")).notification
}

fn refused(digits: &str) -> &'static str {
    decode(&octets(digits)).map(|received| panic!("{digits}: {received:?}")).unwrap_err().field
}

/// Notifications with none to all of the options, in the octets that the figures of §7.1.1 draw.
fn drawn() -> Vec<(Notification, &'static str)> {
    let none = Notification::default;
    let request_mos = || Notification { request_mos: true, ..none() };
    let named = || Notification { server_id: Some(ServerId::parse("DMS1").unwrap()), ..request_mos() };
    let counted = || Notification { id: Some(65_535), ..named() };
    let connections =
        Preference::new(&[Connection::Wlan, Connection::Cellular, Connection::AnyAvailable]).unwrap();
    let preferring = || Notification { connections: connections.clone(), ..counted() };
    let timed = || Notification { timestamp: Some(1_700_000_000), ..preferring() };
    let signed = || Notification { digest: Some([0xab; 32]), ..timed() };
    vec![
        (none(), "2000"),
        (request_mos(), "2080 6000"),
        (named(), "2100 1004444d5331 5000"),
        (counted(), "2180 1004444d5331 2002ffff 3000"),
        (preferring(), "2200 1004444d5331 1003020100 1002ffff 3000"),
        (timed(), "2280 1004444d5331 1003020100 1002ffff 20046553f100 1000"),
        (
            signed(),
            "2300 1004444d5331 1003020100 1002ffff
             1020abababababababababababababababababababababababababababababababab 10046553f100 1000",
        ),
    ]
}

#[test]
fn notifications_are_the_octets_that_the_standard_draws() {
    proves!(
        "DM-SER-001-S-M",
        "DM-PACK-003-S-M",
        "D2-5.2.1.1-02",
        "D2-5.2.1.1-04",
        "D2-5.2.1.2-01",
        "D2-7.1.1-01",
        "D2-7.1.1.1-01",
        "D2-7.1.1.2-01",
        "D2-7.1.1.2-04",
    );
    for (count, (notification, digits)) in drawn().into_iter().enumerate() {
        let found = encoded(&notification);
        assert_eq!(found, octets(digits), "{count} options");
        assert_eq!(found[0] >> 4, 2, "VER");
        assert_eq!(usize::from(u16::from_be_bytes([found[0], found[1]]) >> 7 & 0x1f), count, "OC");
        assert_eq!(found[1] & 0x7f, 0, "RESERVED");
    }
}

#[test]
fn the_octets_that_the_standard_draws_are_understood() {
    proves!(
        "DM-SER-001-C-M",
        "DM-PACK-004-C-O",
        "D2-7.1.1-02",
        "D2-7.1.1-03",
        "D2-7.1.1.2-02",
        "D2-7.1.1.2-03"
    );
    for (notification, digits) in drawn() {
        assert_eq!(understood(digits), notification);
        let whole = octets(digits);
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{digits} cut at {end}");
        }
    }
    assert_eq!(refused("2080 0410 444d5331"), "Option Delta", "length in little endian");
    assert_eq!(refused("2080 1005 444d5331"), "SERVER-ID", "length past the end");
    assert_eq!(refused("2080 1fff 444d5331"), "SERVER-ID", "4095 octets announced");
    assert_eq!(refused("2180 1004444d5331 5000"), "Option Delta", "OC 3, two options");
    // Deltas that lead past the options of the standard: passed over by their length.
    let ahead = octets("2180 3002 0102 3000 f003 010203");
    let received = decode(&ahead).unwrap();
    assert_eq!((received.notification.id, received.notification.request_mos), (Some(258), true));
    assert_eq!(
        received.ignored.iter().map(|(number, value)| (number.0, value.len())).collect::<Vec<_>>(),
        [(21, 3)]
    );
}

#[test]
fn only_version_2_is_a_notification_of_dm_2_0_and_reserved_bits_mean_nothing() {
    proves!("DM-PACK-003-C-O", "D2-7.1.1.1-02");
    assert_eq!(understood("20ff 6000"), understood("2080 6000"));
    for version in ["1080 6000", "3080 6000", "0080 6000", "f080 6000"] {
        assert_eq!(refused(version), "VER");
    }
}

#[test]
fn an_option_is_there_once() {
    proves!("D2-5.2.1.2-02");
    assert_eq!(refused("2100 3002 0001 0002 0001"), "NOTIFICATION-ID");
    assert_eq!(refused("2100 6000 0000"), "REQ-MOS");
    assert_eq!(
        refused("2100 9001 00 0001 00"),
        "Option Value",
        "also of options that the standard does not define"
    );
    assert_eq!(refused("2080 0000"), "Option Delta", "no option has the number 0");
}

#[test]
fn values_are_in_the_four_formats() {
    proves!(
        "D2-5.2.1.2-06",
        "D2-5.2.1.2-07",
        "D2-5.2.1.2-08",
        "D2-5.2.1.2-09",
        "D2-5.2.1.2-10",
        "D2-5.2.1.2-18",
        "D2-5.2.1.2-22",
    );
    // Uint.
    assert_eq!(understood("2080 3002 0102").id, Some(258));
    let id = Notification { id: Some(65_535), ..Notification::default() };
    assert_eq!(encoded(&id), octets("2080 3002 ffff"));
    for other_length in ["2080 3000", "2080 3001 02", "2080 3003 000102", "2080 3004 00000102"] {
        assert_eq!(refused(other_length), "NOTIFICATION-ID");
    }
    // String, in NFC also when it is not given so.
    let name = |text: &str| Some(ServerId::parse(text).unwrap());
    for given in ["dm-\u{fc}", "dm-u\u{308}"] {
        let notification = Notification { server_id: name(given), ..Notification::default() };
        assert_eq!(encoded(&notification), octets("2080 1005 646d2dc3bc"));
    }
    assert_eq!(understood("2080 1005 646d2dc3bc").server_id, name("dm-\u{fc}"));
    assert_eq!(refused("2080 1004 646dfffe"), "SERVER-ID");
    // Opaque, each by its own rules.
    assert_eq!(understood("2080 2001 03").connections.as_slice(), [Connection::Wireline]);
    assert_eq!(understood("2080 5008 0000000100000000").timestamp, Some(1 << 32));
    let digest = Notification { digest: Some([7; 32]), ..Notification::default() };
    let found = encoded(&digest);
    assert_eq!(found[..4], octets("2080 4020"));
    assert_eq!(decode(&found).unwrap().notification, digest);
    for length in [16_u8, 31, 33] {
        let mut other_length = octets("2080 40");
        other_length.push(length);
        other_length.resize(4 + usize::from(length), 7);
        assert_eq!(decode(&other_length).unwrap_err().field, "SHA256-DIGEST", "{length}");
    }
    // Null.
    assert_eq!(encoded(&Notification { request_mos: true, ..Notification::default() }).len(), 4);
    assert_eq!(refused("2080 6001 00"), "REQ-MOS");
}

#[test]
fn connections_are_listed_by_preference_with_any_last() {
    proves!("D2-5.2.1.2-13", "D2-5.2.1.2-16");
    use Connection::{AnyAvailable, Cellular, Wireline, Wlan};
    for (list, digits) in [
        (&[Wlan, Cellular, AnyAvailable][..], "2080 2003 020100"),
        (&[Wireline], "2080 2001 03"),
        (&[AnyAvailable], "2080 2001 00"),
    ] {
        let connections = Preference::new(list).unwrap();
        let notification = Notification { connections, ..Notification::default() };
        assert_eq!(encoded(&notification), octets(digits));
        assert_eq!(understood(digits), notification);
    }
    assert_eq!(understood("2080 2003 020900").connections.as_slice(), [Wlan, AnyAvailable], "9 is skipped");
    assert_eq!(Preference::new(&[AnyAvailable, Wlan]), Err(PreferenceError::AfterAny(Wlan)));
    let any_first = octets("2080 2002 0002");
    let strict = Received::decode(&any_first, &Limits::default(), &mut Leniency::strict());
    assert_eq!(strict.unwrap_err().field, "PREFERRED-CON-TYPE");
}

#[test]
fn the_digest_is_over_secret_zeroed_message_and_data() {
    proves!("D2-5.2.1.2-23", "D2-5.2.1.2-24", "D2-5.2.1.2-25");
    let (secret, data) = (&b"server-secret"[..], &b"auth-data"[..]);
    let credentials =
        NotificationCredentials::new(Secret::new(secret.to_vec()), Secret::new(data.to_vec())).unwrap();
    let notification = Notification {
        server_id: Some(ServerId::parse("com.example.dm2").unwrap()),
        connections: Preference::new(&[Connection::Wlan, Connection::Cellular, Connection::AnyAvailable])
            .unwrap(),
        id: Some(0x1234),
        digest: None,
        timestamp: Some(1_700_000_000),
        request_mos: true,
    };
    let sent = notification.encode_with_digest(|zeroed| credentials.digest(zeroed));
    let before = octets("2300 100f636f6d2e6578616d706c652e646d32 1003020100 10021234 1020");
    let after = octets("10046553f100 1000");
    // OpenSSL is a judge of its own, and so is the digest that sha256sum made.
    let input = [secret, &before, &[0; 32], &after, data].concat();
    let digest = openssl::sha::sha256(&input);
    assert_eq!(digest.to_vec(), octets("276d6a7d6d7718855343609e8ec4e47e860460117b209a796c47f65c8a1378f7"));
    assert_eq!(sent, [&before[..], &digest, &after].concat());

    let received = decode(&sent).unwrap();
    assert_eq!(received.notification.digest, Some(digest));
    assert!(credentials.verify(&received.digest_input(), &digest));
    for bit in 0..sent.len() * 8 {
        let mut changed = sent.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(received) = decode(&changed) else { continue };
        let digest = received.notification.digest.unwrap_or_default();
        assert!(!credentials.verify(&received.digest_input(), &digest), "bit {bit}");
    }
}

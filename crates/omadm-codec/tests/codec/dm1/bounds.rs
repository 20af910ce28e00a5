//! What is cut, too deep, too many, or means more than it has octets.

use std::fmt::Write as _;

use omadm_codec::dm1::{Decoded, Encoding, decode};
use omadm_codec::{DecodeError, Leniency, Limits, Problem};

use crate::common;

fn lenient<'a>(body: &'a [u8], encoding: Encoding, limits: &Limits) -> Result<Decoded<'a>, DecodeError> {
    decode(body, encoding, limits, &mut Leniency::lenient())
}

fn problem(body: &[u8], encoding: Encoding, limits: &Limits) -> Option<Problem> {
    lenient(body, encoding, limits).err().map(|error| error.problem)
}

fn xml(body: &str) -> Vec<u8> {
    let header = "<SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID>\
        <Target><LocURI>a</LocURI></Target><Source><LocURI>b</LocURI></Source></SyncHdr>";
    format!("<SyncML xmlns=\"SYNCML:SYNCML1.2\">{header}<SyncBody>{body}</SyncBody></SyncML>").into_bytes()
}

fn wbxml(table: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(table.len()).unwrap();
    let mut document = vec![0x03, 0xA4, 0x01, 0x6A, length];
    document.extend_from_slice(table);
    document.extend(common::octets(
        "6D 6C 71 03 31 2E 32 00 01 72 03 44 4D 2F 31 2E 32 00 01 65 03 31 00 01 5B 03 31 00 01
         6E 57 03 61 00 01 01 67 57 03 62 00 01 01 01 6B",
    ));
    document.extend_from_slice(body);
    document.extend_from_slice(&[0x01, 0x01]);
    document
}

#[test]
fn a_message_that_is_cut_anywhere_is_refused() {
    let mut messages = Vec::new();
    for case in common::cases("vectors/dm1/message", "xml") {
        messages.push((case.bytes.trim_ascii().to_vec(), Encoding::Xml));
    }
    for case in common::hex_cases("vectors/dm1/message") {
        messages.push((case.bytes, Encoding::Wbxml));
    }
    let mut whole = 0;
    for (message, encoding) in messages {
        let good = lenient(&message, encoding, &Limits::default()).is_ok();
        whole += usize::from(good);
        // What stands after the root element may be missing.
        let must_fail =
            if good { message.iter().rposition(|octet| ![0, 1, 5, 0x43].contains(octet)) } else { None };
        for end in 0..message.len() {
            let result = lenient(&message[..end], encoding, &Limits::default());
            if must_fail.is_some_and(|last| end <= last) {
                assert!(result.is_err(), "{:?}", String::from_utf8_lossy(&message[..end]));
            }
        }
    }
    assert!(whole > 20);
}

#[test]
fn nesting_is_limited_in_known_unknown_and_embedded_elements() {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    let limits = Limits { depth: 8, ..Limits::default() };
    let message =
        |element: &str, depth| xml(&nested(&format!("<{element}>"), &format!("</{element}>"), depth));
    for element in ["Atomic", "Vendor"] {
        // SyncML and SyncBody are around it.
        assert_eq!(problem(&message(element, 6), Encoding::Xml, &limits), None, "{element}");
        let expected = Some(Problem::TooDeep { limit: 8 });
        assert_eq!(problem(&message(element, 7), Encoding::Xml, &limits), expected, "{element}");
    }
    let data = |depth| xml(&format!("<Add><Item><Data>{}</Data></Item></Add>", nested("<x>", "</x>", depth)));
    assert_eq!(problem(&data(3), Encoding::Xml, &limits), None);
    assert_eq!(problem(&data(4), Encoding::Xml, &limits), Some(Problem::TooDeep { limit: 8 }));

    let tags = |token: u8, depth| wbxml(b"", &[vec![token; depth], vec![1; depth]].concat());
    for token in [0x48, 0x7F] {
        assert_eq!(problem(&tags(token, 6), Encoding::Wbxml, &limits), None, "{token:#x}");
        assert_eq!(problem(&tags(token, 7), Encoding::Wbxml, &limits), Some(Problem::TooDeep { limit: 8 }));
    }
    // Whatever the limit says, the stack is not at risk.
    let deep = Limits { depth: usize::MAX, bytes: usize::MAX, items: usize::MAX };
    let expected = Some(Problem::TooDeep { limit: 256 });
    assert_eq!(problem(&message("Atomic", 100_000), Encoding::Xml, &deep), expected);
    assert_eq!(problem(&tags(0x48, 100_000), Encoding::Wbxml, &deep), expected);
}

#[test]
fn a_million_siblings_are_refused_by_their_number() {
    let limits = Limits { bytes: usize::MAX, items: 1000, depth: 32 };
    let expected = Some(Problem::TooMany { limit: 1000 });
    assert_eq!(problem(&xml(&"<Get/>".repeat(1_000_000)), Encoding::Xml, &limits), expected);
    let markup = format!("<Add><Item><Data>{}</Data></Item></Add>", "<x/>".repeat(1_000_000));
    assert_eq!(problem(&xml(&markup), Encoding::Xml, &limits), expected);
    assert_eq!(problem(&wbxml(b"", &[0x13; 1_000_000]), Encoding::Wbxml, &limits), expected);

    // Eleven elements are around them.
    let exactly = |count| xml(&"<Get/>".repeat(count));
    assert_eq!(problem(&exactly(989), Encoding::Xml, &limits), None);
    assert_eq!(problem(&exactly(990), Encoding::Xml, &limits), expected);
}

#[test]
fn a_message_may_have_as_many_octets_as_the_limit_says() {
    for (body, encoding) in [(xml(""), Encoding::Xml), (wbxml(b"", b""), Encoding::Wbxml)] {
        let limits = |bytes| Limits { bytes, ..Limits::default() };
        assert_eq!(problem(&body, encoding, &limits(body.len())), None);
        let expected = Some(Problem::TooLarge { limit: body.len() - 1 });
        assert_eq!(problem(&body, encoding, &limits(body.len() - 1)), expected);
    }
}

#[test]
fn references_to_the_string_table_do_not_make_a_message_larger_than_the_limit() {
    let body = |count| [&[0x60, 0x54, 0x4F][..], &[0x83, 0x00].repeat(count), &[1, 1, 1]].concat();
    let table = [b'x'; 99];
    let limits = Limits { bytes: 10_000, ..Limits::default() };
    let table = [&table[..], &[0]].concat();
    assert_eq!(problem(&wbxml(&table, &body(101)), Encoding::Wbxml, &limits), None);
    let expected = Some(Problem::TooLarge { limit: 10_000 });
    assert_eq!(problem(&wbxml(&table, &body(102)), Encoding::Wbxml, &limits), expected);
}

#[test]
fn attributes_are_limited_and_have_to_be_well_formed() {
    let tag = |count: usize| {
        let mut tag = "<Get".to_owned();
        (0..count).for_each(|number| write!(tag, " a{number}='1'").unwrap());
        xml(&(tag + "/>"))
    };
    assert_eq!(problem(&tag(16), Encoding::Xml, &Limits::default()), None);
    assert_eq!(problem(&tag(17), Encoding::Xml, &Limits::default()), Some(Problem::TooMany { limit: 16 }));
    for bad in ["<Get a='1' a='2'/>", "<Get a/>", "<Get a=1/>"] {
        let found = problem(&xml(bad), Encoding::Xml, &Limits::default());
        assert!(matches!(found, Some(Problem::Syntax(_))), "{bad}: {found:?}");
    }
}

#[test]
fn numbers_of_wbxml_have_32_bits() {
    let length =
        |octets: &str| wbxml(b"", &[&[0x60, 0x54, 0x4F, 0xC3], &common::octets(octets)[..]].concat());
    // 2^32 - 1 is a number, although no message is that long.
    assert_eq!(problem(&length("8F FF FF FF 7F"), Encoding::Wbxml, &Limits::default()), Some(Problem::Short));
    // Not the shortest form, but a number.
    let zero = wbxml(b"", &common::octets("60 54 4F C3 80 80 80 80 00 01 01 01"));
    assert_eq!(problem(&zero, Encoding::Wbxml, &Limits::default()), None);
    for bad in ["90 80 80 80 00", "FF FF FF FF 7F", "80 80 80 80 80 00"] {
        let found = problem(&length(bad), Encoding::Wbxml, &Limits::default());
        assert!(matches!(found, Some(Problem::Schema(_))), "{bad}: {found:?}");
    }
}

#[test]
fn utf_16_is_read_by_its_byte_order_mark() {
    let text = String::from_utf8(xml("<Replace><Item><Data>Käse 😀</Data></Item></Replace>")).unwrap();
    let expected = lenient(text.as_bytes(), Encoding::Xml, &Limits::default()).unwrap();
    let units: Vec<u16> = std::iter::once(0xFEFF).chain(text.encode_utf16()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    for octets in [big, little] {
        assert_eq!(lenient(&octets, Encoding::Xml, &Limits::default()).unwrap(), expected);
        assert!(lenient(&octets[..octets.len() - 1], Encoding::Xml, &Limits::default()).is_err());
    }
}

//! Multipart bodies: any parts in any chunks, and the limits.

use omadm_codec::multipart::{Event, Part, PartHead, Reader, Writer, boundary_for, content_type, decode};
use omadm_codec::{DecodeError, Leniency, Limits, MediaType, Problem, Tolerance};
use proptest::prelude::*;

fn write(parts: &[Part], boundary: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(boundary);
    for part in parts {
        writer.begin(&part.head, &mut out);
        out.extend_from_slice(&part.body);
    }
    writer.finish(&mut out);
    out
}

/// Feeds chunks and puts the parts together; checks the order of events.
fn read(
    chunks: &[&[u8]],
    boundary: &str,
    limits: Limits,
    leniency: &mut Leniency,
) -> Result<Vec<Part>, DecodeError> {
    let mut reader = Reader::new(boundary, limits)?;
    let mut events = Vec::new();
    for chunk in chunks {
        reader.feed(chunk, leniency, &mut events)?;
    }
    reader.finish()?;
    let mut parts: Vec<Part> = Vec::new();
    let (mut open, mut ended) = (false, false);
    for event in events {
        assert!(!ended, "{event:?} after End");
        match event {
            Event::Head(head) => {
                assert!(!std::mem::replace(&mut open, true), "Head inside of a part");
                parts.push(Part { head, body: Vec::new() });
            }
            Event::Data(data) => {
                assert!(open && !data.is_empty());
                parts.last_mut().unwrap().body.extend(data);
            }
            Event::EndOfPart => assert!(std::mem::replace(&mut open, false)),
            Event::End => ended = true,
        }
    }
    assert!(ended && !open);
    Ok(parts)
}

/// Bodies rich in what delimiters are made of.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"--".to_vec()),
        Just(b"\r\n--omadm-".to_vec()),
        Just(b"\r\n--omadm-0000000000000007".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn part() -> impl Strategy<Value = Part> {
    let name = proptest::option::of("[ -~é]{0,10}");
    let content_type = proptest::option::of("[a-z]{1,5}/[a-z+]{1,9}");
    (name, content_type, body())
        .prop_map(|(name, content_type, body)| Part { head: PartHead { name, content_type }, body })
}

proptest! {
    #[test]
    fn any_parts_in_any_chunks_come_back(
        parts in prop::collection::vec(part(), 0..5), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bodies: Vec<&[u8]> = parts.iter().map(|part| part.body.as_slice()).collect();
        let boundary = boundary_for(7, &bodies);
        let bytes = write(&parts, &boundary);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let chunks: Vec<&[u8]> = places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let mut leniency = Leniency::lenient();
        prop_assert_eq!(read(&chunks, &boundary, Limits::default(), &mut leniency), Ok(parts.clone()));
        let named_first = parts.first().is_some_and(|part| part.head.name.is_some());
        prop_assert_eq!(leniency.used.into_iter().collect::<Vec<_>>(), vec![Tolerance::NamedFirstPart; usize::from(named_first)]);
        let strict = decode(&bytes, &boundary, &Limits::default(), &mut Leniency::strict());
        prop_assert_eq!(strict.is_err(), named_first);
    }

    #[test]
    fn a_body_that_is_cut_is_short(parts in prop::collection::vec(part(), 1..3), cut in any::<prop::sample::Index>()) {
        let bytes = write(&parts, "b7e");
        let end = cut.index(bytes.len() - 4);
        let result = decode(&bytes[..end], "b7e", &Limits::default(), &mut Leniency::lenient());
        prop_assert!(matches!(result, Err(DecodeError { problem: Problem::Short, .. })), "{:?}", result);
    }
}

#[test]
fn a_boundary_is_in_no_body_and_fits_in_a_content_type() {
    let taken = [boundary_for(7, &[]), boundary_for(8, &[])];
    let bodies: Vec<&[u8]> = taken.iter().map(|text| text.as_bytes()).collect();
    assert_eq!(boundary_for(7, &bodies), boundary_for(9, &[]));
    // A body that holds very many of them costs one reading.
    let hostile: String = (0..20_000).map(|number| format!("omadm-{number:016x}")).collect();
    assert_eq!(boundary_for(0, &[hostile.as_bytes()]), boundary_for(20_000, &[]));
    assert_eq!(boundary_for(10, &[b"omadm-000000000000000A"]), boundary_for(10, &[]), "another word");
    for boundary in [boundary_for(1, &[]), "a b:c?".to_owned()] {
        let media_type = MediaType::parse(&content_type(&boundary)).unwrap();
        assert_eq!(media_type.parameter("boundary"), Some(boundary.as_str()));
    }
}

#[test]
fn boundaries_are_checked() {
    let longest = "b".repeat(70);
    for good in ["b", "a b", "'()+_,-./:=?", &longest] {
        assert!(Reader::new(good, Limits::default()).is_ok(), "{good}");
    }
    for bad in ["", "b ", "a\r\nb", "é", "a\"b", &"b".repeat(71)] {
        assert!(Reader::new(bad, Limits::default()).is_err(), "{bad:?}");
    }
}

#[test]
fn strict_refuses_bare_line_feeds_in_heads_and_takes_them_for_data_in_bodies() {
    let head = b"--b\nContent-Disposition: form-data\n\nx\n--b--";
    let error = decode(head, "b", &Limits::default(), &mut Leniency::strict()).unwrap_err();
    assert_eq!((error.at, error.field), (3, "boundary"));
    let body = b"--b\r\n\r\nx\n--b--\r\n--b--";
    let parts = decode(body, "b", &Limits::default(), &mut Leniency::strict()).unwrap();
    assert_eq!(parts[0].body, b"x\n--b--");
}

#[test]
fn limits_are_errors_that_name_them() {
    let part = Part { head: PartHead::default(), body: vec![b'x'; 100] };
    let bytes = write(&[part.clone(), part], "b");
    let limited =
        |bytes: &[u8], limits| decode(bytes, "b", &limits, &mut Leniency::lenient()).map(|parts| parts.len());
    let limits = Limits { bytes: bytes.len(), depth: 1, items: 2 };
    assert_eq!(limited(&bytes, limits), Ok(2));
    let error = limited(&bytes, Limits { bytes: bytes.len() - 1, ..limits }).unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit: bytes.len() - 1 });
    let error = limited(&bytes, Limits { items: 1, ..limits }).unwrap_err();
    assert_eq!(error.problem, Problem::TooMany { limit: 1 });
}

#[test]
fn a_head_is_bounded_however_it_comes() {
    let long_line = [b"--b\r\nX: ".as_slice(), &[b'x'; 9000]].concat();
    let many_lines = [b"--b\r\n".to_vec(), b"X: xxxxxxxx\r\n".repeat(900)].concat();
    let padding = [b"--b".as_slice(), &[b' '; 9000]].concat();
    for (bytes, field) in [(long_line, "part head"), (many_lines, "part head"), (padding, "boundary")] {
        for length in [1, bytes.len()] {
            let chunks: Vec<&[u8]> = bytes.chunks(length).collect();
            let error = read(&chunks, "b", Limits::default(), &mut Leniency::lenient()).unwrap_err();
            assert_eq!((error.field, error.problem), (field, Problem::TooLarge { limit: 8192 }));
        }
    }
}

#[test]
fn a_reader_that_met_an_error_is_dead() {
    let mut reader = Reader::new("b", Limits::default()).unwrap();
    let mut events = Vec::new();
    let error = reader.feed(b"--b?\r\n", &mut Leniency::lenient(), &mut events).unwrap_err();
    assert_eq!((error.at, error.field), (3, "boundary"));
    assert_eq!(reader.feed(b"--b\r\n\r\n", &mut Leniency::lenient(), &mut events), Err(error.clone()));
    assert!(events.is_empty());
    assert_eq!(reader.finish(), Err(error));
}

#[test]
fn what_is_fed_comes_out_at_once() {
    let mut reader = Reader::new("b", Limits::default()).unwrap();
    let mut events = Vec::new();
    let mut leniency = Leniency::strict();
    reader.feed(b"--b\r\n\r\nfirst", &mut leniency, &mut events).unwrap();
    assert_eq!(events, [Event::Head(PartHead::default()), Event::Data(b"first".to_vec())]);
    events.clear();
    reader.feed(b" second\r\n--", &mut leniency, &mut events).unwrap();
    assert_eq!(events, [Event::Data(b" second".to_vec())]);
    events.clear();
    reader.feed(b"!", &mut leniency, &mut events).unwrap();
    assert_eq!(events, [Event::Data(b"\r\n--!".to_vec())]);
}

#[test]
fn a_header_value_cannot_begin_another_header() {
    let head = PartHead { name: Some("a\r\nX: y\"".into()), content_type: Some("text/plain\r\nX: y".into()) };
    let bytes = write(&[Part { head, body: Vec::new() }], "b");
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with('X')).count(), 0, "{text}");
    let parts = decode(&bytes, "b", &Limits::default(), &mut Leniency::lenient()).unwrap();
    assert_eq!(parts[0].head.name.as_deref(), Some("aX: y\""));
}

//! The examples of the standard and their bad neighbours, as files in `vectors/`: `<name>.json` or `.txt`, and beside it
//! `<name>.expected` (tolerances used, and what was understood) or `<name>.error`.
//!
//! After a deliberate change: `BLESS=1 cargo test -p omadm-codec --test codec`, then review the difference.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{Case, cases, hex_cases};
use omadm_codec::dm2::{CommandEntry, Initiation, Request, Response, mo_data};
use omadm_codec::{DecodeError, Leniency, Limits, MediaType, Tolerance, ddf, multipart};

/// Decodes leniently and strictly and compares with the expectation. Strict decoding has to refuse exactly what needed a tolerance.
pub fn verify(case: &Case, decode: impl Fn(&mut Leniency) -> Result<String, DecodeError>) {
    let mut leniency = Leniency::lenient();
    let result = decode(&mut leniency);
    let strict = decode(&mut Leniency::strict());
    match &result {
        Ok(_) if !leniency.used.is_empty() => assert!(strict.is_err(), "{}: {strict:?}", case.name()),
        Ok(_) => assert_eq!(strict, result, "{}", case.name()),
        Err(_) => assert!(strict.is_err(), "{}: {strict:?}", case.name()),
    }
    let used: Vec<&str> = leniency.used.iter().map(|tolerance| tolerance.as_str()).collect();
    let used = if used.is_empty() { "none".to_owned() } else { used.join(", ") };
    let result = result.map(|text| format!("tolerances: {used}\n{text}"));
    compare(case, result.map_err(|error| error.to_string()));
}

/// Compares with `<name>.expected` or `<name>.error`; with `BLESS=1` in the environment it writes them instead.
pub fn compare(case: &Case, result: Result<String, String>) {
    let (extension, other, text) = match result {
        Ok(text) => ("expected", "error", text),
        Err(text) => ("error", "expected", text + "\n"),
    };
    let path = case.path.with_extension(extension);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
        let _ = fs::remove_file(case.path.with_extension(other));
    }
    let expected = fs::read_to_string(&path);
    let expected = expected.unwrap_or_else(|error| panic!("{}: {error}, got {text}", path.display()));
    assert_eq!(text, expected, "{}", case.name());
}

fn json(encode: impl Fn(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    encode(&mut out);
    String::from_utf8(out).unwrap() + "\n"
}

#[test]
fn package_1() {
    for case in cases("vectors/dm2/initiation", "json") {
        verify(&case, |leniency| {
            let package = Initiation::decode(&case.bytes, &Limits::default(), leniency)?;
            Ok(json(|out| package.encode(out)))
        });
    }
}

#[test]
fn package_2() {
    for case in cases("vectors/dm2/request", "json") {
        verify(&case, |leniency| {
            let package = Request::decode(&case.bytes, &Limits::default(), leniency, &|_| false)?;
            Ok(package.entries.iter().map(show_entry).collect())
        });
    }
}

fn show_entry(entry: &CommandEntry) -> String {
    match entry {
        CommandEntry::Valid(command) => {
            let mut package = Vec::new();
            Request::encode(std::slice::from_ref(command), &mut package);
            let again = Request::decode(&package, &Limits::default(), &mut Leniency::strict(), &|_| false);
            assert_eq!(again.unwrap().entries, std::slice::from_ref(entry));
            assert_eq!(command.to_words()[0], command.name());
            format!("{}\n", command.to_words().join(" "))
        }
        CommandEntry::Unknown { name } => format!("unknown {name}\n"),
        CommandEntry::Malformed { name, reason } => format!("malformed {name:?}: {reason}\n"),
    }
}

#[test]
fn package_3() {
    for case in cases("vectors/dm2/response", "json") {
        verify(&case, |leniency| {
            let package = Response::decode(&case.bytes, &Limits::default(), leniency)?;
            Ok(json(|out| package.encode(out)))
        });
    }
}

#[test]
fn management_object_data() {
    for case in cases("vectors/dm2/mo_data", "json") {
        verify(&case, |leniency| {
            let items = mo_data::decode(&case.bytes, &Limits::default(), leniency)?;
            Ok(json(|out| mo_data::encode(&items, out)))
        });
    }
}

/// The files have the `Content-Type` in the first line, then an empty line, then the body with LF line ends.
#[test]
fn multipart_bodies() {
    for case in cases("vectors/dm2/multipart", "txt") {
        let text = std::str::from_utf8(&case.bytes).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let media_type = MediaType::parse(head.strip_prefix("Content-Type: ").unwrap()).unwrap();
        let boundary = media_type.parameter("boundary").unwrap();
        let decode = |body: &str, leniency: &mut Leniency| {
            multipart::decode(body.as_bytes(), boundary, &Limits::default(), leniency)
        };
        verify(&case, |leniency| {
            let parts = decode(body, leniency)?;
            // The same lines with CRLF give the same parts, but for the line ends in their bodies.
            let with_crlf = decode(&body.replace('\n', "\r\n"), &mut Leniency::lenient())?;
            assert!(with_crlf.iter().map(|part| &part.head).eq(parts.iter().map(|part| &part.head)));
            Ok(parts.iter().map(show_part).collect())
        });
    }
}

fn show_part(part: &multipart::Part) -> String {
    let body = String::from_utf8_lossy(&part.body);
    format!("{:?} {:?} {:?}\n", part.head.name, part.head.content_type, body)
}

/// What the decoders of messages ask for themselves. The other tolerances are asked for by those who use what was decoded.
const OF_DECODERS: [Tolerance; 28] = [
    Tolerance::BareStatus,
    Tolerance::StatusUriAfterEntry,
    Tolerance::BareMoObject,
    Tolerance::NestedAlert,
    Tolerance::LooseAlertData,
    Tolerance::LooseBase64,
    Tolerance::MosWithoutDdf,
    Tolerance::BareLineFeed,
    Tolerance::ByteOrderMark,
    Tolerance::NamedFirstPart,
    Tolerance::UnknownMark,
    Tolerance::LooseConnections,
    Tolerance::MissingNamespace,
    Tolerance::MisspeltNamespace,
    Tolerance::TypeBesideMeta,
    Tolerance::NestedReference,
    Tolerance::OldWbxml,
    Tolerance::OldPublicId,
    Tolerance::MissingCharset,
    Tolerance::UnterminatedString,
    Tolerance::StrayLiteral,
    Tolerance::Padding,
    Tolerance::MissingPageSwitch,
    Tolerance::MissingProperties,
    Tolerance::LooseWhiteSpace,
    Tolerance::AbsoluteTndsPath,
    Tolerance::StrayTndsElement,
    Tolerance::XmlAsWbxml,
];

#[test]
fn every_tolerance_of_the_decoders_has_a_vector() {
    let dm2 = ["initiation", "request", "response", "mo_data", "multipart", "notification", "cloud"];
    let folders = dm2.map(|folder| format!("vectors/dm2/{folder}"));
    let mut used = BTreeSet::new();
    for folder in folders.iter().map(String::as_str).chain(["vectors/dm1/message", "vectors/dm1/tnds"]) {
        for case in cases(folder, "expected") {
            let text = String::from_utf8(case.bytes).unwrap();
            let list = text.lines().next().unwrap().strip_prefix("tolerances: ").unwrap();
            used.extend(list.split(", ").filter(|name| *name != "none").map(str::to_owned));
        }
    }
    assert_eq!(used, OF_DECODERS.iter().map(Tolerance::to_string).collect());
}

/// Expected: the warnings, an empty line, and the file as we write it.
#[test]
fn device_descriptions() {
    for case in cases("vectors/ddf", "ddf") {
        describe(&case, |error| {
            let (line, column) = ddf::line_and_column(&case.bytes, error.at);
            format!("line {line}, column {column}: {error}")
        });
    }
}

#[test]
fn device_descriptions_in_wbxml() {
    for case in hex_cases("vectors/ddf") {
        describe(&case, DecodeError::to_string);
    }
}

fn describe(case: &Case, show_error: impl Fn(&DecodeError) -> String) {
    let result = ddf::decode(&case.bytes, &Limits::default()).map(|decoded| {
        let written = json(|out| ddf::encode(&decoded.ddf, out));
        for again in [written.as_bytes(), &ddf::encode_wbxml(&decoded.ddf)] {
            assert_eq!(ddf::decode(again, &Limits::default()).unwrap().ddf, decoded.ddf, "{}", case.name());
        }
        let warnings: String = decoded.warnings.iter().map(|warning| format!("{warning}\n")).collect();
        format!("{warnings}\n{written}")
    });
    compare(case, result.map_err(|error| show_error(&error)));
}

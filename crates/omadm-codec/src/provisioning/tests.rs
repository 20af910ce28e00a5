use proptest::prelude::*;

use super::*;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn read(octets: &[u8]) -> Result<ProvisioningDocument, DecodeError> {
    ProvisioningDocument::from_wbxml(octets, &Limits::default(), &mut Leniency::strict())
}

fn parameter(name: &str, value: Option<&str>) -> Entry {
    Entry::Parameter(Parameter { name: name.to_owned(), value: value.map(str::to_owned) })
}

fn characteristic(kind: &str, entries: Vec<Entry>) -> Characteristic {
    Characteristic { kind: kind.to_owned(), entries }
}

/// An account of DM with a network access point after it, so that pages are switched there and back.
fn account() -> ProvisioningDocument {
    let inner = |kind, entries| Entry::Characteristic(characteristic(kind, entries));
    let application = characteristic(
        "APPLICATION",
        vec![
            parameter("APPID", Some("w7")),
            parameter("PROVIDER-ID", Some("dm.example.com")),
            parameter("TO-NAPID", Some("N1")),
            parameter("INIT", None),
            inner(
                "APPADDR",
                vec![
                    parameter("ADDR", Some("https://dm.example.com/dm")),
                    inner("PORT", vec![parameter("PORTNBR", Some("443"))]),
                ],
            ),
            inner(
                "APPAUTH",
                vec![
                    parameter("AAUTHLEVEL", Some("APPSRV")),
                    parameter("AAUTHTYPE", Some("HTTP-DIGEST")),
                    parameter("AAUTHSECRET", Some("s<&>\"é")),
                    parameter("AAUTHDATA", Some("")),
                ],
            ),
        ],
    );
    let access = characteristic(
        "NAPDEF",
        vec![
            parameter("NAPID", Some("N1")),
            parameter("BEARER", Some("GSM-GPRS")),
            parameter("NAP-ADDRESS", Some("APN")),
        ],
    );
    ProvisioningDocument { characteristics: vec![application, access, characteristic("X-OWN", Vec::new())] }
}

#[test]
fn a_published_document_is_read() {
    let octets = hex(
        "030B6A0674657374310045C6560187070683000101C655018707068300018711060374657374315F4E415049440001871006AB018708
         0603746573743200018709068901871401C65A01870C069A01870D060367707273757365726E616D650001870E06036770727370617373
         776F72640001010101",
    );
    let document = read(&octets).unwrap();
    let [bootstrap, access] = &document.characteristics[..] else { panic!("{document:?}") };
    assert_eq!((bootstrap.kind.as_str(), bootstrap.get("NAME")), ("BOOTSTRAP", Some("test1")));
    assert_eq!(access.kind, "NAPDEF");
    let wanted = [
        ("NAME", "test1"),
        ("NAPID", "test1_NAPID"),
        ("BEARER", "GSM-GPRS"),
        ("NAP-ADDRESS", "test2"),
        ("NAP-ADDRTYPE", "APN"),
        ("INTERNET", ""),
    ];
    for (name, value) in wanted {
        assert_eq!(access.get(name), Some(value), "{name}");
    }
    let secret: Vec<_> = access.all("NAPAUTHINFO").collect();
    assert_eq!(secret.len(), 1);
    assert_eq!(secret[0].get("AUTHTYPE"), Some("PAP"));
    assert_eq!(secret[0].get("AUTHSECRET"), Some("gprspassword"));
    assert_eq!(secret[0].get("AUTHNAME"), Some("gprsusername"));
}

#[test]
fn both_encodings_say_the_same() {
    let document = account();
    assert_eq!(read(&document.to_wbxml()).unwrap(), document);
    let xml = document.to_xml();
    assert_eq!(ProvisioningDocument::from_xml(xml.as_bytes(), &Limits::default()).unwrap(), document);
    let empty = ProvisioningDocument::default();
    assert_eq!(read(&empty.to_wbxml()).unwrap(), empty);
}

#[test]
fn tokens_are_used_and_pages_switched() {
    let octets = account().to_wbxml();
    let has = |wanted: &str| octets.windows(hex(wanted).len()).any(|window| window == hex(wanted));
    assert!(
        octets
            .starts_with(&hex("03 0B 6A 00 C5 45 03 31 2E 31 00 01 C6 00 01 55 01 87 36 06 03 77 37 00 01"))
    );
    assert!(has("87 05 03 49 4E 49 54 00 01"), "INIT has no token");
    assert!(has("C6 00 00 55 01 87 11"), "back to page 0 for NAPDEF");
    assert!(has("87 10 06 AB 01"), "the value has a token");
    assert!(has("87 33 06 03 48 54 54 50"), "an authentication type is spelt out");
}

#[test]
fn authentication_types_are_read_in_both_generations_of_tokens() {
    let of = |head: &str, value: &str| {
        let octets = hex(&format!("{head} 45 C6 00 01 57 01 87 33 06 {value} 01 01 01"));
        read(&octets).map(|document| document.characteristics[0].get("AAUTHTYPE").unwrap().to_owned())
    };
    let no_table = "03 0B 6A 00";
    assert_eq!(of(no_table, "91 93").unwrap(), "HTTP-DIGEST");
    assert_eq!(of(no_table, "81 82").unwrap(), "HTTP-BASIC");
    assert_eq!(of(no_table, "82 80 83").unwrap(), "BASIC,DIGEST");
    assert_eq!(of(no_table, "92 90 93").unwrap(), "BASIC,DIGEST");
    assert_eq!(of("03 0B 6A 03 78 79 00", "83 01").unwrap(), "y", "with a table it is a string of it");
    let elsewhere = hex("03 0B 6A 00 45 C6 00 01 57 01 87 31 06 91 01 01 01");
    assert_eq!(read(&elsewhere).unwrap_err().field, "wap-provisioningdoc");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let error = |octets: &str| read(&hex(octets)).map_err(|error| (error.field, error.at)).unwrap_err();
    assert_eq!(error("04 0B 6A 00 05"), ("version", 0));
    assert_eq!(error("03 0C 6A 00 05"), ("publicid", 1));
    assert_eq!(error("03 0B 02 00 05"), ("charset", 2));
    assert_eq!(error("03 0B 6A 05 05"), ("strtbl", 4));
    assert_eq!(error("03 0B 6A 00 06"), ("wap-provisioningdoc", 4));
    assert_eq!(error("03 0B 6A 00 45 46 01"), ("characteristic", 5));
    assert_eq!(error("03 0B 6A 00 45 C6 55 01"), ("wap-provisioningdoc", 8));
    assert_eq!(error("03 0B 6A 00 45 C6 55 01 47 01 01 01"), ("parm", 8));
    assert_eq!(error("03 0B 6A 00 45 C6 55 01 87 07 06 83 05 01 01 01"), ("strtbl", 13));
}

#[test]
fn truncation_anywhere_is_an_error() {
    let octets = account().to_wbxml();
    for length in 0..octets.len() {
        assert!(read(&octets[..length]).is_err(), "{length}");
    }
    let mut padded = octets.clone();
    padded.push(0);
    assert_eq!(read(&padded).unwrap_err().problem, Problem::Trailing);
    let mut leniency = Leniency::lenient();
    let read = ProvisioningDocument::from_wbxml(&padded, &Limits::default(), &mut leniency);
    assert_eq!((read.unwrap(), leniency.used.contains(&Tolerance::Padding)), (account(), true));
}

#[test]
fn limits_hold_to_the_element() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold(characteristic("A", Vec::new()), |inner, _| {
            characteristic("A", vec![Entry::Characteristic(inner)])
        });
        ProvisioningDocument { characteristics: vec![inner] }
    };
    // The root element is the first level.
    let limits = Limits { depth: 4, ..Limits::default() };
    let read = |document: &ProvisioningDocument, limits: &Limits| {
        ProvisioningDocument::from_wbxml(&document.to_wbxml(), limits, &mut Leniency::strict())
    };
    assert!(read(&nested(3), &limits).is_ok());
    assert_eq!(read(&nested(4), &limits).unwrap_err().problem, Problem::TooDeep { limit: 4 });
    assert!(
        matches!(read(&nested(40), &Limits { depth: 1000, ..limits }), Err(error) if error.problem == Problem::TooDeep { limit: 32 })
    );
    let limits = Limits { items: 3, ..Limits::default() };
    assert!(read(&nested(2), &limits).is_ok());
    assert_eq!(read(&nested(3), &limits).unwrap_err().problem, Problem::TooMany { limit: 3 });
}

#[test]
fn values_do_not_show() {
    let shown = format!("{:?}", account());
    assert!(shown.contains("AAUTHSECRET") && !shown.contains("dm.example.com"), "{shown}");
}

proptest! {
    #[test]
    fn no_input_panics(mut input: Vec<u8>) {
        let _ = read(&input);
        input.splice(0..0, [3, 0x0b, 0x6a, 0, 0x45]);
        let _ = read(&input);
        let _ = ProvisioningDocument::from_xml(&input, &Limits::default());
    }

    #[test]
    fn what_was_written_is_read(names in prop::collection::vec("[A-Z-]{1,12}", 1..6), value in prop::option::of("[^\\x00-\\x1f\\u{fffe}\\u{ffff}]{0,20}")) {
        let entries = names.iter().map(|name| parameter(name, value.as_deref())).collect();
        let document = ProvisioningDocument { characteristics: vec![characteristic("APPLICATION", entries)] };
        prop_assert_eq!(&read(&document.to_wbxml()).unwrap(), &document);
        prop_assert_eq!(&ProvisioningDocument::from_xml(document.to_xml().as_bytes(), &Limits::default()).unwrap(), &document);
    }
}

//! Addresses (`DM 1.3 TND §7`): what is one, what the limits of a device count, and the virtual ones.

use omadm_mo::dm1::{List, Part, Property, UriDeparture};

use proptest::prelude::*;

use super::*;

fn parse(text: &str, limits: &UriLimits) -> Result<Dm1Uri, u16> {
    Dm1Uri::parse(text, limits, false).map_err(|error| error.status())
}

#[test]
fn addresses_have_one_normal_form() {
    for (text, normal) in [
        (".", "."),
        ("./A/B", "./A/B"),
        ("A/B", "./A/B"),
        ("./a%7eb/%e4%b8%ad", "./a~b/%E4%B8%AD"),
        ("./A:b@c&d=e+f$g,h!i'j(kl)m*", "./A:b@c&d=e+f$g,h!i'j(kl)m*"),
        ("./q%3Fr%23s%20t", "./q%3Fr%23s%20t"),
        ("./A?prop=ACL", "./A?prop=ACL"),
        (".?list=Struct", ".?list=Struct"),
        ("./A?list=TNDS", "./A?list=TNDS"),
        ("./A?list=TNDS+Value+ACL", "./A?list=TNDS+ACL+Value"),
        ("./A?list=TNDS-Title", "./A?list=TNDS-Title"),
        ("./A...b/...", "./A...b/..."),
        ("urn:test:lab:2.0//Name", "urn:test:lab:2.0//Name"),
        (
            "urn:test:lab:2.0/(x)/Name?nv=(x)/Serial:S0&prop=ACL",
            "urn:test:lab:2.0/(x)/Name?nv=(x)/Serial:S0&prop=ACL",
        ),
        ("urn:test:lab:2.0//?list=MORootData", "urn:test:lab:2.0//?list=MORootData"),
    ] {
        let uri = Dm1Uri::parse(text, &UriLimits::default(), true)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.to_string(), normal);
        assert_eq!(Dm1Uri::parse(normal, &UriLimits::default(), true).unwrap(), uri, "{text}");
    }
}

#[test]
fn what_is_no_address_is_404() {
    for text in [
        "",
        "./",
        "/",
        "//",
        "./A/",
        "A//B",
        "./A//B",
        "../A",
        "./A/../B",
        "./../A",
        "./A/./B",
        "./A/.",
        "./A./B",
        "A/..",
        "./%2e%2e/A",
        "./%2e",
        "./A%",
        "./A%4",
        "./A%zz",
        "./%ff",
        "./A%00",
        "./A\u{1}",
        "./.",
        "./A?",
        "./A?x=y",
        "./A?prop",
        "urn:",
        "urn:test",
        "urn:test:lab:2.0",
        "urn:test:lab:2.0/(x)/",
        "urn:test:lab:2.0//?prop=ACL&prop=Name",
    ] {
        assert_eq!(parse(text, &UriLimits::default()).err(), Some(404), "{text:?}");
    }
}

#[test]
fn a_part_that_the_device_does_not_have_is_406() {
    for text in [
        "./A?prop=Owner",
        "./A?list=Tree",
        "./A?list=TNDS+Owner",
        "./A?list=TNDS+ACL-Name",
        "./A?list=TNDS-ACL+Name",
        "./A?list=TNDS+",
        "./A?list=TNDSx",
        "./A?list=",
        "urn:test:lab:2.0//?list=Tree",
    ] {
        assert_eq!(parse(text, &UriLimits::default()).err(), Some(406), "{text}");
    }
}

#[test]
fn limits_count_to_the_character() {
    let limits = |max_depth, max_total, max_segment| UriLimits { max_depth, max_total, max_segment };
    for (text, within, beyond) in [
        ("./A/BB/C", limits(3, 0, 0), limits(2, 0, 0)),
        ("A/BB/C", limits(3, 0, 0), limits(2, 0, 0)),
        ("./A/BB/C", limits(0, 8, 0), limits(0, 7, 0)),
        ("A/BB/C", limits(0, 6, 0), limits(0, 5, 0)),
        ("./A/BB/C", limits(0, 0, 2), limits(0, 0, 1)),
        // As it is written, escapes and the property included; a list is no part of it.
        ("./%E4", limits(0, 5, 3), limits(0, 4, 3)),
        ("./%E4%BD%A0", limits(0, 0, 9), limits(0, 0, 8)),
        ("./A?prop=ACL", limits(1, 12, 1), limits(1, 11, 1)),
        ("./A?list=StructData", limits(1, 3, 1), limits(1, 2, 1)),
        (".", limits(1, 1, 1), limits(0, 0, 0)),
    ] {
        let parsed = parse(text, &within).err();
        let expected = if text.contains("%E4") && !text.contains("%BD") { Some(404) } else { None };
        assert_eq!(parsed, expected, "{text}");
        if beyond != UriLimits::default() && expected.is_none() {
            assert_eq!(parse(text, &beyond).err(), Some(414), "{text}");
        }
    }
    assert_eq!(parse(&"a/".repeat(5000), &UriLimits::default()).err(), Some(414));
    assert_eq!(parse("./.?prop=ACL", &UriLimits::default()).err(), Some(404));
}

#[test]
fn what_is_tolerated_has_a_name_and_is_refused_by_the_strict() {
    for (text, departure, meant) in [
        ("/A/B", UriDeparture::LeadingSlash, "./A/B"),
        ("./A?PROP=acl", UriDeparture::KeywordCase, "./A?prop=ACL"),
        ("./A?list=structdata", UriDeparture::KeywordCase, "./A?list=StructData"),
        ("./A?list=tnds+Value", UriDeparture::KeywordCase, "./A?list=TNDS+Value"),
        ("./A b", UriDeparture::RawCharacter, "./A%20b"),
        ("./ä", UriDeparture::RawCharacter, "./%C3%A4"),
        ("urn:test:lab:2.0//?list=struct", UriDeparture::KeywordCase, "urn:test:lab:2.0//?list=Struct"),
    ] {
        let uri = parse(text, &UriLimits::default()).unwrap();
        assert_eq!((uri.departures(), uri.to_string().as_str()), ([departure].as_slice(), meant));
        let strict = Dm1Uri::parse(text, &UriLimits::default(), true);
        assert_eq!(strict.map_err(|error| error.status()).err(), Some(404), "{text}");
    }
    assert_eq!(
        parse("./A?prop=VerNo", &UriLimits::default()).unwrap().part(),
        Part::Property(Property::VerNo)
    );
    assert_eq!(parse("./A?list=MORoot", &UriLimits::default()).unwrap().part(), Part::List(List::MoRoot));
}

#[test]
fn virtual_addresses_find_the_object_wherever_it_is() {
    let mut tree = device();
    assert_eq!(add(&mut tree, "device", "./Else/where", interior(Some(CONN))), 200);
    assert_eq!(add_text(&mut tree, "device", "./Else/where/Addr", "a"), 200);
    assert_eq!(add(&mut tree, "device", "./Conn/b", interior(Some(CONN))), 200);
    assert_eq!(add_text(&mut tree, "device", "./Conn/b/Addr", "b"), 200);
    let by_addr = |addr: &str, rest: &str| format!("{CONN}/(x)/{rest}?nv=(x)/Addr:{addr}");
    let item = get(&tree, "S1", &by_addr("a", "Addr")).unwrap().remove(0);
    assert_eq!((item.uri.as_str(), text_of(&item.content)), ("./Else/where/Addr", "a".into()));
    // Of several none is meant for what changes something; a Get gives each.
    assert_eq!(get(&tree, "S1", &format!("{CONN}/*/Addr")).unwrap().len(), 2);
    assert_eq!(status_of_get(&tree, "S1", &format!("{CONN}//Addr")), 404);
    assert_eq!(replace_text(&mut tree, "device", &format!("{CONN}/*/Addr"), "c"), 404);
    assert_eq!(replace_text(&mut tree, "device", &by_addr("z", "Addr"), "c"), 404);
    assert_eq!(replace_text(&mut tree, "device", &by_addr("a", "Addr"), "c"), 200);
    assert_eq!(replace_text(&mut tree, "device", &by_addr("a", "Addr"), "c"), 404);
    assert_eq!(add_text(&mut tree, "device", &by_addr("b", "Kind"), "k"), 200);
    assert_eq!(shown(&tree, "S1", "./Conn/b/Kind").unwrap(), "k");
    assert_eq!(add_text(&mut tree, "device", &by_addr("b", "Kind"), "k"), 418);
    assert_eq!(set(&mut tree, "device", &format!("{}&prop=Title", by_addr("b", "")), "T"), 200);
    assert_eq!(delete(&mut tree, "device", &by_addr("b", "Kind")), 200);
    assert_eq!(status_of_get(&tree, "S1", "urn:test:none:1.0//Addr"), 404);
}

#[test]
fn a_condition_does_not_tell_what_may_not_be_read() {
    let mut tree = device();
    let guess = |tree: &Tree, server: &str, leaf: &str, value: &str| {
        status_of_get(tree, server, &format!("{BENCH}/(x)/Serial?nv=(x)/{leaf}:{value}"))
    };
    assert_eq!((guess(&tree, "S1", "Name", "b"), guess(&tree, "S1", "Name", "c")), (200, 404));
    assert_eq!(guess(&tree, "S1", "Secret", "hush"), 404);
    assert_eq!(set(&mut tree, "device", "./Lab/one/Name?prop=ACL", "Get=S2"), 200);
    assert_eq!((guess(&tree, "S1", "Name", "b"), guess(&tree, "S2", "Name", "b")), (404, 200));
}

#[test]
fn moids_without_urn_are_virtual_if_they_are_known() {
    let known = |moid: &str| moid == "com.example/1.0/Cam";
    let limits = UriLimits::default();
    let read = |text: &str| Dm1Uri::parse_with(text, &limits, true, &known).map(|uri| uri.is_virtual());
    assert_eq!(read("com.example/1.0/Cam//Zoom"), Ok(true));
    assert_eq!(read("com.example/1.0/Cam/one/Zoom"), Ok(true));
    assert_eq!(read("./com.example/1.0/Cam"), Ok(false));
    assert!(read("com.other/1.0/Cam//Zoom").is_err());
}

#[test]
fn a_slash_in_a_name_is_part_of_it() {
    let limits = UriLimits::default();
    for (written, normal) in [
        ("./A%2FB", "./A%2FB"),
        ("./A%2fB/C", "./A%2FB/C"),
        ("./A%252FB", "./A%252FB"),
        ("./A%25252FB%2F", "./A%25252FB%2F"),
        ("./100%25", "./100%25"),
        ("./100%2525", "./100%2525"),
    ] {
        let uri = Dm1Uri::parse(written, &limits, true).unwrap();
        assert_eq!(uri.to_string(), normal);
    }
    let parse = |text: &str| Dm1Uri::parse(text, &limits, true).unwrap();
    assert_ne!(parse("./A%2FB"), parse("./A/B"));
    assert_ne!(parse("./A%2FB"), parse("./A%252FB"));
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_reads_back(
        text in prop_oneof!["\\PC{0,40}", "[./%?=&+A-Za-z0-9:()*-]{0,40}", "(\\./)?([a-z%2F.~]{0,4}/){0,4}[a-z]{0,3}(\\?(prop|list)=[A-Za-z+-]{0,12})?"],
        max_depth in 0u16..4, max_total in 0u16..24, max_segment in 0u16..8,
    ) {
        let limits = UriLimits { max_depth, max_total, max_segment };
        let Ok(uri) = Dm1Uri::parse(&text, &limits, false) else { return Ok(()) };
        let normal = uri.to_string();
        let again = Dm1Uri::parse(&normal, &UriLimits::default(), true).unwrap();
        prop_assert_eq!(again.to_string(), normal);
        prop_assert_eq!(again.part(), uri.part());
    }
}

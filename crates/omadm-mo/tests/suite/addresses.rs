//! ClientURI: text to value and back (`DM 2.0 §6.1.1`).

use omadm_mo::client_uri::MAX_ADDRESS;
use omadm_mo::{AddressError, ClientUri, Condition, MoInst, Query, QueryField, Segment, XName};
use proptest::prelude::*;

use crate::support::{miid, moid, name, uri};

fn refused_at(text: &str) -> usize {
    match ClientUri::parse(text) {
        Err(AddressError::Syntax { at, .. }) => at,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_four_kinds_of_instance() {
    assert_eq!(uri("m:1/left/").inst, MoInst::Miid(miid("left")));
    assert_eq!(uri("m:1/(x)/?nv=(x)/ID:v").inst, MoInst::XName(XName::new('x').unwrap()));
    assert_eq!(uri("m:1//").inst, MoInst::Only);
    assert_eq!(uri("m:1/*/").inst, MoInst::All);
}

#[test]
fn paths() {
    assert!(uri("m:1/left/").path.is_empty());
    assert_eq!(uri("m:1//a/b").path, [Segment::Name(name("a")), Segment::Name(name("b"))]);
    assert_eq!(
        uri("m:1//a/(y)/*?nv=(y)/k:v").path,
        [Segment::Name(name("a")), Segment::XName(XName::new('y').unwrap()), Segment::Wildcard]
    );
    assert_eq!(uri("m:1//Ext/a%20b%2Bc").path[1], Segment::Name(name("a b+c")));
}

#[test]
fn malformed_addresses_are_refused_with_their_place() {
    assert_eq!(refused_at("urn:oma:mo:moid:1.0"), 19);
    assert_eq!(refused_at("m:1/left"), 8);
    assert_eq!(refused_at("m:1/left//a"), 9);
    assert_eq!(refused_at("m:1/left/a/"), 11);
    assert_eq!(refused_at("m:1/(xy)/"), 4);
    assert_eq!(refused_at("m:1/(1)/"), 4);
    assert_eq!(refused_at("m:1//a b"), 6);
    assert_eq!(refused_at("m:1//<x>"), 5);
    assert_eq!(refused_at("m:1//a%4"), 6);
    assert_eq!(refused_at("m:1//%FF"), 5);
    assert_eq!(refused_at("m:1//#f"), 5);
    assert!(ClientUri::parse("/a/b").is_err());
    assert!(ClientUri::parse("m:1//..").is_err());
    assert!(ClientUri::parse(&format!("m:1//{}", "a/".repeat(5000))).is_err());
}

#[test]
fn what_is_parsed_can_be_written_within_the_limit() {
    let with_slashes = |count: usize| format!("m:1/(x)/?nv=(x)/k:{}", "/".repeat(count));
    let head = with_slashes(0).len();
    let most = (MAX_ADDRESS - head) / 3;
    let longest = uri(&with_slashes(most));
    assert_eq!(uri(&longest.to_string()), longest);
    let beyond = ClientUri::parse(&with_slashes(most + 1));
    assert_eq!(beyond, Err(AddressError::TooLong { what: "address", limit: MAX_ADDRESS }));
    let plain = |length: usize| format!("m:1//{}", "a/".repeat(length)[..length - 5].to_owned());
    assert!(ClientUri::parse(&plain(MAX_ADDRESS)).is_ok());
    assert!(ClientUri::parse(&plain(MAX_ADDRESS + 2)).is_err());
}

#[test]
fn x_names_and_their_conditions_belong_together() {
    for text in [
        "m:1/(x)/",
        "m:1/(x)/Data/(x)/Value?nv=(x)/ID:1",
        "m:1//?nv=(x)/ID:GPS",
        "m:1/(x)/?nv=ID:GPS",
        "m:1/(x)/?nv=(x)/ID:1&nv=(z)/ID:1",
        "m:1/(x)/?nv=(x)/ID",
        "m:1/(x)/?nv=(X)/ID:1",
        "m:1/(x)/?nv=(x)//ID:1",
    ] {
        assert!(ClientUri::parse(text).is_err(), "{text}");
    }
    let two = uri("m:1/(x)/Data/(y)/V?nv=(x)/a/b:1&nv=(x)/c:2:3%26&nv=(y):4");
    let values: Vec<(char, usize, &str)> = two
        .query
        .conditions()
        .map(|condition| (condition.letter.letter(), condition.path.len(), condition.value.as_str()))
        .collect();
    assert_eq!(values, [('x', 2, "1"), ('x', 1, "2:3&"), ('y', 0, "4")]);
}

#[test]
fn query_fields() {
    let query = uri("m:1//?lv=2&cv=a%26b&vendor=1&flag").query;
    assert_eq!(query.level(), Some(2));
    assert_eq!(query.validator(), Some("a&b"));
    let other = ["vendor=1", "flag"].map(|text| QueryField::Other(text.to_owned()));
    assert_eq!(query.0[2..], other);
    assert_eq!(uri("m:1//?lv=99999999999").query.level(), Some(u32::MAX));
    let mixed = "m:1/(x)/?flag&nv=(x)/a:1&cv=2&nv=(x)/b:3&lv=4&v=5";
    assert_eq!(uri(mixed).to_string(), mixed, "in the order in which they were written");
    assert_eq!(uri("m:1//?").query, Query::default());
    for text in ["lv=0", "lv=-1", "lv=a", "lv=", "lv=+1", "lv=1&lv=1", "cv=a&cv=a"] {
        assert!(ClientUri::parse(&format!("m:1//?{text}")).is_err(), "{text}");
    }
}

#[test]
fn a_moid_may_hold_slashes_when_it_is_known() {
    let known = |text: &str| matches!(text, "com.example/1.0/Cam" | "com.example/1.0");
    let long = ClientUri::parse_with("com.example/1.0/Cam//Zoom", &known).unwrap();
    assert_eq!((long.moid.as_str(), long.path.len()), ("com.example/1.0/Cam", 1));
    let short = ClientUri::parse_with("com.example/1.0/Cam/Zoom", &known).unwrap();
    assert_eq!((short.moid.as_str(), short.inst), ("com.example/1.0", MoInst::Miid(miid("Cam"))));
    let unknown = uri("com.example/1.0/Cam");
    assert_eq!((unknown.moid.as_str(), unknown.inst), ("com.example", MoInst::Miid(miid("1.0"))));
    let sent = ClientUri::concrete(moid("com.example/1.0/Cam"), miid("1"), vec![name("Zoom")]).to_string();
    assert_eq!(sent, "com.example%2F1.0%2FCam/1/Zoom");
    assert_eq!(uri(&sent).moid.as_str(), "com.example/1.0/Cam");
}

#[test]
fn names_that_look_special_are_sent_encoded() {
    let address = ClientUri::concrete(moid("m:1"), miid("(xy)"), vec![name("urn:oma:mo:a:1.0"), name("ä?&")]);
    assert_eq!(address.to_string(), "m:1/%28xy%29/urn:oma:mo:a:1.0/%C3%A4%3F&");
    assert_eq!(uri(&address.to_string()), address);
}

fn any_name() -> impl Strategy<Value = String> {
    "[^/\\pC]{1,12}".prop_filter("legal", |text| omadm_mo::NodeName::parse(text).is_ok())
}

/// Any address whose x-names and conditions belong together.
fn any_address() -> impl Strategy<Value = ClientUri> {
    let inst = prop_oneof![
        any_name().prop_map(|text| MoInst::Miid(miid(&text))),
        Just(MoInst::XName(XName::new('x').unwrap())),
        Just(MoInst::Only),
        Just(MoInst::All),
    ];
    let letters = prop::sample::subsequence(vec!['a', 'Q', 'z'], 0..3);
    let names = prop::collection::vec(prop::option::of(any_name()), 0..5);
    let condition = (prop::collection::vec(any_name(), 0..3), "\\PC{0,10}");
    let query = (
        prop::option::of(1u32..),
        prop::option::of("\\PC{0,10}"),
        prop::collection::vec("[a-z]{3}(=([a-z]|%41){0,3})?", 0..2),
    );
    ("[!-~&&[^?#]]{1,20}", inst, letters, names, prop::collection::vec(condition, 5), query).prop_filter_map(
        "legal",
        |(moid, inst, letters, names, conditions, (level, validator, other))| {
            let mut path: Vec<Segment> = names
                .into_iter()
                .map(|text| text.map_or(Segment::Wildcard, |text| Segment::Name(name(&text))))
                .collect();
            path.extend(letters.iter().map(|letter| Segment::XName(XName::new(*letter).unwrap())));
            let used = letters.into_iter().chain((matches!(inst, MoInst::XName(_))).then_some('x'));
            let mut fields: Vec<QueryField> = used
                .zip(conditions)
                .map(|(letter, (path, value))| {
                    QueryField::Condition(Condition {
                        letter: XName::new(letter).unwrap(),
                        path: path.iter().map(|text| name(text)).collect(),
                        value,
                    })
                })
                .collect();
            fields.extend(validator.map(QueryField::Validator));
            fields.extend(other.into_iter().map(QueryField::Other));
            fields.extend(level.map(QueryField::Level));
            let query = Query(fields);
            Some(ClientUri { moid: omadm_mo::Moid::parse(&moid).ok()?, inst, path, query })
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(address in any_address()) {
        prop_assert_eq!(ClientUri::parse(&address.to_string()), Ok(address));
    }

    #[test]
    fn what_parses_is_written_so_that_it_parses_to_the_same(text in "[a-z:.]{1,8}/(\\([a-c]\\)|\\*|[a-c%4]{0,4})(/[a-c*()%41:]{0,4}){1,3}(\\?[nlcv=()a-c/:1&%2]{0,20})?") {
        if let Ok(address) = ClientUri::parse(&text) {
            prop_assert_eq!(ClientUri::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = ClientUri::parse_with(&text, &|moid| moid.len() % 2 == 0);
    }
}

#[test]
fn only_what_can_be_a_moid_is_looked_up() {
    let asked = std::cell::Cell::new(0);
    let known = |text: &str| {
        asked.set(asked.get() + 1);
        assert!(text.len() <= 3 * 255);
        false
    };
    assert!(ClientUri::parse_with(&"/".repeat(8_000), &known).is_err());
    assert!(asked.get() <= 3 * 255);
}

//! The DDF files this repository ships, and the properties of the DDF reader and writer.

use crate::common::cases;
use omadm_codec::{Limits, Problem, ddf};
use omadm_mo::ddf::{AccessType, CaseSense, Ddf, DdfName, DdfNode, DfType, Occurrence, RtProperties, Scope};
use omadm_mo::{Format, NodeName};
use proptest::option::of;
use proptest::prelude::*;

#[test]
fn shipped_files_read_without_a_warning_and_are_what_the_writer_writes() {
    for case in cases("ddf", "ddf") {
        let decoded = ddf::decode(&case.bytes, &Limits::default()).unwrap();
        assert_eq!(decoded.warnings, [""; 0], "{}", case.name());
        let mut written = Vec::new();
        ddf::encode(&decoded.ddf, &mut written);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            String::from_utf8_lossy(&case.bytes),
            "{}",
            case.name()
        );
    }
}

#[test]
fn limits_are_errors_that_name_them() {
    let nested = |levels: usize| {
        let open = "<Node><DFProperties><AccessType/></DFProperties>".repeat(levels);
        let leaf = "<Node><DFProperties><AccessType/><DFFormat><chr/></DFFormat></DFProperties></Node>";
        format!("<MgmtTree><VerDTD>1.2</VerDTD>{open}{leaf}{}</MgmtTree>", "</Node>".repeat(levels))
    };
    let limits = Limits { depth: 10, ..Limits::default() };
    assert!(ddf::decode(nested(5).as_bytes(), &limits).is_ok());
    let error = ddf::decode(nested(6).as_bytes(), &Limits { depth: 10, ..limits }).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 10 });

    let deep = "<MgmtTree>".to_owned() + &"<a>".repeat(300_000);
    let error =
        ddf::decode(deep.as_bytes(), &Limits { depth: usize::MAX, items: usize::MAX, ..limits }).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 256 });

    let wide = nested(0);
    let error = ddf::decode(wide.as_bytes(), &Limits { items: 5, ..limits }).unwrap_err();
    assert_eq!(error.problem, Problem::TooMany { limit: 5 });
    let error = ddf::decode(wide.as_bytes(), &Limits { bytes: 20, ..limits }).unwrap_err();
    assert_eq!((error.at, error.problem), (20, Problem::TooLarge { limit: 20 }));
}

#[test]
fn foreign_elements_count_as_depth_but_are_no_content() {
    let foreign = "<MgmtTree>".to_owned() + &"<x:a xmlns:x=\"urn:x\">".repeat(40);
    let error = ddf::decode(foreign.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(error.problem, Problem::TooDeep { limit: 32 });
    let only = ddf::decode(b"<x:MgmtTree xmlns:x='urn:x'/>", &Limits::default()).unwrap_err();
    assert!(matches!(only.problem, Problem::Schema(_)), "{only}");
}

#[test]
fn a_place_for_people_counts_from_one() {
    let text = b"ab\ncd\n";
    let places: Vec<_> = (0..=7).map(|at| ddf::line_and_column(text, at)).collect();
    assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 1)]);
}

/// Text that survives: no white space around it, no control characters.
fn text() -> impl Strategy<Value = String> {
    "[ -~é€𝄞]{0,12}".prop_map(|text| text.trim().to_owned())
}

fn verbatim() -> impl Strategy<Value = String> {
    "[ -~é€\r\n\t]{0,12}"
}

fn kind() -> impl Strategy<Value = DfType> {
    prop_oneof![prop::collection::vec(text(), 1..3).prop_map(DfType::Mime), text().prop_map(DfType::DdfName)]
}

fn name() -> impl Strategy<Value = DdfName> {
    prop_oneof![
        3 => "[A-Za-z0-9_][A-Za-z0-9._~:-]{0,9}".prop_map(|name| DdfName::Named(NodeName::parse(&name).unwrap())),
        1 => Just(DdfName::Unnamed(String::new())),
        1 => "[A-Za-z]{1,5}".prop_map(DdfName::Unnamed),
    ]
}

fn format() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![
        Format::Null,
        Format::B64,
        Format::Bin,
        Format::Bool,
        Format::Chr,
        Format::Int,
        Format::Xml,
        Format::Date,
        Format::Time,
        Format::Float,
    ])
}

fn rt_properties() -> impl Strategy<Value = RtProperties> {
    (of(text()), of(format()), of(text()), of(text()), of(kind()), of(text())).prop_map(
        |(acl, format, name, size, type_, ver_no)| RtProperties {
            acl,
            format,
            name: name.clone(),
            title: name,
            tstamp: size.clone(),
            size,
            type_,
            ver_no,
        },
    )
}

fn occurrence() -> impl Strategy<Value = Occurrence> {
    prop_oneof![
        Just(Occurrence::One),
        Just(Occurrence::ZeroOrOne),
        Just(Occurrence::ZeroOrMore),
        Just(Occurrence::OneOrMore),
        (2..=65_536_u32).prop_map(Occurrence::ZeroOrN),
        (2..=65_536_u32).prop_map(Occurrence::OneOrN),
    ]
}

fn leaf() -> impl Strategy<Value = DdfNode> {
    let texts = (of(text()), of(verbatim()), of(verbatim()), of(text()), of(text()));
    let choices = (occurrence(), any::<bool>(), of(any::<bool>()), any::<[bool; 6]>());
    (name(), texts, of(rt_properties()), format(), of(kind()), choices).prop_map(
        |(
            name,
            (path, value, default_value, description, title),
            rt_properties,
            format,
            df_type,
            choices,
        )| {
            let (occurrence, permanent, sensitive, [add, copy, delete, exec, get, replace]) = choices;
            DdfNode {
                name,
                path,
                value,
                rt_properties,
                access: AccessType { add, copy, delete, exec, get, replace },
                default_value,
                description,
                format,
                occurrence,
                scope: if permanent { Scope::Permanent } else { Scope::Dynamic },
                title,
                df_type,
                case_sense: sensitive.map(|s| if s { CaseSense::Sensitive } else { CaseSense::Insensitive }),
                children: Vec::new(),
            }
        },
    )
}

fn node() -> impl Strategy<Value = DdfNode> {
    leaf().prop_recursive(3, 12, 3, |child| {
        (leaf(), prop::collection::vec(child, 0..3)).prop_map(|(mut node, children)| {
            node.format = Format::Node;
            node.value = None;
            node.children = children;
            node
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same(
        man in of(text()), model in of(text()), nodes in prop::collection::vec(node(), 1..3),
    ) {
        let ddf = Ddf { ver_dtd: "1.2".into(), man, model, nodes };
        let mut out = Vec::new();
        ddf::encode(&ddf, &mut out);
        for written in [out, ddf::encode_wbxml(&ddf)] {
            let shown = String::from_utf8_lossy(&written);
            let decoded = ddf::decode(&written, &Limits::default());
            let decoded = decoded.map_err(|error| TestCaseError::fail(format!("{error} in {shown}")))?;
            prop_assert_eq!(&decoded.ddf, &ddf, "{}", shown);
            prop_assert_eq!(decoded.warnings, [""; 0]);
        }
    }
}

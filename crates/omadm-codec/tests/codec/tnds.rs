//! TNDS: the shapes of the standard and their bad neighbours, as files in `vectors/dm1/tnds`; properties and limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use omadm_codec::dm1::{Encoding, Form, WbxmlVersion, tnds};
use omadm_codec::{Leniency, Limits, Problem, Tolerance};
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};
use proptest::option::of;
use proptest::prelude::*;

use crate::common::{Case, cases, folder, hex, hex_cases, octets};
use crate::vectors::verify;

const WBXML: Form = Form::Wbxml(WbxmlVersion::V1_3);

fn read(input: &[u8], encoding: Encoding) -> Snapshot {
    tnds::read(input, encoding, &Limits::default(), &mut Leniency::lenient()).unwrap()
}

/// What comes back from a document that was written: each node has a type, and octets are base64 in XML.
fn sent(nodes: &[SnapshotNode], form: Form) -> Vec<SnapshotNode> {
    let one = |node: &SnapshotNode| {
        let interior = node.format == Some(Format::Node) || !node.children.is_empty();
        let kind = if interior {
            SnapshotType::DdfName(String::new())
        } else {
            SnapshotType::Mime("text/plain".to_owned())
        };
        let value = match (&node.value, form) {
            (Some(Value::Bytes(octets)), Form::Xml) => Some(Value::Text(STANDARD.encode(octets))),
            (value, _) => value.clone(),
        };
        SnapshotNode {
            kind: Some(node.kind.clone().unwrap_or(kind)),
            value,
            children: sent(&node.children, form),
            ..node.clone()
        }
    };
    nodes.iter().map(one).collect()
}

/// Whatever it is written in, a document comes back as it was.
fn check_forms(snapshot: &Snapshot) {
    let forms = [WbxmlVersion::V1_1, WbxmlVersion::V1_2, WbxmlVersion::V1_3].map(Form::Wbxml);
    for form in [Form::Xml].into_iter().chain(forms) {
        let written = tnds::write(snapshot, form);
        let again = read(&written, form.encoding());
        assert_eq!(again.nodes, sent(&snapshot.nodes, form), "{form:?}");
        assert_eq!(tnds::write(&again, form), written, "{form:?}");
    }
}

/// The document in XML, a line a node, and in WBXML.
fn show(snapshot: &Snapshot) -> String {
    let xml = String::from_utf8(tnds::write(snapshot, Form::Xml)).unwrap().replace("<Node>", "\n<Node>");
    let digits = hex(&tnds::write(snapshot, WBXML));
    let lines = digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    lines.fold(xml + "\n", |text, line| text + "\n" + line) + "\n"
}

#[test]
fn documents_in_xml() {
    for case in cases("vectors/dm1/tnds", "xml") {
        verify(&case, |leniency| {
            let snapshot = tnds::read(&case.bytes, Encoding::Xml, &Limits::default(), leniency)?;
            check_forms(&snapshot);
            Ok(show(&snapshot))
        });
    }
}

#[test]
fn documents_in_wbxml() {
    for case in hex_cases("vectors/dm1/tnds") {
        verify(&case, |leniency| {
            let snapshot = tnds::read(&case.bytes, Encoding::Wbxml, &Limits::default(), leniency)?;
            check_forms(&snapshot);
            Ok(show(&snapshot))
        });
    }
}

#[test]
fn both_encodings_of_a_document_say_the_same() {
    let file = |name: &str| std::fs::read_to_string(folder("vectors/dm1/tnds").join(name)).unwrap();
    let camera = octets(&file("camera.hex"));
    let snapshot = read(&camera, Encoding::Wbxml);
    assert_eq!(tnds::write(&snapshot, WBXML), camera, "the vector of the fact sheet is what we write");
    let every = read(file("every-element.xml").as_bytes(), Encoding::Xml);
    assert_eq!(read(&tnds::write(&every, WBXML), Encoding::Wbxml), every);
}

#[test]
fn what_xml_cannot_hold_is_octets_in_wbxml() {
    let label = |value: &str| Snapshot {
        nodes: vec![SnapshotNode {
            name: Some("Label".to_owned()),
            format: Some(Format::Chr),
            kind: Some(SnapshotType::Mime("text/plain".to_owned())),
            value: Some(Value::Text(value.to_owned())),
            ..SnapshotNode::default()
        }],
    };
    let zero = label("a\0b");
    assert_eq!(read(&tnds::write(&zero, WBXML), Encoding::Wbxml), zero);
    assert_eq!(read(&tnds::write(&zero, Form::Xml), Encoding::Xml), label("a\u{fffd}b"));
}

#[test]
fn values_of_the_tree_are_written_as_text() {
    let leaf = |format: Format, value: Value| SnapshotNode {
        name: Some("A".to_owned()),
        format: Some(format),
        kind: Some(SnapshotType::Mime("text/plain".to_owned())),
        value: Some(value),
        ..SnapshotNode::default()
    };
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    for (format, value, carried) in [
        (Format::Int, Value::Int(-7), text("-7")),
        (Format::Bool, Value::Bool(true), text("true")),
        (Format::Float, Value::Float(0.5), text("0.5")),
        (Format::B64, Value::Bytes(vec![0, 255]), text("AP8=")),
        (Format::Bin, Value::Bytes(vec![0, 255]), text("AP8=")),
        (Format::Null, Value::Null, None),
    ] {
        let snapshot = Snapshot { nodes: vec![leaf(format, value)] };
        let value = |form| read(&tnds::write(&snapshot, form), form.encoding()).nodes[0].value.clone();
        assert_eq!(value(Form::Xml), carried, "{format:?}");
        let octets = (format == Format::Bin).then(|| Value::Bytes(vec![0, 255]));
        assert_eq!(value(WBXML), octets.or(carried), "{format:?}");
    }
}

/// A document of so many nodes, each in the one before.
fn nested(levels: usize) -> String {
    let open =
        "<Node><NodeName>a</NodeName><RTProperties><Type><DDFName/></Type></RTProperties>".repeat(levels);
    let close = "</Node>".repeat(levels);
    format!("<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD>{open}{close}</MgmtTree>")
}

#[test]
fn limits_are_errors_that_name_them() {
    let problem = |input: &[u8], encoding, limits: &Limits| {
        tnds::read(input, encoding, limits, &mut Leniency::lenient()).map_err(|error| error.problem)
    };
    let limits = Limits { depth: 10, ..Limits::default() };
    for (levels, result) in [(5, Ok(())), (6, Ok(())), (7, Err(Problem::TooDeep { limit: 10 }))] {
        let xml = nested(levels);
        assert_eq!(problem(xml.as_bytes(), Encoding::Xml, &limits).map(|_| ()), result, "{levels}");
        let snapshot = read(xml.as_bytes(), Encoding::Xml);
        let wbxml = tnds::write(&snapshot, WBXML);
        assert_eq!(problem(&wbxml, Encoding::Wbxml, &limits).map(|_| ()), result, "{levels}");
    }
    let deep = nested(300);
    let wide = Limits { depth: usize::MAX, items: usize::MAX, ..limits };
    assert_eq!(problem(deep.as_bytes(), Encoding::Xml, &wide), Err(Problem::TooDeep { limit: 256 }));

    let small = nested(1);
    let items = |items| Limits { items, ..limits };
    assert!(problem(small.as_bytes(), Encoding::Xml, &items(7)).is_ok());
    let many = problem(small.as_bytes(), Encoding::Xml, &items(6));
    assert_eq!(many, Err(Problem::TooMany { limit: 6 }));
    let bytes = |bytes| Limits { bytes, ..limits };
    assert!(problem(small.as_bytes(), Encoding::Xml, &bytes(small.len())).is_ok());
    let limit = small.len() - 1;
    assert_eq!(problem(small.as_bytes(), Encoding::Xml, &bytes(limit)), Err(Problem::TooLarge { limit }));
}

#[test]
fn a_document_that_is_cut_anywhere_is_refused() {
    let whole = |case: &Case| {
        let expected = std::fs::read_to_string(case.path.with_extension("expected"));
        expected.is_ok_and(|text| !text.starts_with("tolerances: padding"))
    };
    for case in hex_cases("vectors/dm1/tnds").iter().filter(|case| whole(case)) {
        for length in 0..case.bytes.len() {
            let cut = &case.bytes[..length];
            let result = tnds::read(cut, Encoding::Wbxml, &Limits::default(), &mut Leniency::lenient());
            assert!(result.is_err(), "{}: {length} octets are {result:?}", case.name());
        }
    }
}

#[test]
fn strict_mode_has_none_of_the_tolerances() {
    let read = |xml: &str, leniency: &mut Leniency| {
        tnds::read(xml.as_bytes(), Encoding::Xml, &Limits::default(), leniency).is_ok()
    };
    let document = |node: &str| {
        format!("<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node>{node}</Node></MgmtTree>")
    };
    let name = "<NodeName>a</NodeName>";
    let properties = "<RTProperties><Type><DDFName/></Type></RTProperties>";
    for (node, tolerance) in [
        (name.to_owned(), Tolerance::MissingProperties),
        (format!("{name}<RTProperties/>"), Tolerance::MissingProperties),
        (format!("<NodeName>a </NodeName>{properties}"), Tolerance::LooseWhiteSpace),
        (format!("{name}<Path>./b</Path>{properties}"), Tolerance::AbsoluteTndsPath),
        (format!("{name}{properties}<DFProperties/>"), Tolerance::StrayTndsElement),
    ] {
        let mut leniency = Leniency::lenient();
        assert!(read(&document(&node), &mut leniency), "{node}");
        assert_eq!(leniency.used.into_iter().collect::<Vec<_>>(), [tolerance], "{node}");
        assert!(!read(&document(&node), &mut Leniency::strict()), "{node}");
    }
    assert!(read(&document(&format!("{name}{properties}")), &mut Leniency::strict()));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~é€𝄞]{0,12}".prop_map(|text| text.trim().to_owned())
}

fn kind() -> impl Strategy<Value = SnapshotType> {
    prop_oneof![text().prop_map(SnapshotType::Mime), text().prop_map(SnapshotType::DdfName)]
}

fn leaf() -> impl Strategy<Value = SnapshotNode> {
    let formats = vec![
        None,
        Some(Format::Null),
        Some(Format::B64),
        Some(Format::Bool),
        Some(Format::Chr),
        Some(Format::Int),
        Some(Format::Xml),
        Some(Format::Date),
        Some(Format::Time),
        Some(Format::Float),
    ];
    let text_value = "[ -~é€\r\n\t]{0,12}".prop_map(Value::Text);
    let of_text = (prop::sample::select(formats), of(text_value));
    let of_octets = prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes);
    let value = prop_oneof![3 => of_text, 1 => of_octets.prop_map(|value| (Some(Format::Bin), Some(value)))];
    let properties = (of(text()), of("[ -~é]{0,9}"), of(text()), of(text()));
    (of(text()), of("[A-Za-z]{1,3}(/[A-Za-z]{1,3}){0,2}"), properties, of(kind()), value).prop_map(
        |(name, path, (acl, title, tstamp, ver_no), kind, (format, value))| SnapshotNode {
            name,
            path,
            acl,
            format,
            title,
            tstamp,
            ver_no,
            kind,
            value,
            children: Vec::new(),
        },
    )
}

fn node() -> impl Strategy<Value = SnapshotNode> {
    leaf().prop_recursive(4, 24, 4, |child| {
        (leaf(), prop::collection::vec(child, 0..4)).prop_map(|(node, children)| SnapshotNode {
            format: node.format.map(|_| Format::Node),
            value: None,
            children,
            ..node
        })
    })
}

fn depth(node: &SnapshotNode) -> usize {
    node.path.as_deref().map_or(0, |path| path.split('/').count())
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same(mut nodes in prop::collection::vec(node(), 1..4)) {
        nodes.sort_by_key(depth);
        check_forms(&Snapshot { nodes });
    }
}

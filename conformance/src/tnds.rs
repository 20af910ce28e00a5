//! TNDS documents as tests see them: found in messages, held against the DTD, and read, all by hand.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets as base64.
#[must_use]
pub fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// The document in XML that the only `Data` with a tree in a message in XML holds, escaped or in CDATA.
#[must_use]
pub fn of_data(message: &str) -> String {
    let data = message.split("<Data>").filter_map(|rest| rest.split("</Data>").next());
    let data = data.into_iter().find(|data| data.contains("MgmtTree")).expect("Data with a tree");
    match data.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>")) {
        Some(document) => document.to_owned(),
        None => unescape(data),
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The document in WBXML that stands as OPAQUE in a message in WBXML.
#[must_use]
pub fn of_octets(message: &[u8]) -> Vec<u8> {
    // Version 1.3, unknown type, UTF-8, no string table, code page 2, MgmtTree with content.
    let head = [0x03, 0x01, 0x6a, 0x00, 0x00, 0x02, 0x60];
    let at = message.windows(head.len()).position(|window| window == head).expect("a document in WBXML");
    // Its length stands before it, seven bits an octet; all but the last octet of it have the top bit.
    let begins = (1..=4).rev().map(|count| at - count).find(|begin| message[begin - 1] == 0xc3);
    let begins = begins.expect("OPAQUE before the document");
    let length = message[begins..at].iter().fold(0, |length, octet| length << 7 | usize::from(octet & 0x7f));
    message[at..at + length].to_vec()
}

/// An element that was read: its name, the names of its children, and its text.
struct Element {
    name: String,
    children: Vec<String>,
    text: String,
}

/// Every element in the order of their ends. Documents here have no attributes but `xmlns`, and no comments.
fn elements(document: &str) -> Vec<Element> {
    let body = document.rfind("<MgmtTree").map(|at| &document[at..]).expect("a MgmtTree");
    let (mut open, mut ended): (Vec<Element>, Vec<Element>) = (Vec::new(), Vec::new());
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').trim_end_matches('/').split(' ').next().unwrap_or_default();
        if !tag.starts_with('/') {
            if let Some(parent) = open.last_mut() {
                parent.children.push(name.to_owned());
            }
            open.push(Element { name: name.to_owned(), children: Vec::new(), text: String::new() });
        }
        if tag.starts_with('/') || tag.ends_with('/') {
            let element = open.pop().expect("it began");
            assert_eq!(element.name, name, "the tags do not match in {document}");
            ended.push(element);
        }
        if let Some(element) = open.last_mut() {
            write!(element.text, "{}", unescape(text)).expect("a String takes all");
        }
    }
    assert!(open.is_empty(), "not closed: {document}");
    ended
}

const FORMATS: &[&str] =
    &["b64", "bin", "bool", "chr", "int", "node", "null", "xml", "date", "time", "float"];

/// The children that the DTD gives an element, in order, as TNDS uses it: the names that may stand there, and how often at least and at
/// most. Other elements hold characters only, or nothing.
fn model(element: &str) -> &'static [(&'static [&'static str], usize, usize)] {
    match element {
        "MgmtTree" => &[(&["VerDTD"], 1, 1), (&["Man"], 0, 1), (&["Mod"], 0, 1), (&["Node"], 1, usize::MAX)],
        "Node" => &[
            (&["NodeName"], 1, 1),
            (&["Path"], 0, 1),
            (&["RTProperties"], 1, 1),
            (&["Value"], 0, 1),
            (&["Node"], 0, usize::MAX),
        ],
        "RTProperties" => &[
            (&["ACL"], 0, 1),
            (&["Format"], 0, 1),
            (&["Title"], 0, 1),
            (&["TStamp"], 0, 1),
            (&["Type"], 1, 1),
            (&["VerNo"], 0, 1),
        ],
        "Format" => &[(FORMATS, 1, 1)],
        "Type" => &[(&["MIME", "DDFName"], 1, 1)],
        _ => &[],
    }
}

/// Asserts that a document is valid by the DTD (`DM 1.3 DDF DTD`) and the rules of TNDS (`DM 1.3 TNDS §5`).
pub fn check(document: &str) {
    assert!(document.contains("<MgmtTree xmlns=\"syncml:dmddf1.2\">"), "the namespace: {document}");
    for Element { name, children, text } in elements(document) {
        let mut rest = children.as_slice();
        for (names, least, most) in model(&name) {
            let count = rest.iter().take_while(|child| names.contains(&child.as_str())).count();
            assert!((*least..=*most).contains(&count), "{count} of {names:?} in {name}: {document}");
            rest = &rest[count..];
        }
        assert!(rest.is_empty(), "{rest:?} in {name}: {document}");
        assert!(
            !(children.contains(&"Value".to_owned()) && children.contains(&"Node".to_owned())),
            "{document}"
        );
        assert!(children.is_empty() || text.trim().is_empty(), "{text:?} in {name}: {document}");
        assert!(name != "VerDTD" || text == "1.2", "{document}");
    }
}

/// The nodes of a document in the order in which they begin: name, and value if there is one.
#[must_use]
pub fn nodes(document: &str) -> Vec<(String, Option<String>)> {
    let mut nodes: Vec<(String, Option<String>)> = Vec::new();
    for element in elements(document) {
        match element.name.as_str() {
            "NodeName" => nodes.push((element.text, None)),
            // A value ends before the next node begins.
            "Value" => nodes.last_mut().expect("a node before its value").1 = Some(element.text),
            _ => {}
        }
    }
    nodes
}

//! From items as carried to nodes.

use std::borrow::Cow;

use omadm_codec::dm1::tnds::{self, TNDS_WBXML, TNDS_XML};
use omadm_codec::dm1::{Encoding, Item, Meta};
use omadm_codec::{Leniency, Limits};
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};

use super::state::{Carried, Told};
use super::{Node, NodeContent};

impl Told {
    /// An item that is about an address; `meta` is that of the command.
    pub(super) fn at(uri: &str, item: &Item<'_>, meta: &Meta<'_>) -> Self {
        let own = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Self {
            uri: uri.to_owned(),
            format: own(&item.meta.format).or_else(|| own(&meta.format)),
            media_type: own(&item.meta.media_type).or_else(|| own(&meta.media_type)),
            data: item.data.as_ref().map(Carried::of),
        }
    }

    /// Whether it is a TNDS document.
    pub(super) fn is_tnds(&self) -> bool {
        self.media_type.as_deref().is_some_and(is_tnds)
    }

    /// The names of children, if it is an interior node that tells them.
    pub(super) fn children(&self) -> Option<Vec<String>> {
        let data = self.data.as_ref().filter(|_| self.format() == Some(Format::Node))?;
        let text = data.text();
        Some(text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    fn format(&self) -> Option<Format> {
        self.format.as_deref().map_or(Some(Format::Chr), Format::parse)
    }
}

/// Whether a media type is that of TNDS, in either encoding.
pub(super) fn is_tnds(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(TNDS_XML) || essence.eq_ignore_ascii_case(TNDS_WBXML)
}

/// What nodes are read with.
#[derive(Debug)]
pub(super) struct Reading<'r> {
    pub(super) limits: Limits,
    pub(super) leniency: &'r mut Leniency,
    pub(super) notes: &'r mut Vec<String>,
}

impl Reading<'_> {
    /// The nodes that an item tells of: one, or those of a TNDS document. `plain` is an answer to a Get without a list, in which an
    /// interior node has the names of its children.
    ///
    /// # Errors
    /// When a document cannot be read: the end of a sentence.
    pub(super) fn nodes(&mut self, told: &Told, plain: bool) -> Result<Vec<Node>, String> {
        if told.is_tnds()
            && let Some(data) = &told.data
        {
            return self.document(told, data);
        }
        let format = told.format().unwrap_or_else(|| {
            self.notes.push(format!("{} has the unknown format {:?}", told.uri, told.format));
            Format::Chr
        });
        let content = match (&told.data, format) {
            (None, Format::Node) if plain => NodeContent::Children(Vec::new()),
            (None, Format::Null) => NodeContent::Value(Value::Null),
            (None, _) => NodeContent::Untold,
            (Some(_), Format::Node) => NodeContent::Children(told.children().unwrap_or_default()),
            (Some(data), format) => NodeContent::Value(self.value(&told.uri, format, data)),
        };
        Ok(vec![Node { uri: told.uri.clone(), format, media_type: told.media_type.clone(), content }])
    }

    /// A value of the format; what is none stays what it is.
    fn value(&mut self, uri: &str, format: Format, data: &Carried) -> Value {
        let text = match data {
            Carried::Octets(octets) if matches!(format, Format::Bin | Format::B64) => {
                return Value::Bytes(octets.to_vec());
            }
            Carried::Octets(octets) => match std::str::from_utf8(octets) {
                Ok(text) => text,
                Err(_) => return Value::Bytes(octets.to_vec()),
            },
            Carried::Text(text) => text.as_str(),
        };
        Value::from_text(format, text).unwrap_or_else(|error| {
            self.notes.push(format!("{uri}: {error}"));
            Value::Text(text.to_owned())
        })
    }

    fn document(&mut self, told: &Told, data: &Carried) -> Result<Vec<Node>, String> {
        let faulty = |error: &dyn std::fmt::Display| format!("its TNDS document cannot be read: {error}");
        let decoded;
        let octets = match (data, told.format()) {
            (Carried::Text(text), Some(Format::B64 | Format::Bin)) => {
                decoded = Value::from_text(Format::Bin, text).map_err(|error| faulty(&error))?;
                match &decoded {
                    Value::Bytes(octets) => octets.as_slice(),
                    _ => &[],
                }
            }
            (Carried::Text(text), _) => text.as_bytes(),
            (Carried::Octets(octets), _) => octets.as_slice(),
        };
        let limits = Limits { bytes: octets.len(), ..self.limits };
        let read =
            tnds::read(octets, Encoding::sniff(octets).unwrap_or(Encoding::Xml), &limits, self.leniency);
        let snapshot = read.map_err(|error| faulty(&error))?;
        Ok(flatten(told.uri.split('?').next().unwrap_or_default(), &snapshot))
    }
}

/// The nodes of a document that was read at an address, parents before children. The first node is the address itself if it has its
/// name or none, and below it otherwise.
fn flatten(at: &str, snapshot: &Snapshot) -> Vec<Node> {
    let (parent, name) = at.rsplit_once('/').unwrap_or(("", at));
    let mut nodes = Vec::new();
    for top in &snapshot.nodes {
        let path = top.path.as_deref().unwrap_or_default();
        let path = path.trim_start_matches("./").trim_matches('/');
        let own = top.name.as_deref().unwrap_or_default();
        let is_address = path.is_empty() && (own.is_empty() || own == name);
        let above = if is_address { parent.to_owned() } else { joined(at, path) };
        let own = if is_address { name } else { own };
        below(&above, own, top, &mut nodes);
    }
    nodes
}

fn joined(above: &str, name: &str) -> String {
    match (above, name) {
        ("", name) => name.to_owned(),
        (above, "") => above.to_owned(),
        (above, name) => format!("{above}/{name}"),
    }
}

/// The depth is bounded by the reader of the document.
fn below(above: &str, name: &str, node: &SnapshotNode, nodes: &mut Vec<Node>) {
    let uri = joined(above, name);
    let interior = !node.children.is_empty() || matches!(node.kind, Some(SnapshotType::DdfName(_)));
    let format = node.format.unwrap_or(if interior { Format::Node } else { Format::Chr });
    let media_type = match &node.kind {
        Some(SnapshotType::Mime(text) | SnapshotType::DdfName(text)) => Some(text.clone()),
        None => None,
    };
    let content = match &node.value {
        Some(value) if format != Format::Node => NodeContent::Value(typed(format, value)),
        _ => NodeContent::Untold,
    };
    nodes.push(Node {
        uri: uri.clone(),
        format,
        media_type: media_type.filter(|text| !text.is_empty()),
        content,
    });
    for child in &node.children {
        below(&uri, child.name.as_deref().unwrap_or_default(), child, nodes);
    }
}

fn typed(format: Format, value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::from_text(format, text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: Option<&str>, data: Option<&str>) -> Told {
        Told {
            uri: "./A/B".into(),
            format: format.map(str::to_owned),
            media_type: None,
            data: data.map(|text| Carried::Text(text.to_owned().into())),
        }
    }

    fn read(told: &Told, plain: bool) -> (Result<Vec<Node>, String>, Vec<String>) {
        let (mut leniency, mut notes) = (Leniency::lenient(), Vec::new());
        let mut reading = Reading { limits: Limits::default(), leniency: &mut leniency, notes: &mut notes };
        let nodes = reading.nodes(told, plain);
        (nodes, notes)
    }

    fn content(told: &Told, plain: bool) -> NodeContent {
        read(told, plain).0.unwrap().remove(0).content
    }

    #[test]
    fn items_are_values_of_their_format() {
        let value = |format, data| content(&told(format, data), true);
        assert_eq!(value(None, Some("x")), NodeContent::Value(Value::Text("x".into())));
        assert_eq!(value(Some("int"), Some("7")), NodeContent::Value(Value::Int(7)));
        assert_eq!(value(Some("b64"), Some("AAEC")), NodeContent::Value(Value::Bytes(vec![0, 1, 2])));
        assert_eq!(value(Some("null"), None), NodeContent::Value(Value::Null));
        assert_eq!(value(Some("node"), Some("a/b")), NodeContent::Children(vec!["a".into(), "b".into()]));
        assert_eq!(value(Some("node"), None), NodeContent::Children(vec![]));
        assert_eq!(content(&told(Some("node"), None), false), NodeContent::Untold);
        let octets = Told { data: Some(Carried::Octets(vec![0xff, 0].into())), ..told(Some("bin"), None) };
        assert_eq!(content(&octets, true), NodeContent::Value(Value::Bytes(vec![0xff, 0])));
    }

    #[test]
    fn what_is_no_value_of_its_format_stays_as_it_is_with_a_remark() {
        for (format, text) in [("int", "seven"), ("colour", "red")] {
            let (nodes, notes) = read(&told(Some(format), Some(text)), true);
            assert_eq!(nodes.unwrap()[0].content, NodeContent::Value(Value::Text(text.into())));
            assert_eq!(notes.len(), 1, "{format}");
        }
    }

    #[test]
    fn documents_are_read_as_nodes_with_their_addresses() {
        let document = "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>B</NodeName>\
            <RTProperties><Format><node/></Format><Type><DDFName>urn:x:mo:1.0</DDFName></Type></RTProperties>\
            <Node><NodeName>C</NodeName><RTProperties><Format><int/></Format></RTProperties><Value>5</Value></Node></Node>\
            <Node><NodeName>E</NodeName><Path>D</Path><RTProperties><Format><chr/></Format></RTProperties></Node></MgmtTree>";
        for uri in ["./A/B", "./A/B?list=TNDS"] {
            let told = Told {
                uri: uri.into(),
                media_type: Some(format!(" {TNDS_XML}; charset=utf-8")),
                ..told(Some("xml"), Some(document))
            };
            let (nodes, notes) = read(&told, false);
            let told: Vec<_> =
                nodes.unwrap().into_iter().map(|node| (node.uri, node.media_type, node.content)).collect();
            assert_eq!(
                told,
                [
                    ("./A/B".into(), Some("urn:x:mo:1.0".into()), NodeContent::Untold),
                    ("./A/B/C".into(), None, NodeContent::Value(Value::Int(5))),
                    ("./A/B/D/E".into(), None, NodeContent::Untold),
                ]
            );
            assert!(notes.is_empty());
        }
    }

    #[test]
    fn a_broken_document_is_a_reason() {
        let told = Told { media_type: Some(TNDS_XML.into()), ..told(Some("xml"), Some("<MgmtTree>")) };
        assert!(read(&told, false).0.unwrap_err().starts_with("its TNDS document cannot be read: "));
    }
}

//! The writer of TNDS.

use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};

use crate::ddf::element::of_format;
use crate::dm1::Form;
use crate::dm1::element::Ddf;
use crate::dm1::event::{PublicId, Push, WbxmlWriter, XmlWriter};

/// `VerDTD` of what we write.
const VERSION: &str = "1.2";

/// Writes a TNDS document, elements in the order of the DTD. Octets of format `bin` are OPAQUE in WBXML; all else is text.
///
/// The DTD wants a `Type` of every node: one that has none gets an empty `DDFName` if it is an interior node, else `text/plain`.
#[must_use]
pub fn write(snapshot: &Snapshot, form: Form) -> Vec<u8> {
    match form {
        Form::Xml => {
            let mut sink = XmlWriter::new(VERSION);
            tree(snapshot, false, &mut sink);
            sink.into_bytes()
        }
        Form::Wbxml(version) => {
            let mut sink = WbxmlWriter::new(version, PublicId::Unknown);
            tree(snapshot, true, &mut sink);
            sink.into_bytes()
        }
    }
}

fn tree(snapshot: &Snapshot, binary: bool, sink: &mut impl Push) {
    sink.within(Ddf::MgmtTree, |sink| {
        sink.leaf(Ddf::VerDtd, VERSION);
        snapshot.nodes.iter().for_each(|child| node(child, binary, sink));
    });
}

fn maybe(element: Ddf, text: Option<&str>, sink: &mut impl Push) {
    if let Some(text) = text {
        sink.leaf(element, text);
    }
}

/// The tree bounds its depth, as the reader does, so recursion is bounded too.
fn node(node: &SnapshotNode, binary: bool, sink: &mut impl Push) {
    sink.start(Ddf::Node);
    maybe(Ddf::NodeName, node.name.as_deref(), sink);
    maybe(Ddf::Path, node.path.as_deref(), sink);
    sink.within(Ddf::RtProperties, |sink| properties(node, sink));
    if let Some(value) = &node.value {
        self::value(value, node.format, binary, sink);
    }
    node.children.iter().for_each(|child| self::node(child, binary, sink));
    sink.end();
}

fn properties(node: &SnapshotNode, sink: &mut impl Push) {
    maybe(Ddf::Acl, node.acl.as_deref(), sink);
    if let Some(format) = node.format {
        sink.within(Ddf::Format, |sink| sink.empty(of_format(format)));
    }
    maybe(Ddf::Title, node.title.as_deref(), sink);
    maybe(Ddf::TStamp, node.tstamp.as_deref(), sink);
    sink.within(Ddf::Type, |sink| match &node.kind {
        Some(SnapshotType::Mime(name)) => sink.leaf(Ddf::Mime, name),
        Some(SnapshotType::DdfName(name)) => sink.leaf(Ddf::DdfName, name),
        None if node.format == Some(Format::Node) || !node.children.is_empty() => sink.empty(Ddf::DdfName),
        None => sink.leaf(Ddf::Mime, "text/plain"),
    });
    maybe(Ddf::VerNo, node.ver_no.as_deref(), sink);
}

fn value(value: &Value, format: Option<Format>, binary: bool, sink: &mut impl Push) {
    match (value, format) {
        (Value::Null, _) => {}
        (Value::Bytes(octets), Some(Format::Bin)) if binary => {
            sink.within(Ddf::Value, |sink| sink.opaque(octets));
        }
        (value, _) => sink.leaf(Ddf::Value, &value.to_text()),
    }
}

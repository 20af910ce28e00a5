//! What a device brings for the Data Repository: DM 1.x has no uploads of its own, so it is read (`DM 1.3 PROTO §8`), however large it is.

use omadm_codec::dm1::{Form, tnds};
use omadm_codec::media_type::{OCTET_STREAM, TEXT_PLAIN};
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{Node, NodeContent};

/// Media type and octets: a leaf is what it is, a sub-tree a TNDS document.
pub fn body(nodes: &[Node]) -> (String, Vec<u8>) {
    if let [Node { content: NodeContent::Value(value), media_type, .. }] = nodes {
        let (plain, octets) = match value {
            Value::Bytes(octets) => (OCTET_STREAM, octets.clone()),
            text => (TEXT_PLAIN, text.to_text().into_bytes()),
        };
        return (media_type.clone().unwrap_or_else(|| plain.to_owned()), octets);
    }
    let above = nodes.iter().map(|node| parent(&node.uri).0).min_by_key(|above| above.len());
    let nodes = nodes.iter().filter_map(|node| snapshot(node, above.unwrap_or_default())).collect();
    (tnds::TNDS_XML.to_owned(), tnds::write(&Snapshot { nodes }, Form::Xml))
}

/// A node with its place below the node that is above all; `None` for the root of the tree, which has no name.
fn snapshot(node: &Node, above: &str) -> Option<SnapshotNode> {
    let (path, name) = parent(&node.uri);
    if name.is_empty() {
        return None;
    }
    let path = path.strip_prefix(above).unwrap_or(path).trim_start_matches('/');
    let kind = node.media_type.clone().map(|kind| match node.format {
        Format::Node => SnapshotType::DdfName(kind),
        _ => SnapshotType::Mime(kind),
    });
    let value = match &node.content {
        NodeContent::Value(value) => Some(value.clone()),
        NodeContent::Children(_) | NodeContent::Untold => None,
    };
    Some(SnapshotNode {
        name: Some(name.to_owned()),
        path: (!path.is_empty()).then(|| path.to_owned()),
        kind,
        format: Some(node.format),
        value,
        ..SnapshotNode::default()
    })
}

/// The address of the parent and the last segment, as they are written, without `./`.
fn parent(uri: &str) -> (&str, &str) {
    let path = uri.strip_prefix("./").unwrap_or(uri).trim_start_matches('.');
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(uri: &str, format: Format, media_type: Option<&str>, content: NodeContent) -> Node {
        Node { uri: uri.into(), format, media_type: media_type.map(str::to_owned), content }
    }

    #[test]
    fn a_leaf_is_its_octets() {
        let leaf = |media_type, value| [node("./A", Format::Bin, media_type, NodeContent::Value(value))];
        let expect = |kind: &str, octets: &[u8]| (kind.to_owned(), octets.to_vec());
        let octets = Value::Bytes(vec![0, 255]);
        assert_eq!(body(&leaf(Some("image/png"), octets.clone())), expect("image/png", &[0, 255]));
        assert_eq!(body(&leaf(None, octets)), expect(OCTET_STREAM, &[0, 255]));
        assert_eq!(body(&leaf(None, Value::Int(7))), expect(TEXT_PLAIN, b"7"));
    }

    #[test]
    fn a_subtree_is_a_document_that_can_be_read_again() {
        let names =
            |names: &[&str]| NodeContent::Children(names.iter().map(|&name| name.to_owned()).collect());
        let nodes = [
            node("./Ext/Cam%201", Format::Node, Some("urn:x:mo:cam:1.0"), names(&["Zoom", "In"])),
            node("./Ext/Cam%201/Zoom", Format::Int, Some("text/plain"), NodeContent::Value(Value::Int(4))),
            node("./Ext/Cam%201/In", Format::Node, None, names(&["Raw"])),
            node("./Ext/Cam%201/In/Raw", Format::Bin, None, NodeContent::Value(Value::Bytes(vec![1]))),
        ];
        let (kind, octets) = body(&nodes);
        assert_eq!(kind, tnds::TNDS_XML);
        let read = tnds::read(
            &octets,
            omadm_codec::dm1::Encoding::Xml,
            &omadm_codec::Limits::default(),
            &mut omadm_codec::Leniency::strict(),
        );
        let places: Vec<_> =
            read.unwrap().nodes.into_iter().map(|node| (node.path, node.name.unwrap())).collect();
        let place = |path: Option<&str>, name: &str| (path.map(str::to_owned), name.to_owned());
        assert_eq!(
            places,
            [
                place(None, "Cam%201"),
                place(Some("Cam%201"), "Zoom"),
                place(Some("Cam%201"), "In"),
                place(Some("Cam%201/In"), "Raw"),
            ]
        );
        let whole =
            [node(".", Format::Node, None, names(&["A"])), node("./A", Format::Node, None, names(&[]))];
        assert!(!body(&whole).1.is_empty());
    }
}

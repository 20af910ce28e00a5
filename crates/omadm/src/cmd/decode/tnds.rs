//! TNDS documents.

use omadm_codec::dm1::tnds;
use omadm_codec::{DecodeError, Leniency};
use omadm_mo::Value as NodeValue;
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use serde_json::{Value, json};

use super::content::shown;
use super::kind::encoding;
use super::{Decoded, Outline, limits};

/// A document in XML or WBXML.
pub fn document(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let snapshot = tnds::read(input, encoding(input), &limits(), leniency)?;
    let mut outline = Outline::new();
    for node in &snapshot.nodes {
        push_node(&mut outline, 0, node);
    }
    Ok(Decoded { outline, content: snapshot_json(&snapshot), warnings: Vec::new() })
}

/// The decoder bounds the depth, so recursion is bounded too.
fn push_node(outline: &mut Outline, depth: usize, node: &SnapshotNode) {
    let path = node.path.as_ref().map_or_else(String::new, |path| format!("{path}/"));
    let name = match node.name.as_deref() {
        None => "(no name: the device finds the place by the type)",
        Some("") => "(no name: the target itself)",
        Some(name) => name,
    };
    let mut line = match (&node.value, &node.kind) {
        (Some(value), _) => format!("{path}{name} = {}", shown(value)),
        (None, Some(SnapshotType::Mime(_))) => format!("{path}{name}"),
        (None, Some(SnapshotType::DdfName(_)) | None) => format!("{path}{name}/"),
    };
    let kind = match &node.kind {
        Some(SnapshotType::Mime(name) | SnapshotType::DdfName(name)) => Some(name),
        None => None,
    };
    let format = node.format.map(|format| format.as_str().to_owned());
    let facts = [("", &format), ("", &kind.cloned()), ("ACL ", &node.acl), ("\u{2014} ", &node.title)];
    for (word, fact) in facts {
        if let Some(fact) = fact.as_deref().filter(|fact| !fact.is_empty()) {
            line.push_str("  ");
            line.push_str(word);
            line.push_str(fact);
        }
    }
    outline.push(depth, &line);
    for child in &node.children {
        push_node(outline, depth.saturating_add(1), child);
    }
}

fn snapshot_json(snapshot: &Snapshot) -> Value {
    json!({ "nodes": snapshot.nodes.iter().map(node_json).collect::<Vec<_>>() })
}

fn node_json(node: &SnapshotNode) -> Value {
    let kind = match &node.kind {
        Some(SnapshotType::Mime(name)) => json!({ "mime": name }),
        Some(SnapshotType::DdfName(name)) => json!({ "ddf_name": name }),
        None => Value::Null,
    };
    json!({
        "name": node.name,
        "path": node.path,
        "acl": node.acl,
        "format": node.format.map(omadm_mo::Format::as_str),
        "title": node.title,
        "tstamp": node.tstamp,
        "type": kind,
        "ver_no": node.ver_no,
        "value": node.value.as_ref().map(NodeValue::to_text),
        "children": node.children.iter().map(node_json).collect::<Vec<_>>(),
    })
}

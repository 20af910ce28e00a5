//! MO data for devices of DM 1.x: writes of its nodes one by one, or a TNDS document (`DM 1.3 TNDS §5`).

use omadm_codec::Leniency;
use omadm_codec::dm1::{Form, OperationKind, tnds};
use omadm_codec::dm2::MoItem;
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{ClientUri, Content as Subtree, Format, Segment, Value};
use omadm_session::dm1::server::{Content, Existence, Node, NodeContent, RawItem, Task};
use omadm_session::dm2::server::flatten;
use omadm_store::Payload;

use super::dm1::{Known, Unsaid};
use crate::address::encode;
use crate::context::decode_mo_data;
use crate::descriptions::Descriptions;
use crate::roots::Roots;

/// MO data as writes of all its nodes, all or none.
pub(super) fn task(known: Known<'_>, payload: Option<&Payload>) -> Result<Task, Unsaid> {
    let payload = payload.ok_or_else(|| Unsaid::Never("its payload is gone".into()))?;
    let items = decode_items(payload).map_err(Unsaid::Never)?;
    let mut writes = Vec::new();
    for item in &items {
        let whole = known.roots.parse(&item.client_uri).map_err(Unsaid::Never)?;
        let homes = known.may_place.then_some(known.described);
        let instance = known.roots.instance(&whole, homes)?;
        let is_whole = instance.is_new && whole.path.is_empty();
        if is_whole && known.capabilities.tnds == Some(true) {
            writes.push(document(instance.uri, &whole, &item.content, known.described));
            continue;
        }
        for (at, value) in flatten(&whole, &item.content) {
            let uri = known.roots.instance(&at, homes)?.uri;
            let is_there = known.is_there(&uri, instance.is_new);
            // An interior node that is there needs no write.
            if !(is_there && value.is_none()) {
                let existence = if is_there { Existence::Present } else { Existence::Absent };
                writes.push(Task::Set { uri, content: node(&at, value, known.described), existence });
            }
        }
    }
    if writes.len() > 1 {
        let all_or_none = known.capabilities.atomic != Some(false);
        return Ok(if all_or_none { Task::Atomic(writes) } else { Task::Sequence(writes) });
    }
    writes.pop().ok_or_else(|| Unsaid::Never("everything in its items is there already".into()))
}

/// The items of MO data that were queued.
///
/// # Errors
/// One sentence on why they cannot be read.
pub fn decode_items(payload: &Payload) -> Result<Vec<MoItem>, String> {
    decode_mo_data(&payload.body, payload.body.len(), &mut Leniency::lenient())
        .map_err(|error| format!("its items cannot be read: {error}"))
}

/// What MO data says is there, as a device would tell it.
pub fn told_by_items(payload: &Payload, roots: &Roots, described: &Descriptions) -> Vec<Node> {
    let mut nodes = Vec::new();
    for item in decode_items(payload).unwrap_or_default() {
        let Ok(whole) = roots.parse(&item.client_uri) else { continue };
        for (uri, value) in flatten(&whole, &item.content) {
            let Ok(instance) = roots.instance(&uri, Some(described)) else { continue };
            let Content { format, media_type, value } = node(&uri, value, described);
            let content =
                if format == Format::Node { NodeContent::Untold } else { NodeContent::Value(value) };
            nodes.push(Node { uri: instance.uri, format, media_type, content });
        }
    }
    nodes
}

/// A whole instance as a TNDS document. It is added, never put in place of another.
fn document(uri: String, whole: &ClientUri, content: &Subtree, described: &Descriptions) -> Task {
    let kind = SnapshotType::DdfName(whole.moid.as_str().to_owned());
    let top = SnapshotNode { kind: Some(kind), ..snapshot(String::new(), whole, content, described) };
    let octets = tnds::write(&Snapshot { nodes: vec![top] }, Form::Xml);
    let value = Value::Text(String::from_utf8_lossy(&octets).into_owned());
    let content = Content { format: Format::Xml, media_type: Some(tnds::TNDS_XML.into()), value };
    let item = RawItem { target: Some(uri), source: None, content: Some(content) };
    Task::Raw { kind: OperationKind::Add, items: vec![item] }
}

/// Decoders bound how deep it goes.
fn snapshot(name: String, at: &ClientUri, content: &Subtree, described: &Descriptions) -> SnapshotNode {
    let name = Some(name);
    match content {
        Subtree::Leaf(value) => {
            let Content { format, value, .. } = node(at, Some(value.clone()), described);
            SnapshotNode { name, format: Some(format), value: Some(value), ..SnapshotNode::default() }
        }
        Subtree::Interior(children) => {
            let children = children.iter().map(|(name, child)| {
                let mut below = at.clone();
                below.path.push(Segment::Name(name.clone()));
                snapshot(encode(name.as_str()), &below, child, described)
            });
            let children = children.collect();
            SnapshotNode { name, format: Some(Format::Node), children, ..SnapshotNode::default() }
        }
    }
}

/// A node of MO data, interior if it has no value. A value has the format of the DDF if it fits, as JSON has fewer.
fn node(at: &ClientUri, value: Option<Value>, described: &Descriptions) -> Content {
    let Some(value) = value else {
        let media_type = at.path.is_empty().then(|| at.moid.as_str().to_owned());
        return Content { format: Format::Node, media_type, value: Value::Null };
    };
    let typed = described.format(at).and_then(|format| match Value::from_text(format, &value.to_text()) {
        Ok(value) => Some((format, value)),
        Err(_) => None,
    });
    let (format, value) = typed.unwrap_or_else(|| (format_of(&value), value));
    Content { format, media_type: None, value }
}

fn format_of(value: &Value) -> Format {
    match value {
        Value::Null => Format::Null,
        Value::Bool(_) => Format::Bool,
        Value::Int(_) => Format::Int,
        Value::Float(_) => Format::Float,
        Value::Text(_) => Format::Chr,
        Value::Bytes(_) => Format::Bin,
    }
}

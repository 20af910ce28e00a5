//! MO data.

use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::{DecodeError, Leniency};
use omadm_mo::{Content, Value as NodeValue};
use serde_json::{Value, json};

use super::{Decoded, Outline, limits};

/// `application/dmmo+json`.
pub fn mo_data(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let items = mo_data::decode(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    if items.is_empty() {
        outline.push(0, "no items");
    }
    for item in &items {
        push_item(&mut outline, item);
    }
    let content = items.iter().map(item_json).collect();
    Ok(Decoded { outline, content: Value::Array(content), warnings: Vec::new() })
}

fn push_item(outline: &mut Outline, item: &MoItem) {
    outline.push(0, &item.client_uri);
    if let Some(ddf) = &item.ddf {
        outline.push(1, &format!("DDF {ddf}"));
    }
    if let Some(cv) = &item.cv {
        outline.push(1, &format!("CV {cv}"));
    }
    push_content(outline, 1, &item.label, &item.content);
}

/// The decoder bounds the depth, so recursion is bounded too.
fn push_content(outline: &mut Outline, depth: usize, name: &str, content: &Content) {
    match content {
        Content::Leaf(value) => outline.push(depth, &format!("{name} = {}", shown(value))),
        Content::Interior(children) => {
            outline.push(depth, &format!("{name}/"));
            for (name, child) in children {
                push_content(outline, depth.saturating_add(1), name.as_str(), child);
            }
        }
    }
}

/// A value for people.
pub fn shown(value: &NodeValue) -> String {
    match value {
        NodeValue::Null => "(no value)".to_owned(),
        NodeValue::Text(text) => format!("{text:?}"),
        NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) | NodeValue::Bytes(_) => value.to_text(),
    }
}

fn item_json(item: &MoItem) -> Value {
    json!({
        "client_uri": item.client_uri,
        "ddf": item.ddf,
        "cv": item.cv,
        "label": item.label,
        "content": content_json(&item.content),
    })
}

fn content_json(content: &Content) -> Value {
    match content {
        Content::Leaf(NodeValue::Null) => Value::Null,
        Content::Leaf(NodeValue::Bool(value)) => (*value).into(),
        Content::Leaf(NodeValue::Int(value)) => (*value).into(),
        Content::Leaf(NodeValue::Float(value)) => (*value).into(),
        Content::Leaf(value @ (NodeValue::Text(_) | NodeValue::Bytes(_))) => value.to_text().into(),
        Content::Interior(children) => {
            children.iter().map(|(name, child)| (name.to_string(), content_json(child))).collect()
        }
    }
}

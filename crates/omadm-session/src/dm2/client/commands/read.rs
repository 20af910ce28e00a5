//! What GET, HPUT and HPOST have in common: from found nodes to data.

use omadm_codec::dm2::MoItem;
use omadm_codec::media_type::TEXT_PLAIN;
use omadm_mo::ddf::DfType;
use omadm_mo::{Actor, ClientUri, Content, Found, NodeName, NodeRef, Tree, Value};

use super::Data;

/// The cache validator of the instance that holds a found node (`DM 2.0 §11.1`): opaque to the server, new with every change.
fn validator(tree: &Tree, found: &Found) -> Option<String> {
    tree.instance_of_node(found.instance_root).map(|instance| format!("{:x}", instance.revision))
}

/// Whether the address has a cv and every instance it matches still has that validator.
pub(super) fn is_current(tree: &Tree, found: &[Found], uri: &ClientUri) -> bool {
    let Some(held) = uri.query.validator() else { return false };
    !found.is_empty() && found.iter().all(|found| validator(tree, found).as_deref() == Some(held))
}

/// The one leaf that an address without wildcard resolved to.
pub(in crate::dm2::client) fn single_leaf<'t>(
    tree: &'t Tree,
    found: &[Found],
    uri: &ClientUri,
) -> Option<NodeRef<'t>> {
    match found {
        [found] if !uri.has_wildcard() => tree.node(found.node).filter(|node| node.format().is_leaf()),
        _ => None,
    }
}

/// MO data of the found nodes, an item each.
pub(in crate::dm2::client) fn items(
    tree: &Tree,
    actor: &Actor,
    found: &[Found],
    uri: &ClientUri,
) -> Vec<MoItem> {
    found.iter().filter_map(|found| item(tree, actor, found, uri)).collect()
}

fn item(tree: &Tree, actor: &Actor, found: &Found, uri: &ClientUri) -> Option<MoItem> {
    let address = tree.address_of(found.node)?;
    Some(MoItem {
        ddf: tree.catalogue().get(address.moid.as_str()).map(|definition| definition.link.clone()),
        client_uri: address.to_string(),
        cv: if address.path.is_empty() { validator(tree, found) } else { None },
        label: tree.label_of(found.node)?.to_owned(),
        content: tree.content(actor, found.node, uri.query.level())?,
    })
}

/// What an item takes in memory and, roughly, in a message: octets of names and values, and what comes with each node.
pub(super) fn weight(content: &Content) -> usize {
    let below = match content {
        Content::Leaf(value) => value.size(),
        Content::Interior(children) => {
            children.iter().map(|(name, child)| name.as_str().len() + weight(child)).sum()
        }
    };
    size_of::<(NodeName, Content)>() + below
}

/// The value of a leaf as it is, with its media type; none for octets of unknown type.
pub(in crate::dm2::client) fn direct(leaf: NodeRef<'_>) -> Option<Data> {
    let known = leaf.properties().mime.as_deref().or_else(|| match &leaf.definition()?.df_type {
        Some(DfType::Mime(types)) => types.first().map(String::as_str),
        Some(DfType::DdfName(_)) | None => None,
    });
    let (default, body) = match leaf.value()? {
        Value::Bytes(octets) => (None, octets.clone()),
        value @ (Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_)) => {
            (Some(TEXT_PLAIN), value.to_text().into_bytes())
        }
    };
    let mut content_type = known.or(default)?.to_owned();
    if content_type == TEXT_PLAIN && !body.is_ascii() {
        content_type.push_str("; charset=utf-8");
    }
    Some(Data { content_type, body: body.into() })
}

/// The media type of `data` without parameters.
pub(in crate::dm2::client) fn essence(data: &Data) -> &str {
    data.content_type.split(';').next().unwrap_or_default().trim()
}

//! Device description files.

use omadm_codec::DecodeError;
use omadm_codec::ddf as codec;
use omadm_mo::ddf::{Ddf, DdfName, DdfNode, DfType, Occurrence, Scope};
use serde_json::{Value, json};

use super::{Decoded, Outline, limits};

/// A DDF file.
pub fn file(input: &[u8]) -> Result<Decoded, DecodeError> {
    let decoded = codec::decode(input, &limits())?;
    let content = json!({
        "ver_dtd": decoded.ddf.ver_dtd,
        "man": decoded.ddf.man,
        "mod": decoded.ddf.model,
        "nodes": decoded.ddf.nodes.iter().map(node_json).collect::<Vec<_>>(),
    });
    Ok(Decoded { outline: outline_of(&decoded.ddf), content, warnings: decoded.warnings })
}

/// The described nodes, one a line.
pub fn outline_of(ddf: &Ddf) -> Outline {
    let mut outline = Outline::new();
    outline.push(0, &format!("VerDTD {}", ddf.ver_dtd));
    for (name, value) in [("Man", &ddf.man), ("Mod", &ddf.model)] {
        if let Some(value) = value {
            outline.push(0, &format!("{name} {value}"));
        }
    }
    for node in &ddf.nodes {
        push_node(&mut outline, 0, node);
    }
    outline
}

/// The decoder bounds the depth, so recursion is bounded too.
fn push_node(outline: &mut Outline, depth: usize, node: &DdfNode) {
    let mut line = format!("{}  {}", name_of(node), node.format.as_str());
    for word in [occurrence(node.occurrence).as_str(), scope(node.scope), &node.access.names().join("+")] {
        line.push_str("  ");
        line.push_str(word);
    }
    if let Some(DfType::DdfName(name)) = &node.df_type
        && !name.is_empty()
    {
        line.push_str("  ");
        line.push_str(name);
    }
    if let Some(title) = &node.title {
        line.push_str("  \u{2014} ");
        line.push_str(title);
    }
    outline.push(depth, &line);
    for child in &node.children {
        push_node(outline, depth.saturating_add(1), child);
    }
}

/// Name of a node; `<x>` for an un-named one, with its logical name if it has one.
pub fn name_of(node: &DdfNode) -> String {
    match &node.name {
        DdfName::Named(name) => name.to_string(),
        DdfName::Unnamed(logical) if logical.is_empty() => "<x>".to_owned(),
        DdfName::Unnamed(logical) => format!("<{logical}>"),
    }
}

fn occurrence(occurrence: Occurrence) -> String {
    match occurrence {
        Occurrence::One => "1".to_owned(),
        Occurrence::ZeroOrOne => "0..1".to_owned(),
        Occurrence::ZeroOrMore => "0..*".to_owned(),
        Occurrence::OneOrMore => "1..*".to_owned(),
        Occurrence::ZeroOrN(n) => format!("0..{n}"),
        Occurrence::OneOrN(n) => format!("1..{n}"),
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Permanent => "permanent",
        Scope::Dynamic => "dynamic",
    }
}

fn node_json(node: &DdfNode) -> Value {
    let df_type = match &node.df_type {
        Some(DfType::DdfName(name)) => json!({ "ddf_name": name }),
        Some(DfType::Mime(types)) => json!({ "mime": types }),
        None => Value::Null,
    };
    json!({
        "name": name_of(node),
        "path": node.path,
        "format": node.format.as_str(),
        "type": df_type,
        "occurrence": occurrence(node.occurrence),
        "scope": scope(node.scope),
        "access": node.access.names(),
        "default_value": node.default_value,
        "title": node.title,
        "description": node.description,
        "children": node.children.iter().map(node_json).collect::<Vec<_>>(),
    })
}

//! `omadm-agent tree`

use std::process::ExitCode;

use omadm_mo::{Actor, ClientUri, NodeId, Tree, Value};
use serde_json::json;

use crate::cli::Output;
use crate::error::AgentError;
use crate::output;
use crate::setup::Setup;

/// What is printed instead of a value that no server may read.
const HIDDEN: &str = "(hidden)";

struct Line {
    address: String,
    format: &'static str,
    /// `None` for an interior node.
    value: Option<String>,
    /// What the DDF says that the node is.
    title: Option<String>,
    description: Option<String>,
}

/// Prints the nodes at and below an address, or all.
pub fn run(setup: &Setup, address: Option<&str>, format: Output) -> Result<ExitCode, AgentError> {
    let device = setup.view()?;
    let tree = device.tree();
    let tops = match address {
        None => tree.instances().map(|instance| instance.root).collect(),
        Some(address) => resolve(tree, address)?,
    };
    let mut lines = Vec::new();
    tops.into_iter().for_each(|top| collect(tree, top, &mut lines));
    match format {
        Output::Json => {
            let line = |line: &Line| {
                json!({
                    "address": line.address,
                    "format": line.format,
                    "value": line.value,
                    "title": line.title,
                    "description": line.description,
                })
            };
            output::json(&lines.iter().map(line).collect());
        }
        Output::Table => {
            let row = |line: Line| vec![line.address, line.format.to_owned(), line.value.unwrap_or_default()];
            output::table(&["ADDRESS", "FORMAT", "VALUE"], &lines.into_iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn resolve(tree: &Tree, address: &str) -> Result<Vec<NodeId>, AgentError> {
    let refused = |error: String| AgentError::Refused(format!("{address}: {error}"));
    let known = |moid: &str| tree.catalogue().get(moid).is_some();
    let uri = ClientUri::parse_with(address, &known).map_err(|error| refused(error.to_string()))?;
    let found = tree.resolve(&Actor::Device, &uri).map_err(|error| refused(error.to_string()))?;
    Ok(found.into_iter().map(|found| found.node).collect())
}

/// A node, then what is below it; the depth of the tree is bounded by its quota.
fn collect(tree: &Tree, top: NodeId, lines: &mut Vec<Line>) {
    let Some(node) = tree.node(top) else { return };
    let definition = node.definition();
    let readable = definition.is_none_or(|definition| definition.access.get);
    let value = node.value().map(|value| match value {
        Value::Null => String::new(),
        _ if !readable => HIDDEN.to_owned(),
        Value::Text(text) => text.replace(char::is_control, "\u{fffd}"),
        other => other.to_text(),
    });
    let address = tree.address_of(top).map_or_else(String::new, |address| address.to_string());
    lines.push(Line {
        address,
        format: node.format().as_str(),
        value,
        title: definition.and_then(|definition| definition.title.clone()),
        description: definition.and_then(|definition| definition.description.clone()),
    });
    node.children().for_each(|child| collect(tree, child.id(), lines));
}

//! `omadm-agent tree`

use std::process::ExitCode;

use omadm_mo::dm1::{Dm1Uri, UriLimits};
use omadm_mo::{Actor, ClientUri, NodeId, NodeRef, Tree, Value};
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

/// How nodes are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// By their management object, as DM 2.0 has it.
    Object,
    /// By their path, as DM 1.x has it.
    Path,
}

/// Prints the nodes at and below an address, or all.
pub fn run(setup: &Setup, address: Option<&str>, format: Output) -> Result<ExitCode, AgentError> {
    let device = setup.view()?;
    let tree = device.tree();
    let mut lines = Vec::new();
    match address {
        None => {
            tree.instances().for_each(|instance| collect(tree, instance.root, Naming::Object, &mut lines));
            tree.root().children().for_each(|child| collect_outside(tree, child, &mut lines));
        }
        Some(path) if path.starts_with('.') => {
            collect(tree, at_path(tree, path)?, Naming::Path, &mut lines);
        }
        Some(address) => {
            let tops = resolve(tree, address)?;
            tops.into_iter().for_each(|top| collect(tree, top, Naming::Object, &mut lines));
        }
    }
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

/// The node at a path such as `./DevInfo/DevId`; names stand as they are.
fn at_path(tree: &Tree, path: &str) -> Result<NodeId, AgentError> {
    let mut names = path.trim_start_matches('.').split('/').filter(|name| !name.is_empty());
    let found = names.try_fold(tree.root(), |node, name| node.child(name));
    found.map(|node| node.id()).ok_or_else(|| AgentError::Refused(format!("{path}: there is no such node")))
}

fn resolve(tree: &Tree, address: &str) -> Result<Vec<NodeId>, AgentError> {
    let refused = |error: String| AgentError::Refused(format!("{address}: {error}"));
    let known = |moid: &str| tree.catalogue().get(moid).is_some();
    let uri = ClientUri::parse_with(address, &known).map_err(|error| refused(error.to_string()))?;
    let found = tree.resolve(&Actor::Device, &uri).map_err(|error| refused(error.to_string()))?;
    Ok(found.into_iter().map(|found| found.node).collect())
}

/// A node, then what is below it; the depth of the tree is bounded by its quota.
fn collect(tree: &Tree, top: NodeId, naming: Naming, lines: &mut Vec<Line>) {
    let Some(node) = tree.node(top) else { return };
    lines.push(line(tree, node, naming));
    node.children().for_each(|child| collect(tree, child.id(), naming, lines));
}

/// A node that is in no management object, then those below it.
fn collect_outside(tree: &Tree, node: NodeRef<'_>, lines: &mut Vec<Line>) {
    if tree.instance_of_node(node.id()).is_none() {
        lines.push(line(tree, node, Naming::Path));
        node.children().for_each(|child| collect_outside(tree, child, lines));
    }
}

fn line(tree: &Tree, node: NodeRef<'_>, naming: Naming) -> Line {
    let definition = node.definition();
    let readable = definition.is_none_or(|definition| definition.access.get);
    let value = node.value().map(|value| match value {
        Value::Null => String::new(),
        _ if !readable => HIDDEN.to_owned(),
        Value::Text(text) => text.replace(char::is_control, "\u{fffd}"),
        other => other.to_text(),
    });
    let object = tree.address_of(node.id()).filter(|_| naming == Naming::Object);
    let path = || Dm1Uri::of_path(node.path(), &UriLimits::default()).to_string();
    Line {
        address: object.map_or_else(path, |address| address.to_string()),
        format: node.format().as_str(),
        value,
        title: definition.and_then(|definition| definition.title.clone()),
        description: definition.and_then(|definition| definition.description.clone()),
    }
}

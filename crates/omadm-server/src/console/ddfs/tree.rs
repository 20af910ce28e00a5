//! A DDF file as a tree, each node with what it is.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use omadm_mo::Time;
use serde::Deserialize;

use super::words;
use crate::console::data::After;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Nodes on a page.
const SHOWN: usize = 150;
/// Deepest indentation that is shown.
const DEEPEST: usize = 8;
/// Oddities that are shown.
const ODD: usize = 50;

/// What a DDF file says.
#[derive(Deserialize)]
pub struct Model {
    name: String,
    ver_dtd: String,
    man: Option<String>,
    #[serde(rename = "mod")]
    model: Option<String>,
    nodes: Vec<Node>,
    warnings: Vec<String>,
    stored: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    name: Option<String>,
    unnamed: Option<String>,
    path: Option<String>,
    access: Vec<String>,
    format: String,
    occurrence: String,
    scope: String,
    title: Option<String>,
    description: Option<String>,
    default_value: Option<String>,
    value: Option<String>,
    mime_types: Option<Vec<String>>,
    ddf_name: Option<String>,
    #[serde(default)]
    children: Vec<Self>,
}

/// Reads a file.
pub async fn find(visit: &Visit, name: &str) -> Result<Model, Failure> {
    visit.read(&path(&["ddfs", name, "model"], &[])).await
}

/// Shows a file.
pub async fn show(visit: Visit, Path(name): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let model = find(&visit, &name).await?;
    let begin: usize = at.after.parse().unwrap_or(0);
    let nodes = in_order(&model.nodes);
    let shown: Vec<_> = nodes.iter().skip(begin).take(SHOWN).collect();
    let end = begin.saturating_add(shown.len());
    let here = ["ddfs", model.name.as_str()];
    let first = (begin > 0).then(|| path(&here, &[]));
    let next = (end < nodes.len()).then(|| path(&here, &[("after", &end.to_string())]));
    let raw = path(&["api", "v1", "ddfs", &model.name], &[]);
    let body = html! {
        section.card { h2 { "What it is" } (facts(visit.now, &model, nodes.len())) }
        @if !model.warnings.is_empty() { section.card { h2 { "What is odd about it" } (oddities(&model.warnings)) } }
        section.card {
            h2 { "Nodes" }
            @if begin > 0 { p.quiet { "From node " (text::number(begin + 1)) " on." } }
            ul.nodes { @for (depth, node) in shown { (row(*depth, node)) } }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
        // What the server comes with stays.
        @if model.stored.is_some() && visit.may("DELETE", "/ddfs/{name}") {
            p { a.button.danger href=(path(&["ddfs", &model.name, "remove"], &[])) { "Remove this file" } }
        }
    };
    Ok(Page::new(model.name.clone(), body)
        .below(html! { a href="/ddfs" { "Device descriptions" } })
        .with(html! { a.button href=(raw) download=(model.name) { "Download" } }))
}

/// All nodes with their depths, each before those below it.
fn in_order(roots: &[Node]) -> Vec<(usize, &Node)> {
    let mut waiting: Vec<(usize, &Node)> = roots.iter().rev().map(|root| (0, root)).collect();
    let mut order = Vec::new();
    while let Some((depth, node)) = waiting.pop() {
        order.push((depth, node));
        waiting.extend(node.children.iter().rev().map(|child| (depth + 1, child)));
    }
    order
}

fn facts(now: Time, model: &Model, nodes: usize) -> Markup {
    let objects =
        model.nodes.iter().filter_map(|root| root.ddf_name.as_deref()).filter(|moid| !moid.is_empty());
    parts::facts(vec![
        ("Describes", html! { @for moid in objects.take(parts::ROWS) { div.mono { (text::shown(moid)) } } }),
        ("Manufacturer", parts::known(model.man.as_deref())),
        ("Model", parts::known(model.model.as_deref())),
        ("Version of the format", text::shown(&model.ver_dtd)),
        ("Stored", parts::age_or(now, model.stored.as_deref(), "with the server")),
        ("Nodes", html! { span.number { (text::number(nodes)) } }),
    ])
}

fn oddities(warnings: &[String]) -> Markup {
    html! {
        ul { @for warning in warnings.iter().take(ODD) { li { (text::shown(warning)) } } }
        @if warnings.len() > ODD { p.quiet { "… and " (text::number(warnings.len() - ODD)) " more." } }
    }
}

/// A node: its name, and below it what the file says.
fn row(depth: usize, node: &Node) -> Markup {
    let said = |name: &str, value: &Option<String>| {
        html! { @if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) { span { (name) " " (text::shown(value)) } } }
    };
    html! {
        li class=(format!("deep-{}", depth.min(DEEPEST))) {
            b.mono {
                @match (&node.name, node.unnamed.as_deref()) {
                    (Some(name), _) => (text::shown(name)),
                    (None, Some(placeholder)) if !placeholder.is_empty() => { "‹" (text::shown(placeholder)) "›" },
                    (None, _) => "‹any name›",
                }
            }
            @if let Some(title) = &node.title { span { (text::shown(title)) } }
            span.quiet {
                "holds " (words::format(&node.format)) "; " (words::occurrence(&node.occurrence)) ", " (words::scope(&node.scope))
                "; may: " (words::access(&node.access))
            }
            (said("default", &node.default_value)) (said("value", &node.value)) (said("path", &node.path))
            @if let Some(types) = &node.mime_types { span.quiet { (text::shown(&types.join(", "))) } }
            @if let Some(description) = &node.description { p.about { (text::plain(description.split_whitespace().collect::<Vec<_>>().join(" ").as_str(), ABOUT)) } }
        }
    }
}

/// Characters of a description that are shown.
const ABOUT: usize = 400;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_come_before_what_is_below_them() {
        let leaf = |name: &str| json!({ "name": name, "access": ["Get"], "format": "chr", "occurrence": "One", "scope": "Permanent" });
        let mut root = leaf("a");
        root["children"] = json!([leaf("b"), leaf("c")]);
        let roots: Vec<Node> = serde_json::from_value(json!([root, leaf("d")])).unwrap();
        let order: Vec<_> = in_order(&roots)
            .into_iter()
            .map(|(depth, node)| (depth, node.name.as_deref().unwrap()))
            .collect();
        assert_eq!(order, [(0, "a"), (1, "b"), (1, "c"), (0, "d")]);
    }
}

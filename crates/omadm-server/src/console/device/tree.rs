//! The last known tree of a device, object by object, read as it is opened.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::command::node_value;
use super::{described, find, page};
use crate::console::data::{Device, KnownMo, Listed};
use crate::console::failure::Failure;
use crate::console::frame::{Page, Part};
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Nodes that are read at a time.
const SHOWN: &str = "100";
/// Characters of a value that are read: more than are shown, so that it is seen that there are more.
const VALUE: &str = "200";
/// Objects that are listed.
const MAX_OBJECTS: usize = 500;
/// Instances of an object that are listed.
const MAX_INSTANCES: usize = 50;
/// In place of an address: all nodes.
const EVERYTHING: &str = "*";
/// Deepest indentation that is shown.
const DEEPEST: usize = 8;

/// A node of the last known tree.
#[derive(Debug, Deserialize)]
pub struct Node {
    pub address: String,
    pub value: Option<Value>,
    /// Characters of a value of which this is the beginning.
    pub length: Option<usize>,
    pub interior: bool,
    pub seen: String,
    pub format: Option<String>,
    #[serde(default)]
    pub access: Vec<String>,
    pub title: Option<String>,
    pub description: Option<String>,
}

/// Which part of the tree is wanted.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// The address below which nodes are wanted; empty for the objects alone.
    #[serde(default)]
    at: String,
    #[serde(default)]
    after: String,
}

/// Shows the objects, or the nodes of one.
pub async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let place = wanted.at.as_str();
    let body = if place.is_empty() {
        html! { (jump(&device)) (objects(&device)) }
    } else {
        let found = read(&visit, &device, place, &wanted.after).await?;
        let described = described(&visit, &device, place, &found).await?;
        html! {
            (jump(&device))
            section.card {
                h2.mono { @if place == EVERYTHING { "Everything that was ever seen" } @else { (text::shown(place)) } }
                (rows(&visit, &device, place, &found, place))
                (described)
            }
            p { a href=(path(&["devices", &id, "tree"], &[])) { "All objects" } }
        }
    };
    Ok(page(&visit, &device, "tree", &body))
}

/// Gives more nodes of a page that is there already.
pub async fn nodes(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Part, Failure> {
    let device = find(&visit, &id).await?;
    let place = wanted.at.as_str();
    let found = read(&visit, &device, place, &wanted.after).await?;
    let described = described(&visit, &device, place, &found).await?;
    Ok(Part(html! { (rows(&visit, &device, place, &found, place)) (described) }))
}

async fn read(visit: &Visit, device: &Device, place: &str, after: &str) -> Result<Listed<Node>, Failure> {
    let at = if place == EVERYTHING { "" } else { place };
    let query = [("at", at), ("after", after), ("limit", SHOWN), ("length", VALUE)];
    visit.read(&path(&["devices", &device.id, "tree"], &query)).await
}

/// A field for who knows the address.
fn jump(device: &Device) -> Markup {
    html! {
        form.row.card method="get" action=(path(&["devices", &device.id, "node"], &[])) {
            div.filter {
                label for="address" { "Go to a node" }
                input #address name="address" spellcheck="false" autocapitalize="none" required placeholder="urn:oma:mo:oma-dm-devinfo:1.2//Lang";
            }
            button type="submit" { "Open" }
        }
    }
}

fn objects(device: &Device) -> Markup {
    let objects = device.inventory.as_deref().unwrap_or_default();
    html! {
        section.card {
            h2 { "Management objects" }
            @if objects.is_empty() { (parts::nothing("It has not reported its management objects yet.")) }
            @for object in objects.iter().take(MAX_OBJECTS) { (object_of(device, object)) }
            p { a href=(path(&["devices", &device.id, "tree"], &[("at", EVERYTHING)])) { "Everything that was ever seen" } }
        }
    }
}

fn object_of(device: &Device, object: &KnownMo) -> Markup {
    let name = object.title.as_deref().unwrap_or("Not described by a DDF file");
    html! {
        @if object.miids.is_empty() {
            div.object { b { (text::shown(name)) } " " span.quiet.mono { (text::shown(&object.moid)) } " " span.quiet { "without an instance" } }
        }
        @for miid in object.miids.iter().take(MAX_INSTANCES) {
            @let place = format!("{}/{miid}/", object.moid);
            details.object {
                summary { b { (text::shown(name)) } " " span.quiet.mono { (text::shown(&object.moid)) "/" (text::shown(miid)) } }
                div hx-get=(path(&["devices", &device.id, "nodes"], &[("at", &place)])) hx-trigger="toggle from:closest details once" {
                    p { a href=(path(&["devices", &device.id, "tree"], &[("at", &place)])) { "Show its nodes" } }
                }
            }
        }
        @if object.miids.len() > MAX_INSTANCES { p.quiet { "… and " (text::number(object.miids.len() - MAX_INSTANCES)) " more instances." } }
    }
}

/// Nodes as an indented list, with what brings more of them.
fn rows(visit: &Visit, device: &Device, place: &str, found: &Listed<Node>, base: &str) -> Markup {
    if found.items.is_empty() {
        return parts::nothing("No node of it has been seen yet. Read it, and it is shown here.");
    }
    let more = found.next.as_ref().map(|next| {
        let query = [("at", place), ("after", next.as_str())];
        (path(&["devices", &device.id, "nodes"], &query), path(&["devices", &device.id, "tree"], &query))
    });
    html! {
        ul.nodes { @for node in &found.items { (row(visit, device, node, base)) } }
        @if let Some((part, page)) = &more {
            p { a.button href=(page) hx-get=(part) hx-target="closest p" hx-swap="outerHTML" { "More nodes" } }
        }
    }
}

/// The nodes of an instance that were not seen, as its DDF file describes them.
async fn described(
    visit: &Visit,
    device: &Device,
    place: &str,
    found: &Listed<Node>,
) -> Result<Markup, Failure> {
    if found.next.is_some() || place == EVERYTHING {
        return Ok(html! {});
    }
    let nodes = described::nodes(visit, device, place).await?;
    let is_seen = |address: &str| found.items.iter().any(|node| node.address == address);
    let unseen: Vec<_> =
        nodes.iter().filter(|(address, node)| node.format != "node" && !is_seen(address)).collect();
    Ok(html! {
        @if !unseen.is_empty() {
            h3 { "Described, and not seen yet" }
            ul.nodes {
                @for (address, node) in unseen {
                    li {
                        a.mono href=(path(&["devices", &device.id, "node"], &[("address", address)])) {
                            (text::shown(address.strip_prefix(place).unwrap_or(address)))
                        }
                        @if let Some(title) = &node.title { span.quiet { (text::shown(title)) } }
                    }
                }
            }
        }
    })
}

fn row(visit: &Visit, device: &Device, node: &Node, base: &str) -> Markup {
    let below = node.address.strip_prefix(base).unwrap_or(&node.address).trim_matches('/');
    let depth = below.matches('/').count().min(DEEPEST);
    let name = node.address.trim_end_matches('/').rsplit('/').next().unwrap_or(&node.address);
    html! {
        li class=(format!("deep-{depth}")) {
            a.mono href=(path(&["devices", &device.id, "node"], &[("address", &node.address)])) title=(text::plain(&node.address, text::SHORT)) {
                (text::shown(if name.is_empty() { &node.address } else { name })) @if node.interior { "/" }
            }
            @if let Some(title) = &node.title { span.quiet { (text::shown(title)) } }
            @if let Some(value) = &node.value { span.is { (node_value(value)) } }
            span.when { (parts::age(visit.now, &node.seen)) }
        }
    }
}

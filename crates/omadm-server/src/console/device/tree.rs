//! The last known tree of a device, object by object, read as it is opened.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::command::node_value;
use super::{find, page};
use crate::console::data::{Device, KnownMo, Listed};
use crate::console::failure::Failure;
use crate::console::frame::{Page, Part};
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Nodes that are read at a time.
const SHOWN: &str = "100";
/// Objects that are listed.
const MAX_OBJECTS: usize = 500;
/// Deepest indentation that is shown.
const DEEPEST: usize = 8;

/// A node of the last known tree.
#[derive(Debug, Deserialize)]
pub struct Node {
    pub address: String,
    pub value: Option<Value>,
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
    /// A management object.
    #[serde(default)]
    mo: String,
    /// An address.
    #[serde(default)]
    at: String,
    #[serde(default)]
    after: String,
}

impl Wanted {
    /// The address below which nodes are wanted; empty for all of them.
    fn place(&self) -> &str {
        if self.at.is_empty() { &self.mo } else { &self.at }
    }
}

/// Shows the objects, or the nodes of one.
pub async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let place = wanted.place();
    let body = if place.is_empty() {
        html! { (jump(&device)) (objects(&device)) }
    } else {
        let found = read(&visit, &device, place, &wanted.after).await?;
        html! {
            (jump(&device))
            section.card {
                h2.mono { (text::shown(place)) }
                (rows(&visit, &device, place, &found, place))
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
    let place = wanted.place();
    let found = read(&visit, &device, place, &wanted.after).await?;
    Ok(Part(rows(&visit, &device, place, &found, place)))
}

async fn read(visit: &Visit, device: &Device, place: &str, after: &str) -> Result<Listed<Node>, Failure> {
    let query = [("at", place), ("after", after), ("limit", SHOWN)];
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
        @if objects.is_empty() { div.card { (parts::nothing("It has not reported its management objects yet.")) } }
        @for object in objects.iter().take(MAX_OBJECTS) { (object_of(device, object)) }
        section.card {
            h2 { "Everything that is known" }
            p { a href=(path(&["devices", &device.id, "tree"], &[("at", ".")])) { "Nodes from the root" } " of a device of DM 1.x." }
        }
    }
}

fn object_of(device: &Device, object: &KnownMo) -> Markup {
    let name = object.model.as_deref().map_or_else(|| object.moid.clone(), str::to_owned);
    let instances: Vec<&str> = if object.miids.is_empty() {
        vec![""]
    } else {
        object.miids.iter().map(String::as_str).take(50).collect()
    };
    html! {
        section.card.object {
            h2 { (text::shown(&name)) }
            p.quiet.mono { (text::shown(&object.moid)) }
            @for miid in instances {
                @let place = format!("{}/{miid}", object.moid);
                details {
                    summary { "Instance " @if miid.is_empty() { "without a name" } @else { (text::shown(miid)) } }
                    div hx-get=(path(&["devices", &device.id, "nodes"], &[("at", &place)])) hx-trigger="toggle from:closest details once" {
                        p { a href=(path(&["devices", &device.id, "tree"], &[("at", &place)])) { "Show its nodes" } }
                    }
                }
            }
        }
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

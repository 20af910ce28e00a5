//! One delegation, device by device.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Delegation, acts};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Devices on a page.
const SHOWN: &str = "50";
/// Nodes of a device that are shown.
const NODES: usize = 20;

/// A delegation on one device.
#[derive(Deserialize)]
struct OnDevice {
    device: String,
    state: String,
    nodes: Vec<Node>,
    status: Option<u16>,
    reason: Option<String>,
    command: Option<String>,
}

/// A node of it.
#[derive(Deserialize)]
struct Node {
    node: String,
}

/// Shows a delegation.
pub async fn show(visit: Visit, Path(id): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let here = ["delegations", id.as_str()];
    let delegation: Delegation = visit.read(&path(&here, &[])).await?;
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let devices: Listed<OnDevice> = visit.read(&path(&["delegations", &id, "devices"], &query)).await?;
    let first = (!at.after.is_empty()).then(|| path(&here, &[]));
    let next = devices.next.as_ref().map(|next| path(&here, &[("after", next)]));
    let body = html! {
        div.card {
            @if delegation.to_decide { p.warning { "The other server waits for somebody here to decide on it." } }
            (facts(&visit, &delegation))
            @if let Some(reason) = &delegation.reason { p.said { (text::shown_long(reason)) } }
        }
        section.card {
            h2 { "Devices" }
            (counts(&delegation))
            (table(&visit, &devices))
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    };
    Ok(Page::new(
        format!("Delegation {} {}", delegation.direction(), delegation.peer),
        parts::live(&visit, "delegation", &body),
    )
    .below(html! { a href="/delegations" { "Delegations" } })
    .with(acts::links(&visit, &delegation))
    .live("kind=delegation,command".to_owned()))
}

fn facts(visit: &Visit, of: &Delegation) -> Markup {
    let time = |time: &Option<String>, never| parts::age_or(visit.now, time.as_deref(), never);
    let whose = match of.role.as_str() {
        "delegating" => "this server gives its own",
        _ => "this server gets those of the other",
    };
    let end = match &of.session_id {
        Some(session) => html! { "with the session " (text::shown(session)) },
        None => time(&of.not_after, "never"),
    };
    let mut facts = vec![
        ("State", html! { (parts::state(&of.state)) }),
        ("Whose rights", html! { (whose) }),
        ("Rights", html! { (text::shown(&of.rights)) @if of.exclusive { ", and nobody else keeps them" } }),
        ("On", html! { @for target in of.targets.iter().take(NODES) { div.mono { (text::shown(target)) } } }),
        ("Made", parts::age(visit.now, &of.created)),
        ("Last change", parts::age(visit.now, &of.updated)),
        ("Begins", time(&of.not_before, "at once")),
        ("Ends", end),
        ("Name between the servers", html! { span.mono { (text::shown(&of.name)) } }),
    ];
    facts.extend(of.approved_by.as_ref().map(|by| ("Approved by", text::shown(by))));
    facts.extend(
        of.certificate
            .as_ref()
            .map(|print| ("Certificate of the other", html! { span.mono { (text::shown(print)) } })),
    );
    parts::facts(facts)
}

fn counts(of: &Delegation) -> Markup {
    let count = |state: &str| of.devices.get(state).copied().unwrap_or_default();
    let part = |name, value, class| parts::chart::Part { name, value, class };
    parts::chart::stacked(
        "Devices",
        &[
            part("active", count("active"), "good"),
            part("under way", count("applying") + count("revoking"), "busy"),
            part("failed", count("failed"), "bad"),
            part("waiting or ended", count("pending") + count("ended"), "idle"),
        ],
    )
}

fn table(visit: &Visit, devices: &Listed<OnDevice>) -> Markup {
    let may_see = visit.may("GET", "/commands/{command}");
    let row = |one: &OnDevice| {
        vec![
            html! { a href=(path(&["devices", &one.device], &[])) { (text::shown(&one.device)) } },
            html! { (parts::state(&one.state)) @if let Some(status) = one.status { " " span.quiet { (status) } } },
            html! {
                @for node in one.nodes.iter().take(NODES) { div.mono { (text::shown(&node.node)) } }
                @if one.nodes.len() > NODES { p.quiet { "… and " (text::number(one.nodes.len() - NODES)) " more." } }
            },
            html! {
                @if let Some(reason) = &one.reason { (text::shown_long(reason)) }
                @if let Some(command) = one.command.as_ref().filter(|_| may_see) { " " a href=(path(&["commands", command], &[])) { "the command it waits for" } }
            },
        ]
    };
    let rows: Vec<_> = devices.items.iter().map(row).collect();
    html! {
        @if rows.is_empty() { (parts::nothing("It is about no device that is known here.")) } @else {
            (parts::table("Devices", &parts::head(&["Device", "State", "Nodes", "Why"]), &rows))
        }
    }
}

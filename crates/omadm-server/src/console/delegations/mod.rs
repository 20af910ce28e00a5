//! Delegations: rights on devices that servers give each other for a time.

mod acts;
mod make;
mod show;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::Console;
use super::data::{After, Listed};
use super::failure::Failure;
use super::frame::Page;
use super::visit::{Visit, path};
use super::{parts, text};

/// Delegations on a page.
const SHOWN: &str = "50";

/// The pages of delegations.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/delegations", get(list))
        .route("/delegations/new", get(make::ask).post(make::make))
        .route("/delegations/{delegation}", get(show::show))
        .route("/delegations/{delegation}/{act}", get(acts::ask).post(acts::act))
}

/// A delegation.
#[derive(Deserialize)]
struct Delegation {
    id: String,
    name: String,
    peer: String,
    role: String,
    state: String,
    to_decide: bool,
    created: String,
    updated: String,
    targets: Vec<String>,
    rights: String,
    exclusive: bool,
    not_before: Option<String>,
    not_after: Option<String>,
    session_id: Option<String>,
    approved_by: Option<String>,
    certificate: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    devices: BTreeMap<String, u64>,
}

impl Delegation {
    /// Which way the rights go, in words.
    fn direction(&self) -> &'static str {
        match self.role.as_str() {
            "delegating" => "to",
            _ => "from",
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "ended" | "rejected" | "failed")
    }
}

/// How servers know each other.
#[derive(Deserialize)]
struct Peers {
    server_id: String,
    pin: String,
    path: String,
    peers: Vec<Peer>,
}

/// Another server.
#[derive(Deserialize)]
struct Peer {
    server_id: String,
    url: String,
    allow_redelegation: bool,
    accept_offers: bool,
    contract: Option<String>,
}

/// The servers that this one knows, or why it knows none.
async fn peers(visit: &Visit) -> Result<Result<Peers, Failure>, Failure> {
    match visit.read("/delegations/peers").await {
        Err(failure) if failure.status() == StatusCode::CONFLICT => Ok(Err(failure)),
        other => other.map(Ok),
    }
}

/// Shows delegations, newest first.
pub async fn list(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<Delegation> = visit.read(&path(&["delegations"], &query)).await?;
    let peers = peers(&visit).await?;
    let body = html! {
        p.quiet { "Another server can be given some of this server's rights on a device, or give some of its own to this one: for a day, for a session, or for good. What counts is what is then written on the device." }
        (parts::live(&visit, "delegations", &html! { section.card { h2 { "Delegations" } (table(&visit, &found, &at)) } }))
        section.card { h2 { "The servers" } (servers(&peers)) }
    };
    let may_make = peers.is_ok() && visit.may("POST", "/delegations");
    Ok(Page::new("Delegations", body)
        .with(html! { @if may_make { a.button.main href="/delegations/new" { "New delegation" } } })
        .live("kind=delegation".to_owned()))
}

fn table(visit: &Visit, found: &Listed<Delegation>, at: &After) -> Markup {
    let row = |one: &Delegation| {
        vec![
            html! { a href=(path(&["delegations", &one.id], &[])) { (one.direction()) " " (text::shown(&one.peer)) } div.quiet.mono { (text::shown(&one.name)) } },
            html! { (parts::state(&one.state)) @if one.to_decide { " " (parts::word("to decide")) } },
            text::shown(&one.rights),
            html! { @for target in one.targets.iter().take(3) { div.mono { (text::shown(target)) } } @if one.targets.len() > 3 { "…" } },
            parts::age(visit.now, &one.updated),
        ]
    };
    let rows: Vec<_> = found.items.iter().map(row).collect();
    let first = (!at.after.is_empty()).then_some("/delegations");
    let next = found.next.as_ref().map(|next| path(&["delegations"], &[("after", next)]));
    html! {
        @if rows.is_empty() { (parts::nothing("There is no delegation.")) } @else {
            (parts::table("Delegations", &parts::head(&["Server", "State", "Rights", "On", "Last change"]), &rows))
        }
        (parts::pager(first, next.as_deref()))
    }
}

/// How this server and others know each other.
fn servers(peers: &Result<Peers, Failure>) -> Markup {
    let peers = match peers {
        Ok(peers) => peers,
        Err(failure) => return html! { p { (text::shown_long(failure.detail())) } },
    };
    let row = |peer: &Peer| {
        let yes = |is: bool| if is { "yes" } else { "no" };
        vec![
            text::shown(&peer.server_id),
            html! { span.mono { (text::shown(&peer.url)) } },
            html! { (yes(peer.accept_offers)) },
            parts::known(peer.contract.as_deref()),
            html! { (yes(peer.allow_redelegation)) },
        ]
    };
    let rows: Vec<_> = peers.peers.iter().map(row).collect();
    let head = [
        "Server",
        "Address",
        "Its offers are taken without asking",
        "What it gets without asking",
        "May pass on",
    ];
    html! {
        @if rows.is_empty() { (parts::nothing("No other server is configured (delegation.peers).")) } @else {
            (parts::table("Servers", &parts::head(&head), &rows))
        }
        h3 { "What others have to know of this one" }
        (parts::facts(vec![
            ("Server id", text::shown(&peers.server_id)),
            ("Path", html! { span.mono { (text::shown(&peers.path)) } }),
            ("Key of its certificate", html! { span.mono { (text::shown(&peers.pin)) } }),
        ]))
    }
}

//! What the server runs with, and what it does at the moment.

mod values;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::data::Listed;
use super::failure::Failure;
use super::frame::Page;
use super::parts::{self, Tab};
use super::text;
use super::visit::{Visit, path};
use crate::operator::problem::Problem;
use values::{Setting, list};

/// Settings that are read at once: more than there are.
const READ: &str = "500";

/// The pages of settings.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/given", get(given))
        .route("/settings/sections", get(sections))
        .route("/settings/sections/{section}", get(section))
}

/// What the process does.
#[derive(Debug, Deserialize)]
struct State {
    node: String,
    started: String,
    listeners: Vec<Listener>,
    store: Store,
    leases: Vec<Lease>,
    sessions_open: i64,
    resident_memory: i64,
    ddf_files: usize,
}

#[derive(Debug, Deserialize)]
struct Listener {
    setting: String,
    address: String,
    tls: bool,
}

#[derive(Debug, Deserialize)]
struct Store {
    kind: String,
    place: String,
    works: bool,
    waiting: usize,
}

#[derive(Debug, Deserialize)]
struct Lease {
    work: String,
    owner: String,
    expires: String,
}

fn page(current: &str, body: &Markup) -> Page {
    let tab = |name, href: &str| Tab { name, href: href.to_owned(), current: href == current };
    let tabs = [
        tab("State", "/settings"),
        tab("What was set", "/settings/given"),
        tab("All settings", "/settings/sections"),
    ];
    Page::new("Settings", html! { (parts::tabs("Settings", &tabs)) (body) })
}

/// Shows what the server does.
pub async fn show(visit: Visit) -> Result<Page, Failure> {
    let state: State = visit.read(&path(&["server", "state"], &[])).await?;
    let body = html! {
        section.card {
            h2 { "This node" }
            (parts::facts(vec![
                ("Version", html! { (env!("CARGO_PKG_VERSION")) }),
                ("Started", parts::age(visit.now, &state.started)),
                ("Its chain in the audit log", html! { span.mono { (text::shown(&state.node)) } }),
                ("Sessions that go on", html! { (text::number(state.sessions_open)) }),
                ("Memory", html! { @if state.resident_memory > 0 { (text::octets(state.resident_memory)) } @else { (parts::known(None)) } }),
                ("DDF files", html! { (text::number(state.ddf_files)) }),
            ]))
        }
        section.card { h2 { "Where it listens" } (listeners(&state.listeners)) }
        section.card {
            h2 { "Store" }
            (parts::facts(vec![
                ("Kind", text::shown(match state.store.kind.as_str() { "sqlite" => "SQLite, of this node alone", "postgresql" => "PostgreSQL, shared by nodes", other => other })),
                ("Place", html! { span.mono { (text::shown(&state.store.place)) } }),
                ("State", if state.store.works { parts::state("ok") } else { parts::state("failed") }),
                ("Writes that wait", html! { (text::number(state.store.waiting)) }),
            ]))
        }
        section.card { h2 { "What one node does at a time" } (leases(&visit, &state.leases)) }
    };
    Ok(page("/settings", &parts::live(&visit, "state", &body)))
}

fn listeners(listeners: &[Listener]) -> Markup {
    let rows: Vec<_> = listeners
        .iter()
        .map(|one| {
            let section = one.setting.rsplit_once('.').map_or("", |(section, _)| section);
            let whom = match section {
                "device" => "devices",
                "operator" => "people and programs",
                "delegation" => "other servers",
                "dm1.obex" => "devices, by OBEX",
                other => other,
            };
            vec![
                html! { (whom) },
                html! { span.mono { (text::shown(&one.address)) } },
                if one.tls { parts::word("TLS") } else { html! { span.quiet { "no TLS" } } },
                html! { a.mono href=(path(&["settings", "sections", section], &[])) { (text::shown(&one.setting)) } },
            ]
        })
        .collect();
    parts::table("Where it listens", &parts::head(&["For", "Address", "", "Setting"]), &rows)
}

fn leases(visit: &Visit, leases: &[Lease]) -> Markup {
    let rows: Vec<_> = leases
        .iter()
        .take(parts::ROWS)
        .map(|lease| {
            vec![
                text::shown(&lease.work),
                html! { span.mono { (text::shown(&lease.owner)) } },
                parts::age(visit.now, &lease.expires),
            ]
        })
        .collect();
    html! {
        @if rows.is_empty() { (parts::nothing("This node does all of it: no other can use its store.")) } @else {
            p.quiet { "Notifications, retention and campaigns are work of one node at a time. When it dies, another takes them over after " code { "store.lease" } "." }
            (parts::table("Leases", &parts::head(&["Work", "Process", "Another may take it over"]), &rows))
        }
    }
}

/// Shows the settings that somebody gave.
pub async fn given(visit: Visit) -> Result<Page, Failure> {
    let query = [("given", "true"), ("limit", READ)];
    let found: Listed<Setting> = visit.read(&path(&["settings"], &query)).await?;
    let body = html! {
        div.card {
            (how())
            @if found.items.is_empty() { (parts::nothing("Nothing: everything is as it is unless somebody sets it.")) } @else {
                (list(&found.items))
            }
        }
    };
    Ok(page("/settings/given", &body))
}

/// How settings are made.
fn how() -> Markup {
    html! {
        p { "Settings stand in the configuration file of the server or in its environment, and count from its next start. They cannot be changed here." }
    }
}

/// Shows the sections.
pub async fn sections(visit: Visit) -> Result<Page, Failure> {
    let found: Listed<Setting> = visit.read(&path(&["settings"], &[("limit", READ)])).await?;
    // Section by section, as they are listed.
    let sections = found.items.chunk_by(|one, next| one.section() == next.section());
    let rows: Vec<_> = sections
        .filter_map(|settings| Some((settings.first()?.section(), settings)))
        .map(|(name, settings)| {
            let given = settings.iter().filter(|setting| setting.given).count();
            vec![
                html! { a.mono href=(path(&["settings", "sections", name], &[])) { (text::shown(name)) } },
                html! { span.number { (text::number(settings.len())) } },
                html! { span.number { (text::number(given)) } },
            ]
        })
        .collect();
    let body = html! {
        div.card {
            (how())
            (parts::table("Sections", &parts::head(&["Section", "Settings", "Of them set"]), &rows))
        }
    };
    Ok(page("/settings/sections", &body))
}

/// Shows the settings of a section.
pub async fn section(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let query = [("section", name.as_str()), ("limit", READ)];
    let found: Listed<Setting> = visit.read(&path(&["settings"], &query)).await?;
    if found.items.is_empty() {
        return Err(Problem::unknown("there is no such section; the list shows those that are").into());
    }
    let body = html! { div.card { (list(&found.items)) } };
    Ok(Page::new(format!("[{name}]"), body).below(
        html! { a href="/settings" { "Settings" } " › " a href="/settings/sections" { "All settings" } },
    ))
}

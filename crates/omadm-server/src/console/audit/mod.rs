//! The audit log: who wanted what and what came of it, the newest first, and the ends of its chains.

mod entry;
mod words;

use std::collections::{HashMap, HashSet};

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::Console;
use super::data::Listed;
use super::failure::Failure;
use super::frame::Page;
use super::parts::{self, Tab};
use super::text;
use super::visit::{Visit, path};
use crate::operator::problem::Problem;
use words::{Outcome, asked, deed};

/// Entries on a page.
const SHOWN: &str = "100";

/// What requests can be about: where their paths begin, in words.
const SUBJECTS: &[(&str, &str)] = &[
    ("", "anything"),
    ("/devices", "devices and their commands"),
    ("/commands", "commands that were queued"),
    ("/bootstrap", "bootstraps"),
    ("/groups", "groups"),
    ("/imports", "imports"),
    ("/profiles", "profiles"),
    ("/campaigns", "campaigns"),
    ("/packages", "packages"),
    ("/ddfs", "DDF files"),
    ("/pages", "pages for users of devices"),
    ("/delegations", "delegations between servers"),
    ("/webhooks", "webhooks"),
    ("/users", "users"),
    ("/tokens", "tokens"),
    ("/me", "own passwords"),
    ("/log", "logins and logouts"),
];
/// What can have come of them.
const OUTCOMES: &[(&str, &str)] =
    &[("", "anything"), ("refused", "refused for want of rights"), ("unknown", "not known since a crash")];

/// The pages of the audit log.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/audit", get(show))
        .route("/audit/heads", get(heads))
        .route("/audit/{chain}/{seq}", get(entry::show))
}

/// An entry.
#[derive(Debug, Deserialize)]
struct Entry {
    chain: String,
    seq: i64,
    time: String,
    prev: String,
    hash: String,
    entry: String,
}

impl Entry {
    fn said(&self) -> Value {
        serde_json::from_str(&self.entry).unwrap_or_default()
    }

    fn href(&self) -> String {
        path(&["audit", &self.chain, &self.seq.to_string()], &[])
    }
}

/// The last entry of a chain.
#[derive(Debug, Deserialize)]
struct Head {
    chain: String,
    seq: i64,
    hash: String,
}

/// Which entries are shown.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    by: String,
    #[serde(default)]
    on: String,
    #[serde(default)]
    route: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    after: String,
}

impl Wanted {
    /// As a query of the page, and of the API, which call all of it the same.
    fn query<'w>(&'w self, after: &'w str) -> Vec<(&'w str, &'w str)> {
        vec![
            ("by", self.by.trim()),
            ("on", self.on.trim()),
            ("route", &self.route),
            ("outcome", &self.outcome),
            ("until", self.until.trim()),
            ("after", after),
        ]
    }

    fn href(&self, after: &str) -> String {
        path(&["audit"], &self.query(after))
    }

    fn is_narrow(&self) -> bool {
        [&self.by, &self.on, &self.route, &self.outcome].iter().any(|text| !text.trim().is_empty())
    }
}

/// Shows entries.
pub async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Result<Page, Failure> {
    let mut query = wanted.query(&wanted.after);
    query.push(("limit", SHOWN));
    let found = visit.read::<Listed<Entry>>(&path(&["audit"], &query)).await;
    let (found, problem) = match found {
        Ok(found) => (found, None),
        // What was asked for is kept, with why it cannot be answered.
        Err(failure) if failure.status() == http::StatusCode::BAD_REQUEST => {
            (Listed::default(), Some(failure.0))
        }
        Err(failure) => return Err(failure),
    };
    let requests = requests(&visit, &found.items);
    let first = (!wanted.after.is_empty()).then(|| wanted.href(""));
    let next = found.next.as_ref().map(|next| wanted.href(next));
    let body = html! {
        (tabs("/audit"))
        (narrowing(&wanted, problem.as_ref()))
        @if problem.is_none() {
            div.card {
                @if !requests.is_empty() {
                    ul.entries { @for one in &requests { (one) } }
                } @else if next.is_some() {
                    (parts::nothing("Nothing like it is among the entries that were looked through. There are older ones."))
                } @else { (parts::nothing("There is nothing like it in the log.")) }
                @if next.is_some() && wanted.is_narrow() {
                    p.quiet { "A page looks through some thousand entries; the next page goes on from there." }
                }
                (parts::pager(first.as_deref(), next.as_deref()))
            }
        }
    };
    Ok(Page::new("Audit log", body).with(export()))
}

fn tabs(current: &str) -> Markup {
    let tab = |name, href: &str| Tab { name, href: href.to_owned(), current: href == current };
    parts::tabs("Audit log", &[tab("Entries", "/audit"), tab("Ends of the chains", "/audit/heads")])
}

fn export() -> Markup {
    html! { a.button href="/api/v1/audit/export" download="audit.jsonl" { "Export all" } }
}

/// What is shown of the log.
fn narrowing(wanted: &Wanted, problem: Option<&Problem>) -> Markup {
    let field = |name, label, value, hint| parts::Field {
        name,
        label,
        value,
        hint,
        is_exact: true,
        ..parts::Field::default()
    };
    let until = parts::Field {
        faults: problem.map(Problem::detail).into_iter().collect(),
        example: "2026-11-22T08:30:00Z",
        ..field("until", "Before", &wanted.until, "A time in UTC.")
    };
    html! {
        form.card method="get" action="/audit" {
            div.fields {
                (field("by", "Who", &wanted.by, "A part of a name, such as ann.").line())
                (field("on", "On what", &wanted.on, "A part of a path, such as a device.").line())
                (field("route", "About", &wanted.route, "").choice(SUBJECTS))
                (field("outcome", "Result", &wanted.outcome, "").choice(OUTCOMES))
                (until.line())
            }
            div.actions {
                button.main type="submit" { "Show" }
                a.button href="/audit" { "All" }
            }
        }
    }
}

/// Requests, each with what came of it: the entry on its end is one with that on its beginning, where both are here.
fn requests(visit: &Visit, entries: &[Entry]) -> Vec<Markup> {
    let said: Vec<(&Entry, Value)> = entries.iter().map(|entry| (entry, entry.said())).collect();
    let request = |said: &Value| said.get("request").and_then(Value::as_str).unwrap_or_default().to_owned();
    let begun: HashSet<String> = said
        .iter()
        .filter(|(_, said)| Outcome::of(said) == Outcome::Elsewhere)
        .map(|(_, said)| request(said))
        .collect();
    let mut outcomes = HashMap::new();
    let mut shown = Vec::new();
    for (entry, said) in &said {
        let mut outcome = Outcome::of(said);
        if said.get("by").is_none() && begun.contains(&request(said)) {
            outcomes.insert(request(said), outcome);
            continue;
        }
        if outcome == Outcome::Elsewhere {
            outcome = outcomes.remove(&request(said)).unwrap_or(outcome);
        }
        shown.push(one(visit, entry, said, outcome));
    }
    shown
}

fn one(visit: &Visit, entry: &Entry, said: &Value, outcome: Outcome) -> Markup {
    let word = |name: &str| said.get(name).and_then(Value::as_str);
    html! {
        li {
            div.row {
                (outcome.shown())
                @match word("by") {
                    Some(by) => span { b { (text::shown(by)) } ": " (deed(said)) },
                    None => span.quiet { "what came of an older entry" },
                }
            }
            @if let Some(body) = said.get("body") { div { (asked(body)) } }
            p.quiet {
                (parts::age(visit.now, &entry.time))
                @if let Some(from) = word("from") { " · from " (text::shown(from)) }
                " · " a href=(entry.href()) { "entry " (text::number(entry.seq)) }
            }
        }
    }
}

/// Shows the last entry of each chain.
pub async fn heads(visit: Visit) -> Result<Page, Failure> {
    let found: Listed<Head> = visit.read(&path(&["audit", "heads"], &[])).await?;
    let body = html! {
        (tabs("/audit/heads"))
        div.card {
            p { "Each node of the server writes a chain of its own, in which every entry holds the hash of the one before: whoever changes an entry, takes one out or puts one in breaks the chain." }
            p { "Keep these ends where nobody who can write to the database can change them. " code { "omadm audit verify" } " then also finds out whether a chain was written anew or cut off." }
            @if found.items.is_empty() { (parts::nothing("Nothing has been noted yet.")) }
            ul.entries {
                @for head in found.items.iter().take(parts::ROWS) {
                    li {
                        "Node " b.mono { (text::shown(&head.chain)) } ", "
                        a href=(path(&["audit", &head.chain, &head.seq.to_string()], &[])) { "entry " (text::number(head.seq)) }
                        p.mono.hash { (text::shown(&head.hash)) }
                    }
                }
            }
            @if found.items.len() > parts::ROWS { p.quiet { "… and " (text::number(found.items.len() - parts::ROWS)) " more nodes." } }
        }
    };
    Ok(Page::new("Audit log", body).with(export()))
}

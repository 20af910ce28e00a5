//! One entry of the audit log, as it is.

use axum::extract::Path;
use maud::{Markup, html};
use serde_json::Value;

use super::Entry;
use super::words::{Outcome, deed};
use crate::console::data::Listed;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::problem::Problem;

/// Shows an entry.
pub async fn show(visit: Visit, Path((chain, seq)): Path<(String, String)>) -> Result<Page, Failure> {
    let unknown =
        || Problem::unknown("there is no such entry; it may be older than what is kept (audit.keep_days)");
    let place: i64 = seq.parse().ok().filter(|place| *place > 0).ok_or_else(unknown)?;
    let before = (place - 1).to_string();
    let query = [("chain", chain.as_str()), ("after", &before), ("limit", "2")];
    let found: Listed<Entry> = visit.read(&path(&["audit"], &query)).await?;
    let entry = found.items.first().filter(|entry| entry.seq == place).ok_or_else(unknown)?;
    let said = entry.said();
    let body = html! {
        div.card { (about(&visit, entry, &said)) }
        section.card { h2 { "As it was written" } (text::block(&serde_json::to_string_pretty(&said).unwrap_or_default())) }
        section.card {
            h2 { "In its chain" }
            (parts::facts(vec![
                ("Hash of the entry before", html! { span.mono.hash { (text::shown(&entry.prev)) } }),
                ("Hash of this entry", html! { span.mono.hash { (text::shown(&entry.hash)) } }),
            ]))
        }
        nav.pager aria-label="Entries" {
            @if place > 1 { a.button href=(path(&["audit", &chain, &before], &[])) { "Entry before" } }
            @if let Some(after) = found.items.get(1) { a.button href=(after.href()) rel="next" { "Entry after" } }
        }
    };
    Ok(Page::new(format!("Entry {seq}"), body).below(html! { a href="/audit" { "Audit log" } }))
}

fn about(visit: &Visit, entry: &Entry, said: &Value) -> Markup {
    let known = |name: &str| parts::known(said.get(name).and_then(Value::as_str));
    parts::facts(vec![
        ("When", html! { (parts::age(visit.now, &entry.time)) " (" (text::shown(&entry.time)) ")" }),
        ("Who", known("by")),
        (
            "What",
            if said.get("by").is_some() {
                deed(said)
            } else {
                html! { "what came of an older entry" }
            },
        ),
        ("Result", Outcome::of(said).shown()),
        ("From", known("from")),
        ("Request", html! { span.mono { (known("request")) } }),
        ("Node", html! { span.mono { (text::shown(&entry.chain)) } }),
    ])
}

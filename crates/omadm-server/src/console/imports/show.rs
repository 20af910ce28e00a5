//! One import: how far it is, and its rows.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;

use super::Import;
use crate::console::data::Listed;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::chart::{Part, stacked};
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::PREFIX;

/// Rows on a page.
const SHOWN: &str = "100";

/// A row.
#[derive(Deserialize)]
struct Row {
    row: i64,
    id: String,
    outcome: String,
    reason: Option<String>,
}

/// Which rows are shown.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    all: String,
    #[serde(default)]
    after: String,
}

/// Shows an import.
pub async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, Failure> {
    let import: Import = visit.read(&path(&["imports", &id], &[])).await?;
    let has_faults = import.bad + import.failed > 0;
    let only_faults = has_faults && wanted.all.is_empty();
    let query = [
        ("faults", if only_faults { "true" } else { "false" }),
        ("limit", SHOWN),
        ("after", wanted.after.as_str()),
    ];
    let rows: Listed<Row> = visit.read(&path(&["imports", &id, "rows"], &query)).await?;
    let body = html! {
        div.card {
            p { (parts::state(&import.state)) " " (said(&import)) }
            @if let Some(detail) = &import.detail { p.problem { (text::shown_long(detail)) } }
            (progress(&import))
        }
        section.card {
            h2 { @if only_faults { "Rows that are bad" } @else { "Rows" } }
            @if has_faults { (choices(&id, only_faults)) }
            (table(&rows))
            (pager(&id, &wanted, &rows))
            div.actions { (downloads(&id, has_faults)) }
        }
    };
    let body = match import.is_over() {
        true => html! { div #import { (body) } },
        false => parts::polled(&visit, "import", &body),
    };
    let title = if import.dry_run { "Import, only checked" } else { "Import" };
    Ok(Page::new(title, html! {
        p.quiet { "Began " (parts::age(visit.now, &import.created)) ", sent by " (text::shown(&import.created_by)) "." }
        (body)
    })
    .below(html! { a href="/imports" { "Imports" } }))
}

/// What a state means.
fn said(import: &Import) -> &'static str {
    match import.state.as_str() {
        "reading" => "Its rows come in.",
        "checking" => "Its rows are compared with each other, and with the devices that are there.",
        "writing" => "Its rows are written.",
        "done" if import.failed > 0 => {
            "All is written but for the rows that failed, because something had changed since they were checked."
        }
        "done" => "All rows are written.",
        "checked" => "All rows are good. Nothing was written, as you wanted.",
        "refused" => "Some rows are bad, so nothing was written. Mend them and import the table again.",
        "failed" => "It did not come in whole, so nothing was written.",
        _ => "",
    }
}

fn progress(import: &Import) -> Markup {
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let wrong = number(import.bad + import.failed);
    let (gone, word) = match import.is_over() {
        true => (number(import.rows), "good"),
        false => (number(import.position.min(import.rows)), "gone through"),
    };
    let gone = gone.saturating_sub(wrong);
    let rest = number(import.rows).saturating_sub(gone).saturating_sub(wrong);
    stacked(
        "Rows",
        &[
            Part { name: word, value: gone, class: "good" },
            Part { name: "bad", value: wrong, class: "bad" },
            Part { name: "to come", value: rest, class: "idle" },
        ],
    )
}

fn choices(id: &str, only_faults: bool) -> Markup {
    html! {
        nav.chips aria-label="Which rows" {
            a.chip href=(path(&["imports", id], &[])) aria-current=[only_faults.then_some("true")] { "Bad rows" }
            a.chip href=(path(&["imports", id], &[("all", "yes")])) aria-current=[(!only_faults).then_some("true")] { "All rows" }
        }
    }
}

fn table(rows: &Listed<Row>) -> Markup {
    let row = |row: &Row| {
        vec![
            html! { span.number { (text::number(row.row)) } },
            html! { span.mono { (text::shown(&row.id)) } },
            html! { (parts::state(&row.outcome)) " " span.quiet { (meaning(&row.outcome)) } },
            html! { @if let Some(reason) = &row.reason { (text::shown_long(reason)) } },
        ]
    };
    let rows: Vec<_> = rows.items.iter().map(row).collect();
    html! {
        @if rows.is_empty() { (parts::nothing("There is no row to show.")) } @else {
            (parts::table("Rows", &parts::head(&["Row", "Device", "What it is", "Why"]), &rows))
        }
    }
}

fn meaning(outcome: &str) -> &'static str {
    match outcome {
        "read" => "not compared yet",
        "enrol" => "a new device",
        "replace" => "enrolled anew",
        "change" => "changes what people say",
        "failed" => "not written",
        _ => "",
    }
}

fn pager(id: &str, wanted: &Wanted, rows: &Listed<Row>) -> Markup {
    let href = |after: &str| path(&["imports", id], &[("all", &wanted.all), ("after", after)]);
    let first = (!wanted.after.is_empty()).then(|| href(""));
    let next = rows.next.as_ref().map(|next| href(next));
    parts::pager(first.as_deref(), next.as_deref())
}

fn downloads(id: &str, has_faults: bool) -> Markup {
    let href = |query: &[(&str, &str)]| format!("{PREFIX}{}", path(&["imports", id, "report"], query));
    html! {
        a.button href=(href(&[])) download="report.csv" { "Download the report" }
        @if has_faults { a.button href=(href(&[("faults", "true")])) download="faults.csv" { "Download the bad rows" } }
    }
}

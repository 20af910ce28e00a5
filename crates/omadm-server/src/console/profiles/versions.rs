//! The versions of a profile, one of them, and what is different between two.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;

use super::data::{Diff, Version};
use super::{above, href, page, words};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::PREFIX;

/// Versions on a page. Each comes with its document.
const SHOWN: &str = "20";
/// Wishes on a page.
const WISHES: usize = 100;
/// Differences that are shown.
const DIFFERENCES: usize = 200;

/// Lists versions, newest first.
pub async fn list(
    visit: Visit,
    Path(name): Path<String>,
    Query(after): Query<After>,
) -> Result<Page, Failure> {
    let query = [("after", after.after.as_str()), ("limit", SHOWN)];
    let found: Listed<Version> = visit.read(&path(&["profiles", &name, "versions"], &query)).await?;
    let first = (!after.after.is_empty()).then(|| href(&name, "versions", &[]));
    let next = found.next.as_ref().map(|next| href(&name, "versions", &[("after", next)]));
    let body = html! {
        div.card {
            p.quiet { "A version never changes. Which one counts is said where the profile is assigned." }
            (table(&visit, &found.items))
            (parts::pager(first.as_deref(), next.as_deref()))
        }
        @if found.items.len() > 1 { section.card { h2 { "Compare two versions" } (compare(&name, &found.items)) } }
    };
    Ok(page(&visit, &name, "versions", &parts::live(&visit, "versions", &body)))
}

fn table(visit: &Visit, versions: &[Version]) -> Markup {
    let may_edit = visit.may("PUT", "/profiles/{name}");
    let row = |one: &Version| {
        let number = one.version.to_string();
        let before = (one.version - 1).to_string();
        vec![
            html! { a href=(path(&["profiles", &one.name, "versions", &number], &[])) { "Version " (number) } },
            parts::age(visit.now, &one.created),
            text::shown(&one.created_by),
            html! { span.number { (text::number(words::wishes(&one.document).len())) } },
            html! {
                div.actions {
                    @if one.version > 1 { a.button.small href=(href(&one.name, "diff", &[("from", &before), ("to", &number)])) { "What changed" } }
                    @if may_edit { a.button.small href=(href(&one.name, "edit", &[("version", &number)])) { "Begin from it" } }
                }
            },
        ]
    };
    let rows: Vec<_> = versions.iter().map(row).collect();
    parts::table("Versions", &parts::head(&["Version", "Stored", "By", "Things wanted", "Actions"]), &rows)
}

fn compare(name: &str, versions: &[Version]) -> Markup {
    let choice = |id: &str, label: &str, chosen: Option<&Version>| {
        html! {
            div.stack {
                label for=(id) { (label) }
                select id=(id) name=(id) {
                    @for one in versions {
                        option value=(one.version) selected[chosen.is_some_and(|chosen| chosen.version == one.version)] { "Version " (one.version) }
                    }
                }
            }
        }
    };
    html! {
        form.row method="get" action=(href(name, "diff", &[])) {
            (choice("from", "Before", versions.get(1))) (choice("to", "After", versions.first()))
            button type="submit" { "Compare" }
        }
    }
}

/// Where in the wishes of a version a page begins.
#[derive(Default, Deserialize)]
pub struct From {
    #[serde(default)]
    from: usize,
}

/// Shows one version.
pub async fn show(
    visit: Visit,
    Path((name, number)): Path<(String, String)>,
    Query(From { from }): Query<From>,
) -> Result<Page, Failure> {
    let segments = ["profiles", &name, "versions", &number];
    let here = |from: usize| path(&segments, &[("from", &from.to_string())]);
    let version: Version = visit.read(&path(&segments, &[])).await?;
    let wishes = words::wishes(&version.document);
    let first = (from > 0).then(|| path(&segments, &[]));
    let next = (from.saturating_add(WISHES) < wishes.len()).then(|| here(from + WISHES));
    let source = format!("{PREFIX}{}", path(&segments, &[]));
    let body = html! {
        section.card {
            h2 { "What it wants" }
            @if !version.document.description.is_empty() { (text::block(&version.document.description)) }
            @if wishes.is_empty() { (parts::nothing("Nothing.")) }
            ol.wishes start=(from.saturating_add(1)) { @for wish in wishes.iter().skip(from).take(WISHES) { li { (words::wish(wish)) } } }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
        section.card { h2 { "How" } (parts::facts(words::rules(&version.document))) }
        p.quiet { "Stored " (parts::age(visit.now, &version.created)) " by " (text::shown(&version.created_by)) "." }
    };
    let may_try = visit.may("POST", "/profiles/{name}/dry-run");
    let may_edit = visit.may("PUT", "/profiles/{name}");
    Ok(Page::new(format!("{name}, version {}", version.version), body).below(above(&name)).with(html! {
        @if may_try { a.button href=(href(&name, "dry-run", &[("version", &number)])) { "Dry run" } }
        @if may_edit { a.button href=(href(&name, "edit", &[("version", &number)])) { "Begin from it" } }
        a.button href=(source) download={ (name) "-" (version.version) ".json" } { "Download JSON" }
    }))
}

/// Which versions are compared.
#[derive(Deserialize)]
pub struct Compared {
    from: String,
    #[serde(default)]
    to: String,
}

/// Shows what is different between two versions.
pub async fn diff(
    visit: Visit,
    Path(name): Path<String>,
    Query(compared): Query<Compared>,
) -> Result<Page, Failure> {
    let query = [("from", compared.from.as_str()), ("to", &compared.to)];
    let diff: Diff = visit.read(&path(&["profiles", &name, "diff"], &query)).await?;
    let title = format!("{name}: version {} and version {}", diff.from, diff.to);
    let (from, to) = (diff.from.to_string(), diff.to.to_string());
    Ok(Page::new(title, html! { div.card { (differences(&diff)) } }).below(above(&name)).with(html! {
        a.button href=(href(&name, "diff", &[("from", &to), ("to", &from)])) { "The other way round" }
    }))
}

/// The differences between two versions, as a table.
pub fn differences(diff: &Diff) -> Markup {
    if diff.differences.is_empty() {
        return parts::nothing("They say the same.");
    }
    let side = |what: &str, value: Option<&serde_json::Value>| match value {
        Some(value) => words::part(what, value),
        None => html! { span.quiet { "not mentioned" } },
    };
    let row = |one: &super::data::Difference| {
        let mood = match (&one.before, &one.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        vec![
            text::shown(words::called(&one.what)),
            parts::word(mood),
            side(&one.what, one.before.as_ref()),
            side(&one.what, one.after.as_ref()),
        ]
    };
    let rows: Vec<_> = diff.differences.iter().take(DIFFERENCES).map(row).collect();
    let before = html! { "Version " (diff.from) };
    let after = html! { "Version " (diff.to) };
    html! {
        (parts::table("Differences", &[html! { "What" }, html! { "Difference" }, before, after], &rows))
        @if diff.differences.len() > DIFFERENCES { p.quiet { "… and " (text::number(diff.differences.len() - DIFFERENCES)) " more." } }
    }
}

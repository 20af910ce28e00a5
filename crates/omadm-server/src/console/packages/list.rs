//! The packages there are.

use axum::extract::Query;
use maud::{Markup, html};

use super::Package;
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Packages on a page.
const SHOWN: &str = "50";

/// Shows packages, newest first.
pub async fn show(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    let query = [("after", at.after.as_str()), ("limit", SHOWN)];
    let found: Listed<Package> = visit.read(&path(&["packages"], &query)).await?;
    let rows: Vec<_> = found.items.iter().map(|package| row(&visit, package)).collect();
    let of = |after: &str| path(&["packages"], &[("after", after)]);
    let first = (!at.after.is_empty()).then(|| of(""));
    let next = found.next.as_deref().map(of);
    let body = html! {
        p { "A package is a file for devices: their firmware, or a software component. It never changes; a newer one has another version. Campaigns and profiles bring packages to devices." }
        div.card {
            @if rows.is_empty() { (parts::nothing("There is no package.")) } @else {
                (parts::table("Packages", &parts::head(&["Package", "For", "Models", "Size", "Signed", "Stored"]), &rows))
            }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    };
    Ok(Page::new("Packages", body).with(html! {
        @if visit.may("POST", "/packages") { a.button.main href="/packages/new" { "Upload a package" } }
    }))
}

fn row(visit: &Visit, package: &Package) -> Vec<Markup> {
    vec![
        html! { a href=(path(&["packages", &package.id], &[])) { b { (text::shown(&package.name)) } " " (text::shown(&package.version)) } },
        parts::word(&package.kind),
        package
            .model
            .as_deref()
            .map_or_else(|| html! { "all" }, |model| html! { span.mono { (text::shown(model)) } }),
        html! { span.number { (text::octets(package.size)) } },
        parts::known(package.signed_by.as_deref()),
        html! { (parts::age(visit.now, &package.created)) " by " (text::shown(&package.created_by)) },
    ]
}

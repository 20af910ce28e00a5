//! Bootstraps, by which devices get to know this server: those that were made, and a wizard that makes more.

mod answers;
mod archive;
mod details;
mod made;
mod picture;
mod questions;
mod show;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::data::Listed;
use super::failure::Failure;
use super::frame::Page;
use super::visit::{Visit, path};
use super::{parts, text};

/// Bootstraps on a page.
const SHOWN: &str = "50";
/// Those whose devices have not come yet.
const NEW: &str = "seen = never and state = active";

/// The pages of bootstraps.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/bootstraps", get(list))
        .route("/bootstraps/new", get(questions::ask).post(details::make))
        .route("/bootstraps/{id}", get(show::show))
        .route("/bootstraps/{id}/revoke", get(show::ask).post(show::revoke))
}

/// A bootstrap in a listing.
#[derive(Deserialize)]
struct Brief {
    id: String,
    label: String,
    state: String,
    enrolled: String,
    last_contact: Option<String>,
}

/// Which bootstraps are shown.
#[derive(Deserialize)]
pub struct Wanted {
    filter: Option<String>,
    #[serde(default)]
    after: String,
}

/// What a state means.
fn meaning(state: &str) -> &'static str {
    match state {
        "created" => "made; the device has not come yet",
        "sent" => "sent; the device has not come yet",
        "fetched" => "fetched by the device, which has begun no session yet",
        "seen" => "taken: the device has begun a session since",
        "revoked" => "taken back: the device has no access",
        _ => "",
    }
}

/// Shows bootstraps by their devices.
pub async fn list(visit: Visit, Query(wanted): Query<Wanted>) -> Result<Page, Failure> {
    let filter = wanted.filter.as_deref().unwrap_or(NEW).trim();
    let query = [("filter", filter), ("after", wanted.after.as_str()), ("limit", SHOWN)];
    let (found, problem) = match visit.read::<Listed<Brief>>(&path(&["bootstrap"], &query)).await {
        Ok(found) => (found, None),
        Err(failure) if failure.0.at().is_some() => (Listed::default(), Some(failure.0)),
        Err(failure) => return Err(failure),
    };
    let body = html! {
        p.quiet { "A bootstrap tells a device where this server is, and gives both of them the secrets by which they know each other." }
        div.card {
            (choices(filter))
            form.row.seek method="get" action="/bootstraps" {
                (parts::filter_field(filter, problem.as_ref()))
                button type="submit" { "Show" }
            }
        }
        @if problem.is_none() { (parts::live(&visit, "bootstraps", &html! { div.card { (table(&visit, &found, filter, &wanted.after)) } })) }
    };
    let may_make = visit.may("POST", "/bootstrap");
    Ok(Page::new("Bootstraps", body)
        .with(html! { @if may_make { a.button.main href="/bootstraps/new" { "New bootstrap" } } })
        .live("kind=device,session".to_owned()))
}

/// The address of the bootstraps that a filter means; an empty one means all, and not those that are shown at first.
fn href(filter: &str, after: &str) -> String {
    let query = path(&[], &[("filter", filter), ("after", after)]);
    let query = query.trim_start_matches(['/', '?']);
    match filter {
        "" => format!("/bootstraps?filter=&{query}"),
        _ => format!("/bootstraps?{query}"),
    }
}

fn choices(filter: &str) -> Markup {
    let kinds = [
        ("Not come yet", NEW),
        ("In use", "seen != never and state = active"),
        ("Taken back", "state = revoked"),
        ("All", ""),
    ];
    html! {
        nav.chips aria-label="Which bootstraps" {
            @for (name, meant) in kinds { a.chip href=(href(meant, "")) aria-current=[(meant == filter).then_some("true")] { (name) } }
        }
    }
}

fn table(visit: &Visit, found: &Listed<Brief>, filter: &str, after: &str) -> Markup {
    let row = |one: &Brief| {
        vec![
            html! {
                a href=(path(&["bootstraps", &one.id], &[])) { (text::shown(&one.id)) }
                @if !one.label.is_empty() { div.quiet { (text::shown(&one.label)) } }
            },
            html! { (parts::state(&one.state)) " " span.quiet { (meaning(&one.state)) } },
            parts::age(visit.now, &one.enrolled),
            parts::age_or(visit.now, one.last_contact.as_deref(), "never"),
        ]
    };
    let rows: Vec<_> = found.items.iter().map(row).collect();
    let first = (!after.is_empty()).then(|| href(filter, ""));
    let next = found.next.as_ref().map(|next| href(filter, next));
    html! {
        @if rows.is_empty() { (parts::nothing("There is none of these.")) } @else {
            (parts::table("Bootstraps", &parts::head(&["Device", "State", "Made", "Last contact"]), &rows))
        }
        (parts::pager(first.as_deref(), next.as_deref()))
    }
}

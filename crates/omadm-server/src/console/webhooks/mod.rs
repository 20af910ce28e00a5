//! Webhooks: programs elsewhere that are told of events.

mod new;
mod one;

use axum::Router;
use axum::routing::{get, post};
use maud::html;
use serde::Deserialize;

use super::Console;
use super::data::Listed;
use super::failure::Failure;
use super::frame::Page;
use super::visit::{Visit, path};
use super::{parts, text};

/// The pages of webhooks.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/webhooks", get(show).post(new::add))
        .route("/webhooks/{name}", get(one::show))
        .route("/webhooks/{name}/test", post(one::test))
        .route("/webhooks/{name}/replay", post(one::replay))
        .route("/webhooks/{name}/remove", get(one::ask_removal).post(one::remove))
}

/// A webhook.
#[derive(Deserialize)]
struct Webhook {
    name: String,
    url: String,
    kinds: Vec<String>,
    created: String,
    position: i64,
    attempts: u32,
    problem: Option<String>,
    due: Option<String>,
}

/// Shows the webhooks there are.
async fn show(visit: Visit) -> Result<Page, Failure> {
    page(&visit, None).await
}

/// The page of all of them, with what was typed for one that was refused.
async fn page(visit: &Visit, refused: Option<&new::Refused<'_>>) -> Result<Page, Failure> {
    let webhooks: Listed<Webhook> = visit.read(&path(&["webhooks"], &[])).await?;
    let row = |one: &Webhook| {
        vec![
            html! { a href=(path(&["webhooks", &one.name], &[])) { (text::shown(&one.name)) } },
            html! { span.mono { (text::shown(&one.url)) } },
            kinds(&one.kinds),
            standing(one),
        ]
    };
    let rows: Vec<_> = webhooks.items.iter().take(parts::ROWS).map(row).collect();
    let list = html! {
        section.card {
            h2 { "Programs that are told" }
            @if rows.is_empty() { (parts::nothing("There is none yet.")) } @else {
                (parts::table("Webhooks", &parts::head(&["Name", "Address", "Events", "Standing"]), &rows))
            }
        }
    };
    let body = html! {
        p.card { "A webhook tells a program elsewhere what happens here: the server sends it events over HTTPS, in order, each of them signed." }
        (parts::live(visit, "webhooks", &list))
        @if visit.may("POST", "/webhooks") { (new::card(visit, refused).await?) }
    };
    Ok(Page::new("Webhooks", body).live("kind=webhook".to_owned()))
}

fn kinds(kinds: &[String]) -> maud::Markup {
    html! {
        @if kinds.is_empty() { "all" }
        @for kind in kinds { (parts::word(kind)) " " }
    }
}

fn standing(one: &Webhook) -> maud::Markup {
    html! { @if one.attempts == 0 { (parts::state("ok")) } @else { (parts::state("failed")) " " (one.attempts) " times" } }
}

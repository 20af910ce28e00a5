//! A webhook: how it stands, what was given up, and sending it again.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Webhook, kinds, standing};
use crate::console::data::{After, Listed};
use crate::console::events::rfc3339;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::operator::problem::Problem;

/// Deliveries on a page.
const SHOWN: &str = "50";

/// A delivery that was given up.
#[derive(Deserialize)]
struct Dead {
    id: String,
    at: String,
    first: i64,
    last: i64,
    attempts: u32,
    problem: String,
}

/// An event, of which the place in the log counts.
#[derive(Deserialize)]
struct Place {
    cursor: i64,
}

/// How a delivery went.
#[derive(Deserialize)]
struct Tried {
    delivered: bool,
    status: Option<u16>,
    problem: Option<String>,
}

impl Tried {
    fn said(&self) -> String {
        let status = self.status.map(|status| format!(" with status {status}")).unwrap_or_default();
        let why = self.problem.as_deref().map(|problem| format!(": {problem}")).unwrap_or_default();
        match self.delivered {
            true => format!("It was taken{status}."),
            false => format!("It was not taken{status}{why}."),
        }
    }
}

/// Shows a webhook.
pub async fn show(visit: Visit, Path(name): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    page(&visit, &name, &at, None).await
}

/// The page of a webhook, with the time that was typed and why it was refused.
async fn page(visit: &Visit, name: &str, at: &After, refused: Option<(&str, &str)>) -> Result<Page, Failure> {
    let one: Webhook = visit.read(&path(&["webhooks", name], &[])).await?;
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let dead: Listed<Dead> = visit.read(&path(&["webhooks", name, "dead"], &query)).await?;
    let here = |part: &str| path(&["webhooks", &one.name, part], &[]);
    let may_replay = visit.may("POST", "/webhooks/{name}/replay");
    let stands = html! {
        section.card { h2 { "How it stands" } (facts(visit, &one)) }
        section.card { h2 { "Deliveries that were given up" } (given_up(visit, &one, &dead, at, may_replay)) }
    };
    let body = html! {
        (parts::live(visit, "webhook", &stands))
        @if may_replay { (again(visit, &one, refused)) }
        @if visit.may("DELETE", "/webhooks/{name}") {
            p { a.button.danger href=(here("remove")) { "Remove this webhook" } }
        }
    };
    let test = html! {
        @if visit.may("POST", "/webhooks/{name}/test") { (parts::button(visit, &here("test"), "Send a test", "")) }
    };
    Ok(Page::new(one.name.clone(), body)
        .below(html! { a href="/webhooks" { "Webhooks" } })
        .with(test)
        .live("kind=webhook".to_owned()))
}

fn facts(visit: &Visit, one: &Webhook) -> Markup {
    let mut facts = vec![
        ("Address", html! { span.mono { (text::shown(&one.url)) } }),
        ("Events", kinds(&one.kinds)),
        ("Standing", standing(one)),
        ("Added", parts::age(visit.now, &one.created)),
        ("Place in the log", html! { span.number { (one.position) } }),
    ];
    if let Some(due) = &one.due {
        facts.push(("Tried again", parts::age(visit.now, due)));
    }
    html! {
        (parts::facts(facts))
        @if let Some(problem) = &one.problem { p.said { "The last delivery failed: " (text::shown_long(problem)) } }
    }
}

fn given_up(visit: &Visit, one: &Webhook, dead: &Listed<Dead>, at: &After, may_replay: bool) -> Markup {
    let row = |letter: &Dead| {
        let send = html! {
            form method="post" action=(path(&["webhooks", &one.name, "replay"], &[])) {
                (visit.marks())
                input type="hidden" name="dead" value=(letter.id);
                button.small type="submit" aria-label={ "Send events " (letter.first) " to " (letter.last) " again" } { "Send again" }
            }
        };
        vec![
            parts::age(visit.now, &letter.at),
            html! { span.number { (letter.first) " to " (letter.last) } },
            html! { (letter.attempts) " times" },
            text::shown(&letter.problem),
            html! { @if may_replay { (send) } },
        ]
    };
    let rows: Vec<_> = dead.items.iter().map(row).collect();
    let here = ["webhooks", one.name.as_str()];
    let first = (!at.after.is_empty()).then(|| path(&here, &[]));
    let next = dead.next.as_ref().map(|next| path(&here, &[("after", next)]));
    html! {
        @if rows.is_empty() { (parts::nothing("None.")) } @else {
            (parts::table("Given up", &parts::head(&["When", "Events", "Tried", "Why", "Action"]), &rows))
        }
        (parts::pager(first.as_deref(), next.as_deref()))
    }
}

/// A form that sends all events of some time again.
fn again(visit: &Visit, one: &Webhook, refused: Option<(&str, &str)>) -> Markup {
    let (typed, why) = refused.unwrap_or_default();
    html! {
        section.card {
            h2 { "Send events again" }
            p { "All events from a time on that the log still has, also those that came well." }
            form.row.seek method="post" action=(path(&["webhooks", &one.name, "replay"], &[])) {
                (visit.marks())
                div.stack {
                    label for="since" { "From (UTC)" }
                    input #since type="datetime-local" name="since" value=(typed) required aria-describedby="again-fault" aria-invalid=[refused.map(|_| "true")];
                    div #again-fault { @if refused.is_some() { div.fault role="alert" { p { (text::shown_long(why)) } } } }
                }
                button type="submit" { "Send them again" }
            }
        }
    }
}

/// Sends a delivery without events.
pub async fn test(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    let tried = visit.act(Method::POST, &path(&["webhooks", &name, "test"], &[]), None).await?;
    Ok(told(&name, tried))
}

fn told(name: &str, tried: Value) -> Response {
    let said = serde_json::from_value::<Tried>(tried).map(|tried| tried.said());
    notice::redirect(&path(&["webhooks", name], &[]), &said.unwrap_or_else(|_| "It was sent.".to_owned()))
}

/// Sends again what was given up, or all from a time on.
pub async fn replay(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let to = path(&["webhooks", &name, "replay"], &[]);
    if let Some(dead) = form.filled("dead") {
        let tried = visit.act(Method::POST, &to, Some(json!({ "dead": dead }))).await?;
        return Ok(told(&name, tried));
    }
    let since = form.filled("since").unwrap_or_default();
    let found = match since {
        "" => Err(Problem::bad("say from when on").into()),
        since => {
            let query = [("since", &*rfc3339(since)), ("limit", "1")];
            visit.read::<Listed<Place>>(&path(&["events"], &query)).await
        }
    };
    let found = match found {
        Ok(found) => found,
        Err(failure) if failure.status().is_client_error() => {
            let page = page(&visit, &name, &After::default(), Some((since, failure.detail()))).await?;
            return Ok((failure.status(), page).into_response());
        }
        Err(failure) => return Err(failure),
    };
    let here = path(&["webhooks", &name], &[]);
    let Some(first) = found.items.first() else {
        return Ok(notice::redirect(&here, "The log has no event from that time on."));
    };
    visit.act(Method::POST, &to, Some(json!({ "after": first.cursor.saturating_sub(1) }))).await?;
    Ok(notice::redirect(&here, "The events are sent again."))
}

/// Asks before a webhook is removed.
pub async fn ask_removal(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let one: Webhook = visit.read(&path(&["webhooks", &name], &[])).await?;
    let question = Question {
        body: html! { p { "The program is told nothing any more, and what was given up is forgotten." } },
        action: &path(&["webhooks", &one.name, "remove"], &[]),
        word: "Remove it",
        fields: html! {},
        back: &path(&["webhooks", &one.name], &[]),
    };
    Ok(Page::new(format!("Remove {}?", one.name), parts::question(&visit, &question))
        .below(html! { a href="/webhooks" { "Webhooks" } }))
}

/// Removes a webhook.
pub async fn remove(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["webhooks", &name], &[]), None).await?;
    Ok(notice::redirect("/webhooks", &format!("The webhook {name} is removed.")))
}

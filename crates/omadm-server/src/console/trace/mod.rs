//! A session message by message.

mod diagram;
mod words;

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;

use super::data::Session;
use super::failure::Failure;
use super::frame::Page;
use super::visit::{Visit, path};
use super::{notice, parts, text};
use crate::indent::indented;

/// Messages that are shown; the others are in the download.
const SHOWN: usize = 60;
/// Characters of all bodies together that are shown.
const BODIES: usize = 30_000;
/// Characters of a body that are read: as many as are kept unless configured otherwise.
const BODY: usize = 64 << 10;

/// A session with its messages.
#[derive(Deserialize)]
struct Trace {
    session: Session,
    messages: Vec<Message>,
}

/// A message.
#[derive(Deserialize)]
struct Message {
    at: String,
    from_device: bool,
    summary: String,
    content_type: String,
    http_status: Option<u16>,
    length: i64,
    #[serde(default)]
    notes: Vec<String>,
    text: Option<String>,
    base64: Option<String>,
    #[serde(default)]
    cut: bool,
}

/// Shows a session.
pub async fn show(visit: Visit, Path((id, number)): Path<(String, i64)>) -> Result<Page, Failure> {
    let number = number.to_string();
    let source = path(&["devices", &id, "sessions", &number], &[]);
    let (bodies, length) = (SHOWN.to_string(), BODY.to_string());
    let part = path(&[], &[("bodies", &bodies), ("body_length", &length)]);
    let trace: Trace = visit.read(&format!("{source}{}", part.trim_start_matches('/'))).await?;
    let download = format!("/api/v1{source}");
    let may_abort = trace.session.outcome == "open" && visit.may("POST", "/devices/{id}/sessions/abort");
    let body = parts::live(&visit, "trace", &shown(&visit, &trace));
    Ok(Page::new(format!("Session {number}"), body)
        .below(html! {
            a href="/devices" { "Devices" } " › " a href=(path(&["devices", &id], &[])) { (text::shown(&id)) }
            " › " a href=(path(&["devices", &id, "sessions"], &[])) { "Sessions" }
        })
        .with(html! {
            (parts::state(&trace.session.outcome))
            @if may_abort { (parts::button(&visit, &path(&["devices", &id, "abort"], &[]), "End it", "danger")) }
            a.button href=(download) download=(format!("session-{number}.json")) { "Download" }
        })
        .live(path(&[], &[("device", &id), ("kind", "session,command")]).trim_start_matches("/?").to_owned()))
}

fn shown(visit: &Visit, trace: &Trace) -> Markup {
    let octets: i64 = trace.messages.iter().map(|message| message.length).sum();
    let said = words::of(&trace.messages);
    let mut left = BODIES;
    html! {
        div.card {
            (parts::facts(vec![
                ("Began", parts::age(visit.now, &trace.session.started)),
                ("Last message", parts::age(visit.now, &trace.session.updated)),
                ("Messages", html! { span.number { (text::number(trace.session.messages)) } }),
                ("On the wire", html! { (text::octets(octets)) }),
            ]))
        }
        @if !trace.messages.is_empty() {
            section.card { h2 { "At a glance" } (diagram::draw(&trace.messages)) }
        }
        @for (place, (message, said)) in trace.messages.iter().zip(&said).take(SHOWN).enumerate() {
            (one(visit, place, message, said, &mut left))
        }
        @if trace.messages.len() > SHOWN {
            p.quiet { "… and " (text::number(trace.messages.len() - SHOWN)) " more messages; the download has them all." }
        }
    }
}

fn one(visit: &Visit, place: usize, message: &Message, said: &[words::Said], left: &mut usize) -> Markup {
    let who = if message.from_device { "Device to server" } else { "Server to device" };
    html! {
        section.card.message id={ "message-" (place + 1) } {
            h2 { (place + 1) ". " (text::shown(&message.summary)) }
            p.quiet {
                (who) " · " (parts::age(visit.now, &message.at)) " · " (text::octets(message.length)) " · " (text::shown(&message.content_type))
                @if let Some(status) = message.http_status { " · HTTP " (status) }
            }
            @for note in &message.notes { p.note { (text::shown_long(note)) } }
            @if !said.is_empty() {
                ul.said {
                    @for one in said.iter().take(parts::ROWS) { li { (parts::state(one.mood)) " " (text::shown_long(&one.sentence)) } }
                }
            }
            @match (&message.text, &message.base64) {
                (Some(body), _) if body.is_empty() => p.quiet { "No body." },
                (Some(body), _) => (decoded(body, left)),
                (None, Some(base64)) => { p.quiet { "Not text; in base64:" } (cut(base64, left)) },
                (None, None) => {},
            }
            @if message.cut { p.quiet { "It goes on; the download has all that is kept." } }
        }
    }
}

/// A body for people: JSON and XML in lines.
fn decoded(body: &str, left: &mut usize) -> Markup {
    if *left == 0 {
        return cut(body, left);
    }
    let pretty = serde_json::from_str::<serde_json::Value>(body)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let pretty = pretty.or_else(|| indented(body));
    html! {
        details open[body.len() < 1_500] {
            summary { "What it says" }
            (cut(pretty.as_deref().unwrap_or(body), left))
        }
    }
}

/// A text, as far as there is room for it on the page.
fn cut(text: &str, left: &mut usize) -> Markup {
    let most = text::LONG.min(*left);
    *left = left.saturating_sub(text.len());
    match most {
        0 => html! { p.quiet { "This page is full; the download has it." } },
        most => text::block_of(text, most),
    }
}

/// Ends the session that a device has open.
pub async fn abort(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::POST, &path(&["devices", &id, "sessions", "abort"], &[]), None).await?;
    Ok(notice::redirect(&path(&["devices", &id, "sessions"], &[]), "The session ends with its next message."))
}

//! Enrolling a device by hand: its credentials are shown once, to be typed into it.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Field, Typed};
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::operator::problem::Problem;

/// What refusals say of fields.
const WORDS: &[(&str, &str)] = &[
    ("already enrolled", "replace"),
    ("device id", "id"),
    ("label", "label"),
    ("user name", "user"),
    ("pre-shared key", "secret"),
    ("secret", "secret"),
];

/// A device that was enrolled, and what it has to know.
#[derive(Deserialize)]
struct Enrolled {
    user: String,
    secret: String,
    server_id: String,
    server_uri: String,
    dm1: Vec<Dm1Server>,
}

/// A server of DM 1.x that it finds here.
#[derive(Deserialize)]
struct Dm1Server {
    server_id: String,
    server_uri: String,
    server_secret: String,
    notification_secret: Option<String>,
}

/// Asks what is to be enrolled.
pub async fn ask(visit: Visit) -> Result<Page, Failure> {
    visit.must("POST", "/devices")?;
    Ok(page(&visit, &Form::default(), None))
}

fn page(visit: &Visit, form: &Form, problem: Option<&Problem>) -> Page {
    let typed = Typed::new(form, problem, WORDS);
    let id = typed.exact(
        "id",
        "Device id",
        "What the device calls itself (DevID), such as IMEI: or UUID: and its number.",
    );
    let user = typed.exact(
        "user",
        "User name",
        "By which it logs in. If it stays empty: the device id with - in place of the colon.",
    );
    let secret = typed.exact(
        "secret",
        "Secret",
        "Of 16 to 256 characters, if the device has one already. If it stays empty, one is made.",
    );
    let ways = typed.exact(
        "addresses",
        "Ways to call it",
        "One on each line, such as udp:HOST, sms:NUMBER or https:HOST:PORT; none if it comes by itself.",
    );
    let body = html! {
        p.quiet { "A device that was bootstrapped is enrolled already. This is for one whose account you fill in yourself." }
        (typed.refusal())
        div.card {
            form.stack method="post" action="/devices/enrol" {
                (visit.marks())
                (Field { example: "IMEI:493005100592800", is_required: true, is_first: true, ..id }.line())
                (typed.field("label", "Name", "What people call it. It may stay empty.").line())
                (user.line())
                (secret.line())
                (typed.tick("psk", "It uses its secret as a key of TLS, too (PSK); this server then keeps the secret itself"))
                (typed.tick("replace", "Start anew if it is enrolled already: what waits for it and what is known of it is dropped"))
                @if visit.may("PUT", "/devices/{id}/push") { (ways.area(2)) }
                div.actions {
                    button.main type="submit" { "Enrol" }
                    a.button href="/devices" { "Go back" }
                }
            }
        }
        p.quiet { "Many at once: " a href="/imports" { "import a table" } ". With everything that a device has to know in one file: " a href="/bootstraps/new" { "make a bootstrap" } "." }
    };
    Page::new("Enrol a device", body).below(html! { a href="/devices" { "Devices" } })
}

/// Enrols a device.
pub async fn enrol(visit: Visit, form: Form) -> Result<Response, Failure> {
    let id = form.filled("id").unwrap_or_default();
    let texts = ["label", "user", "secret"].into_iter();
    let mut body: Map<_, _> =
        texts.filter_map(|name| Some((name.to_owned(), json!(form.filled(name)?)))).collect();
    body.insert("id".to_owned(), json!(id));
    for name in ["psk", "replace"] {
        body.insert(name.to_owned(), json!(form.get(name).is_some()));
    }
    let enrolled = match visit.act(Method::POST, "/devices", Some(body.into())).await {
        Ok(enrolled) => enrolled,
        Err(failure) if failure.status() == StatusCode::FORBIDDEN => return Err(failure),
        Err(failure) => return Ok((failure.status(), page(&visit, &form, Some(&failure.0))).into_response()),
    };
    let not_saved = ways(&visit, id, &form).await;
    Ok(made(id, enrolled, not_saved.as_ref())?.into_response())
}

/// Saves the ways to it; gives why they are not. What was enrolled is enrolled, and its secret has to be shown.
async fn ways(visit: &Visit, id: &str, form: &Form) -> Option<Failure> {
    let lines = form.get("addresses").unwrap_or_default().lines().map(str::trim);
    let addresses: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    if addresses.is_empty() {
        return None;
    }
    let body = json!({ "addresses": addresses });
    visit.act(Method::PUT, &path(&["devices", id, "push"], &[]), Some(body)).await.err()
}

fn made(id: &str, enrolled: Value, not_saved: Option<&Failure>) -> Result<Page, Failure> {
    let enrolled: Enrolled = serde_json::from_value(enrolled).map_err(|error| {
        tracing::error!(%error, "the console does not understand an enrolment");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    })?;
    let exact = |text: &str| html! { code { (text::shown_long(text)) } };
    let device = vec![("User name", exact(&enrolled.user)), ("Secret", exact(&enrolled.secret))];
    let server = vec![("Server id", exact(&enrolled.server_id)), ("Address", exact(&enrolled.server_uri))];
    let body = html! {
        p.warning { "The secrets are shown this once: only what checks them is kept. Take them before you leave the page." }
        @if let Some(failure) = not_saved {
            div.problem role="alert" { p { "The device is enrolled; the ways to call it were not saved: " (text::shown_long(failure.detail())) } }
        }
        div.card { h2 { "How the device proves who it is" } (parts::facts(device)) }
        div.card { h2 { "The server, for DM 2.0" } (parts::facts(server)) }
        @for server in &enrolled.dm1 { (dm1(server)) }
        div.actions {
            a.button.main href=(path(&["devices", id], &[])) { "The device" }
            a.button href="/devices/enrol" { "Enrol another" }
        }
    };
    Ok(Page::new(format!("{id} is enrolled"), body).below(html! { a href="/devices" { "Devices" } }).secret())
}

fn dm1(server: &Dm1Server) -> Markup {
    let exact = |text: &str| html! { code { (text::shown_long(text)) } };
    let mut facts = vec![
        ("Server id", exact(&server.server_id)),
        ("Address", exact(&server.server_uri)),
        ("Secret of the server", exact(&server.server_secret)),
    ];
    facts.extend(
        server.notification_secret.as_ref().map(|secret| ("Secret for notifications", exact(secret))),
    );
    html! { div.card { h2 { "The server, for DM 1.x" } (parts::facts(facts)) } }
}

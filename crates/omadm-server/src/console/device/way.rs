//! How a device is called to a session.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::console::data::Device;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};

/// How a device is notified.
#[derive(Debug, Deserialize)]
struct Push {
    addresses: Vec<String>,
    registration: Option<String>,
    sent: Option<String>,
    attempts: u32,
    due: Option<String>,
}

/// The button that calls it, for who may.
pub fn button(visit: &Visit, device: &Device) -> Markup {
    html! {
        @if device.reach != "none" && visit.may("POST", "/devices/{id}/notify") {
            (parts::button(visit, &path(&["devices", &device.id, "call"], &[]), "Call now", "main"))
        }
    }
}

/// What is known of the ways to it; nothing for who may not know.
pub async fn card(visit: &Visit, device: &Device) -> Result<Option<Markup>, Failure> {
    if !visit.may("GET", "/devices/{id}/push") {
        return Ok(None);
    }
    let push: Push = visit.read(&path(&["devices", &device.id, "push"], &[])).await?;
    let facts = vec![
        (
            "Registered with a push service",
            match &push.registration {
                Some(_) => html! { "yes; tried first" },
                None => html! { "no" },
            },
        ),
        ("Called last", parts::age_or(visit.now, push.sent.as_deref(), "never")),
        ("Calls without an answer", html! { span.number { (text::number(push.attempts)) } }),
        ("Next call", parts::age_or(visit.now, push.due.as_deref(), "none is due")),
    ];
    Ok(Some(html! {
        (parts::facts(facts))
        @if visit.may("PUT", "/devices/{id}/push") {
            form.stack method="post" action=(path(&["devices", &device.id, "ways"], &[])) {
                (visit.marks())
                label for="addresses" { "Ways to it" }
                textarea #addresses name="addresses" rows="3" aria-describedby="ways-hint" { (push.addresses.join("\n")) }
                p.quiet #ways-hint { "One on each line, such as " code { "udp:HOST" } ", " code { "sms:NUMBER" } " or " code { "https:HOST:PORT" } "; the first that works is taken." }
                button type="submit" { "Save" }
            }
        } @else if !push.addresses.is_empty() {
            ul { @for address in &push.addresses { li { (text::shown(address)) } } }
        }
    }))
}

/// Calls a device.
pub async fn call(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    let called = visit.act(Method::POST, &path(&["devices", &id, "notify"], &[]), None).await?;
    let via = called.get("via").and_then(|via| via.as_str()).unwrap_or_default();
    Ok(notice::redirect(
        &path(&["devices", &id], &[]),
        &format!("The device is called over {via}. It begins a session when it hears that."),
    ))
}

/// Says how it can be called.
pub async fn set(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Failure> {
    let lines =
        form.get("addresses").unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    let body = json!({ "addresses": lines.collect::<Vec<_>>() });
    visit.act(Method::PUT, &path(&["devices", &id, "push"], &[]), Some(body)).await?;
    Ok(notice::redirect(&path(&["devices", &id], &[]), "Saved."))
}

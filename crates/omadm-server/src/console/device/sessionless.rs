//! Commands that are pushed to a device of DM 1.3 without a session (`DM 1.3 Sessionless Command Message`).

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::Value;

use super::{command, find, page};
use crate::console::data::Device;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::notice;
use crate::console::parts::Typed;
use crate::console::visit::{Visit, path};
use crate::operator::problem::Problem;

/// The route of the API.
const ROUTE: &str = "/devices/{id}/sessionless";

/// A link to the form, where the device may take such commands.
pub fn link(visit: &Visit, device: &Device) -> Markup {
    html! {
        @if device.protocol.as_deref() == Some("dm1.3") && visit.may("POST", ROUTE) {
            p { a.button href=(path(&["devices", &device.id, "sessionless"], &[])) { "Send a command without a session" } }
        }
    }
}

/// Shows the form.
pub async fn ask(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    visit.must("POST", ROUTE)?;
    Ok(form_page(&visit, &device, &Form::default(), None))
}

fn form_page(visit: &Visit, device: &Device, form: &Form, problem: Option<&Problem>) -> Page {
    let typed = Typed::new(form, problem, &[]);
    let body = html! {
        div.card {
            h2 { "A command without a session" }
            p { "It is pushed to the device at once, and nobody answers: what became of it is known to the device alone. What can wait for an answer is better queued." }
            (typed.refusal())
            form.stack method="post" action=(path(&["devices", &device.id, "sessionless"], &[])) {
                (visit.marks())
                (command::fields(typed.value("verb"), typed.value("address")))
                div.actions {
                    button.main type="submit" { "Send it now" }
                    a.button href=(path(&["devices", &device.id, "commands"], &[])) { "Go back" }
                }
            }
        }
    };
    page(visit, device, "commands", &body)
}

/// Pushes a command.
pub async fn send(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Failure> {
    let to = path(&["devices", &id, "sessionless"], &[]);
    let sent = match command::request(&form) {
        Ok(request) => visit.act(Method::POST, &to, Some(request)).await,
        Err(problem) => Err(problem.into()),
    };
    match sent {
        Ok(pushed) => Ok(notice::redirect(&path(&["devices", &id, "commands"], &[]), &said(&pushed))),
        Err(failure) if [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&failure.status()) => {
            Err(failure)
        }
        Err(failure) => {
            let device = find(&visit, &id).await?;
            Ok((failure.status(), form_page(&visit, &device, &form, Some(&failure.0))).into_response())
        }
    }
}

/// What there is to say of a message that was pushed.
fn said(pushed: &Value) -> String {
    let number = pushed.get("number").and_then(Value::as_u64).unwrap_or_default();
    let octets = pushed.get("octets").and_then(Value::as_u64).unwrap_or_default();
    let via = pushed.get("via").and_then(Value::as_str).unwrap_or_default();
    format!("Message {number} of {octets} octets went out over {via}. Nobody answers it.")
}

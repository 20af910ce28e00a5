//! Having a device show a page.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::list::{Kept, page};
use crate::console::data::After;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::notice;
use crate::console::parts::Field;
use crate::console::visit::{Visit, path};
use crate::operator::problem::Problem;

/// A form for the device, for who may; with what was typed last and what is said against it.
pub fn card(visit: &Visit, name: &str, refused: Option<(&str, &str)>) -> Markup {
    let (typed, why) = refused.unwrap_or_default();
    let device = Field {
        name: "device",
        label: "Device",
        value: typed,
        hint: "Its id, such as IMEI:490154203237518.",
        faults: refused.map(|_| why).into_iter().collect(),
        is_exact: true,
        ..Field::default()
    };
    html! {
        @if visit.may("POST", "/devices/{id}/commands") {
            section.card {
                h2 { "Have a device show it" }
                form.row.seek method="post" action=(path(&["pages", name, "ask"], &[])) {
                    (visit.marks()) (device.line())
                    button type="submit" { "Have it shown" }
                }
                p.quiet { "The page goes to the device in its next session, and waits there for an answer as long as its command is open: a week. For devices of DM 2.0." }
            }
        }
    }
}

/// Queues the command.
pub async fn ask(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let device = form.filled("device").unwrap_or_default();
    let asked = match device {
        "" => Err(Problem::bad("say which device").into()),
        device => {
            let body = json!({ "verb": "show", "page": name });
            visit.act(Method::POST, &path(&["devices", device, "commands"], &[]), Some(body)).await
        }
    };
    let command = match asked {
        Ok(command) => command,
        Err(failure) if failure.status().is_client_error() => {
            let kept: Kept = visit.read(&path(&["pages", &name], &[])).await?;
            let page = page(&visit, &kept, &After::default(), Some((device, failure.detail()))).await?;
            return Ok((failure.status(), page).into_response());
        }
        Err(failure) => return Err(failure),
    };
    let id = command.get("id").and_then(Value::as_str).unwrap_or_default();
    Ok(notice::redirect(&path(&["commands", id], &[]), "The device shows the page from its next session on."))
}

//! A new delegation: rights that are offered to another server, or asked of it.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{Peers, peers};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::notice;
use crate::console::parts::{Field, Typed};
use crate::console::visit::{Visit, path};

/// The rights there are, with what they allow.
const RIGHTS: [(&str, &str); 5] = [
    ("Get", "Get: read"),
    ("Replace", "Replace: write"),
    ("Add", "Add: make new nodes"),
    ("Delete", "Delete: remove nodes"),
    ("Exec", "Exec: execute"),
];
/// What refusals say of fields.
const WORDS: &[(&str, &str)] = &[
    ("not_before", "not_before"),
    ("not_after", "not_after"),
    ("device id", "devices"),
    ("session", "session_id"),
    ("target", "targets"),
    ("peer", "peer"),
];

/// Asks what is to be delegated.
pub async fn ask(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    visit.must("POST", "/delegations")?;
    let peers = peers(&visit).await??;
    Ok(page(&visit, &peers, &Form(fields), None))
}

fn page(visit: &Visit, peers: &Peers, form: &Form, problem: Option<&Failure>) -> Page {
    let typed = Typed::new(form, problem.map(|failure| &failure.0), WORDS);
    let servers: Vec<_> =
        peers.peers.iter().map(|peer| (peer.server_id.as_str(), peer.server_id.as_str())).collect();
    let body = html! {
        (typed.refusal())
        div.card {
            form.stack method="post" action="/delegations/new" {
                (visit.marks())
                (typed.field("what", "What is done", "").choice(&[("offer", "Give rights of this server to the other"), ("ask", "Ask the other server for its rights")]))
                (typed.field("peer", "The other server", "").choice(&servers))
                (area(typed.field("devices", "Devices", "One on each line, by its identifier (DevID). The other server needs an account on them."), "IMEI:493005100592800"))
                (area(typed.field("targets", "On what", "One on each line: a path such as ./Vendor, or a management object by its identifier (MOID), which is all its instances."), "urn:oma:mo:oma-fumo:1.0"))
                (rights(form))
                (end(&typed))
                details { summary { "More" } div.stack { (more(&typed)) } }
                div.actions {
                    button.main type="submit" { "Send it" }
                    a.button href="/delegations" { "Go back" }
                }
            }
        }
    };
    Page::new("New delegation", body).below(html! { a href="/delegations" { "Delegations" } })
}

fn area(field: Field<'_>, example: &str) -> Markup {
    Field { is_exact: true, is_required: true, example, ..field }.area(3)
}

fn rights(form: &Form) -> Markup {
    html! {
        fieldset {
            legend { "Which rights" }
            @for (right, words) in RIGHTS {
                label.tick { input type="checkbox" name="rights" value=(right) checked[form.all("rights").any(|one| one == right)]; (words) }
            }
        }
    }
}

fn end(typed: &Typed<'_>) -> Markup {
    let hint = "A time in UTC, such as 2026-12-31T18:00:00Z. If it stays empty, the delegation is for good.";
    typed.exact("not_after", "Until", hint).line()
}

fn more(typed: &Typed<'_>) -> Markup {
    html! {
        (typed.exact("not_before", "From", "A time in UTC; at once if it stays empty.").line())
        (typed.exact("session_id", "For one session", "Its identifier in hexadecimal digits.").line())
        (typed.field("manufacturer", "Only devices of this manufacturer", "").line())
        (typed.field("model", "Only devices of this model", "").line())
        (typed.tick("exclusive", "Nobody else keeps these rights for that time, this server neither"))
        (typed.field("reason", "Why", "For people on the other side.").line())
    }
}

/// Makes a delegation; what is refused is shown again.
pub async fn make(visit: Visit, form: Form) -> Result<Response, Failure> {
    match visit.act(Method::POST, "/delegations", Some(request(&form))).await {
        Ok(made) => {
            let id = made.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(notice::redirect(&path(&["delegations", id], &[]), "It is sent to the other server."))
        }
        Err(failure) if failure.status() == StatusCode::FORBIDDEN && !visit.may("POST", "/delegations") => {
            Err(failure)
        }
        Err(failure) => {
            let peers = peers(&visit).await??;
            Ok((failure.status(), page(&visit, &peers, &form, Some(&failure))).into_response())
        }
    }
}

/// The request for the API that the form means.
fn request(form: &Form) -> Value {
    let lines = |name: &str| -> Vec<&str> {
        form.get(name).unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    };
    let rights: Vec<&str> = form.all("rights").collect();
    json!({
        "peer": form.get("peer").unwrap_or_default(),
        "what": form.get("what").unwrap_or_default(),
        "devices": lines("devices"),
        "manufacturer": form.filled("manufacturer"),
        "model": form.filled("model"),
        "targets": lines("targets"),
        "rights": rights,
        "exclusive": form.get("exclusive").is_some(),
        "not_before": form.filled("not_before"),
        "not_after": form.filled("not_after"),
        "session_id": form.filled("session_id"),
        "reason": form.filled("reason"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_means_a_request() {
        let fields = [
            ("peer", "dm.b"),
            ("what", "offer"),
            ("devices", "IMEI:1\r\n\r\n IMEI:2 "),
            ("targets", "./A"),
            ("rights", "Get"),
            ("rights", "Exec"),
            ("not_after", " "),
        ];
        let asked = request(&Form(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        assert_eq!(asked["devices"], json!(["IMEI:1", "IMEI:2"]));
        assert_eq!(asked["rights"], json!(["Get", "Exec"]));
        assert_eq!((&asked["not_after"], &asked["exclusive"]), (&Value::Null, &json!(false)));
    }
}

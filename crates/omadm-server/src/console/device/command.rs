//! Commands: asking a device for something, and what came of it.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::operator::problem::Problem;

/// What can be asked, with what it means.
pub const VERBS: &[(&str, &str)] = &[
    ("get", "get: read it"),
    ("set", "set: write a value"),
    ("exec", "exec: execute it"),
    ("delete", "delete: remove it"),
    ("subscribe", "subscribe: report changes below it"),
    ("unsubscribe", "unsubscribe: report no more"),
];
/// Nodes of a result that are shown.
const SHOWN: usize = 200;

/// A command.
#[derive(Debug, Deserialize)]
pub struct Command {
    pub id: String,
    pub device: String,
    pub seq: i64,
    pub verb: String,
    pub address: String,
    pub state: String,
    pub status: Option<u16>,
    pub reason: Option<String>,
    result: Option<Value>,
    attempts: u32,
    pub created: String,
    sent: Option<String>,
    finished: Option<String>,
    expires: String,
    pub created_by: String,
    origin: Option<String>,
}

impl Command {
    fn is_final(&self) -> bool {
        self.finished.is_some()
    }

    /// The values that it brought.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        let items = self.result.as_ref().and_then(|result| result.get("items")).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|item| item.get("value"))
    }
}

/// The fields of a command.
pub fn fields(verb: &str, address: &str) -> Markup {
    html! {
        label for="verb" { "What" }
        select #verb name="verb" { @for (name, meaning) in VERBS { option value=(name) selected[*name == verb] { (meaning) } } }
        label for="address" { "Address" }
        input #address.mono name="address" value=(address) required spellcheck="false" autocapitalize="none" placeholder="urn:oma:mo:oma-dm-devinfo:1.2//Lang" aria-describedby="address-hint";
        p.quiet #address-hint { "A ClientURI; for devices of DM 1.x also a path such as " code { "./DevInfo/Lang" } "." }
        label for="value" { "Value, for set" }
        input #value name="value" spellcheck="false";
    }
}

/// A form for any command.
pub fn form(visit: &Visit, device: &str, verb: &str, address: &str) -> Markup {
    html! {
        form.stack method="post" action=(path(&["devices", device, "commands"], &[])) {
            (visit.marks()) (fields(verb, address))
            button.main type="submit" { "Queue" }
        }
    }
}

/// The request for the API that a form means.
pub fn request(form: &Form) -> Result<Value, Problem> {
    let verb = form.filled("verb").ok_or_else(|| Problem::bad("choose what is to be done"))?;
    let mut request = Map::from_iter([("verb".to_owned(), json!(verb))]);
    if let Some(address) = form.filled("address") {
        request.insert("address".to_owned(), address.into());
    }
    if verb == "set" {
        request.insert("value".to_owned(), value(form)?);
    }
    if verb == "exec" && form.get("later").is_some() {
        request.insert("later".to_owned(), true.into());
    }
    if form.get("force").is_some() {
        request.insert("force".to_owned(), true.into());
    }
    Ok(Value::Object(request))
}

/// A value of the format that the DDF gives; what is no such value is left to the API to judge.
fn value(form: &Form) -> Result<Value, Problem> {
    let text = form.get("value").unwrap_or_default().replace("\r\n", "\n");
    let number = || serde_json::from_str::<serde_json::Number>(text.trim()).map(Value::Number);
    Ok(match form.get("format") {
        Some("null") => Value::Null,
        Some("bool") => (text == "true").into(),
        Some("int") => {
            number().map_err(|_| Problem::bad(format!("{:?} is no whole number", text::plain(&text, 40))))?
        }
        Some("float") => {
            number().map_err(|_| Problem::bad(format!("{:?} is no number", text::plain(&text, 40))))?
        }
        _ => text.into(),
    })
}

/// Queues a command.
pub async fn queue(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Failure> {
    let queued =
        visit.act(Method::POST, &path(&["devices", &id, "commands"], &[]), Some(request(&form)?)).await?;
    let warnings: Vec<&str> = queued
        .get("warnings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let command = queued.get("id").and_then(Value::as_str).unwrap_or_default();
    let said = match warnings.is_empty() {
        true => "The command is queued. The device gets it in its next session.".to_owned(),
        false => format!("The command is queued. The DDF says: {}", warnings.join("; ")),
    };
    Ok(notice::redirect(&path(&["commands", command], &[]), &said))
}

/// Shows a command.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let command: Command = visit.read(&path(&["commands", &id], &[])).await?;
    let device = command.device.clone();
    let may_cancel = !command.is_final() && visit.may("POST", "/commands/{command}/cancel");
    let body = parts::live(&visit, "command", &shown(&visit, &command));
    let query = path(&[], &[("device", &device), ("kind", "command,session,report,alert")]);
    Ok(Page::new(format!("{} {}", command.verb, command.address), body)
        .below(html! {
            a href="/devices" { "Devices" } " › " a href=(path(&["devices", &device], &[])) { (text::shown(&device)) }
            " › " a href=(path(&["devices", &device, "commands"], &[])) { "Commands" }
        })
        .with(html! { @if may_cancel { a.button.danger href=(path(&["commands", &id, "cancel"], &[])) { "Cancel it" } } })
        .live(query.trim_start_matches("/?").to_owned()))
}

fn shown(visit: &Visit, command: &Command) -> Markup {
    let mut facts = vec![
        (
            "State",
            html! { (parts::state(&command.state)) @if let Some(status) = command.status { " status " (status) } },
        ),
        (
            "Asked",
            html! { (parts::age(visit.now, &command.created)) " by " (text::shown(&command.created_by)) },
        ),
        (
            "Sent",
            html! { (parts::age_or(visit.now, command.sent.as_deref(), "not yet")) @if command.attempts > 1 { " (" (command.attempts) " times)" } },
        ),
        ("Over", parts::age_or(visit.now, command.finished.as_deref(), "not yet")),
    ];
    if !command.is_final() {
        facts.push(("Expires", parts::age(visit.now, &command.expires)));
    }
    if let Some(origin) = &command.origin {
        facts.push(("Because of", text::shown(origin)));
    }
    html! {
        div.card {
            (parts::facts(facts))
            @if let Some(reason) = &command.reason { p.said { (text::shown_long(reason)) } }
        }
        @if let Some(result) = &command.result { section.card { h2 { "What it brought" } (result_of(command, result)) } }
    }
}

/// What a command brought: nodes, or whatever it is.
fn result_of(command: &Command, result: &Value) -> Markup {
    let Some(items) = result.get("items").and_then(Value::as_array) else {
        return text::block(&serde_json::to_string_pretty(result).unwrap_or_default());
    };
    let is_acl = command.address.ends_with(access::ACL);
    let rows: Vec<_> = items
        .iter()
        .take(SHOWN)
        .map(|item| {
            let address = item.get("address").and_then(Value::as_str).unwrap_or_default();
            let value = match item.get("value") {
                Some(Value::String(acl)) if is_acl => access::acl_in_words(acl),
                Some(value) => node_value(value),
                None => html! { span.quiet { "interior node" } },
            };
            vec![html! { span.mono { (text::shown(address)) } }, value]
        })
        .collect();
    html! {
        (parts::table("Nodes", &parts::head(&["Node", "Value"]), &rows))
        @if items.len() > SHOWN { p.quiet { "… and " (text::number(items.len() - SHOWN)) " more." } }
        @if items.is_empty() { (parts::nothing("Nothing.")) }
    }
}

/// The value of a node, in a cell.
pub fn node_value(value: &Value) -> Markup {
    match value {
        Value::Null => html! { span.quiet { "null" } },
        Value::String(text) if text.is_empty() => html! { span.quiet { "(empty)" } },
        Value::String(text) => text::shown(text),
        other => html! { span.mono { (text::shown(&other.to_string())) } },
    }
}

/// Asks before a command is cancelled.
pub async fn ask(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let command: Command = visit.read(&path(&["commands", &id], &[])).await?;
    let here = path(&["commands", &id], &[]);
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { b { (text::shown(&command.verb)) } " " span.mono { (text::shown(&command.address)) } " for " (text::shown(&command.device)) " is " (parts::state(&command.state)) }
                p { "The device will not get it. What it was sent already cannot be taken back." }
            },
            action: &path(&["commands", &id, "cancel"], &[]),
            word: "Cancel the command",
            fields: html! {},
            back: &here,
        },
    );
    Ok(Page::new("Cancel this command?", body).below(html! { a href=(here) { "The command" } }))
}

/// Cancels a command.
pub async fn cancel(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::POST, &path(&["commands", &id, "cancel"], &[]), None).await?;
    Ok(notice::redirect(&path(&["commands", &id], &[]), "The command is cancelled."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn values_are_of_their_format() {
        let of = |format, value| {
            request(&form(&[("verb", "set"), ("address", "x"), ("format", format), ("value", value)]))
        };
        assert_eq!(of("int", " 7 ").unwrap()["value"], json!(7));
        assert_eq!(of("chr", "7\r\n").unwrap()["value"], json!("7\n"));
        assert_eq!(of("bool", "true").unwrap()["value"], json!(true));
        assert_eq!(of("null", "x").unwrap()["value"], Value::Null);
        assert!(of("int", "seven").unwrap_err().detail().contains("whole number"));
    }

    #[test]
    fn a_request_has_what_its_verb_takes() {
        let get = request(&form(&[("verb", "get"), ("address", " ./A "), ("value", "ignored")])).unwrap();
        assert_eq!(get, json!({ "verb": "get", "address": "./A" }));
        assert!(request(&Form::default()).is_err());
    }
}

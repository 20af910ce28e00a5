//! One node: what it is, what it held when it was last seen, and what can be done with it.

use axum::extract::{Path, Query};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::described::{self, Described};
use super::tree::Node;
use super::{access, find, page};
use crate::console::data::{Device, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::problem::Problem;

/// The node that is wanted.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    address: String,
}

/// Shows a node.
pub async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, Failure> {
    let address = wanted.address.trim();
    if address.is_empty() {
        return Err(Problem::bad("say which node").into());
    }
    let device = find(&visit, &id).await?;
    let longest = text::LONG.to_string();
    let query = [("at", address), ("limit", "1"), ("length", &longest)];
    let found = visit.read::<Listed<Node>>(&path(&["devices", &id, "tree"], &query)).await;
    // An address that does not say which instance it means can be asked for all the same.
    let (found, vague) = match found {
        Err(failure) if failure.status() == StatusCode::BAD_REQUEST => (Listed::default(), Some(failure)),
        found => (found?, None),
    };
    let is_there = found.next.is_some();
    let node = found.items.into_iter().next().filter(|node| is_same(&node.address, address));
    // Where nothing was seen, what the DDF says still tells what can be done.
    let described = match node.as_ref() {
        Some(_) => None,
        None => described::node(&visit, &device, address).await?,
    };
    let known = Known::of(node.as_ref(), described.as_ref());
    let body = html! {
        (parts::live(&visit, "node", &html! { section.card { h2.mono { (text::shown(address)) } (about(&visit, node.as_ref(), &known)) @if let Some(vague) = &vague { p.note { (text::shown_long(vague.detail())) } } } }))
        @if node.as_ref().is_none_or(|node| node.interior) || is_there {
            p { a href=(path(&["devices", &id, "tree"], &[("at", address)])) { "What is below it" } }
        }
        @if visit.may("POST", "/devices/{id}/commands") { (actions(&visit, &device, address, node.as_ref(), &known)) }
    };
    Ok(page(&visit, &device, "tree", &body))
}

/// Whether two addresses are written alike, but for the slash at the end.
fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// What the DDF says of the node, whether it was seen or not.
#[derive(Default)]
struct Known<'a> {
    format: Option<&'a str>,
    access: &'a [String],
    title: Option<&'a str>,
    description: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(node: Option<&'a Node>, described: Option<&'a Described>) -> Self {
        match (node, described) {
            (Some(node), _) => Self {
                format: node.format.as_deref(),
                access: &node.access,
                title: node.title.as_deref(),
                description: node.description.as_deref(),
            },
            (None, Some(node)) => Self {
                format: Some(&node.format),
                access: &node.access,
                title: node.title.as_deref(),
                description: node.description.as_deref(),
            },
            (None, None) => Self::default(),
        }
    }

    /// Whether a command is allowed; all are where there is no DDF.
    fn allows(&self, command: &str) -> bool {
        self.format.is_none() || self.access.iter().any(|known| known == command)
    }
}

fn about(visit: &Visit, node: Option<&Node>, known: &Known<'_>) -> Markup {
    let mut facts = Vec::new();
    if let Some(node) = node {
        facts.push(("Last seen", parts::age(visit.now, &node.seen)));
    }
    if let Some(format) = known.format {
        facts.push(("Format", html! { (in_words(format)) }));
        facts.push(("May be", html! { (text::plain(&allowed(known.access), text::SHORT)) }));
    }
    html! {
        @if let Some(title) = known.title { p { b { (text::shown(title)) } } }
        @if let Some(description) = known.description { p { (text::shown_long(description)) } }
        (parts::facts(facts))
        @match node.map(|node| (node.value.as_ref(), node.length)) {
            Some((Some(Value::String(value)), Some(length))) => { h3 { "Value" } (text::beginning(value, length)) },
            Some((Some(Value::String(value)), None)) => { h3 { "Value" } (text::block(value)) },
            Some((Some(value), _)) => { h3 { "Value" } (text::block(&value.to_string())) },
            Some((None, _)) => p.quiet { "An interior node: it has no value." },
            None => p.quiet { "It has not been seen yet. Read it to learn what it holds." },
        }
    }
}

/// A format of the standard in words.
pub fn in_words(format: &str) -> &str {
    match format {
        "chr" => "text",
        "int" => "whole number",
        "bool" => "true or false",
        "float" => "number",
        "b64" | "bin" => "octets",
        "date" => "date",
        "time" => "time",
        "xml" => "XML",
        "null" => "nothing",
        "node" => "interior node",
        other => other,
    }
}

/// Commands of the DDF in words.
pub fn allowed(access: &[String]) -> String {
    let words: Vec<&str> = access
        .iter()
        .map(|command| match command.as_str() {
            "Get" => "read",
            "Replace" => "written",
            "Add" => "added",
            "Delete" => "removed",
            "Exec" => "executed",
            "Copy" => "copied",
            other => other,
        })
        .collect();
    if words.is_empty() { "left alone".to_owned() } else { words.join(", ") }
}

/// What can be asked of a node: what its DDF allows, or anything where there is none.
fn actions(visit: &Visit, device: &Device, address: &str, node: Option<&Node>, known: &Known<'_>) -> Markup {
    let may = |command: &str| known.allows(command);
    let is_leaf = node.is_none_or(|node| !node.interior) && known.format != Some("node");
    let one = |verb: &str, word: &str, class: &str| {
        html! {
            form method="post" action=(path(&["devices", &device.id, "commands"], &[])) {
                (visit.marks())
                input type="hidden" name="verb" value=(verb);
                input type="hidden" name="address" value=(address);
                button class=(class) type="submit" { (word) }
            }
        }
    };
    html! {
        section.card {
            h2 { "Do something with it" }
            div.actions {
                @if may("Get") { (one("get", "Read now", "main")) (one("subscribe", "Report its changes", "")) }
                @if may("Exec") { (one("exec", "Execute", "")) }
                @if may("Delete") { (one("delete", "Remove", "danger")) }
                @if let Some(property) = access::property(device, address) {
                    form method="post" action=(path(&["devices", &device.id, "commands"], &[])) {
                        (visit.marks())
                        input type="hidden" name="verb" value="get";
                        input type="hidden" name="address" value=(property);
                        button type="submit" { "Ask who may do what" }
                    }
                }
            }
            @if is_leaf && (may("Replace") || may("Add")) { (write(visit, device, address, node, known.format.unwrap_or_default())) }
        }
    }
}

/// A form for a value of the node's format.
fn write(visit: &Visit, device: &Device, address: &str, node: Option<&Node>, format: &str) -> Markup {
    let is_whole = node.is_none_or(|node| node.length.is_none());
    let now = match node.filter(|_| is_whole).and_then(|node| node.value.as_ref()) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    html! {
        form.stack method="post" action=(path(&["devices", &device.id, "commands"], &[])) {
            (visit.marks())
            input type="hidden" name="verb" value="set";
            input type="hidden" name="address" value=(address);
            input type="hidden" name="format" value=(format);
            h3 { "Write a value" }
            @if format != "null" {
                label for="value" { "Value" @if !format.is_empty() { ", " (in_words(format)) } }
                (field(format, &now))
                @if !is_whole { p.quiet { "What it holds is too long for this form; what you write takes its place." } }
            }
            @if format.is_empty() {
                p.quiet { "No DDF file describes this node, so the value goes as text." }
            } @else {
                label.tick { input type="checkbox" name="force" value="yes"; "Send it even if the DDF says that it cannot be" }
            }
            button type="submit" { "Write" }
        }
    }
}

fn field(format: &str, now: &str) -> Markup {
    let is_long = now.len() > 80 || now.contains('\n') || now.chars().any(char::is_control);
    html! {
        @match format {
            "bool" => select #value name="value" {
                option value="true" selected[now == "true"] { "true" }
                option value="false" selected[now == "false"] { "false" }
            },
            "int" => input #value name="value" value=(now) inputmode="numeric" required pattern="\\s*-?[0-9]+\\s*" title="a whole number";,
            "float" => input #value name="value" value=(now) inputmode="decimal" required;,
            "date" => input #value name="value" value=(now) placeholder="2026-11-21";,
            "time" => input #value name="value" value=(now) placeholder="12:30:00";,
            "b64" | "bin" => { textarea #value name="value" rows="4" aria-describedby="octets-hint" { (now) } p.quiet #octets-hint { "Octets in base64." } },
            "xml" => textarea #value name="value" rows="8" { (now) },
            _ if is_long => textarea #value name="value" rows="6" { (now) },
            _ => input #value name="value" value=(now);,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_of_its_format() {
        let shown = |format, now| field(format, now).into_string();
        assert!(shown("bool", "false").contains(r#"<option value="false" selected>"#));
        assert!(shown("int", "7").contains(r#"inputmode="numeric""#));
        assert!(shown("chr", "a\nb").starts_with("<textarea"));
        assert!(shown("chr", "\"><script>").contains("&quot;&gt;&lt;script&gt;"));
    }

    #[test]
    fn what_may_be_done_is_said_in_words() {
        assert_eq!(allowed(&["Get".into(), "Replace".into()]), "read, written");
        assert_eq!(allowed(&[]), "left alone");
        assert!(is_same("urn:a//", "urn:a") && !is_same("urn:a//B", "urn:a"));
    }
}

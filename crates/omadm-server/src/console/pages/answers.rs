//! What people have answered to a page.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::list::Kept;
use crate::console::data::Listed;
use crate::console::failure::Failure;
use crate::console::parts::{self, chart};
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::ui::Choice;

/// Answers on a page.
const SHOWN: &str = "50";
/// Fields of an answer that are shown.
const FIELDS: usize = 8;
/// Options that a chart has bars for.
const BARS: usize = 12;

/// An answer.
#[derive(Deserialize)]
struct Answer {
    at: String,
    device: Option<String>,
    command: Value,
    answer: Value,
}

/// The answers to a page, for who may read them.
pub async fn card(visit: &Visit, kept: &Kept, after: &str) -> Result<Option<Markup>, Failure> {
    if !visit.may("GET", "/pages/{name}/answers") {
        return Ok(None);
    }
    let query = [("limit", SHOWN), ("after", after)];
    let found: Listed<Answer> = visit.read(&path(&["pages", &kept.name, "answers"], &query)).await?;
    let rows: Vec<_> = found
        .items
        .iter()
        .map(|one| {
            let (device, command) = (one.device.as_deref(), one.command.as_str().unwrap_or_default());
            vec![
                parts::age(visit.now, &one.at),
                html! { @match device {
                    Some(device) => a href=(path(&["devices", device], &[])) { (text::shown(device)) },
                    None => (parts::known(None)),
                } },
                said(kept, &one.answer),
                html! { a href=(path(&["commands", command], &[])) { "Command" } },
            ]
        })
        .collect();
    let here = ["pages", kept.name.as_str()];
    let first = (!after.is_empty()).then(|| path(&here, &[]));
    let next = found.next.as_ref().map(|next| path(&here, &[("after", next)]));
    let export = path(&["api", "v1", "pages", &kept.name, "answers"], &[("limit", "1000")]);
    Ok(Some(html! {
        section.card {
            h2 { "What people have answered" }
            (counted(kept, &found.items))
            @if rows.is_empty() {
                (parts::nothing(if next.is_some() { "None in this part of the log; older ones may follow." } else { "Nobody has answered yet." }))
            } @else { (parts::table("Answers", &parts::head(&["When", "Device", "Answer", "Asked by"]), &rows)) }
            (parts::pager(first.as_deref(), next.as_deref()))
            @if !rows.is_empty() { p { a href=(export) download={ (kept.name) "-answers.json" } { "Download them (JSON)" } } }
        }
    }))
}

/// An answer in words.
fn said(kept: &Kept, answer: &Value) -> Markup {
    let member = |name: &str| answer.get(name);
    if let Some(consent) = member("consent").and_then(Value::as_bool) {
        return html! { @if consent { "Yes" } @else { "No" } };
    }
    if let Some(choice) = member("choice").and_then(Value::as_str) {
        return label(&kept.page.options, choice);
    }
    if member("seen").is_some() {
        return html! { "Has seen it" };
    }
    let Some(values) = member("values").and_then(Value::as_object) else {
        return text::shown(&answer.to_string());
    };
    let value = |name: &str, value: &Value| match value {
        Value::Null => html! { span.quiet { "–" } },
        Value::Bool(given) => html! { @if *given { "yes" } @else { "no" } },
        Value::String(given) => {
            let field = kept.page.fields.iter().find(|field| field.name == name);
            label(field.map(|field| field.options.as_slice()).unwrap_or_default(), given)
        }
        other => text::shown(&other.to_string()),
    };
    html! {
        @for (name, given) in values.iter().take(FIELDS) {
            span.member { span.quiet { (text::plain(name, 40)) " " } (value(name, given)) }
        }
        @if values.len() > FIELDS { span.quiet { "and " (text::number(values.len() - FIELDS)) " more" } }
    }
}

/// What people read beside an option, as the page is now.
fn label(options: &[Choice], value: &str) -> Markup {
    let known = options.iter().find(|option| option.value == value);
    text::shown(known.map_or(value, |option| &option.label))
}

/// How many of the answers on this page of the listing were which.
fn counted(kept: &Kept, answers: &[Answer]) -> Markup {
    let count = |member: &str, value: &Value| {
        answers.iter().filter(|one| one.answer.get(member) == Some(value)).count() as u64
    };
    let mut chosen: BTreeMap<&str, u64> = BTreeMap::new();
    for choice in answers.iter().filter_map(|one| one.answer.get("choice").and_then(Value::as_str)) {
        *chosen.entry(choice).or_default() += 1;
    }
    let mut chosen: Vec<_> = chosen.into_iter().collect();
    chosen.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let bars: Vec<chart::Bar> = chosen
        .into_iter()
        .take(BARS)
        .map(|(choice, value)| {
            let known = kept.page.options.iter().find(|option| option.value == choice);
            chart::Bar { name: known.map_or(choice, |option| &option.label).to_owned(), value, href: None }
        })
        .collect();
    let (yes, no) = (count("consent", &true.into()), count("consent", &false.into()));
    html! {
        @if yes + no > 0 {
            (chart::stacked("Answers", &[
                chart::Part { name: "yes", value: yes, class: "good" },
                chart::Part { name: "no", value: no, class: "bad" },
            ]))
        }
        @if !bars.is_empty() { (chart::bars(&bars)) }
    }
}

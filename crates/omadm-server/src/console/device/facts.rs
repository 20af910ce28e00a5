//! What is known of a device, and what people say about it.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::{find, page, way};
use crate::console::data::{Device, KnownMo};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::operator::problem::Problem;

/// Shows a device.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let ways = way::card(&visit, &device).await?;
    let body = html! {
        (parts::live(&visit, "facts", &html! {
            section.card { h2 { "What it says of itself" } (facts(&visit, &device)) }
        }))
        div.grid {
            section.card { h2 { "What people say of it" } (about(&visit, &device)) }
            @if let Some(ways) = ways { section.card { h2 { "How it is reached" } (ways) } }
        }
        section.card { h2 { "Management objects" } (objects(&device)) }
        p.actions {
            a.button href=(path(&["bootstraps", &device.id], &[])) { "Its bootstrap" }
            @if visit.may("DELETE", "/devices/{id}") { a.button.danger href=(path(&["devices", &device.id, "remove"], &[])) { "Remove this device" } }
        }
    };
    Ok(page(&visit, &device, "", &body))
}

fn facts(visit: &Visit, device: &Device) -> Markup {
    let text = |text: &Option<String>| parts::known(text.as_deref());
    let mut facts = vec![
        ("Device id", html! { span.mono { (text::shown(&device.id)) } }),
        ("Manufacturer", text(&device.manufacturer)),
        ("Model", text(&device.model)),
        ("Firmware", text(&device.firmware)),
        ("Software", text(&device.software)),
        ("Hardware", text(&device.hardware)),
        ("Protocol", text(&device.protocol)),
        ("Bearer", text(&device.bearer)),
        ("Last contact", parts::age_or(visit.now, device.last_contact.as_deref(), "never")),
        ("Enrolled", parts::age(visit.now, &device.enrolled)),
        ("Commands that wait", html! { span.number { (text::number(device.open_commands)) } }),
        ("Enrolments", html! { span.number { (text::number(device.generation)) } }),
    ];
    if let Some(revoked) = &device.revoked {
        facts.push(("Bootstrap taken back", parts::age(visit.now, revoked)));
    }
    if !device.features.is_empty() {
        facts.push(("What its model can do", html! {
            @for (feature, can) in &device.features { (parts::word(&format!("{feature}: {}", if *can { "yes" } else { "no" }))) " " }
        }));
    }
    parts::facts(facts)
}

/// Name, note and labels, to be changed by who may.
fn about(visit: &Visit, device: &Device) -> Markup {
    if !visit.may("PATCH", "/devices/{id}") {
        return parts::facts(vec![
            ("Name", parts::known(Some(&device.label))),
            ("Note", if device.note.is_empty() { parts::known(None) } else { text::block(&device.note) }),
            (
                "Labels",
                html! { @for (key, value) in &device.labels { (parts::word(&format!("{key}={value}"))) " " } },
            ),
        ]);
    }
    let labels: Vec<String> = device.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    html! {
        form.stack method="post" action=(path(&["devices", &device.id, "about"], &[])) {
            (visit.marks())
            label for="label" { "Name" }
            input #label name="label" value=(device.label) maxlength="200";
            label for="note" { "Note" }
            textarea #note name="note" rows="2" maxlength="4096" { (device.note) }
            label for="labels" { "Labels" }
            textarea #labels name="labels" rows="3" aria-describedby="labels-hint" { (labels.join("\n")) }
            input type="hidden" name="labels-before" value=(labels.join("\n"));
            p.quiet #labels-hint { "One on each line, such as " code { "site=A" } "." }
            button type="submit" { "Save" }
        }
    }
}

fn objects(device: &Device) -> Markup {
    let objects = match device.inventory.as_deref() {
        None | Some([]) => return parts::nothing("It has not reported its management objects yet."),
        Some(objects) => objects,
    };
    let row = |object: &KnownMo| {
        vec![
            html! { a.mono href=(path(&["devices", &device.id, "tree"], &[])) { (text::shown(&object.moid)) } },
            html! { @for miid in object.miids.iter().take(8) { (parts::word(if miid.is_empty() { "(no name)" } else { miid })) " " }
            @if object.miids.len() > 8 { "and " (text::number(object.miids.len() - 8)) " more" } },
            html! { @match (&object.model, &object.ddf_problem) {
                (Some(model), _) => { (parts::known(object.title.as_deref())) div.quiet { (text::shown(model)) } },
                (None, Some(problem)) => span.quiet { "not fetched: " (text::shown(problem)) },
                (None, None) => (parts::known(None)),
            } },
        ]
    };
    let rows: Vec<_> = objects.iter().take(200).map(row).collect();
    parts::table("Management objects", &parts::head(&["Object", "Instances", "Described as"]), &rows)
}

/// Changes what people say.
pub async fn annotate(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Failure> {
    let mut labels = Map::new();
    // What was there and is not there any more is removed; what somebody else has set meanwhile stays.
    for (key, _) in pairs(form.get("labels-before").unwrap_or_default())? {
        labels.insert(key, Value::Null);
    }
    for (key, value) in pairs(form.get("labels").unwrap_or_default())? {
        labels.insert(key, value.into());
    }
    let note = form.get("note").unwrap_or_default().replace("\r\n", "\n");
    let body = json!({ "label": form.get("label").unwrap_or_default(), "note": note, "labels": labels });
    visit.act(Method::PATCH, &path(&["devices", &id], &[]), Some(body)).await?;
    Ok(notice::redirect(&path(&["devices", &id], &[]), "Saved."))
}

/// Labels as they are written, one on each line.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let pair = line.split_once('=').ok_or_else(|| {
                Problem::bad(format!(
                    "the label {:?} has no value; write it as key=value",
                    text::plain(line, 40)
                ))
            })?;
            Ok((pair.0.trim().to_owned(), pair.1.trim().to_owned()))
        })
        .collect()
}

/// Asks before a device is removed.
pub async fn ask(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { "Its queue of " (text::number(device.open_commands)) " commands, its last known tree, its credentials and its labels go with it. The device itself is not told; it cannot log in any more." }
            },
            action: &path(&["devices", &id, "remove"], &[]),
            word: "Remove it",
            fields: html! {},
            back: &path(&["devices", &id], &[]),
        },
    );
    Ok(Page::new(format!("Remove {}?", device.id), body).below(html! { a href="/devices" { "Devices" } }))
}

/// Removes a device.
pub async fn remove(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["devices", &id], &[]), None).await?;
    Ok(notice::redirect("/devices", &format!("{id} is removed.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_are_written() {
        let read = pairs(" site = A \r\n\nrole=till=2\n").unwrap();
        assert_eq!(read, [("site".into(), "A".into()), ("role".into(), "till=2".into())]);
        assert!(pairs("site").unwrap_err().detail().contains("key=value"));
    }
}

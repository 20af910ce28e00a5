//! Where a profile is assigned: given, taken away, and given back the version before.

use axum::extract::{Path, Query};
use axum::response::Response;
use http::{Method, StatusCode};
use maud::html;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::data::{Assignment, Details, Diff, Version};
use super::{above, href, target, versions};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::notice;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::desired::Dropped;
use crate::operator::problem::Problem;

/// Which assignment is meant; no group stands for all devices.
#[derive(Deserialize)]
pub struct Of {
    #[serde(default)]
    group: String,
}

/// Assigns a version.
pub async fn act(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let mut new = Map::new();
    if let Some(version) = form.filled("version") {
        let number: i64 =
            version.parse().map_err(|_| Problem::bad("a version is a number; the newest is usual"))?;
        new.insert("version".into(), number.into());
    }
    new.extend(form.filled("group").map(|group| ("group".to_owned(), group.into())));
    let to = path(&["profiles", &name, "assignment"], &[]);
    let given = visit.act(Method::PUT, &to, Some(Value::Object(new))).await?;
    Ok(done(&name, &given))
}

/// Leads back to the profile, and says what was assigned.
fn done(name: &str, given: &Value) -> Response {
    let version = given.get("version").and_then(Value::as_i64).unwrap_or_default();
    let to = match given.get("group").and_then(Value::as_str) {
        Some(group) => format!("The group {group} has"),
        None => "All devices have".to_owned(),
    };
    let warnings = given.get("warnings").and_then(Value::as_array).into_iter().flatten();
    let mut said = format!("{to} version {version} from their next contact on.");
    for warning in warnings.filter_map(Value::as_str) {
        said.push(' ');
        said.push_str(warning);
    }
    notice::redirect(&href(name, "", &[]), &said)
}

/// An assignment that is there.
async fn find(visit: &Visit, name: &str, of: &Of) -> Result<(Details, Assignment), Failure> {
    let mut profile: Details = visit.read(&path(&["profiles", name], &[])).await?;
    let place =
        profile.assignments.iter().position(|one| one.group.as_deref().unwrap_or_default() == of.group);
    let gone = || Problem::new(StatusCode::NOT_FOUND, format!("{name} is not assigned there any more"));
    let found = profile.assignments.swap_remove(place.ok_or_else(gone)?);
    Ok((profile, found))
}

/// Asks before a profile is taken from a group.
pub async fn ask_to_take(
    visit: Visit,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Result<Page, Failure> {
    let (_, found) = find(&visit, &name, &of).await?;
    let version: Version =
        visit.read(&path(&["profiles", &name, "versions", &found.version.to_string()], &[])).await?;
    let here = href(&name, "", &[]);
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { "Version " (found.version) " of " b { (crate::console::text::shown(&name)) } " is taken from " (target(found.group.as_deref())) "." }
                p {
                    @match version.document.dropped {
                        Dropped::Leave => "What it has brought to these devices stays there as it is, where the version does not say otherwise of a single thing.",
                        Dropped::Delete => "What it has brought to these devices is deleted when they talk to the server the next time, where the version does not say otherwise of a single thing.",
                    }
                }
            },
            action: &href(&name, "unassign", &[]),
            word: "Take it away",
            fields: html! { input type="hidden" name="group" value=(of.group); },
            back: &here,
        },
    );
    Ok(Page::new("Take this profile away?", body).below(above(&name)))
}

/// Takes a profile from a group.
pub async fn take(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let group = form.get("group").unwrap_or_default();
    let from = path(&["profiles", &name, "assignment"], &[("group", group)]);
    visit.act(Method::DELETE, &from, None).await?;
    let said = match group {
        "" => "All devices lose it at their next contact.".to_owned(),
        group => format!("The group {group} loses it at its devices' next contact."),
    };
    Ok(notice::redirect(&href(&name, "", &[]), &said))
}

/// Shows what a roll back would change, and asks.
pub async fn ask_to_roll_back(
    visit: Visit,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Result<Page, Failure> {
    let (_, found) = find(&visit, &name, &of).await?;
    let Some(previous) = found.previous else {
        let said = format!("{name} had no other version there; assign one instead");
        return Err(Problem::conflict(said).into());
    };
    let (from, to) = (found.version.to_string(), previous.to_string());
    let query = [("from", from.as_str()), ("to", to.as_str())];
    let diff: Diff = visit.read(&path(&["profiles", &name, "diff"], &query)).await?;
    let here = href(&name, "", &[]);
    let may_try = visit.may("POST", "/profiles/{name}/dry-run");
    let question = parts::question(
        &visit,
        &Question {
            body: html! {
                p { "Version " (found.version) " was assigned to " (target(found.group.as_deref())) " " (parts::age(visit.now, &found.since)) ". It gets version " (previous) " again, which it had before." }
                @if may_try {
                    p { a href=(href(&name, "dry-run", &[("version", &to), ("group", &of.group), ("go", "1")])) { "See what devices would be told" } }
                }
            },
            action: &href(&name, "rollback", &[]),
            word: "Roll back",
            fields: html! {
                input type="hidden" name="group" value=(of.group);
                input type="hidden" name="version" value=(previous);
            },
            back: &here,
        },
    );
    let body = html! {
        (question)
        section.card { h2 { "What changes with it" } (versions::differences(&diff)) }
    };
    Ok(Page::new(format!("Roll back to version {previous}?"), body).below(above(&name)))
}

/// Gives a group the version that it had before.
pub async fn roll_back(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let version: i64 = form
        .filled("version")
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| Problem::bad("say which version is given back"))?;
    let of = json!({ "group": form.filled("group"), "version": version });
    let given = visit.act(Method::POST, &path(&["profiles", &name, "rollback"], &[]), Some(of)).await?;
    Ok(done(&name, &given))
}

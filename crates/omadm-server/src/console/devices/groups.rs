//! Saved filters: groups.

use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde_json::json;

use crate::console::data::Group;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::operator::problem::Problem;

/// The groups there are, as links to their devices.
pub fn links(groups: &[Group], filter: &str) -> Markup {
    html! {
        @if !groups.is_empty() {
            nav.chips aria-label="Groups" {
                @for group in groups {
                    @let meant = meant(&group.name);
                    a.chip href=(path(&["devices"], &[("filter", &meant)])) title=(text::plain(&group.filter, text::SHORT))
                        aria-current=[(meant == filter).then_some("true")] { (text::shown(&group.name)) }
                }
            }
        }
    }
}

/// The filter for the devices of a group.
fn meant(group: &str) -> String {
    format!("group:\"{}\"", group.replace('\\', r"\\").replace('"', "\\\""))
}

/// A form that saves the filter under a name, for who may.
pub fn form(visit: &Visit, filter: &str) -> Markup {
    html! {
        @if !filter.is_empty() && visit.may("PUT", "/groups/{name}") {
            details {
                summary { "Save as a group" }
                form.row method="post" action="/devices/group" {
                    (visit.marks())
                    input type="hidden" name="filter" value=(filter);
                    div.stack { label for="group-name" { "Name" } input #group-name name="name" required maxlength="64"; }
                    div.stack { label for="group-about" { "What it is for" } input #group-about name="description" maxlength="1000"; }
                    button type="submit" { "Save" }
                }
            }
        }
    }
}

/// Saves a filter as a new group.
pub async fn save(visit: Visit, form: Form) -> Result<Response, Failure> {
    let name = form.filled("name").ok_or_else(|| Problem::bad("a group has a name"))?;
    let filter = form.filled("filter").unwrap_or_default();
    let description = form.get("description").unwrap_or_default();
    let body = json!({ "filter": filter, "description": description, "version": 0 });
    visit.act(Method::PUT, &path(&["groups", name], &[]), Some(body)).await?;
    Ok(notice::redirect(
        &path(&["devices"], &[("filter", &meant(name))]),
        &format!("The group {name} is saved."),
    ))
}

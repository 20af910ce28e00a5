//! What was asked of a device: what waits, and what came of the rest.

use axum::extract::{Path, Query};
use maud::{Markup, html};

use super::command::{self, Command};
use super::{find, page, sessionless};
use crate::console::data::{After, Device, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Commands on a page.
const SHOWN: &str = "50";

/// Shows the commands of a device, newest first.
pub async fn show(visit: Visit, Path(id): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<Command> = visit.read(&path(&["devices", &id, "commands"], &query)).await?;
    let body = html! {
        @if visit.may("POST", "/devices/{id}/commands") {
            details.card { summary { "New command" } (command::form(&visit, &device.id, "", "")) }
        }
        (sessionless::link(&visit, &device))
        (parts::live(&visit, "commands", &list(&visit, &device, &found, &at)))
    };
    Ok(page(&visit, &device, "commands", &body))
}

fn list(visit: &Visit, device: &Device, found: &Listed<Command>, at: &After) -> Markup {
    let here = ["devices", device.id.as_str(), "commands"];
    let first = (!at.after.is_empty()).then(|| path(&here, &[]));
    let next = found.next.as_ref().map(|next| path(&here, &[("after", next)]));
    let rows: Vec<_> = found.items.iter().map(|command| row(visit, command)).collect();
    html! {
        div.card {
            @if rows.is_empty() { (parts::nothing("Nothing was asked of it.")) } @else {
                (parts::table("Commands", &parts::head(&["No.", "Command", "State", "Why", "Asked", "By"]), &rows))
            }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    }
}

fn row(visit: &Visit, command: &Command) -> Vec<Markup> {
    vec![
        html! { span.number { (text::number(command.seq)) } },
        html! { a href=(path(&["commands", &command.id], &[])) { b { (text::shown(&command.verb)) } } " " span.mono { (text::shown(&command.address)) } },
        html! { (parts::state(&command.state)) @if let Some(status) = command.status { " " span.quiet { (status) } } },
        parts::known(command.reason.as_deref()),
        parts::age(visit.now, &command.created),
        html! { (text::shown(&command.created_by)) },
    ]
}

//! The sessions of a device.

use axum::extract::{Path, Query};
use maud::html;

use super::{find, page};
use crate::console::data::{After, Listed, Session};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Sessions on a page.
const SHOWN: &str = "50";

/// Shows the sessions of a device, newest first.
pub async fn show(visit: Visit, Path(id): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<Session> = visit.read(&path(&["devices", &id, "sessions"], &query)).await?;
    let here = ["devices", device.id.as_str(), "sessions"];
    let first = (!at.after.is_empty()).then(|| path(&here, &[]));
    let next = found.next.as_ref().map(|next| path(&here, &[("after", next)]));
    let rows: Vec<_> = found
        .items
        .iter()
        .map(|session| {
            let number = session.session.to_string();
            vec![
                html! { a href=(path(&["devices", &id, "sessions", &number], &[])) { "Session " (text::number(session.session)) } },
                parts::state(&session.outcome),
                html! { span.number { (text::number(session.messages)) } },
                parts::age(visit.now, &session.started),
                parts::age(visit.now, &session.updated),
            ]
        })
        .collect();
    let list = html! {
        div.card {
            @if rows.is_empty() { (parts::nothing("It has not been here yet.")) } @else {
                (parts::table("Sessions", &parts::head(&["Session", "Outcome", "Messages", "Began", "Last message"]), &rows))
            }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    };
    Ok(page(&visit, &device, "sessions", &parts::live(&visit, "sessions", &list)))
}

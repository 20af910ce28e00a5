//! What happened to a device.

use axum::extract::{Path, Query};
use maud::html;

use super::{find, page};
use crate::console::data::{After, Event, Listed};
use crate::console::events::words;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Events on a page.
const SHOWN: &str = "50";

/// Shows the events of a device, newest first.
pub async fn show(visit: Visit, Path(id): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let query = [
        ("device", id.as_str()),
        ("limit", SHOWN),
        ("before", if at.after.is_empty() { "end" } else { &at.after }),
    ];
    let found: Listed<Event> = visit.read(&path(&["events"], &query)).await?;
    let here = ["devices", device.id.as_str(), "events"];
    let first = (!at.after.is_empty()).then(|| path(&here, &[]));
    let next = found.next.as_ref().map(|next| path(&here, &[("after", next)]));
    let rows: Vec<_> = found
        .items
        .iter()
        .map(|event| {
            vec![
                parts::age(visit.now, &event.at),
                parts::word(&event.kind),
                html! { div.told { (words::told(event)) } },
            ]
        })
        .collect();
    let list = html! {
        div.card {
            @if rows.is_empty() { (parts::nothing("Nothing is kept of it.")) } @else {
                (parts::table("Events", &parts::head(&["When", "Kind", "What"]), &rows))
            }
            (parts::pager(first.as_deref(), next.as_deref()))
            @if found.items.len() > 1 { p.quiet { "Newest first; " (text::number(found.items.len())) " on this page." } }
        }
    };
    Ok(page(&visit, &device, "events", &parts::live(&visit, "events", &list)))
}

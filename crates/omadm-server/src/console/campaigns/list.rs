//! The campaigns there are, by state.

use axum::extract::Query;
use maud::{Markup, html};

use super::data::Campaign;
use crate::console::data::{InState, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Campaigns on a page.
const SHOWN: &str = "30";
/// States by which they are shown, with what each means.
const STATES: [(&str, &str); 8] = [
    ("", "all"),
    ("running", "running"),
    ("holding", "holding"),
    ("paused", "paused"),
    ("draft", "draft"),
    ("done", "done"),
    ("failed", "failed"),
    ("stopped", "stopped"),
];

/// Shows campaigns, newest first.
pub async fn show(visit: Visit, Query(wanted): Query<InState>) -> Result<Page, Failure> {
    let query = [("state", wanted.state.as_str()), ("after", wanted.after.as_str()), ("limit", SHOWN)];
    let found: Listed<Campaign> = visit.read(&path(&["campaigns"], &query)).await?;
    let body = html! {
        p { "A campaign makes one change on many devices, stage by stage: first on a few, then on more. It stops by itself when too many fail." }
        nav.chips aria-label="States" {
            @for (state, name) in STATES {
                a.chip href=(path(&["campaigns"], &[("state", state)])) aria-current=[(state == wanted.state).then_some("true")] { (name) }
            }
        }
        (parts::live(&visit, "campaigns", &table(&visit, &wanted, &found)))
    };
    Ok(Page::new("Campaigns", body)
        .with(html! {
            @if visit.may("POST", "/campaigns") { a.button.main href="/campaigns/new" { "New campaign" } }
        })
        .live("kind=campaign,command,profile.state".to_owned()))
}

fn table(visit: &Visit, wanted: &InState, found: &Listed<Campaign>) -> Markup {
    let of = |after: &str| path(&["campaigns"], &[("state", &wanted.state), ("after", after)]);
    let first = (!wanted.after.is_empty()).then(|| of(""));
    let next = found.next.as_deref().map(of);
    let rows: Vec<_> = found.items.iter().map(|campaign| row(visit, campaign)).collect();
    html! {
        div.card {
            @if rows.is_empty() { (parts::nothing("There is no such campaign.")) } @else { (parts::table("Campaigns", &parts::head(&PARTS), &rows)) }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    }
}

/// The columns of a table of campaigns.
pub const PARTS: [&str; 6] = ["Name", "State", "Stage", "Devices", "Progress", "Made"];

/// A campaign in a table.
pub fn row(visit: &Visit, campaign: &Campaign) -> Vec<Markup> {
    let devices = &campaign.devices;
    vec![
        html! { a href=(path(&["campaigns", &campaign.id], &[])) { b { (text::shown(&campaign.name)) } } },
        parts::state(&campaign.state),
        html! { span.number { (campaign.stage) " of " (campaign.stages) } },
        html! { span.number { (text::number(devices.total)) } },
        parts::chart::bar("Devices", &devices.parts()),
        html! { (parts::age(visit.now, &campaign.created)) " by " (text::shown(&campaign.created_by)) },
    ]
}

//! The devices of a campaign, by state.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;

use super::data::{Campaign, STANDINGS};
use super::find;
use super::show::above;
use crate::console::data::{InState, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Devices on a page.
const SHOWN: &str = "50";

/// A device in a campaign.
#[derive(Deserialize)]
pub struct InCampaign {
    pub device: String,
    state: String,
    attempts: u32,
    due: Option<String>,
    status: Option<u16>,
    pub reason: Option<String>,
    updated: String,
}

/// Shows the devices that a campaign has reached, by id.
pub async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(wanted): Query<InState>,
) -> Result<Page, Failure> {
    let campaign = find(&visit, &id).await?;
    let query = [("state", wanted.state.as_str()), ("after", wanted.after.as_str()), ("limit", SHOWN)];
    let found: Listed<InCampaign> = visit.read(&path(&["campaigns", &id, "devices"], &query)).await?;
    let body = html! {
        (states(&campaign, &wanted))
        (list(&visit, &campaign, &wanted, &found))
    };
    let title = format!("Devices of {}", campaign.name);
    Ok(Page::new(title, parts::live(&visit, "devices", &body))
        .below(above(Some(&campaign)))
        .live("kind=campaign,command,profile.state".to_owned()))
}

fn states(campaign: &Campaign, wanted: &InState) -> Markup {
    let href = |state: &str| path(&["campaigns", &campaign.id, "devices"], &[("state", state)]);
    let current = |state: &str| (state == wanted.state).then_some("true");
    html! {
        nav.chips aria-label="States" {
            a.chip href=(href("")) aria-current=[current("")] { "all " (text::number(campaign.devices.total)) }
            @for standing in &STANDINGS {
                a.chip href=(href(standing.state)) aria-current=[current(standing.state)] {
                    (standing.name) " " (text::number(campaign.devices.of(standing.state)))
                }
            }
        }
    }
}

fn list(visit: &Visit, campaign: &Campaign, wanted: &InState, found: &Listed<InCampaign>) -> Markup {
    let of = |after: &str| {
        path(&["campaigns", &campaign.id, "devices"], &[("state", &wanted.state), ("after", after)])
    };
    let first = (!wanted.after.is_empty()).then(|| of(""));
    let next = found.next.as_deref().map(of);
    html! {
        div.card {
            @if found.items.is_empty() { (parts::nothing("There is no such device in it.")) } @else { (table(visit, &found.items)) }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    }
}

/// Devices of a campaign as a table.
pub fn table(visit: &Visit, devices: &[InCampaign]) -> Markup {
    let rows: Vec<_> = devices.iter().map(|one| row(visit, one)).collect();
    parts::table("Devices", &parts::head(&["Device", "State", "Why", "Attempts", "Next", "Since"]), &rows)
}

fn row(visit: &Visit, one: &InCampaign) -> Vec<Markup> {
    vec![
        html! { a href=(path(&["devices", &one.device], &[])) { (text::shown(&one.device)) } },
        html! { (parts::state(&one.state)) @if let Some(status) = one.status { " " span.quiet { (status) } } },
        parts::known(one.reason.as_deref()),
        html! { span.number { (one.attempts) } },
        parts::age_or(visit.now, one.due.as_deref(), "–"),
        parts::age(visit.now, &one.updated),
    ]
}

//! One campaign: how far it is, why devices fail, and what can be done with it.

use axum::extract::Path;
use maud::{Markup, html};

use super::data::{Campaign, STANDINGS};
use super::{acts, find, report, stages, words};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Shows a campaign.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let campaign = find(&visit, &id).await?;
    let failures = match campaign.devices.failed {
        0 => html! {},
        _ => {
            let report = report::read(&visit, &campaign.id).await?;
            html! { section.card { h2 { "Failures, and why" } (report::reasons(&campaign.id, &report)) } }
        }
    };
    let body = html! {
        section.card {
            h2 { "Progress" }
            (words::standing(&visit, &campaign))
            (parts::chart::stacked("Devices that were reached", &campaign.devices.parts()))
            (by_state(&campaign))
        }
        (failures)
        section.card { h2 { "Stages" } (stages::shown(&campaign)) }
    };
    let mut facts = vec![
        ("Change", words::change(&visit, &campaign.spec.change)),
        ("Devices", words::devices(&campaign)),
        (
            "Made",
            html! { (parts::age(visit.now, &campaign.created)) " by " (text::shown(&campaign.created_by)) },
        ),
        ("Begun", parts::age_or(visit.now, campaign.began.as_deref(), "not yet")),
    ];
    facts.extend(words::rules(&campaign));
    let whole = html! {
        (parts::live(&visit, "campaign", &body))
        section.card { h2 { "What was said of it" } (parts::facts(facts)) }
    };
    let beside = html! { div.actions { (parts::state(&campaign.state)) (acts::links(&visit, &campaign)) } };
    Ok(Page::new(campaign.name.clone(), whole)
        .below(above(None))
        .with(parts::live(&visit, "campaign-acts", &beside))
        .live("kind=campaign,command,profile.state".to_owned()))
}

/// Where a page of a campaign belongs.
pub fn above(campaign: Option<&Campaign>) -> Markup {
    html! {
        a href="/campaigns" { "Campaigns" }
        @if let Some(campaign) = campaign { " › " a href=(path(&["campaigns", &campaign.id], &[])) { (text::shown(&campaign.name)) } }
    }
}

/// The ways to the devices of each state, and to the report.
fn by_state(campaign: &Campaign) -> Markup {
    let devices = &campaign.devices;
    html! {
        @if devices.total > 0 {
            nav.chips aria-label="Devices of the campaign" {
                @for standing in STANDINGS.iter().filter(|standing| devices.of(standing.state) > 0) {
                    a.chip href=(path(&["campaigns", &campaign.id, "devices"], &[("state", standing.state)])) {
                        (text::number(devices.of(standing.state))) " " (standing.name)
                    }
                }
                a.chip href=(path(&["campaigns", &campaign.id, "devices"], &[])) { "all of them" }
                a.chip href=(path(&["campaigns", &campaign.id, "report"], &[])) { "Report" }
            }
        }
    }
}

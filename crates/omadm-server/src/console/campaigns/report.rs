//! How a campaign went, and why devices failed.

use std::collections::BTreeMap;

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::data::Campaign;
use super::devices::{self, InCampaign};
use super::show::above;
use super::words;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Reasons that are shown.
const REASONS: usize = 8;

/// How a campaign went.
#[derive(Deserialize)]
pub struct Report {
    campaign: Campaign,
    settled_percent: f64,
    failed_percent: f64,
    failures: Vec<InCampaign>,
    more_failures: bool,
}

/// Reads the report of a campaign.
pub async fn read(visit: &Visit, id: &str) -> Result<Report, Failure> {
    visit.read(&path(&["campaigns", id, "report"], &[])).await
}

/// Shows the report.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let report = read(&visit, &id).await?;
    let campaign = &report.campaign;
    let body = html! {
        section.card {
            h2 { "How it went" }
            p { (parts::state(&campaign.state)) " in stage " (campaign.stage) " of " (campaign.stages) "." }
            (words::standing(&visit, campaign))
            (parts::chart::stacked("Devices that were reached", &campaign.devices.parts()))
        }
        section.card {
            h2 { "In figures" }
            (parts::facts(vec![
                ("Devices reached", html! { (text::number(campaign.devices.total)) }),
                ("Of these, nothing more is to come of", html! { (report.settled_percent) " %" }),
                ("Of those that came to an end, failed", html! { (report.failed_percent) " %" }),
                ("Change", words::change(&visit, &campaign.spec.change)),
                ("Devices", words::devices(campaign)),
            ]))
        }
        @if !report.failures.is_empty() {
            section.card { h2 { "Failures, and why" } (reasons(&campaign.id, &report)) }
            section.card {
                h2 { "Devices that failed" }
                (devices::table(&visit, &report.failures))
                @if report.more_failures { p.quiet { "The first " (report.failures.len()) " by their names. " (failed(&campaign.id, "Show all")) } }
            }
        }
    };
    let download = path(&["api", "v1", "campaigns", &campaign.id, "report"], &[]);
    Ok(Page::new(format!("Report on {}", campaign.name), body)
        .below(above(Some(campaign)))
        .with(html! { a.button href=(download) download="campaign-report.json" { "Download JSON" } }))
}

/// Why devices failed, the most frequent reason first.
pub fn reasons(id: &str, report: &Report) -> Markup {
    let mut reasons: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for failure in &report.failures {
        let reason = failure.reason.as_deref().unwrap_or("no reason is known");
        reasons.entry(reason).or_insert((0, &failure.device)).0 += 1;
    }
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, (number, _))| std::cmp::Reverse(*number));
    html! {
        ul.reasons {
            @for (reason, (number, device)) in sorted.iter().take(REASONS) {
                li {
                    span.number { (text::number(*number)) "×" } " " (text::shown_long(reason))
                    p { "Such as " a href=(path(&["devices", device], &[])) { (text::shown(device)) } }
                }
            }
        }
        @if sorted.len() > REASONS { p.quiet { "… and " (text::number(sorted.len() - REASONS)) " other reasons." } }
        p.quiet {
            @if report.more_failures { "Of the first " (report.failures.len()) " devices that failed. " }
            (failed(id, "Show the devices that failed"))
        }
    }
}

fn failed(id: &str, words: &str) -> Markup {
    html! { a href=(path(&["campaigns", id, "devices"], &[("state", "failed")])) { (words) } }
}

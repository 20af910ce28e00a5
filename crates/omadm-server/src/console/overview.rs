//! The first page: the fleet at a glance, and what needs a person.

use std::collections::BTreeMap;

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::campaigns::Campaign;
use super::census::Census;
use super::data::{Event, Listed};
use super::failure::Failure;
use super::frame::Page;
use super::parts::chart::{self, Bar, Part};
use super::visit::{Visit, path};
use super::{Console, parts, text};
use crate::operator::problem::Problem;

/// Bars of a chart.
const BARS: usize = 6;
/// Events in which failures are looked for.
const EVENTS: &str = "300";
/// Reasons that are shown.
const REASONS: usize = 6;
/// Campaigns that are looked at.
const CAMPAIGNS: &str = "50";

/// A delegation in a listing.
#[derive(Deserialize)]
struct Delegation {
    to_decide: bool,
}

/// Shows the fleet.
pub async fn show(visit: Visit, State(console): State<Console>) -> Result<Page, Failure> {
    let census = match visit.actor.sees_everything() && visit.may("GET", "/devices") {
        true => console.census.look(&console.context).await.map_err(Problem::from)?,
        false => None,
    };
    let campaigns = listed::<Campaign>(&visit, "campaigns", "/campaigns").await?;
    let failures = failures(&visit).await?;
    let needs = needs(&visit, census.as_deref(), &campaigns).await?;
    let body = html! {
        @if let Some(census) = census.as_deref() { (tiles(&console, &visit, census)) }
        @else if visit.actor.sees_everything() { p.card { "The fleet is being counted; this takes a moment. " a href="/" { "Reload" } } }
        @else { p.card { "You see the devices of some groups. " a href="/devices" { "Show them" } } }
        div.grid {
            section.card { h2 { "What needs a person" } (needs) }
            @if visit.actor.sees_everything() {
                section.card {
                    h2 { "Sessions in each minute" }
                    @let minutes = console.history.minutes(&console.context);
                    (chart::columns("Sessions in each minute of the last hour, at this node", &minutes))
                    p.quiet { "The last hour, at this node; " (text::number(minutes.iter().copied().max().unwrap_or(0))) " in a minute at most." }
                }
            }
            @if let Some(census) = census.as_deref() {
                section.card { h2 { "By protocol" } (bars("protocol", &census.protocols)) }
                section.card { h2 { "By model" } (bars("model", &census.models)) }
                section.card { h2 { "By firmware" } (bars("fw", &census.firmware)) }
                section.card { h2 { "By last contact" } (contacts(census)) }
            }
            @if visit.may("GET", "/events") { section.card { h2 { "Commands that fail, and why" } (failures) } }
            @if visit.may("GET", "/campaigns") { section.card { h2 { "Campaigns" } (running(&campaigns)) } }
        }
    };
    Ok(Page::new("Overview", parts::live(&visit, "overview", &body))
        .live("kind=session,command,campaign,device".to_owned()))
}

/// A listing for who may read it.
async fn listed<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    name: &str,
    route: &str,
) -> Result<Vec<T>, Failure> {
    if !visit.may("GET", route) {
        return Ok(Vec::new());
    }
    Ok(visit.read::<Listed<T>>(&path(&[name], &[("limit", CAMPAIGNS)])).await?.items)
}

fn tiles(console: &Console, visit: &Visit, census: &Census) -> Markup {
    let devices = |filter: &str| path(&["devices"], &[("filter", filter)]);
    let open = console.context.metrics.commands_open.now(());
    let tile = |name: &str, number: u64, href: String| {
        html! { li.tile { span.name { (name) } span.figure { a href=(href) { (text::number(number)) } } } }
    };
    html! {
        ul.tiles {
            (tile("Devices", census.devices, devices("")))
            (tile("Seen in the last hour", census.seen[0], devices("seen < 1h")))
            (tile("With open commands", census.waiting, devices("queued > 0")))
            (tile("Called, no answer", census.unanswered, devices("reach = unanswered")))
            @if visit.may("GET", "/server") {
                li.tile { span.name { "Commands open" } span.figure { (text::number(open)) } }
            }
        }
        @if visit.now.0.saturating_sub(census.at.0) > 5_000_000 {
            p.quiet { "Counted " (parts::age(visit.now, &crate::clock::rfc3339(census.at))) "." }
        }
    }
}

/// The names of most devices, each leading to these.
fn bars(field: &str, names: &BTreeMap<String, u64>) -> Markup {
    let mut sorted: Vec<(&String, &u64)> = names.iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let rest: u64 = sorted.iter().skip(BARS).map(|(_, number)| **number).sum();
    let mut bars: Vec<Bar> = sorted
        .iter()
        .take(BARS)
        .map(|(name, number)| Bar {
            name: if name.is_empty() { "not known".to_owned() } else { (*name).clone() },
            value: **number,
            href: Some(path(&["devices"], &[("filter", &format!("{field} = {}", quoted(name)))])),
        })
        .collect();
    if rest > 0 {
        bars.push(Bar { name: "others".to_owned(), value: rest, href: None });
    }
    if bars.is_empty() { parts::nothing("No device is enrolled.") } else { chart::bars(&bars) }
}

/// A value as the filter language has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

fn contacts(census: &Census) -> Markup {
    let [hour, day] = census.seen;
    let before = census.devices.saturating_sub(hour + day + census.never);
    chart::stacked(
        "Devices by last contact",
        &[
            Part { name: "in the last hour", value: hour, class: "good" },
            Part { name: "in the last day", value: day, class: "busy" },
            Part { name: "before", value: before, class: "warn" },
            Part { name: "never", value: census.never, class: "idle" },
        ],
    )
}

/// Why commands failed lately, the most frequent reason first.
async fn failures(visit: &Visit) -> Result<Markup, Failure> {
    if !visit.may("GET", "/events") {
        return Ok(html! {});
    }
    let query = [("kind", "command"), ("before", "end"), ("limit", EVENTS)];
    let events: Listed<Event> = visit.read(&path(&["events"], &query)).await?;
    let mut reasons: BTreeMap<String, (u64, &Event)> = BTreeMap::new();
    for event in &events.items {
        let text = |name: &str| event.body.get(name).and_then(Value::as_str).unwrap_or_default();
        let state = text("state");
        if !["failed", "expired", "quarantined"].contains(&state) {
            continue;
        }
        let status = event.body.get("status").and_then(Value::as_u64).map(|status| format!(" with {status}"));
        let what = format!("{} {state}{}", text("verb"), status.unwrap_or_default());
        reasons.entry(what).or_insert((0, event)).0 += 1;
    }
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, (number, _))| std::cmp::Reverse(*number));
    Ok(html! {
        @if sorted.is_empty() { (parts::nothing("None of the last commands has failed.")) }
        ul.reasons {
            @for (what, (number, event)) in sorted.iter().take(REASONS) {
                li {
                    span.number { (text::number(*number)) "×" } " " b { (text::shown(what)) }
                    @if let Some(reason) = event.body.get("reason").and_then(Value::as_str) { p.quiet { (text::plain(reason, 200)) } }
                    p { "Last " (parts::age(visit.now, &event.at))
                        @if let Some(device) = &event.device { " on " a href=(path(&["devices", device, "commands"], &[])) { (text::shown(device)) } }
                    }
                }
            }
        }
    })
}

fn running(campaigns: &[Campaign]) -> Markup {
    let going: Vec<&Campaign> = campaigns
        .iter()
        .filter(|one| ["running", "holding", "paused"].contains(&one.state.as_str()))
        .collect();
    html! {
        @if going.is_empty() { (parts::nothing("No campaign is under way.")) }
        @for one in going.iter().take(BARS) {
            h3 { a href=(path(&["campaigns", &one.id], &[])) { (text::shown(&one.name)) } " " (parts::state(&one.state)) }
            (chart::stacked(&text::plain(&one.name, 60), &one.devices.parts()))
        }
    }
}

/// What does not go on without somebody.
async fn needs(visit: &Visit, census: Option<&Census>, campaigns: &[Campaign]) -> Result<Markup, Failure> {
    let delegations: Vec<Delegation> = match visit.may("GET", "/delegations") {
        true => {
            visit.find::<Listed<Delegation>>(&path(&["delegations"], &[])).await?.unwrap_or_default().items
        }
        false => Vec::new(),
    };
    let to_decide = delegations.iter().filter(|one| one.to_decide).count();
    let devices = |filter: &str| path(&["devices"], &[("filter", filter)]);
    let paused: Vec<&Campaign> = campaigns.iter().filter(|one| one.state == "paused").collect();
    let holding = campaigns.iter().filter(|one| one.needs_approval).count();
    let (unanswered, revoked) = census.map_or((0, 0), |census| (census.unanswered, census.revoked));
    Ok(list_of(&[
        (to_decide as u64, html! { "delegations between servers wait for a decision." }),
        (
            holding as u64,
            html! { "campaigns wait for somebody who says that the next stage may begin. " a href="/campaigns?state=holding" { "Show them" } },
        ),
        (
            paused.len() as u64,
            html! { "campaigns are paused" @if let Some(why) = paused.first().and_then(|one| one.why.as_deref()) { ": " (text::plain(why, 160)) } "." },
        ),
        (
            unanswered,
            html! { "devices were called and did not come. " a href=(devices("reach = unanswered")) { "Show them" } },
        ),
        (
            revoked,
            html! { "devices have no bootstrap any more. " a href=(devices("state = revoked")) { "Show them" } },
        ),
    ]))
}

fn list_of(needs: &[(u64, Markup)]) -> Markup {
    let open: Vec<&(u64, Markup)> = needs.iter().filter(|(number, _)| *number > 0).collect();
    html! {
        @if open.is_empty() { (parts::nothing("Nothing at the moment.")) }
        ul.needs { @for (number, what) in open { li { b { (text::number(*number)) } " " (what) } } }
    }
}

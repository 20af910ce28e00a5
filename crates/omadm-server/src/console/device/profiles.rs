//! What is wanted of a device, how far it is, and what it would be told next.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::command::node_value;
use super::{find, page};
use crate::console::data::Device;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};

/// Rows of a table.
const SHOWN: usize = 200;

/// How far a device is.
#[derive(Deserialize)]
struct OfDevice {
    profiles: Vec<Standing>,
    now: Trial,
}

#[derive(Deserialize)]
struct Standing {
    profile: String,
    version: i64,
    state: String,
    reason: Option<String>,
    since: String,
}

#[derive(Deserialize)]
struct Trial {
    items: Vec<Thing>,
    overruled: Vec<Overruled>,
    commands: Vec<Told>,
}

#[derive(Deserialize)]
struct Thing {
    profile: String,
    version: i64,
    what: String,
    state: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Overruled {
    profile: String,
    what: String,
    by: String,
}

#[derive(Deserialize)]
struct Told {
    profile: String,
    verb: String,
    address: String,
    #[serde(default)]
    args: Value,
}

/// Shows the profiles of a device.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let of: OfDevice = visit.read(&path(&["devices", &id, "profiles"], &[])).await?;
    let body = html! {
        section.card { h2 { "At its last check-in" } (standings(&visit, &device, &of.profiles)) }
        section.card { h2 { "The difference now" } (difference(&of.now)) }
        section.card { h2 { "What it would be told next" } (told(&of.now.commands)) }
    };
    Ok(page(&visit, &device, "profiles", &parts::live(&visit, "profiles", &body)))
}

fn standings(visit: &Visit, device: &Device, profiles: &[Standing]) -> Markup {
    if profiles.is_empty() {
        return parts::nothing("No profile has come to it.");
    }
    let may_retry = visit.may("POST", "/devices/{id}/profiles/{name}/retry");
    let row = |one: &Standing| {
        let retry = path(&["devices", &device.id, "profiles", &one.profile, "retry"], &[]);
        vec![
            html! { b { (text::shown(&one.profile)) } " " span.quiet { "version " (one.version) } },
            parts::state(&one.state),
            parts::known(one.reason.as_deref()),
            parts::age(visit.now, &one.since),
            html! { @if may_retry && one.state != "converged" { (parts::button(visit, &retry, "Try again", "small")) } },
        ]
    };
    let rows: Vec<_> = profiles.iter().take(SHOWN).map(row).collect();
    parts::table("Profiles", &parts::head(&["Profile", "State", "Why", "Since", "Action"]), &rows)
}

fn difference(now: &Trial) -> Markup {
    if now.items.is_empty() {
        return parts::nothing("Nothing is wanted of it.");
    }
    let count = |state: &str| now.items.iter().filter(|one| one.state == state).count() as u64;
    let part = |name, class| parts::chart::Part { name, value: count(name), class };
    let differing: Vec<&Thing> = now.items.iter().filter(|one| one.state != "converged").collect();
    let rows: Vec<_> = differing
        .iter()
        .take(SHOWN)
        .map(|one| {
            vec![
                html! { span.mono { (text::shown(&one.what)) } },
                parts::state(&one.state),
                parts::known(one.reason.as_deref()),
                html! { (text::shown(&one.profile)) " " span.quiet { "version " (one.version) } },
            ]
        })
        .collect();
    html! {
        (parts::chart::stacked("What is wanted", &[part("converged", "good"), part("pending", "busy"), part("drifted", "warn"), part("failed", "bad")]))
        @if rows.is_empty() { p { "All that is wanted is so." } } @else {
            (parts::table("The difference", &parts::head(&["What", "State", "Why", "Wanted by"]), &rows))
            @if differing.len() > SHOWN { p.quiet { "… and " (text::number(differing.len() - SHOWN)) " more." } }
        }
        @for one in now.overruled.iter().take(SHOWN) {
            p.quiet { "What " (text::shown(&one.profile)) " wants of " (text::shown(&one.what)) " gives way to " (text::shown(&one.by)) "." }
        }
    }
}

fn told(commands: &[Told]) -> Markup {
    if commands.is_empty() {
        return parts::nothing("Nothing.");
    }
    let row = |one: &Told| {
        vec![
            html! { b { (text::shown(&one.verb)) } " " span.mono { (text::shown(&one.address)) } },
            one.args.get("value").map_or_else(|| parts::known(None), node_value),
            html! { (text::shown(&one.profile)) },
        ]
    };
    let rows: Vec<_> = commands.iter().take(SHOWN).map(row).collect();
    parts::table("Commands to come", &parts::head(&["Command", "Value", "Wanted by"]), &rows)
}

/// Has the device try a profile again.
pub async fn retry(visit: Visit, Path((id, name)): Path<(String, String)>) -> Result<Response, Failure> {
    visit.act(Method::POST, &path(&["devices", &id, "profiles", &name, "retry"], &[]), None).await?;
    Ok(notice::redirect(&path(&["devices", &id, "profiles"], &[]), &format!("{name} is tried again.")))
}

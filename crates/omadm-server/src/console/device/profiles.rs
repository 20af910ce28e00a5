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

/// How a device stands with what is wanted of it, and what it would be told next.
#[derive(Deserialize)]
pub struct Trial {
    /// The device.
    pub device: String,
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
        section.card { h2 { "The difference now" } (of.now.difference(SHOWN)) }
        section.card { h2 { "What it would be told next" } (of.now.told(SHOWN)) }
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

impl Trial {
    /// How many commands it would be told.
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// What is wanted and not so; at most so many rows.
    pub fn difference(&self, most: usize) -> Markup {
        if self.items.is_empty() {
            return parts::nothing("Nothing is wanted of it.");
        }
        let count = |state: &str| self.items.iter().filter(|one| one.state == state).count() as u64;
        let part = |name, class| parts::chart::Part { name, value: count(name), class };
        let differing: Vec<&Thing> = self.items.iter().filter(|one| one.state != "converged").collect();
        let rows: Vec<_> = differing
            .iter()
            .take(most)
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
                (left_out(differing.len(), most))
            }
            @for one in self.overruled.iter().take(most) {
                p.quiet { "What " (text::shown(&one.profile)) " wants of " (text::shown(&one.what)) " gives way to " (text::shown(&one.by)) "." }
            }
        }
    }

    /// The commands that it would be told; at most so many rows.
    pub fn told(&self, most: usize) -> Markup {
        if self.commands.is_empty() {
            return parts::nothing("Nothing.");
        }
        let row = |one: &Told| {
            vec![
                html! { b { (text::shown(&one.verb)) } " " span.mono { (text::shown(&one.address)) } },
                one.args.get("value").map_or_else(|| parts::known(None), node_value),
                html! { (text::shown(&one.profile)) },
            ]
        };
        let rows: Vec<_> = self.commands.iter().take(most).map(row).collect();
        html! {
            (parts::table("Commands to come", &parts::head(&["Command", "Value", "Wanted by"]), &rows))
            (left_out(self.commands.len(), most))
        }
    }
}

fn left_out(all: usize, most: usize) -> Markup {
    html! { @if all > most { p.quiet { "… and " (text::number(all - most)) " more." } } }
}

/// Has the device try a profile again.
pub async fn retry(visit: Visit, Path((id, name)): Path<(String, String)>) -> Result<Response, Failure> {
    visit.act(Method::POST, &path(&["devices", &id, "profiles", &name, "retry"], &[]), None).await?;
    Ok(notice::redirect(&path(&["devices", &id, "profiles"], &[]), &format!("{name} is tried again.")))
}

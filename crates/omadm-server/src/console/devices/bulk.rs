//! What is done to many devices: chosen, looked at, done, and said of each.

use std::collections::BTreeMap;

use axum::extract::Query;
use futures_util::{StreamExt as _, stream};
use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::data::{Count, Device, Listed};
use crate::console::device::command;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::problem::Problem;

/// Most devices of one action: more are for a campaign.
const MAX_DEVICES: usize = 1_000;
/// Devices that are shown of those that are meant.
const SHOWN: usize = 20;
/// Requests that are under way at a time.
const AT_A_TIME: usize = 8;

/// What can be done to many devices.
pub struct Action {
    key: &'static str,
    name: &'static str,
    method: Method,
    /// The route of the API, for a device.
    route: &'static str,
}

/// All of them.
pub const ACTIONS: &[Action] = &[
    Action { key: "label", name: "Set a label", method: Method::PATCH, route: "/devices/{id}" },
    Action { key: "unlabel", name: "Remove a label", method: Method::PATCH, route: "/devices/{id}" },
    Action { key: "command", name: "Queue a command", method: Method::POST, route: "/devices/{id}/commands" },
    Action { key: "call", name: "Call to a session", method: Method::POST, route: "/devices/{id}/notify" },
];

impl Action {
    /// Whether somebody may do it.
    pub fn is_open_to(&self, visit: &Visit) -> bool {
        visit.may(self.method.as_str(), self.route)
    }

    fn named(visit: &Visit, key: &str) -> Result<&'static Self, Problem> {
        let found = ACTIONS.iter().find(|action| action.key == key && action.is_open_to(visit));
        found.ok_or_else(|| Problem::bad("choose what is to be done"))
    }

    /// What it has to be told.
    fn fields(&self) -> Markup {
        html! {
            @match self.key {
                "label" => {
                    label for="key" { "Label" } input #key name="key" required maxlength="64" placeholder="site";
                    label for="value" { "Value" } input #value name="value" required maxlength="200";
                },
                "unlabel" => { label for="key" { "Label" } input #key name="key" required maxlength="64" placeholder="site"; },
                "command" => (command::fields("", "")),
                _ => {},
            }
        }
    }

    /// The body of the request for each device.
    fn body(&self, form: &Form) -> Result<Option<Value>, Problem> {
        let key = || form.filled("key").ok_or_else(|| Problem::bad("a label has a key"));
        Ok(match self.key {
            "label" => Some(json!({ "labels": { key()?: form.get("value").unwrap_or_default() } })),
            "unlabel" => Some(json!({ "labels": { key()?: null } })),
            "command" => Some(command::request(form)?),
            _ => None,
        })
    }
}

/// The choice under the table of devices.
pub fn choice(visit: &Visit) -> Markup {
    html! {
        div.row.bulk {
            div.stack {
                label for="action" { "With these devices" }
                select #action name="action" {
                    @for action in ACTIONS.iter().filter(|action| action.is_open_to(visit)) { option value=(action.key) { (action.name) } }
                }
            }
            div.stack {
                label for="scope" { "Which" }
                select #scope name="scope" { option value="ticked" { "those that are ticked" } option value="all" { "all that the filter means" } }
            }
            button type="submit" { "Preview" }
        }
    }
}

/// Which devices are meant.
enum Meant {
    These(Vec<String>),
    Filter(String),
}

impl Meant {
    fn of(fields: &Form) -> Result<Self, Problem> {
        if fields.get("scope") == Some("all") {
            return Ok(Self::Filter(fields.get("filter").unwrap_or_default().to_owned()));
        }
        let these: Vec<String> = fields.all("id").map(str::to_owned).collect();
        match these.len() {
            0 => Err(Problem::bad("no device is ticked; tick some, or take all that the filter means")),
            1..=MAX_DEVICES => Ok(Self::These(these)),
            _ => Err(too_many()),
        }
    }

    /// The devices, as they are at the moment.
    async fn ids(&self, visit: &Visit) -> Result<Vec<String>, Failure> {
        let filter = match self {
            Self::These(these) => return Ok(these.clone()),
            Self::Filter(filter) => filter,
        };
        let limit = MAX_DEVICES.to_string();
        let query = [("filter", filter.as_str()), ("columns", "id"), ("limit", &limit)];
        let found: Listed<Device> = visit.read(&path(&["devices"], &query)).await?;
        match found.next {
            None => Ok(found.items.into_iter().map(|device| device.id).collect()),
            Some(_) => Err(too_many().into()),
        }
    }

    fn fields(&self) -> Markup {
        html! {
            @match self {
                Self::These(these) => { @for id in these { input type="hidden" name="id" value=(id); } },
                Self::Filter(filter) => {
                    input type="hidden" name="scope" value="all";
                    input type="hidden" name="filter" value=(filter);
                },
            }
        }
    }
}

fn too_many() -> Problem {
    Problem::bad(format!(
        "these are more than {MAX_DEVICES} devices; narrow the filter, or make a campaign, which goes on by stages"
    ))
}

/// Shows what an action would touch, and asks what it has to know.
pub async fn preview(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let fields = Form(fields);
    let action = Action::named(&visit, fields.get("action").unwrap_or_default())?;
    let meant = Meant::of(&fields)?;
    let ids = meant.ids(&visit).await?;
    let more = match &meant {
        Meant::These(_) => None,
        Meant::Filter(filter) => {
            Some(visit.read::<Count>(&path(&["devices", "count"], &[("filter", filter)])).await?.devices)
        }
    };
    let number = more.map_or(ids.len() as u64, |more| more);
    let body = html! {
        div.card {
            h2 { "What it touches" }
            p { b { (text::number(number)) } @if number == 1 { " device." } @else { " devices." } " They are looked at again when it is done." }
            ul.ids { @for id in ids.iter().take(SHOWN) { li { a href=(path(&["devices", id], &[])) { (text::shown(id)) } } } }
            @if ids.len() > SHOWN { p.quiet { "… and " (text::number(ids.len() - SHOWN)) " more." } }
        }
        div.card {
            h2 { "What is done" }
            form.stack method="post" action="/devices/bulk" {
                (visit.marks()) (meant.fields())
                input type="hidden" name="action" value=(action.key);
                (action.fields())
                div.actions {
                    button.main type="submit" { (action.name) " on " (text::number(number)) @if number == 1 { " device" } @else { " devices" } }
                    a.button href="/devices" { "Go back" }
                }
            }
        }
    };
    Ok(Page::new(action.name, body).below(html! { a href="/devices" { "Devices" } }))
}

/// Does it, and says what came of it.
pub async fn act(visit: Visit, form: Form) -> Result<Page, Failure> {
    let action = Action::named(&visit, form.get("action").unwrap_or_default())?;
    let body = action.body(&form)?;
    let ids = Meant::of(&form)?.ids(&visit).await?;
    let tail: Vec<&str> = action
        .route
        .rsplit("{id}")
        .next()
        .unwrap_or_default()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let results: Vec<(String, Result<Value, Failure>)> = stream::iter(ids)
        .map(|id| {
            let segments: Vec<&str> = ["devices", &id].into_iter().chain(tail.iter().copied()).collect();
            let to = path(&segments, &[]);
            let (visit, body, method) = (&visit, body.clone(), action.method.clone());
            async move { (id, visit.act(method, &to, body).await) }
        })
        .buffered(AT_A_TIME)
        .collect()
        .await;
    Ok(outcome(action, &results))
}

fn outcome(action: &Action, results: &[(String, Result<Value, Failure>)]) -> Page {
    let mut refused: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, result) in results {
        if let Err(failure) = result {
            refused.entry(failure.detail()).or_default().push(id);
        }
    }
    let failed: usize = refused.values().map(Vec::len).sum();
    let body = html! {
        div.card {
            (parts::chart::stacked(action.name, &[
                parts::chart::Part { name: "done", value: (results.len() - failed) as u64, class: "good" },
                parts::chart::Part { name: "refused", value: failed as u64, class: "bad" },
            ]))
        }
        @for (why, ids) in &refused {
            div.card {
                p { (text::shown_long(why)) }
                ul.ids { @for id in ids.iter().take(SHOWN) { li { a href=(path(&["devices", id], &[])) { (text::shown(id)) } } } }
                @if ids.len() > SHOWN { p.quiet { "… and " (text::number(ids.len() - SHOWN)) " more." } }
            }
        }
        p { a.button href="/devices" { "Back to the devices" } }
    };
    Page::new(format!("{}: what came of it", action.name), body)
        .below(html! { a href="/devices" { "Devices" } })
}

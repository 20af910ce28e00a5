//! What would come of a version, on a device or on some devices of a group; nothing is changed by it.

use axum::extract::{Path, Query};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::data::Tried;
use super::{GROUP_LIST, group_list, groups, href, page};
use crate::console::device::Trial;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::chart::Bar;
use crate::console::parts::{self, Field};
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::operator::problem::Problem;

/// Devices of a group that are looked at.
const SAMPLE: u32 = 20;
/// Rows of each table of a device that is looked at alone, and of one of several.
const ROWS: (usize, usize) = (parts::ROWS, 8);
/// Devices of a group are counted up to this many.
const COUNTED: u64 = 10_000;

/// What is tried on what.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    version: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    group: String,
    /// Whether it is asked for, and not only the form.
    #[serde(default)]
    go: String,
}

impl Asked {
    fn request(&self) -> Result<Value, Problem> {
        let mut request = Map::new();
        let version = self.version.trim();
        if !version.is_empty() {
            let number: i64 = version.parse().map_err(|_| Problem::bad("a version is a number"))?;
            request.insert("version".into(), number.into());
        }
        let filled = [("device", self.device.trim()), ("group", self.group.trim())];
        for (member, value) in filled.into_iter().filter(|(_, value)| !value.is_empty()) {
            request.insert(member.into(), value.into());
        }
        if self.device.trim().is_empty() {
            request.insert("sample".into(), SAMPLE.into());
        }
        Ok(Value::Object(request))
    }
}

/// Shows what would come of a version.
pub async fn show(
    visit: Visit,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Failure> {
    let groups = groups(&visit).await?;
    let (tried, problem) = match asked.go.is_empty() {
        true => (None, None),
        false => match go(&visit, &name, &asked).await {
            Ok(tried) => (Some(tried), None),
            // What was typed can be mended here.
            Err(failure) if [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&failure.status()) => {
                (None, Some(failure))
            }
            Err(failure) => return Err(failure),
        },
    };
    let body = html! {
        section.card {
            h2 { "What would devices be told?" }
            p.quiet { "Nothing is changed by a dry run: the server compares what the version wants with what it knows of a device, or of some devices of a group." }
            @if let Some(problem) = &problem { p.problem role="alert" { (text::shown_long(problem.detail())) } }
            form.stack method="get" action=(href(&name, "dry-run", &[])) {
                (Field { name: "version", label: "Version", hint: "Empty: the newest.", value: &asked.version, ..Field::default() }.line())
                (Field { name: "device", label: "Device", hint: "A device id, such as IMEI:493005100592800. Empty: some devices of a group.", value: &asked.device, is_exact: true, ..Field::default() }.line())
                (Field { name: "group", label: "Group", hint: "Empty: the group that the profile is meant for, or all devices.", value: &asked.group, list: Some(GROUP_LIST), ..Field::default() }.line())
                (group_list(&groups))
                input type="hidden" name="go" value="1";
                button.main type="submit" { "Try it" }
            }
        }
        @if let Some(tried) = &tried { (outcome(&visit, &name, &asked, tried)) }
    };
    Ok(page(&visit, &name, "dry-run", &body))
}

async fn go(visit: &Visit, name: &str, asked: &Asked) -> Result<Tried, Failure> {
    let to = path(&["profiles", name, "dry-run"], &[]);
    let answer = visit.act(Method::POST, &to, Some(asked.request()?)).await?;
    serde_json::from_value(answer).map_err(|error| {
        tracing::error!(%error, "the console does not understand a dry run");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why").into()
    })
}

fn outcome(visit: &Visit, name: &str, asked: &Asked, tried: &Tried) -> Markup {
    let bars: Vec<Bar> = tried
        .commands
        .iter()
        .map(|(verb, number)| Bar { name: verb.clone(), value: *number, href: None })
        .collect();
    let is_group = asked.device.trim().is_empty();
    html! {
        section.card {
            h2 { "What would come of version " (tried.version) }
            @if is_group { p { (meant(tried)) } }
            @if bars.is_empty() && !tried.sample.is_empty() { p { "Nothing would be told: what the version wants is so, waits, or was tried in vain." } }
            (parts::chart::bars(&bars))
            @if is_group && visit.may("PUT", "/profiles/{name}/assignment") {
                form method="post" action=(href(name, "assign", &[])) {
                    (visit.marks())
                    input type="hidden" name="version" value=(tried.version);
                    input type="hidden" name="group" value=(asked.group.trim());
                    div.actions { button type="submit" { "Assign version " (tried.version) } a.button href=(href(name, "", &[])) { "Leave it" } }
                }
            }
        }
        @for one in tried.sample.iter().take(SAMPLE as usize) { (of_device(one, tried.sample.len() == 1)) }
    }
}

/// How many devices are meant, and how many of them were looked at.
fn meant(tried: &Tried) -> Markup {
    let looked_at = tried.sample.len();
    html! {
        @if tried.devices >= COUNTED { "More than " b { (text::number(COUNTED)) } } @else { b { (text::number(tried.devices)) } }
        @if tried.devices == 1 { " device is meant." } @else { " devices are meant." }
        @if looked_at as u64 != tried.devices { " These are the first " (looked_at) "." }
    }
}

fn of_device(one: &Trial, is_alone: bool) -> Markup {
    let most = if is_alone { ROWS.0 } else { ROWS.1 };
    let commands = one.commands();
    html! {
        details.card open[is_alone] {
            summary {
                (text::shown(&one.device)) " "
                span.quiet { @match commands { 0 => "nothing to be told", 1 => "1 command", _ => { (text::number(commands)) " commands" } } }
            }
            p { a href=(path(&["devices", &one.device, "profiles"], &[])) { "The profiles of this device" } }
            h3 { "What it would be told next" } (one.told(most))
            h3 { "The difference" } (one.difference(most))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_is_left_to_the_server() {
        let asked = |version: &str, device: &str, group: &str| {
            Asked { version: version.into(), device: device.into(), group: group.into(), go: "1".into() }
                .request()
        };
        assert_eq!(asked("", " ", "").unwrap(), json!({ "sample": SAMPLE }));
        assert_eq!(asked(" 2 ", "IMEI:1", "").unwrap(), json!({ "version": 2, "device": "IMEI:1" }));
        assert_eq!(asked("", "", "a").unwrap(), json!({ "group": "a", "sample": SAMPLE }));
        assert!(asked("two", "", "").is_err());
    }
}

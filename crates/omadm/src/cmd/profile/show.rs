//! Profiles for people.

use serde_json::Value;

use super::path;
use crate::api::{Api, Query, segment};
use crate::failure::Failure;
use crate::screen::{self, Format};

fn text(item: &Value, name: &str) -> String {
    match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// All profiles.
pub async fn list(api: &Api, output: Format) -> Result<(), Failure> {
    let profiles = api.list("/profiles", &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&profiles);
    }
    let now = jiff::Timestamp::now();
    let rows = profiles
        .iter()
        .map(|item| vec![text(item, "name"), text(item, "newest"), screen::age(&text(item, "updated"), now)]);
    let none = "There is no profile. `omadm profile set FILE` stores one.";
    screen::table(&["PROFILE", "NEWEST", "STORED"], rows.collect(), none)
}

/// One profile, or the document of one version.
pub async fn one(api: &Api, output: Format, name: &str, version: Option<i64>) -> Result<(), Failure> {
    if let Some(version) = version {
        let answer = api.get(&format!("{}/versions/{version}", path(name))).await?;
        return match output {
            Format::Json => screen::json(&answer),
            Format::Table => screen::json(answer.get("document").unwrap_or(&answer)),
        };
    }
    let profile = api.get(&path(name)).await?;
    if output == Format::Json {
        return screen::json(&profile);
    }
    let newest = profile.get("newest").unwrap_or(&Value::Null);
    screen::line(&format!(
        "{name}, version {} by {}",
        text(newest, "version"),
        screen::clean(&text(newest, "created_by"))
    ))?;
    let assignments = items(&profile, "assignments").iter().map(|one| {
        let group = Some(text(one, "group")).filter(|group| !group.is_empty());
        vec![
            group.unwrap_or_else(|| "all devices".into()),
            text(one, "version"),
            text(one, "previous"),
            text(one, "by"),
        ]
    });
    screen::table(&["ASSIGNED TO", "VERSION", "BEFORE", "BY"], assignments.collect(), "It is not assigned.")?;
    counts(&profile)?;
    screen::json(newest.get("document").unwrap_or(newest))
}

fn counts(profile: &Value) -> Result<(), Failure> {
    let counts = profile.get("devices").and_then(Value::as_object).into_iter().flatten();
    let rows = counts.map(|(state, devices)| vec![state.clone(), devices.to_string()]);
    screen::table(&["STATE", "DEVICES"], rows.collect(), "No device has it.")
}

/// The differences between two versions.
pub async fn diff(api: &Api, output: Format, name: &str, from: i64, to: Option<i64>) -> Result<(), Failure> {
    let query = Query::new().with("from", &from.to_string());
    let query = to.iter().fold(query, |query, to| query.with("to", &to.to_string()));
    let answer = api.get(&query.onto(&format!("{}/diff", path(name)))).await?;
    if output == Format::Json {
        return screen::json(&answer);
    }
    let differences = items(&answer, "differences");
    if differences.is_empty() {
        return screen::line("They say the same.");
    }
    for one in differences {
        screen::line(&screen::clean(&text(one, "what")))?;
        for (sign, side) in [("-", "before"), ("+", "after")] {
            if let Some(value) = one.get(side) {
                screen::line(&format!("  {sign} {}", screen::clean(&value.to_string())))?;
            }
        }
    }
    Ok(())
}

/// What would come of a version.
pub fn dry_run(output: Format, answer: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(answer);
    }
    let sample = items(answer, "sample");
    screen::line(&format!(
        "{} devices are meant; of {} that were looked at:",
        text(answer, "devices"),
        sample.len()
    ))?;
    let rows = sample.iter().flat_map(|device| {
        let commands = items(device, "commands").iter();
        commands.map(|command| {
            let value = command.pointer("/args/value").map(Value::to_string);
            vec![
                text(device, "device"),
                text(command, "verb"),
                text(command, "address"),
                value.unwrap_or_else(|| text(command, "payload")),
            ]
        })
    });
    screen::table(&["DEVICE", "COMMAND", "ADDRESS", "VALUE"], rows.collect(), "They would get no command.")
}

/// One device with all its profiles.
pub async fn of_device(api: &Api, output: Format, device: &str) -> Result<(), Failure> {
    let answer = api.get(&format!("/devices/{}/profiles", segment(device))).await?;
    if output == Format::Json {
        return screen::json(&answer);
    }
    let now = jiff::Timestamp::now();
    let profiles = items(&answer, "profiles").iter().map(|one| {
        vec![
            text(one, "profile"),
            text(one, "version"),
            text(one, "state"),
            screen::age(&text(one, "since"), now),
            text(one, "reason"),
        ]
    });
    screen::table(
        &["PROFILE", "VERSION", "STATE", "SINCE", "REASON"],
        profiles.collect(),
        "It has no profile.",
    )?;
    let things = answer.get("now").map(|now| items(now, "items")).unwrap_or_default().iter();
    let things = things
        .map(|one| vec![text(one, "what"), text(one, "profile"), text(one, "state"), text(one, "reason")]);
    screen::table(&["WHAT", "PROFILE", "STATE", "REASON"], things.collect(), "Nothing is wanted of it.")
}

/// How far devices are with a profile.
pub async fn status(
    api: &Api,
    output: Format,
    name: &str,
    state: Option<&str>,
    limit: Option<u32>,
) -> Result<(), Failure> {
    let profile = api.get(&path(name)).await?;
    let query = state.iter().fold(Query::new(), |query, state| query.with("state", state));
    let devices = api.list(&format!("{}/devices", path(name)), &query, limit).await?;
    if output == Format::Json {
        let counts = profile.get("devices").cloned().unwrap_or_default();
        return screen::json(&serde_json::json!({ "counts": counts, "devices": devices }));
    }
    counts(&profile)?;
    let now = jiff::Timestamp::now();
    let rows = devices.iter().map(|one| {
        vec![
            text(one, "device"),
            text(one, "version"),
            text(one, "state"),
            screen::age(&text(one, "since"), now),
            text(one, "reason"),
        ]
    });
    screen::table(
        &["DEVICE", "VERSION", "STATE", "SINCE", "REASON"],
        rows.collect(),
        "No device has it in this state.",
    )
}

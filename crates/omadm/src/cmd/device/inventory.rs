//! The inventory: listings by filter, and what people say about devices.

use serde_json::{Map, Value, json};

use super::path;
use crate::api::types::Device as Record;
use crate::api::{Api, Query, read};
use crate::cmd::filter;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Lists devices.
pub async fn list(
    api: &Api,
    output: Format,
    wanted: Option<&str>,
    columns: Option<&str>,
    limit: Option<u32>,
) -> Result<(), Failure> {
    let query = Query::new().with_some("filter", wanted).with_some("columns", columns);
    let items = api.list("/devices", &query, limit).await.map_err(|error| filter::pointed(error, wanted))?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let none = match wanted {
        None => "No device is enrolled. `omadm bootstrap factory --device ID` enrols one.",
        Some(_) => "No device is meant by this filter.",
    };
    if let Some(columns) = columns {
        let names: Vec<&str> = columns.split(',').map(str::trim).collect();
        let rows = items.iter().map(|item| names.iter().map(|name| cell(item.get(*name))).collect());
        let titles: Vec<String> = names.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
        return screen::table(&titles.iter().map(String::as_str).collect::<Vec<_>>(), rows.collect(), none);
    }
    let now = jiff::Timestamp::now();
    let rows = items.into_iter().map(|item| {
        let device: Record = read("/devices", item)?;
        Ok(vec![
            device.id,
            device.label.unwrap_or_default(),
            device.protocol.unwrap_or_default(),
            [device.manufacturer, device.model].into_iter().flatten().collect::<Vec<_>>().join(" "),
            device.software.unwrap_or_default(),
            device.last_contact.map_or_else(|| "never".to_owned(), |time| screen::age(&time, now)),
            device.open_commands.to_string(),
        ])
    });
    screen::table(
        &["DEVICE", "LABEL", "PROTOCOL", "MODEL", "SOFTWARE", "LAST CONTACT", "OPEN"],
        rows.collect::<Result<_, Failure>>()?,
        none,
    )
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Sets labels (`KEY=VALUE`) and removes them (`KEY-`), and prints those that the device has then.
pub async fn label(api: &Api, output: Format, device: &str, changes: &[String]) -> Result<(), Failure> {
    let mut labels = Map::new();
    for change in changes {
        let (key, value) = match (change.split_once('='), change.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Value::from(value)),
            (None, Some(key)) => (key, Value::Null),
            (None, None) => {
                return Err(Failure::Usage(format!(
                    "{change:?} says nothing of a label: write KEY=VALUE to set one, and KEY- to remove it"
                )));
            }
        };
        labels.insert(key.to_owned(), value);
    }
    let found = match labels.is_empty() {
        true => api.get(&path(device)).await?,
        false => api.patch(&path(device), &json!({ "labels": labels })).await?,
    };
    let labels = found.get("labels").cloned().unwrap_or_default();
    if output == Format::Json {
        return screen::json(&labels);
    }
    let rows =
        labels.as_object().into_iter().flatten().map(|(key, value)| vec![key.clone(), cell(Some(value))]);
    screen::table(&["LABEL", "VALUE"], rows.collect(), "The device has no label.")
}

/// Writes a note, or prints the one there is.
pub async fn note(api: &Api, output: Format, device: &str, text: Option<&str>) -> Result<(), Failure> {
    let found = match text {
        None => api.get(&path(device)).await?,
        Some(text) => api.patch(&path(device), &json!({ "note": text })).await?,
    };
    let note = found.get("note").and_then(Value::as_str).unwrap_or_default();
    match output {
        Format::Json => screen::json(&json!({ "note": note })),
        Format::Table if text.is_some() => screen::line(&format!("The note on {device} is written.")),
        Format::Table if note.is_empty() => screen::line("There is no note."),
        Format::Table => screen::line(note),
    }
}

/// Gives a device another name for people.
pub async fn rename(api: &Api, output: Format, device: &str, name: &str) -> Result<(), Failure> {
    api.patch(&path(device), &json!({ "label": name })).await?;
    match output {
        Format::Json => screen::json(&json!({ "label": name })),
        Format::Table => screen::line(&format!("{device} is called {name}.")),
    }
}

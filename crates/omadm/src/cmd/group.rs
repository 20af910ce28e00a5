//! `omadm group`: devices of a kind, by filter.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::cmd::{device, filter};
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Groups: the devices that a filter means, whichever these are at the moment.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// List the groups.
    Ls,
    /// Show a group, how many devices are in it, and what uses it.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a group, or give one another filter or description.
    Set {
        /// Its name.
        name: String,
        /// Which devices are in it, such as 'model = "X" and label:site = A'.
        filter: String,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// List the devices of a group.
    Members {
        /// Its name.
        name: String,
        /// At most this many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// Remove a group that nothing uses.
    Rm {
        /// Its name.
        name: String,
    },
}

impl Group {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let output = global.output;
        match self {
            Self::Ls => list(&api, output).await,
            Self::Show { name } => show(&api, output, &name).await,
            Self::Set { name, filter, description } => {
                set(&api, output, &name, &filter, description.as_deref()).await
            }
            Self::Members { name, limit } => {
                // A group that does not exist is told so, and not as a fault of a filter that nobody wrote.
                api.get(&path(&name)).await?;
                device::inventory::list(&api, output, Some(&members(&name)), None, limit).await
            }
            Self::Rm { name } => {
                api.delete(&path(&name)).await?;
                match output {
                    Format::Json => screen::json(&json!({ "removed": name })),
                    Format::Table => screen::line(&format!("The group {name} is removed.")),
                }
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("/groups/{}", segment(name))
}

/// The filter that means the devices of a group.
fn members(name: &str) -> String {
    format!("group:\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn text(item: &Value, name: &str) -> String {
    item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn list(api: &Api, output: Format) -> Result<(), Failure> {
    let items = api.list("/groups", &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let rows =
        items.iter().map(|item| vec![text(item, "name"), text(item, "filter"), text(item, "description")]);
    screen::table(
        &["GROUP", "FILTER", "DESCRIPTION"],
        rows.collect(),
        "There is no group. `omadm group set NAME FILTER` makes one.",
    )
}

async fn show(api: &Api, output: Format, name: &str) -> Result<(), Failure> {
    let group = api.get(&path(name)).await?;
    let count = api.get(&Query::new().with("filter", &members(name)).onto("/devices/count")).await?;
    if output == Format::Json {
        return screen::json(&json!({ "group": group, "members": count }));
    }
    let used = group.get("used_by").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let used: Vec<&str> = used.iter().filter_map(Value::as_str).collect();
    let devices = count.get("devices").and_then(Value::as_u64).unwrap_or_default();
    let complete = count.get("complete").and_then(Value::as_bool).unwrap_or(true);
    let facts = [
        ("Group", text(&group, "name")),
        ("Filter", text(&group, "filter")),
        ("Description", text(&group, "description")),
        ("Devices", if complete { devices.to_string() } else { format!("more than {devices}") }),
        ("Used by", if used.is_empty() { "nothing".to_owned() } else { used.join(", ") }),
    ];
    facts.iter().try_for_each(|(name, value)| screen::line(&format!("{name:<12} {}", screen::clean(value))))
}

async fn set(
    api: &Api,
    output: Format,
    name: &str,
    text: &str,
    description: Option<&str>,
) -> Result<(), Failure> {
    let body = json!({ "filter": text, "description": description });
    let group = api.put_json(&path(name), &body).await.map_err(|error| filter::pointed(error, Some(text)))?;
    match output {
        Format::Json => screen::json(&group),
        Format::Table => screen::line(&format!("The group {name} is set.")),
    }
}

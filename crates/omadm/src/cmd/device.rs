//! `omadm device`: who is managed, and what is known about them.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::api::types::{Device as Record, SupportedMo, TreeNode};
use crate::api::{Api, Query, read, segment};
use crate::cli::Global;
use crate::cmd::notify;
use crate::failure::Failure;
use crate::screen::{self, Format};

pub mod inventory;
mod standing;
mod tree;

/// Look at devices, enrol and remove them.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List the devices.
    Ls {
        /// At most this many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        /// Only devices of this filter, such as 'model = "X" and fw < 2.1 and label:site = A and seen < 2d'.
        #[arg(long)]
        filter: Option<String>,
        /// Columns, separated by commas, such as id,firmware,label:site.
        #[arg(long)]
        columns: Option<String>,
    },
    /// Set labels of a device, or remove them, and print those that it has.
    Label {
        /// Identifier of the device.
        device: String,
        /// KEY=VALUE sets a label, KEY- removes it.
        #[arg(value_name = "CHANGE")]
        changes: Vec<String>,
    },
    /// Write a note on a device, or print it.
    Note {
        /// Identifier of the device.
        device: String,
        /// The note; an empty one removes what is there.
        text: Option<String>,
    },
    /// Give a device another name for people.
    Name {
        /// Identifier of the device.
        device: String,
        /// The name.
        name: String,
    },
    /// Show what is known about a device.
    Show {
        /// Identifier of the device, such as UUID:….
        device: String,
    },
    /// Print the last known tree of a device, with the age of each value.
    Tree {
        /// Identifier of the device.
        device: String,
        /// Only this node and what is below it, such as urn:oma:mo:oma-dm-devinfo:1.2//.
        #[arg(long, value_name = "CLIENTURI")]
        at: Option<String>,
    },
    /// List the addresses whose changes a device reports.
    Subscriptions {
        /// Identifier of the device.
        device: String,
    },
    /// List the management objects that a device gets from somewhere when it lacks them.
    Defaults {
        /// Identifier of the device.
        device: String,
    },
    /// Show how a device is notified, or say it.
    Push(notify::Ways),
    /// Enrol a device and print its credentials, once.
    Add(Add),
    /// Remove devices with all that is known about them.
    Rm {
        /// Identifiers of the devices.
        #[arg(required = true)]
        devices: Vec<String>,
    },
}

/// Enrol a device.
#[derive(Debug, Args)]
pub struct Add {
    /// Identifier of the device, such as UUID:….
    device: String,
    /// A name for people.
    #[arg(long)]
    label: Option<String>,
    /// Start anew if the device is enrolled already: its queue and its last known tree are dropped.
    #[arg(long)]
    replace: bool,
    /// Let the device use its secret as a pre-shared key in TLS (PSK-TLS); the server then keeps the secret itself.
    #[arg(long)]
    psk: bool,
}

impl Device {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        match self {
            Self::Ls { limit, filter, columns } => {
                inventory::list(&api, global.output, filter.as_deref(), columns.as_deref(), limit).await
            }
            Self::Label { device, changes } => inventory::label(&api, global.output, &device, &changes).await,
            Self::Note { device, text } => {
                inventory::note(&api, global.output, &device, text.as_deref()).await
            }
            Self::Name { device, name } => inventory::rename(&api, global.output, &device, &name).await,
            Self::Show { device } => show(&api, global.output, &device).await,
            Self::Tree { device, at } => last_known_tree(&api, global.output, &device, at.as_deref()).await,
            Self::Subscriptions { device } => standing::subscriptions(&api, global.output, &device).await,
            Self::Defaults { device } => standing::defaults(&api, global.output, &device).await,
            Self::Push(ways) => ways.run(&api, global.output).await,
            Self::Add(add) => enrol(&api, global.output, &add).await,
            Self::Rm { devices } => delete_each(&api, global.output, &devices, path, "removed").await,
        }
    }
}

/// Path of a device.
pub fn path(device: &str) -> String {
    format!("/devices/{}", segment(device))
}

async fn show(api: &Api, output: Format, id: &str) -> Result<(), Failure> {
    let path = path(id);
    let value = api.get(&path).await?;
    if output == Format::Json {
        return screen::json(&value);
    }
    let device: Record = read(&path, value)?;
    let now = jiff::Timestamp::now();
    let unknown = || "not known yet".to_owned();
    let facts = [
        ("Device", device.id),
        ("Label", device.label.filter(|label| !label.is_empty()).unwrap_or_else(|| "none".to_owned())),
        ("Protocol", device.protocol.unwrap_or_else(unknown)),
        ("Bearer", device.bearer.unwrap_or_else(unknown)),
        ("Manufacturer", device.manufacturer.unwrap_or_else(unknown)),
        ("Model", device.model.unwrap_or_else(unknown)),
        ("Firmware", device.firmware.unwrap_or_else(unknown)),
        ("Software", device.software.unwrap_or_else(unknown)),
        ("Hardware", device.hardware.unwrap_or_else(unknown)),
        ("Enrolled", format!("{} (enrolment {})", screen::age(&device.enrolled, now), device.generation)),
        (
            "Bootstrap",
            device
                .revoked
                .map_or_else(|| "in force".to_owned(), |time| format!("revoked {}", screen::age(&time, now))),
        ),
        (
            "Last contact",
            device.last_contact.map_or_else(|| "never".to_owned(), |time| screen::age(&time, now)),
        ),
        ("Open commands", device.open_commands.to_string()),
        ("Called by", called_by(device.reach.as_deref(), &device.ways)),
        ("Labels", labels(&device.labels)),
        ("Note", device.note),
    ];
    for (name, value) in facts {
        screen::line(&format!("{name:<14} {}", screen::clean(&value)))?;
    }
    let Some(inventory) = device.inventory else {
        return screen::line("Management objects are not reported yet.");
    };
    screen::line("")?;
    let problems: Vec<String> = inventory.iter().filter_map(ddf_problem).collect();
    let rows = inventory.into_iter().map(|mo| {
        let model = mo.model.unwrap_or_else(|| "none".to_owned());
        let roots = mo.roots.iter().map(|root| format!(" ({root})")).chain(std::iter::repeat(String::new()));
        let instances: Vec<String> =
            mo.miids.iter().zip(roots).map(|(miid, root)| format!("{miid}{root}")).collect();
        vec![mo.moid, instances.join(", "), model, mo.ddf.unwrap_or_default()]
    });
    screen::table(
        &["MANAGEMENT OBJECT", "INSTANCES", "DESCRIBED BY", "DDF"],
        rows.collect(),
        "It reports no management object.",
    )?;
    problems.iter().for_each(|problem| screen::warn(problem));
    Ok(())
}

/// Over what a device can be called, in words.
fn called_by(reach: Option<&str>, ways: &[String]) -> String {
    match reach {
        None | Some("none") => "nothing".to_owned(),
        Some("unanswered") => format!("{}; it has not answered", ways.join(", ")),
        Some(_) => ways.join(", "),
    }
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }
}

/// Why the DDF of a management object is missing.
fn ddf_problem(mo: &SupportedMo) -> Option<String> {
    let problem = mo.ddf_problem.as_ref()?;
    let link = mo.ddf.as_deref().unwrap_or_default();
    Some(format!("the DDF of {} could not be fetched from {link}: {problem}", mo.moid))
}

async fn last_known_tree(api: &Api, output: Format, id: &str, at: Option<&str>) -> Result<(), Failure> {
    let path = format!("{}/tree", path(id));
    let items = api.list(&path, &Query::new().with_some("at", at), None).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let nodes = items.into_iter().map(|item| read(&path, item)).collect::<Result<Vec<TreeNode>, _>>()?;
    if nodes.is_empty() {
        return screen::line(&format!(
            "Nothing is known yet. Ask the device: omadm run {id} get urn:oma:mo:oma-dm-devinfo:1.2//"
        ));
    }
    for line in tree::lines(&nodes, jiff::Timestamp::now()) {
        screen::line(&line)?;
    }
    Ok(())
}

async fn enrol(api: &Api, output: Format, add: &Add) -> Result<(), Failure> {
    let mut body = json!({ "id": add.device, "replace": add.replace, "psk": add.psk });
    if let (Some(label), Some(members)) = (&add.label, body.as_object_mut()) {
        members.insert("label".to_owned(), label.as_str().into());
    }
    let answer = api.post("/devices", &body, Duration::ZERO).await?;
    if output == Format::Json {
        return screen::json(&answer);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("(not given)").to_owned();
    screen::line(&format!("{} is enrolled. Its credentials are shown only now:", add.device))?;
    for (name, member) in [
        ("User", "user"),
        ("Secret", "secret"),
        ("Server identifier", "server_id"),
        ("Server URI", "server_uri"),
    ] {
        screen::line(&format!("{name:<18} {}", screen::clean(&text(member))))?;
    }
    let servers = answer.get("dm1").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for server in servers {
        let text = |name: &str| screen::clean(server.get(name).and_then(Value::as_str).unwrap_or_default());
        let (id, uri, secret) = (text("server_id"), text("server_uri"), text("server_secret"));
        screen::line(&format!(
            "{:<18} {uri}, server identifier {id}, secret of the server {secret}",
            "For DM 1.x"
        ))?;
    }
    Ok(())
}

/// Deletes what `path` says of one device after the other. What was `done` is told, also when one cannot be.
pub async fn delete_each(
    api: &Api,
    output: Format,
    devices: &[String],
    path: fn(&str) -> String,
    done: &str,
) -> Result<(), Failure> {
    let mut deleted = Vec::new();
    let mut failed = Ok(());
    for device in devices {
        failed = api.delete(&path(device)).await;
        if failed.is_err() {
            break;
        }
        if output == Format::Table {
            screen::line(&format!("{device} is {done}."))?;
        }
        deleted.push(device);
    }
    if output == Format::Json {
        screen::json(&json!({ done: deleted }))?;
    }
    failed.map_err(Failure::from)
}

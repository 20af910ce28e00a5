//! `omadm command`: what was asked of devices, and what came of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::types::{Command as Record, CommandResult};
use crate::api::{Api, Query, read, segment};
use crate::cli::Global;
use crate::cmd::device;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Look at queued and finished commands, and cancel them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the commands of a device, newest first.
    Ls {
        /// Identifier of the device.
        device: String,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a command with its result.
    Show {
        /// Identifier of the command.
        id: String,
        /// Write what the device uploaded for it to this file.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Cancel a command that was not sent yet.
    Cancel {
        /// Identifier of the command.
        id: String,
    },
}

impl Command {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        match self {
            Self::Ls { device, limit } => list(&api, global.output, &device, limit).await,
            Self::Show { id, save } => {
                let value = api.get(&path(&id)).await?;
                if let Some(file) = save {
                    save_upload(&api, &path(&id), value.clone(), &file).await?;
                }
                print(global.output, &path(&id), value)
            }
            Self::Cancel { id } => {
                let path = format!("{}/cancel", path(&id));
                let value = api.post(&path, &json!({}), Duration::ZERO).await?;
                print(global.output, &path, value)
            }
        }
    }
}

/// Path of a command.
pub fn path(id: &str) -> String {
    format!("/commands/{}", segment(id))
}

async fn list(api: &Api, output: Format, id: &str, limit: u32) -> Result<(), Failure> {
    let path = format!("{}/commands", device::path(id));
    let items = api.list(&path, &Query::new(), Some(limit)).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.into_iter().map(|item| {
        let command: Record = read(&path, item)?;
        Ok(vec![
            command.id,
            command.seq.to_string(),
            command.verb,
            command.address.unwrap_or_default(),
            command.state,
            command.status.map(|status| status.to_string()).unwrap_or_default(),
            screen::age(&command.created, now),
        ])
    });
    screen::table(
        &["COMMAND", "SEQ", "VERB", "ADDRESS", "STATE", "STATUS", "CREATED"],
        rows.collect::<Result<_, Failure>>()?,
        &format!("Nothing was asked of {id} yet. Try: omadm run {id} get urn:oma:mo:oma-dm-devinfo:1.2//"),
    )
}

async fn save_upload(api: &Api, path: &str, value: Value, file: &std::path::Path) -> Result<(), Failure> {
    let command: Record = read(path, value)?;
    let Some(upload) = command.result.and_then(|result| result.upload) else {
        return Err(Failure::Failed(format!(
            "command {} has no upload to save; only `omadm run DEVICE upload …` makes one, once it is done",
            command.id
        )));
    };
    let target = format!("{}/payloads/{}", device::path(&command.device), segment(&upload.id));
    let answer = api.get_bytes(&target).await?;
    tokio::fs::write(file, &answer).await.map_err(|error| Failure::of_file("write", file, &error))
}

/// Prints a command with all that is known about it.
pub fn print(output: Format, path: &str, value: Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&value);
    }
    let command: Record = read(path, value)?;
    let now = jiff::Timestamp::now();
    screen::line(&format!(
        "Command {} ({} of {}): {}",
        command.id,
        command.verb,
        screen::clean(&command.device),
        command.state
    ))?;
    if let Some(address) = command.address.as_deref().filter(|address| !address.is_empty()) {
        screen::line(&format!("Address   {}", screen::clean(address)))?;
    }
    if let Some(status) = command.status {
        screen::line(&format!("Status    {status}"))?;
    }
    if let Some(reason) = &command.reason {
        screen::line(&format!("Reason    {}", screen::clean(reason)))?;
    }
    screen::line(&format!("History   {}", history(&command, now)))?;
    match command.result {
        Some(result) => print_result(&result),
        None => Ok(()),
    }
}

fn history(command: &Record, now: jiff::Timestamp) -> String {
    let mut steps = vec![match &command.created_by {
        Some(by) => format!("queued {} by {}", screen::age(&command.created, now), screen::clean(by)),
        None => format!("queued {}", screen::age(&command.created, now)),
    }];
    if let Some(sent) = &command.sent {
        steps.push(format!("sent {} (attempt {})", screen::age(sent, now), command.attempts));
    }
    if let Some(finished) = &command.finished {
        steps.push(format!("finished {}", screen::age(finished, now)));
    }
    if let (false, Some(expires)) = (command.is_final(), &command.expires) {
        steps.push(format!("expires {}", screen::clean(expires)));
    }
    steps.join(", ")
}

/// Prints what a command brought: one node a line.
pub fn print_result(result: &CommandResult) -> Result<(), Failure> {
    for item in &result.items {
        let address = screen::clean(&item.address);
        match &item.value {
            _ if item.interior => screen::line(&address)?,
            Some(Value::String(text)) => screen::line(&format!("{address} = {}", screen::clean(text)))?,
            Some(value) => screen::line(&format!("{address} = {value}"))?,
            None => screen::line(&format!("{address} (no value)"))?,
        }
    }
    for address in &result.stored {
        screen::line(&format!("stored at {}", screen::clean(address)))?;
    }
    for (what, told) in [("reported", &result.alert), ("answered", &result.answer)] {
        if let Some(told) = told {
            screen::line(&format!("{what} {}", screen::clean(&told.to_string())))?;
        }
    }
    if let Some(upload) = &result.upload {
        let kind = upload.content_type.as_deref().unwrap_or("unknown type");
        let length = upload.length.map_or_else(|| "?".to_owned(), |length| length.to_string());
        screen::line(&format!(
            "uploaded {length} bytes of {} as payload {}",
            screen::clean(kind),
            upload.id
        ))?;
    }
    Ok(())
}

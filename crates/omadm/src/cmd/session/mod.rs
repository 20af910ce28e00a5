//! `omadm session`: management sessions and what went over the wire.

use std::borrow::Cow;
use std::time::Duration;

use clap::Subcommand;
use omadm_server::indent;
use serde_json::json;

use crate::api::types::{Aborted, Message, Session as Record, Trace};
use crate::api::{Api, Query, read};
use crate::cli::Global;
use crate::cmd::device;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Look at management sessions and what went over the wire in them.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List the sessions of a device, newest first.
    Ls {
        /// Identifier of the device.
        device: String,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Print every message of a session.
    Show {
        /// Identifier of the device.
        device: String,
        /// Number of the session, as `session ls` prints it.
        number: i64,
    },
    /// End the session that a device of DM 1.x has open: its next message is answered with an abort.
    Abort {
        /// Identifier of the device.
        device: String,
    },
}

impl Session {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        match self {
            Self::Ls { device, limit } => list(&api, global.output, &device, limit).await,
            Self::Show { device, number } => show(&api, global.output, &device, number).await,
            Self::Abort { device } => abort(&api, global.output, &device).await,
        }
    }
}

async fn abort(api: &Api, output: Format, id: &str) -> Result<(), Failure> {
    let path = format!("{}/sessions/abort", device::path(id));
    let value = api.post(&path, &json!({}), Duration::ZERO).await?;
    if output == Format::Json {
        return screen::json(&value);
    }
    let Aborted { session } = read(&path, value)?;
    screen::line(&format!("Session {session} of {id} ends with the device's next message."))
}

async fn list(api: &Api, output: Format, id: &str, limit: u32) -> Result<(), Failure> {
    let path = format!("{}/sessions", device::path(id));
    let items = api.list(&path, &Query::new(), Some(limit)).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.into_iter().map(|item| {
        let session: Record = read(&path, item)?;
        Ok(vec![
            session.session.to_string(),
            screen::age(&session.started, now),
            screen::age(&session.updated, now),
            session.messages.to_string(),
            session.outcome,
        ])
    });
    screen::table(
        &["SESSION", "STARTED", "LAST MESSAGE", "MESSAGES", "OUTCOME"],
        rows.collect::<Result<_, Failure>>()?,
        &format!("{id} had no session yet."),
    )
}

async fn show(api: &Api, output: Format, id: &str, number: i64) -> Result<(), Failure> {
    let path = format!("{}/sessions/{number}", device::path(id));
    let value = api.get(&path).await?;
    if output == Format::Json {
        return screen::json(&value);
    }
    let trace: Trace = read(&path, value)?;
    for message in &trace.messages {
        print_message(message)?;
    }
    Ok(())
}

fn print_message(message: &Message) -> Result<(), Failure> {
    let direction = if message.from_device { "device ──▶ server" } else { "server ──▶ device" };
    let mut head =
        format!("{}  {direction}  {}", screen::clean(&message.at), screen::clean(&message.summary));
    if let Some(status) = message.http_status {
        head.push_str(&format!("  HTTP {status}"));
    }
    if let Some(content_type) = message.content_type.as_deref().filter(|text| !text.is_empty()) {
        head.push_str(&format!("  {}", screen::clean(content_type)));
    }
    head.push_str(&format!("  {} bytes", message.length));
    screen::line(&head)?;
    for note in &message.notes {
        screen::line(&format!("  note: {}", screen::clean(note)))?;
    }
    match (&message.text, &message.base64) {
        (Some(text), _) => {
            // One line is for machines.
            let text = indent::indented(text).map_or(Cow::Borrowed(text), Cow::Owned);
            for line in text.lines() {
                screen::line(&format!("  {}", screen::clean(line)))?;
            }
        }
        (None, Some(base64)) => screen::line(&format!("  base64: {}", screen::clean(base64)))?,
        (None, None) => {}
    }
    screen::line("")
}

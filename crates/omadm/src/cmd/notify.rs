//! `omadm notify` and `omadm device push`: how devices are called.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::types::Push;
use crate::api::{Api, read};
use crate::cli::Global;
use crate::cmd::device;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// How long the ways to a device may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Notify a device now, so that it begins a session.
#[derive(Debug, Args)]
pub struct Notify {
    /// Identifier of the device.
    device: String,
    /// How a device of DM 1.x is to involve its user.
    #[arg(long, value_enum)]
    ui: Option<UiMode>,
    /// Why the device is called, for its user (form 1.3).
    #[arg(long)]
    reason: Option<String>,
    /// A management object that a device of DM 1.x is to send at the begin, by MOID or number (form 1.3). May be repeated.
    #[arg(long = "request-mo", value_name = "MOID")]
    request_mos: Vec<String>,
    /// A management object that the session will be about, by MOID or number (form 1.3). May be repeated.
    #[arg(long = "target-mo", value_name = "MOID")]
    target_mos: Vec<String>,
    /// Say that the user or the device asked for the session, not the server (DM 1.x).
    #[arg(long)]
    for_user: bool,
    /// The form of the notification to a device of DM 1.x, whatever the server is set to.
    #[arg(long, value_enum)]
    format: Option<Form>,
}

/// How the user is to be involved.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum UiMode {
    /// As the device likes.
    Unspecified,
    /// The session goes unnoticed.
    Background,
    /// The user is told.
    Inform,
    /// The user is asked first.
    Ask,
}

/// The form of a notification of DM 1.x.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
enum Form {
    /// That of DM 1.2.
    #[value(name = "1.2")]
    #[serde(rename = "1.2")]
    Trigger,
    /// That of DM 1.3.
    #[value(name = "1.3")]
    #[serde(rename = "1.3")]
    Extended,
}

impl Notify {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let path = format!("{}/notify", device::path(&self.device));
        let wish = json!({
            "ui": self.ui,
            "reason": self.reason,
            "request_mos": self.request_mos,
            "target_mos": self.target_mos,
            "for_user": self.for_user,
            "format": self.format,
        });
        let answer = global.api()?.post(&path, &wish, PATIENCE).await?;
        if global.output == Format::Json {
            return screen::json(&answer);
        }
        let id = answer.get("id").and_then(Value::as_u64).unwrap_or_default();
        let via = answer.get("via").and_then(Value::as_str).unwrap_or("a way that it does not tell");
        match answer.get("format").and_then(Value::as_str) {
            Some(form) => screen::line(&format!(
                "Notification {} for session {id:X} went to {}.",
                screen::clean(form),
                screen::clean(via)
            )),
            None => screen::line(&format!("Notification {id} went to {}.", screen::clean(via))),
        }
    }
}

/// Show how a device is notified, or say it.
#[derive(Debug, Args)]
pub struct Ways {
    /// Identifier of the device.
    device: String,
    /// Ways to it: udp:HOST, http:HOST, https:HOST, sip:USER@HOST, obex:HOST, each with :PORT if need be, sms:NUMBER, ppg:ADDRESS,
    /// cloud:REGISTRATION.
    addresses: Vec<String>,
    /// Forget the ways that were given before.
    #[arg(long, conflicts_with = "addresses")]
    clear: bool,
}

impl Ways {
    /// Does it.
    pub async fn run(self, api: &Api, output: Format) -> Result<(), Failure> {
        let path = format!("{}/push", device::path(&self.device));
        if self.clear || !self.addresses.is_empty() {
            let body = json!({ "addresses": self.addresses }).to_string();
            api.put(&path, "application/json", body.into()).await?;
        }
        let answer = api.get(&path).await?;
        if output == Format::Json {
            return screen::json(&answer);
        }
        let push: Push = read(&path, answer)?;
        let now = jiff::Timestamp::now();
        let none = || "none".to_owned();
        let addresses = push.addresses.join(", ");
        let facts = [
            ("Addresses", Some(addresses).filter(|text| !text.is_empty()).unwrap_or_else(none)),
            ("Registration", push.registration.unwrap_or_else(none)),
            ("Last sent", push.sent.map_or_else(|| "never".to_owned(), |time| screen::age(&time, now))),
            ("Unanswered", push.attempts.to_string()),
            ("Next", push.due.unwrap_or_else(none)),
        ];
        for (name, value) in facts {
            screen::line(&format!("{name:<14} {}", screen::clean(&value)))?;
        }
        Ok(())
    }
}

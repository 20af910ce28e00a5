//! `omadm campaign`: a change over many devices, in stages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// How long the server holds its answer while nothing changes.
const WAIT: Duration = Duration::from_secs(30);

/// A change over many devices, in stages.
#[derive(Debug, Subcommand)]
pub enum Campaign {
    /// Make a campaign; it begins when it is started.
    New {
        /// JSON such as {"name":"fw 2.1","filter":"model = \"X\"","change":{"firmware":{"package":"…"}},"stages":[{"percent":1,"hold":{"approval":true}},{"percent":100}]}.
        file: PathBuf,
        /// Start it at once.
        #[arg(long)]
        start: bool,
        /// Make nothing: say how many devices it would touch.
        #[arg(long, conflicts_with = "start")]
        dry_run: bool,
    },
    /// List campaigns, newest first.
    Ls {
        /// Only those that are draft, running, holding, paused, stopped, failed or done.
        #[arg(long)]
        state: Option<String>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a campaign and how far it is.
    Show {
        /// Its identifier or name.
        campaign: String,
        /// Print each change until nothing more is to come.
        #[arg(long)]
        follow: bool,
    },
    /// Start a draft.
    Start {
        /// Its identifier or name.
        campaign: String,
    },
    /// Let no further device begin; what was queued goes on.
    Pause {
        /// Its identifier or name.
        campaign: String,
    },
    /// Let a paused campaign go on, or the next stage of one that holds begin.
    Resume {
        /// Its identifier or name.
        campaign: String,
    },
    /// Stop a campaign for good: what was not sent is cancelled. Devices keep what they were given.
    Stop {
        /// Its identifier or name.
        campaign: String,
    },
    /// Take back the profile that a campaign has given to devices; one that goes on is stopped.
    Rollback {
        /// Its identifier or name.
        campaign: String,
    },
    /// List the devices that a campaign has reached, by id.
    Devices {
        /// Its identifier or name.
        campaign: String,
        /// Only those that are open, done, failed, retry, waiting, skipped, cancelled or gone.
        #[arg(long)]
        state: Option<String>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Say how a campaign went, and why devices failed.
    Report {
        /// Its identifier or name.
        campaign: String,
    },
    /// Remove a draft, or a campaign of which nothing more is to come.
    Rm {
        /// Its identifier or name.
        campaign: String,
        /// Also when devices have a version of a profile from it, which cannot be taken back then.
        #[arg(long)]
        force: bool,
    },
}

impl Campaign {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (api, output) = (global.api()?, global.output);
        match self {
            Self::New { file, dry_run: true, .. } => preview(&api, output, &file).await,
            Self::New { file, start, dry_run: false } => new(&api, output, &file, start).await,
            Self::Ls { state, limit } => {
                let query = Query::new().with_some("state", state.as_deref());
                list(output, &api.list("/campaigns", &query, Some(limit)).await?)
            }
            Self::Show { campaign, follow: false } => told(output, &api.get(&path(&campaign)).await?),
            Self::Show { campaign, follow: true } => follow(&api, output, &campaign).await,
            Self::Start { campaign } => act(&api, output, &campaign, "start").await,
            Self::Pause { campaign } => act(&api, output, &campaign, "pause").await,
            Self::Resume { campaign } => act(&api, output, &campaign, "resume").await,
            Self::Stop { campaign } => act(&api, output, &campaign, "stop").await,
            Self::Rollback { campaign } => act(&api, output, &campaign, "rollback").await,
            Self::Devices { campaign, state, limit } => {
                let query = Query::new().with_some("state", state.as_deref());
                let items = api.list(&format!("{}/devices", path(&campaign)), &query, Some(limit)).await?;
                if output == Format::Json {
                    return screen::json(&items);
                }
                devices(&items, "The campaign has reached no such device.")
            }
            Self::Report { campaign } => {
                report(output, &api.get(&format!("{}/report", path(&campaign))).await?)
            }
            Self::Rm { campaign, force } => {
                let query = if force { "?force=true" } else { "" };
                api.delete(&format!("{}{query}", path(&campaign))).await?;
                match output {
                    Format::Json => screen::json(&json!({ "removed": campaign })),
                    Format::Table => screen::line(&format!("The campaign {campaign} is removed.")),
                }
            }
        }
    }
}

fn path(campaign: &str) -> String {
    format!("/campaigns/{}", segment(campaign))
}

fn read(file: &Path) -> Result<Value, Failure> {
    let octets = std::fs::read(file).map_err(|error| Failure::of_file("read", file, &error))?;
    serde_json::from_slice(&octets)
        .map_err(|error| Failure::Usage(format!("{} is no JSON: {error}", file.display())))
}

/// Says how many devices a campaign would touch.
async fn preview(api: &Api, output: Format, file: &Path) -> Result<(), Failure> {
    let touched = api.post("/campaigns?dry_run=true", &read(file)?, Duration::ZERO).await?;
    if output == Format::Json {
        return screen::json(&touched);
    }
    let said = |of: &Value| {
        let more = if of.get("complete") == Some(&Value::Bool(false)) { "more than " } else { "" };
        format!("{more}{}", text(of, "devices"))
    };
    screen::line(&format!("It would touch {} devices.", said(&touched)))?;
    let stages = touched.get("stages").and_then(Value::as_array).into_iter().flatten();
    for (number, stage) in (1..).zip(stages) {
        screen::line(&format!("  stage {number}: {}", said(stage)))?;
    }
    Ok(())
}

async fn new(api: &Api, output: Format, file: &Path, start: bool) -> Result<(), Failure> {
    let made = api.post("/campaigns", &read(file)?, Duration::ZERO).await?;
    if start {
        return act(api, output, &text(&made, "id"), "start").await;
    }
    told(output, &made)
}

async fn act(api: &Api, output: Format, campaign: &str, what: &str) -> Result<(), Failure> {
    told(output, &api.post(&format!("{}/{what}", path(campaign)), &json!({}), Duration::ZERO).await?)
}

/// Prints a campaign each time that it has changed.
async fn follow(api: &Api, output: Format, campaign: &str) -> Result<(), Failure> {
    let mut known = api.get(&path(campaign)).await?;
    loop {
        match output {
            Format::Json => screen::json_line(&known)?,
            Format::Table => screen::line(&progress(&known))?,
        }
        let is_over = matches!(text(&known, "state").as_str(), "stopped" | "failed" | "done");
        if text(&known, "state") == "draft" || (is_over && figure(&known, "open") == 0) {
            return Ok(());
        }
        let version = text(&known, "version");
        loop {
            let query = Query::new().with("wait", &WAIT.as_secs().to_string()).with("version", &version);
            let next = api.get_waiting(&query.onto(&path(campaign)), WAIT).await?;
            let is_same = progress(&next) == progress(&known);
            known = next;
            if !is_same || text(&known, "version") == version {
                break;
            }
        }
    }
}

/// A member as text; empty if there is none.
fn text(item: &Value, name: &str) -> String {
    match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn figure(campaign: &Value, name: &str) -> i64 {
    campaign.pointer(&format!("/devices/{name}")).and_then(Value::as_i64).unwrap_or_default()
}

/// One line on how far a campaign is.
fn progress(campaign: &Value) -> String {
    let figures = ["done", "failed", "open", "retry", "waiting", "skipped", "cancelled", "gone"];
    let figures = figures.into_iter().map(|name| (name, figure(campaign, name)));
    let figures: Vec<_> = figures
        .filter(|(_, devices)| *devices > 0)
        .map(|(name, devices)| format!("{devices} {name}"))
        .collect();
    let figures = if figures.is_empty() { "no device yet".to_owned() } else { figures.join(", ") };
    let why = text(campaign, "why");
    let why = if why.is_empty() { why } else { format!(" {}", screen::clean(&why)) };
    format!(
        "{} is {} in stage {} of {}: {figures}.{why}",
        screen::clean(&text(campaign, "name")),
        text(campaign, "state"),
        text(campaign, "stage"),
        text(campaign, "stages"),
    )
}

fn told(output: Format, campaign: &Value) -> Result<(), Failure> {
    match output {
        Format::Json => screen::json(campaign),
        Format::Table => screen::line(&progress(campaign)),
    }
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        vec![
            text(item, "id"),
            text(item, "name"),
            text(item, "state"),
            format!("{}/{}", text(item, "stage"), text(item, "stages")),
            figure(item, "total").to_string(),
            figure(item, "done").to_string(),
            figure(item, "failed").to_string(),
            screen::age(&text(item, "updated"), now),
        ]
    });
    let header = ["CAMPAIGN", "NAME", "STATE", "STAGE", "DEVICES", "DONE", "FAILED", "CHANGED"];
    screen::table(&header, rows.collect(), "There is no campaign. Try: omadm campaign new FILE")
}

fn devices(items: &[Value], empty: &str) -> Result<(), Failure> {
    let rows = items.iter().map(|item| {
        ["device", "state", "attempts", "status", "due", "reason"].map(|name| text(item, name)).to_vec()
    });
    screen::table(&["DEVICE", "STATE", "ATTEMPTS", "STATUS", "DUE", "WHY"], rows.collect(), empty)
}

fn report(output: Format, report: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(report);
    }
    let campaign = report.get("campaign").cloned().unwrap_or_default();
    told(output, &campaign)?;
    let (settled, failed) = (text(report, "settled_percent"), text(report, "failed_percent"));
    screen::line(&format!("{settled} % of the devices are through; {failed} % of these have failed."))?;
    let failures = report.get("failures").and_then(Value::as_array).cloned().unwrap_or_default();
    devices(&failures, "No device has failed.")?;
    if report.get("more_failures") == Some(&json!(true)) {
        let name = text(&campaign, "name");
        screen::line(&format!("More have failed: omadm campaign devices {name:?} --state failed"))?;
    }
    Ok(())
}

//! `omadm import`: tables of devices, credentials and labels.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::api::types::Import as Record;
use crate::api::{Api, Query, read};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Pause between two looks at how far an import is.
const PAUSE: Duration = Duration::from_millis(300);
/// How long the server may take to read a table beside the sending of it.
const PATIENCE: Duration = Duration::from_secs(600);
/// Faults that are shown.
const SHOWN: usize = 20;

/// Import devices, credentials and labels from a table. If a row is bad, nothing is written.
#[derive(Debug, Args)]
pub struct Import {
    /// CSV with a row of names first (id, label, note, user, secret, psk, replace, label:KEY), or a JSON object in each line.
    file: PathBuf,
    /// Check all rows, and write none.
    #[arg(long)]
    dry_run: bool,
    /// The form of the file. Default: what its name ends with.
    #[arg(long, value_enum)]
    format: Option<Table>,
    /// Write the report of all rows to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// CSV (RFC 4180).
    Csv,
    /// A JSON object in each line.
    Json,
}

impl Table {
    /// The form that the name of a file speaks of.
    fn of(file: &Path) -> Self {
        let ending =
            file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if matches!(ending.as_str(), "json" | "jsonl" | "ndjson") { Self::Json } else { Self::Csv }
    }

    /// The name for the server.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

impl Import {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let table =
            std::fs::read(&self.file).map_err(|error| Failure::of_file("read", &self.file, &error))?;
        let format = self.format.unwrap_or_else(|| Table::of(&self.file));
        let query = Query::new().with("dry_run", if self.dry_run { "true" } else { "false" });
        let target = query.with("format", format.as_str()).onto("/imports");
        let sent: Record = read(
            &target,
            api.post_bytes(&target, "application/octet-stream", table.into(), PATIENCE).await?,
        )?;
        let (import, document) = finished(&api, &sent.id).await?;
        let report = format!("/imports/{}/report", import.id);
        if let Some(file) = &self.report {
            let octets = api.get_bytes(&report).await?;
            std::fs::write(file, octets).map_err(|error| Failure::of_file("write", file, &error))?;
        }
        if global.output == Format::Json {
            screen::json(&document)?;
        } else {
            tell(&api, &import, &report).await?;
        }
        match import.state.as_str() {
            "done" | "checked" if import.failed == 0 => Ok(()),
            "done" => Err(Failure::Failed(format!("{} rows could not be written", import.failed))),
            _ => Err(Failure::Failed(import.detail.unwrap_or_else(|| "the import was refused".to_owned()))),
        }
    }
}

/// Waits until an import is over.
async fn finished(api: &Api, id: &str) -> Result<(Record, Value), Failure> {
    let path = format!("/imports/{id}");
    let bar = if screen::progress_is_seen() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:<10} {bar:40} {pos}/{len} rows {eta}") {
        bar.set_style(style);
    }
    loop {
        let document = api.get(&path).await?;
        let import: Record = read(&path, document.clone())?;
        bar.set_length(import.rows);
        bar.set_position(import.position);
        bar.set_message(import.state.clone());
        if !matches!(import.state.as_str(), "reading" | "checking" | "writing") {
            bar.finish_and_clear();
            return Ok((import, document));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn tell(api: &Api, import: &Record, report: &str) -> Result<(), Failure> {
    let Record { id, rows, bad, failed, .. } = import;
    screen::line(&match import.state.as_str() {
        "done" => format!("{} of {rows} rows are written (import {id}).", rows - failed),
        "checked" => format!("All {rows} rows are good; nothing was written (dry run {id})."),
        _ => format!("{bad} of {rows} rows are bad; nothing was written (import {id})."),
    })?;
    if bad + failed == 0 {
        return Ok(());
    }
    let octets = api.get_bytes(&Query::new().with("faults", "true").onto(report)).await?;
    let text = String::from_utf8_lossy(&octets);
    for line in text.lines().take(SHOWN + 1) {
        screen::line(&screen::clean(line))?;
    }
    let more = usize::try_from(bad + failed).unwrap_or(usize::MAX).saturating_sub(SHOWN);
    if more > 0 {
        screen::line(&format!("… and {more} more; --report FILE writes them all."))?;
    }
    Ok(())
}

//! `omadm audit`: who changed what, and whether the log still says so.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use omadm_server::audit_chain::{AuditEntry, AuditHead, ChainCheck};
use serde_json::{Value, json};

use super::user::say;
use crate::api::{Api, Query};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Entries that are asked for at once.
const PAGE: u32 = 1_000;

/// The audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List entries, the newest first.
    Ls {
        /// Most entries.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Print all entries, chain by chain, one JSON object a line.
    Export,
    /// Print the last entry of each chain, one JSON object a line. Kept elsewhere, they are anchors for `verify`.
    Heads,
    /// Check every chain, and say where one is broken.
    Verify(Verify),
}

/// What is to be checked.
#[derive(Debug, Args)]
pub struct Verify {
    /// An export; what the server has if not given.
    file: Option<PathBuf>,
    /// File with what `heads` printed before: these entries have to be there as they were.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
}

impl Audit {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Ls { limit } => {
                list(global.output, &global.api()?.list("/audit", &Query::new(), Some(limit)).await?)
            }
            Self::Export => each(&global.api()?, |entry| screen::json_line(&entry)).await,
            Self::Heads => {
                let heads = global.api()?.list("/audit/heads", &Query::new(), None).await?;
                heads.iter().try_for_each(screen::json_line)
            }
            Self::Verify(verify) => verify.run(global).await,
        }
    }
}

impl Verify {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut anchors = Vec::new();
        if let Some(file) = &self.anchors {
            let head = |value: &Value| AuditHead::read(value).ok_or("it is no head of a chain");
            lines(file, |value| {
                anchors.push(head(&value)?);
                Ok(())
            })?;
        }
        let mut check = ChainCheck::new(anchors);
        let mut count: u64 = 0;
        let mut next = |value: &Value| -> Result<(), String> {
            let entry = AuditEntry::read(value).ok_or("it is no entry of an audit log")?;
            count += 1;
            check.next(&entry).map_err(|problem| format!("the audit log is broken: {problem}"))
        };
        match &self.file {
            Some(file) => lines(file, |value| next(&value))?,
            None => each(&global.api()?, |value| next(&value).map_err(Failure::Failed)).await?,
        }
        let heads = check.end();
        let heads =
            heads.map_err(|problem| Failure::Failed(format!("the audit log is broken: {problem}")))?;
        let chains = heads.len();
        let heads: Vec<Value> = heads.iter().map(AuditHead::to_json).collect();
        let sentence = format!("{count} entries in {chains} chains are as they were written.");
        say(global.output, &json!({ "entries": count, "heads": heads }), &sentence)
    }
}

/// Gives `take` every entry that the server has, chain by chain.
async fn each(api: &Api, mut take: impl FnMut(Value) -> Result<(), Failure>) -> Result<(), Failure> {
    for head in api.list("/audit/heads", &Query::new(), None).await? {
        let chain = head.get("chain").and_then(Value::as_str).unwrap_or_default();
        let last = head.get("seq").and_then(Value::as_i64).unwrap_or_default();
        let query = Query::new().with("chain", chain);
        let mut after = 0;
        while after < last {
            let page = api.page("/audit", &query, PAGE, Some(&after.to_string())).await?;
            let read = after;
            for item in page.items {
                after = item.get("seq").and_then(Value::as_i64).unwrap_or(after);
                take(item)?;
            }
            if after == read {
                break;
            }
        }
    }
    Ok(())
}

/// Gives `take` every line of a file as JSON.
fn lines(file: &Path, mut take: impl FnMut(Value) -> Result<(), String>) -> Result<(), Failure> {
    let open = std::fs::File::open(file).map_err(|error| Failure::of_file("read", file, &error))?;
    for (number, line) in (1..).zip(BufReader::new(open).lines()) {
        let line = line.map_err(|error| Failure::of_file("read", file, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str(&line).map_err(|error| error.to_string());
        read.and_then(&mut take)
            .map_err(|problem| Failure::Failed(format!("{}, line {number}: {problem}", file.display())))?;
    }
    Ok(())
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let rows = items.iter().map(|item| {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let said = item.get("entry").and_then(Value::as_str).unwrap_or_default();
        let said: Value = serde_json::from_str(said).unwrap_or_default();
        let status = said.get("status").and_then(Value::as_u64).map(|status| status.to_string());
        let (phase, status) = (text(&said, "phase"), status.unwrap_or_default());
        // What came of a request is in a later entry, which names it.
        let request: String =
            text(&said, "request").chars().rev().take(6).collect::<String>().chars().rev().collect();
        vec![
            text(item, "time"),
            text(&said, "by"),
            text(&said, "do"),
            text(&said, "on"),
            phase,
            status,
            request,
        ]
    });
    let header = ["TIME", "BY", "DO", "ON", "PHASE", "STATUS", "REQUEST"];
    screen::table(&header, rows.collect(), "The audit log is empty.")
}

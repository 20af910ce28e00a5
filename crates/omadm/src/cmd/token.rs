//! `omadm token`: who may use the operator's side of the server.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::{Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Operator tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// List the tokens by name; the tokens themselves are not kept.
    Ls,
    /// Make a token and print it, once.
    New {
        /// A name for it, unique.
        name: String,
        /// Seconds until it expires; never if not given.
        #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
        expires_in: Option<u64>,
    },
    /// Revoke a token.
    Rm {
        /// Its name.
        name: String,
    },
}

impl Token {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        match self {
            Self::Ls => {
                let items = api.list("/tokens", &Query::new(), None).await?;
                list(global.output, &items)
            }
            Self::New { name, expires_in } => {
                let mut body = json!({ "name": name });
                if let (Some(seconds), Some(members)) = (expires_in, body.as_object_mut()) {
                    members.insert("expires_in".to_owned(), seconds.into());
                }
                let answer = api.post("/tokens", &body, Duration::ZERO).await?;
                if global.output == Format::Json {
                    return screen::json(&answer);
                }
                // Only the token on standard output, so that it can go to a file.
                screen::line(answer.get("token").and_then(Value::as_str).unwrap_or_default())
            }
            Self::Rm { name } => {
                api.delete(&format!("/tokens/{}", segment(&name))).await?;
                match global.output {
                    Format::Json => screen::json(&json!({ "removed": name })),
                    Format::Table => screen::line(&format!("The token {name} is revoked.")),
                }
            }
        }
    }
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let rows = items.iter().map(|item| {
        vec![
            text(item, "name").unwrap_or_default(),
            text(item, "created").map(|time| screen::age(&time, now)).unwrap_or_default(),
            text(item, "expires").unwrap_or_else(|| "never".to_owned()),
        ]
    });
    screen::table(&["NAME", "CREATED", "EXPIRES"], rows.collect(), "There is no token.")
}

//! `omadm token`: programs that use the server.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::user::{Role, names, say, some};
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
    #[command(visible_alias = "new")]
    Add(Add),
    /// Revoke a token.
    Rm {
        /// Its name.
        name: String,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub struct Add {
    /// A name for it, unique.
    name: String,
    /// Seconds until it expires; never if not given.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    expires_in: Option<u64>,
    /// The user it belongs to: it may do no more than they may, and goes when they go.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// What it may do; that of who makes it if not given.
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// What it may do within its role, such as devices:read; may be repeated. All if not given.
    #[arg(long = "scope", value_name = "AREA:LEVEL")]
    scopes: Vec<String>,
    /// Group whose devices it sees; may be repeated. All devices if not given.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
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
            Self::Add(new) => {
                let body = json!({
                    "name": new.name, "expires_in": new.expires_in, "user": new.user,
                    "role": new.role.map(Role::as_str), "scopes": some(&new.scopes), "groups": some(&new.groups),
                });
                let answer = api.post("/tokens", &body, Duration::ZERO).await?;
                if global.output == Format::Json {
                    return screen::json(&answer);
                }
                // Only the token on standard output, so that it can go to a file.
                screen::line(answer.get("token").and_then(Value::as_str).unwrap_or_default())
            }
            Self::Rm { name } => {
                api.delete(&format!("/tokens/{}", segment(&name))).await?;
                say(global.output, &json!({ "removed": name }), &format!("The token {name} is revoked."))
            }
        }
    }
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        vec![
            text("name").unwrap_or_default(),
            text("user").unwrap_or_else(|| "-".to_owned()),
            text("role").unwrap_or_default(),
            names(item.get("scopes"), "all"),
            names(item.get("groups"), "all"),
            text("created").map(|time| screen::age(&time, now)).unwrap_or_default(),
            text("expires").unwrap_or_else(|| "never".to_owned()),
        ]
    });
    let header = ["NAME", "USER", "ROLE", "SCOPES", "GROUPS", "CREATED", "EXPIRES"];
    screen::table(&header, rows.collect(), "There is no token.")
}

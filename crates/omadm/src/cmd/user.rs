//! `omadm user`: people who use the server.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::input;
use crate::api::{Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// What a user or token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// Sees devices and what is done with them.
    Viewer,
    /// Sees everything, the audit log and people too, and changes nothing.
    Auditor,
    /// Sees what a viewer sees, and changes it.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// As the server calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Users.
#[derive(Debug, Subcommand)]
pub enum User {
    /// List users by name.
    Ls,
    /// Add a user.
    Add {
        /// A name, unique.
        name: String,
        #[arg(long, value_enum)]
        role: Role,
        /// Group whose devices they see; may be repeated. All devices if not given.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// File with the password, 12 to 1024 characters; `-` is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        password_file: PathBuf,
    },
    /// Give a user another role, or the devices of other groups, and end their sessions.
    Role {
        /// The name.
        name: String,
        #[arg(value_enum)]
        role: Role,
        /// Group whose devices they see from now on; may be repeated. All devices if not given.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Give a user another password, and end their sessions.
    Passwd {
        /// The name.
        name: String,
        /// File with the password, 12 to 1024 characters; `-` is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        password_file: PathBuf,
    },
    /// Remove a user with their sessions and tokens.
    Rm {
        /// The name.
        name: String,
    },
}

impl User {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let one = |name: &str| format!("/users/{}", segment(name));
        match self {
            Self::Ls => list(global.output, &api.list("/users", &Query::new(), None).await?),
            Self::Add { name, role, groups, password_file } => {
                let password = password(&password_file)?;
                let body = json!({
                    "name": name, "role": role.as_str(), "groups": some(&groups), "password": password.as_str(),
                });
                let added = api.post("/users", &body, std::time::Duration::ZERO).await?;
                say(global.output, &added, &format!("The user {name} is added."))
            }
            Self::Role { name, role, groups } => {
                let body = json!({ "role": role.as_str(), "groups": some(&groups) });
                let changed = api.put_json(&one(&name), &body).await?;
                say(global.output, &changed, &format!("{name} is {} from now on.", role.as_str()))
            }
            Self::Passwd { name, password_file } => {
                let password = password(&password_file)?;
                let body = json!({ "password": password.as_str() });
                api.put_json(&format!("{}/password", one(&name)), &body).await?;
                say(global.output, &json!({ "changed": name }), &format!("{name} has another password."))
            }
            Self::Rm { name } => {
                api.delete(&one(&name)).await?;
                say(global.output, &json!({ "removed": name }), &format!("The user {name} is removed."))
            }
        }
    }
}

/// Prints the answer for programs, or a sentence for people.
pub fn say(output: Format, answer: &Value, sentence: &str) -> Result<(), Failure> {
    match output {
        Format::Json => screen::json(answer),
        Format::Table => screen::line(sentence),
    }
}

/// A list, or nothing if it is empty.
pub fn some(list: &[String]) -> Option<&[String]> {
    (!list.is_empty()).then_some(list)
}

/// The first line of a file.
fn password(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let octets = Zeroizing::new(input::read(file)?);
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line)
        .map_err(|_| Failure::Usage(format!("the password in {} is not UTF-8", input::name(file))))?;
    Ok(Zeroizing::new(text.trim_end_matches('\r').to_owned()))
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        vec![text("name"), text("role"), names(item.get("groups"), "all"), screen::age(&text("changed"), now)]
    });
    screen::table(&["NAME", "ROLE", "GROUPS", "CHANGED"], rows.collect(), "There is no user.")
}

/// A list of names on one line; `none` if there is no list.
pub fn names(list: Option<&Value>, none: &str) -> String {
    let Some(list) = list.and_then(Value::as_array) else { return none.to_owned() };
    list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

//! `omadm webhook`: programs elsewhere that are told of events.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::user::{names, say};
use crate::api::{Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// How long the server may take for a delivery, which it is asked to make at once.
const DELIVERY: Duration = Duration::from_secs(300);

/// Webhooks.
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// List webhooks by name, and how far they are.
    Ls,
    /// Add a webhook and print the key of its signatures, once.
    Add {
        /// A name, unique.
        name: String,
        /// Where events go.
        url: String,
        /// Kind of events that it gets; may be repeated. All if not given.
        #[arg(long = "kind", value_name = "KIND")]
        kinds: Vec<String>,
    },
    /// Remove a webhook with the deliveries that were given up.
    Rm {
        /// Its name.
        name: String,
    },
    /// Send a delivery without events, to see whether it arrives.
    Test {
        /// Its name.
        name: String,
    },
    /// List the deliveries that were given up.
    Dead {
        /// Its name.
        name: String,
    },
    /// Send again what was given up, or all events after a cursor.
    Replay(Replay),
}

/// What is to be sent again.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub struct What {
    /// A delivery that was given up.
    #[arg(long, value_name = "ID")]
    dead: Option<Uuid>,
    /// All that were given up, the oldest first, until one fails.
    #[arg(long)]
    all_dead: bool,
    /// All events after this cursor that the log still has.
    #[arg(long, value_name = "CURSOR")]
    after: Option<i64>,
}

/// What is to be sent again, and to whom.
#[derive(Debug, Args)]
pub struct Replay {
    /// Name of the webhook.
    name: String,
    #[command(flatten)]
    what: What,
}

impl Webhook {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let one = |name: &str| format!("/webhooks/{}", segment(name));
        match self {
            Self::Ls => list(global.output, &api.list("/webhooks", &Query::new(), None).await?),
            Self::Add { name, url, kinds } => {
                let body = json!({ "name": name, "url": url, "kinds": kinds });
                let made = api.post("/webhooks", &body, Duration::ZERO).await?;
                if global.output == Format::Json {
                    return screen::json(&made);
                }
                // Only the secret on standard output, so that it can go to a file.
                screen::line(made.get("secret").and_then(Value::as_str).unwrap_or_default())
            }
            Self::Rm { name } => {
                api.delete(&one(&name)).await?;
                say(global.output, &json!({ "removed": name }), &format!("The webhook {name} is removed."))
            }
            Self::Test { name } => {
                let tried = api.post(&format!("{}/test", one(&name)), &json!({}), DELIVERY).await?;
                told(global.output, &tried)
            }
            Self::Dead { name } => {
                dead(global.output, &api.list(&format!("{}/dead", one(&name)), &Query::new(), None).await?)
            }
            Self::Replay(Replay { name, what }) => {
                let path = format!("{}/replay", one(&name));
                if let Some(after) = what.after {
                    api.post(&path, &json!({ "after": after }), Duration::ZERO).await?;
                    let sentence = format!("{name} gets all events after {after} again.");
                    return say(global.output, &json!({ "after": after }), &sentence);
                }
                let ids = match what.dead {
                    Some(id) => vec![id.to_string()],
                    None => ids(&api.list(&format!("{}/dead", one(&name)), &Query::new(), None).await?),
                };
                for id in ids {
                    told(global.output, &api.post(&path, &json!({ "dead": id }), DELIVERY).await?)?;
                }
                Ok(())
            }
        }
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().filter_map(|item| item.get("id")?.as_str().map(str::to_owned)).collect()
}

/// How a delivery went; one that did not arrive is a failure.
fn told(output: Format, tried: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        screen::json_line(tried)?;
    }
    let status = tried.get("status").and_then(Value::as_u64);
    let arrived = tried.get("delivered").and_then(Value::as_bool) == Some(true);
    let problem = tried.get("problem").and_then(Value::as_str).map(str::to_owned);
    let why = problem.or_else(|| status.map(|status| format!("the answer was {status}"))).unwrap_or_default();
    match (arrived, output) {
        (true, Format::Table) => screen::line(&format!("It was delivered: {why}.")),
        (true, Format::Json) => Ok(()),
        (false, _) => Err(Failure::Failed(format!("it was not delivered: {why}"))),
    }
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let rows = items.iter().map(|item| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| item.get(name).and_then(Value::as_i64).unwrap_or_default().to_string();
        let kinds =
            names(item.get("kinds").filter(|kinds| kinds.as_array().is_some_and(|it| !it.is_empty())), "all");
        vec![text("name"), text("url"), kinds, number("position"), number("attempts"), text("problem")]
    });
    let header = ["NAME", "URL", "KINDS", "POSITION", "FAILED", "PROBLEM"];
    screen::table(&header, rows.collect(), "There is no webhook.")
}

fn dead(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| item.get(name).and_then(Value::as_i64).unwrap_or_default().to_string();
        vec![
            text("id"),
            screen::age(&text("at"), now),
            format!("{} to {}", number("first"), number("last")),
            number("attempts"),
            text("problem"),
        ]
    });
    screen::table(
        &["ID", "GIVEN UP", "EVENTS", "ATTEMPTS", "PROBLEM"],
        rows.collect(),
        "Nothing was given up.",
    )
}

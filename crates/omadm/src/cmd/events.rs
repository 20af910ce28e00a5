//! `omadm events`: what happened.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::api::types::{Event, cursor_text};
use crate::api::{Query, read};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Pause between two looks when following.
const PAUSE: Duration = Duration::from_secs(1);
/// Most events asked for at once.
const PAGE: u32 = 500;

/// Print what happened, oldest first.
#[derive(Debug, Args)]
pub struct Events {
    /// Go on with what happens from now on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// Only what concerns this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only what comes after this cursor.
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    after: i64,
}

impl Events {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let query = Query::new().with_some("device", self.device.as_deref());
        let mut after = self.after.to_string();
        loop {
            let page = api.page("/events", &query, PAGE, Some(&after)).await?;
            let last = page.items.last().and_then(|item| item.get("cursor")).cloned().and_then(cursor_text);
            for item in page.items {
                print(global.output, item)?;
            }
            match last {
                Some(cursor) => after = cursor,
                None if self.follow => tokio::time::sleep(PAUSE).await,
                None => return Ok(()),
            }
        }
    }
}

/// One line an event: events are a stream, also as JSON.
fn print(output: Format, item: Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json_line(&item);
    }
    let event: Event = read("/events", item)?;
    screen::line(&format!(
        "{:>6}  {}  {:<10} {}  {}",
        event.cursor,
        screen::clean(&event.at),
        screen::clean(&event.kind),
        screen::clean(event.device.as_deref().unwrap_or("-")),
        screen::clean(&event.body.to_string())
    ))
}

//! `omadm events`: what happened.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::api::types::{Event, cursor_text};
use crate::api::{Api, Query, read};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Pause before a stream that broke off is followed anew.
const PAUSE: Duration = Duration::from_secs(1);
/// Most events asked for at once.
const PAGE: u32 = 500;
/// Longest piece of a stream that is kept until it is complete, in octets.
const MAX_PIECE: usize = 16 << 20;

/// Print what happened, oldest first.
#[derive(Debug, Args)]
pub struct Events {
    /// Go on with what happens from now on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// Only what concerns this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only events of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Only what was at this time, as in 2026-02-28T13:45:00Z, or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was before this time; not with --follow.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// Only what comes after this cursor.
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    after: i64,
}

impl Events {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let kinds = (!self.kinds.is_empty()).then(|| self.kinds.join(","));
        let query =
            Query::new().with_some("device", self.device.as_deref()).with_some("kind", kinds.as_deref());
        let times =
            query.clone().with_some("since", self.since.as_deref()).with_some("until", self.until.as_deref());
        let mut after = self.after.to_string();
        loop {
            let page = api.page("/events", &times, PAGE, Some(&after)).await?;
            for item in page.items {
                if let Some(cursor) = item.get("cursor").cloned().and_then(cursor_text) {
                    after = cursor;
                }
                print(global.output, item)?;
            }
            match page.next.and_then(cursor_text) {
                Some(next) => after = next,
                None => break,
            }
        }
        if !self.follow {
            return Ok(());
        }
        loop {
            follow(&api, &query, &mut after, global.output).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Prints events as they come, until the stream ends: with an error, or so that it can be followed anew.
async fn follow(api: &Api, query: &Query, after: &mut String, output: Format) -> Result<(), Failure> {
    let path = query.clone().with("after", after).onto("/events/stream");
    let mut stream = api.download(&path).await?;
    let mut buffer = Vec::new();
    // A stream that broke off is taken up again where it was; whether there is a server at all shows then.
    while let Ok(Some(part)) = stream.next().await {
        buffer.extend_from_slice(&part);
        while let Some(end) = buffer.windows(2).position(|octets| octets == b"\n\n") {
            let rest = buffer.split_off(end + 2);
            let piece = std::mem::replace(&mut buffer, rest);
            take(&String::from_utf8_lossy(&piece), after, output)?;
        }
        if buffer.len() > MAX_PIECE {
            return Err(Failure::Failed("an event of the server is too large".to_owned()));
        }
    }
    Ok(())
}

/// Takes one piece of a stream: an event, a new cursor, or both.
fn take(piece: &str, after: &mut String, output: Format) -> Result<(), Failure> {
    let field = |name: &str| {
        let lines = piece.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(field, _)| *field == name).map(|(_, value)| value);
        values.next().map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    let (kind, data) = (field("event"), field("data"));
    match (kind.as_deref(), data) {
        (Some("end"), _) | (_, None) => {}
        (_, Some(data)) => {
            let event = serde_json::from_str(&data).map_err(|error| {
                Failure::Failed(format!("an event of the server cannot be read: {error}"))
            })?;
            print(output, event)?;
        }
    }
    if let Some(cursor) = field("id") {
        *after = cursor;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_moves_the_cursor_alone() {
        let mut after = "1".to_owned();
        take(": \nid: 7\n\n", &mut after, Format::Json).unwrap();
        assert_eq!(after, "7");
        take("event: end\ndata: {\"why\":\"x\"}\n\n", &mut after, Format::Json).unwrap();
        assert_eq!(after, "7");
        assert!(take("id: 8\nevent: command\ndata: {\n\n", &mut after, Format::Json).is_err());
        assert_eq!(after, "7", "it is asked for again");
    }
}

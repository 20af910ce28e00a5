//! What a device goes on doing after the command that asked for it.

use serde_json::Value;

use crate::api::{Api, Query};
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Prints the subscriptions of a device.
pub async fn subscriptions(api: &Api, output: Format, id: &str) -> Result<(), Failure> {
    let items = api.list(&format!("{}/subscriptions", super::path(id)), &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let reported =
            text(item, "reported").map_or_else(|| "never".to_owned(), |time| screen::age(time, now));
        let since = text(item, "since").map(|time| screen::age(time, now)).unwrap_or_default();
        vec![text(item, "address").unwrap_or_default().to_owned(), since, reported]
    });
    let none = format!("{id} reports nothing. Try: omadm run {id} subscribe ADDRESS");
    screen::table(&["ADDRESS", "SINCE", "REPORTED"], rows.collect(), &none)
}

/// Prints where a device gets management objects that it lacks.
pub async fn defaults(api: &Api, output: Format, id: &str) -> Result<(), Failure> {
    let items = api.list(&format!("{}/defaults", super::path(id)), &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let here = item.get("kept_here").and_then(Value::as_bool) == Some(true);
        let since = text(item, "since").map(|time| screen::age(time, now)).unwrap_or_default();
        let place = if here { "this server" } else { "elsewhere" };
        vec![text(item, "moid").unwrap_or_default().to_owned(), place.to_owned(), since]
    });
    let none = format!("{id} has no default. Try: omadm run {id} default MOID --file DATA");
    screen::table(&["MANAGEMENT OBJECT", "FROM", "SINCE"], rows.collect(), &none)
}

fn text<'i>(item: &'i Value, name: &str) -> Option<&'i str> {
    item.get(name).and_then(Value::as_str)
}

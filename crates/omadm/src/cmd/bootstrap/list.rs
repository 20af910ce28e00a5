//! The list of bootstraps.

use serde_json::Value;

use crate::api::Query;
use crate::cli::Global;
use crate::cmd::filter;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Lists the bootstraps of devices, and how far they have come.
///
/// # Errors
/// As the server refuses it.
pub async fn list(global: &Global, wanted: Option<&str>, limit: Option<u32>) -> Result<(), Failure> {
    let query = Query::new().with_some("filter", wanted);
    let listed = global.api()?.list("/bootstrap", &query, limit).await;
    let items = listed.map_err(|error| filter::pointed(error, wanted))?;
    if global.output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let row = |item: &Value| {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let age =
            |name| if text(name).is_empty() { "never".to_owned() } else { screen::age(text(name), now) };
        vec![screen::clean(text("id")), text("state").to_owned(), age("enrolled"), age("last_contact")]
    };
    let rows = items.iter().map(row).collect();
    screen::table(
        &["DEVICE", "STATE", "MADE", "LAST CONTACT"],
        rows,
        "There is no bootstrap of such a device.",
    )
}

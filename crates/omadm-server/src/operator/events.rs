//! The event log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::{Problem, Query};
use super::views::{Event, Page};
use super::{device_id, limit, number};
use crate::context::Context;

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this device.
    device: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor of the last event that is known already.
    after: Option<String>,
}

/// Lists events, oldest first.
#[utoipa::path(get, path = "/events", params(Filter), tag = "events",
    responses((status = 200, body = Page<Event>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Event>>, Problem> {
    let limit = limit(filter.limit)?;
    let after = number(filter.after.as_deref())?.unwrap_or_default();
    let device = filter.device.as_deref().map(device_id).transpose()?;
    let events = context.store.events(device.as_ref(), after, limit + 1).await?;
    Ok(Json(Page::cut(events, limit, |event| event.cursor.to_string(), Event::from)))
}

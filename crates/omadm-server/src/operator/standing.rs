//! What devices go on doing after the command that asked for it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_store::{self as store, StandingKind};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::known_device;
use super::problem::{Path, Problem};
use super::views::Page;
use crate::clock::rfc3339;
use crate::context::Context;

/// A subscription: the device reports changes below an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subscription {
    /// The command that began it.
    id: Uuid,
    address: String,
    since: String,
    /// The last report.
    reported: Option<String>,
}

/// Where a device gets a management object that it lacks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Default {
    /// The command that said so.
    id: Uuid,
    moid: String,
    since: String,
    /// Whether this server has the data.
    kept_here: bool,
}

/// Lists the subscriptions of a device.
#[utoipa::path(get, path = "/devices/{id}/subscriptions", params(("id" = String, Path)), tag = "devices",
    responses((status = 200, body = Page<Subscription>), (status = 404, body = Problem)))]
pub async fn subscriptions(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<Page<Subscription>>, Problem> {
    let view = |one: store::Standing| Subscription {
        id: one.id,
        address: one.target,
        since: rfc3339(one.since),
        reported: one.reported.map(rfc3339),
    };
    Ok(Json(Page { items: of_kind(&context, &id, StandingKind::Subscription, view).await?, next: None }))
}

/// Lists where a device gets management objects that it lacks.
#[utoipa::path(get, path = "/devices/{id}/defaults", params(("id" = String, Path)), tag = "devices",
    responses((status = 200, body = Page<Default>), (status = 404, body = Problem)))]
pub async fn defaults(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<Page<Default>>, Problem> {
    let view = |one: store::Standing| Default {
        id: one.id,
        moid: one.target,
        since: rfc3339(one.since),
        kept_here: one.payload.is_some(),
    };
    Ok(Json(Page { items: of_kind(&context, &id, StandingKind::Default, view).await?, next: None }))
}

async fn of_kind<T>(
    context: &Context,
    id: &str,
    kind: StandingKind,
    view: impl Fn(store::Standing) -> T,
) -> Result<Vec<T>, Problem> {
    let device = known_device(context, id).await?;
    let standings = context.store.standings(&device.id).await?;
    Ok(standings.into_iter().filter(|one| one.kind == kind).map(view).collect())
}

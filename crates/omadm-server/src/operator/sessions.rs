//! Sessions and what went over the wire in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::problem::{Path, Problem, Query};
use super::views::{Message, Page, Session, Trace};
use super::{Listing, known_device};
use crate::clock;
use crate::context::Context;

/// Lists the sessions of a device, newest first.
#[utoipa::path(get, path = "/devices/{id}/sessions", params(("id" = String, Path), Listing), tag = "sessions",
    responses((status = 200, body = Page<Session>), (status = 404, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<Session>>, Problem> {
    let (limit, before) = (listing.limit()?, listing.number()?);
    let device = known_device(&context, &id).await?;
    let sessions = context.store.sessions(&device.id, before, limit + 1).await?;
    let (now, idle) = (clock::now(), context.config.device.idle_timeout.micros());
    let view = |session| Session::new(session, now, idle);
    Ok(Json(Page::cut(sessions, limit, |session| session.session.to_string(), view)))
}

/// Shows a session with its messages.
#[utoipa::path(get, path = "/devices/{id}/sessions/{session}", params(("id" = String, Path), ("session" = i64, Path)),
    tag = "sessions", responses((status = 200, body = Trace), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path((id, number)): Path<(String, i64)>,
) -> Result<Json<Trace>, Problem> {
    let device = known_device(&context, &id).await?;
    let found = context.store.trace(&device.id, number).await?;
    let (session, messages) =
        found.ok_or_else(|| Problem::unknown(format!("{} has no session {number}", device.id)))?;
    let session = Session::new(session, clock::now(), context.config.device.idle_timeout.micros());
    Ok(Json(Trace { session, messages: messages.into_iter().map(Message::from).collect() }))
}

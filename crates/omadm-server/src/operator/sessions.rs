//! Sessions and what went over the wire in them.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use omadm_store::NewEvent;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::problem::{Path, Problem, Query};
use super::tokens::Operator;
use super::views::{Aborted, Message, Page, Session, Trace};
use super::{Listing, known_device};
use crate::clock;
use crate::context::Context;
use crate::device::dm1::{Unstoppable, stop};

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

/// How much of a session is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TracePart {
    /// Messages that come with their bodies, the first ones. Default: all.
    bodies: Option<usize>,
    /// Most characters of a body; longer ones are cut. Default: all that is kept.
    body_length: Option<usize>,
}

/// Shows a session with its messages.
#[utoipa::path(get, path = "/devices/{id}/sessions/{session}", params(("id" = String, Path), ("session" = i64, Path), TracePart),
    tag = "sessions", responses((status = 200, body = Trace), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path((id, number)): Path<(String, i64)>,
    Query(part): Query<TracePart>,
) -> Result<Json<Trace>, Problem> {
    let device = known_device(&context, &id).await?;
    let found = context.store.trace(&device.id, number).await?;
    let (session, messages) =
        found.ok_or_else(|| Problem::unknown(format!("{} has no session {number}", device.id)))?;
    let session = Session::new(session, clock::now(), context.config.device.idle_timeout.micros());
    let bodies = part.bodies.unwrap_or(usize::MAX);
    let messages = messages.into_iter().enumerate().map(|(place, message)| {
        let most = if place < bodies { part.body_length } else { Some(0) };
        Message::new(message, most.unwrap_or(usize::MAX))
    });
    Ok(Json(Trace { session, messages: messages.collect() }))
}

/// Ends the session that a device of DM 1.x has open: its next message is answered with an abort (Alert 1223). Commands that it has not
/// answered by then stay queued.
#[utoipa::path(post, path = "/devices/{id}/sessions/abort", params(("id" = String, Path)), tag = "sessions",
    responses((status = 202, body = Aborted), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn abort(
    State(context): State<Arc<Context>>,
    operator: Extension<Operator>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Aborted>), Problem> {
    let device = known_device(&context, &id).await?.id;
    let by = operator.0.0;
    let stopped = stop(&context, &device, &format!("the operator {by} wants it")).await;
    let session = stopped.map_err(|why| match why {
        Unstoppable::Store(error) => error.into(),
        other => Problem::conflict(format!("{device}: {other}")),
    })?;
    tracing::info!(%device, session, by, "session to be aborted");
    let body = json!({ "session": session, "outcome": "to be aborted", "by": by }).to_string();
    let event = NewEvent { device: Some(device), kind: "session".to_owned(), body };
    context.store.add_events(vec![event], clock::now()).await?;
    Ok((StatusCode::ACCEPTED, Json(Aborted { session })))
}

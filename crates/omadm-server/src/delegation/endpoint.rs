//! Where other servers send their messages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use omadm_codec::delegation::{DelegationMessage, MEDIA_TYPE, decode};
use omadm_codec::media_type::TEXT_PLAIN;
use omadm_codec::{Limits, MediaType};
use omadm_mo::Time;
use omadm_store::{NewEvent, StoreError};
use serde_json::json;

use super::judge::Refused;
use super::receive::Received;
use crate::clock;
use crate::context::Context;
use crate::device::read_body;
use crate::listener::Connection;
use crate::metrics::Listener;
use crate::requests::Watched;

/// Where messages are taken.
pub const PATH: &str = "/delegation";
/// Seconds until a server that asks too much may go on.
const SLOW_DOWN: HeaderValue = HeaderValue::from_static("60");

/// Routes of the listener for other servers.
pub fn router(context: Arc<Context>) -> Router {
    let watched = Watched { listener: Listener::Delegation, metrics: context.metrics.clone() };
    Router::new()
        .route(PATH, post(take))
        // Bodies are bounded by our own settings, with an answer that names them.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(watched, crate::requests::log))
        .with_state(context)
}

async fn take(
    State(context): State<Arc<Context>>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    match answer(&context, &connection, request).await {
        Ok(response) => response,
        Err(Failure::Plain(refused)) => {
            let peer = connection.peer.to_string();
            tracing::warn!(
                peer,
                status = refused.status,
                reason = refused.reason,
                "refused a server that wants to delegate"
            );
            if matches!(refused.status, 401 | 403) {
                note(&context, &peer, &refused.reason).await;
            }
            plain(&refused)
        }
        Err(Failure::Store(error)) => {
            tracing::error!(%error, "a message on a delegation could not be taken");
            plain(&Refused::new(503, "the server cannot work at the moment; try again later"))
        }
    }
}

enum Failure {
    /// There is nobody who could be answered by a document.
    Plain(Refused),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn refused(status: u16, reason: impl Into<String>) -> Failure {
    Failure::Plain(Refused::new(status, reason))
}

async fn answer(context: &Context, connection: &Connection, request: Request) -> Result<Response, Failure> {
    let Some(delegations) = &context.delegations else { return Err(refused(404, "delegation is off")) };
    let identified = delegations.peers.identify(&connection.presented);
    let (peer, certificate) = identified.map_err(|stranger| refused(stranger.status, stranger.reason))?;
    let (section, now) = (&context.config.delegation, clock::now());
    if !delegations.peers.admit(&peer.settings.server_id, now) {
        let most = section.max_requests;
        return Err(refused(429, format!("more than {most} messages in a minute; slow down")));
    }
    let (head, body) = request.into_parts();
    is_delegation(&head.headers)?;
    let octets = octets(context, &head.headers, body).await?;
    let limits = Limits { bytes: section.max_message.0, ..Limits::default() };
    let message =
        decode(&octets, &section.namespace, &limits).map_err(|error| refused(400, error.to_string()))?;
    let received = Received { peer, certificate, message };
    is_meant(context, &received.message, &peer.settings.server_id, now).map_err(Failure::Plain)?;
    let (status, document) = received.answer(context).await?;
    let status = http::StatusCode::from_u16(status.0).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))];
    Ok((status, kind, document).into_response())
}

fn is_delegation(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| MediaType::parse(value.to_str().ok()?).ok());
    if kind.is_none_or(|kind| kind.essence != MEDIA_TYPE) {
        return Err(refused(415, format!("the Content-Type has to be {MEDIA_TYPE}")));
    }
    Ok(())
}

async fn octets(context: &Context, headers: &HeaderMap, body: Body) -> Result<bytes::Bytes, Failure> {
    let (section, time) = (&context.config.delegation, context.config.device.body_timeout.0);
    let read = read_body(headers, body, section.max_message.0, time).await;
    read.map_err(|refusal| refused(refusal.http_status, refusal.reason))
}

/// Whether the head of a document is that of a message from this server to us, made now.
fn is_meant(context: &Context, message: &DelegationMessage, from: &str, now: Time) -> Result<(), Refused> {
    if message.from.as_str() != from {
        return Err(Refused::new(
            403,
            format!("From: the certificate is that of {from}, not of {}", message.from),
        ));
    }
    let own = &context.config.server.id;
    if message.to.as_str() != own {
        return Err(Refused::new(403, format!("To: this is {own}, not {}", message.to)));
    }
    let skew = i64::try_from(context.config.delegation.clock_skew.0.as_micros()).unwrap_or(i64::MAX);
    if message.timestamp.0.abs_diff(now.0) > skew.unsigned_abs() {
        let (here, there) = (clock::rfc3339(now), clock::rfc3339(message.timestamp));
        let reason = format!("Timestamp: {there} is too far from the time here, {here}; set the clocks");
        return Err(Refused::new(400, reason));
    }
    Ok(())
}

fn plain(refused: &Refused) -> Response {
    let status =
        http::StatusCode::from_u16(refused.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, format!("{}\n", refused.reason)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_PLAIN));
    if matches!(refused.status, 429 | 503) {
        headers.insert(RETRY_AFTER, SLOW_DOWN);
    }
    response
}

/// Tells operators of somebody who is not who he says.
async fn note(context: &Context, peer: &str, reason: &str) {
    let body = json!({ "what": "delegation refused", "peer": peer, "reason": reason });
    let event = NewEvent { device: None, kind: "security".into(), body: body.to_string() };
    if let Err(error) = context.store.add_events(vec![event], clock::now()).await {
        tracing::error!(%error, "a security event could not be stored");
    }
}

//! A span with an identifier around every request, on both listeners.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::listener::Connection;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Logs one line per request; the reply names its identifier, so that a complaint finds its lines.
pub async fn log(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let peer = request.extensions().get::<Arc<Connection>>().map(|connection| connection.peer);
    // A span of the highest level is there whatever level is logged. The query is left out: it may hold what is nobody's business.
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::error_span!("request", id, peer = peer.map(tracing::field::display), %method, path);
    let began = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status, micros, "answered");
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

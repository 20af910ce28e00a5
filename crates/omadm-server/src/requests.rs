//! A span with an identifier around every request, on both listeners.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::listener::Connection;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Tells requests of this run of the program from those of others.
static RUN: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Identifies a request in the log: the run of the program, and a number within it.
#[derive(Clone, Copy)]
struct RequestId(u64);

impl RequestId {
    fn next() -> Self {
        Self(REQUESTS.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", *RUN, self.0)
    }
}

/// Logs one line per request, and names its identifier to the operator.
pub async fn log(request: Request, next: Next) -> Response {
    let id = RequestId::next();
    let mut response = logged(id, request, next).await;
    name(id, &mut response);
    response
}

/// As [`log`], for devices: they are told the identifier only when something is wrong.
pub async fn log_device(request: Request, next: Next) -> Response {
    let id = RequestId::next();
    let mut response = logged(id, request, next).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        name(id, &mut response);
    }
    response
}

/// The path for the log. What follows `/ui/` opens the page of a user to everyone who has it.
fn shown(path: &str) -> &str {
    if path.starts_with("/ui/") { "/ui/…" } else { path }
}

/// So that a complaint finds its lines in the log.
fn name(id: RequestId, response: &mut Response) {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

async fn logged(id: RequestId, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Arc<Connection>>().map(|connection| connection.peer);
    // A span of the highest level is there whatever level is logged. The query is left out: it may hold what is nobody's business.
    let (method, path) = (request.method(), shown(request.uri().path()));
    let span = tracing::error_span!("request", %id, peer = peer.map(tracing::field::display), %method, path);
    let began = Instant::now();
    async move {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status, micros, "answered");
        response
    }
    .instrument(span)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_page_is_not_shown() {
        for (path, expected) in
            [("/ui/secret", "/ui/…"), ("/ui/", "/ui/…"), ("/uis", "/uis"), ("/dm/2.0", "/dm/2.0")]
        {
            assert_eq!(shown(path), expected);
        }
    }
}

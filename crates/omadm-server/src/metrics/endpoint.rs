//! `/metrics` on the operator listener.

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

use crate::clock;
use crate::context::Context;

/// Where the figures are on the operator listener.
pub const PATH: &str = "/metrics";
/// Prometheus text format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures as they are now; nothing is read for it.
pub fn show(context: &Context) -> Response {
    let metrics = &context.metrics;
    metrics.store_waiting.set((), i64::try_from(context.store.commits().waiting()).unwrap_or(i64::MAX));
    context.admission.tell(metrics, clock::now());
    ([(CONTENT_TYPE, MEDIA_TYPE)], metrics.text()).into_response()
}

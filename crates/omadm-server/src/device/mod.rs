//! What devices talk to: the DM 2.0 endpoint, the Data Repository, DDF files, bootstraps, registrations for cloud messaging.

mod auth;
mod bearer;
mod bootstrap;
mod data;
mod ddf;
mod deliveries;
pub mod dm1;
mod dm2;
mod memory;
mod push;
mod reports;
mod traces;

pub use auth::{Caller, LinkCaller, Schemes, authenticate};
pub use dm2::queued;
pub use memory::Memory;
pub use push::{REGISTER_PATH, UNREGISTER_PATH};

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post, put};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use omadm_codec::media_type::TEXT_PLAIN;
use omadm_session::dm2::server::Refusal;
use omadm_store::StoreError;

use crate::context::{BOOTSTRAP_PATH, Context, DM2_PATH};
use crate::metrics::Listener;
use crate::notifier::ppg;
use crate::requests::Watched;
use crate::{package, ui};

/// Names the formats of management data that we take (`DM 2.0 §5.5`).
const OMADM_ACCEPT: HeaderName = HeaderName::from_static("omadm-accept");
/// What we take. MO data is liked best: it keeps the formats of leaves, and goes into the last known tree.
const TAKEN: &str = "application/dmmo+json, text/plain;q=0.5, application/octet-stream;q=0.5, application/json;q=0.5, \
                     text/xml;q=0.5, application/xml;q=0.5";
/// Identifies the device (`DM 2.0 §5.2.2`).
const OMADM_DEVID: HeaderName = HeaderName::from_static("omadm-devid");
/// Routes of the device listener.
pub fn router(context: Arc<Context>) -> Router {
    let watched = Watched { listener: Listener::Device, metrics: context.metrics.clone() };
    Router::new()
        .route(DM2_PATH, any(dm2::endpoint))
        .merge(dm1::routes(&context))
        .route("/data/c/{command}", get(data::payload))
        .route("/data/u/{command}", put(data::upload).post(data::upload))
        .route("/data/s/{subscription}", put(reports::report))
        .route(package::PATH, get(package::serve))
        .route("/ui/{token}", get(ui::show).post(ui::answer))
        .route("/ddf/{name}", get(ddf::file))
        .route(BOOTSTRAP_PATH, get(bootstrap::fetch))
        .route("/bootstrap/{device}", get(bootstrap::fetch))
        .route(REGISTER_PATH, post(push::register))
        .route(UNREGISTER_PATH, post(push::unregister))
        .route(ppg::PATH, post(ppg::notified))
        // Bodies are bounded by our own settings, with an answer that names them.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(context.clone(), auth::layer))
        .layer(axum::middleware::from_fn_with_state(watched, crate::requests::log))
        .with_state(context)
}

/// Longest declared length of a body that is made room for before it has come.
const TRUSTED_LENGTH: usize = 64 << 10;

/// What a device hears that has to come again later.
const FULL: &str = "the server takes no new session at the moment; try again later";

pub fn refusal(http_status: u16, reason: impl Into<String>) -> Refusal {
    Refusal { http_status, reason: reason.into(), allow: None, omadm_accept: false }
}

/// The HTTP form of a refusal.
pub fn refuse(context: &Context, refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, format!("{}\n", refusal.reason)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_PLAIN));
    if let Some(allow) = refusal.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if refusal.omadm_accept {
        headers.insert(OMADM_ACCEPT, HeaderValue::from_static(TAKEN));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from(context.admission.retry_after()));
    }
    response
}

/// Queued commands read with a message beyond two packages of them: the time of some may be over, and some have to wait for others.
const BEYOND: usize = 256;

/// How many queued commands are read with a message.
fn commands_read(context: &Context) -> u32 {
    u32::try_from(2 * context.engine.max_commands + BEYOND).unwrap_or(u32::MAX)
}

/// What a device hears when the store fails; the log says more.
pub fn store_failed(error: &StoreError) -> Refusal {
    tracing::error!(%error, "a device could not be served");
    refusal(503, "the server cannot work at the moment; try again later")
}

/// Reads a body of at most `limit` octets. What is only somewhat too long is read to its end, so that the device gets to see the
/// answer instead of a broken connection.
pub async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    time: Duration,
) -> Result<Bytes, Refusal> {
    let too_long = || refusal(413, format!("the body is larger than {limit} bytes"));
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let patience = limit.saturating_mul(4);
    if declared
        .is_some_and(|length: usize| length > patience || (length > limit && headers.contains_key(EXPECT)))
    {
        return Err(too_long());
    }
    let reading = async {
        let mut octets = Vec::with_capacity(declared.unwrap_or_default().min(limit).min(TRUSTED_LENGTH));
        let mut length: usize = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| refusal(400, format!("the body broke off: {error}")))?;
            let Ok(chunk) = frame.into_data() else { continue };
            length = length.saturating_add(chunk.len());
            if length > patience {
                break;
            }
            if length <= limit {
                octets.extend_from_slice(&chunk);
            }
        }
        if length > limit { Err(too_long()) } else { Ok(Bytes::from(octets)) }
    };
    let late = |_| refusal(408, format!("the body was not complete within {} s", time.as_secs()));
    tokio::time::timeout(time, reading).await.map_err(late)?
}

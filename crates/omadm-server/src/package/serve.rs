//! Packages on their way to devices.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use object_store::{GetOptions, GetRange, ObjectStore as _};
use omadm_codec::media_type::OCTET_STREAM;
use omadm_session::dm2::server::Refusal;
use omadm_store::Package;
use serde::Deserialize;
use uuid::Uuid;

use super::ranges::{Part, asked};
use super::{Packages, etag};
use crate::context::Context;
use crate::device::Caller;
use crate::{clock, device};

/// Path of packages on the device listener.
pub const PATH: &str = "/data/package/{package}";
/// Digest of the whole package (`RFC 9530 §3`), also of an answer that has only a part of it.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The query of an address.
#[derive(Deserialize)]
pub struct Given {
    ticket: Option<String>,
}

/// `GET` and `HEAD /data/package/{package}`
pub async fn serve(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(package): Path<String>,
    Query(given): Query<Given>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let package = match admitted(&context, &caller, &package, given.ticket.as_deref()).await {
        Ok(package) => package,
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "a package was refused");
            return device::refuse(&context, &refusal);
        }
    };
    let size = u64::try_from(package.size).unwrap_or_default();
    let part = asked(&headers, size, &etag(&package));
    let mut answer = head(&package);
    let (status, octets) = match part {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Some(octets) => {
            let range = format!("bytes {}-{}/{size}", octets.start, octets.end.saturating_sub(1));
            insert(&mut answer, CONTENT_RANGE, &range);
            (StatusCode::PARTIAL_CONTENT, octets)
        }
        Part::NotModified => return (StatusCode::NOT_MODIFIED, answer).into_response(),
        Part::Unsatisfiable => {
            insert(&mut answer, CONTENT_RANGE, &format!("bytes */{size}"));
            return (StatusCode::RANGE_NOT_SATISFIABLE, answer).into_response();
        }
    };
    answer.insert(CONTENT_LENGTH, HeaderValue::from(octets.end - octets.start));
    if method == Method::HEAD || octets.is_empty() {
        return (status, answer, Body::empty()).into_response();
    }
    match body(&context.packages, &package, octets).await {
        Ok(body) => (status, answer, body).into_response(),
        Err(refusal) => device::refuse(&context, &refusal),
    }
}

/// The package of a path, if who asks may have it: by its ticket, or by the credentials of a device.
async fn admitted(
    context: &Context,
    caller: &Caller,
    package: &str,
    ticket: Option<&str>,
) -> Result<Package, Refusal> {
    let id = Uuid::try_parse(package).ok();
    match (id, ticket) {
        (Some(id), Some(ticket)) if context.packages.tickets.admits(ticket, id, clock::now()) => {}
        (_, Some(_)) => {
            return Err(device::refusal(
                403,
                "the address is not good any more; ask for a new one in a session",
            ));
        }
        (_, None) => drop(device::authenticate(context, caller).await?),
    }
    let unknown = || device::refusal(404, "there is no such package");
    let package = context.store.package(id.ok_or_else(unknown)?).await;
    package.map_err(|error| device::store_failed(&error))?.ok_or_else(unknown)
}

fn head(package: &Package) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&package.content_type).unwrap_or(HeaderValue::from_static(OCTET_STREAM)),
    );
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Never changes under its address; but the address may carry a ticket, which is for one device.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, immutable, max-age=86400"));
    insert(&mut headers, ETAG, &etag(package));
    insert(&mut headers, REPR_DIGEST, &format!("sha-256=:{}:", super::deliver::base64_digest(package)));
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The octets as they are read, a piece at a time: only as fast as the device takes them.
async fn body(packages: &Packages, package: &Package, octets: std::ops::Range<u64>) -> Result<Body, Refusal> {
    let Ok(turn) = packages.downloads.clone().try_acquire_owned() else {
        return Err(device::refusal(503, "there are too many downloads at the moment; try again later"));
    };
    let options = GetOptions { range: Some(GetRange::Bounded(octets)), ..GetOptions::default() };
    let found = packages.objects.get_opts(&Packages::place(package.id), options).await.map_err(|error| {
        tracing::error!(%error, package = %package.id, "the octets of a package cannot be read");
        device::refusal(503, "the package cannot be read at the moment; try again later")
    })?;
    let pieces = found.into_stream().map(move |piece| {
        // The turn ends with the stream.
        let _turn = &turn;
        piece
    });
    Ok(Body::from_stream(pieces))
}

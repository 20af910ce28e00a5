//! Packages of firmware and software.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use omadm_codec::media_type::OCTET_STREAM;
use omadm_store as store;
use omadm_store::{PackageKind, PackageRemoval};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Listing;
use super::actor::Actor;
use super::problem::{Path, Problem, Query};
use super::views::Page;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::package::{New, Refused};
use crate::patience::Patience;

/// Path of uploads below the prefix, whose bodies are not read ahead.
pub const PATH: &str = "/packages";
/// Longest signature in octets: RSA with 16384 bits.
const MAX_SIGNATURE: usize = 2_048;

/// What a package is for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PackageKind)]
pub enum Kind {
    /// The firmware of the device.
    Firmware,
    /// A software component.
    Software,
}

impl From<Kind> for PackageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Firmware => Self::Firmware,
            Kind::Software => Self::Software,
        }
    }
}

impl From<PackageKind> for Kind {
    fn from(kind: PackageKind) -> Self {
        match kind {
            PackageKind::Firmware => Self::Firmware,
            PackageKind::Software => Self::Software,
        }
    }
}

/// A package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Package)]
pub struct View {
    id: Uuid,
    name: String,
    version: String,
    kind: Kind,
    /// Models that it is for, as a glob; null for all.
    model: Option<String>,
    content_type: String,
    /// Length in octets.
    size: i64,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
    /// Signature over it, in base64.
    signature: Option<String>,
    /// Name of the trusted key that made the signature.
    signed_by: Option<String>,
    created: String,
    created_by: String,
    /// The assigned version of a profile that asks for it, as `NAME@VERSION`; left out in listings, and if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

impl From<store::Package> for View {
    fn from(package: store::Package) -> Self {
        Self {
            id: package.id,
            name: package.name,
            version: package.version,
            kind: package.kind.into(),
            model: package.model,
            content_type: package.content_type,
            size: package.size,
            sha256: package.digest,
            signature: package.signature.map(|octets| STANDARD.encode(octets)),
            signed_by: package.signed_by,
            created: rfc3339(package.created),
            created_by: package.created_by,
            profile: None,
        }
    }
}

/// What is said of a package that comes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Name, 1 to 128 printable characters.
    name: String,
    /// Version, 1 to 128 printable characters; with the name unique.
    version: String,
    /// `firmware` or `software`.
    kind: Kind,
    /// Models that it is for, as a glob such as `X-*`. Default: all.
    model: Option<String>,
    /// SHA-256 that it has to have, in hexadecimal digits.
    sha256: Option<String>,
    /// Signature in base64: RSA (PKCS#1 v1.5) or ECDSA with SHA-256 over the package, or Ed25519 over its SHA-256.
    signature: Option<String>,
}

/// Lists packages, newest first.
#[utoipa::path(get, path = "/packages", params(Listing), tag = "packages", responses((status = 200, body = Page<View>)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<View>>, Problem> {
    let limit = listing.limit()?;
    let packages = context.store.packages(listing.uuid()?, limit + 1).await?;
    Ok(Json(Page::cut(packages, limit, |package| package.id.to_string(), View::from)))
}

/// Stores a package, which is the body. It is written as it comes; one that breaks off leaves nothing.
#[utoipa::path(post, path = "/packages", params(Said), tag = "packages",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = View), (status = 400, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(said): Query<Said>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<View>), Problem> {
    let new = new(said, &headers, actor.0.name.clone())?;
    let patience = Patience::new(&context.config.operator);
    // It goes on to its end when the connection breaks, as all that is in the audit log, and takes back what has come.
    let stored = context.packages.store(context.store.as_ref(), new, body, patience, clock::now()).await?;
    Ok((StatusCode::CREATED, Json(stored.into())))
}

/// Shows a package with what asks for it; `GET /campaigns?package=` lists the campaigns that bring it.
#[utoipa::path(get, path = "/packages/{package}", params(("package" = Uuid, Path)), tag = "packages",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(State(context): State<Arc<Context>>, Path(id): Path<Uuid>) -> Result<Json<View>, Problem> {
    let package = known(&context, id).await?;
    let by = context.profiles.bringing(&context, &package.name, &package.version).await?;
    let profile = by.map(|by| format!("{}@{}", by.name, by.number));
    Ok(Json(View { profile, ..package.into() }))
}

/// Removes a package that no campaign and no assigned profile needs.
#[utoipa::path(delete, path = "/packages/{package}", params(("package" = Uuid, Path)), tag = "packages",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let package = known(&context, id).await?;
    if let Some(by) = context.profiles.bringing(&context, &package.name, &package.version).await? {
        return Err(in_use(&format!("version {} of the profile {:?}", by.number, by.name)));
    }
    match context.store.remove_package(id).await? {
        PackageRemoval::Removed => {
            context.packages.forget(id).await;
            Ok(StatusCode::NO_CONTENT)
        }
        PackageRemoval::Unknown => Err(unknown(id)),
        PackageRemoval::InUse(by) => Err(in_use(&by)),
    }
}

fn in_use(by: &str) -> Problem {
    Problem::conflict(format!("{by} needs the package; end that first"))
}

/// A package.
///
/// # Errors
/// 404
pub async fn known(context: &Context, id: Uuid) -> Result<store::Package, Problem> {
    context.store.package(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: Uuid) -> Problem {
    Problem::unknown(format!("there is no package {id}; `omadm package ls` shows those that are"))
}

fn new(said: Said, headers: &HeaderMap, by: String) -> Result<New, Problem> {
    for (what, text) in
        [("name", Some(&said.name)), ("version", Some(&said.version)), ("model", said.model.as_ref())]
    {
        if text.is_some_and(|text| !is_printable(text)) {
            let why = format!("{what} has to have 1 to 128 characters, none of them a control character");
            return Err(Problem::bad(why).about(format!("/{what}")));
        }
    }
    let digest = said.sha256.map(|given| given.to_ascii_lowercase());
    if digest
        .as_ref()
        .is_some_and(|given| given.len() != 64 || !given.bytes().all(|octet| octet.is_ascii_hexdigit()))
    {
        return Err(Problem::bad("sha256 has to be 64 hexadecimal digits").about("/sha256"));
    }
    let signature = said.signature.map(|given| STANDARD.decode(given)).transpose();
    let signature = signature
        .map_err(|error| Problem::bad(format!("signature is no base64: {error}")).about("/signature"))?;
    if signature.as_ref().is_some_and(|octets| octets.len() > MAX_SIGNATURE) {
        let why = format!("signature has more than {MAX_SIGNATURE} octets");
        return Err(Problem::bad(why).about("/signature"));
    }
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).unwrap_or(OCTET_STREAM).to_owned();
    if !is_printable(&content_type) {
        return Err(Problem::bad("Content-Type has more than 128 characters"));
    }
    Ok(New {
        name: said.name,
        version: said.version,
        kind: said.kind.into(),
        model: said.model,
        content_type,
        digest,
        signature,
        length: text(CONTENT_LENGTH).and_then(|text| text.parse().ok()),
        by,
    })
}

/// Whether it can be shown, and be a value of a node.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 128 && !text.chars().any(char::is_control)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Wrong(_) => StatusCode::BAD_REQUEST,
            Refused::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::Exists(..) => StatusCode::CONFLICT,
            Refused::Late(_) => StatusCode::REQUEST_TIMEOUT,
            Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Store(error) => return error.into(),
            Refused::Objects(error) if is_full(&error) => {
                tracing::error!(%error, "a package could not be stored");
                let detail =
                    "there is no room left for packages; free some space on the disk of package.directory";
                return Self::new(StatusCode::INSUFFICIENT_STORAGE, detail);
            }
            // Neither a refusal nor a fault of what was asked: a bucket that does not answer.
            Refused::Objects(error @ object_store::Error::Generic { store: "S3", .. }) => {
                tracing::error!(%error, "a package could not be stored");
                let detail = "the bucket for packages cannot be reached; try again later";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            }
            Refused::Objects(error) => {
                tracing::error!(%error, "a package could not be stored");
                let detail = "the object store failed; the server's log says why";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail);
            }
        };
        Self::new(status, refused.to_string())
    }
}

/// Whether an error comes of a disk that is full.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_full_disk_and_a_bucket_that_is_away_are_told_as_they_are() {
        let refusal = |store, kind: ErrorKind| {
            let source = Box::new(Error::from(kind));
            Problem::from(Refused::Objects(object_store::Error::Generic { store, source })).status()
        };
        assert_eq!(refusal("directory", ErrorKind::StorageFull), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(refusal("directory", ErrorKind::PermissionDenied), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(refusal("S3", ErrorKind::ConnectionRefused), StatusCode::SERVICE_UNAVAILABLE);
    }
}

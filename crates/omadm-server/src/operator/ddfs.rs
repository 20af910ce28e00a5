//! DDF files: the models of management objects that devices and people read.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use omadm_store::DdfFile;

use super::Listing;
use super::problem::{Path, Problem, Query};
use super::views::{Ddf, Page};
use crate::clock;
use crate::context::Context;
use crate::ddfs;

/// Lists DDF files by name.
#[utoipa::path(get, path = "/ddfs", params(Listing), responses((status = 200, body = Page<Ddf>)), tag = "ddfs")]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<Ddf>>, Problem> {
    let limit = listing.limit()?;
    let after = listing.after.unwrap_or_default();
    let files = context.store.ddfs().await?;
    let files = files.into_iter().filter(|file| file.name > after).take(limit as usize + 1).collect();
    Ok(Json(Page::cut(files, limit, |file: &DdfFile| file.name.clone(), |file| Ddf::new(file, Vec::new()))))
}

/// Gives a DDF file.
#[utoipa::path(get, path = "/ddfs/{name}", params(("name" = String, Path)), tag = "ddfs",
    responses((status = 200, content_type = "application/vnd.syncml.dmddf+xml"), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let file = known(&context, &name).await?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(ddfs::DDF_XML))], file.text).into_response())
}

/// The file of a path.
pub async fn known(context: &Context, name: &str) -> Result<DdfFile, Problem> {
    let file = context.store.ddf(name).await?;
    file.ok_or_else(|| {
        Problem::unknown(format!("there is no DDF file {name:?}; `omadm ddf ls` shows those that are"))
    })
}

/// Stores a DDF file, in place of one of that name.
#[utoipa::path(put, path = "/ddfs/{name}", params(("name" = String, Path)), tag = "ddfs",
    request_body(content = String, content_type = "application/vnd.syncml.dmddf+xml"),
    responses((status = 200, body = Ddf), (status = 400, body = Problem)))]
pub async fn put(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Ddf>), Problem> {
    let (file, warnings) = ddfs::read(&name, &body?, clock::now()).map_err(Problem::bad)?;
    context.store.put_ddf(file.clone()).await?;
    // So that this process knows it at once.
    context.models.now(context.store.as_ref()).await?;
    Ok((StatusCode::OK, Json(Ddf::new(file, warnings))))
}

/// Removes a DDF file. In place of one that an operator put instead of a file that the server comes with, that one is there again.
#[utoipa::path(delete, path = "/ddfs/{name}", params(("name" = String, Path)), tag = "ddfs",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let kept = known(&context, &name).await?;
    match ddfs::built_in(&name)? {
        Some(_) if ddfs::is_built_in(&kept) => {
            let problem =
                format!("{name:?} comes with the server and stays; another file can be put in its place");
            return Err(Problem::conflict(problem));
        }
        Some(original) => context.store.put_ddf(original).await?,
        // Another request may have removed it meanwhile: it is gone either way.
        None => drop(context.store.remove_ddf(&name).await?),
    }
    context.models.now(context.store.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

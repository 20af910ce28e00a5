//! Pages for the users of devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_store as store;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Body as Document, Path, Problem};
use super::views;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::leaf::Body;
use crate::ui::{Page, is_name};

/// A page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub struct View {
    name: String,
    stored: String,
    page: Page,
}

impl View {
    fn new(stored: store::Page) -> Result<Self, Problem> {
        let page = serde_json::from_str(&stored.text).map_err(|error| {
            Problem::conflict(format!(
                "the page {:?} cannot be read ({error}); another version of the server wrote it: put it again",
                stored.name
            ))
        })?;
        Ok(Self { name: stored.name, stored: rfc3339(stored.stored), page })
    }
}

/// Lists the pages.
#[utoipa::path(get, path = "/pages", tag = "pages", responses((status = 200, body = views::Page<View>)))]
pub async fn list(State(context): State<Arc<Context>>) -> Result<Json<views::Page<View>>, Problem> {
    let pages = context.store.pages().await?;
    let items = pages.into_iter().map(View::new).collect::<Result<_, _>>()?;
    Ok(Json(views::Page { items, next: None }))
}

/// Shows a page.
#[utoipa::path(get, path = "/pages/{name}", params(("name" = String, Path)), tag = "pages",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    Ok(Json(View::new(known(&context, &name).await?)?))
}

/// Keeps a page, in place of one of that name. What devices show already stays as it is.
#[utoipa::path(put, path = "/pages/{name}", params(("name" = String, Path)), request_body = Page, tag = "pages",
    responses((status = 200, body = View), (status = 400, body = Problem)))]
pub async fn put(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Document(page): Document<Page>,
) -> Result<Json<View>, Problem> {
    if !is_name(&name) {
        return Err(Problem::bad("the name of a page has 1 to 64 letters, digits, -, _ and ."));
    }
    page.check().map_err(Problem::bad)?;
    let stored = store::Page { name, text: serde_json::json!(page).to_string(), stored: clock::now() };
    context.store.put_page(stored.clone()).await?;
    Ok(Json(View::new(stored)?))
}

/// Removes a page. What devices show already stays as it is.
#[utoipa::path(delete, path = "/pages/{name}", params(("name" = String, Path)), tag = "pages",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if context.store.remove_page(&name).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&name)) }
}

/// A page as it goes with a command.
pub async fn payload(context: &Context, name: &str) -> Result<Body, Problem> {
    let page = known(context, name).await?;
    Ok(Body { content_type: "application/json".into(), octets: page.text.into_bytes() })
}

async fn known(context: &Context, name: &str) -> Result<store::Page, Problem> {
    context.store.page(name).await?.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no page {name:?}; `omadm page ls` shows those that are"))
}

//! Imports of devices, credentials and labels.

mod reading;
mod rows;
pub mod work;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use omadm_store as store;
use omadm_store::{RowReport, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::actor::Actor;
use super::fleet::Format;
use super::problem::{Path, Problem, Query};
use super::views::Page;
use super::{Listing, limit, number};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::fleet::cells;

/// Path of imports below the prefix, whose bodies are not read ahead.
pub const PATH: &str = "/imports";
/// Rows that a report reads at a time.
const REPORT_PAGE: u32 = 1_000;

/// An import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub struct View {
    id: Uuid,
    /// `reading`, `checking` and `writing` go on by themselves to `done`, `checked` (a dry run, all rows are good), `refused` (rows are
    /// bad, nothing was written) or `failed` (it did not come in whole, nothing was written).
    state: &'static str,
    dry_run: bool,
    /// Rows that have come in.
    rows: i64,
    /// Rows that are bad.
    bad: i64,
    /// Rows that the present state has gone through.
    position: i64,
    /// Rows that could not be written, because something had changed since they were checked.
    failed: i64,
    /// Why it was refused or failed.
    detail: Option<String>,
    created: String,
    created_by: String,
    updated: String,
}

impl From<store::Import> for View {
    fn from(import: store::Import) -> Self {
        Self {
            id: import.id,
            state: import.state.as_str(),
            dry_run: import.dry_run,
            rows: import.rows,
            bad: import.bad,
            position: import.position,
            failed: import.failed,
            detail: import.detail,
            created: rfc3339(import.created),
            created_by: import.created_by,
            updated: rfc3339(import.updated),
        }
    }
}

/// How an import is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Check all rows and write none.
    #[serde(default)]
    dry_run: bool,
    /// `csv` or `json`. Default: what `Content-Type` says, else csv.
    #[param(inline)]
    format: Option<Format>,
}

/// Imports devices, credentials and labels: a CSV table with a row of names first, or a JSON object in each line. All rows are checked
/// before the first is written; if one is bad, none is written.
#[utoipa::path(post, path = "/imports", operation_id = "import_devices", params(Said), tag = "imports",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 202, body = View), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(said): Query<Said>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<View>), Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format =
        said.format.unwrap_or(if content_type.contains("json") { Format::Json } else { Format::Csv });
    let id = Uuid::now_v7();
    // It goes on to its end when the connection breaks, as all that is in the audit log, and notes that the import has failed.
    reading::read(context.clone(), id, actor.0.name.clone(), said.dry_run, format, body).await?;
    tokio::spawn(work::go_on(context.clone(), id));
    Ok((StatusCode::ACCEPTED, Json(known(&context, id).await?.into())))
}

/// Lists imports, newest first.
#[utoipa::path(get, path = "/imports", operation_id = "list_imports", params(Listing), tag = "imports",
    responses((status = 200, body = Page<View>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<View>>, Problem> {
    let limit = listing.limit()?;
    let imports = context.store.imports(listing.uuid()?, limit + 1).await?;
    Ok(Json(Page::cut(imports, limit, |import| import.id.to_string(), View::from)))
}

/// Shows how far an import is.
#[utoipa::path(get, path = "/imports/{import}", operation_id = "show_import", params(("import" = Uuid, Path)), tag = "imports",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(State(context): State<Arc<Context>>, Path(id): Path<Uuid>) -> Result<Json<View>, Problem> {
    Ok(Json(known(&context, id).await?.into()))
}

async fn known(context: &Context, id: Uuid) -> Result<store::Import, Problem> {
    let found = context.store.import(id).await?;
    found.ok_or_else(|| Problem::unknown(format!("there is no import {id}; it may be too old")))
}

/// Which rows are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Only rows that are bad or failed.
    #[serde(default)]
    faults: bool,
}

/// Which part of the rows is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Only rows that are bad or failed.
    #[serde(default)]
    faults: bool,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// A row of an import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportRow)]
pub struct Row {
    /// Its number, from 1.
    row: i64,
    /// DevID, as it was written.
    id: String,
    /// `read`, `enrol`, `replace`, `change`, `bad` or `failed`.
    outcome: &'static str,
    /// Why it is bad or failed.
    reason: Option<String>,
}

impl From<RowReport> for Row {
    fn from(report: RowReport) -> Self {
        let RowReport { number, device, outcome, reason } = report;
        Self { row: number, id: device, outcome: outcome.as_str(), reason }
    }
}

/// Lists the rows of an import, and what each of them is.
#[utoipa::path(get, path = "/imports/{import}/rows", operation_id = "list_import_rows", params(("import" = Uuid, Path), Part),
    tag = "imports", responses((status = 200, body = Page<Row>), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn table(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
    Query(part): Query<Part>,
) -> Result<Json<Page<Row>>, Problem> {
    let (limit, after) = (limit(part.limit)?, number(part.after.as_deref())?.unwrap_or(0));
    known(&context, id).await?;
    let rows = context.store.import_rows(id, after, part.faults, limit + 1).await?;
    Ok(Json(Page::cut(rows, limit, |row| row.number.to_string(), Row::from)))
}

/// Reports of each row of an import what it is: a CSV table with `row`, `id`, `outcome` (`read`, `enrol`, `replace`, `change`, `bad`,
/// `failed`) and `reason`.
#[utoipa::path(get, path = "/imports/{import}/report", operation_id = "report_import",
    params(("import" = Uuid, Path), Reported), tag = "imports",
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = Problem)))]
pub async fn report(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
    Query(reported): Query<Reported>,
) -> Result<Response, Problem> {
    known(&context, id).await?;
    let mut head = String::new();
    cells::write(["row", "id", "outcome", "reason"], &mut head);
    let report = Report { context, id, faults: reported.faults, head, after: Some(0) };
    let stream = futures_util::stream::try_unfold(report, |report| async move { report.next().await });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// A report on its way.
struct Report {
    context: Arc<Context>,
    id: Uuid,
    faults: bool,
    /// What stands before the first row.
    head: String,
    /// The row written last; none at the end.
    after: Option<i64>,
}

impl Report {
    /// The next part of the table, and what comes after it.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let rows = self.context.store.import_rows(self.id, after, self.faults, REPORT_PAGE).await?;
        let mut text = std::mem::take(&mut self.head);
        for RowReport { number, device, outcome, reason } in &rows {
            let number = number.to_string();
            cells::write(
                [&number, device, outcome.as_str(), reason.as_deref().unwrap_or_default()],
                &mut text,
            );
        }
        self.after = rows.last().filter(|_| rows.len() == REPORT_PAGE as usize).map(|last| last.number);
        Ok(Some((Bytes::from(text), self)))
    }
}

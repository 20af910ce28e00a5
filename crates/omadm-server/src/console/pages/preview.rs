//! A page as the people who hold devices see it: the same document, whose form is sent nowhere.

use axum::Extension;
use axum::extract::{Path, Query};
use axum::response::{Html, IntoResponse as _, Response};
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::editor;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::once;
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::ui::PREVIEW_POLICY;

/// The language in which it is wanted.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    language: String,
}

/// Shows a page that is kept.
pub async fn show(
    visit: Visit,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let query = [("language", wanted.language.as_str())];
    let shown: Value = visit.read(&path(&["pages", &name, "preview"], &query)).await?;
    Ok(document(&shown))
}

/// Shows what is in the editor, or what is wrong with it.
pub async fn of_draft(visit: &Visit, draft: &Draft, language: &str) -> Result<Response, Failure> {
    let response = match editor::check(visit, draft, language).await {
        Ok(shown) => document(&shown),
        Err(problem) if problem.status().is_server_error() => return Err(problem.into()),
        Err(problem) => {
            let faults = problem.faults();
            let body = html! {
                div.card.problem role="alert" {
                    @if faults.is_empty() { p { (text::shown_long(problem.detail())) } }
                    ul { @for fault in faults.iter().take(50) { li { (text::shown(&fault.at)) ": " (text::shown_long(&fault.what)) } } }
                }
                p { "The editor is still there, in the window beside this one." }
            };
            (StatusCode::UNPROCESSABLE_ENTITY, Page::new("Not ready to be seen", body)).into_response()
        }
    };
    Ok((Extension(once::Draft), response).into_response())
}

/// The document in an answer of the API, under a policy of its own.
fn document(shown: &Value) -> Response {
    let html = shown.get("html").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut response = Html(html).into_response();
    let policy = HeaderValue::from_str(&PREVIEW_POLICY).ok();
    response.headers_mut().extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    response
}

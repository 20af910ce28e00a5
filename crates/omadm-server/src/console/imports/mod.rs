//! Imports: tables of devices, credentials and labels that are taken in row by row.

mod show;

use axum::Router;
use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::data::{After, Listed};
use super::failure::Failure;
use super::form::Form;
use super::frame::Page;
use super::parts::Typed;
use super::upload::Upload;
use super::visit::{Visit, path};
use super::{notice, parts, text};
use crate::operator::problem::Problem;

/// Imports on a page.
const SHOWN: &str = "50";

/// The pages of imports.
pub fn router() -> Router<Console> {
    Router::new().route("/imports", get(list).post(begin)).route("/imports/{import}", get(show::show))
}

/// An import.
#[derive(Deserialize)]
struct Import {
    id: String,
    state: String,
    dry_run: bool,
    rows: i64,
    bad: i64,
    position: i64,
    failed: i64,
    detail: Option<String>,
    created: String,
    created_by: String,
}

impl Import {
    fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "reading" | "checking" | "writing")
    }
}

/// Shows imports, newest first, and the form for another.
pub async fn list(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    page(&visit, &at, &Form::default(), None).await
}

async fn page(visit: &Visit, at: &After, form: &Form, problem: Option<&Problem>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<Import> = visit.read(&path(&["imports"], &query)).await?;
    let body = html! {
        @if visit.may("POST", "/imports") { (asked(visit, &Typed::new(form, problem, &[]))) }
        section.card { h2 { "Imports" } (table(visit, &found, at)) }
    };
    Ok(Page::new("Imports", body).with(html! { a.button href="/export" { "Export devices" } }))
}

fn table(visit: &Visit, found: &Listed<Import>, at: &After) -> Markup {
    let row = |import: &Import| {
        vec![
            html! { a href=(path(&["imports", &import.id], &[])) { (parts::age(visit.now, &import.created)) } @if import.dry_run { " " (parts::word("only checked")) } },
            parts::state(&import.state),
            html! { span.number { (text::number(import.rows)) } },
            html! { span.number { (text::number(import.bad + import.failed)) } },
            text::shown(&import.created_by),
        ]
    };
    let rows: Vec<_> = found.items.iter().map(row).collect();
    let first = (!at.after.is_empty()).then_some("/imports");
    let next = found.next.as_ref().map(|next| path(&["imports"], &[("after", next)]));
    html! {
        @if rows.is_empty() { (parts::nothing("Nothing was imported yet.")) } @else {
            (parts::table("Imports", &parts::head(&["Began", "State", "Rows", "Bad rows", "By"]), &rows))
        }
        (parts::pager(first, next.as_deref()))
    }
}

/// The form for an import. What is said of the file stands before it, so that it is known when the file comes.
fn asked(visit: &Visit, typed: &Typed<'_>) -> Markup {
    let is_json = typed.value("format") == "json";
    let is_real = typed.value("dry_run") == "false";
    html! {
        section.card {
            h2 { "Import a table" }
            (typed.refusal())
            p { "A row is a device: one that is new, with the " code { "secret" } " by which it logs in, or one that is there, with what people say of it. All rows are checked first; if one is bad, none is written." }
            form.stack method="post" action="/imports" enctype="multipart/form-data" {
                (visit.marks())
                fieldset {
                    legend { "What is done" }
                    label.tick { input type="radio" name="dry_run" value="true" checked[!is_real]; "Only check the rows" }
                    label.tick { input type="radio" name="dry_run" value="false" checked[is_real]; "Check and write them" }
                }
                fieldset {
                    legend { "What the file is" }
                    label.tick { input type="radio" name="format" value="csv" checked[!is_json]; "CSV: a table with the names of its columns first" }
                    label.tick { input type="radio" name="format" value="json" checked[is_json]; "JSON: an object on each line" }
                }
                label for="file" { "File" }
                input #file type="file" name="file" required aria-describedby="file-hint";
                p.quiet #file-hint { "Columns: " code { "id" } ", " code { "label" } ", " code { "note" } ", " code { "label:KEY" } ", " code { "secret" } ", " code { "user" } ", " code { "psk" } ", " code { "replace" } ". A table that was exported here can be changed and come back." }
                button.main type="submit" { "Import" }
            }
        }
    }
}

/// Begins an import with a file.
pub async fn begin(visit: Visit, form: Form, file: Option<Upload>) -> Result<Response, Failure> {
    let sent = match file {
        None => Err(Problem::bad("choose a file that is not empty").into()),
        Some(file) => {
            let is = |name: &str, value: &str| form.get(name) == Some(value);
            let (media_type, format) =
                if is("format", "json") { ("application/x-ndjson", "json") } else { ("text/csv", "csv") };
            let dry_run = if is("dry_run", "false") { "false" } else { "true" };
            let to = path(&["imports"], &[("dry_run", dry_run), ("format", format)]);
            visit.send(Method::POST, &to, media_type, file.body).await
        }
    };
    match sent {
        Ok(import) => {
            let id = import.get("id").and_then(|id| id.as_str()).unwrap_or_default();
            Ok(notice::redirect(&path(&["imports", id], &[]), "All rows have come in."))
        }
        Err(failure) if failure.status() == StatusCode::FORBIDDEN => Err(failure),
        Err(failure) => {
            let page = page(&visit, &After::default(), &form, Some(&failure.0)).await?;
            Ok((failure.status(), page).into_response())
        }
    }
}

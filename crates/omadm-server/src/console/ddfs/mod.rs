//! Device descriptions: DDF files (`DM 2.0 §6.4`), which say what nodes a management object has.

mod tree;
mod words;

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::data::{After, Listed};
use super::failure::Failure;
use super::form::Form;
use super::frame::Page;
use super::parts::{self, Question};
use super::upload::Upload;
use super::visit::{Visit, path};
use super::{Console, notice, text};
use crate::ddfs::{DDF_XML, MAX_FILE, is_of_link};
use crate::operator::problem::Problem;

/// Files on a page.
const SHOWN: &str = "50";

/// The pages of device descriptions.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/ddfs", get(show).post(put))
        .route("/ddfs/{name}", get(tree::show))
        .route("/ddfs/{name}/remove", get(ask_removal).post(remove))
}

/// A file in a listing.
#[derive(Deserialize)]
struct File {
    name: String,
    moids: Vec<String>,
    stored: Option<String>,
}

/// Shows the files there are.
async fn show(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    page(&visit, &at, None).await
}

/// The page of the files, with the name that was typed for one that was refused, and why.
async fn page(visit: &Visit, at: &After, refused: Option<(&str, &str)>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let files: Listed<File> = visit.read(&path(&["ddfs"], &query)).await?;
    let rows: Vec<_> = files
        .items
        .iter()
        .map(|file| {
            vec![
                html! { a href=(path(&["ddfs", &file.name], &[])) { (text::shown(&file.name)) } },
                html! { @for moid in file.moids.iter().take(4) { span.mono { (text::shown(moid)) } " " }
                @if file.moids.len() > 4 { "and " (text::number(file.moids.len() - 4)) " more" } },
                origin(file),
                parts::age_or(visit.now, file.stored.as_deref(), "with the server"),
            ]
        })
        .collect();
    let first = (!at.after.is_empty()).then_some("/ddfs");
    let next = files.next.as_ref().map(|next| path(&["ddfs"], &[("after", next)]));
    let body = html! {
        p.card {
            "What can be managed on a device is a tree of nodes, in parts that are called management objects, each with a name of its own (its MOID). A DDF file "
            "describes such a part: its nodes, what they hold, and what may be done with them. Pages and commands use these descriptions."
        }
        section.card {
            h2 { "Files" }
            @if rows.is_empty() { (parts::nothing("There is no file.")) } @else {
                (parts::table("DDF files", &parts::head(&["File", "Describes", "From", "Stored"]), &rows))
            }
            (parts::pager(first, next.as_deref()))
        }
        @if visit.may("PUT", "/ddfs/{name}") { section.card { h2 { "Put a file" } (form(visit, refused)) } }
    };
    Ok(Page::new("Device descriptions", body))
}

fn origin(file: &File) -> Markup {
    html! {
        @if file.stored.is_none() { "the server" } @else if is_of_link(&file.name) { "the link of a device" } @else { "somebody here" }
    }
}

fn form(visit: &Visit, refused: Option<(&str, &str)>) -> Markup {
    let (name, why) = refused.unwrap_or_default();
    html! {
        form.stack method="post" action="/ddfs" enctype="multipart/form-data" {
            (visit.marks())
            label for="name" { "Name" }
            input #name name="name" value=(name) required maxlength="128" spellcheck="false" autocapitalize="none" aria-describedby="name-hint put-fault";
            p.quiet #name-hint { "Such as " code { "pump.ddf" } ". A file of that name is replaced." }
            label for="file" { "File" }
            input #file type="file" name="file" required accept=".ddf,.xml" aria-describedby="file-hint put-fault" aria-invalid=[refused.map(|_| "true")];
            p.quiet #file-hint { "XML of at most " (text::octets(i64::try_from(MAX_FILE).unwrap_or(i64::MAX))) "." }
            div #put-fault { @if refused.is_some() { div.fault role="alert" { p { (text::shown_long(why)) } } } }
            button.main type="submit" { "Put it" }
        }
    }
}

/// Stores a file.
async fn put(visit: Visit, form: Form, upload: Option<Upload>) -> Result<Response, Failure> {
    let name = form.filled("name").unwrap_or_default();
    let stored = match (name, upload) {
        ("", _) => Err(Problem::bad("give the file a name").into()),
        (_, None) => Err(Problem::bad("choose a file").into()),
        (name, Some(upload)) => {
            visit.send(Method::PUT, &path(&["ddfs", name], &[]), DDF_XML, upload.body).await
        }
    };
    match stored {
        Ok(stored) => {
            let odd = stored.get("warnings").and_then(Value::as_array).map_or(0, Vec::len);
            let said = match odd {
                0 => format!("The file {name} is stored."),
                _ => format!("The file {name} is stored. Some of it is odd: see below."),
            };
            Ok(notice::redirect(&path(&["ddfs", name], &[]), &said))
        }
        Err(failure) if failure.status().is_client_error() => {
            let page = page(&visit, &After::default(), Some((name, failure.detail()))).await?;
            Ok((failure.status(), page).into_response())
        }
        Err(failure) => Err(failure),
    }
}

/// Asks before a file is removed.
async fn ask_removal(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    tree::find(&visit, &name).await?;
    let question = Question {
        body: html! {
            p { "Its nodes lose their titles, formats and descriptions here, unless another file describes them. Devices are not told." }
            p { "A file that stands in place of one that the server came with gives way to that one." }
        },
        action: &path(&["ddfs", &name, "remove"], &[]),
        word: "Remove it",
        fields: html! {},
        back: &path(&["ddfs", &name], &[]),
    };
    Ok(Page::new(format!("Remove {name}?"), parts::question(&visit, &question))
        .below(html! { a href="/ddfs" { "Device descriptions" } }))
}

/// Removes a file.
async fn remove(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["ddfs", &name], &[]), None).await?;
    Ok(notice::redirect("/ddfs", &format!("The file {name} is removed.")))
}

//! Pages for the people who hold devices (SHOW, `DM 2.0 §5.3.7`): made here, looked at, asked, and what was answered.

mod answers;
mod asking;
mod document;
mod draft;
mod editor;
mod list;
mod preview;
mod sheet;

use axum::Router;
use axum::routing::get;

use super::Console;

/// What can be asked of people: the kind of a page, its name, and what it is for.
const KINDS: &[(&str, &str, &str)] = &[
    ("notice", "Notice", "something that people are to read; they say that they have seen it"),
    ("consent", "Consent", "a question that is answered with yes or no"),
    ("choice", "Choice", "a question with several answers, one of which is chosen"),
    ("form", "Form", "fields to fill in"),
];

/// The pages about these pages.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/pages", get(list::show).post(editor::act))
        .route("/new-page", get(editor::begin))
        .route("/pages/{name}", get(list::one))
        .route("/pages/{name}/edit", get(editor::open))
        .route("/pages/{name}/preview", get(preview::show))
        .route("/pages/{name}/ask", get(list::one).post(asking::ask))
        .route("/pages/{name}/remove", get(list::ask_removal).post(list::remove))
}

/// The name of a kind of pages.
fn kind_name(kind: &str) -> &str {
    KINDS.iter().find(|(known, ..)| *known == kind).map_or(kind, |(_, name, _)| name)
}

//! The editor of a page: its parts as rows that are added and removed, each time with all that was typed.

use axum::Extension;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::list::Kept;
use super::sheet::Editor;
use super::{KINDS, preview};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::notice;
use crate::console::once;
use crate::console::visit::{Visit, path};
use crate::desired::Fault;
use crate::operator::problem::Problem;
use crate::ui::is_name;

/// Where a page is put, as a route of the API.
const PUT: (&str, &str) = ("PUT", "/pages/{name}");
/// What names have to be.
const NAMED: &str = "a name has 1 to 64 letters, digits, -, _ and .";
/// The name under which the API judges what may have none yet.
const DRAFT: &str = "draft";

/// Which kind of page is to be made.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    kind: String,
}

/// Shows the editor without a page.
pub async fn begin(visit: Visit, Query(wanted): Query<Wanted>) -> Result<Page, Failure> {
    may(&visit)?;
    let is_kind = KINDS.iter().any(|(kind, ..)| *kind == wanted.kind);
    let draft = Draft::new(if is_kind { &wanted.kind } else { "notice" });
    Ok(Editor { visit: &visit, draft: &draft, faults: &[], said: None, next: Some("name") }.page())
}

/// Shows the editor with a page that is kept.
pub async fn open(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    may(&visit)?;
    let kept: Kept = visit.read(&path(&["pages", &name], &[])).await?;
    let draft = Draft::of(&name, &kept.page).ok_or_else(|| {
        Problem::conflict(
            "this page has options that the editor cannot show as lines; change it over the REST API",
        )
    })?;
    Ok(Editor { visit: &visit, draft: &draft, faults: &[], said: None, next: None }.page())
}

fn may(visit: &Visit) -> Result<(), Problem> {
    match visit.may(PUT.0, PUT.1) {
        true => Ok(()),
        false => Err(Problem::new(StatusCode::FORBIDDEN, "your role does not make pages")),
    }
}

/// Does what a button of the editor says.
pub async fn act(visit: Visit, form: Form) -> Result<Response, Failure> {
    may(&visit)?;
    let mut draft = Draft::read(&form);
    let pressed = form.get("do").unwrap_or_default();
    let (what, at) = pressed.split_once(':').unwrap_or((pressed, ""));
    let number = at.parse().unwrap_or(usize::MAX);
    let mut next = None;
    match what {
        "save" => return save(&visit, &draft).await,
        "preview" => return preview::of_draft(&visit, &draft, at).await,
        "add-field" => {
            next = Some(format!("fields/{}/name", draft.fields.len()));
            draft.add_field();
        }
        "remove-field" => draft.remove_field(number),
        "raise-field" => draft.raise_field(number),
        "add-language" => {
            next = Some(format!("translations/{}/title", draft.further.len()));
            draft.add_language(form.filled("new-language").unwrap_or_default());
        }
        "remove-language" if number < draft.further.len() => drop(draft.further.remove(number)),
        _ => {}
    }
    let judged = match (what, is_name(&draft.name)) {
        ("check", false) => Err(at_name(NAMED)),
        ("check", true) => check(&visit, &draft, "").await.map(|_| Some("Nothing is wrong with it.")),
        _ => Ok(None),
    };
    Ok(drawn(&visit, &draft, judged, next.as_deref()))
}

/// Has the API judge a draft; gives how it would look.
pub async fn check(visit: &Visit, draft: &Draft, language: &str) -> Result<Value, Problem> {
    let document = draft.document().map_err(Problem::of_faults)?;
    let to = path(&["pages", DRAFT, "preview"], &[("language", language)]);
    visit.act(Method::POST, &to, Some(document)).await.map_err(|failure| failure.0)
}

/// Something is wrong with the name.
fn at_name(what: &str) -> Problem {
    Problem::of_faults(vec![Fault { at: "name".into(), pointer: "/name".into(), what: what.to_owned() }])
}

async fn save(visit: &Visit, draft: &Draft) -> Result<Response, Failure> {
    let to = path(&["pages", &draft.name], &[]);
    let refused = if !is_name(&draft.name) {
        Some(at_name(NAMED))
    } else if draft.is_new && visit.find::<Value>(&to).await?.is_some() {
        Some(at_name("there is a page of this name already"))
    } else {
        None
    };
    let saved = match (refused, draft.document()) {
        (Some(refused), _) => Err(refused),
        (None, Err(faults)) => Err(Problem::of_faults(faults)),
        (None, Ok(document)) => {
            visit.act(Method::PUT, &to, Some(document)).await.map_err(|failure| failure.0)
        }
    };
    match saved {
        Ok(_) => Ok(notice::redirect(&to, "The page is saved. What devices show already stays as it is.")),
        Err(problem) => Ok(drawn(visit, draft, Err(problem), None)),
    }
}

/// The editor as an answer, with what was typed.
fn drawn(
    visit: &Visit,
    draft: &Draft,
    judged: Result<Option<&str>, Problem>,
    next: Option<&str>,
) -> Response {
    let (said, status, faults) = match &judged {
        Ok(said) => (said.map(str::to_owned), StatusCode::OK, [].as_slice()),
        Err(problem) if problem.faults().is_empty() => {
            (Some(problem.detail().to_owned()), problem.status(), [].as_slice())
        }
        Err(problem) => (None, StatusCode::UNPROCESSABLE_ENTITY, problem.faults()),
    };
    let editor = Editor { visit, draft, faults, said: said.as_deref(), next };
    (status, Extension(once::Draft), editor.page()).into_response()
}

//! The editor: a profile as a form with rows, or as JSON, and what is wrong with it beside where it is.

mod draft;
mod fields;
pub mod node;
mod read;
mod source;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use super::data::{Details, Version};
use super::{above, href};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::notice;
use crate::console::visit::{Visit, path};
use crate::desired::{Document, Fault, Form as Written};
use crate::operator::problem::Problem;
use draft::Draft;

/// A profile as it is looked at while it is written.
enum View {
    Rows(Draft),
    Source(String),
}

/// A profile that is being written.
struct Editing {
    /// The profile that is changed; empty if it is a new one.
    of: String,
    /// The version from which it is made, 0 for none.
    base: i64,
    view: View,
    /// Whether it is stored even where the DDF files speak against it.
    force: bool,
    /// What is wrong with it.
    faults: Vec<Fault>,
    /// The field in which one goes on.
    focus: String,
}

/// What is edited, and how.
#[derive(Debug, Default, Deserialize)]
pub struct From {
    /// The version to begin from. Default: the newest.
    #[serde(default)]
    version: String,
}

/// A new profile.
pub async fn begin(visit: Visit) -> Result<Page, Failure> {
    let editing = Editing {
        of: String::new(),
        base: 0,
        view: View::Rows(Draft::new()),
        force: false,
        faults: Vec::new(),
        focus: "head.name".to_owned(),
    };
    editing.page(&visit).await
}

/// A new version of a profile.
pub async fn edit(visit: Visit, Path(name): Path<String>, Query(from): Query<From>) -> Result<Page, Failure> {
    let Details { newest, .. } = visit.read(&path(&["profiles", &name], &[])).await?;
    let base = newest.version;
    let document = match from.version.as_str() {
        "" => newest.document,
        version => {
            visit.read::<Version>(&path(&["profiles", &name, "versions", version], &[])).await?.document
        }
    };
    let view = View::of(&document);
    let editing = Editing { of: name, base, view, force: false, faults: Vec::new(), focus: String::new() };
    editing.page(&visit).await
}

/// Does what a button of the editor says.
pub async fn act(visit: Visit, form: Form) -> Result<Response, Failure> {
    let mut editing = Editing::of_form(&form);
    let asked = form.get("do").unwrap_or("store");
    let done = match asked.split('.').collect::<Vec<_>>().as_slice() {
        ["add", kind] => editing.add(kind),
        ["remove", kind, number] => editing.remove(kind, number),
        ["source"] => editing.as_source(),
        ["rows"] => editing.as_rows(),
        _ => return editing.store(&visit).await,
    };
    editing.faults = done.err().unwrap_or_default();
    // Nothing was asked but to see it otherwise.
    Ok(editing.page(&visit).await?.into_response())
}

impl View {
    /// Rows, unless there are too many.
    fn of(document: &Document) -> Self {
        Draft::of_document(document).map_or_else(|| Self::Source(source::text_of(document)), Self::Rows)
    }

    /// The document that is meant.
    fn document(&self) -> Result<Document, Vec<Fault>> {
        match self {
            Self::Rows(draft) => read::document_of(draft),
            Self::Source(text) => Document::read(text, Written::Json).map_err(|fault| vec![fault]),
        }
    }
}

impl Editing {
    fn of_form(form: &Form) -> Self {
        let view = match form.get("source") {
            Some(text) => View::Source(text.replace("\r\n", "\n")),
            None => View::Rows(Draft::of_form(form)),
        };
        Self {
            of: form.get("of").unwrap_or_default().to_owned(),
            base: form.get("base").and_then(|base| base.parse().ok()).unwrap_or(0),
            view,
            force: form.get("force").is_some(),
            faults: Vec::new(),
            focus: String::new(),
        }
    }

    fn add(&mut self, kind: &str) -> Result<(), Vec<Fault>> {
        if let View::Rows(draft) = &mut self.view
            && let Some(number) = draft.add(kind)
        {
            let first = if kind == "software" { "package" } else { "address" };
            self.focus = format!("{kind}.{number}.{first}");
        }
        Ok(())
    }

    fn remove(&mut self, kind: &str, number: &str) -> Result<(), Vec<Fault>> {
        if let (View::Rows(draft), Ok(number)) = (&mut self.view, number.parse()) {
            draft.remove(kind, number);
            self.focus = format!("add.{kind}");
        }
        Ok(())
    }

    fn as_source(&mut self) -> Result<(), Vec<Fault>> {
        if let View::Rows(draft) = &mut self.view {
            draft.tidy();
        }
        self.view = View::Source(source::text_of(&self.view.document()?));
        Ok(())
    }

    fn as_rows(&mut self) -> Result<(), Vec<Fault>> {
        let document = self.view.document()?;
        let draft = Draft::of_document(&document).ok_or_else(|| {
            let most = draft::MAX_ROWS;
            let what =
                format!("it wants more than {most} things, which is too much for a form; change it here");
            vec![Fault { at: "the profile".to_owned(), pointer: String::new(), what }]
        })?;
        self.view = View::Rows(draft);
        Ok(())
    }

    /// Stores it as the next version; shows what is wrong if it is refused.
    async fn store(mut self, visit: &Visit) -> Result<Response, Failure> {
        if let View::Rows(draft) = &mut self.view {
            draft.tidy();
        }
        let document = match self.view.document() {
            Ok(document) if document.name.trim().is_empty() => Err(vec![Fault {
                at: "name".into(),
                pointer: "/name".into(),
                what: "a profile has a name".into(),
            }]),
            read => read,
        };
        let refused = match document {
            Ok(document) => match self.put(visit, &document).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            },
            Err(faults) => Problem::of_faults(faults).into(),
        };
        self.faults = match refused.status() {
            StatusCode::CONFLICT => self.overtaken(visit, &refused).await?,
            StatusCode::BAD_REQUEST if refused.0.faults().is_empty() => {
                let at = "the profile".to_owned();
                vec![Fault { at, pointer: String::new(), what: refused.detail().to_owned() }]
            }
            StatusCode::BAD_REQUEST => refused.0.faults().to_vec(),
            _ => return Err(refused),
        };
        Ok((refused.status(), self.page(visit).await?).into_response())
    }

    async fn put(&self, visit: &Visit, document: &Document) -> Result<Response, Failure> {
        let name = if self.of.is_empty() { &document.name } else { &self.of };
        let base = self.base.to_string();
        let query = [("base", base.as_str()), ("force", if self.force { "true" } else { "" })];
        let document = serde_json::json!(document);
        let stored = visit.act(Method::PUT, &path(&["profiles", name], &query), Some(document)).await?;
        let version = stored.get("version").and_then(Value::as_i64).unwrap_or_default();
        let mut said = if version == self.base {
            format!("It says the same as version {version}, so nothing new is stored.")
        } else {
            format!("Version {version} is stored. Devices get it where it is assigned.")
        };
        let warnings = stored.get("warnings").and_then(Value::as_array).into_iter().flatten();
        for warning in warnings.filter_map(Value::as_str) {
            said.push(' ');
            said.push_str(warning);
        }
        Ok(notice::redirect(&href(name, "", &[]), &said))
    }

    /// What is said when somebody else was faster; sent again, it is stored all the same, as its writer knows.
    async fn overtaken(&mut self, visit: &Visit, refused: &Failure) -> Result<Vec<Fault>, Failure> {
        if self.of.is_empty() {
            let what = format!("{}; choose another name, or change that profile", refused.detail());
            return Ok(vec![Fault { at: "name".into(), pointer: "/name".into(), what }]);
        }
        let now: Option<Details> = visit.find(&path(&["profiles", &self.of], &[])).await?;
        let what = match &now {
            Some(now) => format!(
                "somebody stored version {} while you wrote, and yours was made from version {}. Look at what changed; stored once more, yours becomes the next version and says nothing of that",
                now.newest.version, self.base
            ),
            None => "it was removed while you wrote; stored once more, it is there again".to_owned(),
        };
        self.base = now.map_or(0, |now| now.newest.version);
        Ok(vec![Fault { at: "the profile".into(), pointer: String::new(), what }])
    }

    async fn page(&self, visit: &Visit) -> Result<Page, Failure> {
        let offers = fields::Offers::read(visit).await?;
        let title = match self.of.as_str() {
            "" => "New profile".to_owned(),
            of => format!("Change {of}"),
        };
        let way_back = match self.of.as_str() {
            "" => html! { a href="/profiles" { "Profiles" } },
            of => above(of),
        };
        // The first button of the form is what the Enter key presses.
        let store = html! { button.main type="submit" form="editor" name="do" value="store" { "Store" } };
        Ok(Page::new(title, fields::form(visit, self, &offers)).below(way_back).with(store))
    }
}

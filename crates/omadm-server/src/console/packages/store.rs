//! A package that comes by a form: written as it comes, whatever its length.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use omadm_codec::media_type::OCTET_STREAM;
use serde_json::Value;

use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Field};
use crate::console::upload::Upload;
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::desired::Fault;
use crate::operator::problem::Problem;

/// The field of the file.
const FILE: &str = "file";
/// What the API is told of a package, with what each field is called.
const SAID: [(&str, &str); 6] = [
    ("name", "Name"),
    ("version", "Version"),
    ("kind", "What it is for"),
    ("model", "Models"),
    ("sha256", "SHA-256"),
    ("signature", "Signature"),
];

/// Shows the form; some fields may be filled in.
pub async fn show(Query(fields): Query<Vec<(String, String)>>, visit: Visit) -> Page {
    page(&visit, &Form(fields), None)
}

/// Gives a package on to the API.
pub async fn store(visit: Visit, form: Form, upload: Option<Upload>) -> Response {
    match send(&visit, &form, upload).await {
        Ok(id) => notice::redirect(&path(&["packages", &id], &[]), "The package is stored."),
        Err(failure) => (failure.status(), page(&visit, &form, Some(&failure.0))).into_response(),
    }
}

async fn send(visit: &Visit, form: &Form, upload: Option<Upload>) -> Result<String, Failure> {
    let upload =
        upload.ok_or_else(|| Problem::bad("choose a file that is not empty").about(format!("/{FILE}")))?;
    let signature: String = form.get("signature").unwrap_or_default().split_whitespace().collect();
    let said = SAID.map(|(name, _)| match name {
        "signature" => (name, signature.as_str()),
        name => (name, form.filled(name).unwrap_or_default()),
    });
    for (name, value) in said.iter().filter(|(name, _)| ["name", "version"].contains(name)) {
        if value.is_empty() {
            return Err(Problem::bad("it is needed").about(format!("/{name}")).into());
        }
    }
    let stored = visit.send(Method::POST, &path(&["packages"], &said), OCTET_STREAM, upload.body).await?;
    Ok(stored.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn page(visit: &Visit, form: &Form, problem: Option<&Problem>) -> Page {
    let faults = faults(problem);
    let id = |fault: &Fault| field_of(fault).map(|(name, _)| name.to_owned());
    let body = html! {
        (parts::faults(&faults, id))
        form.card.stack method="post" action="/packages/new" enctype="multipart/form-data" {
            (visit.marks())
            (fields(form, &faults))
            (file(&faults))
            div.actions {
                button.main type="submit" { "Upload" }
                a.button href="/packages" { "Go back" }
            }
        }
    };
    Page::new("Upload a package", body).below(html! { a href="/packages" { "Packages" } })
}

/// What is wrong, each with the name of its field.
fn faults(problem: Option<&Problem>) -> Vec<Fault> {
    let Some(problem) = problem else { return Vec::new() };
    if problem.faults().is_empty() {
        return vec![Fault {
            at: "the package".to_owned(),
            pointer: String::new(),
            what: problem.detail().to_owned(),
        }];
    }
    let named = |fault: &Fault| {
        let at = field_of(fault).map_or_else(|| fault.at.clone(), |(_, label)| label.to_owned());
        Fault { at, ..fault.clone() }
    };
    problem.faults().iter().map(named).collect()
}

/// The field that a fault is about, and what it is called.
fn field_of(fault: &Fault) -> Option<(&'static str, &'static str)> {
    let fields = SAID.into_iter().chain([(FILE, "File")]);
    fields.into_iter().find(|(name, _)| fault.pointer.strip_prefix('/') == Some(name))
}

/// What is wrong with a field.
fn of<'f>(faults: &'f [Fault], name: &str) -> Vec<&'f str> {
    let about = |fault: &&Fault| fault.pointer.strip_prefix('/') == Some(name);
    faults.iter().filter(about).map(|fault| fault.what.as_str()).collect()
}

fn fields(form: &Form, faults: &[Fault]) -> Markup {
    let field = |name: &'static str, hint: &'static str| {
        let label = SAID.iter().find(|(field, _)| *field == name).map_or(name, |(_, label)| label);
        let value = form.get(name).unwrap_or_default();
        Field { name, label, hint, value, faults: of(faults, name), ..Field::default() }
    };
    html! {
        (Field { is_required: true, is_exact: true, ..field("name", "What devices call it, such as router or com.example.app.") }.line())
        (Field { is_required: true, is_exact: true, ..field("version", "") }.line())
        (field("kind", "").choice(&[("firmware", "the firmware of the device"), ("software", "a software component")]))
        (Field { example: "X-*", is_exact: true, ..field("model", "The models that it is for, * for anything; empty: all.") }.line())
        (Field { is_exact: true, ..field("sha256", "The digest that the file has to have, if you were given one: then a file that was damaged on its way is refused.") }.line())
        (Field { is_exact: true, ..field("signature", "In base64, if it is signed by a key that this server trusts (package.trusted_keys).") }.area(2))
    }
}

fn file(faults: &[Fault]) -> Markup {
    let wrong = of(faults, FILE);
    html! {
        div.stack.field {
            label for=(FILE) { "File" }
            input type="file" id=(FILE) name=(FILE) required aria-describedby={ (FILE) "-hint" @if !wrong.is_empty() { " " (FILE) "-fault" } }
                aria-invalid=[(!wrong.is_empty()).then_some("true")];
            p.quiet id={ (FILE) "-hint" } { "It is stored when all of it has come and is as you said; otherwise nothing of it is kept. A file that was refused has to be chosen once more." }
            @if !wrong.is_empty() { div.fault id={ (FILE) "-fault" } { @for what in &wrong { p { (text::shown_long(what)) } } } }
        }
    }
}

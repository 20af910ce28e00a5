//! Users: those that there are, and new ones.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::html;
use serde_json::json;

use super::data::{User, role_in_words, roles_within};
use super::groups::{self, Offered};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{Field, Typed};
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};
use crate::operator::problem::Problem;

/// Users on a page.
const SHOWN: &str = "50";
/// What refusals say of the fields.
pub const WORDS: &[(&str, &str)] =
    &[("no more than you may", "role"), ("password", "password"), ("name", "name"), ("group", "groups")];

/// Lists users by name.
pub async fn show(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<User> = visit.read(&path(&["users"], &query)).await?;
    let first = (!at.after.is_empty()).then_some("/users");
    let next = found.next.as_ref().map(|next| path(&["users"], &[("after", next)]));
    let rows: Vec<_> = found
        .items
        .iter()
        .map(|user| {
            vec![
                html! { a href=(path(&["users", &user.name], &[])) { (text::shown(&user.name)) } },
                html! { (parts::word(&user.role)) div.quiet { (role_in_words(&user.role)) } },
                groups::in_words(user.groups.as_ref()),
                parts::age(visit.now, &user.created),
                parts::age(visit.now, &user.changed),
            ]
        })
        .collect();
    let body = html! {
        div.card {
            p { "People log in with a name and a password. What they may do is said by a role; programs have " a href="/tokens" { "tokens" } " instead." }
            @if rows.is_empty() { (parts::nothing("There are no users yet. Until there are, people use tokens.")) } @else {
                (parts::table("Users", &parts::head(&["Name", "Role", "Devices", "Added", "Changed"]), &rows))
            }
            (parts::pager(first, next.as_deref()))
        }
    };
    let add = html! { @if visit.may("POST", "/users") { a.button.main href="/new-user" { "Add a user" } } };
    Ok(Page::new("Users", body).with(add))
}

/// Asks who is to be added.
pub async fn new(visit: Visit) -> Result<Page, Failure> {
    asked(&visit, &Form::default(), None).await
}

async fn asked(visit: &Visit, form: &Form, problem: Option<&Problem>) -> Result<Page, Failure> {
    let typed = Typed::new(form, problem, WORDS);
    let offered = Offered::read(visit).await?;
    let name = Field {
        is_required: true,
        is_exact: true,
        is_first: true,
        ..typed.field("name", "Name", "1 to 64 characters.")
    };
    let role = typed.field("role", "Role", "");
    let body = html! {
        (typed.refusal())
        form.card.stack method="post" action="/users" {
            (visit.marks())
            (name.line())
            (role.choice(&roles_within(&visit.actor)))
            (offered.fields(&typed, form))
            (new_password(&typed, "12 characters or more. Tell it to them; they can change it."))
            div.actions {
                button.main type="submit" { "Add the user" }
                a.button href="/users" { "Go back" }
            }
        }
    };
    Ok(Page::new("Add a user", body).below(html! { a href="/users" { "Users" } }))
}

/// A field for a new password.
pub fn new_password(typed: &Typed<'_>, hint: &str) -> maud::Markup {
    let field = typed.field("password", "Password", "");
    Field { hint, secret: Some("new-password"), is_required: true, ..field }.line()
}

/// Adds a user.
pub async fn add(visit: Visit, form: Form) -> Result<Response, Failure> {
    let name = form.filled("name").unwrap_or_default();
    let body = json!({
        "name": name,
        "role": form.get("role").unwrap_or_default(),
        "password": form.get("password").unwrap_or_default(),
        "groups": groups::of(&form),
    });
    match visit.act(Method::POST, "/users", Some(body)).await {
        Ok(_) => Ok(notice::redirect(&path(&["users", name], &[]), &format!("{name} is a user now."))),
        Err(failure) if failure.status().is_client_error() => {
            Ok((failure.status(), asked(&visit, &form, Some(&failure.0)).await?).into_response())
        }
        Err(failure) => Err(failure),
    }
}

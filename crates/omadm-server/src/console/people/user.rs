//! One user: what they may do, their password, and their end.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::json;

use super::data::{User, role_in_words, roles_within};
use super::groups::{self, Offered};
use super::users::{WORDS, new_password};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{Question, Typed};
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};
use crate::operator::actor::Role;
use crate::operator::problem::Problem;

/// The forms of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Rights,
    Password,
}

/// A form that was refused.
struct Refused<'r> {
    part: Part,
    form: &'r Form,
    problem: &'r Problem,
}

/// Shows a user.
pub async fn show(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    page(&visit, &name, None).await
}

async fn page(visit: &Visit, name: &str, refused: Option<&Refused<'_>>) -> Result<Page, Failure> {
    let user: User = visit.read(&path(&["users", name], &[])).await?;
    // Only who may do as much can change them.
    let is_within = Role::parse(&user.role).is_some_and(|role| role.rights().are_within(&visit.actor.rights));
    let may = |method: &str, route: &str| is_within && visit.may(method, route);
    let body = html! {
        div.card {
            (parts::facts(vec![
                ("Role", html! { (parts::word(&user.role)) " " (role_in_words(&user.role)) }),
                ("Devices", groups::in_words(user.groups.as_ref())),
                ("Added", parts::age(visit.now, &user.created)),
                ("Changed", parts::age(visit.now, &user.changed)),
            ]))
        }
        @if may("PUT", "/users/{name}") { (rights(visit, &user, refused).await?) }
        @if may("PUT", "/users/{name}/password") { (password(visit, &user, refused)) }
        @if visit.may("GET", "/audit") {
            p { a href=(path(&["audit"], &[("by", &format!("user {}", user.name))])) { "What they have done" } }
        }
    };
    let remove = html! {
        @if visit.may("DELETE", "/users/{name}") { a.button.danger href=(path(&["users", name, "remove"], &[])) { "Remove" } }
    };
    Ok(Page::new(user.name.clone(), body).below(html! { a href="/users" { "Users" } }).with(remove))
}

/// The form for role and groups.
async fn rights(visit: &Visit, user: &User, refused: Option<&Refused<'_>>) -> Result<Markup, Failure> {
    let offered = Offered::read(visit).await?;
    let mut kept = offered.fill(user.groups.as_ref());
    kept.0.push(("role".to_owned(), user.role.clone()));
    let refused = refused.filter(|refused| refused.part == Part::Rights);
    let (form, problem) =
        (refused.map_or(&kept, |refused| refused.form), refused.map(|refused| refused.problem));
    let typed = Typed::new(form, problem, WORDS);
    Ok(html! {
        section.card {
            h2 { "What they may do" }
            (typed.refusal())
            form.stack method="post" action=(path(&["users", &user.name, "rights"], &[])) {
                (visit.marks())
                (typed.field("role", "Role", "Their sessions end when it changes.").choice(&roles_within(&visit.actor)))
                (offered.fields(&typed, form))
                div.actions { button type="submit" { "Change" } }
            }
        }
    })
}

/// The form for another password.
fn password(visit: &Visit, user: &User, refused: Option<&Refused<'_>>) -> Markup {
    let refused = refused.filter(|refused| refused.part == Part::Password);
    let form = Form::default();
    let typed = Typed::new(&form, refused.map(|refused| refused.problem), WORDS);
    html! {
        section.card {
            h2 { "Another password" }
            (typed.refusal())
            form.stack method="post" action=(path(&["users", &user.name, "password"], &[])) {
                (visit.marks())
                (new_password(&typed, "12 characters or more. Their sessions end."))
                div.actions { button type="submit" { "Set the password" } }
            }
        }
    }
}

/// Gives a user another role or other groups.
pub async fn change(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let body = json!({ "role": form.get("role").unwrap_or_default(), "groups": groups::of(&form) });
    let done = visit.act(Method::PUT, &path(&["users", &name], &[]), Some(body)).await;
    answer(&visit, &name, done.map(drop), Part::Rights, &form).await
}

/// Gives a user another password.
pub async fn set_password(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    let body = json!({ "password": form.get("password").unwrap_or_default() });
    let done = visit.act(Method::PUT, &path(&["users", &name, "password"], &[]), Some(body)).await;
    answer(&visit, &name, done.map(drop), Part::Password, &form).await
}

/// Leads back to the user; what was refused is shown there again.
async fn answer(
    visit: &Visit,
    name: &str,
    done: Result<(), Failure>,
    part: Part,
    form: &Form,
) -> Result<Response, Failure> {
    let said = match part {
        Part::Rights => "Role and groups are changed.",
        Part::Password => "The password is set.",
    };
    match done {
        Ok(()) => Ok(notice::redirect(&path(&["users", name], &[]), said)),
        Err(failure) if [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN].contains(&failure.status()) => {
            let refused = Refused { part, form, problem: &failure.0 };
            let page = page(visit, name, Some(&refused)).await?;
            Ok((failure.status(), page).into_response())
        }
        Err(failure) => Err(failure),
    }
}

/// Asks before a user is removed.
pub async fn ask(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let user: User = visit.read(&path(&["users", &name], &[])).await?;
    let here = path(&["users", &name], &[]);
    let question = Question {
        body: html! {
            p { b { (text::shown(&user.name)) } " can not log in any more. Their sessions end, and the tokens that belong to them are revoked." }
            p { "What they have done stays in the audit log." }
        },
        action: &path(&["users", &name, "remove"], &[]),
        word: "Remove the user",
        fields: html! {},
        back: &here,
    };
    let title = format!("Remove {}?", user.name);
    Ok(Page::new(title, parts::question(&visit, &question)).below(html! { a href="/users" { "Users" } }))
}

/// Removes a user.
pub async fn remove(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["users", &name], &[]), None).await?;
    Ok(notice::redirect("/users", &format!("{name} is no user any more.")))
}

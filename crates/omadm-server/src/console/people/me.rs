//! One's own account: what one may do, and one's password.

use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::data::{role_in_words, scope_in_words};
use super::groups;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{Field, Typed};
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};
use crate::operator::actor::Proof;
use crate::operator::problem::Problem;

/// What refusals say of the fields.
const WORDS: &[(&str, &str)] =
    &[("present password", "old_password"), ("the two", "again_password"), ("password", "new_password")];

/// Who somebody is.
#[derive(Debug, Deserialize)]
struct Me {
    name: String,
    user: Option<String>,
    role: String,
    scopes: Vec<String>,
    groups: Option<Vec<String>>,
    until: Option<String>,
}

/// Shows who is logged in.
pub async fn show(visit: Visit) -> Result<Page, Failure> {
    page(&visit, None).await
}

async fn page(visit: &Visit, problem: Option<&Problem>) -> Result<Page, Failure> {
    let me: Me = visit.read("/me").await?;
    let proof = match &visit.actor.proof {
        Proof::Session(_) => html! { "with name and password" },
        Proof::Token(token) => html! { "with the token " b { (text::shown(token)) } },
    };
    let body = html! {
        div.card {
            (parts::facts(vec![
                ("Name", text::shown(&me.name)),
                ("User", parts::known(me.user.as_deref())),
                ("Role", html! { (parts::word(&me.role)) " " (role_in_words(&me.role)) }),
                ("Devices", groups::in_words(me.groups.as_ref())),
                ("Logged in", proof),
                ("This session ends", parts::age_or(visit.now, me.until.as_deref(), "when the browser is closed")),
            ]))
        }
        section.card {
            h2 { "What you may do" }
            @if me.scopes.is_empty() { (parts::nothing("Nothing.")) }
            ul { @for scope in &me.scopes { li { (text::shown(&scope_in_words(scope))) } } }
        }
        (password(visit, problem))
        @if visit.may("GET", "/audit") {
            p { a href=(path(&["audit"], &[("by", &visit.actor.described())])) { "What you have done" } }
        }
    };
    Ok(Page::new("Your account", body))
}

/// The form for another password, for who has one.
fn password(visit: &Visit, problem: Option<&Problem>) -> Markup {
    let form = Form::default();
    let typed = Typed::new(&form, problem, WORDS);
    let field = |name, label, hint, secret| {
        Field { secret: Some(secret), is_required: true, ..typed.field(name, label, hint) }.line()
    };
    html! {
        section.card {
            h2 { "Your password" }
            @if let Proof::Token(_) = visit.actor.proof {
                p { "Who is logged in with a token has no password to change." }
            } @else {
                (typed.refusal())
                form.stack method="post" action="/me/password" {
                    (visit.marks())
                    (field("old_password", "Present password", "", "current-password"))
                    (field("new_password", "New password", "12 characters or more.", "new-password"))
                    (field("again_password", "New password once more", "", "new-password"))
                    div.actions { button.main type="submit" { "Change it" } }
                    p.quiet { "Your other sessions end." }
                }
            }
        }
    }
}

/// Changes one's own password.
pub async fn change_password(visit: Visit, form: Form) -> Result<Response, Failure> {
    let typed = |name| form.get(name).unwrap_or_default();
    let done = match typed("new_password") == typed("again_password") {
        true => {
            let body = json!({ "old": typed("old_password"), "new": typed("new_password") });
            visit.act(Method::PUT, "/me/password", Some(body)).await.map(drop)
        }
        false => Err(Problem::bad("the two are not the same").into()),
    };
    match done {
        Ok(()) => Ok(notice::redirect("/me", "Your password is changed.")),
        Err(failure) if failure.status().is_client_error() => {
            Ok((failure.status(), page(&visit, Some(&failure.0)).await?).into_response())
        }
        Err(failure) => Err(failure),
    }
}

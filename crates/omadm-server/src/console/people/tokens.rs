//! Tokens, with which programs prove who they are.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::data::{Token, User, area_in_words, is_changeable, role_in_words, roles_within, scope_in_words};
use super::groups::{self, Offered};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{Field, Question, Typed};
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};
use crate::operator::actor::{Area, Level, Scope};
use crate::operator::problem::Problem;

/// Tokens on a page.
const SHOWN: &str = "50";
/// Users that are offered.
const OFFERED: &str = "100";
/// What refusals say of the fields.
const WORDS: &[(&str, &str)] = &[
    ("no user named", "user"),
    ("lasts no longer", "expires_in"),
    ("expires_in", "expires_in"),
    ("no more than you may", "role"),
    ("name", "name"),
    ("group", "groups"),
];
/// For how long tokens are usually made, in seconds.
const LIFETIMES: &[(&str, &str)] = &[
    ("86400", "a day"),
    ("604800", "a week"),
    ("2592000", "30 days"),
    ("7776000", "90 days"),
    ("31536000", "a year"),
    ("", "no end"),
];
/// That for which they are made unless asked otherwise.
const USUAL: &str = "7776000";

/// Lists tokens by name.
pub async fn show(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let found: Listed<Token> = visit.read(&path(&["tokens"], &query)).await?;
    let first = (!at.after.is_empty()).then_some("/tokens");
    let next = found.next.as_ref().map(|next| path(&["tokens"], &[("after", next)]));
    let rows: Vec<_> = found.items.iter().map(|token| row(&visit, token)).collect();
    let body = html! {
        div.card {
            p { "Programs, and " code { "omadm" } " on a command line, prove with a token who they are. What a token may do is within its role, and never more than whoever made it may." }
            @if rows.is_empty() { (parts::nothing("There are no tokens.")) } @else {
                (parts::table("Tokens", &parts::head(&["Name", "Role", "May", "Devices", "Made", "Ends", ""]), &rows))
            }
            (parts::pager(first, next.as_deref()))
        }
    };
    let make =
        html! { @if visit.may("POST", "/tokens") { a.button.main href="/new-token" { "Make a token" } } };
    Ok(Page::new("Tokens", body).with(make))
}

fn row(visit: &Visit, token: &Token) -> Vec<Markup> {
    vec![
        html! {
            (text::shown(&token.name))
            @if let Some(user) = &token.user { div.quiet { "of " a href=(path(&["users", user], &[])) { (text::shown(user)) } } }
        },
        html! { (parts::word(&token.role)) div.quiet { (role_in_words(&token.role)) } },
        match &token.scopes {
            None => html! { "all that its role may" },
            Some(scopes) => html! {
                @for scope in scopes { div title=(text::plain(&scope_in_words(scope), text::SHORT)) { span.mono { (text::shown(scope)) } } }
            },
        },
        groups::in_words(token.groups.as_ref()),
        parts::age(visit.now, &token.created),
        parts::age_or(visit.now, token.expires.as_deref(), "never"),
        html! {
            @if visit.may("DELETE", "/tokens/{name}") {
                a.button.small href=(path(&["tokens", &token.name, "revoke"], &[])) aria-label={ "Revoke " (text::plain(&token.name, text::SHORT)) } { "Revoke" }
            }
        },
    ]
}

/// Asks what a token is for.
pub async fn new(visit: Visit) -> Result<Page, Failure> {
    let form = Form(vec![("expires_in".to_owned(), USUAL.to_owned())]);
    asked(&visit, &form, None).await
}

async fn asked(visit: &Visit, form: &Form, problem: Option<&Problem>) -> Result<Page, Failure> {
    let typed = Typed::new(form, problem, WORDS);
    let offered = Offered::read(visit).await?;
    let users: Listed<User> = match visit.may("GET", "/users") {
        true => visit.read(&path(&["users"], &[("limit", OFFERED)])).await?,
        false => Listed::default(),
    };
    let name = typed.field("name", "Name", "What it is for, such as ci. 1 to 64 characters.");
    let name = Field { is_required: true, is_exact: true, is_first: true, ..name };
    let user = typed.field(
        "user",
        "Belongs to the user",
        "It may do no more than they may, and goes when they go. Empty for none.",
    );
    let user = Field { list: Some("users"), is_exact: true, ..user };
    let body = html! {
        (typed.refusal())
        form.card.stack method="post" action="/tokens" {
            (visit.marks())
            (name.line())
            (typed.field("role", "Role", "").choice(&roles_within(&visit.actor)))
            (scopes(visit, form))
            (offered.fields(&typed, form))
            (typed.field("expires_in", "Ends after", "").choice(LIFETIMES))
            (user.line())
            datalist #users { @for user in &users.items { option value=(user.name) {} } }
            div.actions {
                button.main type="submit" { "Make the token" }
                a.button href="/tokens" { "Go back" }
            }
        }
    };
    Ok(Page::new("Make a token", body).below(html! { a href="/tokens" { "Tokens" } }))
}

/// The fields that narrow a token within its role: a choice for each part of the API that its maker may use.
fn scopes(visit: &Visit, form: &Form) -> Markup {
    let is_narrow = form.get("within") == Some("scopes");
    let chosen: Vec<&str> = form.all("scope").collect();
    let may = |area, level| visit.actor.rights.allow(Scope { area, level });
    let option = |area: Area, level, words: &'static str| {
        let scope = Scope { area, level }.to_string();
        html! { option value=(scope) selected[chosen.contains(&scope.as_str())] { (words) } }
    };
    html! {
        fieldset {
            legend { "What it may do" }
            label.tick { input type="radio" name="within" value="role" checked[!is_narrow]; "All that its role may" }
            label.tick { input type="radio" name="within" value="scopes" checked[is_narrow]; "Only this:" }
            div.scopes {
                @for area in Area::ALL.into_iter().filter(|area| may(*area, Level::Read)) {
                    @let id = Scope { area, level: Level::Read }.to_string();
                    label for=(id) { (area_in_words(area)) }
                    select id=(id) name="scope" {
                        option value="" { "nothing" }
                        (option(area, Level::Read, "see"))
                        @if is_changeable(area) && may(area, Level::Write) { (option(area, Level::Write, "see and change")) }
                    }
                }
            }
        }
    }
}

/// The request that a form makes.
fn request(form: &Form) -> Value {
    let scopes: Vec<&str> = form.all("scope").filter(|scope| !scope.is_empty()).collect();
    json!({
        "name": form.filled("name").unwrap_or_default(),
        "role": form.filled("role"),
        "scopes": (form.get("within") == Some("scopes")).then_some(scopes),
        "groups": groups::of(form),
        "expires_in": form.filled("expires_in").and_then(|seconds| seconds.parse::<u64>().ok()),
        "user": form.filled("user"),
    })
}

/// Makes a token, and shows it this once.
pub async fn make(visit: Visit, form: Form) -> Result<Response, Failure> {
    match visit.act(Method::POST, "/tokens", Some(request(&form))).await {
        Ok(made) => Ok(shown_once(&made).into_response()),
        Err(failure) if failure.status().is_client_error() => {
            Ok((failure.status(), asked(&visit, &form, Some(&failure.0)).await?).into_response())
        }
        Err(failure) => Err(failure),
    }
}

fn shown_once(made: &Value) -> Page {
    let word = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
    let body = html! {
        div.card {
            p { b { "Copy it now: it is shown this once, and kept nowhere." } }
            (text::block(word("token")))
            p { "A program sends it with each request, in the header " code { "Authorization: Bearer …" } "; " code { "omadm" } " takes it from " code { "OMADM_TOKEN" } " or from a file." }
            p { a.button href="/tokens" { "Done" } }
        }
    };
    Page::new(format!("The token {}", word("name")), body)
        .below(html! { a href="/tokens" { "Tokens" } })
        .secret()
}

/// Asks before a token is revoked.
pub async fn ask(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let question = Question {
        body: html! {
            p { "Whoever uses the token " b { (text::shown(&name)) } " is refused from now on, also in the sessions of browsers that began with it." }
            @if visit.actor.described().starts_with(&format!("token {name}")) { p.warning { "You are logged in with it: your session ends, too." } }
        },
        action: &path(&["tokens", &name, "revoke"], &[]),
        word: "Revoke the token",
        fields: html! {},
        back: "/tokens",
    };
    Ok(Page::new(format!("Revoke {name}?"), parts::question(&visit, &question))
        .below(html! { a href="/tokens" { "Tokens" } }))
}

/// Revokes a token.
pub async fn revoke(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["tokens", &name], &[]), None).await?;
    Ok(notice::redirect("/tokens", &format!("The token {name} is revoked.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_a_request() {
        let form = |fields: &[(&str, &str)]| {
            Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let whole = request(&form(&[
            ("name", " ci "),
            ("role", "viewer"),
            ("within", "role"),
            ("scope", "devices:read"),
            ("expires_in", ""),
        ]));
        assert_eq!(
            whole,
            json!({ "name": "ci", "role": "viewer", "scopes": null, "groups": null, "expires_in": null, "user": null })
        );
        let narrow = request(&form(&[
            ("within", "scopes"),
            ("scope", ""),
            ("scope", "devices:read"),
            ("reach", "groups"),
            ("group", "a"),
            ("expires_in", "60"),
            ("user", "ann"),
        ]));
        assert_eq!(narrow["scopes"], json!(["devices:read"]));
        assert_eq!(
            (&narrow["groups"], &narrow["expires_in"], &narrow["user"]),
            (&json!(["a"]), &json!(60), &json!("ann"))
        );
    }

    #[test]
    fn the_usual_lifetime_is_offered() {
        assert!(LIFETIMES.iter().any(|(seconds, _)| *seconds == USUAL));
    }
}

//! Logging in and out. Who was logged out in the middle of a form finds it again.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode, Uri};
use maud::{Markup, html};
use omadm_auth::Secret;
use serde::Deserialize;
use serde_json::json;

use super::appearance::Theme;
use super::failure::Failure;
use super::form::Form;
use super::frame::{self, Page};
use super::gate::{self, is_place};
use super::visit::{Visit, ask, refusal};
use super::{Console, text};
use crate::operator::problem::Problem;
use crate::operator::{PREFIX, login, with_body};

/// Longest form of a login, in octets: with it comes what was typed before.
const MAX_FORM: usize = 2 << 20;
/// The form that was typed before, and where it goes.
const TYPED: &str = "typed";
const TO: &str = "to";

/// Where somebody wants to go.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    to: String,
}

/// Shows the login.
pub async fn show(State(console): State<Console>, headers: HeaderMap, uri: Uri) -> Result<Response, Failure> {
    let wanted = Query::<Wanted>::try_from_uri(&uri).ok();
    let to = wanted.map(|wanted| wanted.0.to).filter(|to| is_place(to)).unwrap_or_else(|| "/".to_owned());
    if gate::who(&console, &headers).await?.is_some() {
        return Ok(Redirect::to(&to).into_response());
    }
    page(&console, &headers, StatusCode::OK, &Attempt { to: &to, ..Attempt::default() }).await
}

/// What the login shows beside its fields.
#[derive(Default)]
struct Attempt<'a> {
    /// Where it leads.
    to: &'a str,
    /// The form that waits for it.
    typed: Option<&'a str>,
    /// The name that was given.
    user: &'a str,
    /// What was wrong.
    problem: Option<&'a str>,
}

/// The login in place of a page, to which a form was sent when the session had ended.
pub async fn ended(
    console: &Console,
    headers: &HeaderMap,
    to: &str,
    form: &Form,
) -> Result<Response, Failure> {
    let typed = form.without_passwords().encode();
    let problem = "Your session has ended. Log in again: what you typed is kept.";
    let attempt = Attempt { to, typed: Some(&typed), problem: Some(problem), ..Attempt::default() };
    page(console, headers, StatusCode::UNAUTHORIZED, &attempt).await
}

async fn page(
    console: &Console,
    headers: &HeaderMap,
    status: StatusCode,
    attempt: &Attempt<'_>,
) -> Result<Response, Failure> {
    // Where nobody has a password yet, a token is what there is.
    let has_users = !console.context.store.users("", 1).await.map_err(Problem::from)?.is_empty();
    let fields = html! {
        input type="hidden" name=(TO) value=(attempt.to);
        @if let Some(typed) = attempt.typed { input type="hidden" name=(TYPED) value=(typed); }
    };
    let by_password = html! {
        form.stack method="post" action="/login" {
            (fields)
            label for="user" { "User" }
            input #user name="user" value=(attempt.user) autocomplete="username" autocapitalize="none" spellcheck="false" required;
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" required;
            button.main type="submit" { "Log in" }
        }
    };
    let by_token = html! {
        form.stack method="post" action="/login" {
            (fields)
            label for="token" { "Token" }
            input #token name="token" type="password" autocomplete="off" required aria-describedby="token-hint";
            p.quiet #token-hint { "The first start of the server writes one to " code { "operator.token" } "; " code { "omadm token add" } " makes more." }
            button.main type="submit" { "Log in with a token" }
        }
    };
    let body = html! {
        div.login {
            p.brand { img src=(super::assets::href("mark.svg")) alt="" width="40" height="40"; "omadm" }
            h1 { "Log in" }
            @if let Some(problem) = attempt.problem { p.problem role="alert" { (text::shown_long(problem)) } }
            @if has_users {
                (by_password)
                details { summary { "Use a token" } (by_token) }
            } @else { (by_token) }
        }
    };
    let page = frame::bare(Theme::of(headers), "Log in", &body).into_string();
    Ok((status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// Begins a session, as the API does.
pub async fn begin(State(console): State<Console>, mut request: Request) -> Response {
    DefaultBodyLimit::max(MAX_FORM).apply(&mut request);
    match attempt(&console, request).await {
        Ok(response) => response,
        Err(failure) => frame::alone(&failure),
    }
}

async fn attempt(console: &Console, request: Request) -> Result<Response, Failure> {
    let (request, _) = with_body(&console.context, request).await?;
    let (headers, connection) = (request.headers().clone(), request.extensions().get().cloned());
    let form = Form::read(request).await?;
    let given = match form.filled("token") {
        Some(token) => json!({ "token": token }),
        None => {
            json!({ "user": form.get("user").unwrap_or_default(), "password": form.get("password").unwrap_or_default() })
        }
    };
    let mut login = Request::new(Body::from(given.to_string()));
    *login.method_mut() = Method::POST;
    *login.uri_mut() = Uri::try_from(format!("{PREFIX}/login")).map_err(|_| Problem::bad("no address"))?;
    *login.headers_mut() = headers.clone();
    login.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    login.headers_mut().remove(http::header::CONTENT_LENGTH);
    let (status, answered, octets) = ask(&console.api, connection, login).await?;
    let to = form.get(TO).filter(|to| is_place(to)).unwrap_or("/");
    if !status.is_success() {
        let problem = refusal(status, &octets);
        let user = form.get("user").unwrap_or_default();
        let attempt = Attempt { to, typed: form.get(TYPED), user, problem: Some(problem.detail()) };
        return page(console, &headers, status, &attempt).await;
    }
    let mut response = match form.get(TYPED) {
        None => Redirect::to(to).into_response(),
        Some(typed) => restored(console, &answered, to, typed).await?,
    };
    response
        .headers_mut()
        .extend(answered.get_all(SET_COOKIE).iter().map(|cookie| (SET_COOKIE, cookie.clone())));
    Ok(response)
}

/// The form that was typed before, for the session that has just begun.
async fn restored(
    console: &Console,
    answered: &HeaderMap,
    to: &str,
    typed: &str,
) -> Result<Response, Failure> {
    let cookie = answered.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
    let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
    let session = Secret::new(pair.map(|(_, value)| value.as_bytes().to_vec()).unwrap_or_default());
    let headers =
        HeaderMap::from_iter(login::of_session(&session).map(|cookie| (http::header::COOKIE, cookie)));
    let Some((session, actor)) = gate::who(console, &headers).await? else {
        return Ok(Redirect::to("/login").into_response());
    };
    let mut request = Request::new(Body::from(typed.to_owned()));
    *request.method_mut() = Method::POST;
    request
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static("application/x-www-form-urlencoded"));
    let form = Form::read(request).await?;
    let visit = Visit::new(actor, &session, &Request::new(Body::empty()), console.api.clone());
    Ok(frame::finish(&visit, resume(&visit, to, &form)))
}

/// A form that was typed in another session, to be looked at and sent again.
pub fn resume(visit: &Visit, to: &str, form: &Form) -> Response {
    let body = html! {
        div.card {
            p { "Nothing has been done yet. Your session had ended when you sent this; it is as you typed it. Look at it and send it again, or leave it." }
            form.stack method="post" action=(to) {
                (visit.marks())
                @for (place, (name, value)) in form.without_passwords().typed().enumerate() { (field(place, name, value)) }
                div.actions {
                    button.main type="submit" { "Send it again" }
                    a.button href="/" { "Leave it" }
                }
            }
        }
    };
    Page::new("You are logged in again", body).into_response()
}

fn field(place: usize, name: &str, value: &str) -> Markup {
    let id = format!("field-{place}");
    html! {
        label for=(id) { (text::plain(name, text::SHORT)) }
        @if value.contains('\n') || value.len() > text::SHORT {
            textarea id=(id) name=(name) rows="8" { (value) }
        } @else {
            input id=(id) name=(name) value=(value);
        }
    }
}

/// Ends the session.
pub async fn end(visit: Visit, State(console): State<Console>) -> Result<Response, Failure> {
    visit.act(Method::POST, "/logout", None).await?;
    let mut response = Redirect::to("/login").into_response();
    let ended = login::ended(&console.context)?;
    response.headers_mut().append(SET_COOKIE, ended);
    Ok(response)
}

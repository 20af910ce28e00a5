//! Sessions of people: a password opens one, which a cookie carries that no script reads and no other site sends.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use omadm_auth::Secret;
use omadm_store::{Login, UserChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::actor::{Actor, Proof, Role, Scope};
use super::problem::{Body, Problem};
use super::{access, tokens};
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::listener::Connection;
use crate::password::{self, Unchecked};
use crate::random;

/// The cookie of a session.
const NAME: &str = "omadm_session";
/// A request of a session that changes something carries this header, with any value: a form or a link of another site cannot.
pub const INTENT: HeaderName = HeaderName::from_static("x-omadm-request");
/// Longest name and password that are looked at, in octets.
const MAX_GIVEN: usize = 4_096;

/// The secret of the session in a request.
pub fn cookie(headers: &HeaderMap) -> Option<Secret> {
    cookie_named(headers, NAME).map(|value| Secret::new(value.as_bytes().to_vec()))
}

/// The cookie of a name in a request.
pub fn cookie_named<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The cookie of a session, as it stands in a request.
pub fn of_session(secret: &Secret) -> Option<HeaderValue> {
    let mut pair = format!("{NAME}=").into_bytes();
    pair.extend_from_slice(secret.expose());
    let mut value = HeaderValue::from_bytes(&pair).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Name and password, or a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// With `password`.
    user: Option<String>,
    /// With `user`.
    password: Option<String>,
    /// A token, for a browser: the session lasts as long as the browser runs, and no longer than the token.
    token: Option<String>,
}

/// Who somebody is here.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The user, or the token that belongs to none.
    name: String,
    /// The user behind it, if there is one.
    user: Option<String>,
    role: Role,
    /// What may be done, such as `devices:write`.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    /// Names of the groups whose devices are seen; null for all devices.
    groups: Option<Vec<String>>,
    /// When the token or session ends; null if never.
    until: Option<String>,
}

impl From<&Actor> for Me {
    fn from(actor: &Actor) -> Self {
        Self {
            name: actor.name.clone(),
            user: actor.user.clone(),
            role: actor.role,
            scopes: actor.rights.scopes(),
            groups: actor.groups.clone(),
            until: actor.until.map(rfc3339),
        }
    }
}

/// Begins a session. The answer sets the cookie `omadm_session`; requests of the session that change something carry the header
/// `X-Omadm-Request` with any value.
#[utoipa::path(post, path = "/login", request_body = Credentials, tag = "people",
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn begin(
    State(context): State<Arc<Context>>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    match credentials {
        Credentials { user: Some(user), password: Some(password), token: None } => {
            let source = context.proxies.sender(&connection, &headers).source;
            by_password(&context, source, user, password).await
        }
        Credentials { user: None, password: None, token: Some(token) } => by_token(&context, token).await,
        _ => Err(Problem::bad("a login has user and password, or a token")),
    }
}

/// A session that carries a token: its end, and that of the token, are one.
async fn by_token(context: &Context, token: String) -> Result<Response, Problem> {
    let token = Secret::new(token.into_bytes());
    let actor =
        if token.expose().len() > MAX_GIVEN { None } else { access::of_token(context, &token).await? };
    let actor = actor.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "the token is unknown or expired; make one with `omadm token add`",
        )
    })?;
    begun(context, &token, None, actor)
}

/// The answer that begins a session.
fn begun(
    context: &Context,
    secret: &Secret,
    max_age: Option<u64>,
    actor: Actor,
) -> Result<Response, Problem> {
    let text = String::from_utf8_lossy(secret.expose()).into_owned();
    let cookie = set_cookie(&text, max_age, context.config.operator.is_secure())?;
    let mut response = Json(Me::from(&actor)).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    // For the audit log.
    response.extensions_mut().insert(actor);
    Ok(response)
}

/// A session of a user.
async fn by_password(
    context: &Context,
    source: IpAddr,
    user: String,
    password: String,
) -> Result<Response, Problem> {
    let password = Secret::new(password.into_bytes());
    if user.len() > MAX_GIVEN || password.expose().len() > MAX_GIVEN {
        return Err(wrong());
    }
    if let Some(refusal) = throttled(context, &user, source) {
        return Ok(refusal);
    }
    let known = context.store.user(&user).await?;
    let kept = known.as_ref().map(|known| &known.password);
    let matches = context.passwords.matches(kept, password).await?;
    let (now, Some(known)) = (clock::now(), known.filter(|_| matches)) else {
        context.logins.note(&user, source, clock::now()).await;
        return Err(wrong());
    };
    context.logins.succeeded(&user, source);
    let secret = random::secret("")?;
    let lifetime = context.config.operator.session_lifetime.0;
    let expires = super::later(now, lifetime.as_secs());
    let digest = tokens::digest(&secret);
    // A session from before its user is that of another one who had the name; clocks of nodes may differ.
    let created = now.max(known.created);
    let login = Login { digest: digest.clone(), user: known.name.clone(), created, expires };
    // Who was changed or removed meanwhile has to prove it anew.
    if !context.store.add_login(login, known.changed).await? {
        return Err(wrong());
    }
    let role = Role::parse(&known.role).ok_or_else(wrong)?;
    let actor = Actor {
        name: known.name.clone(),
        proof: Proof::Session(digest),
        user: Some(known.name),
        role,
        rights: role.rights(),
        groups: known.groups,
        until: Some(expires),
    };
    begun(context, &secret, Some(lifetime.as_secs()), actor)
}

/// The refusal of a login: it does not say what was wrong.
fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "the user is unknown or the password is wrong")
}

/// The refusal of who has to wait before the next attempt.
fn throttled(context: &Context, user: &str, source: IpAddr) -> Option<Response> {
    let wait = context.logins.wait(user, source, clock::now())?;
    let seconds = wait.as_secs().saturating_add(1);
    let detail = format!("too many failed logins; try again in {seconds} s");
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

/// The cookie of a session; without an age it goes with the browser.
fn set_cookie(value: &str, max_age: Option<u64>, secure: bool) -> Result<HeaderValue, Problem> {
    let secure = if secure { "; Secure" } else { "" };
    let age = max_age.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    let text = format!("{NAME}={value}; Path=/{age}; HttpOnly; SameSite=Strict{secure}");
    let unusable = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the cookie cannot be written");
    let mut cookie = HeaderValue::from_str(&text).map_err(unusable)?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

/// Ends the session that the request is of.
#[utoipa::path(post, path = "/logout", tag = "people", responses((status = 204)))]
pub async fn end(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Proof::Session(digest) = &actor.proof {
        context.store.remove_login(digest).await?;
    }
    response.headers_mut().insert(SET_COOKIE, ended(&context)?);
    Ok(response)
}

/// Has a browser forget its session.
///
/// # Errors
/// 500 if the cookie cannot be written.
pub fn ended(context: &Context) -> Result<HeaderValue, Problem> {
    set_cookie("", Some(0), context.config.operator.is_secure())
}

/// Says who makes the request, and what they may do.
#[utoipa::path(get, path = "/me", tag = "people", responses((status = 200, body = Me)))]
pub async fn me(Extension(actor): Extension<Actor>) -> Json<Me> {
    Json(Me::from(&actor))
}

/// A new password of one's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// The present one.
    old: String,
    /// 12 to 1024 characters.
    new: String,
}

/// Changes the password of who makes the request, and ends their other sessions.
#[utoipa::path(put, path = "/me/password", request_body = OwnPassword, tag = "people",
    responses((status = 204), (status = 400, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub async fn change_password(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    Body(OwnPassword { old, new }): Body<OwnPassword>,
) -> Result<Response, Problem> {
    let (Some(name), Proof::Session(digest)) = (&actor.user, &actor.proof) else {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "only who has logged in has a password to change here",
        ));
    };
    let (old, new) = (Secret::new(old.into_bytes()), Secret::new(new.into_bytes()));
    password::check(std::str::from_utf8(new.expose()).unwrap_or_default()).map_err(Problem::bad)?;
    let source = context.proxies.sender(&connection, &headers).source;
    if let Some(refusal) = throttled(&context, name, source) {
        return Ok(refusal);
    }
    let known = context.store.user(name).await?;
    let kept = known.as_ref().map(|known| &known.password);
    if old.expose().len() > MAX_GIVEN || !context.passwords.matches(kept, old).await? {
        context.logins.note(name, source, clock::now()).await;
        return Err(Problem::new(StatusCode::FORBIDDEN, "the present password is another one"));
    }
    let password = Some(context.passwords.hash(new).await?);
    let change = UserChange { password, ..UserChange::default() };
    context.store.change_user(name, change, Some(digest.clone()), clock::now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<Unchecked> for Problem {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many passwords are being checked; try again soon",
            ),
            Unchecked::Failed(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = |text: &str| {
            let headers = HeaderMap::from_iter([(COOKIE, text.parse().unwrap())]);
            cookie(&headers).map(|secret| String::from_utf8(secret.expose().to_vec()).unwrap())
        };
        assert_eq!(found("a=b; omadm_session=xyz; c=d").as_deref(), Some("xyz"));
        assert_eq!(found("xomadm_session=1"), None);
        assert_eq!(found("omadm_session"), None);
    }

    #[test]
    fn a_cookie_is_for_this_server_alone() {
        let set = |secure| set_cookie("v", Some(60), secure).unwrap();
        assert_eq!(set(false), "omadm_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
        assert!(set(true).to_str().unwrap().ends_with("; Secure") && set(true).is_sensitive());
        assert_eq!(
            set_cookie("v", None, false).unwrap(),
            "omadm_session=v; Path=/; HttpOnly; SameSite=Strict"
        );
    }
}

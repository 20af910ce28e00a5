//! Who comes in: every request of the API passes here, is told who it is from, and is refused what its sender may not do.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use omadm_auth::{Secret, Verifier};
use omadm_store::{StoreError, Token, User};
use uuid::Uuid;

use super::actor::{Actor, Proof, Rights, Role, Scope, common};
use super::problem::Problem;
use super::rights::{self, Need, Reach, Rule};
use super::tokens::Operator;
use super::{PREFIX, audit, commands, devices, login, reach, tokens};
use crate::context::Context;
use crate::{clock, random};

/// Longest body of who has not proved anything, in octets: name and password, each octet of which may be written with six.
const MAX_UNPROVEN: usize = 64 << 10;

/// Lets only those through who may do what they ask for, and adds their [`Actor`] to the request.
pub async fn check(
    State(context): State<Arc<Context>>,
    path: Option<MatchedPath>,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let matched = path;
    let path = matched.as_ref().and_then(|path| path.as_str().strip_prefix(PREFIX));
    let rule = path.and_then(|path| rights::of(request.method().as_str(), path));
    if rule.is_some_and(|rule| rule.need == Need::Nothing) {
        DefaultBodyLimit::max(MAX_UNPROVEN).apply(&mut request);
        return Ok(next.run(request).await);
    }
    let actor = actor(&context, request.method(), request.headers()).await?;
    match (rule, path) {
        (Some(rule), _) => {
            let described = audit::described(&request, matched.as_ref());
            if let Err(problem) = may(&context, &actor, rule, &parameters).await {
                if !request.method().is_safe() {
                    audit::refused(&context, &actor, described).await;
                }
                return Err(problem);
            }
        }
        (None, Some(path)) if rights::knows(path) => return Ok(other_methods(path)),
        // A path that is not there; what is there has a rule.
        (None, _) => {}
    }
    request.extensions_mut().insert(Operator(actor.name.clone()));
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}

/// The refusal of a proof that is none any more, or never was: it does not say which.
fn unproven() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "the token or session is unknown or expired; make a token with `omadm token add`, or log in",
    )
}

/// The refusal of what somebody may not do: it is the same whether there is such a thing or not.
fn forbidden(why: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, format!("you may not do this: {why}"))
}

/// Who a request is from. Proofs are read each time: one that was revoked ends at once, on every node.
///
/// # Errors
/// 401 without a proof that is good now, and 403 if a page may have made it without the knowledge of who has the session.
async fn actor(context: &Context, method: &Method, headers: &HeaderMap) -> Result<Actor, Problem> {
    let actor = match (bearer(headers), login::cookie(headers)) {
        (Some(token), _) => of_token(context, &token).await?,
        (None, Some(session)) => {
            let actor = of_cookie(context, &session).await?;
            if actor.is_some() && !method.is_safe() && !headers.contains_key(login::INTENT) {
                return Err(forbidden("a request of a session has to carry the header X-Omadm-Request"));
            }
            actor
        }
        (None, None) => {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "a token is needed: Authorization: Bearer omadm_…",
            ));
        }
    };
    actor.ok_or_else(|| {
        tracing::warn!("a request with an unknown or expired token was refused");
        unproven()
    })
}

/// Whether an actor is still who they were: their proof is good, and gives them the same rights.
///
/// # Errors
/// When the store fails.
pub async fn is_still(context: &Context, actor: &Actor, proof: &Secret) -> Result<bool, StoreError> {
    let now = match &actor.proof {
        Proof::Token(_) => of_token(context, proof).await?,
        Proof::Session(_) => of_session(context, proof).await?,
    };
    Ok(now.is_some_and(|now| now.rights == actor.rights && now.groups == actor.groups))
}

/// The secret by which a request proves who it is from.
pub fn proof(headers: &HeaderMap) -> Option<Secret> {
    bearer(headers).or_else(|| login::cookie(headers))
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().as_bytes().to_vec()))
}

/// Who the cookie of a session is of: it carries the secret of a session that a password began, or the token itself.
///
/// # Errors
/// When the store fails.
pub async fn of_cookie(context: &Context, given: &Secret) -> Result<Option<Actor>, StoreError> {
    match given.expose().starts_with(random::TOKEN_PREFIX.as_bytes()) {
        true => of_token(context, given).await,
        false => of_session(context, given).await,
    }
}

/// Who a token is of, if it is good now.
///
/// # Errors
/// When the store fails.
pub async fn of_token(context: &Context, given: &Secret) -> Result<Option<Actor>, StoreError> {
    let now = clock::now();
    let tokens = context.store.tokens_like(&tokens::digest(given)).await?;
    let valid = tokens.into_iter().find(|(token, _)| {
        token.expires.is_none_or(|expires| now < expires)
            && Verifier::from_bytes(&token.verifier).is_some_and(|verifier| verifier.matches(given))
    });
    Ok(valid.and_then(|(token, user)| token_actor(token, user)))
}

/// What a token allows within the rights of its user; none if either cannot be read, or the user is gone.
fn token_actor(token: Token, user: Option<User>) -> Option<Actor> {
    let role = Role::parse(&token.role)?;
    let mut rights = role.rights();
    if let Some(scopes) = &token.scopes {
        let scopes: Result<Vec<_>, _> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
        rights = rights.and(Rights::of(&scopes.ok()?));
    }
    let mut groups = token.groups;
    if token.user.is_some() {
        let user = user?;
        rights = rights.and(Role::parse(&user.role)?.rights());
        groups = common(groups, user.groups);
    }
    if groups.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    Some(Actor {
        name: token.user.clone().unwrap_or_else(|| token.name.clone()),
        proof: Proof::Token(token.name),
        user: token.user,
        role,
        rights,
        groups,
        until: token.expires,
    })
}

async fn of_session(context: &Context, given: &Secret) -> Result<Option<Actor>, StoreError> {
    let digest = tokens::digest(given);
    let found = context.store.login(&digest, clock::now()).await?;
    Ok(found.and_then(|(login, user)| {
        let role = Role::parse(&user.role)?;
        Some(Actor {
            name: user.name.clone(),
            proof: Proof::Session(digest),
            user: Some(user.name),
            role,
            rights: role.rights(),
            groups: user.groups,
            until: Some(login.expires),
        })
    }))
}

/// Lets those through who have a right, where there is no route of the API.
///
/// # Errors
/// 401 without a good proof, 403 without the right.
pub async fn require(context: &Context, headers: &HeaderMap, scope: Scope) -> Result<(), Problem> {
    match actor(context, &Method::GET, headers).await?.rights.allow(scope) {
        true => Ok(()),
        false => Err(forbidden(&format!("it takes the scope {scope}"))),
    }
}

/// Whether somebody may use a route at all, on whatever its path names.
///
/// # Errors
/// 403 says what it takes.
pub fn might(actor: &Actor, rule: &Rule) -> Result<(), Problem> {
    match rule.need {
        Need::Right(scope) if !actor.rights.allow(scope) => {
            Err(forbidden(&format!("it takes the scope {scope}")))
        }
        _ if rule.reach == Reach::Everything && !actor.sees_everything() => {
            Err(forbidden("it takes a right on all devices, and yours is on some groups"))
        }
        _ => Ok(()),
    }
}

/// Whether somebody may use a route on what its path names.
async fn may(
    context: &Context,
    actor: &Actor,
    rule: &Rule,
    parameters: &RawPathParams,
) -> Result<(), Problem> {
    might(actor, rule)?;
    if actor.sees_everything() {
        return Ok(());
    }
    let named = |name| parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    match rule.reach {
        Reach::Nothing | Reach::Narrowed | Reach::Everything => Ok(()),
        Reach::Device => {
            let id = super::device_id(named("id"))?;
            match reach::sees(context, actor, &id).await? {
                true => Ok(()),
                false => Err(devices::unknown(&id)),
            }
        }
        Reach::Command => {
            let unreadable = |error: uuid::Error| Problem::bad(format!("the command: {error}"));
            let id: Uuid = named("command").parse().map_err(unreadable)?;
            let command = context.store.command(id).await?;
            match command {
                Some(command) if reach::sees(context, actor, &command.device).await? => Ok(()),
                Some(_) | None => Err(commands::unknown(id)),
            }
        }
    }
}

/// The answer to a method that a path does not have.
fn other_methods(path: &str) -> Response {
    let methods = rights::RULES.iter().filter(|rule| rule.path == path).map(|rule| rule.method);
    let methods = methods.collect::<Vec<_>>().join(", ");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods; see Allow");
    let mut response = problem.into_response();
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

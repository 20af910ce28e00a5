//! Who comes in: every request of the API passes here, is told who it is from, and is refused what its sender may not do.

use std::sync::Arc;

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use omadm_auth::{Secret, Verifier};
use uuid::Uuid;

use super::actor::{Actor, Proof, Role, Scope};
use super::problem::Problem;
use super::rights::{self, Need, Reach, Rule};
use super::tokens::Operator;
use super::{PREFIX, commands, devices, reach};
use crate::clock;
use crate::context::Context;

/// Lets only those through who may do what they ask for, and adds their [`Actor`] to the request.
pub async fn check(
    State(context): State<Arc<Context>>,
    path: Option<MatchedPath>,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = path.as_ref().and_then(|path| path.as_str().strip_prefix(PREFIX));
    let rule = path.and_then(|path| rights::of(request.method().as_str(), path));
    if rule.is_some_and(|rule| rule.need == Need::Nothing) {
        return Ok(next.run(request).await);
    }
    let actor = actor(&context, request.headers()).await?;
    match (rule, path) {
        (Some(rule), _) => may(&context, &actor, rule, &parameters).await?,
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
/// 401 without a proof that is good now.
async fn actor(context: &Context, headers: &HeaderMap) -> Result<Actor, Problem> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, given)) = given else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "a token is needed: Authorization: Bearer omadm_…",
        ));
    };
    let given = Secret::new(given.trim().as_bytes().to_vec());
    let actor = by_token(context, &given).await?;
    actor.ok_or_else(|| {
        tracing::warn!("a request with an unknown or expired token was refused");
        unproven()
    })
}

async fn by_token(context: &Context, given: &Secret) -> Result<Option<Actor>, Problem> {
    let now = clock::now();
    let tokens = context.store.tokens().await?;
    let valid = tokens.into_iter().find(|token| {
        token.expires.is_none_or(|expires| now < expires)
            && Verifier::from_bytes(&token.verifier).is_some_and(|verifier| verifier.matches(given))
    });
    Ok(valid.map(|token| Actor {
        proof: Proof::Token(token.name.clone()),
        name: token.name,
        user: None,
        role: Role::Admin,
        rights: Role::Admin.rights(),
        groups: None,
        until: token.expires,
    }))
}

/// Lets those through who have a right, where there is no route of the API.
///
/// # Errors
/// 401 without a good proof, 403 without the right.
pub async fn require(context: &Context, headers: &HeaderMap, scope: Scope) -> Result<(), Problem> {
    match actor(context, headers).await?.rights.allow(scope) {
        true => Ok(()),
        false => Err(forbidden(&format!("it takes the scope {scope}"))),
    }
}

/// Whether somebody may use a route on what its path names.
async fn may(
    context: &Context,
    actor: &Actor,
    rule: &Rule,
    parameters: &RawPathParams,
) -> Result<(), Problem> {
    if let Need::Right(scope) = rule.need
        && !actor.rights.allow(scope)
    {
        return Err(forbidden(&format!("it takes the scope {scope}")));
    }
    if actor.sees_everything() {
        return Ok(());
    }
    let named = |name| parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
    match rule.reach {
        Reach::Nothing | Reach::Narrowed => Ok(()),
        Reach::Everything => Err(forbidden("it takes a right on all devices, and yours is on some groups")),
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

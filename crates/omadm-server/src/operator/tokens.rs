//! Operator tokens: making, listing and revoking them.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use omadm_auth::Secret;
use omadm_mo::Time;
use omadm_store::Token;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::Listing;
use super::actor::{Actor, Proof, Rights, Role, Scope};
use super::problem::{Body, Path, Problem, Query};
use super::users::{check_groups, check_name, check_rights, not_stored};
use super::views::{self, Page};
use crate::context::Context;
use crate::{ServerError, clock, random};

/// Longest time until a token expires, in seconds (100 years).
const MAX_EXPIRY: u64 = 100 * 365 * 86_400;

/// Who makes a request, by name: see [`Actor`].
#[derive(Clone, Debug)]
pub struct Operator(pub String);

/// Makes a token that may do everything, and the row with its verifier that is to be stored; the token itself is not kept.
///
/// # Errors
/// When there is no randomness.
pub fn make(name: &str, expires: Option<Time>, now: Time) -> Result<(Secret, Token), ServerError> {
    let secret = random::secret(random::TOKEN_PREFIX)?;
    let token = Token {
        name: name.to_owned(),
        verifier: random::verifier(&secret)?,
        digest: Some(digest(&secret)),
        user: None,
        role: Role::Admin.as_str().to_owned(),
        scopes: None,
        groups: None,
        created: now,
        expires,
    };
    Ok((secret, token))
}

/// The digest by which a secret of 256 bits is found again.
pub fn digest(secret: &Secret) -> Vec<u8> {
    Sha256::digest(secret.expose()).to_vec()
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// A name for it, unique; 1 to 64 characters.
    name: String,
    /// Seconds until it expires; if not given, never, or with the token by which it is made.
    expires_in: Option<u64>,
    /// The user it belongs to: it may do no more than they may, and goes when they go. None if not given.
    user: Option<String>,
    /// What it may do; that of who makes it if not given.
    role: Option<Role>,
    /// What it may do within its role, such as `devices:read`; all if not given.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Vec<Scope>>,
    /// Names of the groups whose devices it sees; all devices if not given.
    groups: Option<Vec<String>>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct MadeToken {
    name: String,
    /// Shown this once; only a verifier is kept.
    token: String,
}

/// Lists tokens by name.
#[utoipa::path(get, path = "/tokens", params(Listing), responses((status = 200, body = Page<views::Token>)), tag = "tokens")]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<views::Token>>, Problem> {
    let after = listing.after.clone().unwrap_or_default();
    let limit = listing.limit()?;
    let tokens = context.store.tokens().await?;
    let tokens = tokens.into_iter().filter(|token| token.name > after).take(limit as usize + 1).collect();
    Ok(Json(Page::cut(tokens, limit, |token: &Token| token.name.clone(), views::Token::from)))
}

/// Makes a token. It may do no more than who makes it.
#[utoipa::path(post, path = "/tokens", request_body = NewToken, tag = "tokens",
    responses((status = 201, body = MadeToken), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    check_name("token", &new.name)?;
    if new.expires_in.is_some_and(|seconds| seconds == 0 || seconds > MAX_EXPIRY) {
        return Err(Problem::bad(format!("expires_in has to be 1 to {MAX_EXPIRY} seconds")));
    }
    check_groups(&context, new.groups.as_ref()).await?;
    let mut now = clock::now();
    if let Some(name) = &new.user {
        let unknown =
            || Problem::bad(format!("there is no user named {name:?}; `omadm user ls` shows those that are"));
        let user = context.store.user(name).await?.ok_or_else(unknown)?;
        // A token from before its user is that of another one who had the name; clocks of nodes may differ.
        now = now.max(user.created);
    }
    let role = new.role.unwrap_or(actor.role);
    // Who may do less than their role, such as by a token with scopes, passes on that and not the role.
    let scopes =
        new.scopes.or_else(|| (!role.rights().are_within(&actor.rights)).then(|| actor.rights.scopes()));
    let rights = scopes.as_deref().map_or(role.rights(), |scopes| role.rights().and(Rights::of(scopes)));
    check_rights(&actor, "token", &rights)?;
    let expires = expiry(&actor, new.expires_in.map(|seconds| super::later(now, seconds)))?;
    let (secret, token) = make(&new.name, expires, now)?;
    let token = Token {
        user: new.user,
        role: role.as_str().to_owned(),
        scopes: scopes.map(|scopes| scopes.iter().map(Scope::to_string).collect()),
        groups: new.groups,
        ..token
    };
    if !context.store.add_token(token).await.map_err(not_stored)? {
        return Err(Problem::conflict(format!(
            "there is a token named {:?} already; revoke it first",
            new.name
        )));
    }
    let token = String::from_utf8_lossy(secret.expose()).into_owned();
    Ok((StatusCode::CREATED, Json(MadeToken { name: new.name, token })))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens/{name}", params(("name" = String, Path)), tag = "tokens",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if !context.store.remove_token(&name).await? {
        return Err(Problem::unknown(format!("there is no token named {name:?}")));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// When a token expires that somebody makes: whoever has a token for a time cannot have one for longer by it.
fn expiry(actor: &Actor, wanted: Option<Time>) -> Result<Option<Time>, Problem> {
    let Some(end) = actor.until.filter(|_| matches!(actor.proof, Proof::Token(_))) else {
        return Ok(wanted);
    };
    match wanted {
        Some(wanted) if wanted > end => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "you may not do this: a token lasts no longer than the one by which it is made",
        )),
        wanted => Ok(Some(wanted.unwrap_or(end))),
    }
}

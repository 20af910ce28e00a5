//! Operator tokens: making, listing, revoking and checking them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_auth::Secret;
use omadm_mo::Time;
use omadm_store::Token;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::Listing;
use super::actor::Role;
use super::problem::{Body, Path, Problem, Query};
use super::views::{self, Page};
use crate::context::Context;
use crate::{ServerError, clock, random};

/// Longest time until a token expires, in seconds (100 years).
const MAX_EXPIRY: u64 = 100 * 365 * 86_400;

/// Who makes a request: the name of the token.
#[derive(Clone, Debug)]
pub struct Operator(pub String);

/// Makes a token, and the row with its verifier that is to be stored; the token itself is not kept.
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
    /// Seconds until it expires; never if not given.
    expires_in: Option<u64>,
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

/// Makes a token.
#[utoipa::path(post, path = "/tokens", request_body = NewToken, tag = "tokens",
    responses((status = 201, body = MadeToken), (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    if new.name.is_empty() || new.name.chars().count() > 64 || new.name.chars().any(char::is_control) {
        return Err(Problem::bad("the name of a token has 1 to 64 characters and no control characters"));
    }
    if new.expires_in.is_some_and(|seconds| seconds == 0 || seconds > MAX_EXPIRY) {
        return Err(Problem::bad(format!("expires_in has to be 1 to {MAX_EXPIRY} seconds")));
    }
    let now = clock::now();
    let expires = new.expires_in.map(|seconds| super::later(now, seconds));
    let (secret, token) = make(&new.name, expires, now)?;
    if !context.store.add_token(token).await? {
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
    if context.store.remove_token(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::unknown(format!("there is no token named {name:?}")))
    }
}

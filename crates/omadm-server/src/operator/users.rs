//! Users: who they are, and what they may do.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use omadm_auth::Secret;
use omadm_store::{self as store, StoreError, UserChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Listing;
use super::actor::{Actor, Rights, Role};
use super::problem::{Body, Path, Problem, Query};
use super::views::Page;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::password;

/// Longest name of a user or token in characters.
const MAX_NAME: usize = 64;
/// Most groups of a user or token.
const MAX_GROUPS: usize = 100;

/// Whether a text can be the name of a user, token or webhook.
///
/// # Errors
/// 400 says what it has to be.
pub fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let problem =
            format!("the name of a {what} has 1 to {MAX_NAME} characters and no control characters");
        return Err(Problem::bad(problem));
    }
    Ok(())
}

/// Whether somebody can be given the devices of these groups.
///
/// # Errors
/// 400 names the group that does not exist.
pub async fn check_groups(context: &Context, groups: Option<&Vec<String>>) -> Result<(), Problem> {
    let Some(groups) = groups else { return Ok(()) };
    if !(1..=MAX_GROUPS).contains(&groups.len()) {
        return Err(Problem::bad(format!(
            "there may be 1 to {MAX_GROUPS} groups; leave them out for all devices"
        )));
    }
    for name in groups {
        if context.store.group(name).await?.is_none() {
            return Err(Problem::bad(format!(
                "there is no group {name:?}; `omadm group ls` shows those that are"
            )));
        }
    }
    Ok(())
}

/// The refusal of what the store would not do; a group may have gone since it was looked for.
pub fn not_stored(error: StoreError) -> Problem {
    match error {
        StoreError::GroupUnknown(_) => Problem::bad(error.to_string()),
        error => error.into(),
    }
}

/// Whether somebody may hand out rights, or stand in for who has them.
///
/// # Errors
/// 403 if they have less themselves.
pub fn check_rights(actor: &Actor, what: &str, rights: &Rights) -> Result<(), Problem> {
    match rights.are_within(&actor.rights) {
        true => Ok(()),
        false => {
            let detail = format!("you may not do this: a {what} may do no more than you may");
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
    }
}

/// Whether somebody may change a user, who is then as they want: only who may do as much.
async fn check_change(context: &Context, actor: &Actor, name: &str) -> Result<(), Problem> {
    let user = context.store.user(name).await?.ok_or_else(|| unknown(name))?;
    let role = Role::parse(&user.role).unwrap_or(Role::Admin);
    check_rights(actor, "user whom you change", &role.rights())
}

/// A user.
#[derive(Serialize, ToSchema)]
pub struct User {
    name: String,
    role: String,
    /// Names of the groups whose devices they see; null for all devices.
    groups: Option<Vec<String>>,
    created: String,
    /// When password, role or groups were changed last.
    changed: String,
}

impl From<store::User> for User {
    fn from(user: store::User) -> Self {
        Self {
            name: user.name,
            role: user.role,
            groups: user.groups,
            created: rfc3339(user.created),
            changed: rfc3339(user.changed),
        }
    }
}

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// A name, unique; 1 to 64 characters.
    name: String,
    role: Role,
    /// 12 to 1024 characters.
    password: String,
    /// Names of the groups whose devices they see; all devices if not given.
    groups: Option<Vec<String>>,
}

/// What a user is from now on.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserPart)]
#[serde(deny_unknown_fields)]
pub struct Part {
    role: Role,
    /// Names of the groups whose devices they see; all devices if not given.
    groups: Option<Vec<String>>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// 12 to 1024 characters.
    password: String,
}

/// Lists users by name.
#[utoipa::path(get, path = "/users", params(Listing), tag = "people", responses((status = 200, body = Page<User>)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<User>>, Problem> {
    let limit = listing.limit()?;
    let users = context.store.users(&listing.after.unwrap_or_default(), limit + 1).await?;
    Ok(Json(Page::cut(users, limit, |user| user.name.clone(), User::from)))
}

/// Adds a user.
#[utoipa::path(post, path = "/users", request_body = NewUser, tag = "people",
    responses((status = 201, body = User), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn add(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Body(NewUser { name, role, password, groups }): Body<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let password = Secret::new(password.into_bytes());
    check_rights(&actor, "user", &role.rights())?;
    check_name("user", &name)?;
    check_groups(&context, groups.as_ref()).await?;
    let password = hashed(&context, password).await?;
    let now = clock::now();
    let role = role.as_str().to_owned();
    let user = store::User { name, role, password, groups, created: now, changed: now };
    if !context.store.add_user(user.clone()).await.map_err(not_stored)? {
        return Err(Problem::conflict(format!("there is a user named {:?} already", user.name)));
    }
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Shows a user.
#[utoipa::path(get, path = "/users/{name}", params(("name" = String, Path)), tag = "people",
    responses((status = 200, body = User), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<User>, Problem> {
    let user = context.store.user(&name).await?.ok_or_else(|| unknown(&name))?;
    Ok(Json(user.into()))
}

/// Gives a user another role, or the devices of other groups, and ends their sessions.
#[utoipa::path(put, path = "/users/{name}", params(("name" = String, Path)), request_body = Part, tag = "people",
    responses((status = 200, body = User), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn change(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    Body(Part { role, groups }): Body<Part>,
) -> Result<Json<User>, Problem> {
    check_rights(&actor, "user", &role.rights())?;
    check_change(&context, &actor, &name).await?;
    check_groups(&context, groups.as_ref()).await?;
    let role = Some(role.as_str().to_owned());
    let change = UserChange { role, groups: Some(groups), password: None };
    if !context.store.change_user(&name, change, None, clock::now()).await.map_err(not_stored)? {
        return Err(unknown(&name));
    }
    show(State(context), Path(name)).await
}

/// Gives a user another password, and ends their sessions.
#[utoipa::path(put, path = "/users/{name}/password", params(("name" = String, Path)), request_body = NewPassword, tag = "people",
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn set_password(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    Body(NewPassword { password }): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    check_change(&context, &actor, &name).await?;
    let password = Secret::new(password.into_bytes());
    let password = Some(hashed(&context, password).await?);
    let change = UserChange { password, ..UserChange::default() };
    match context.store.change_user(&name, change, None, clock::now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

/// Removes a user with their sessions and tokens.
#[utoipa::path(delete, path = "/users/{name}", params(("name" = String, Path)), tag = "people",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    match context.store.remove_user(&name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

async fn hashed(context: &Context, password: Secret) -> Result<store::StoredSecret, Problem> {
    password::check(std::str::from_utf8(password.expose()).unwrap_or_default()).map_err(Problem::bad)?;
    Ok(context.passwords.hash(password).await?)
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no user named {name:?}; `omadm user ls` shows those that are"))
}

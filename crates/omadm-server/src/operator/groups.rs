//! Groups of devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_mo::Time;
use omadm_store::filter::Filter;
use omadm_store::{self as store, NewEvent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Listing;
use super::problem::{Body, Path, Problem, Query};
use super::tokens::Operator;
use super::views::Page;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::fleet::check_group;

/// Uses that are shown.
const SHOWN_USES: u32 = 100;

/// A group: the devices that its filter means, whichever these are at the moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub struct View {
    name: String,
    filter: String,
    description: String,
    /// Counts its changes, from 1.
    version: i64,
    created: String,
    updated: String,
    /// What uses it, such as `group:NAME`, `profile:NAME`, `campaign:UUID` (the first 100); left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_by: Option<Vec<String>>,
}

impl From<store::Group> for View {
    fn from(group: store::Group) -> Self {
        Self {
            name: group.name,
            filter: group.filter,
            description: group.description,
            version: group.version,
            created: rfc3339(group.created),
            updated: rfc3339(group.updated),
            used_by: None,
        }
    }
}

/// What a group is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGroup)]
pub struct New {
    /// Which devices are in it, such as `model = "X" and label:site = A`.
    filter: String,
    /// For people, at most 1000 characters. Default: as it was.
    description: Option<String>,
    /// The version that is changed; 409 if the group has another by now. 0: the group must not exist. Default: whichever it has.
    version: Option<i64>,
}

/// Lists groups by name.
#[utoipa::path(get, path = "/groups", operation_id = "list_groups", params(Listing), tag = "groups",
    responses((status = 200, body = Page<View>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<View>>, Problem> {
    let limit = listing.limit()?;
    let groups = context.store.groups(listing.after.as_deref(), limit + 1).await?;
    Ok(Json(Page::cut(groups, limit, |group| group.name.clone(), View::from)))
}

/// Shows a group with what uses it.
#[utoipa::path(get, path = "/groups/{name}", operation_id = "show_group", params(("name" = String, Path)), tag = "groups",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let group = context.store.group(&name).await?.ok_or_else(|| unknown(&name))?;
    let used_by = context.store.group_uses(&name, SHOWN_USES).await?;
    Ok(Json(View { used_by: Some(used_by), ..group.into() }))
}

/// Makes a group or changes it.
#[utoipa::path(put, path = "/groups/{name}", operation_id = "put_group", params(("name" = String, Path)), request_body = New,
    tag = "groups", responses((status = 200, body = View), (status = 201, body = View), (status = 400, body = Problem),
    (status = 409, body = Problem)))]
pub async fn put(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
    Body(new): Body<New>,
) -> Result<(StatusCode, Json<View>), Problem> {
    check_group(&name, new.description.as_deref().unwrap_or_default()).map_err(Problem::bad)?;
    let filter = Filter::parse(&new.filter, &context.config.fleet.filter_limits())?;
    let before = context.store.group(&name).await?;
    let version = new.version.unwrap_or(before.as_ref().map_or(0, |group| group.version));
    let description = new.description.or(before.map(|group| group.description)).unwrap_or_default();
    let group =
        store::Group { name, filter: new.filter, description, version, created: Time(0), updated: Time(0) };
    let what = if version == 0 { "made" } else { "changed" };
    let events = vec![event(&group.name, what, &operator)];
    let written = context.store.put_group(group, &filter, events, clock::now()).await?;
    let status = if version == 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(written.into())))
}

/// Removes a group that nothing uses.
#[utoipa::path(delete, path = "/groups/{name}", operation_id = "remove_group", params(("name" = String, Path)), tag = "groups",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let events = vec![event(&name, "removed", &operator)];
    match context.store.remove_group(&name, events, clock::now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

fn event(group: &str, what: &str, operator: &Operator) -> NewEvent {
    let body = serde_json::json!({ "group": group, "what": what, "by": operator.0 });
    NewEvent { device: None, kind: "group".into(), body: body.to_string() }
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no group {name}; `omadm group ls` shows those that are"))
}

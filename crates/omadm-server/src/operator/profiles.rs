//! Profiles: what should be true of devices, in versions, and where they are assigned.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use omadm_store::{self as store, Assignment, NewEvent};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Listing;
use super::problem::{Path, Problem, Query};
use super::tokens::Operator;
use super::views::Page;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::desired::{Described, Difference, Document, Fault, Form, check, differences, is_name};

/// Media type of TOML (`RFC 9512` has none for it; this one is registered).
const TOML: &str = "application/toml";

/// A profile in listings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Profile)]
pub struct View {
    name: String,
    /// Number of its newest version.
    newest: i64,
    created: String,
    updated: String,
    /// Where it is assigned.
    assignments: Vec<AssignmentView>,
}

impl View {
    fn new(profile: store::Profile, assignments: &[Assignment]) -> Self {
        let store::Profile { name, newest, created, updated } = profile;
        let own = assignments.iter().filter(|one| one.profile == name).cloned();
        let assignments = own.map(AssignmentView::from).collect();
        Self { name, newest, created: rfc3339(created), updated: rfc3339(updated), assignments }
    }
}

/// A profile with its newest version, where it is assigned, and how far its devices are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileDetails)]
pub struct Details {
    name: String,
    newest: VersionView,
    assignments: Vec<AssignmentView>,
    /// How many devices are in which state: `converged`, `pending`, `drifted`, `failed`.
    devices: std::collections::BTreeMap<String, i64>,
}

/// One version of a profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileVersion)]
pub struct VersionView {
    name: String,
    version: i64,
    created: String,
    created_by: String,
    document: Document,
    /// What could not be checked when it was stored; left out elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl VersionView {
    fn read(stored: store::ProfileVersion) -> Result<Self, Problem> {
        Ok(Self {
            document: document_of(&stored)?,
            name: stored.name,
            version: stored.version,
            created: rfc3339(stored.created),
            created_by: stored.created_by,
            warnings: Vec::new(),
        })
    }
}

/// That a group has a version of a profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileAssignment)]
pub struct AssignmentView {
    /// The group; left out for all devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    version: i64,
    /// What it had before, which a roll-back gives it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<i64>,
    since: String,
    by: String,
    /// Other profiles of the same priority that want something else of the same nodes: the one whose name comes first counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl AssignmentView {
    /// With what is to be told of it.
    pub(super) fn with_warnings(assignment: Assignment, warnings: Vec<String>) -> Self {
        Self { warnings, ..assignment.into() }
    }
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        let Assignment { group, version, previous, since, by, .. } = assignment;
        Self { group, version, previous, since: rfc3339(since), by, warnings: Vec::new() }
    }
}

/// Lists profiles by name.
#[utoipa::path(get, path = "/profiles", operation_id = "list_profiles", params(Listing), tag = "profiles",
    responses((status = 200, body = Page<View>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<View>>, Problem> {
    let limit = listing.limit()?;
    let profiles = context.store.profiles(listing.after.as_deref(), limit + 1).await?;
    let assignments = context.store.assignments().await?;
    let view = |profile| View::new(profile, &assignments);
    Ok(Json(Page::cut(profiles, limit, |profile: &store::Profile| profile.name.clone(), view)))
}

/// Shows a profile: its newest version, where it is assigned, and how far its devices are.
#[utoipa::path(get, path = "/profiles/{name}", operation_id = "show_profile", params(("name" = String, Path)), tag = "profiles",
    responses((status = 200, body = Details), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<Details>, Problem> {
    let profile = known(&context, &name).await?;
    let newest = version(&context, &name, profile.newest).await?;
    let assignments = context.store.assignments().await?;
    let assignments = assignments.into_iter().filter(|assignment| assignment.profile == name);
    let assignments = assignments.map(AssignmentView::from).collect();
    let counts = context.store.profile_counts(&name).await?;
    Ok(Json(Details {
        newest: VersionView::read(newest)?,
        name,
        assignments,
        devices: counts.into_iter().map(|(state, devices)| (state.as_str().to_owned(), devices)).collect(),
    }))
}

/// How a document is taken.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Store it also when it contradicts the DDF files. Default false.
    #[serde(default)]
    force: bool,
    /// The version from which this one was made: 409 if the newest is another by now. 0: there must be no such profile.
    /// Default: whichever is the newest.
    base: Option<i64>,
}

/// Stores a document as the next version of a profile, which may be new. Nothing is assigned by it. A document that says the same as the
/// newest version gives that version.
#[utoipa::path(put, path = "/profiles/{name}", operation_id = "put_profile", params(("name" = String, Path), Taken),
    request_body(content((Document = "application/json"), (String = "application/toml"))), tag = "profiles",
    responses((status = 200, body = VersionView), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn put(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
    Query(taken): Query<Taken>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<VersionView>, Problem> {
    let document = read(&context, &headers, &body)?;
    if document.name != name {
        return Err(Problem::bad(format!(
            "the document is of the profile {:?}, not {name:?}",
            document.name
        )));
    }
    let warnings = examine(&context, &document, taken.force).await?;
    let text = document.to_text();
    let stored = context.store.put_profile(&name, &text, taken.base, &operator.0.0, clock::now()).await?;
    tell(
        &context,
        &name,
        &serde_json::json!({ "what": "stored", "version": stored.version, "by": operator.0.0 }),
    )
    .await?;
    Ok(Json(VersionView { warnings, ..VersionView::read(stored)? }))
}

fn read(context: &Context, headers: &HeaderMap, body: &[u8]) -> Result<Document, Problem> {
    let most = context.config.profiles.max_document.0;
    if body.len() > most {
        return Err(Problem::bad(format!(
            "the document has {} octets, the limit is {most} (profiles.max_document)",
            body.len()
        )));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Problem::bad(format!("the document is not UTF-8: {error}")))?;
    let is_toml = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(TOML.as_bytes()));
    let form = if is_toml { Form::Toml } else { Form::Json };
    Document::read(text, form).map_err(|fault| Problem::of_faults(vec![fault]))
}

/// Finds what is wrong with a document; gives what could not be checked.
async fn examine(context: &Context, document: &Document, force: bool) -> Result<Vec<String>, Problem> {
    let faults = check(document, context.config.profiles.max_items);
    if !faults.is_empty() {
        return Err(Problem::of_faults(faults));
    }
    if let Some(group) = &document.group
        && context.store.group(group).await?.is_none()
    {
        let what = format!("there is no group {group}; `omadm group ls` shows those that are");
        return Err(Problem::of_faults(vec![Fault { at: "group".into(), pointer: "/group".into(), what }]));
    }
    let files = context.models.now(context.store.as_ref()).await?;
    let said = Described { files: &files, public_url: &context.public_url }.check(document);
    let mut warnings = said.warnings;
    if !said.faults.is_empty() && !force {
        return Err(Problem::of_faults(said.faults));
    }
    warnings.extend(said.faults.iter().map(Fault::to_string));
    Ok(warnings)
}

/// Removes a profile. Devices that have it give it up at their next check-in, as its versions say.
#[utoipa::path(delete, path = "/profiles/{name}", operation_id = "remove_profile", params(("name" = String, Path)), tag = "profiles",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if !context.store.remove_profile(&name, clock::now()).await? {
        return Err(unknown(&name));
    }
    context.store.set_group_uses(&format!("profile:{name}"), Vec::new()).await?;
    context.profiles.refresh(&context).await?;
    tell(&context, &name, &serde_json::json!({ "what": "removed", "by": operator.0.0 })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists versions, newest first.
#[utoipa::path(get, path = "/profiles/{name}/versions", operation_id = "list_profile_versions", params(("name" = String, Path), Listing),
    tag = "profiles", responses((status = 200, body = Page<VersionView>), (status = 404, body = Problem)))]
pub async fn versions(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<VersionView>>, Problem> {
    let (limit, before) = (listing.limit()?, listing.number()?);
    known(&context, &name).await?;
    let versions = context.store.profile_versions(&name, before, limit + 1).await?;
    let page = Page::cut(versions, limit, |version| version.version.to_string(), VersionView::read);
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: page.next }))
}

/// Shows one version.
#[utoipa::path(get, path = "/profiles/{name}/versions/{version}", operation_id = "show_profile_version",
    params(("name" = String, Path), ("version" = i64, Path)), tag = "profiles",
    responses((status = 200, body = VersionView), (status = 404, body = Problem)))]
pub async fn show_version(
    State(context): State<Arc<Context>>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<VersionView>, Problem> {
    Ok(Json(VersionView::read(version(&context, &name, number).await?)?))
}

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The version before.
    from: i64,
    /// The version after. Default: the newest.
    to: Option<i64>,
}

/// The differences between two versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileDiff)]
pub struct Diff {
    from: i64,
    to: i64,
    differences: Vec<Difference>,
}

/// Compares two versions of a profile.
#[utoipa::path(get, path = "/profiles/{name}/diff", operation_id = "compare_profile_versions", params(("name" = String, Path), Compared),
    tag = "profiles", responses((status = 200, body = Diff), (status = 404, body = Problem)))]
pub async fn diff(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(compared): Query<Compared>,
) -> Result<Json<Diff>, Problem> {
    let to = match compared.to {
        Some(to) => to,
        None => known(&context, &name).await?.newest,
    };
    let before = document_of(&version(&context, &name, compared.from).await?)?;
    let after = document_of(&version(&context, &name, to).await?)?;
    Ok(Json(Diff { from: compared.from, to, differences: differences(&before, &after) }))
}

/// A profile that is there.
pub(super) async fn known(context: &Context, name: &str) -> Result<store::Profile, Problem> {
    if !is_name(name) {
        return Err(unknown(name));
    }
    context.store.profile(name).await?.ok_or_else(|| unknown(name))
}

/// A version of a profile that is there.
pub(super) async fn version(
    context: &Context,
    name: &str,
    number: i64,
) -> Result<store::ProfileVersion, Problem> {
    known(context, name).await?;
    let found = context.store.profile_version(name, number).await?;
    found.ok_or_else(|| Problem::unknown(format!("the profile {name} has no version {number}")))
}

/// What a version says.
pub(super) fn document_of(stored: &store::ProfileVersion) -> Result<Document, Problem> {
    Document::read(&stored.document, Form::Json).map_err(|fault| {
        let (name, version) = (&stored.name, stored.version);
        Problem::conflict(format!(
            "version {version} of {name} cannot be read ({fault}); another version of the server wrote it: store it again"
        ))
    })
}

/// Tells of a change to a profile.
pub(super) async fn tell(context: &Context, name: &str, what: &serde_json::Value) -> Result<(), Problem> {
    let mut body = what.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert("profile".into(), name.into());
    }
    let event = NewEvent { device: None, kind: "profile.change".into(), body: body.to_string() };
    Ok(context.store.add_events(vec![event], clock::now()).await?)
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no profile {name}; `omadm profile ls` shows those that are"))
}

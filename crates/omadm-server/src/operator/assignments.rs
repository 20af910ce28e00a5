//! Where profiles are assigned, how far devices are with them, and what would come of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_store::filter::Filter;
use omadm_store::{self as store, Assignment, ProfileState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Body as Sent, Path, Problem, Query};
use super::profiles::{AssignmentView, document_of, known, tell, version};
use super::tokens::Operator;
use super::views::Page;
use super::{device_id, known_device, limit};
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::desired::{Trial, Versions, clashes, trial};

/// Devices of a group that a dry run looks at, unless asked otherwise, and at most.
const SAMPLE: (u32, u32) = (20, 100);
/// Devices of a group are counted up to this many.
const COUNTED: u32 = 10_000;

/// What is assigned to what.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProfileAssignment)]
pub struct New {
    /// The version. Default: the newest; for a roll-back, the one that the group had before.
    version: Option<i64>,
    /// The group. Default: that of the document, or all devices.
    group: Option<String>,
}

/// Gives a group, or all devices, a version of a profile. Devices follow at their next check-in.
#[utoipa::path(put, path = "/profiles/{name}/assignment", operation_id = "assign_profile", params(("name" = String, Path)),
    request_body = New, tag = "profiles",
    responses((status = 200, body = AssignmentView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn assign(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
    Sent(new): Sent<New>,
) -> Result<Json<AssignmentView>, Problem> {
    let newest = known(&context, &name).await?.newest;
    let number = new.version.unwrap_or(newest);
    let document = document_of(&version(&context, &name, number).await?)?;
    let group = new.group.or(document.group);
    Ok(Json(give(&context, &operator, &name, number, group).await?))
}

/// Gives a group the version that it had before, or another older one.
#[utoipa::path(post, path = "/profiles/{name}/rollback", operation_id = "roll_profile_back", params(("name" = String, Path)),
    request_body = New, tag = "profiles",
    responses((status = 200, body = AssignmentView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn rollback(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
    Sent(new): Sent<New>,
) -> Result<Json<AssignmentView>, Problem> {
    known(&context, &name).await?;
    let of_profile = assignments_of(&context, &name).await?;
    let assigned = match (&new.group, of_profile.as_slice()) {
        (None, [only]) => Some(only),
        (group, all) => all.iter().find(|one| one.group == *group),
    };
    let Some(assigned) = assigned else {
        return Err(Problem::conflict(format!("{name} is not assigned there; assign a version instead")));
    };
    let number = match new.version.or(assigned.previous) {
        Some(number) => number,
        None => return Err(Problem::conflict(format!("{name} had no other version there; name one"))),
    };
    version(&context, &name, number).await?;
    Ok(Json(give(&context, &operator, &name, number, assigned.group.clone()).await?))
}

async fn assignments_of(context: &Context, name: &str) -> Result<Vec<Assignment>, Problem> {
    let all = context.store.assignments().await?;
    Ok(all.into_iter().filter(|assignment| assignment.profile == name).collect())
}

async fn give(
    context: &Context,
    operator: &Operator,
    name: &str,
    number: i64,
    group: Option<String>,
) -> Result<AssignmentView, Problem> {
    if let Some(group) = &group
        && context.store.group(group).await?.is_none()
    {
        return Err(Problem::unknown(format!(
            "there is no group {group}; `omadm group ls` shows those that are"
        )));
    }
    let all = context.store.assignments().await?;
    let most = context.config.profiles.max_assignments;
    let is_new = !all.iter().any(|one| one.profile == name && one.group == group);
    if is_new && all.len() >= most {
        return Err(Problem::conflict(format!(
            "there are {most} assignments, which is the limit (profiles.max_assignments)"
        )));
    }
    let warnings = contradictions(context, name, number, group.as_deref(), &all).await?;
    let assignment = Assignment {
        profile: name.to_owned(),
        group: group.clone(),
        version: number,
        previous: None,
        since: clock::now(),
        by: operator.0.clone(),
        clock: 0,
    };
    let assigned = context.store.assign_profile(assignment).await?;
    note_uses(context, name).await?;
    context.profiles.refresh(context).await?;
    let body = serde_json::json!({ "what": "assigned", "version": number, "group": group, "by": operator.0 });
    tell(context, name, &body).await?;
    Ok(AssignmentView::with_warnings(assigned, warnings))
}

/// Says which groups the profile uses, so that they are not removed.
async fn note_uses(context: &Context, name: &str) -> Result<(), Problem> {
    let mut groups: Vec<String> =
        assignments_of(context, name).await?.into_iter().filter_map(|one| one.group).collect();
    groups.dedup();
    Ok(context.store.set_group_uses(&format!("profile:{name}"), groups).await?)
}

/// Other assigned profiles of the same priority that want something else: refused where both are for the same devices for certain, else
/// told, as groups may have devices in common.
async fn contradictions(
    context: &Context,
    name: &str,
    number: i64,
    group: Option<&str>,
    all: &[Assignment],
) -> Result<Vec<String>, Problem> {
    let Some(own) = context.profiles.version(context, name, number).await? else { return Ok(Vec::new()) };
    let mut warnings = Vec::new();
    for other in all.iter().filter(|other| other.profile != name) {
        let Some(found) = context.profiles.version(context, &other.profile, other.version).await? else {
            continue;
        };
        let clashes = clashes(&own, &found);
        if clashes.is_empty() {
            continue;
        }
        let sentence =
            format!("{} of the same priority wants something else of {}", other.profile, clashes.join(", "));
        let meets = group.is_none() || other.group.is_none() || group == other.group.as_deref();
        if meets {
            return Err(Problem::conflict(format!("{sentence}; give one of them a higher priority")));
        }
        warnings.push(format!(
            "{sentence}; on devices of both groups, the profile whose name comes first counts."
        ));
    }
    Ok(warnings)
}

/// Which group is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// The group. Default: all devices.
    group: Option<String>,
}

/// Takes a profile from a group, or from all devices.
#[utoipa::path(delete, path = "/profiles/{name}/assignment", operation_id = "unassign_profile", params(("name" = String, Path), Of),
    tag = "profiles", responses((status = 204), (status = 404, body = Problem)))]
pub async fn unassign(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Result<StatusCode, Problem> {
    known(&context, &name).await?;
    if !context.store.unassign_profile(&name, of.group.as_deref()).await? {
        return Err(Problem::unknown(format!("{name} is not assigned there")));
    }
    note_uses(&context, &name).await?;
    context.profiles.refresh(&context).await?;
    let body = serde_json::json!({ "what": "unassigned", "group": of.group, "by": operator.0.0 });
    tell(&context, &name, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How far a device is with a profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceProfile)]
pub struct Standing {
    device: String,
    profile: String,
    version: i64,
    /// `converged`, `pending`, `drifted` or `failed`.
    state: &'static str,
    /// Why, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    since: String,
}

impl From<store::DeviceProfile> for Standing {
    fn from(of: store::DeviceProfile) -> Self {
        Self {
            device: of.device.as_str().to_owned(),
            profile: of.profile,
            version: of.version,
            state: of.state.as_str(),
            reason: of.reason,
            since: rfc3339(of.since),
        }
    }
}

/// Which devices of a profile are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
    /// `converged`, `pending`, `drifted` or `failed`. Default: any.
    state: Option<String>,
}

/// Lists the devices to which a profile applies, as they were at their last check-in, by identifier.
#[utoipa::path(get, path = "/profiles/{name}/devices", operation_id = "list_profile_devices", params(("name" = String, Path), Devices),
    tag = "profiles", responses((status = 200, body = Page<Standing>), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn devices(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(devices): Query<Devices>,
) -> Result<Json<Page<Standing>>, Problem> {
    let limit = limit(devices.limit)?;
    let after = devices.after.as_deref().map(device_id).transpose()?;
    let state = devices.state.map(|text| {
        ProfileState::parse(&text).ok_or_else(|| {
            Problem::bad(format!("{text:?} is no state; it is converged, pending, drifted or failed"))
        })
    });
    known(&context, &name).await?;
    let found = context.store.profile_devices(&name, state.transpose()?, after, limit + 1).await?;
    Ok(Json(Page::cut(found, limit, |one| one.device.as_str().to_owned(), Standing::from)))
}

/// How far a device is with all its profiles.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceProfiles)]
pub struct OfDevice {
    /// Each profile, as it was at the last check-in.
    profiles: Vec<Standing>,
    /// Everything that is wanted, as it is known now, and the commands that it would get at its next check-in.
    now: Trial,
}

/// Shows how far a device is with its profiles.
#[utoipa::path(get, path = "/devices/{id}/profiles", operation_id = "show_device_profiles", params(("id" = String, Path)), tag = "profiles",
    responses((status = 200, body = OfDevice), (status = 404, body = Problem)))]
pub async fn of_device(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<OfDevice>, Problem> {
    let device = known_device(&context, &id).await?;
    let profiles = context.store.device_profiles(&device.id).await?;
    let now = trial(&context, &device, &Versions::new()).await?;
    Ok(Json(OfDevice { profiles: profiles.into_iter().map(Standing::from).collect(), now }))
}

/// What is tried on what.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProfileDryRun)]
pub struct Try {
    /// The version. Default: the newest.
    version: Option<i64>,
    /// A device.
    device: Option<String>,
    /// A group: some of its devices are looked at. Default, without a device: the group of the document, or all devices.
    group: Option<String>,
    /// How many of them, 1 to 100. Default 20.
    sample: Option<u32>,
}

/// What would come of a version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileDryRun)]
pub struct Tried {
    version: i64,
    /// How many devices are meant; counted up to 10,000.
    devices: u32,
    /// How many commands the devices of the sample would get, by verb.
    commands: BTreeMap<String, u32>,
    /// The devices that were looked at.
    sample: Vec<Trial>,
}

/// Says what devices would get if they had a version of a profile, and changes nothing.
#[utoipa::path(post, path = "/profiles/{name}/dry-run", operation_id = "try_profile", params(("name" = String, Path)), request_body = Try,
    tag = "profiles", responses((status = 200, body = Tried), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn dry_run(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Sent(asked): Sent<Try>,
) -> Result<Json<Tried>, Problem> {
    let newest = known(&context, &name).await?.newest;
    let number = asked.version.unwrap_or(newest);
    let document = document_of(&version(&context, &name, number).await?)?;
    let instead = Versions::from([(name, number)]);
    let (devices, ids) = match (asked.device, asked.group.or(document.group)) {
        (Some(device), _) => (1, vec![known_device(&context, &device).await?.id]),
        (None, group) => {
            let sample = asked.sample.unwrap_or(SAMPLE.0);
            if !(1..=SAMPLE.1).contains(&sample) {
                return Err(Problem::bad(format!("sample has to be 1 to {}", SAMPLE.1)));
            }
            let filter = group.as_deref().map(Filter::group);
            let now = clock::now();
            let devices = context.store.count(filter.as_ref(), COUNTED, now).await?;
            (devices, context.store.select(filter.as_ref(), None, sample, now).await?)
        }
    };
    let (mut sample, mut commands) = (Vec::with_capacity(ids.len()), BTreeMap::new());
    for id in &ids {
        // One that is removed in this moment is left out.
        let Some(device) = context.store.device(id).await? else { continue };
        let tried = trial(&context, &device, &instead).await?;
        for command in &tried.commands {
            *commands.entry(command.verb.clone()).or_default() += 1;
        }
        sample.push(tried);
    }
    Ok(Json(Tried { version: number, devices, commands, sample }))
}

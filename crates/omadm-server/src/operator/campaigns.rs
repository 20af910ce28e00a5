//! Campaigns: a change over many devices.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_mo::DeviceId;
use omadm_store::filter::Filter;
use omadm_store::{
    Campaign, CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignState, CampaignStep, PackageKind,
    Rival, StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::actor::Actor;
use super::problem::{Body as Document, Path, Problem, Query};
use super::views::Page;
use super::{Listing, packages};
use crate::campaign::{self, Members, Plan, Progress, Spec};
use crate::clock::{self, rfc3339};
use crate::context::Context;

/// Longest wait for a change, in seconds.
const MAX_WAIT: u64 = 60;
/// Pause between two looks of who waits.
const LOOK: Duration = Duration::from_millis(500);
/// Devices that failed in a report.
const FAILURES: u32 = 100;
/// Devices of a campaign that are removed in one batch.
const BATCH: u32 = 1_000;
/// How often a change is tried when the runner comes between.
const TRIES: usize = 20;

/// Devices by state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignCounts)]
pub struct Counts {
    /// Reached so far.
    total: i64,
    /// Their commands are queued or sent.
    open: i64,
    done: i64,
    failed: i64,
    /// Another attempt follows.
    retry: i64,
    /// They wait for another campaign, for room in their queue or for their window.
    waiting: i64,
    /// Left out, because another campaign is at the same thing.
    skipped: i64,
    /// The campaign was stopped before their commands were sent.
    cancelled: i64,
    /// Removed or enrolled anew meanwhile.
    gone: i64,
}

impl From<CampaignCounts> for Counts {
    fn from(counts: CampaignCounts) -> Self {
        let total = counts.total();
        let CampaignCounts { open, done, failed, retry, waiting, skipped, cancelled, gone } = counts;
        Self { total, open, done, failed, retry, waiting, skipped, cancelled, gone }
    }
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Campaign)]
pub struct View {
    id: Uuid,
    name: String,
    /// `draft`, `running`, `holding`, `paused`, `stopped`, `failed` or `done`.
    state: &'static str,
    /// Counts the changes.
    version: i64,
    created: String,
    created_by: String,
    updated: String,
    /// When it began.
    began: Option<String>,
    /// The stage in work, from 1.
    stage: usize,
    /// How many stages there are.
    stages: usize,
    /// Whether all devices of the stage were reached.
    scanned: bool,
    /// Why it was stopped.
    why: Option<String>,
    devices: Counts,
    /// What was said of it; left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    spec: Option<Value>,
}

impl View {
    fn brief(campaign: Campaign) -> Self {
        let progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        let spec: Value = serde_json::from_str(&campaign.document).unwrap_or_default();
        let stages = spec.get("stages").and_then(Value::as_array).map_or(0, Vec::len).max(1);
        Self {
            id: campaign.id,
            name: campaign.name,
            state: campaign.state.as_str(),
            version: campaign.version,
            created: rfc3339(campaign.created),
            created_by: campaign.created_by,
            updated: rfc3339(campaign.updated),
            began: progress.began.map(|began| rfc3339(omadm_mo::Time(began))),
            stage: progress.stage + 1,
            stages,
            scanned: progress.scanned,
            why: progress.why,
            devices: campaign.counts.into(),
            spec: None,
        }
    }

    fn full(campaign: Campaign) -> Self {
        let spec = serde_json::from_str(&campaign.document).ok();
        Self { spec, ..Self::brief(campaign) }
    }
}

/// A device in a campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignDevice)]
pub struct DeviceView {
    device: String,
    /// `open`, `done`, `failed`, `retry`, `waiting`, `skipped`, `cancelled` or `gone`.
    state: &'static str,
    /// How often its commands were queued.
    attempts: u32,
    /// When it is tried again.
    due: Option<String>,
    /// Status that it gave last.
    status: Option<u16>,
    /// Why it is in this state.
    reason: Option<String>,
    updated: String,
}

impl From<CampaignDevice> for DeviceView {
    fn from(device: CampaignDevice) -> Self {
        Self {
            device: device.device.as_str().to_owned(),
            state: device.state.as_str(),
            attempts: device.attempts,
            due: device.due.map(rfc3339),
            status: device.status,
            reason: device.reason,
            updated: rfc3339(device.updated),
        }
    }
}

/// How a campaign went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignReport)]
pub struct Report {
    campaign: View,
    /// Percent of the devices reached of which nothing more is to come.
    settled_percent: f64,
    /// Percent of those that came to an end which have failed.
    failed_percent: f64,
    /// Devices that failed, by id; `/devices?state=failed` has all.
    failures: Vec<DeviceView>,
    /// Whether more have failed than are listed.
    more_failures: bool,
}

/// Lists campaigns, newest first.
#[utoipa::path(get, path = "/campaigns", params(Listing), tag = "campaigns", responses((status = 200, body = Page<View>)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<View>>, Problem> {
    let limit = listing.limit()?;
    let campaigns = context.store.campaigns(listing.uuid()?, limit + 1).await?;
    Ok(Json(Page::cut(campaigns, limit, |campaign| campaign.id.to_string(), View::brief)))
}

/// Makes a campaign; it begins when it is started.
#[utoipa::path(post, path = "/campaigns", request_body = Spec, tag = "campaigns",
    responses((status = 201, body = View), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Document(document): Document<Value>,
) -> Result<(StatusCode, Json<View>), Problem> {
    let now = clock::now();
    let spec: Spec = serde_json::from_value(document.clone())
        .map_err(|error| Problem::bad(format!("the campaign cannot be read: {error}")))?;
    let package = match campaign::package_of(&spec.change) {
        Some((id, kind)) => Some(of_kind(packages::known(&context, id).await?, kind)?),
        None => None,
    };
    campaign::prepare(&context, &spec.change, package.as_ref(), now).await?.map_err(Problem::bad)?;
    let plan = Plan::read(spec).map_err(Problem::bad)?;
    plan.check_times(now).map_err(Problem::bad)?;
    for filter in filters(&plan) {
        context.store.expand(filter).await?;
    }
    let campaign = Campaign {
        id: Uuid::now_v7(),
        name: plan.spec.name.clone(),
        state: CampaignState::Draft,
        version: 0,
        created: now,
        created_by: actor.0.name.clone(),
        updated: now,
        due: None,
        package: package.as_ref().map(|package| package.id),
        target: campaign::target(&plan.spec.change, package.as_ref()),
        document: document.to_string(),
        progress: serde_json::json!(Progress::default()).to_string(),
        counts: CampaignCounts::default(),
    };
    let name = campaign.name.clone();
    match write(&context, campaign, "made", None).await {
        Ok(made) => Ok((StatusCode::CREATED, Json(View::full(made)))),
        Err(StoreError::Conflict(_)) => {
            Err(Problem::conflict(format!("there is a campaign named {name:?} already; give another name")))
        }
        Err(error) => Err(error.into()),
    }
}

fn of_kind(package: omadm_store::Package, kind: PackageKind) -> Result<omadm_store::Package, Problem> {
    if package.kind == kind {
        return Ok(package);
    }
    let (is, wants) = (package.kind.as_str(), kind.as_str());
    Err(Problem::bad(format!("the package {} is one of {is}, and the campaign wants {wants}", package.id)))
}

/// The filters of a campaign.
fn filters(plan: &Plan) -> impl Iterator<Item = &Filter> {
    let stages = plan.stages.iter().filter_map(|step| match &step.members {
        Members::Filter(filter) => Some(filter),
        Members::Share(_) => None,
    });
    plan.filter.iter().chain(stages)
}

/// What to wait for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait until it is changed, 0 to 60. Default 0.
    wait: Option<u64>,
    /// The version that is known. Default: the one it has.
    version: Option<i64>,
}

/// Shows a campaign; with `wait`, once it has changed or the time is over.
#[utoipa::path(get, path = "/campaigns/{campaign}", params(("campaign" = String, Path, description = "identifier or name"), Wait), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<View>, Problem> {
    let seconds = wait.wait.unwrap_or(0);
    if seconds > MAX_WAIT {
        return Err(Problem::bad(format!("wait is {seconds}, it has to be 0 to {MAX_WAIT} seconds")));
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut campaign = known(&context, &name).await?;
    let version = wait.version.unwrap_or(campaign.version);
    let mut stopped = context.stopped.clone();
    while campaign.version == version && Instant::now() < deadline && !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
        }
        campaign = known(&context, &name).await?;
    }
    Ok(Json(View::full(campaign)))
}

/// Removes a campaign that is a draft, or of which nothing more is to come.
#[utoipa::path(delete, path = "/campaigns/{campaign}", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let campaign = known(&context, &name).await?;
    loop {
        match context.store.remove_campaign(campaign.id, BATCH).await? {
            Some(true) => break,
            Some(false) => {
                return Err(Problem::conflict(
                    "the campaign goes on; stop it, and wait for the devices that have begun",
                ));
            }
            None => {}
        }
    }
    context.store.set_group_uses(&campaign::user(campaign.id), Vec::new()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a draft.
#[utoipa::path(post, path = "/campaigns/{campaign}/start", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn start(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let campaign = known(&context, &name).await?;
    if campaign.state == CampaignState::Draft {
        let unreadable = |error: String| Problem::bad(format!("the campaign cannot be started: {error}"));
        let spec = serde_json::from_str(&campaign.document).map_err(|error| unreadable(error.to_string()))?;
        let plan = Plan::read(spec).map_err(unreadable)?;
        plan.check_times(clock::now()).map_err(unreadable)?;
        // A group may have been removed since: the draft did not hold it.
        for filter in filters(&plan) {
            context.store.expand(filter).await?;
        }
        let groups = filters(&plan).flat_map(Filter::groups).map(|(name, _)| name.to_owned());
        context.store.set_group_uses(&campaign::user(campaign.id), groups.collect()).await?;
    }
    change(&context, &name, "started", |campaign| match campaign.state {
        CampaignState::Draft => Ok(CampaignState::Running),
        other => Err(format!("it is {}; only a draft can be started", other.as_str())),
    })
    .await
}

/// Holds a campaign: no further device begins, and what was queued goes on.
#[utoipa::path(post, path = "/campaigns/{campaign}/pause", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn pause(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    change(&context, &name, "paused", |campaign| match campaign.state {
        CampaignState::Running | CampaignState::Holding => Ok(CampaignState::Paused),
        other => Err(format!("it is {}; only one that goes on can be paused", other.as_str())),
    })
    .await
}

/// Lets a paused campaign go on, or says to one that holds between two stages that the next one may begin.
#[utoipa::path(post, path = "/campaigns/{campaign}/resume", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn resume(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    change(&context, &name, "resumed", |campaign| {
        let mut progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        match campaign.state {
            CampaignState::Paused if progress.holding.is_some() => Ok(CampaignState::Holding),
            CampaignState::Paused => Ok(CampaignState::Running),
            CampaignState::Holding => {
                progress.advance();
                campaign.progress = serde_json::json!(progress).to_string();
                Ok(CampaignState::Running)
            }
            other => {
                Err(format!("it is {}; only one that is paused or holds can be resumed", other.as_str()))
            }
        }
    })
    .await
}

/// Stops a campaign for good: what was not sent is cancelled.
#[utoipa::path(post, path = "/campaigns/{campaign}/stop", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn stop(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let why = format!("Stopped by {}.", actor.0.name);
    change(&context, &name, "stopped", |campaign| {
        if campaign.state.is_final() {
            return Err(format!("it is {} already", campaign.state.as_str()));
        }
        let progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        campaign.progress = serde_json::json!(Progress { why: Some(why.clone()), ..progress }).to_string();
        Ok(CampaignState::Stopped)
    })
    .await
}

/// Which devices are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Only those of this state.
    state: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// Lists the devices that a campaign has reached, by id.
#[utoipa::path(get, path = "/campaigns/{campaign}/devices", params(("campaign" = String, Path, description = "identifier or name"), Devices), tag = "campaigns",
    responses((status = 200, body = Page<DeviceView>), (status = 404, body = Problem)))]
pub async fn devices(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(wanted): Query<Devices>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    let limit = super::limit(wanted.limit)?;
    let after = wanted.after.as_deref().map(super::device_id).transpose()?;
    let state = wanted.state.as_deref().map(|name| {
        let names =
            CampaignDeviceState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
        let state = CampaignDeviceState::parse(name);
        state.ok_or_else(|| Problem::bad(format!("there is no state {name:?}; there are {names}")))
    });
    let campaign = known(&context, &name).await?;
    let found = context.store.campaign_devices(campaign.id, state.transpose()?, after, limit + 1).await?;
    Ok(Json(Page::cut(found, limit, |found| found.device.as_str().to_owned(), DeviceView::from)))
}

/// Says how a campaign went so far.
#[utoipa::path(get, path = "/campaigns/{campaign}/report", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = Report), (status = 404, body = Problem)))]
pub async fn report(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<Report>, Problem> {
    let campaign = known(&context, &name).await?;
    let failed = Some(CampaignDeviceState::Failed);
    let after: Option<DeviceId> = None;
    let failures = context.store.campaign_devices(campaign.id, failed, after, FAILURES).await?;
    let counts = campaign.counts;
    let listed = i64::try_from(failures.len()).unwrap_or(i64::MAX);
    Ok(Json(Report {
        settled_percent: percent(counts.total() - counts.unsettled(), counts.total()),
        failed_percent: percent(counts.failed, counts.done + counts.failed),
        more_failures: counts.failed > listed,
        failures: failures.into_iter().map(DeviceView::from).collect(),
        campaign: View::full(campaign),
    }))
}

/// To two places; 0 of nothing.
fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    let hundredths = i128::from(part) * 10_000 / i128::from(whole);
    f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0
}

async fn known(context: &Context, name: &str) -> Result<Campaign, Problem> {
    let found = match Uuid::try_parse(name) {
        Ok(id) => context.store.campaign(id).await?,
        Err(_) => context.store.campaign_named(name).await?,
    };
    found.ok_or_else(|| {
        Problem::unknown(format!("there is no campaign {name:?}; `omadm campaign ls` shows those that are"))
    })
}

/// Brings a campaign into another state; the runner may come between.
async fn change(
    context: &Context,
    name: &str,
    what: &str,
    into: impl Fn(&mut Campaign) -> Result<CampaignState, String>,
) -> Result<Json<View>, Problem> {
    for _ in 0..TRIES {
        let mut campaign = known(context, name).await?;
        campaign.state = into(&mut campaign).map_err(Problem::conflict)?;
        campaign.due = Some(clock::now());
        match write(context, campaign, what, None).await {
            Ok(changed) => {
                context.campaigns.wake();
                return Ok(Json(View::full(changed)));
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the campaign is being worked on; try again"))
}

async fn write(
    context: &Context,
    campaign: Campaign,
    what: &str,
    why: Option<&str>,
) -> Result<Campaign, StoreError> {
    let now = clock::now();
    let events = vec![campaign::event(&campaign, what, why)];
    let step = CampaignStep {
        campaign: campaign.clone(),
        tries: Vec::new(),
        ends: Vec::new(),
        gone: Vec::new(),
        taken_back: Vec::new(),
        cancel: None,
        rival: Rival::Skip,
        retry_full: now,
        queue_limit: context.config.queue.max_per_device,
        events,
    };
    context.store.step_campaign(step, now).await?;
    let written = context.store.campaign(campaign.id).await?;
    written.ok_or(StoreError::Conflict("a campaign"))
}

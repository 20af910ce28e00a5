//! Campaigns: a change over many devices.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use omadm_mo::Time;
use omadm_store::filter::Filter;
use omadm_store::{
    Campaign, CampaignCounts, CampaignDeviceState, CampaignQuery, CampaignState, CampaignStep, PackageKind,
    Rival, StoreError,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::IntoParams;
use uuid::Uuid;

pub mod acts;
mod preview;
mod sight;
mod views;

use preview::{Preview, preview};
pub use views::{DeviceView, Report, View};

use super::actor::Actor;
use super::problem::{Body as Document, Path, Problem, Query};
use super::views::Page;
use super::{Listing, packages, reach};
use crate::campaign::{self, Fault, Members, Plan, Progress, Spec};
use crate::clock;
use crate::context::Context;

/// Longest wait for a change, in seconds.
const MAX_WAIT: u64 = 60;
/// Pause between two looks of who waits.
const LOOK: Duration = Duration::from_millis(500);
/// Devices that failed in a report.
const FAILURES: u32 = 100;
/// Devices of a campaign that are removed in one batch.
const BATCH: u32 = 1_000;

/// Which campaigns are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this state: `draft`, `running`, `holding`, `paused`, `stopped`, `failed` or `done`.
    state: Option<String>,
    /// Only those that bring this package.
    package: Option<Uuid>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// Lists campaigns, newest first.
#[utoipa::path(get, path = "/campaigns", params(Wanted), tag = "campaigns", responses((status = 200, body = Page<View>)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<View>>, Problem> {
    let Wanted { state, package, limit, after } = wanted;
    let listing = Listing { limit, after };
    let limit = listing.limit()?;
    let state = state.as_deref().map(state_named).transpose()?;
    let mut query = CampaignQuery { state, package, before: listing.uuid()? };
    let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut campaigns = Vec::new();
    while campaigns.len() < most {
        let page = context.store.campaigns(query, limit + 1).await?;
        let is_end = page.len() < most;
        query.before = page.last().map(|campaign| campaign.id);
        campaigns.extend(page.into_iter().filter(|campaign| reach::sees_campaign(&actor.0, campaign)));
        if is_end {
            break;
        }
    }
    Ok(Json(Page::cut(campaigns, limit, |campaign| campaign.id.to_string(), View::brief)))
}

fn state_named(name: &str) -> Result<CampaignState, Problem> {
    let state = CampaignState::parse(name);
    state.ok_or_else(|| {
        let names = CampaignState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
        Problem::bad(format!("there is no state {name:?}; there are {names}"))
    })
}

/// How a campaign is made.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// Make nothing: say what is wrong with it, or which devices it would touch.
    #[serde(default)]
    dry_run: bool,
}

/// Makes a campaign; it begins when it is started.
#[utoipa::path(post, path = "/campaigns", params(Making), request_body = Spec, tag = "campaigns",
    responses((status = 200, body = Preview, description = "what it would touch"), (status = 201, body = View),
    (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(making): Query<Making>,
    Document(document): Document<Value>,
) -> Result<Response, Problem> {
    let now = clock::now();
    let (plan, package) = planned(&context, &document, now).await?;
    let name = plan.spec.name.clone();
    let taken = || {
        Problem::conflict(format!("there is a campaign named {name:?} already; give another name"))
            .about("/name")
    };
    if making.dry_run {
        if context.store.campaign_named(&name).await?.is_some() {
            return Err(taken());
        }
        return Ok(Json(preview(&context, &actor.0, &plan, package.as_ref(), now).await?).into_response());
    }
    let campaign = Campaign {
        id: Uuid::now_v7(),
        name: name.clone(),
        state: CampaignState::Draft,
        version: 0,
        created: now,
        created_by: actor.0.name.clone(),
        updated: now,
        due: None,
        package: package.as_ref().map(|package| package.id),
        groups: actor.0.groups.clone(),
        target: campaign::target(&plan.spec.change, package.as_ref()),
        document: document.to_string(),
        progress: serde_json::json!(Progress::default()).to_string(),
        counts: CampaignCounts::default(),
    };
    match write(&context, campaign, "made", None).await {
        Ok(made) => Ok((StatusCode::CREATED, Json(View::full(made))).into_response()),
        Err(StoreError::Conflict(_)) => Err(taken()),
        Err(error) => Err(error.into()),
    }
}

/// Reads what is said of a campaign, and holds it against what there is; gives the package that it brings, too.
async fn planned(
    context: &Context,
    document: &Value,
    now: Time,
) -> Result<(Plan, Option<omadm_store::Package>), Problem> {
    let spec: Spec = serde_json::from_value(document.clone())
        .map_err(|error| Problem::bad(format!("the campaign cannot be read: {error}")))?;
    let of_change = |problem: Problem| problem.about("/change");
    let package = match campaign::package_of(&spec.change) {
        Some((id, kind)) => Some(
            packages::known(context, id)
                .await
                .and_then(|package| of_kind(package, kind))
                .map_err(of_change)?,
        ),
        None => None,
    };
    let prepared = campaign::prepare(context, &spec.change, package.as_ref(), now).await?;
    prepared.map_err(|why| of_change(Problem::bad(why)))?;
    let plan = Plan::read(spec, &context.config.campaigns)?;
    plan.check_limits()?;
    plan.check_times(now)?;
    for (field, filter) in filters(&plan) {
        context
            .store
            .expand(filter)
            .await
            .map_err(|error| Problem::from(error).about(format!("/{field}")))?;
    }
    Ok((plan, package))
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::bad(fault.what).about(format!("/{}", fault.field)).with_at(fault.at)
    }
}

fn of_kind(package: omadm_store::Package, kind: PackageKind) -> Result<omadm_store::Package, Problem> {
    if package.kind == kind {
        return Ok(package);
    }
    let (is, wants) = (package.kind.as_str(), kind.as_str());
    Err(Problem::bad(format!("the package {} is one of {is}, and the campaign wants {wants}", package.id)))
}

/// The filters of a campaign, each with the member that says it.
fn filters(plan: &Plan) -> impl Iterator<Item = (String, &Filter)> {
    let stages = plan.stages.iter().enumerate().filter_map(|(place, step)| match &step.members {
        Members::Filter(filter) => Some((format!("stages/{place}/filter"), filter)),
        Members::Share(_) => None,
    });
    plan.filter.iter().map(|filter| ("filter".to_owned(), filter)).chain(stages)
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
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<View>, Problem> {
    let seconds = wait.wait.unwrap_or(0);
    if seconds > MAX_WAIT {
        return Err(Problem::bad(format!("wait is {seconds}, it has to be 0 to {MAX_WAIT} seconds")));
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut campaign = known(&context, &actor.0, &name).await?;
    let version = wait.version.unwrap_or(campaign.version);
    let mut stopped = context.stopped.clone();
    while campaign.version == version && Instant::now() < deadline && !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => {}
            () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
        }
        campaign = known(&context, &actor.0, &name).await?;
    }
    Ok(Json(View::full(campaign)))
}

/// How a campaign is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Removing {
    /// Remove it also when devices have a version of a profile from it, which cannot be taken back then. Default false.
    #[serde(default)]
    force: bool,
}

/// Removes a campaign that is a draft, or of which nothing more is to come.
#[utoipa::path(delete, path = "/campaigns/{campaign}", params(("campaign" = String, Path, description = "identifier or name"), Removing), tag = "campaigns",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
    Query(removing): Query<Removing>,
) -> Result<StatusCode, Problem> {
    let campaign = known(&context, &actor.0, &name).await?;
    if !removing.force
        && let Some(why) = sight::keeps(&context, &campaign).await?
    {
        return Err(Problem::conflict(why));
    }
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
    actor: axum::Extension<Actor>,
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
    let campaign = known(&context, &actor.0, &name).await?;
    let found = sight::devices(&context, &actor.0, &campaign, state.transpose()?, after, limit).await?;
    let Page { items, next } = found;
    Ok(Json(Page { items: items.into_iter().map(DeviceView::from).collect(), next }))
}

/// Says how a campaign went so far.
#[utoipa::path(get, path = "/campaigns/{campaign}/report", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = Report), (status = 404, body = Problem)))]
pub async fn report(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<Report>, Problem> {
    let campaign = known(&context, &actor.0, &name).await?;
    let failed = Some(CampaignDeviceState::Failed);
    let Page { items, next } = sight::devices(&context, &actor.0, &campaign, failed, None, FAILURES).await?;
    let counts = campaign.counts;
    Ok(Json(Report {
        settled_percent: percent(counts.total() - counts.unsettled(), counts.total()),
        failed_percent: percent(counts.failed, counts.done + counts.failed),
        more_failures: next.is_some(),
        failures: items.into_iter().map(DeviceView::from).collect(),
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

/// A campaign that is there, and that somebody may see: who is limited to groups sees those that are kept to these.
async fn known(context: &Context, actor: &Actor, name: &str) -> Result<Campaign, Problem> {
    let found = match Uuid::try_parse(name) {
        Ok(id) => context.store.campaign(id).await?,
        Err(_) => context.store.campaign_named(name).await?,
    };
    found.filter(|campaign| reach::sees_campaign(actor, campaign)).ok_or_else(|| {
        Problem::unknown(format!("there is no campaign {name:?}; `omadm campaign ls` shows those that are"))
    })
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

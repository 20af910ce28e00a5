//! What operators do to campaigns.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_store::filter::Filter;
use omadm_store::{Campaign, CampaignState, StoreError};

use super::views::View;
use super::{filters, known, write};
use crate::campaign::{self, Change, Fault, Plan, Progress, Spec};
use crate::clock;
use crate::context::Context;
use crate::operator::actor::Actor;
use crate::operator::problem::{Path, Problem};

/// How often a change is tried when the runner comes between.
const TRIES: usize = 20;

/// Starts a draft.
#[utoipa::path(post, path = "/campaigns/{campaign}/start", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn start(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let campaign = known(&context, &actor.0, &name).await?;
    if campaign.state == CampaignState::Draft {
        let unreadable = |error: String| Problem::bad(format!("the campaign cannot be started: {error}"));
        let spec = serde_json::from_str(&campaign.document).map_err(|error| unreadable(error.to_string()))?;
        let unmeant = |fault: Fault| unreadable(fault.what);
        let plan = Plan::read(spec, &context.config.campaigns).map_err(unmeant)?;
        plan.check_times(clock::now()).map_err(unmeant)?;
        // A group may have been removed since: the draft did not hold it.
        for (_, filter) in filters(&plan) {
            context.store.expand(filter).await?;
        }
        if let Some(groups) = &campaign.groups {
            context.store.expand(&Filter::of_groups(groups)).await?;
        }
        let groups = filters(&plan).flat_map(|(_, filter)| filter.groups()).map(|(name, _)| name.to_owned());
        let groups = groups.chain(campaign.groups.into_iter().flatten()).collect();
        context.store.set_group_uses(&campaign::user(campaign.id), groups).await?;
    }
    change(&context, &actor.0, &name, "started", |campaign| match campaign.state {
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
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    change(&context, &actor.0, &name, "paused", |campaign| match campaign.state {
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
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    change(&context, &actor.0, &name, "resumed", |campaign| {
        let mut progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        match campaign.state {
            CampaignState::Paused if progress.holding.is_some() => Ok(CampaignState::Holding),
            CampaignState::Paused => Ok(CampaignState::Running),
            CampaignState::Holding => {
                progress.advance(campaign.counts.total());
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

/// Stops a campaign for good: what was not sent is cancelled. Devices keep what they were given.
#[utoipa::path(post, path = "/campaigns/{campaign}/stop", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn stop(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let why = format!("Stopped by {}.", actor.0.name);
    change(&context, &actor.0, &name, "stopped", |campaign| {
        if campaign.state.is_final() {
            return Err(format!("it is {} already", campaign.state.as_str()));
        }
        let progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        campaign.progress = serde_json::json!(Progress { why: Some(why.clone()), ..progress }).to_string();
        Ok(CampaignState::Stopped)
    })
    .await
}

/// Takes back what devices were given by a campaign that brings a profile, and stops it if it goes on: they have again what their groups
/// have, or nothing of the profile.
#[utoipa::path(post, path = "/campaigns/{campaign}/rollback", params(("campaign" = String, Path, description = "identifier or name")), tag = "campaigns",
    responses((status = 200, body = View), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn rollback(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    let why = format!("Rolled back by {}.", actor.0.name);
    change(&context, &actor.0, &name, "roll-back begun", |campaign| {
        let spec: Option<Spec> = serde_json::from_str(&campaign.document).ok();
        if !spec.is_some_and(|spec| matches!(spec.change, Change::Profile(_))) {
            return Err("only what brings a profile can be taken back; bring the older package, or the value of before, by a campaign of its own".to_owned());
        }
        if campaign.state == CampaignState::Draft {
            return Err("it was not started: there is nothing to take back".to_owned());
        }
        let mut progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        progress.taking_back = Some(String::new());
        let state = if campaign.state.is_final() {
            campaign.state
        } else {
            progress.why = Some(why.clone());
            CampaignState::Stopped
        };
        campaign.progress = serde_json::json!(progress).to_string();
        Ok(state)
    })
    .await
}

/// Brings a campaign into another state; the runner may come between.
async fn change(
    context: &Context,
    actor: &Actor,
    name: &str,
    what: &str,
    into: impl Fn(&mut Campaign) -> Result<CampaignState, String>,
) -> Result<Json<View>, Problem> {
    for _ in 0..TRIES {
        let mut campaign = known(context, actor, name).await?;
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

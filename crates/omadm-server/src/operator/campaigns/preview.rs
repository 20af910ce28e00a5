//! What a campaign would touch, before it is made.

use omadm_mo::Time;
use omadm_store::Package;
use omadm_store::filter::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::campaign::{Members, Plan, WHOLE, of_models};
use crate::context::Context;
use crate::operator::actor::Actor;
use crate::operator::problem::Problem;
use crate::operator::reach;

/// Counting stops here.
const MOST: u32 = 10_000;

/// The devices that a campaign would touch, as they are now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignPreview)]
pub struct Preview {
    /// How many there are, at most 10000.
    devices: u32,
    /// Whether these are all; else counting stopped.
    complete: bool,
    /// How many of them belong to each stage; a device in several is counted in each.
    stages: Vec<StagePreview>,
}

/// The devices of a stage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignStagePreview)]
pub struct StagePreview {
    /// How many there are: of a filter counted, of a share about so many.
    devices: u32,
    /// Whether these are all; else counting stopped.
    complete: bool,
}

/// Counts the devices of a campaign.
///
/// # Errors
/// When the store fails.
pub async fn preview(
    context: &Context,
    actor: &Actor,
    plan: &Plan,
    package: Option<&Package>,
    now: Time,
) -> Result<Preview, Problem> {
    let mut parts: Vec<Filter> = plan.filter.clone().into_iter().chain(reach::filter(actor)).collect();
    if let Some(model) = package.and_then(|package| package.model.as_deref()) {
        parts.push(of_models(model)?);
    }
    let all = parts.into_iter().reduce(Filter::and);
    let (devices, complete) = count(context, all.as_ref(), now).await?;
    let (mut stages, mut before) = (Vec::with_capacity(plan.stages.len()), 0);
    for step in &plan.stages {
        stages.push(match &step.members {
            Members::Share(share) => {
                let part = share_of(devices, *share) - share_of(devices, before);
                before = *share;
                StagePreview { devices: part, complete }
            }
            Members::Filter(filter) => {
                let of_stage = all.iter().cloned().fold(filter.clone(), Filter::and);
                let (devices, complete) = count(context, Some(&of_stage), now).await?;
                StagePreview { devices, complete }
            }
        });
    }
    Ok(Preview { devices, complete, stages })
}

/// How many devices there are, and whether these are all.
async fn count(context: &Context, filter: Option<&Filter>, now: Time) -> Result<(u32, bool), Problem> {
    let devices = context.store.count(filter, MOST + 1, now).await?;
    Ok((devices.min(MOST), devices <= MOST))
}

/// So many parts of [`WHOLE`] of a number, rounded.
fn share_of(devices: u32, parts: u32) -> u32 {
    let whole = u64::from(WHOLE);
    let share = (u64::from(devices) * u64::from(parts) + whole / 2) / whole;
    u32::try_from(share).unwrap_or(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let ends = [1, 2_500, WHOLE].map(|parts| share_of(1_001, parts));
        assert_eq!(ends, [0, 250, 1_001]);
        assert_eq!(share_of(u32::MAX, WHOLE), u32::MAX);
    }
}

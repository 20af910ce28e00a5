//! Which devices of a campaign somebody sees, and what speaks against its removal.

use omadm_mo::DeviceId;
use omadm_store::{Campaign, CampaignDevice, CampaignDeviceState, StoreError};

use crate::campaign::{Change, Progress, Spec};
use crate::context::Context;
use crate::operator::actor::Actor;
use crate::operator::reach;
use crate::operator::views::Page;

/// Most devices that are looked at for one page: who sees few of them gets pages that are not full.
const LOOKED_AT: usize = 10_000;

/// Devices that a campaign has reached and that somebody sees now, of one state or any, by identifier after `after`. A device may have left
/// the groups of who made the campaign since.
///
/// # Errors
/// When the store fails, or a group of theirs is gone.
pub async fn devices(
    context: &Context,
    actor: &Actor,
    campaign: &Campaign,
    state: Option<CampaignDeviceState>,
    mut after: Option<DeviceId>,
    limit: u32,
) -> Result<Page<CampaignDevice>, StoreError> {
    let view = reach::View::of(context, actor).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        // One more tells whether there is a next page.
        let read = context.store.campaign_devices(campaign.id, state, after.take(), limit.saturating_add(1));
        let page = read.await?;
        let is_end = page.len() <= most;
        looked_at += page.len();
        for found in page {
            if items.len() == most {
                let next = after.map(|last| last.as_str().to_owned());
                return Ok(Page { items, next });
            }
            after = Some(found.device.clone());
            if view.shows_everything() || view.shows_id(context, &found.device).await? {
                items.push(found);
            }
        }
        if is_end {
            return Ok(Page { items, next: None });
        }
        if looked_at >= LOOKED_AT {
            let next = after.map(|last| last.as_str().to_owned());
            return Ok(Page { items, next });
        }
    }
}

/// Why a campaign should not be removed, if something speaks against it: what it gave to devices could not be taken back any more.
///
/// # Errors
/// When the store fails.
pub async fn keeps(context: &Context, campaign: &Campaign) -> Result<Option<&'static str>, StoreError> {
    let spec: Option<Spec> = serde_json::from_str(&campaign.document).ok();
    let Some(Change::Profile(of)) = spec.map(|spec| spec.change) else { return Ok(None) };
    let progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
    if progress.taking_back.is_some() {
        return Ok(Some("it is being rolled back; wait until that is done, or say force"));
    }
    let has_given = campaign.counts.done + campaign.counts.failed > 0;
    // What devices were given of a profile that is removed counts no more.
    if progress.taken_back || !has_given || context.store.profile(&of.name).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(
        "devices have a version of a profile from it, and it could not be rolled back any more; roll it back first, or say force: they keep \
         that version until the profile is assigned to them",
    ))
}

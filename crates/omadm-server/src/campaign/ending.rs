//! How devices of a campaign come to their end without a command of theirs: what is cancelled, taken back, gone or overdue.

use omadm_mo::DeviceId;
use omadm_store::{
    Campaign, CampaignCancel, CampaignDeviceState, CampaignEnd, CampaignProfileDevice, CampaignStep,
    CampaignVerdict, StoreError,
};

use super::engine::{self, Progress};
use super::event;
use super::runner::{Mover, PAGE, Shelf, written};
use super::spec::{Change, ProfileOf};
use crate::events;

/// What a look at devices that were given a profile means.
#[derive(Default)]
struct Looked {
    ends: Vec<CampaignEnd>,
    taken_back: Vec<(DeviceId, String)>,
    /// The last device that was looked at.
    last: Option<DeviceId>,
}

impl Looked {
    /// At these; `verdict` says what becomes of each, and whether it gives back what it was given.
    fn at(
        devices: Vec<CampaignProfileDevice>,
        of: &ProfileOf,
        verdict: impl Fn(&CampaignProfileDevice) -> Option<(CampaignVerdict, bool)>,
    ) -> Self {
        let mut looked = Self { last: devices.last().map(|device| device.device.clone()), ..Self::default() };
        for device in devices {
            let Some((verdict, gives_back)) = verdict(&device) else { continue };
            if gives_back {
                looked.taken_back.push((device.device.clone(), of.name.clone()));
            }
            let CampaignProfileDevice { device, generation, .. } = device;
            looked.ends.push(CampaignEnd { device, generation, seq: 0, verdict: Some(verdict) });
        }
        looked
    }
}

fn cancelled(reason: &str) -> CampaignVerdict {
    CampaignVerdict {
        state: CampaignDeviceState::Cancelled,
        due: None,
        uncounted: false,
        status: None,
        reason: Some(reason.to_owned()),
    }
}

fn cursor(stored: Option<&str>) -> Option<DeviceId> {
    stored.and_then(|id| DeviceId::parse(id).ok())
}

impl<S: Shelf + ?Sized> Mover<'_, S> {
    /// Cancels what was not sent, a batch at a time. A profile that a device has not begun with is taken back.
    pub(super) async fn cancel(&self, campaign: Campaign, mut progress: Progress) -> Result<(), StoreError> {
        let after = cursor(progress.cancelled_to.as_deref());
        let why = progress.why.clone().unwrap_or_else(|| "It was stopped.".to_owned());
        let reason = format!("The campaign {:?} was stopped. {why}", campaign.name);
        let Looked { ends, taken_back, last } = match &self.plan.spec.change {
            Change::Profile(of) => {
                let devices = self.shelf.given(campaign.id, of, after.clone()).await?;
                let verdict = |device: &CampaignProfileDevice| {
                    device.state.is_none().then(|| (cancelled(&reason), true))
                };
                Looked::at(devices, of, verdict)
            }
            Change::Command(_) | Change::Firmware(_) | Change::Software(_) => Looked::default(),
        };
        let cancel = CampaignCancel { after, limit: self.batch, reason, event: events::ended };
        let step = CampaignStep { ends, taken_back, cancel: Some(cancel), ..self.blank(campaign.clone()) };
        let stepped = self.apply(step).await?;
        let last = last.or(stepped.cancelled);
        if last.is_none() && stepped.dropped == 0 {
            progress.cancelled = true;
        }
        progress.cancelled_to = last.map(|device| device.as_str().to_owned()).or(progress.cancelled_to);
        let state = campaign.state;
        let stepped = Campaign { version: campaign.version + 1, ..campaign };
        self.move_on(stepped, state, &progress, None).await
    }

    /// Takes back what devices were given, a page at a time.
    pub(super) async fn take_back(
        &self,
        campaign: Campaign,
        mut progress: Progress,
    ) -> Result<(), StoreError> {
        let reached = self.shelf.reached(campaign.id, cursor(progress.taking_back.as_deref())).await?;
        let is_end = reached.len() < PAGE as usize;
        progress.taken_back = is_end;
        progress.taking_back = match reached.last() {
            Some(last) if !is_end => Some(last.device.as_str().to_owned()),
            Some(_) | None => None,
        };
        let mut step = CampaignStep {
            events: is_end.then(|| event(&campaign, "rolled back", None)).into_iter().collect(),
            ..self.blank(Campaign { progress: written(&progress), ..campaign })
        };
        let Change::Profile(of) = &self.plan.spec.change else { return self.apply(step).await.map(drop) };
        for device in reached {
            if device.state == CampaignDeviceState::Open {
                let verdict = Some(cancelled("The version was taken back from it."));
                let (device, generation) = (device.device.clone(), device.generation);
                step.ends.push(CampaignEnd { device, generation, seq: 0, verdict });
            }
            if device.attempts > 0 {
                step.taken_back.push((device.device, of.name.clone()));
            }
        }
        self.apply(step).await.map(drop)
    }

    /// Looks for open devices that came to an end without a command of theirs.
    pub(super) async fn sweep(&self, campaign: Campaign, mut progress: Progress) -> Result<(), StoreError> {
        let after = cursor(progress.swept.0.as_deref());
        let orphans = self.shelf.orphans(campaign.id, after.clone()).await?;
        let looked = match &self.plan.spec.change {
            Change::Profile(of) => {
                let devices = self.shelf.given(campaign.id, of, after).await?;
                Looked::at(devices, of, |device| engine::profile_verdict(self.plan, device, self.now))
            }
            Change::Command(_) | Change::Firmware(_) | Change::Software(_) => Looked::default(),
        };
        progress.swept = (orphans.last.map(|device| device.as_str().to_owned()), self.now.0);
        let campaign = Campaign { progress: written(&progress), ..campaign };
        let step = CampaignStep {
            ends: looked.ends,
            taken_back: looked.taken_back,
            gone: orphans.gone,
            ..self.blank(campaign)
        };
        self.apply(step).await.map(drop)
    }
}

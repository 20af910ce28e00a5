//! What moves campaigns on: one node at a time, a batch after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use omadm_mo::{DeviceId, Time};
use omadm_store::filter::{Filter, FilterLimits};
use omadm_store::{
    Campaign, CampaignDevice, CampaignEnd, CampaignGift, CampaignOrphans, CampaignProfileDevice,
    CampaignState, CampaignStep, CampaignStepped, CampaignTry, Rival, Store, StoreError,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::engine::{self, Next, Progress, SECOND};
use super::spec::{Change, Late, Members, Plan, ProfileOf, Rivals, Spec};
use super::window::{self, Standing};
use super::{Recipe, event, of_models, package_of, prepare};
use crate::clock;
use crate::context::Context;
use crate::lease::Duty;
use crate::package::deliver;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Most campaigns that are moved on at a time.
const CAMPAIGNS: u32 = 1_000;
/// Most steps of one campaign in a round, so that the others have their turn.
const STEPS: usize = 50;
/// Devices that are looked at with one read, and most reads for one batch.
pub(super) const PAGE: u32 = 500;
const PAGES: usize = 20;
/// How long a campaign is left alone that cannot be read or prepared.
const TROUBLE: i64 = 60 * SECOND;

/// Wakes the runner.
#[derive(Default)]
pub struct Campaigns {
    changed: Notify,
}

impl Campaigns {
    /// Has the runner look at campaigns now.
    pub fn wake(&self) {
        self.changed.notify_one();
    }
}

/// What a campaign is called where groups say who uses them.
pub fn user(campaign: Uuid) -> String {
    format!("campaign:{campaign}")
}

/// Moves campaigns on until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut duty = Duty::of(&context, "campaigns");
    let mut later = Later::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = context.campaigns.changed.notified() => later.clear(),
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = round(&context, &mut duty, &mut later).await {
            tracing::error!(%error, "campaigns could not be moved on; it will be tried again");
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

/// Until when campaigns of a version wait: one entry at most for each that goes on.
type Later = HashMap<Uuid, (i64, Time)>;

/// Moves each campaign on whose time has come.
async fn round(context: &Context, duty: &mut Duty, later: &mut Later) -> Result<(), StoreError> {
    if !duty.is_mine(context.store.as_ref()).await? {
        later.clear();
        return Ok(());
    }
    let now = clock::now();
    let due = context.store.due_campaigns(now, CAMPAIGNS).await?;
    later.retain(|id, _| due.iter().any(|campaign| campaign.id == *id));
    for campaign in due {
        let waits = |(version, until): &(i64, Time)| {
            // A clock that was set back makes nobody wait for longer.
            *version == campaign.version && now < *until && until.0 - now.0 <= TROUBLE
        };
        if later.get(&campaign.id).is_some_and(waits) {
            continue;
        }
        // A round can take longer than the duty lasts. Should another node be at it all the same, one of the two finds the version of
        // the campaign changed, and nothing of its step is kept.
        if !duty.is_mine(context.store.as_ref()).await? {
            return Ok(());
        }
        let (id, version) = (campaign.id, campaign.version);
        match work(context, campaign).await {
            Ok((version, until)) => drop(later.insert(id, (version, until.min(now.plus_micros(TROUBLE))))),
            // Someone else has changed it: the next round sees it as it is then.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => {
                tracing::error!(%error, campaign = %id, "a campaign could not be moved on; it will be tried again");
                later.insert(id, (version, now.plus_micros(TROUBLE)));
            }
        }
    }
    Ok(())
}

/// Moves one campaign on; gives the version that it has then, and when to look at it again.
async fn work(context: &Context, mut campaign: Campaign) -> Result<(i64, Time), StoreError> {
    let trouble = |problem: &str| {
        tracing::error!(campaign = %campaign.id, problem, "a campaign cannot go on");
        (campaign.version, clock::now().plus_micros(TROUBLE))
    };
    let spec: Spec = match serde_json::from_str(&campaign.document) {
        Ok(spec) => spec,
        Err(error) => return Ok(trouble(&error.to_string())),
    };
    let package = match package_of(&spec.change) {
        Some((id, _)) => context.store.package(id).await?,
        None => None,
    };
    let recipe = prepare(context, &spec.change, package.as_ref(), clock::now()).await?;
    let plan = match Plan::read(spec, &context.config.campaigns) {
        Ok(plan) => plan,
        Err(fault) => return Ok(trouble(&fault.what)),
    };
    let queue_limit = context.config.queue.max_per_device;
    for _ in 0..STEPS {
        let now = clock::now();
        let mut mover = Mover {
            shelf: context.store.as_ref(),
            plan: &plan,
            recipe: recipe.as_ref().map_err(String::as_str),
            queue_limit,
            batch: context.config.campaigns.batch,
            now,
        };
        let waits = mover.step(campaign.clone()).await?;
        context.notifier.wake();
        if let Some(until) = waits {
            if campaign.state.is_final() {
                context.store.set_group_uses(&user(campaign.id), Vec::new()).await?;
            }
            return Ok((campaign.version, until));
        }
        match context.store.campaign(campaign.id).await? {
            Some(now) => campaign = now,
            None => return Ok((campaign.version, now)),
        }
    }
    Ok((campaign.version, clock::now()))
}

/// What the runner needs of the store, so that tests can have it fail.
#[async_trait::async_trait]
pub trait Shelf: Send + Sync {
    /// Applies a step.
    async fn step(&self, step: CampaignStep, now: Time) -> Result<CampaignStepped, StoreError>;
    /// Commands that have ended, and what that means for their devices.
    async fn ended(
        &self,
        id: Uuid,
        plan: &Plan,
        limit: u32,
        now: Time,
    ) -> Result<Vec<CampaignEnd>, StoreError>;
    /// Devices that are to be tried again.
    async fn waiting(&self, id: Uuid, limit: u32, now: Time) -> Result<Vec<DeviceId>, StoreError>;
    /// Devices that a filter means, with the value of a label.
    async fn devices(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        label: Option<&str>,
        now: Time,
    ) -> Result<Vec<(DeviceId, Option<String>)>, StoreError>;
    /// The value of a label of a device.
    async fn label(&self, device: &DeviceId, label: &str) -> Result<Option<String>, StoreError>;
    /// Which of these devices were not reached.
    async fn unreached(&self, id: Uuid, devices: Vec<DeviceId>) -> Result<Vec<DeviceId>, StoreError>;
    /// Looks for open devices that came to an end without a command of theirs.
    async fn orphans(&self, id: Uuid, after: Option<DeviceId>) -> Result<CampaignOrphans, StoreError>;
    /// How far open devices are that were given a version of a profile.
    async fn given(
        &self,
        id: Uuid,
        of: &ProfileOf,
        after: Option<DeviceId>,
    ) -> Result<Vec<CampaignProfileDevice>, StoreError>;
    /// Devices that were reached.
    async fn reached(&self, id: Uuid, after: Option<DeviceId>) -> Result<Vec<CampaignDevice>, StoreError>;
}

#[async_trait::async_trait]
impl Shelf for dyn Store {
    async fn step(&self, step: CampaignStep, now: Time) -> Result<CampaignStepped, StoreError> {
        self.step_campaign(step, now).await
    }

    async fn ended(
        &self,
        id: Uuid,
        plan: &Plan,
        limit: u32,
        now: Time,
    ) -> Result<Vec<CampaignEnd>, StoreError> {
        // A device without the nodes that the standard does not have can do without them.
        let brings_package = package_of(&plan.spec.change).is_some();
        let is_extra = |address: &str| brings_package && deliver::is_extra(address);
        let ended = self.campaign_ended(id, limit).await?;
        let ends = ended.into_iter().map(|(command, device)| CampaignEnd {
            verdict: engine::verdict(plan, &command, device.as_ref(), is_extra, now),
            device: command.device,
            generation: command.generation,
            seq: command.seq,
        });
        Ok(ends.collect())
    }

    async fn waiting(&self, id: Uuid, limit: u32, now: Time) -> Result<Vec<DeviceId>, StoreError> {
        let due = self.campaign_due(id, now, limit).await?;
        Ok(due.into_iter().map(|device| device.device).collect())
    }

    async fn devices(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        label: Option<&str>,
        now: Time,
    ) -> Result<Vec<(DeviceId, Option<String>)>, StoreError> {
        let Some(label) = label else {
            let ids = self.select(filter, after, PAGE, now).await?;
            return Ok(ids.into_iter().map(|id| (id, None)).collect());
        };
        let devices = self.fleet(filter, after, PAGE, now).await?;
        Ok(devices.into_iter().map(|mut found| (found.device.id, found.labels.remove(label))).collect())
    }

    async fn label(&self, device: &DeviceId, label: &str) -> Result<Option<String>, StoreError> {
        Ok(self.fleet_device(device).await?.and_then(|mut found| found.labels.remove(label)))
    }

    async fn unreached(&self, id: Uuid, devices: Vec<DeviceId>) -> Result<Vec<DeviceId>, StoreError> {
        self.campaign_unreached(id, devices).await
    }

    async fn orphans(&self, id: Uuid, after: Option<DeviceId>) -> Result<CampaignOrphans, StoreError> {
        self.campaign_orphans(id, after, PAGE).await
    }

    async fn given(
        &self,
        id: Uuid,
        of: &ProfileOf,
        after: Option<DeviceId>,
    ) -> Result<Vec<CampaignProfileDevice>, StoreError> {
        self.campaign_profile_devices(id, &of.name, of.version, after, PAGE).await
    }

    async fn reached(&self, id: Uuid, after: Option<DeviceId>) -> Result<Vec<CampaignDevice>, StoreError> {
        self.campaign_devices(id, None, after, PAGE).await
    }
}

/// Moves a campaign on by one step.
pub struct Mover<'a, S: Shelf + ?Sized> {
    /// The store.
    pub shelf: &'a S,
    /// What was said.
    pub plan: &'a Plan,
    /// What each device is given, or why there is no such thing: then no device can begin.
    pub recipe: Result<&'a Recipe, &'a str>,
    /// Most open commands of a device.
    pub queue_limit: u32,
    /// Most devices that begin, and commands that are counted, in one batch.
    pub batch: u32,
    /// The time.
    pub now: Time,
}

impl<S: Shelf + ?Sized> Mover<'_, S> {
    /// One batch at most; gives until when nothing is to be done, or nothing if there is more to do at once.
    ///
    /// # Errors
    /// When the store fails, or the campaign was changed by someone else.
    pub async fn step(&mut self, campaign: Campaign) -> Result<Option<Time>, StoreError> {
        let now = self.now;
        let ends = self.shelf.ended(campaign.id, self.plan, self.batch, now).await?;
        if !ends.is_empty() {
            self.apply(CampaignStep { ends, ..self.blank(campaign) }).await?;
            return Ok(None);
        }
        let mut progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        let waits = campaign.counts.retry + campaign.counts.waiting > 0;
        let waiting = waits && !self.shelf.waiting(campaign.id, 1, now).await?.is_empty();
        let by_profile = matches!(self.plan.spec.change, Change::Profile(_));
        match engine::next(self.plan, campaign.state, &progress, &campaign.counts, waiting, by_profile, now) {
            Next::Wait(until) => return Ok(Some(until)),
            Next::Rest => {
                let rests = Campaign { due: None, ..campaign };
                self.apply(self.blank(rests)).await?;
                return Ok(Some(now));
            }
            Next::Begin(most) => match self.recipe {
                Ok(recipe) => self.begin(campaign, recipe, progress, most).await?,
                Err(problem) => {
                    progress.why = Some(format!("No device can begin: {problem}"));
                    let why = progress.why.clone();
                    let happened = Some(("paused", why.as_deref()));
                    self.move_on(campaign, CampaignState::Paused, &progress, happened).await?;
                }
            },
            Next::Rescan => {
                (progress.after, progress.scanned, progress.left_out) = (None, false, None);
                self.move_on(campaign, CampaignState::Running, &progress, None).await?;
            }
            Next::Advance => {
                progress.advance(campaign.counts.total());
                self.move_on(campaign, CampaignState::Running, &progress, Some(("stage", None))).await?;
            }
            Next::Hold => {
                progress.holding = Some(now.0);
                self.move_on(campaign, CampaignState::Holding, &progress, Some(("holding", None))).await?;
            }
            Next::Stop(state, why) => {
                progress.why = Some(why.clone());
                self.move_on(campaign, state, &progress, Some((state.as_str(), Some(&why)))).await?;
            }
            Next::Finish => {
                self.move_on(campaign, CampaignState::Done, &progress, Some(("done", None))).await?;
            }
            Next::Cancel => self.cancel(campaign, progress).await?,
            Next::TakeBack => self.take_back(campaign, progress).await?,
            Next::Sweep => self.sweep(campaign, progress).await?,
        }
        Ok(None)
    }

    /// Writes that a campaign is in a state from now on.
    pub(super) async fn move_on(
        &self,
        campaign: Campaign,
        state: CampaignState,
        progress: &Progress,
        happened: Option<(&str, Option<&str>)>,
    ) -> Result<(), StoreError> {
        let campaign = Campaign { state, progress: written(progress), ..campaign };
        let events = happened.map(|(what, why)| event(&campaign, what, why)).into_iter().collect();
        self.apply(CampaignStep { events, ..self.blank(campaign) }).await.map(drop)
    }

    /// Lets devices begin: first those that wait, then further ones of the stage.
    async fn begin(
        &self,
        campaign: Campaign,
        recipe: &Recipe,
        mut progress: Progress,
        most: u32,
    ) -> Result<(), StoreError> {
        let most = most.min(self.batch);
        let began = *progress.began.get_or_insert(self.now.0);
        let mut tries = Vec::new();
        for device in self.shelf.waiting(campaign.id, most, self.now).await? {
            let label = self.zone_label();
            let zone = match label {
                Some(label) => self.shelf.label(&device, label).await?,
                None => None,
            };
            let gives = match self.standing(zone.as_deref()) {
                Standing::Open(closes) => self.gift(&campaign, recipe, &device, closes),
                Standing::Closed(opens) => CampaignGift::Later(opens),
            };
            tries.push(CampaignTry { device, gives, again: true });
        }
        let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(tries.len());
        if !progress.scanned && room > 0 {
            self.scan(&campaign, recipe, &mut progress, began, room, &mut tries).await?;
        }
        let begun = tries.iter().filter(|attempt| !matches!(attempt.gives, CampaignGift::Later(_))).count();
        engine::use_allowance(&mut progress, u32::try_from(begun).unwrap_or(u32::MAX), self.now);
        let campaign = Campaign { progress: written(&progress), ..campaign };
        self.apply(CampaignStep { tries, ..self.blank(campaign) }).await.map(drop)
    }

    /// Looks for devices of the stage that were not reached, at most `room`, and notes how far it came.
    async fn scan(
        &self,
        campaign: &Campaign,
        recipe: &Recipe,
        progress: &mut Progress,
        began: i64,
        room: usize,
        tries: &mut Vec<CampaignTry>,
    ) -> Result<(), StoreError> {
        let members = self.plan.stages.get(progress.stage).map(|step| &step.members);
        let filter = self.filter(members, campaign.groups.as_deref(), recipe.model(), began)?;
        let full = tries.len() + room;
        for _ in 0..PAGES {
            let after = progress.after.as_deref().and_then(|id| DeviceId::parse(id).ok());
            let page =
                self.shelf.devices(filter.as_ref(), after.as_ref(), self.zone_label(), self.now).await?;
            let is_end = page.len() < PAGE as usize;
            let last = page.last().map(|(device, _)| device.as_str().to_owned());
            let is_member = |device: &DeviceId| match members {
                Some(Members::Share(below)) => engine::share(campaign.id, device) < *below,
                Some(Members::Filter(_)) | None => true,
            };
            let mut zones: HashMap<_, _> = page.into_iter().filter(|(device, _)| is_member(device)).collect();
            let mut wanted: Vec<_> = zones.keys().cloned().collect();
            wanted.sort_by(|a, b| a.as_str().cmp(b.as_str()));
            for device in self.shelf.unreached(campaign.id, wanted).await? {
                let zone = zones.remove(&device).flatten();
                match self.standing(zone.as_deref()) {
                    Standing::Open(closes) => {
                        let gives = self.gift(campaign, recipe, &device, closes);
                        progress.after = Some(device.as_str().to_owned());
                        tries.push(CampaignTry { device, gives, again: false });
                    }
                    Standing::Closed(opens) => {
                        let earliest = progress.left_out.map_or(opens.0, |earliest| earliest.min(opens.0));
                        progress.left_out = Some(earliest);
                    }
                }
                if tries.len() == full {
                    return Ok(());
                }
            }
            progress.after = last;
            if is_end {
                (progress.scanned, progress.scanned_at, progress.after) = (true, self.now.0, None);
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn apply(&self, step: CampaignStep) -> Result<CampaignStepped, StoreError> {
        self.shelf.step(step, self.now).await
    }

    /// A step that leaves all as it is.
    pub(super) fn blank(&self, campaign: Campaign) -> CampaignStep {
        let later = self.now.plus_micros(self.plan.settings.rival_wait.micros());
        CampaignStep {
            campaign,
            tries: Vec::new(),
            ends: Vec::new(),
            gone: Vec::new(),
            taken_back: Vec::new(),
            cancel: None,
            rival: match self.plan.spec.rivals {
                Rivals::Wait => Rival::Wait(later),
                Rivals::Skip => Rival::Skip,
            },
            retry_full: later,
            queue_limit: self.queue_limit,
            events: Vec::new(),
        }
    }

    /// The devices of a stage.
    fn filter(
        &self,
        members: Option<&Members>,
        groups: Option<&[String]>,
        model: Option<&str>,
        began: i64,
    ) -> Result<Option<Filter>, StoreError> {
        let mut parts: Vec<Filter> = self.plan.filter.clone().into_iter().collect();
        if let Some(Members::Filter(filter)) = members {
            parts.push(filter.clone());
        }
        parts.extend(groups.map(Filter::of_groups));
        if let Some(model) = model {
            parts.push(of_models(model).map_err(|error| StoreError::Engine(format!("{model}: {error}")))?);
        }
        if self.plan.spec.late == Late::Exclude {
            let age = self.now.0.saturating_sub(began).max(0) / SECOND;
            parts.push(parsed(&format!("enrolled >= {age}s"))?);
        }
        Ok(parts.into_iter().reduce(Filter::and))
    }

    /// Key of the label with the time zones of devices.
    fn zone_label(&self) -> Option<&str> {
        self.plan.window.as_ref().and_then(|window| window.zone_label.as_deref())
    }

    /// How the window stands for a device with this time zone.
    fn standing(&self, zone: Option<&str>) -> Standing {
        match &self.plan.window {
            None => Standing::Open(Time(i64::MAX)),
            Some(window) => {
                let own = zone.and_then(window::zone);
                window.at(self.now, own.as_ref().unwrap_or(&window.zone))
            }
        }
    }

    /// What a device is given whose window closes then.
    fn gift(&self, campaign: &Campaign, recipe: &Recipe, device: &DeviceId, closes: Time) -> CampaignGift {
        let seconds = i64::try_from(self.plan.expires_in()).unwrap_or(i64::MAX);
        let expires = self.now.plus_micros(seconds.saturating_mul(SECOND)).min(closes);
        let expires = self.plan.stop.map_or(expires, |stop| expires.min(stop));
        let by = format!("campaign {:?}", campaign.name);
        recipe.gift(campaign.id, &by, device, expires)
    }
}

fn parsed(text: &str) -> Result<Filter, StoreError> {
    Filter::parse(text, &FilterLimits::default())
        .map_err(|error| StoreError::Engine(format!("{text}: {error}")))
}

/// The stored form of how far a campaign is.
pub(super) fn written(progress: &Progress) -> String {
    serde_json::json!(progress).to_string()
}

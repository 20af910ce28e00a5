//! A look at a device: whether it is as its profiles want it, and what is done about it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use omadm_mo::Time;
use omadm_store::{
    CheckIn, Device, NewCommand, NewEvent, Pin, ProfileChange, ProfileState, ProfileStep, ProfileWork,
    SessionStep, StoreError,
};
use serde_json::json;
use uuid::Uuid;

use super::commands;
use super::compare::{Plan, View, compare};
use super::document::Drift;
use super::known::{Gathered, concerns, ends_a_command, gather, inventory_after};
use super::memo::{Memo, Versions};
use super::places::Places;
use super::wanted::{Wanted, What};
use crate::context::Context;

/// Looks at a device with each message that may say something about its desired state, before that is durable: at the first of a
/// session, and whenever something concerns what is wanted. Nothing is read where nothing is wanted; and where all is as it should be
/// and no message says otherwise, no more than what tells of which groups the device is.
///
/// Gives the step with what is to be remembered; `None` when commands were queued, so that the message is worked on again with them.
///
/// # Errors
/// When the store fails.
pub async fn at_message(
    context: &Context,
    check: &CheckIn,
    mut step: SessionStep,
) -> Result<Option<SessionStep>, StoreError> {
    let began = begins(check, &step);
    let is_wanted = began && (check.device.pinned.is_some() || !context.profiles.is_empty());
    if check.device.desired.is_none() && !is_wanted {
        return Ok(Some(step));
    }
    let Some(sight) = Sight::of(context, check, &step, began).await? else { return Ok(Some(step)) };
    let (plan, commands) = sight.plan(context, check, &step).await?;
    let remembered = sight.remember(check, &plan);
    if commands.is_empty() && plan.superseded.is_empty() {
        step.profiles = remembered;
        return Ok(Some(step));
    }
    let notify = step.session.is_none();
    let work = ProfileWork {
        device: check.device.id.clone(),
        generation: check.device.generation,
        step: remembered.unwrap_or_else(|| unchanged(check)),
        superseded: plan.superseded,
        commands,
        queue_limit: context.config.queue.max_per_device,
        notify,
    };
    match context.store.work_on_profiles(work, step.now).await {
        Ok(()) if notify => context.notifier.wake(),
        Ok(()) => {}
        Err(StoreError::Conflict(what)) => {
            tracing::debug!(device = %check.device.id, what, "looked at again");
        }
        Err(error @ StoreError::QueueFull { .. }) => {
            tracing::warn!(device = %check.device.id, %error, "what profiles want has to wait");
            return Ok(Some(step));
        }
        Err(error) => return Err(error),
    }
    Ok(None)
}

/// Whether a message begins a session.
fn begins(check: &CheckIn, step: &SessionStep) -> bool {
    let before = check.session.as_ref().map(|row| row.session);
    step.session.as_ref().is_some_and(|row| Some(row.session) != before)
}

/// A step that leaves what is remembered as it is, if it still is that.
fn unchanged(check: &CheckIn) -> ProfileStep {
    let memo = check.device.desired.clone();
    ProfileStep { expected: memo.clone(), memo, ..ProfileStep::default() }
}

/// The device as it is after a message.
fn device_after(check: &CheckIn, step: &SessionStep) -> Device {
    let mut device = check.device.clone();
    device.last_contact = Some(step.now);
    device.protocol = step.protocol.clone().or(device.protocol);
    device.bearer = step.bearer.clone().or(device.bearer);
    device.inventory = step.inventory.clone().or(device.inventory);
    if let Some(facts) = &step.facts {
        device.facts.clone_from(facts);
    }
    device
}

/// What is looked at.
pub(super) struct Sight {
    memo: Memo,
    /// What is wanted from now on.
    pub(super) wanted: Arc<Wanted>,
    /// What was wanted when the device was looked at last, if that was something else.
    before: HashMap<String, What>,
}

impl Sight {
    /// Of a device with a message; `None` if there is nothing new about it.
    async fn of(
        context: &Context,
        check: &CheckIn,
        step: &SessionStep,
        began: bool,
    ) -> Result<Option<Self>, StoreError> {
        let mut memo = Memo::read(check.device.desired.as_deref());
        if began && check.device.pinned.is_some() {
            memo.try_again(&Pin::read(check.device.pinned.as_deref()));
        }
        let of = match began {
            true => context.profiles.applying(context, &device_after(check, step), step.now).await?,
            false => memo.of.clone(),
        };
        let is_due = began && memo.is_due(step.now);
        let is_news = of != memo.of || is_due || ends_a_command(check, step);
        let sight = Self::with(context, memo, of).await?;
        Ok(Some(sight).filter(|sight| is_news || concerns(step, &sight.wanted)))
    }

    /// With these versions, and what those before have left behind.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn with(context: &Context, memo: Memo, of: Versions) -> Result<Self, StoreError> {
        let mut leaving: BTreeSet<(String, i64)> = memo.leaving.clone();
        leaving.extend(memo.of.iter().map(|(name, version)| (name.clone(), *version)));
        leaving.retain(|(name, version)| of.get(name) != Some(version));
        let wanted = context.profiles.wanted(context, &of, &leaving).await?;
        let mut before = HashMap::new();
        if of != memo.of {
            let earlier = context.profiles.wanted(context, &memo.of, &BTreeSet::new()).await?;
            before.extend(earlier.wants.iter().map(|want| (want.item.key.clone(), want.item.what.clone())));
        }
        Ok(Self { memo, wanted, before })
    }

    /// What is to be done, and the commands for it.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn plan(
        &self,
        context: &Context,
        check: &CheckIn,
        step: &SessionStep,
    ) -> Result<(Plan, Vec<NewCommand>), StoreError> {
        let files = context.models.lately(context.store.as_ref()).await?;
        let protocol = step.protocol.as_deref().or(check.device.protocol.as_deref());
        let mut places = Places::new(protocol, inventory_after(check, step), files, &context.public_url);
        let mut gathered = gather(context, check, step, &self.wanted, &self.memo, &mut places).await?;
        let reports = places.can_report();
        loop {
            let plan = self.compare(&gathered, reports, step.now, context.config.profiles.max_commands);
            let mut commands = Vec::with_capacity(plan.commands.len());
            let mut unsaid = Vec::new();
            for planned in &plan.commands {
                match commands::queued(context, &check.device.id, &self.wanted, planned, step.now).await? {
                    Ok(said) => commands.extend(said),
                    Err(why) => unsaid.push((planned.id, why)),
                }
            }
            // With what cannot be said the plan is another one; each time there is less of that.
            if !self.give_up(&plan, unsaid, &mut gathered) {
                return Ok((plan, commands));
            }
        }
    }

    /// Notes what cannot be said; whether there is such a thing.
    fn give_up(&self, plan: &Plan, unsaid: Vec<(Uuid, String)>, gathered: &mut Gathered) -> bool {
        let mut found = false;
        for (want, known) in self.wanted.wants.iter().zip(&mut gathered.known) {
            let command = plan.memo.open.get(&want.item.key).and_then(|open| open.command);
            let why = unsaid.iter().find(|(id, _)| Some(*id) == command);
            if let Some((_, why)) = why.filter(|_| known.never.is_none()) {
                known.never = Some(why.clone());
                found = true;
            }
        }
        found
    }

    fn compare(&self, gathered: &Gathered, reports: bool, now: Time, most: usize) -> Plan {
        let view = View {
            known: &gathered.known,
            under_way: &gathered.under_way,
            ended: &gathered.ended,
            before: &|key| self.before.get(key).cloned(),
            by_hand: &gathered.by_hand,
            told: &gathered.told,
            unobserved: &gathered.unobserved,
            reports,
            now,
            most,
        };
        compare(&self.wanted, &self.memo, &view, &mut Uuid::now_v7)
    }

    /// What is to be remembered; `None` if nothing has changed.
    fn remember(&self, check: &CheckIn, plan: &Plan) -> Option<ProfileStep> {
        let memo = plan.memo.write();
        if plan.memo == self.memo && memo == check.device.desired {
            return None;
        }
        let mut changes = Vec::new();
        let mut events = Vec::new();
        for standing in &plan.standings {
            let Some(version) = self.wanted.version(standing.by) else { continue };
            let before = self.stood(&version.name, version.number);
            if before == Some(standing.state) && standing.state == ProfileState::Converged {
                continue;
            }
            changes.push(ProfileChange::Stands {
                profile: version.name.clone(),
                version: version.number,
                state: standing.state,
                reason: standing.reason.clone(),
            });
            if before != Some(standing.state) && standing.state != ProfileState::Pending {
                let body = json!({
                    "profile": version.name, "version": version.number, "state": standing.state.as_str(),
                    "reason": standing.reason,
                });
                events.push(event(check, "profile.state", &body));
            }
        }
        let gone = self.memo.of.keys().filter(|name| !plan.memo.of.contains_key(*name));
        changes.extend(gone.map(|name| ProfileChange::Gone { profile: name.clone() }));
        events.extend(self.drifts(check, plan));
        Some(ProfileStep { expected: check.device.desired.clone(), memo, changes, events })
    }

    /// How a version stood when the device was looked at last.
    fn stood(&self, name: &str, version: i64) -> Option<ProfileState> {
        self.memo.of.get(name).filter(|known| **known == version)?;
        let stood = self.memo.stood.get(name).and_then(|state| ProfileState::parse(state));
        Some(stood.unwrap_or(ProfileState::Converged))
    }

    fn drifts(&self, check: &CheckIn, plan: &Plan) -> Vec<NewEvent> {
        let drifts = plan.drifts.iter().filter_map(|drift| {
            let version = self.wanted.version(drift.by)?;
            let body = json!({
                "profile": version.name, "version": version.number, "what": drift.name, "wanted": drift.wanted,
                "seen": drift.seen, "by_hand": drift.by_hand, "repaired": drift.drift == Drift::Repair,
            });
            Some(event(check, "profile.drift", &body))
        });
        drifts.collect()
    }
}

fn event(check: &CheckIn, kind: &str, body: &serde_json::Value) -> NewEvent {
    NewEvent { device: Some(check.device.id.clone()), kind: kind.to_owned(), body: body.to_string() }
}

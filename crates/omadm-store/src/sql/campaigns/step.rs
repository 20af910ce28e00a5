//! One step of a campaign: the campaign, its devices, their commands and the figures change together.

use omadm_mo::{DeviceId, Time};

use super::super::commands as queue;
use super::super::{Connection, Dev, Id, count, devices, events, execute, params, profiles, query};
use crate::{
    Campaign, CampaignCancel, CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignEnd, CampaignGift,
    CampaignStep, CampaignStepped, CampaignTry, CampaignVerdict, Origin, Pin, Rival, StoreError,
};

pub(super) fn apply(
    conn: &Connection,
    step: &CampaignStep,
    now: Time,
) -> Result<CampaignStepped, StoreError> {
    // First, so that of two who step the same campaign one waits here and then sees the version of the other.
    put(conn, &step.campaign, now)?;
    let mut work = Work { conn, step, now, changes: CampaignCounts::default() };
    let mut stepped = CampaignStepped::default();
    for end in &step.ends {
        work.end(end)?;
    }
    for device in &step.gone {
        work.gone(device)?;
    }
    for (device, profile) in &step.taken_back {
        profiles::take_back(conn, device, profile, step.campaign.id, now)?;
    }
    for attempt in &step.tries {
        if work.begin(attempt)? {
            stepped.begun.push(attempt.device.clone());
        }
    }
    if let Some(cancel) = &step.cancel {
        stepped.cancelled = work.cancel_queued(cancel)?;
        stepped.dropped = work.drop_waiting(cancel)?;
    }
    work.count()?;
    events::add(conn, &step.events, now)?;
    Ok(stepped)
}

fn put(conn: &Connection, campaign: &Campaign, now: Time) -> Result<(), StoreError> {
    let due = campaign.due.map(|due| due.0);
    let written = if campaign.version == 0 {
        execute(
            conn,
            "INSERT INTO campaign (id, name, state, version, created, created_by, updated, due, package, target,
               document, progress, n_open, n_done, n_failed, n_retry, n_waiting, n_skipped, n_cancelled, n_gone, of_groups)
             VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0, 0, 0, 0, 0, ?12)
             ON CONFLICT DO NOTHING",
            params![
                Id(campaign.id),
                campaign.name,
                campaign.state,
                campaign.created.0,
                campaign.created_by,
                now.0,
                due,
                campaign.package.map(Id),
                campaign.target,
                campaign.document,
                campaign.progress,
                campaign.groups.as_ref().map(|groups| serde_json::json!(groups).to_string())
            ],
        )?
    } else {
        execute(
            conn,
            "UPDATE campaign SET state = ?3, version = version + 1, updated = ?4, due = ?5, progress = ?6
             WHERE id = ?1 AND version = ?2",
            params![Id(campaign.id), campaign.version, campaign.state, now.0, due, campaign.progress],
        )?
    };
    if written == 0 { Err(StoreError::Conflict("a campaign")) } else { Ok(()) }
}

struct Work<'a> {
    conn: &'a Connection,
    step: &'a CampaignStep,
    now: Time,
    changes: CampaignCounts,
}

impl Work<'_> {
    fn id(&self) -> Id {
        Id(self.step.campaign.id)
    }

    /// The device as the campaign knows it.
    fn known(&self, device: &DeviceId) -> Result<Option<CampaignDevice>, StoreError> {
        let of = "cd.device = ?1 AND cd.campaign = ?2";
        Ok(super::devices(self.conn, of, params![device.as_str(), self.id()])?.pop())
    }

    /// Writes a device as it is from now on; `before` is its state until now.
    fn put(
        &mut self,
        device: &CampaignDevice,
        before: Option<CampaignDeviceState>,
    ) -> Result<(), StoreError> {
        execute(
            self.conn,
            "INSERT INTO campaign_device (device, campaign, target, state, attempts, generation, first_seq, last_seq,
               due, status, reason, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (device, campaign) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
               generation = excluded.generation, first_seq = excluded.first_seq, last_seq = excluded.last_seq,
               due = excluded.due, status = excluded.status, reason = excluded.reason, updated = excluded.updated",
            params![
                device.device.as_str(),
                self.id(),
                self.step.campaign.target,
                device.state,
                device.attempts,
                device.generation,
                device.commands.0,
                device.commands.1,
                device.due.map(|due| due.0),
                device.status,
                device.reason,
                self.now.0
            ],
        )?;
        if let Some(before) = before {
            self.changes.add(before, -1);
        }
        self.changes.add(device.state, 1);
        Ok(())
    }

    /// Queues the commands of a device if it is its turn; whether they were queued.
    fn begin(&mut self, attempt: &CampaignTry) -> Result<bool, StoreError> {
        let known = self.known(&attempt.device)?;
        let waits = |state| matches!(state, CampaignDeviceState::Retry | CampaignDeviceState::Waiting);
        if known.as_ref().is_some_and(|known| !attempt.again || !waits(known.state)) {
            return Ok(false);
        }
        let before = known.as_ref().map(|known| known.state);
        let mut next = known.unwrap_or_else(|| CampaignDevice {
            device: attempt.device.clone(),
            state: CampaignDeviceState::Open,
            attempts: 0,
            generation: 0,
            commands: (0, 0),
            due: None,
            status: None,
            reason: None,
            updated: self.now,
        });
        next.due = None;
        let Some(enrolled) = devices::get(self.conn, &attempt.device)? else {
            if before.is_some() {
                next.state = CampaignDeviceState::Gone;
                next.reason = Some("It is not enrolled any more.".to_owned());
                self.put(&next, before)?;
            }
            return Ok(false);
        };
        if self.has_rival(&attempt.device)? {
            let sentence = "Another campaign is at the same thing on this device.";
            (next.state, next.due) = match self.step.rival {
                Rival::Wait(until) => (CampaignDeviceState::Waiting, Some(until)),
                Rival::Skip => (CampaignDeviceState::Skipped, None),
            };
            next.reason = Some(sentence.to_owned());
            self.put(&next, before)?;
            return Ok(false);
        }
        let commands = match &attempt.gives {
            CampaignGift::Commands(commands) => commands,
            CampaignGift::Profile { name, version, until } => {
                let pin = Pin {
                    version: *version,
                    campaign: self.id().0,
                    attempt: next.attempts + 1,
                    until: until.0,
                    clock: 0,
                };
                profiles::pin(self.conn, &attempt.device, name, pin, self.now)?;
                profiles::begin_again(
                    self.conn,
                    &attempt.device,
                    enrolled.generation,
                    (name, *version),
                    self.now,
                )?;
                return self.opened(next, before, enrolled.generation, (0, 0));
            }
            CampaignGift::Later(until) => {
                next.state = before.unwrap_or(CampaignDeviceState::Waiting);
                next.due = Some(*until);
                self.put(&next, before)?;
                return Ok(false);
            }
        };
        if enrolled.open_commands + count(commands.len()) > i64::from(self.step.queue_limit) {
            next.state = CampaignDeviceState::Waiting;
            next.due = Some(self.step.retry_full);
            next.reason = Some("Its queue is full.".to_owned());
            self.put(&next, before)?;
            return Ok(false);
        }
        let mut numbers = Vec::with_capacity(commands.len());
        for command in commands {
            numbers.push(queue::enqueue(self.conn, command.clone(), self.step.queue_limit, self.now)?.seq);
        }
        let ends =
            (numbers.first().copied().unwrap_or_default(), numbers.last().copied().unwrap_or_default());
        self.opened(next, before, enrolled.generation, ends)
    }

    /// Writes that a device has begun.
    fn opened(
        &mut self,
        device: CampaignDevice,
        before: Option<CampaignDeviceState>,
        generation: i64,
        commands: (i64, i64),
    ) -> Result<bool, StoreError> {
        let (state, attempts) = (CampaignDeviceState::Open, device.attempts + 1);
        let next = CampaignDevice { state, attempts, generation, commands, reason: None, ..device };
        self.put(&next, before)?;
        Ok(true)
    }

    /// Whether another campaign has commands out for the same thing.
    fn has_rival(&self, device: &DeviceId) -> Result<bool, StoreError> {
        let rivals = query(
            self.conn,
            "SELECT device FROM campaign_device WHERE device = ?1 AND campaign <> ?2 AND target = ?3 AND state = 'open'",
            params![device.as_str(), self.id(), self.step.campaign.target],
            |row| row.get::<Dev>(0),
        )?;
        Ok(!rivals.is_empty())
    }

    /// Takes notice of a command's end.
    fn end(&mut self, end: &CampaignEnd) -> Result<(), StoreError> {
        execute(
            self.conn,
            "UPDATE command SET awaited = 0 WHERE device = ?1 AND generation = ?2 AND seq = ?3",
            params![end.device.as_str(), end.generation, end.seq],
        )?;
        let Some(verdict) = &end.verdict else { return Ok(()) };
        let Some(known) = self.known(&end.device)? else { return Ok(()) };
        let (first, last) = known.commands;
        let is_current = known.generation == end.generation && (first..=last).contains(&end.seq);
        if known.state != CampaignDeviceState::Open || !is_current {
            return Ok(());
        }
        let CampaignVerdict { state, due, uncounted, status, reason } = verdict.clone();
        let attempts = known.attempts.saturating_sub(u32::from(uncounted));
        let before = Some(known.state);
        self.put(&CampaignDevice { state, due, attempts, status, reason, ..known }, before)
    }

    fn gone(&mut self, device: &DeviceId) -> Result<(), StoreError> {
        let Some(known) = self.known(device)?.filter(|known| known.state == CampaignDeviceState::Open) else {
            return Ok(());
        };
        let before = Some(known.state);
        let reason =
            Some("It was removed or enrolled anew, and its commands are not there any more.".to_owned());
        self.put(&CampaignDevice { state: CampaignDeviceState::Gone, due: None, reason, ..known }, before)
    }

    /// Cancels commands that were not sent, device by device; gives the last one.
    fn cancel_queued(&mut self, cancel: &CampaignCancel) -> Result<Option<DeviceId>, StoreError> {
        let origin = Origin::Campaign { id: self.step.campaign.id }.to_string();
        let queued = queue::unsent(self.conn, &origin, cancel.after.as_ref(), cancel.limit)?;
        let mut last = None;
        for command in queued {
            queue::cancel(self.conn, command.id, &cancel.reason, cancel.event, self.now)?;
            let verdict = CampaignVerdict {
                state: CampaignDeviceState::Cancelled,
                due: None,
                uncounted: false,
                status: None,
                reason: Some(cancel.reason.clone()),
            };
            let end = CampaignEnd {
                device: command.device.clone(),
                generation: command.generation,
                seq: command.seq,
                verdict: Some(verdict),
            };
            self.end(&end)?;
            last = Some(command.device);
        }
        Ok(last)
    }

    /// Ends devices that wait for another attempt.
    fn drop_waiting(&mut self, cancel: &CampaignCancel) -> Result<u32, StoreError> {
        let of = "cd.campaign = ?1 AND cd.due IS NOT NULL ORDER BY cd.due LIMIT ?2";
        let waiting = super::devices(self.conn, of, params![self.id(), cancel.limit])?;
        let mut dropped = 0;
        for known in waiting {
            let before = Some(known.state);
            let reason = Some(cancel.reason.clone());
            let state = CampaignDeviceState::Cancelled;
            self.put(&CampaignDevice { state, due: None, reason, ..known }, before)?;
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Brings the figures up to date.
    fn count(&self) -> Result<(), StoreError> {
        let CampaignCounts { open, done, failed, retry, waiting, skipped, cancelled, gone } = self.changes;
        if self.changes == CampaignCounts::default() {
            return Ok(());
        }
        execute(
            self.conn,
            "UPDATE campaign SET n_open = n_open + ?2, n_done = n_done + ?3, n_failed = n_failed + ?4,
               n_retry = n_retry + ?5, n_waiting = n_waiting + ?6, n_skipped = n_skipped + ?7,
               n_cancelled = n_cancelled + ?8, n_gone = n_gone + ?9
             WHERE id = ?1",
            params![self.id(), open, done, failed, retry, waiting, skipped, cancelled, gone],
        )?;
        Ok(())
    }
}

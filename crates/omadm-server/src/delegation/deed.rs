//! One thing that happens to a delegation, with all that comes of it, in one batch of the store.

use omadm_codec::delegation::{
    Body, DelegationMessage, DelegationNotify, DelegationRequest, ItemStatus, NotifyEvent,
};
use omadm_mo::{DeviceId, ServerId, Time};
use omadm_store::{
    Delegation, DelegationOut, DelegationPart, DelegationRole, DelegationSeen, DelegationState,
    DelegationStep, NewCommand, NewEvent, PartState, StoreError,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::Delegations;
use super::record::{Detail, Phase, Record};
use crate::context::Context;

/// Builds a step.
pub struct Deed<'c> {
    /// Settings and store.
    pub context: &'c Context,
    /// Now.
    pub now: Time,
    /// The delegation as it will be.
    pub delegation: Delegation,
    /// What will be known of it.
    pub detail: Detail,
    /// What it is about.
    pub terms: DelegationRequest,
    step: DelegationStep,
    /// States in the store of the parts that are written.
    before: Vec<PartState>,
}

impl<'c> Deed<'c> {
    /// Of a delegation as it was read, or of a new one.
    pub fn new(context: &'c Context, delegation: Delegation, terms: DelegationRequest, now: Time) -> Self {
        let detail = Detail::of(&delegation);
        let queue_limit = context.config.queue.max_per_device;
        let step = DelegationStep { queue_limit, ..DelegationStep::default() };
        Self { context, now, delegation, detail, terms, step, before: Vec::new() }
    }

    /// Brings it into another state.
    pub fn enter(&mut self, state: DelegationState, reason: Option<&str>) {
        self.delegation.state = state;
        self.detail.reason = reason.map(str::to_owned).or(self.detail.reason.take());
        match state {
            DelegationState::Active => self.detail.active_since = Some(self.now.0),
            DelegationState::Revoking => self.detail.revoking_since = Some(self.now.0),
            _ => {}
        }
        let (certificate, approver) = (self.detail.certificate.clone(), self.detail.approved_by.clone());
        let more = json!({ "reason": reason, "approved_by": approver, "certificate": certificate });
        self.event(state.as_str(), None, more);
    }

    /// Adds an event, which is the audit of delegations.
    pub fn event(&mut self, what: &str, device: Option<&DeviceId>, more: Json) {
        let Delegation { id, name, peer, role, .. } = &self.delegation;
        let mut body = json!({ "what": what, "id": id, "name": name, "peer": peer, "role": role.as_str() });
        if let (Some(members), Json::Object(more)) = (body.as_object_mut(), more) {
            members.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let event = NewEvent { device: device.cloned(), kind: "delegation".into(), body: body.to_string() };
        self.step.events.push(event);
    }

    /// Writes a part whose state in the store is `before`, if it is there.
    pub fn part(&mut self, before: Option<PartState>, part: DelegationPart, record: &Record) {
        self.before.extend(before);
        self.step.parts.push(DelegationPart { record: record.text(), ..part });
    }

    /// Queues a command.
    pub fn command(&mut self, command: NewCommand) {
        self.step.commands.push(command);
    }

    /// Says something to the other server. It is sent until it is answered.
    pub fn send(&mut self, body: Body) {
        let server = |id: &str| ServerId::parse(id);
        let from = server(&self.context.config.server.id);
        // Both were checked when they were configured.
        let (Ok(from), Ok(to)) = (from, server(&self.delegation.peer)) else { return };
        let msg_id = Uuid::now_v7().simple().to_string();
        let message = DelegationMessage { msg_id: msg_id.clone(), timestamp: self.now, from, to, body };
        self.step.send.push(DelegationOut {
            number: 0,
            peer: self.delegation.peer.clone(),
            msg_id,
            delegation: self.delegation.id,
            document: message.to_xml(&self.context.config.delegation.namespace),
            created: self.now,
            attempts: 0,
            due: self.now,
        });
    }

    /// Notes a message of the other server with its answer.
    pub fn seen(&mut self, seen: DelegationSeen) {
        self.step.seen = Some(seen);
    }

    /// Notes that the message with this number was answered.
    pub fn sent(&mut self, number: i64) {
        self.step.sent = Some(number);
    }

    /// Has rights given once it is time.
    pub fn approve(&mut self, by: &str) {
        self.detail.approved_by = Some(by.to_owned());
        self.enter(DelegationState::Approved, None);
        let mirrors = self.delegation.role == DelegationRole::Delegated;
        if mirrors || self.terms.not_before.is_none_or(|time| time <= self.now) {
            self.apply();
        }
    }

    /// Has rights given.
    pub fn apply(&mut self) {
        self.enter(DelegationState::Applying, None);
        if self.delegation.role == DelegationRole::Delegating {
            for device in self.terms.devices.clone() {
                let part = self.pending(device);
                self.part(None, DelegationPart { due: Some(self.now), ..part }, &Record::default());
            }
        }
    }

    /// A part of which nothing was done.
    fn pending(&self, device: DeviceId) -> DelegationPart {
        DelegationPart {
            delegation: self.delegation.id,
            device,
            state: PartState::Pending,
            waits_for: None,
            due: None,
            record: String::new(),
        }
    }

    /// Makes the parts of a new delegation.
    pub fn make_parts(&mut self) {
        for device in self.terms.devices.clone() {
            let part = self.pending(device);
            self.part(None, part, &Record::default());
        }
    }

    /// Has rights taken back that were given, and stops giving more. `parts` are all of the delegation. Commands that were not sent are to
    /// be cancelled afterwards: gives them.
    pub fn revoke(&mut self, parts: Vec<DelegationPart>, reason: &str) -> Vec<Uuid> {
        self.enter(DelegationState::Revoking, Some(reason));
        let mut cancel = Vec::new();
        let ours = self.delegation.role == DelegationRole::Delegating;
        for part in parts {
            let (mut record, before) = (Record::of(&part), Some(part.state));
            match part.state {
                PartState::Pending if ours => {
                    record.phase = Phase::Over;
                    record.told = false;
                    self.part(before, DelegationPart { state: PartState::Ended, due: None, ..part }, &record);
                }
                PartState::Active => {
                    record.phase = Phase::Release;
                    let due = ours.then_some(self.now);
                    self.part(before, DelegationPart { state: PartState::Revoking, due, ..part }, &record);
                }
                PartState::Applying => cancel.extend(record.commands),
                PartState::Pending | PartState::Revoking | PartState::Ended | PartState::Failed => {}
            }
        }
        self.detail.untold = ours;
        cancel
    }

    /// What the states of the parts mean for the whole; `counts` are those in the store, without what this step writes.
    pub fn aggregate(&mut self, counts: &[(PartState, i64)]) {
        let count = |state: PartState| {
            let stored = counts.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count);
            let gone = self.before.iter().filter(|other| **other == state).count();
            let come = self.step.parts.iter().filter(|part| part.state == state).count();
            stored - i64::try_from(gone).unwrap_or_default() + i64::try_from(come).unwrap_or_default()
        };
        let open = count(PartState::Pending) + count(PartState::Applying);
        let (active, revoking) = (count(PartState::Active), count(PartState::Revoking));
        let (ended, failed) = (count(PartState::Ended), count(PartState::Failed));
        match self.delegation.state {
            // What is taken back before all of it was given is on its way to have failed.
            DelegationState::Applying if open + revoking > 0 => {}
            DelegationState::Applying if active > 0 => self.enter(DelegationState::Active, None),
            DelegationState::Applying if ended == 0 && failed > 0 => {
                self.enter(DelegationState::Failed, Some("it could be given on no device"));
            }
            DelegationState::Applying | DelegationState::Active | DelegationState::Revoking
                if open + active + revoking == 0 =>
            {
                self.enter(DelegationState::Ended, None);
            }
            _ => {}
        }
    }

    /// Tells the other server what became of parts, those in `parts` that it does not know of.
    pub fn tell(&mut self, parts: Vec<DelegationPart>) {
        self.detail.untold = false;
        let mut told: [(NotifyEvent, Vec<ItemStatus>); 3] =
            [NotifyEvent::Active, NotifyEvent::Failed, NotifyEvent::Revoked].map(|event| (event, Vec::new()));
        for part in parts {
            let mut record = Record::of(&part);
            let event = match part.state {
                PartState::Active => NotifyEvent::Active,
                PartState::Failed => NotifyEvent::Failed,
                PartState::Ended => NotifyEvent::Revoked,
                PartState::Pending | PartState::Applying | PartState::Revoking => continue,
            };
            if !std::mem::replace(&mut record.told, true) {
                let items = told.iter_mut().find(|(known, _)| *known == event);
                items.into_iter().for_each(|(_, items)| items.extend(record.items(&part.device)));
                self.part(Some(part.state), part, &record);
            }
        }
        for (event, items) in told.into_iter().filter(|(_, items)| !items.is_empty()) {
            let delegation_id = self.delegation.name.clone();
            self.send(Body::Notify(DelegationNotify { delegation_id, event, reason: None, items }));
        }
    }

    /// When something has to happen by itself.
    fn due(&self) -> Option<Time> {
        let ours = self.delegation.role == DelegationRole::Delegating;
        let by_time = match self.delegation.state {
            DelegationState::Approved if ours => self.terms.not_before,
            DelegationState::Requested => self.terms.not_after,
            DelegationState::Applying | DelegationState::Active if ours => self.terms.not_after,
            // Whether the session is over has to be looked at.
            DelegationState::Active if self.terms.session_id.is_some() => Some(self.now.plus_micros(LOOK)),
            DelegationState::Revoking if ours && !self.detail.alarmed => {
                let alarm = self.context.config.delegation.alarm_after.0.as_micros();
                let since = Time(self.detail.revoking_since.unwrap_or(self.now.0));
                Some(since.plus_micros(i64::try_from(alarm).unwrap_or(i64::MAX)))
            }
            _ => None,
        };
        if self.detail.untold { Some(self.now) } else { by_time }
    }

    /// Writes it all.
    ///
    /// # Errors
    /// As [`omadm_store::DelegationStore::step_delegation`].
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.delegation.due = self.due();
        self.delegation.detail = self.detail.text();
        let devices: Vec<DeviceId> =
            self.step.commands.iter().map(|command| command.device.clone()).collect();
        let step = DelegationStep { delegation: Some(self.delegation), ..self.step };
        self.context.store.step_delegation(step, self.now).await?;
        if !devices.is_empty() {
            devices.iter().for_each(|device| self.context.wakers.wake(device));
            self.context.notifier.wake();
        }
        self.context.delegations.iter().for_each(Delegations::wake);
        Ok(())
    }
}

/// Microseconds between two looks at a session of a device.
const LOOK: i64 = 5_000_000;

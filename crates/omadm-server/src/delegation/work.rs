//! Delegations on devices: one step after the other, each as commands in the queue of the device, so that its notifications, retries and
//! traces are those of any other command (`DM 1.3 Server Delegation Protocol`, `DM 2.0 §12.3`).
//!
//! ```text
//! begin ─▶ locate ─▶ read ─▶ write ─▶ hold ─▶ release ─▶ read again ─▶ take back ─▶ over
//!            │         │       └── not as wanted ───┘ ▲        └── not heard ──┘ │
//!            └─────────┴── cannot be done: over (failed)└──────────────────────────┘
//! ```
//! Rights are read anew before each change, and only what a delegation has added is taken back; so what others change meanwhile stays.
//! On one device only one delegation is in work at a time.

use omadm_mo::Time;
use omadm_store::{
    Command, CommandState, Delegation, DelegationPart, DelegationRole, DelegationState, Device, PartState,
    StoreError,
};
use serde_json::json;

use super::deed::Deed;
use super::entries::{self, Entries};
use super::plan::{self, Ask, Writes};
use super::record::{Phase, Record, terms};
use super::view::{self, Acls, Lack, View};
use super::{commands, rights, targets};
use crate::address::Inventory;
use crate::clock;
use crate::context::Context;
use crate::device::dm1;
use crate::operation::Operation;
use crate::roots::Roots;

/// Pause before a device is tried again that was not heard, in microseconds.
const PAUSE: i64 = 60_000_000;

/// A part that something is to be done about.
struct Work<'c> {
    deed: Deed<'c>,
    part: DelegationPart,
    record: Record,
    device: Device,
    /// The parts of others on the same device.
    others: Vec<Known>,
}

/// What comes next for a part.
enum Next {
    /// Its commands are not over: it waits for this one.
    Wait(uuid::Uuid),
    /// It is tried again later.
    Later(Option<String>),
    /// These are asked or told of the device.
    Ask(Phase, Vec<commands::Said>),
    /// The rights are there.
    Held,
    /// They are to be taken back at once.
    Undo(Lack),
    /// Nothing is left of it.
    Ended,
    /// It cannot be done.
    Failed(Lack),
}

/// Does what is to be done about a part.
///
/// # Errors
/// As [`omadm_store::DelegationStore::step_delegation`].
pub async fn part(context: &Context, part: DelegationPart) -> Result<(), StoreError> {
    let now = clock::now();
    let Some((delegation, others)) = current(context, &part).await? else { return Ok(()) };
    let (before, mut record) = (part.state, Record::of(&part));
    let terms = match terms(&delegation) {
        Ok(terms) if delegation.role == DelegationRole::Delegating => terms,
        _ => return Ok(()),
    };
    let deed = Deed::new(context, delegation, terms, now);
    let Some(device) = context.store.device(&part.device).await? else {
        // With the enrolment, what was on the device is out of reach for good.
        let lack = Lack::said(404, "the device is not enrolled");
        let next = if before == PartState::Revoking { Next::Ended } else { Next::Failed(lack) };
        return finish(deed, part, record, next, before).await;
    };
    let busy = others.iter().any(|(_, other)| other.waits_for.is_some());
    if part.waits_for.is_none() && busy {
        return Ok(());
    }
    let mut over = Vec::new();
    if part.waits_for.is_some() {
        for id in &record.commands {
            match context.store.command(*id).await? {
                Some(command) if !command.state.is_final() => {
                    return finish(deed, part, record, Next::Wait(command.id), before).await;
                }
                command => over.extend(command),
            }
        }
        audit(&deed, &part, &mut record, &over).await?;
    }
    let mut work = Work { deed, part, record, device, others };
    let next = work.next(&over);
    let Work { mut deed, part, record, .. } = work;
    if record.phase == Phase::Write || record.phase == Phase::TakeBack {
        record.audit(&mut deed, &part, &over);
    }
    finish(deed, part, record, next, before).await
}

/// Leaves a part for later for which the queue of its device has no place.
///
/// # Errors
/// As [`omadm_store::DelegationStore::step_delegation`].
pub async fn postpone(context: &Context, part: DelegationPart) -> Result<(), StoreError> {
    let Some((delegation, _)) = current(context, &part).await? else { return Ok(()) };
    let Ok(terms) = terms(&delegation) else { return Ok(()) };
    let mut deed = Deed::new(context, delegation, terms, clock::now());
    let mut record = Record::of(&part);
    // What was asked before is asked anew: it may have changed until then.
    record.phase = match record.phase {
        Phase::Begin | Phase::Locate | Phase::Read => Phase::Begin,
        Phase::Release | Phase::ReadAgain | Phase::TakeBack => Phase::Release,
        phase @ (Phase::Write | Phase::Hold | Phase::Over) => phase,
    };
    record.commands.clear();
    let due = Some(deed.now.plus_micros(PAUSE));
    deed.part(Some(part.state), DelegationPart { due, waits_for: None, ..part }, &record);
    deed.commit().await
}

/// A part of a delegation, with the delegation.
type Known = (Delegation, DelegationPart);

/// The delegation of a part, and what others have on the same device; `None` if the part is not any more as it was read. Whoever changes it
/// from now on changes the delegation, too, and so one of both fails.
async fn current(
    context: &Context,
    part: &DelegationPart,
) -> Result<Option<(Delegation, Vec<Known>)>, StoreError> {
    let mut known = context.store.delegations_of(&part.device).await?;
    let at = known.iter().position(|(_, known)| known == part);
    Ok(at.map(|at| (known.remove(at).0, known)))
}

/// Notes in which session something was written.
async fn audit(
    deed: &Deed<'_>,
    part: &DelegationPart,
    record: &mut Record,
    over: &[Command],
) -> Result<(), StoreError> {
    let Some(sent) = over.iter().find_map(|command| command.sent) else { return Ok(()) };
    let sessions = deed.context.store.sessions(&part.device, None, 8).await?;
    record.session = sessions.iter().find(|session| session.started <= sent).map(|session| session.session);
    Ok(())
}

impl Record {
    /// Says of each node what was written.
    fn audit(&self, deed: &mut Deed<'_>, part: &DelegationPart, over: &[Command]) {
        let Some(command) = over.first() else { return };
        let (what, nodes) = match self.phase {
            Phase::Write => ("rights given", &self.nodes),
            _ => ("rights taken back", &self.taking),
        };
        for node in nodes.iter().filter(|node| node.before != node.after) {
            let more = json!({
                "node": node.node, "before": node.before, "after": node.after, "session": self.session,
                "command": command.id, "outcome": command.state, "approved_by": deed.detail.approved_by,
            });
            deed.event(what, Some(&part.device), more);
        }
    }
}

/// Writes what comes next.
async fn finish(
    mut deed: Deed<'_>,
    part: DelegationPart,
    mut record: Record,
    next: Next,
    before: PartState,
) -> Result<(), StoreError> {
    let now = deed.now;
    let idle = DelegationPart { waits_for: None, due: None, ..part };
    let mut set = |state: PartState, lack: Option<Lack>| {
        record.commands.clear();
        record.told = false;
        if let Some(Lack { status, reason }) = lack {
            (record.status, record.reason) = (status.or(Some(503)), Some(reason));
        }
        deed.detail.untold |= state.is_final() || state == PartState::Active;
        state
    };
    let part = match next {
        Next::Wait(id) => DelegationPart { waits_for: Some(id), ..idle },
        Next::Later(reason) => {
            record.commands.clear();
            record.reason = reason.or(record.reason);
            DelegationPart { due: Some(now.plus_micros(PAUSE)), ..idle }
        }
        Next::Ask(phase, said) => queue(&mut deed, &mut record, idle, phase, said),
        // It was revoked while it was being given.
        Next::Held if deed.delegation.state == DelegationState::Revoking => {
            set(PartState::Revoking, None);
            record.phase = Phase::Release;
            DelegationPart { state: PartState::Revoking, due: Some(now), ..idle }
        }
        Next::Held => {
            let state = set(PartState::Active, None);
            (record.phase, record.status, record.reason) = (Phase::Hold, Some(200), None);
            DelegationPart { state, ..idle }
        }
        Next::Undo(lack) => {
            set(PartState::Revoking, Some(lack));
            (record.phase, record.undone) = (Phase::Release, true);
            DelegationPart { state: PartState::Revoking, due: Some(now), ..idle }
        }
        Next::Ended => {
            let state = set(if record.undone { PartState::Failed } else { PartState::Ended }, None);
            record.phase = Phase::Over;
            DelegationPart { state, ..idle }
        }
        Next::Failed(lack) => {
            let reason = lack.reason.clone();
            let state = set(PartState::Failed, Some(lack));
            record.phase = Phase::Over;
            deed.event("failed on a device", Some(&idle.device), json!({ "reason": reason }));
            DelegationPart { state, ..idle }
        }
    };
    let counts = deed.context.store.delegation_counts(part.delegation).await?;
    deed.part(Some(before), part, &record);
    deed.aggregate(&counts);
    deed.commit().await
}

/// Queues what is asked or told of a device.
fn queue(
    deed: &mut Deed<'_>,
    record: &mut Record,
    idle: DelegationPart,
    phase: Phase,
    said: Vec<commands::Said>,
) -> DelegationPart {
    let state = match phase {
        Phase::ReadAgain | Phase::TakeBack => PartState::Revoking,
        _ => PartState::Applying,
    };
    let expires = expiry(deed, state);
    let by = format!("delegation {}", deed.delegation.name);
    let new: Vec<_> = said.into_iter().map(|said| said.command(&idle.device, expires, &by)).collect();
    record.phase = phase;
    record.commands = new.iter().map(|command| command.id).collect();
    new.into_iter().for_each(|command| deed.command(command));
    DelegationPart { state, waits_for: record.commands.last().copied(), ..idle }
}

/// When commands have lost their sense.
fn expiry(deed: &Deed<'_>, state: PartState) -> Time {
    let longest = deed.context.config.queue.default_expiry.0.as_micros();
    let longest = deed.now.plus_micros(i64::try_from(longest).unwrap_or(i64::MAX));
    let end = deed.terms.not_after.filter(|_| state == PartState::Applying);
    end.map_or(longest, |end| longest.min(end))
}

impl Work<'_> {
    /// What comes next; `over` are the commands that were waited for.
    fn next(&mut self, over: &[Command]) -> Next {
        let revoking = self.deed.delegation.state == DelegationState::Revoking;
        match self.record.phase {
            Phase::Begin | Phase::Locate | Phase::Read if revoking => Next::Ended,
            Phase::Begin => self.begin(None),
            Phase::Locate => self.begin(Some(over)),
            Phase::Read => self.give(over),
            Phase::Write => self.given(over),
            Phase::Release => self.look_again(),
            Phase::ReadAgain => self.take(over),
            Phase::TakeBack => self.taken(over),
            Phase::Hold | Phase::Over => Next::Ended,
        }
    }

    /// How the device is spoken to; `None` as long as it has said nothing.
    fn dm1(&self) -> Option<Option<Roots>> {
        let protocol = self.device.protocol.as_deref()?;
        let version = dm1::protocol_version(Some(protocol));
        Some(version.map(|version| Roots::of(&self.inventory(), version)))
    }

    fn inventory(&self) -> Inventory {
        Inventory::read(self.device.inventory.as_deref())
    }

    /// Finds the nodes, and asks who may do what with them; `located` are the commands that have asked where objects are.
    fn begin(&mut self, located: Option<&[Command]>) -> Next {
        let Some(roots) = self.dm1() else {
            return Next::Later(Some("the device was not in contact yet".to_owned()));
        };
        let found = match &roots {
            Some(roots) => targets::on_dm1(&self.deed.terms.targets, roots),
            None => targets::on_dm2(&self.deed.terms.targets, &self.inventory()),
        };
        match found {
            Err(lack) => Next::Failed(lack),
            Ok(targets::Found { missing, .. }) if !missing.is_empty() && located.is_none() => {
                let where_is = |moid: String| Operation::Get { address: format!("{moid}//") };
                Next::Ask(Phase::Locate, missing.into_iter().map(where_is).map(Into::into).collect())
            }
            Ok(targets::Found { missing, .. }) if !missing.is_empty() => {
                let said = located.into_iter().flatten().find_map(|command| view::brought(command).err());
                let reason = said.map(|lack| format!("; {}", lack.reason)).unwrap_or_default();
                let missing = missing.join(", ");
                Next::Failed(Lack::said(404, format!("the device does not have {missing}{reason}")))
            }
            Ok(found) => {
                let asked = match &roots {
                    Some(_) => view::questions(found.nodes.iter().map(|node| node.node.as_str())),
                    None => entries::questions(found.moids.iter().map(String::as_str)),
                };
                (self.record.nodes, self.record.dm2) = (found.nodes, roots.is_none());
                Next::Ask(Phase::Read, asked.into_iter().map(Into::into).collect())
            }
        }
    }

    fn view(&self, over: &[Command]) -> View {
        if self.record.dm2 {
            View::Entries(Entries::read(over.iter()))
        } else {
            View::Acls(Acls::read(over.iter()))
        }
    }

    fn ask(&self, view: &View) -> Ask {
        let Deed { context, terms, delegation, .. } = &self.deed;
        let peer = context.delegations.as_ref().and_then(|them| them.peers.get(&delegation.peer));
        let redelegable = peer.is_some_and(|peer| peer.settings.allow_redelegation);
        let (rights, control) = match view {
            View::Acls(_) => (rights::of_acl(terms.rights), rights::REPLACE),
            View::Entries(_) => (rights::of_dac(terms.rights, redelegable), rights::DELEGATE),
        };
        let endpoints = context.config.dm1.endpoints.iter().filter_map(|endpoint| endpoint.server_id.clone());
        Ask {
            to: terms.server_id.as_str().to_owned(),
            ours: std::iter::once(context.config.server.id.clone()).chain(endpoints).collect(),
            rights,
            control,
            exclusive: terms.mode == omadm_codec::delegation::Mode::Exclusive,
            redelegable,
        }
    }

    /// What other delegations give to the same server at a node.
    fn claimed(&self, node: &str) -> u8 {
        let to = self.deed.terms.server_id.as_str();
        let ours = self.others.iter().filter(|(other, _)| {
            other.role == DelegationRole::Delegating && other.peer == self.deed.delegation.peer
        });
        let records = ours.map(|(_, part)| Record::of(part));
        let nodes = records.flat_map(|record| record.nodes).filter(|known| known.node == node);
        nodes.fold(0, |sum, known| sum | known.changed.added.of(to))
    }

    /// The device has told who may do what: adds the rights.
    fn give(&mut self, over: &[Command]) -> Next {
        let view = self.view(over);
        if let View::Entries(entries) = &view {
            match targets::in_entries(&self.deed.terms.targets, &self.inventory(), entries) {
                Ok(nodes) => self.record.nodes = nodes,
                Err(lack) => return self.unheard(lack),
            }
        }
        match plan::give(&view, &self.record.nodes, &self.ask(&view), &|node| self.claimed(node)) {
            Ok((nodes, writes)) if writes.is_empty() => {
                self.record.nodes = nodes;
                Next::Held
            }
            Ok((nodes, writes)) => {
                self.record.nodes = nodes;
                self.write(Phase::Write, &view, writes)
            }
            Err(lack) => self.unheard(lack),
        }
    }

    /// What a device cannot be told is over; what it was not asked, because nobody heard it, is over once the time is.
    fn unheard(&self, lack: Lack) -> Next {
        let over = self.deed.terms.not_after.is_some_and(|end| end <= self.deed.now);
        if lack.status.is_some() || over {
            Next::Failed(lack)
        } else {
            Next::Failed(Lack { status: Some(503), ..lack })
        }
    }

    /// Writes, and reads what was written.
    fn write(&self, phase: Phase, view: &View, writes: Writes) -> Next {
        let (operation, body) = match view.write(&writes) {
            Ok(said) => said,
            Err(lack) => return Next::Failed(lack),
        };
        let nodes = writes.iter().map(|(node, _)| node.as_str());
        let checks = match view {
            View::Acls(_) => view::checks(nodes),
            View::Entries(_) => entries::checks(nodes),
        };
        let first = commands::Said { operation, body };
        Next::Ask(phase, std::iter::once(first).chain(checks.into_iter().map(Into::into)).collect())
    }

    /// Rights were added, or not.
    fn given(&mut self, over: &[Command]) -> Next {
        let Some((write, checks)) = over.split_first() else {
            return Next::Undo(Lack::said(503, "what was asked of the device is not known any more"));
        };
        let lack = match view::brought(write) {
            Ok(_) => Lack::said(500, "the device says that it has the rights, and has not"),
            // It never went out, so nothing has changed.
            Err(lack) if write.attempts == 0 => {
                self.record.nodes.iter_mut().for_each(|node| node.changed = Default::default());
                let revoking = self.deed.delegation.state == DelegationState::Revoking;
                return if revoking { Next::Ended } else { Next::Failed(lack) };
            }
            Err(lack) => lack,
        };
        let (view, exclusive) = (self.view(checks), self.ask(&self.view(checks)).exclusive);
        let written = |node: &&super::record::NodeRecord| node.before != node.after;
        let all =
            self.record.nodes.iter().filter(written).all(|node| plan::is_written(&view, node, exclusive));
        if all && write.state == CommandState::Done { Next::Held } else { Next::Undo(lack) }
    }

    /// Asks anew who may do what.
    fn look_again(&self) -> Next {
        let nodes = self.record.nodes.iter().map(|node| node.node.as_str());
        let asked = if self.record.dm2 { entries::checks(nodes) } else { view::questions(nodes) };
        if asked.is_empty() {
            return Next::Ended;
        }
        Next::Ask(Phase::ReadAgain, asked.into_iter().map(Into::into).collect())
    }

    /// The device has told who may do what: takes the rights back.
    fn take(&mut self, over: &[Command]) -> Next {
        let view = self.view(over);
        match plan::take(&view, &self.record.nodes, &self.ask(&view), &|node| self.claimed(node)) {
            Ok((_, writes)) if writes.is_empty() => self.released(),
            Ok((nodes, writes)) => {
                self.record.taking = nodes;
                self.write(Phase::TakeBack, &view, writes)
            }
            Err(lack) => self.again(lack),
        }
    }

    /// Rights were taken back, or not.
    fn taken(&mut self, over: &[Command]) -> Next {
        let Some((write, checks)) = over.split_first() else {
            return self.again(Lack::said(503, "it is not known"));
        };
        match view::brought(write) {
            Err(lack) => self.again(lack),
            Ok(_) => {
                let view = self.view(checks);
                let written = |node: &&super::record::NodeRecord| node.before != node.after;
                let mut taking = self.record.taking.iter().filter(written);
                // What this server may not read any more, it cannot compare.
                let all = taking.all(|node| plan::is_taken(&view, node));
                if all {
                    self.released()
                } else {
                    self.again(Lack::said(500, "the device still has the rights"))
                }
            }
        }
    }

    fn released(&mut self) -> Next {
        self.record.nodes.iter_mut().for_each(|node| node.changed = Default::default());
        Next::Ended
    }

    /// Rights are taken back sooner or later: they are tried to be for as long as the device is enrolled.
    fn again(&mut self, lack: Lack) -> Next {
        self.record.phase = Phase::Release;
        Next::Later(Some(lack.reason))
    }
}

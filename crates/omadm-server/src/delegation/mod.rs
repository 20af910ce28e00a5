//! Delegation of devices between servers (`DM 1.3 Server Delegation Protocol`): what one says to another, and what that does to devices.
//!
//! The delegating server has rights on a device and gives of them; the delegated one gets them. What counts is what stands on the device,
//! as an ACL of DM 1.x or in the Delegation Access Control MO of DM 2.0: the servers only agree on what the first of them writes there.
//!
//! ```text
//! requested ──▶ approved ──▶ applying ──▶ active ──▶ revoking ──▶ ended
//!     └▶ rejected   (time)      └▶ failed     (cancel, release, time)
//! ```
//! Every step is durable before anybody is told of it, so both sides go on after a restart.
//!
//! Here: who may delegate what to whom, the messages, the commands to devices.
//! Never here: the form of documents (`omadm_codec::delegation`), and what devices make of ACLs.

mod act;
mod commands;
mod deed;
mod endpoint;
mod entries;
mod grants;
mod judge;
mod outbox;
mod peers;
mod plan;
mod receive;
mod record;
mod rights;
mod target;
mod targets;
mod view;
mod work;

use std::sync::Arc;
use std::time::Duration;

use omadm_mo::DeviceId;
use omadm_store::{Delegation, DelegationPart, DelegationRole, DelegationState, StoreError};
use serde_json::json;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::ServerError;
use crate::clock;
use crate::config::Config;
use crate::context::Context;
use crate::events;
use crate::lease::Duty;
use crate::tls::KeyPair;
pub use act::{Wish, approve, cancel, offer_or_ask, reject, release, undisturbed};
use deed::Deed;
pub use endpoint::{PATH, router};
pub use judge::Failure;
pub use outbox::run as run_outbox;
pub use peers::Peers;
pub use record::{Detail, NodeRecord, Record, terms};

/// Longest pause between two looks at what is to be done: other nodes, and the commands of devices, say nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// Most of each kind that is looked at in one go.
const BATCH: u32 = 200;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What a server needs for delegations.
pub struct Delegations {
    /// The other servers.
    pub peers: Peers,
    /// Says that there may be something to do on devices.
    work: Notify,
    /// Says that there may be something to send.
    outbox: Notify,
}

impl Delegations {
    /// As the configuration has it; `identity` is the certificate that devices see.
    ///
    /// # Errors
    /// When files cannot be used.
    pub fn new(config: &Config, identity: Option<&KeyPair>) -> Result<Option<(Self, KeyPair)>, ServerError> {
        let section = &config.delegation;
        let own = section.certificate.clone().zip(section.key.clone());
        let own = own.map(|(certificate, key)| KeyPair { certificate, key }).or_else(|| identity.cloned());
        match own {
            Some(own) if section.enabled => {
                let peers = Peers::new(config, &own)?;
                Ok(Some((Self { peers, work: Notify::new(), outbox: Notify::new() }, own)))
            }
            _ => Ok(None),
        }
    }

    /// Says that there may be something to do.
    pub fn wake(&self) {
        self.work.notify_one();
        self.outbox.notify_one();
    }
}

/// Does what there is to do until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let Some(delegations) = &context.delegations else { return };
    let mut duty = Duty::of(&context, "delegation");
    loop {
        if let Err(error) = pass(&context, &mut duty).await {
            tracing::error!(%error, "delegations could not be looked after; it will be tried again");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = delegations.work.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

/// One look at everything.
async fn pass(context: &Context, duty: &mut Duty) -> Result<(), StoreError> {
    if !duty.is_mine(context.store.as_ref()).await? {
        return Ok(());
    }
    let now = clock::now();
    for delegation in context.store.due_delegations(now, BATCH).await? {
        again_later(on_time(context, delegation).await)?;
    }
    for part in context.store.due_parts(now, BATCH).await? {
        let waiting = part.clone();
        match again_later(work::part(context, part).await) {
            Err(error @ StoreError::QueueFull { .. }) => {
                tracing::warn!(%error, "a delegation waits for a place in the queue of a device");
                again_later(work::postpone(context, waiting).await)?;
            }
            outcome => outcome?,
        }
    }
    let seen = i64::try_from(context.config.delegation.remember.0.as_micros()).unwrap_or(i64::MAX);
    let kept = i64::from(context.config.trace.keep_days).saturating_mul(DAY);
    context.store.prune_delegations(now.plus_micros(-seen), now.plus_micros(-kept), BATCH).await.map(drop)
}

/// Whom another node was faster than has nothing to do.
fn again_later(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::Conflict(_)) => Ok(()),
        outcome => outcome,
    }
}

/// Does what the time has come for.
async fn on_time(context: &Context, delegation: Delegation) -> Result<(), StoreError> {
    let now = clock::now();
    let Ok(terms) = terms(&delegation) else { return Ok(()) };
    let (id, state) = (delegation.id, delegation.state);
    let ours = delegation.role == DelegationRole::Delegating;
    let mut deed = Deed::new(context, delegation, terms, now);
    let is_over = deed.terms.not_after.is_some_and(|end| end <= now);
    if deed.detail.untold {
        deed.tell(parts(context, id).await?);
    }
    match state {
        DelegationState::Requested if is_over => deed.enter(DelegationState::Ended, Some("its time is over")),
        DelegationState::Approved | DelegationState::Applying | DelegationState::Active
            if ours && is_over =>
        {
            return revoke(deed, "its time is over").await;
        }
        DelegationState::Approved if ours && deed.terms.not_before.is_none_or(|start| start <= now) => {
            deed.apply()
        }
        DelegationState::Revoking if ours && is_late(&deed) => {
            deed.detail.alarmed = true;
            let parts = parts(context, id).await?;
            let missing = open_devices(&parts);
            deed.event(
                "alarm",
                None,
                json!({ "reason": "rights could not be taken back in time", "devices": missing }),
            );
            tracing::error!(delegation = %id, "rights could not be taken back in time (delegation.alarm_after)");
        }
        DelegationState::Active if !ours && session_is_over(context, &deed).await? => {
            deed.enter(DelegationState::Revoking, Some("its session is over"));
            receive::release(&mut deed);
        }
        _ => {}
    }
    deed.commit().await
}

/// Whether it takes longer to take rights back than operators want to wait.
fn is_late(deed: &Deed<'_>) -> bool {
    let patience = deed.context.config.delegation.alarm_after.0.as_micros();
    let patience = i64::try_from(patience).unwrap_or(i64::MAX);
    let since = deed.detail.revoking_since.unwrap_or(deed.now.0);
    !deed.detail.alarmed && since.saturating_add(patience) <= deed.now.0
}

fn open_devices(parts: &[DelegationPart]) -> Vec<&str> {
    parts.iter().filter(|part| !part.state.is_final()).map(|part| part.device.as_str()).collect()
}

/// Whether every device has had a session that began when the delegation was active, and has ended.
async fn session_is_over(context: &Context, deed: &Deed<'_>) -> Result<bool, StoreError> {
    let (Some(_), Some(since)) = (&deed.terms.session_id, deed.detail.active_since) else { return Ok(false) };
    for device in &deed.terms.devices {
        let sessions = context.store.sessions(device, None, BATCH).await?;
        if !sessions.iter().any(|session| session.started.0 >= since && session.outcome != "open") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// All parts of a delegation.
pub async fn parts(context: &Context, id: Uuid) -> Result<Vec<DelegationPart>, StoreError> {
    let (mut all, mut after): (Vec<DelegationPart>, Option<DeviceId>) = (Vec::new(), None);
    loop {
        let page = context.store.delegation_parts(id, after, BATCH).await?;
        after = page.last().map(|part| part.device.clone());
        all.extend(page);
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Has rights taken back.
///
/// # Errors
/// As [`omadm_store::DelegationStore::step_delegation`].
pub async fn revoke(mut deed: Deed<'_>, reason: &str) -> Result<(), StoreError> {
    let context = deed.context;
    let cancel = begin_revoking(&mut deed, reason).await?;
    deed.commit().await?;
    cancel_commands(context, cancel).await
}

/// As [`revoke`], before it is written; gives the commands to be cancelled once it is.
async fn begin_revoking(deed: &mut Deed<'_>, reason: &str) -> Result<Vec<Uuid>, StoreError> {
    let parts = parts(deed.context, deed.delegation.id).await?;
    let counts = deed.context.store.delegation_counts(deed.delegation.id).await?;
    let cancel = deed.revoke(parts, reason);
    deed.aggregate(&counts);
    Ok(cancel)
}

/// Cancels what was not sent yet; for the rest its end is waited for.
async fn cancel_commands(context: &Context, commands: Vec<Uuid>) -> Result<(), StoreError> {
    for command in commands {
        let reason = "The delegation is taken back.";
        context.store.cancel(command, reason, events::ended, clock::now()).await?;
    }
    Ok(())
}

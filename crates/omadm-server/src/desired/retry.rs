//! Another attempt at what has failed, because an operator asks for it.

use omadm_store::{Device, ProfileChange, ProfileState, ProfileStep, ProfileWork, StoreError};

use super::memo::Memo;
use crate::clock;
use crate::context::Context;

/// Has what is open of a profile on a device begun anew at its next check-in, and the device notified; `false` if nothing is open, or a
/// command for it is under way. What it did in vain until now does not count any more.
///
/// # Errors
/// When the store fails; [`StoreError::Conflict`] if the device was looked at meanwhile.
pub async fn retry(context: &Context, device: &Device, profile: &str) -> Result<bool, StoreError> {
    let mut memo = Memo::read(device.desired.as_deref());
    let Some(version) = memo.retry(profile) else { return Ok(false) };
    let change = ProfileChange::Stands {
        profile: profile.to_owned(),
        version,
        state: ProfileState::Pending,
        reason: Some("An operator has asked for another attempt.".to_owned()),
    };
    let step = ProfileStep {
        expected: device.desired.clone(),
        memo: memo.write(),
        changes: vec![change],
        events: Vec::new(),
    };
    let work = ProfileWork {
        device: device.id.clone(),
        generation: device.generation,
        step,
        superseded: Vec::new(),
        commands: Vec::new(),
        queue_limit: context.config.queue.max_per_device,
        notify: true,
    };
    context.store.work_on_profiles(work, clock::now()).await?;
    context.notifier.wake();
    Ok(true)
}

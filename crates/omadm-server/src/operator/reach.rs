//! What somebody sees of all the devices.

use omadm_mo::DeviceId;
use omadm_store::StoreError;

use super::actor::Actor;
use crate::context::Context;

/// Whether a device is there, and is one of theirs.
///
/// # Errors
/// When the store fails.
pub async fn sees(context: &Context, actor: &Actor, device: &DeviceId) -> Result<bool, StoreError> {
    match &actor.groups {
        None => Ok(context.store.device(device).await?.is_some()),
        Some(_) => Ok(false),
    }
}

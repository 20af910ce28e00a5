//! What comes beside the sessions of a device: uploads, reports, answers of users.

use omadm_store::{CheckIn, Command, Store, StoreError};

/// How often something is tried again when the store has gone on meanwhile.
pub const MAX_CONFLICTS: usize = 5;

/// What has to be known to take something in that belongs to `command`; `None` if its device was removed or enrolled anew, or its
/// bootstrap was revoked.
///
/// # Errors
/// When the store fails.
pub async fn check_in(store: &dyn Store, command: &Command) -> Result<Option<CheckIn>, StoreError> {
    let device = store.device(&command.device).await?;
    let device = device.filter(|device| device.generation == command.generation && device.revoked.is_none());
    Ok(device.map(|device| CheckIn {
        device,
        session: None,
        commands: vec![command.clone()],
        more: false,
        last_seq: command.seq,
        validators: Vec::new(),
        dm1: None,
    }))
}

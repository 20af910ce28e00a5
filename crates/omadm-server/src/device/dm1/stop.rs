//! Ending a session from outside of it (`DM 1.3 PROTO §6.1`).

use omadm_mo::{DeviceId, Time};
use omadm_session::dm1::server::State;
use omadm_store::{SessionId, SessionRow, SessionStep, StoreError};

use super::known::protocol_version;
use crate::beside::MAX_CONFLICTS;
use crate::clock;
use crate::context::Context;
use crate::ledger::Ledger;

/// Why a session cannot be ended.
#[derive(Debug, thiserror::Error)]
pub enum Unstoppable {
    /// There is none.
    #[error("the device has no session open")]
    NoSession,
    /// DM 2.0 has no way to do it.
    #[error(
        "the device speaks DM 2.0, whose sessions end as soon as nothing is left to do; cancel its commands instead"
    )]
    OtherProtocol,
    /// The device was removed.
    #[error("the device is not enrolled any more")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets the open session of a device end: its next message is answered with Alert 1223, and what it did not answer is queued again.
/// Gives the number of the session.
///
/// # Errors
/// [`Unstoppable`]
pub async fn stop(context: &Context, device: &DeviceId, reason: &str) -> Result<SessionId, Unstoppable> {
    let mut conflict = None;
    for _ in 0..MAX_CONFLICTS {
        let check = context.store.check_in(device, 0).await?.ok_or(Unstoppable::Gone)?;
        let protocol = check.device.protocol.clone().unwrap_or_default();
        let row = check.session.as_ref().filter(|row| is_open(context, row)).ok_or(Unstoppable::NoSession)?;
        if protocol_version(Some(&protocol)).is_none() {
            return Err(Unstoppable::OtherProtocol);
        }
        let mut state = State::read(&row.state).ok_or(Unstoppable::NoSession)?;
        state.stop(reason);
        let session = SessionRow { state: state.write(), ..row.clone() };
        let number = session.session;
        // It is no contact with the device: the time of the last one stays.
        let contact = check.device.last_contact.unwrap_or(row.updated);
        let step = SessionStep {
            expected_version: Some(row.version),
            session: Some(session),
            ..Ledger::new(&check, std::iter::empty()).into_step(&protocol, contact)
        };
        match context.store.apply(step).await {
            Ok(()) => {
                context.memory.forget(device);
                return Ok(number);
            }
            Err(StoreError::Conflict(what)) => conflict = Some(what),
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(conflict.unwrap_or_default()).into())
}

/// Whether a session may still go on.
fn is_open(context: &Context, row: &SessionRow) -> bool {
    let idle = i64::try_from(context.dm1.idle.as_micros()).unwrap_or(i64::MAX);
    let until: Time = row.updated.plus_micros(idle);
    !row.ended && until > clock::now()
}

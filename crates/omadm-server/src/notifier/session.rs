//! Notifications and the sessions of DM 1.x that they lead to.

use omadm_codec::dm1::AlertCode;
use omadm_mo::DeviceId;
use omadm_session::dm1::server::Begun;
use omadm_store::{Push, StoreError};

use super::{Protocol, plan};
use crate::context::Context;

/// The notification that a session of DM 1.x answers, if it is one that was sent: its number is that of the session, in hexadecimal
/// digits, or in decimal ones as some devices write it (`DM 1.3 PROTO §6.2`).
///
/// # Errors
/// When the store fails.
pub async fn answered_by_session(
    context: &Context,
    device: &DeviceId,
    began: Option<&Begun>,
) -> Result<Option<u16>, StoreError> {
    let Some(began) = began.filter(|began| began.alert == Some(AlertCode::ServerInitiated)) else {
        return Ok(None);
    };
    called_for(context, device, began.session_id.as_str()).await.map(|call| call.map(|(id, _)| id))
}

/// Whether a session with this number answers a notification that was made with the default nonce.
///
/// # Errors
/// When the store fails.
pub async fn begins_by_default(
    context: &Context,
    device: &DeviceId,
    session_id: &str,
) -> Result<bool, StoreError> {
    let settings = &context.config.notifier;
    if settings.dm1_default_nonce_after == 0 {
        return Ok(false);
    }
    let call = called_for(context, device, session_id).await?;
    Ok(call.is_some_and(|(_, push)| plan::gives_nonce_up(&push.progress, settings)))
}

/// The notification that a session with this number answers.
async fn called_for(
    context: &Context,
    device: &DeviceId,
    session_id: &str,
) -> Result<Option<(u16, Push)>, StoreError> {
    let numbers = [u16::from_str_radix(session_id, 16).ok(), session_id.parse().ok()];
    let Some(push) = context.store.push(device).await? else { return Ok(None) };
    let answers = |id: &u16| plan::is_answered_by(&push, Protocol::Dm1, *id);
    Ok(numbers.into_iter().flatten().find(answers).map(|id| (id, push)))
}

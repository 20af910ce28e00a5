//! Notifications and the sessions of DM 1.x that they lead to.

use omadm_codec::dm1::AlertCode;
use omadm_mo::DeviceId;
use omadm_session::dm1::server::Begun;
use omadm_store::StoreError;

use super::plan;
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
    let text = began.session_id.as_str();
    let numbers = [u16::from_str_radix(text, 16).ok(), text.parse().ok()];
    let push = context.store.push(device).await?;
    let answers = |id: &u16| push.as_ref().is_some_and(|push| plan::is_answered_by(push, *id));
    Ok(numbers.into_iter().flatten().find(answers))
}

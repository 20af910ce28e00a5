//! SUB and UNSUB: reports of changes (`DM 2.0 §5.3.11, §5.3.12`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::{ClientUri, Operation, OperationError, ServerUri};

use super::{Answer, Context, Progress, Wait};
use crate::dm2::client::{Effect, policy};

/// The server has to be allowed to read what it wants to be told of; a URI that policy forbids is 400, as Appendix C has no 419
/// here.
pub(super) fn subscribe(context: &Context<'_>, uri: ServerUri, client: ClientUri) -> Progress {
    if let Err(reason) = policy::expand(context.config, &uri) {
        return Answer::failure(StatusCode::BAD_REQUEST, reason).into();
    }
    match context.tree.authorise(context.actor, &client, Operation::Get) {
        Ok(_) => Progress::waiting(Effect::Subscribe { client, uri }, Wait::Answer),
        Err(error) => Answer::refused(&error).into(),
    }
}

/// Only the host knows what was subscribed to, which may be gone by now; what the server may not read is not its subscription.
pub(super) fn unsubscribe(context: &Context<'_>, client: ClientUri) -> Progress {
    match context.tree.authorise(context.actor, &client, Operation::Get) {
        Err(error @ (OperationError::NoRight { .. } | OperationError::NotProvisioned { .. })) => {
            Answer::refused(&error).into()
        }
        Ok(_) | Err(_) => Progress::waiting(Effect::Unsubscribe { client }, Wait::Answer),
    }
}

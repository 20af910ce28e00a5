//! EXEC (`DM 2.0 §5.3.5, §5.4.1`): with a ServerURI its end is reported later, without one that is up to the plug-in.

use omadm_codec::dm2::StatusCode;
use omadm_mo::{ClientUri, Operation, ServerUri};

use super::{Answer, Context, Progress, Wait};
use crate::dm2::client::{Effect, policy};

/// A ServerURI that policy forbids is 400: Appendix C does not give 419 to EXEC.
pub(super) fn perform(context: &Context<'_>, client: &ClientUri, report_to: Option<ServerUri>) -> Progress {
    let found = match context.tree.authorise(context.actor, client, Operation::Exec) {
        Ok(found) => found,
        Err(error) => return Answer::refused(&error).into(),
    };
    if let Some(Err(reason)) = report_to.as_ref().map(|uri| policy::expand(context.config, uri)) {
        return Answer::failure(StatusCode::BAD_REQUEST, reason).into();
    }
    let target = found.first().and_then(|found| {
        let instance = context.tree.instance_of_node(found.node)?;
        Some((context.tree.address_of(found.node)?, (instance.moid.clone(), instance.miid.clone())))
    });
    match target {
        Some((address, instance)) => {
            Progress::waiting(Effect::Execute { address, instance, report_to }, Wait::Execute)
        }
        None => Answer::failure(StatusCode::NOT_FOUND, format!("{client} matches nothing")).into(),
    }
}

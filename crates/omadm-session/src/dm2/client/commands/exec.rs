//! EXEC, reported synchronously (`DM 2.0 §5.3.5`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::{ClientUri, Operation, ServerUri};

use super::{Answer, Context, Progress, Wait};
use crate::dm2::client::Effect;

pub(super) fn perform(context: &Context<'_>, client: &ClientUri, server: Option<&ServerUri>) -> Progress {
    if server.is_some() {
        let reason = "this device does not report the result of EXEC to a ServerURI";
        return Answer::failure(StatusCode::NOT_IMPLEMENTED, reason).into();
    }
    let found = match context.tree.authorise(context.actor, client, Operation::Exec) {
        Ok(found) => found,
        Err(error) => return Answer::refused(&error).into(),
    };
    let target = found.first().and_then(|found| {
        let instance = context.tree.instance_of_node(found.node)?;
        Some((context.tree.address_of(found.node)?, (instance.moid.clone(), instance.miid.clone())))
    });
    match target {
        Some((address, instance)) => Progress::waiting(Effect::Execute { address, instance }, Wait::Execute),
        None => Answer::failure(StatusCode::NOT_FOUND, format!("{client} matches nothing")).into(),
    }
}

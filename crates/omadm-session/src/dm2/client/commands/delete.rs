//! DELETE (`DM 2.0 §5.3.4`): all that the address matches, or nothing.

use omadm_codec::dm2::StatusCode;
use omadm_mo::ClientUri;

use super::{Answer, Context, Progress, Yield, commit};

pub(super) fn perform(context: &mut Context<'_>, client: &ClientUri) -> Progress {
    let mut change = context.tree.begin(context.actor.clone(), context.now);
    if let Err(error) = change.delete(client) {
        return Answer::refused(&error).into();
    }
    let prepared = change.prepare();
    commit::request(context.tree, prepared, Answer::success(StatusCode::OK, Yield::Nothing))
}

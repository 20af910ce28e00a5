//! The last step of a command that changed the tree: make it durable, or take it back.

use omadm_codec::dm2::StatusCode;
use omadm_mo::{Prepared, Tree};

use super::{Answer, Context, Progress, Wait, unexpected};
use crate::dm2::client::{Effect, EffectResult};
use crate::durable::Durable;

/// A change that is in the tree and not yet durable.
#[derive(Debug)]
pub(in crate::dm2::client) struct Commit {
    prepared: Prepared,
    answer: Answer,
}

/// Asks for durability; `answer` is given only after it (`DM 2.0 §5.3.1`: what is acknowledged is kept).
pub(super) fn request(tree: &Tree, prepared: Prepared, answer: Answer) -> Progress {
    match Durable::of(&prepared, tree) {
        None => answer.into(),
        Some(Durable { records, instances }) => {
            let effect = Effect::Commit { records, instances };
            Progress::waiting(effect, Wait::Commit(Commit { prepared, answer }))
        }
    }
}

impl Commit {
    pub(super) fn finish(self, context: &mut Context<'_>, result: EffectResult) -> Answer {
        match result {
            EffectResult::Done => self.answer,
            other if context.tree.revert(self.prepared) => unexpected(other),
            other => {
                let reason = format!("a change that could not be undone was not kept: {other:?}");
                Answer::failure(StatusCode::INTERNAL_ERROR, reason)
            }
        }
    }
}

//! DEFAULT: where data of a MOID comes from when the device has none (`DM 2.0 §5.3.10`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::{ClientUri, MoInst, Moid, OperationError, Query, ServerUri};

use super::{Answer, Context, Progress, Wait, replace_aliases};
use crate::dm2::client::{Effect, policy};

/// An unknown MOID is 404 and one that is not provisioned 403; a URI that policy forbids is 400, as Appendix C has no 419 here.
pub(super) fn perform(context: &mut Context<'_>, uri: ServerUri, moid: Moid) -> Progress {
    match check(context, &uri, moid) {
        Ok(moid) => Progress::waiting(Effect::KeepDefault { moid, uri }, Wait::Answer),
        Err(answer) => answer.into(),
    }
}

fn check(context: &mut Context<'_>, uri: &ServerUri, moid: Moid) -> Result<Moid, Answer> {
    let mut all = ClientUri { moid, inst: MoInst::All, path: Vec::new(), query: Query::default() };
    replace_aliases(context.tree, &mut all, &mut context.leniency)
        .map_err(|error| Answer::refused(&error))?;
    let moid = all.moid;
    if context.tree.catalogue().get(moid.as_str()).is_none() {
        return Err(Answer::refused(&OperationError::UnknownMoid { moid: moid.to_string() }));
    }
    if !context.tree.provisioned(context.server, &moid) {
        return Err(Answer::refused(&OperationError::NotProvisioned { moid: moid.to_string() }));
    }
    match policy::expand(context.config, uri) {
        Ok(_) => Ok(moid),
        Err(reason) => Err(Answer::failure(StatusCode::BAD_REQUEST, reason)),
    }
}

//! SHOW: a page for the user (`DM 2.0 §5.3.7`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::ServerUri;

use super::{Answer, Context, Progress, Wait};
use crate::dm2::client::{Effect, policy};

/// What the server names goes to a browser of the device's user, so only addresses that a session might use are let through; any
/// other is 400, as for CONT.
pub(super) fn perform(context: &Context<'_>, server: &ServerUri) -> Progress {
    match policy::expand(context.config, server) {
        Ok(uri) => Progress::waiting(Effect::Show { uri }, Wait::Answer),
        Err(reason) => Answer::failure(StatusCode::BAD_REQUEST, reason).into(),
    }
}

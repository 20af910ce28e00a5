//! CONT: the session goes on at another URI (`DM 2.0 §5.3.8`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::ServerUri;

use super::{Answer, Context, Yield};
use crate::dm2::client::policy;

/// A URI that policy forbids is 400: Appendix C gives CONT neither 403 nor 419.
pub(super) fn perform(context: &Context<'_>, server: &ServerUri) -> Answer {
    match policy::expand(context.config, server) {
        // The server cannot know what its parameters stand for on this device.
        Ok(uri) if policy::has_encoded_host(&uri) => {
            let reason = format!("{uri}: what a parameter in its host stands for is no part of a name");
            Answer::failure(StatusCode::INTERNAL_ERROR, reason)
        }
        Ok(uri) => Answer::success(StatusCode::OK, Yield::Continue(uri)),
        Err(reason) => Answer::failure(StatusCode::BAD_REQUEST, reason),
    }
}

//! Bootstraps of DM 1.x on their way into the tree (`DM 1.3 BOOT §5`, `DM 1.3 SEC §5.10.2`).
//!
//! Two profiles: a provisioning document with an account `w7` (CP profile), and a message that adds objects to the Inbox (DM profile). Nobody
//! is ever answered: that a bootstrap was taken shows in the session that follows.

use std::fmt;

use omadm_auth::Secret;
use omadm_session::Body;

use crate::consent::{Consent, Origin};

/// A bootstrap of either profile as it reached the device, not looked into yet.
#[derive(Clone)]
pub struct Received {
    /// Media type with the parameters `SEC` and `MAC`.
    pub content_type: String,
    /// The body.
    pub body: Body,
    /// How it came.
    pub origin: Origin,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, body, origin } = self;
        f.debug_struct("Received")
            .field("content_type", content_type)
            .field("octets", &body.len())
            .field("origin", origin)
            .finish()
    }
}

/// A PIN that a bootstrap needs. What is in the bootstrap is not to be believed yet, so nothing of it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRequest {
    /// How the bootstrap came.
    pub origin: Origin,
    /// Which try this is, from 1.
    pub attempt: u16,
    /// How many there are.
    pub attempts: u16,
}

/// What becomes of a [`PinRequest`].
#[derive(Clone, Debug)]
pub enum PinAnswer {
    /// What the user typed.
    Pin(Secret),
    /// The user does not want the bootstrap.
    Refused,
    /// Nobody was there.
    Nobody,
}

/// The user of a device in the matter of bootstraps: has the PIN, and agrees or not.
pub trait BootstrapUser: Consent {
    /// Asks for a PIN.
    fn pin(&mut self, request: &PinRequest) -> impl Future<Output = PinAnswer> + Send;
}

//! Those who are told of events.

use omadm_mo::Time;
use uuid::Uuid;

use crate::StoredSecret;

/// A webhook to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Name, unique.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// The key of its signatures.
    pub secret: StoredSecret,
    /// Kinds of events that it gets (opaque here); none for all.
    pub kinds: Vec<String>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What was said when it was added.
    pub given: NewWebhook,
    /// When it was added.
    pub created: Time,
    /// Cursor of the last event that was delivered, or given up, or not wanted.
    pub position: i64,
    /// Counts changes of how far it has come.
    pub version: i64,
    /// When the next delivery is due.
    pub due: Time,
    /// Failed attempts of the next delivery.
    pub attempts: u32,
    /// Why the last attempt failed, if it did.
    pub problem: Option<String>,
}

impl Webhook {
    /// Further ahead than any pause and any delivery lasts, in microseconds (9 days): what is due only then was written before the clock was
    /// set back, and is due now.
    pub const FARTHEST: i64 = 9 * 86_400_000_000;

    /// Whether the next delivery is due.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.due <= now || self.due > now.plus_micros(Self::FARTHEST)
    }
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its identifier (time-ordered UUID).
    pub id: Uuid,
    /// Whose it is.
    pub webhook: String,
    /// When it was given up.
    pub at: Time,
    /// Cursor of its first event.
    pub first: i64,
    /// Cursor of its last event.
    pub last: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub problem: String,
}

/// How far a webhook has come.
#[derive(Clone, Debug)]
pub struct WebhookStep {
    /// Its name.
    pub name: String,
    /// The version that was read.
    pub version: i64,
    /// As in [`Webhook`].
    pub position: i64,
    /// As in [`Webhook`].
    pub due: Time,
    /// As in [`Webhook`].
    pub attempts: u32,
    /// As in [`Webhook`].
    pub problem: Option<String>,
    /// A delivery that is given up with this step, and what was to be sent.
    pub dead: Option<(DeadLetter, String)>,
}

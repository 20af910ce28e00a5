//! What devices go on doing after the command that asked for it.

use omadm_mo::{DeviceId, Time};

use crate::{CommandId, PayloadId};

/// What a device can go on doing after the command that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingKind {
    /// It reports changes below an address.
    Subscription,
    /// It fetches a management object that it lacks when one is needed.
    Default,
}

impl StandingKind {
    /// The name in columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Default => "default",
        }
    }

    /// The inverse of [`StandingKind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Subscription, Self::Default].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Something that a device goes on doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The command that asked for it.
    pub id: CommandId,
    /// The device.
    pub device: DeviceId,
    /// What it is.
    pub kind: StandingKind,
    /// What it is about: an address, or a MOID. A device has one of a kind and target.
    pub target: String,
    /// Octets that were given with the command.
    pub payload: Option<PayloadId>,
    /// Since when.
    pub since: Time,
    /// The last report.
    pub reported: Option<Time>,
    /// Digest of the last report.
    pub digest: Option<Vec<u8>>,
}

/// A change to what a device goes on doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandingChange {
    /// It begins; another of the same kind and target ends.
    Begin {
        /// What it is.
        kind: StandingKind,
        /// What it is about.
        target: String,
        /// The command that asked for it, with its payload.
        command: CommandId,
    },
    /// It ends, if it is there.
    End {
        /// What it is.
        kind: StandingKind,
        /// What it is about.
        target: String,
    },
    /// A report came. [`crate::StoreError::Conflict`] when it has ended, or when the last one had the same digest.
    Reported {
        /// Which one.
        id: CommandId,
        /// Digest of the report.
        digest: Vec<u8>,
    },
}

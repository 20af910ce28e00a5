//! What is kept to notify devices.

use omadm_mo::{DeviceId, Time};

use crate::{NewEvent, StoredSecret};

/// How far the notifying of a device has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushProgress {
    /// Identifier of the next notification; it wraps around.
    pub next_id: u16,
    /// When the last notification was sent.
    pub sent: Option<Time>,
    /// Notifications sent since the device last answered one, or since one was last wanted anew.
    pub attempts: u32,
    /// When the next one is due; `None` when there is no need of one.
    pub due: Option<Time>,
    /// Days since 1970 that `day_count` is of.
    pub day: i64,
    /// Notifications sent on that day.
    pub day_count: u32,
}

/// What is known of a device that can be notified, with what of the device itself decides on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The device.
    pub device: DeviceId,
    /// Its enrolment generation.
    pub generation: i64,
    /// Counts every write of the row.
    pub version: i64,
    /// Where the operator says that it can be reached, the best first (opaque here).
    pub addresses: Vec<String>,
    /// Where the device says that it can be reached (opaque here).
    pub registration: Option<String>,
    /// When a command was last queued for it.
    pub wanted: Option<Time>,
    /// How far it is.
    pub progress: PushProgress,
    /// Last message received from the device.
    pub last_contact: Option<Time>,
    /// Commands that are queued or sent.
    pub open_commands: i64,
    /// Whether it ever reported its supported MOs.
    pub has_inventory: bool,
    /// Verifier of its credential.
    pub verifier: StoredSecret,
    /// Name of the protocol that it spoke last (opaque here).
    pub protocol: Option<String>,
    /// What it told of itself (opaque here).
    pub facts: String,
    /// What is kept of it for DM 1.x (opaque here).
    pub dm1: Option<StoredSecret>,
}

impl Push {
    /// Further ahead than any pause between notifications lasts, in microseconds (9 days): what is due only then was written before the
    /// clock was set back, and is due now.
    pub const FARTHEST: i64 = 9 * 86_400_000_000;
}

/// A step in the notifying of a device.
#[derive(Clone, Debug)]
pub struct PushStep {
    /// The device.
    pub device: DeviceId,
    /// Generation that was read.
    pub generation: i64,
    /// Version that was read.
    pub version: i64,
    /// How far it is now.
    pub progress: PushProgress,
    /// Events to add.
    pub events: Vec<NewEvent>,
}

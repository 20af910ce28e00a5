//! Profiles: what should be true of devices, in numbered versions, where they are assigned, and how far each device is.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{CommandId, NewCommand, NewEvent, StoreError, TreeAddress, TreeNode};

/// A profile in listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name, unique.
    pub name: String,
    /// Number of its newest version, from 1.
    pub newest: i64,
    /// When its first version was stored.
    pub created: Time,
    /// When its newest version was stored.
    pub updated: Time,
}

/// One version of a profile, which never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileVersion {
    /// Name of the profile.
    pub name: String,
    /// Its number, from 1.
    pub version: i64,
    /// When it was stored.
    pub created: Time,
    /// Who stored it.
    pub created_by: String,
    /// What it says (opaque here).
    pub document: String,
}

/// That a group of devices has a version of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of the profile.
    pub profile: String,
    /// Name of the group; `None` for all devices.
    pub group: Option<String>,
    /// The version.
    pub version: i64,
    /// The version that was assigned before this one, if any.
    pub previous: Option<i64>,
    /// Since when.
    pub since: Time,
    /// Who assigned it.
    pub by: String,
    /// What [`ProfileStore::profile_clock`] showed then: of an assignment and a [`Pin`] the later one counts. Given by the store.
    pub clock: i64,
}

/// That a campaign has given a device a version of a profile for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version.
    pub version: i64,
    /// The campaign.
    pub campaign: Uuid,
    /// Which attempt of the campaign this is, from 1.
    pub attempt: u32,
    /// The device has to begin with it before this time (microseconds since 1970), or it does not count.
    pub until: i64,
    /// As [`Assignment::clock`]. Given by the store.
    pub clock: i64,
}

impl Pin {
    /// The versions that a device has for itself, by name of the profile, from the stored form; one that cannot be read is none.
    #[must_use]
    pub fn read(stored: Option<&str>) -> BTreeMap<String, Self> {
        stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// An assignment that was taken back. What its devices were given for themselves before it was made counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Name of the profile.
    pub profile: String,
    /// The group; `None`: all devices.
    pub group: Option<String>,
    /// As [`Assignment::clock`].
    pub clock: i64,
}

/// How far a device is with a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProfileState {
    /// Everything is as the profile wants it, as far as is known.
    Converged,
    /// Something is being done, or waits to be.
    Pending,
    /// Something was as the profile wants it, and is not any more; it is only reported.
    Drifted,
    /// Something could not be done.
    Failed,
}

impl ProfileState {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Converged, Self::Pending, Self::Drifted, Self::Failed];

    /// The name for people, programs and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::Failed => "failed",
        }
    }

    /// The inverse of [`ProfileState::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far a device is with a profile that applies to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceProfile {
    /// The device.
    pub device: DeviceId,
    /// Name of the profile.
    pub profile: String,
    /// Version that applies.
    pub version: i64,
    /// How far it is.
    pub state: ProfileState,
    /// Why, in a sentence; not of one that has converged.
    pub reason: Option<String>,
    /// Since when it is in this state of this version.
    pub since: Time,
}

/// A change to what is known of a device and one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileChange {
    /// It is so far. The time counts on where version and state stay.
    Stands {
        /// Name of the profile.
        profile: String,
        /// Version that applies.
        version: i64,
        /// How far it is.
        state: ProfileState,
        /// Why.
        reason: Option<String>,
    },
    /// The profile does not apply any more.
    Gone {
        /// Name of the profile.
        profile: String,
    },
}

/// All effects of one look at the desired state of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileStep {
    /// What was remembered of the device when it was read.
    pub expected: Option<String>,
    /// What is to be remembered from now on.
    pub memo: Option<String>,
    /// Changes by profile.
    pub changes: Vec<ProfileChange>,
    /// Events to add.
    pub events: Vec<NewEvent>,
}

/// What a look at the desired state of a device wants to be done.
#[derive(Clone, Debug)]
pub struct ProfileWork {
    /// The device.
    pub device: DeviceId,
    /// Enrolment generation that was read.
    pub generation: i64,
    /// What it means for what is known.
    pub step: ProfileStep,
    /// Queued commands whose place others take, with why; those that are not queued any more stay as they are.
    pub superseded: Vec<(CommandId, String)>,
    /// Commands to queue, in order.
    pub commands: Vec<NewCommand>,
    /// Most open commands of the device.
    pub queue_limit: u32,
    /// Whether the device is to be notified. Not if it is in contact just now.
    pub notify: bool,
}

/// The part of [`crate::Store`] that is about profiles.
#[async_trait::async_trait]
pub trait ProfileStore: Send + Sync + 'static {
    /// Stores a document as the next version of its profile, which may be new; gives the newest version as it is if that says the same.
    /// With `base`, the newest version has to be that one: [`StoreError::ProfileChanged`]; 0: there must be no such profile,
    /// [`StoreError::ProfileExists`].
    async fn put_profile(
        &self,
        name: &str,
        document: &str,
        base: Option<i64>,
        by: &str,
        now: Time,
    ) -> Result<ProfileVersion, StoreError>;
    /// Profiles by name after `after`, at most `limit`.
    async fn profiles(&self, after: Option<&str>, limit: u32) -> Result<Vec<Profile>, StoreError>;
    /// One profile.
    async fn profile(&self, name: &str) -> Result<Option<Profile>, StoreError>;
    /// Removes a profile with its assignments; `false` if there is none. Its versions can still be read by number.
    async fn remove_profile(&self, name: &str, now: Time) -> Result<bool, StoreError>;
    /// Profiles that were removed at some time, which may be there again, each with the first version that counts since: what devices
    /// have of versions before counts no more.
    async fn voided_profiles(&self) -> Result<Vec<(String, i64)>, StoreError>;
    /// Versions of a profile, newest first, below `before`, at most `limit`.
    async fn profile_versions(
        &self,
        name: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ProfileVersion>, StoreError>;
    /// One version, also of a profile that was removed.
    async fn profile_version(&self, name: &str, version: i64) -> Result<Option<ProfileVersion>, StoreError>;

    /// Gives a group a version of a profile, in place of the one that it had. (`previous` and `clock` are given by the store.)
    async fn assign_profile(&self, assignment: Assignment) -> Result<Assignment, StoreError>;
    /// Takes a profile from a group; `false` if it did not have it.
    async fn unassign_profile(&self, name: &str, group: Option<&str>) -> Result<bool, StoreError>;
    /// All assignments, by profile and group.
    async fn assignments(&self) -> Result<Vec<Assignment>, StoreError>;
    /// Assignments that were taken back, the last of each profile and group.
    async fn withdrawn_assignments(&self) -> Result<Vec<Withdrawn>, StoreError>;
    /// A number that goes on with each change to assignments.
    async fn profile_clock(&self) -> Result<i64, StoreError>;
    /// Applies the work on a device in one durable batch, or nothing: [`StoreError::Conflict`] when the generation, or what is remembered,
    /// is not as expected; otherwise as [`crate::Store::enqueue`].
    async fn work_on_profiles(&self, work: ProfileWork, now: Time) -> Result<(), StoreError>;
    /// Last known nodes of a device at these addresses exactly, in any order.
    async fn nodes(&self, device: &DeviceId, at: Vec<TreeAddress>) -> Result<Vec<TreeNode>, StoreError>;
    /// How far a device is with each profile that applies to it, by name.
    async fn device_profiles(&self, device: &DeviceId) -> Result<Vec<DeviceProfile>, StoreError>;
    /// Devices to which a profile applies, in one state or any, by identifier after `after`, at most `limit`.
    async fn profile_devices(
        &self,
        name: &str,
        state: Option<ProfileState>,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceProfile>, StoreError>;
    /// How many devices to which a profile applies are in which state; states of none are left out.
    async fn profile_counts(&self, name: &str) -> Result<Vec<(ProfileState, i64)>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_one_name_each() {
        for state in ProfileState::ALL {
            assert_eq!(ProfileState::parse(state.as_str()), Some(state));
        }
        assert_eq!(ProfileState::parse("Failed"), None);
    }
}

//! What is kept of campaigns.

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use crate::{Command, EventOf, NewCommand, NewEvent, Pin, ProfileState, StoreError};

/// States of a campaign.
///
/// ```text
/// draft --> running <--> holding
///             |  ^          |
///             v  |          v
///            paused ---> stopped | failed
/// running -------------> done
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CampaignState {
    /// It was not started.
    Draft,
    /// It goes on.
    Running,
    /// A stage is over, and the next one waits for its time or for an operator's word.
    Holding,
    /// An operator holds it.
    Paused,
    /// An operator or its end has stopped it.
    Stopped,
    /// Too many devices failed.
    Failed,
    /// All devices are through.
    Done,
}

/// States of a device in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CampaignDeviceState {
    /// Its commands are queued or sent.
    Open,
    /// The change was made.
    Done,
    /// The change was not made, and no other attempt follows.
    Failed,
    /// Another attempt follows.
    Retry,
    /// It has to wait: another campaign is at the same thing, its queue is full, or the window has closed.
    Waiting,
    /// Left out, because another campaign is at the same thing.
    Skipped,
    /// The campaign was stopped before its commands were sent.
    Cancelled,
    /// It was removed or enrolled anew.
    Gone,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name for people, programs and columns.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// The inverse of `as_str`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

names!(CampaignState {
    Draft = "draft",
    Running = "running",
    Holding = "holding",
    Paused = "paused",
    Stopped = "stopped",
    Failed = "failed",
    Done = "done",
});
names!(CampaignDeviceState {
    Open = "open",
    Done = "done",
    Failed = "failed",
    Retry = "retry",
    Waiting = "waiting",
    Skipped = "skipped",
    Cancelled = "cancelled",
    Gone = "gone",
});

impl CampaignState {
    /// Whether no device begins any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Done)
    }
}

/// How many devices of a campaign are in which state; kept as they change, never counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the states")]
pub struct CampaignCounts {
    pub open: i64,
    pub done: i64,
    pub failed: i64,
    pub retry: i64,
    pub waiting: i64,
    pub skipped: i64,
    pub cancelled: i64,
    pub gone: i64,
}

impl CampaignCounts {
    /// The figure of a state.
    #[must_use]
    pub fn of(&self, state: CampaignDeviceState) -> i64 {
        match state {
            CampaignDeviceState::Open => self.open,
            CampaignDeviceState::Done => self.done,
            CampaignDeviceState::Failed => self.failed,
            CampaignDeviceState::Retry => self.retry,
            CampaignDeviceState::Waiting => self.waiting,
            CampaignDeviceState::Skipped => self.skipped,
            CampaignDeviceState::Cancelled => self.cancelled,
            CampaignDeviceState::Gone => self.gone,
        }
    }

    pub(crate) fn add(&mut self, state: CampaignDeviceState, change: i64) {
        let figure = match state {
            CampaignDeviceState::Open => &mut self.open,
            CampaignDeviceState::Done => &mut self.done,
            CampaignDeviceState::Failed => &mut self.failed,
            CampaignDeviceState::Retry => &mut self.retry,
            CampaignDeviceState::Waiting => &mut self.waiting,
            CampaignDeviceState::Skipped => &mut self.skipped,
            CampaignDeviceState::Cancelled => &mut self.cancelled,
            CampaignDeviceState::Gone => &mut self.gone,
        };
        *figure += change;
    }

    /// Devices of which something is still to come.
    #[must_use]
    pub fn unsettled(&self) -> i64 {
        self.open + self.retry + self.waiting
    }

    /// All devices that were reached so far.
    #[must_use]
    pub fn total(&self) -> i64 {
        CampaignDeviceState::ALL.iter().map(|state| self.of(*state)).sum()
    }
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its identifier (time-ordered).
    pub id: Uuid,
    /// A name for people, unique.
    pub name: String,
    /// State.
    pub state: CampaignState,
    /// Counts the writes, from 1; given by the store. 0 is a campaign that was not stored yet.
    pub version: i64,
    /// When it was made.
    pub created: Time,
    /// Who made it.
    pub created_by: String,
    /// When it was last written; given by the store.
    pub updated: Time,
    /// When something has to happen by itself.
    pub due: Option<Time>,
    /// The package that it brings.
    pub package: Option<Uuid>,
    /// The groups to which it is kept, as who made it sees no other devices; `None` if it may be for all.
    pub groups: Option<Vec<String>>,
    /// The thing on a device that it changes: two campaigns with the same are never at one device at a time.
    pub target: String,
    /// What it is to do (opaque here).
    pub document: String,
    /// How far it is (opaque here).
    pub progress: String,
    /// Devices by state; given by the store.
    pub counts: CampaignCounts,
}

impl Campaign {
    /// Further ahead than clocks of nodes differ, in microseconds (10 minutes): as a campaign is due at once, what is due only then was written
    /// before the clock was set back.
    pub const FARTHEST: i64 = 600_000_000;
}

/// A device in a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignDevice {
    /// The device.
    pub device: DeviceId,
    /// State.
    pub state: CampaignDeviceState,
    /// How often its commands were queued.
    pub attempts: u32,
    /// Enrolment generation of the commands.
    pub generation: i64,
    /// First and last sequence number of the commands that were queued last.
    pub commands: (i64, i64),
    /// When it is tried again.
    pub due: Option<Time>,
    /// Status that the device gave last.
    pub status: Option<u16>,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// When its state was last written.
    pub updated: Time,
}

/// What a device begins with.
#[derive(Clone, Debug)]
pub struct CampaignTry {
    /// The device.
    pub device: DeviceId,
    /// What it is given.
    pub gives: CampaignGift,
    /// Whether the device waits for another attempt; otherwise nothing happens to one that the campaign has reached before.
    pub again: bool,
}

/// What a device is given.
#[derive(Clone, Debug)]
pub enum CampaignGift {
    /// Commands, in order; at least one.
    Commands(Vec<NewCommand>),
    /// A version of a profile.
    Profile {
        /// Its name.
        name: String,
        /// Its version.
        version: i64,
        /// The device has to begin with it before this time.
        until: Time,
    },
    /// Nothing before then.
    Later(Time),
}

/// What became of a device whose command has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignVerdict {
    /// State that the device gets.
    pub state: CampaignDeviceState,
    /// When it is tried again.
    pub due: Option<Time>,
    /// Whether the attempt does not count: the device has never seen the commands.
    pub uncounted: bool,
    /// Status that it gave.
    pub status: Option<u16>,
    /// Why.
    pub reason: Option<String>,
}

/// A command of a campaign that has ended, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignEnd {
    /// The device.
    pub device: DeviceId,
    /// Enrolment generation of the command.
    pub generation: i64,
    /// Sequence number of the command.
    pub seq: i64,
    /// What becomes of the device; `None` if nothing.
    pub verdict: Option<CampaignVerdict>,
}

/// What is to be done to a device that another campaign is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// It waits until then.
    Wait(Time),
    /// It is left out.
    Skip,
}

/// Ends commands that were not sent, and devices that wait.
#[derive(Clone, Debug)]
pub struct CampaignCancel {
    /// Devices after this one only.
    pub after: Option<DeviceId>,
    /// Most commands, and most devices that wait.
    pub limit: u32,
    /// Why, for people.
    pub reason: String,
    /// Makes the event of each command.
    pub event: EventOf,
}

/// All effects of one step of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignStep {
    /// The campaign as it is from now on, with the version that was read.
    pub campaign: Campaign,
    /// Devices to begin with.
    pub tries: Vec<CampaignTry>,
    /// Commands that have ended.
    pub ends: Vec<CampaignEnd>,
    /// Devices that are open, and whose commands are not there any more.
    pub gone: Vec<DeviceId>,
    /// Devices from which the version of a profile is taken that this campaign has given them, with the name of the profile.
    pub taken_back: Vec<(DeviceId, String)>,
    /// Whether what was not sent ends.
    pub cancel: Option<CampaignCancel>,
    /// What happens where another campaign is at the same thing.
    pub rival: Rival,
    /// When a device is tried again whose queue is full.
    pub retry_full: Time,
    /// Most open commands of a device.
    pub queue_limit: u32,
    /// Events to add.
    pub events: Vec<NewEvent>,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignStepped {
    /// Devices whose commands were queued.
    pub begun: Vec<DeviceId>,
    /// The last device of which a command was cancelled; with no other, `None`.
    pub cancelled: Option<DeviceId>,
    /// Devices that waited and were cancelled.
    pub dropped: u32,
}

/// How far an open device of a campaign is that brings a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignProfileDevice {
    /// The device.
    pub device: DeviceId,
    /// Its enrolment generation.
    pub generation: i64,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// When it was given the version.
    pub since: Time,
    /// How far it is with the version; `None` while it has not begun with it.
    pub state: Option<ProfileState>,
    /// Why.
    pub reason: Option<String>,
    /// What this campaign has given it, if it still has that.
    pub pin: Option<Pin>,
}

/// Open devices that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignOrphans {
    /// Those whose commands are not there any more.
    pub gone: Vec<DeviceId>,
    /// The last device that was looked at; `None` when there was none.
    pub last: Option<DeviceId>,
}

/// Which campaigns are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignQuery {
    /// Only those of this state.
    pub state: Option<CampaignState>,
    /// Only those that bring this package.
    pub package: Option<Uuid>,
    /// Only those that were made before this one.
    pub before: Option<Uuid>,
}

/// The part of [`crate::Store`] that is about campaigns.
#[async_trait::async_trait]
pub trait CampaignStore: Send + Sync + 'static {
    /// Applies a step in one durable batch, or nothing: [`StoreError::Conflict`] when the version of the campaign is not as expected or its
    /// name is taken.
    async fn step_campaign(&self, step: CampaignStep, now: Time) -> Result<CampaignStepped, StoreError>;
    /// One campaign.
    async fn campaign(&self, id: Uuid) -> Result<Option<Campaign>, StoreError>;
    /// One campaign by its name.
    async fn campaign_named(&self, name: &str) -> Result<Option<Campaign>, StoreError>;
    /// Campaigns that are wanted, newest first, at most `limit`.
    async fn campaigns(&self, wanted: CampaignQuery, limit: u32) -> Result<Vec<Campaign>, StoreError>;
    /// Campaigns for which something is to be done, the longest waiting first, at most `limit`.
    async fn due_campaigns(&self, now: Time, limit: u32) -> Result<Vec<Campaign>, StoreError>;
    /// Removes a campaign that is a draft or of which nothing is to come any more; `false` if there is none such. Its devices go in steps:
    /// call it until it gives `true` or `false`; `None` means that more are left.
    async fn remove_campaign(&self, id: Uuid, limit: u32) -> Result<Option<bool>, StoreError>;
    /// Commands of a campaign that have ended and were not counted, the earliest first, each with its device in the campaign; at most
    /// `limit`.
    async fn campaign_ended(
        &self,
        id: Uuid,
        limit: u32,
    ) -> Result<Vec<(Command, Option<CampaignDevice>)>, StoreError>;
    /// Devices of a campaign by id after `after`, of one state or all, at most `limit`.
    async fn campaign_devices(
        &self,
        id: Uuid,
        state: Option<CampaignDeviceState>,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<CampaignDevice>, StoreError>;
    /// Devices that are to be tried again, the longest waiting first, at most `limit`.
    async fn campaign_due(&self, id: Uuid, now: Time, limit: u32) -> Result<Vec<CampaignDevice>, StoreError>;
    /// Which of these devices the campaign has not reached yet, in their order.
    async fn campaign_unreached(&self, id: Uuid, devices: Vec<DeviceId>)
    -> Result<Vec<DeviceId>, StoreError>;
    /// Looks at how far open devices are with a version of a profile, by id after `after`, at most `limit`.
    async fn campaign_profile_devices(
        &self,
        id: Uuid,
        profile: &str,
        version: i64,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<CampaignProfileDevice>, StoreError>;
    /// Looks at open devices by id after `after`, at most `limit`.
    async fn campaign_orphans(
        &self,
        id: Uuid,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<CampaignOrphans, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for state in CampaignState::ALL {
            assert_eq!(CampaignState::parse(state.as_str()), Some(*state));
        }
        for state in CampaignDeviceState::ALL {
            assert_eq!(CampaignDeviceState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(CampaignState::parse("Draft"), None);
    }

    #[test]
    fn figures_are_those_of_their_states() {
        let mut counts = CampaignCounts::default();
        for (number, state) in (1..).zip(CampaignDeviceState::ALL) {
            counts.add(*state, number);
            assert_eq!(counts.of(*state), number);
        }
        assert_eq!(counts.total(), 36);
        assert_eq!(counts.unsettled(), counts.open + counts.retry + counts.waiting);
    }
}

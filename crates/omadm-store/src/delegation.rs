//! What is kept of delegations between servers.

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use crate::{CommandId, NewCommand, NewEvent, StoreError};

/// Which side of a delegation this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelegationRole {
    /// It has the rights and gives of them.
    Delegating,
    /// It is given rights.
    Delegated,
}

/// States of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the design")]
pub enum DelegationState {
    Requested,
    Approved,
    Applying,
    Active,
    Revoking,
    Ended,
    Rejected,
    Failed,
}

/// States of a delegation on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the design")]
pub enum PartState {
    /// Nothing was asked of the device.
    Pending,
    Applying,
    Active,
    Revoking,
    Ended,
    Failed,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* }) => {
        impl $type {
            const ALL: &[Self] = &[$(Self::$variant),*];

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

names!(DelegationRole { Delegating = "delegating", Delegated = "delegated" });
names!(DelegationState {
    Requested = "requested",
    Approved = "approved",
    Applying = "applying",
    Active = "active",
    Revoking = "revoking",
    Ended = "ended",
    Rejected = "rejected",
    Failed = "failed"
});
names!(PartState {
    Pending = "pending",
    Applying = "applying",
    Active = "active",
    Revoking = "revoking",
    Ended = "ended",
    Failed = "failed"
});

impl DelegationState {
    /// Whether nothing more can happen to the delegation.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Rejected | Self::Failed)
    }
}

impl PartState {
    /// Whether nothing more can happen on the device.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// A delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Place in the order in which delegations came to be known; given by the store.
    pub number: i64,
    /// Its identifier here.
    pub id: Uuid,
    /// The other server.
    pub peer: String,
    /// Its identifier between the two servers.
    pub name: String,
    /// Which side this server is.
    pub role: DelegationRole,
    /// State.
    pub state: DelegationState,
    /// Counts the writes, from 1; given by the store.
    pub version: i64,
    /// When it came to be known.
    pub created: Time,
    /// When it was last written; given by the store.
    pub updated: Time,
    /// When something has to happen by itself.
    pub due: Option<Time>,
    /// What is delegated (opaque here).
    pub document: String,
    /// What became of it (opaque here).
    pub detail: String,
}

/// A delegation on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationPart {
    /// Of which delegation.
    pub delegation: Uuid,
    /// The device.
    pub device: DeviceId,
    /// State.
    pub state: PartState,
    /// The command whose end it waits for.
    pub waits_for: Option<CommandId>,
    /// When something has to be done about it.
    pub due: Option<Time>,
    /// What was found and changed on the device (opaque here).
    pub record: String,
}

/// A message to another server that it has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationOut {
    /// Place in the order of messages; given by the store.
    pub number: i64,
    /// The other server.
    pub peer: String,
    /// Its identifier, unique for this peer.
    pub msg_id: String,
    /// What it is about.
    pub delegation: Uuid,
    /// The message (opaque here).
    pub document: String,
    /// When it was made.
    pub created: Time,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is to be sent.
    pub due: Time,
}

/// A message of another server with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationSeen {
    /// The other server.
    pub peer: String,
    /// Its identifier, unique for this peer.
    pub msg_id: String,
    /// When it came.
    pub at: Time,
    /// Digest of the message, to know it again.
    pub digest: Vec<u8>,
    /// The answer (opaque here).
    pub answer: String,
}

/// All effects of one thing that happens to a delegation.
#[derive(Clone, Debug, Default)]
pub struct DelegationStep {
    /// The delegation as it is from now on. With version 0 it is new, else it has to be of the version that was read.
    pub delegation: Option<Delegation>,
    /// Parts as they are from now on.
    pub parts: Vec<DelegationPart>,
    /// Commands to queue, in order.
    pub commands: Vec<NewCommand>,
    /// Most open commands of a device.
    pub queue_limit: u32,
    /// Messages to send, in order.
    pub send: Vec<DelegationOut>,
    /// The number of a message that was answered, or is given up.
    pub sent: Option<i64>,
    /// A message that was taken.
    pub seen: Option<DelegationSeen>,
    /// Events to add.
    pub events: Vec<NewEvent>,
}

/// The part of [`crate::Store`] that is about delegations.
#[async_trait::async_trait]
pub trait DelegationStore: Send + Sync + 'static {
    /// Applies a step in one durable batch, or nothing: [`StoreError::Conflict`] when the version of the delegation is not as expected, its
    /// name is taken, or the message was taken before; otherwise as [`crate::Store::enqueue`].
    async fn step_delegation(&self, step: DelegationStep, now: Time) -> Result<(), StoreError>;
    /// One delegation.
    async fn delegation(&self, id: Uuid) -> Result<Option<Delegation>, StoreError>;
    /// One delegation by what two servers call it.
    async fn delegation_named(&self, peer: &str, name: &str) -> Result<Option<Delegation>, StoreError>;
    /// Delegations, newest first, below `before`, at most `limit`.
    async fn delegations(&self, before: Option<i64>, limit: u32) -> Result<Vec<Delegation>, StoreError>;
    /// Delegations for which something is to be done, the longest waiting first, at most `limit`.
    async fn due_delegations(&self, now: Time, limit: u32) -> Result<Vec<Delegation>, StoreError>;
    /// Parts of a delegation by device, after `after`, at most `limit`.
    async fn delegation_parts(
        &self,
        id: Uuid,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DelegationPart>, StoreError>;
    /// How many parts of a delegation are in which state.
    async fn delegation_counts(&self, id: Uuid) -> Result<Vec<(PartState, i64)>, StoreError>;
    /// What there is on a device, the oldest first: parts that are not over, with their delegations that are not.
    async fn delegations_of(
        &self,
        device: &DeviceId,
    ) -> Result<Vec<(Delegation, DelegationPart)>, StoreError>;
    /// Parts whose command is over or gone, and parts whose time has come on devices where no other waits for a command; at most `limit`
    /// of each.
    async fn due_parts(&self, now: Time, limit: u32) -> Result<Vec<DelegationPart>, StoreError>;
    /// The oldest message to each server that is due, at most `limit`.
    async fn due_delegation_messages(&self, now: Time, limit: u32) -> Result<Vec<DelegationOut>, StoreError>;
    /// Counts an attempt to send a message, and says when the next one is due.
    async fn defer_delegation_message(&self, number: i64, due: Time) -> Result<(), StoreError>;
    /// A message that was taken.
    async fn delegation_seen(&self, peer: &str, msg_id: &str) -> Result<Option<DelegationSeen>, StoreError>;
    /// Forgets messages taken before `seen`, and delegations that are over since `over`, at most `limit` of each; gives how many.
    async fn prune_delegations(&self, seen: Time, over: Time, limit: u32) -> Result<u32, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for state in DelegationState::ALL {
            assert_eq!(DelegationState::parse(state.as_str()), Some(*state));
        }
        for state in PartState::ALL {
            assert_eq!(PartState::parse(state.as_str()), Some(*state));
        }
        for role in DelegationRole::ALL {
            assert_eq!(DelegationRole::parse(role.as_str()), Some(*role));
        }
        assert_eq!(PartState::parse("Pending"), None);
    }
}

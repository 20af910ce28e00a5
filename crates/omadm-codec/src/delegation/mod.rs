//! The DM Server Delegation Protocol (`DM 1.3 Server Delegation Protocol`): documents by which one DM Server hands the management of a part
//! of devices to another, and takes it back.
//!
//! What is public of that document is its media type and the data that it carries (registration of
//! `application/vnd.dm.delegation+xml`); names of elements, messages and codes are not. So all names stand in [`names`], the namespace is an
//! argument of every function, and [`SCHEMA`] says what is written. Should the schema of OMA come to light, those are what changes.
//!
//! Here: documents as octets and values.
//! Never here: HTTPS, who may delegate what, and what a delegation does to a device.

mod names;
mod read;
#[cfg(test)]
mod tests;
mod time;
mod write;

use std::fmt;

use omadm_mo::{DeviceId, ServerId, Time};

use crate::StatusCode;
pub use read::decode;

/// Media type of the documents; it has no parameters.
pub const MEDIA_TYPE: &str = "application/vnd.dm.delegation+xml";
/// The namespace of the documents unless another is configured (the real one is not public).
pub const NAMESPACE: &str = "urn:oma:xml:dm:delegation:1.0";
/// `version` of the documents.
pub const VERSION: &str = "1.3";
/// The schema of the documents in [`NAMESPACE`].
pub const SCHEMA: &str = include_str!("delegation.xsd");
/// Longest `MsgID` and `DelegationID` in characters.
pub const MAX_ID: usize = 128;
/// Longest `Target`, `LocURI` and `Reason` in characters.
pub const MAX_TEXT: usize = 1_024;

/// A document: who says what to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationMessage {
    /// `MsgID`: unique among those of the sender.
    pub msg_id: String,
    /// `Timestamp`: when it was made, to the second.
    pub timestamp: Time,
    /// `From`: the server that says it.
    pub from: ServerId,
    /// `To`: the server that is meant.
    pub to: ServerId,
    /// What it says.
    pub body: Body,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `DelegationRequest`: an offer of the one that has the rights, or a request of the one that wants them.
    Request(DelegationRequest),
    /// `DelegationResponse`: the answer to each document, and what comes later when that was 202.
    Response(DelegationResponse),
    /// `DelegationCancel`: the end of a delegation, whatever its state.
    Cancel(DelegationCancel),
    /// `DelegationNotify`: what became of a delegation.
    Notify(DelegationNotify),
    /// A message of another name, which gets the answer 405.
    Unknown(String),
}

/// `DelegationRequest`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationRequest {
    /// `DelegationID`: chosen by the one that asks.
    pub delegation_id: String,
    /// `ServerID`: the server that shall get the rights.
    pub server_id: ServerId,
    /// `DeviceID`, one or more.
    pub devices: Vec<DeviceId>,
    /// `Man`: the manufacturer that all these devices have to be of.
    pub manufacturer: Option<String>,
    /// `Mod`: the model that they have to be of.
    pub model: Option<String>,
    /// `Target`, one or more: a path (`./A/B`), an identifier of management objects, or a ClientURI.
    pub targets: Vec<String>,
    /// `Rights`.
    pub rights: Rights,
    /// `Type`.
    pub duration: Duration,
    /// `mode` of `Type`.
    pub mode: Mode,
    /// `SessionID`, hexadecimal: the session that a temporary delegation is for.
    pub session_id: Option<String>,
    /// `NotBefore`
    pub not_before: Option<Time>,
    /// `NotAfter`
    pub not_after: Option<Time>,
    /// `Reason`, for people.
    pub reason: Option<String>,
}

/// How long a delegation lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duration {
    /// Until `NotAfter`, or the end of a session.
    Temporary,
    /// Until it is cancelled or released.
    Permanent,
}

/// What the delegating server keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All that it has.
    #[default]
    Shared,
    /// Nothing but what it takes to revoke the delegation.
    Exclusive,
}

/// `DelegationResponse`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationResponse {
    /// `DelegationID`; none if the document that is answered had none, or none that could be read.
    pub delegation_id: Option<String>,
    /// `Status`
    pub status: StatusCode,
    /// `Reason`, for people.
    pub reason: Option<String>,
    /// `ItemStatus`: of those devices and targets of which there is something to say.
    pub items: Vec<ItemStatus>,
}

/// `ItemStatus`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemStatus {
    /// `DeviceID`
    pub device: DeviceId,
    /// `Target`; none if all targets of the device are meant.
    pub target: Option<String>,
    /// `LocURI`: the nodes that the target is.
    pub nodes: Vec<String>,
    /// `Status`
    pub status: StatusCode,
    /// `Reason`, for people.
    pub reason: Option<String>,
}

/// `DelegationCancel`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationCancel {
    /// `DelegationID`
    pub delegation_id: String,
    /// `Reason`, for people.
    pub reason: Option<String>,
}

/// `DelegationNotify`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationNotify {
    /// `DelegationID`
    pub delegation_id: String,
    /// `Event`
    pub event: NotifyEvent,
    /// `Reason`, for people.
    pub reason: Option<String>,
    /// `ItemStatus`: the devices and targets that are meant; none if all are.
    pub items: Vec<ItemStatus>,
}

/// What became of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyEvent {
    /// To the delegated server: the rights are there.
    Active,
    /// To the delegated server: the rights are gone.
    Revoked,
    /// To the delegated server: the rights could not be given.
    Failed,
    /// To the delegating server: the rights are not needed any longer.
    Released,
    /// To the delegating server: work goes on.
    Progress,
}

/// The commands that a delegated server may use.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// Add
    pub const ADD: Self = Self(1);
    /// Get
    pub const GET: Self = Self(2);
    /// Replace
    pub const REPLACE: Self = Self(4);
    /// Delete
    pub const DELETE: Self = Self(8);
    /// Exec
    pub const EXEC: Self = Self(16);

    /// Each right by its name, in the order in which they are written.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::ADD, "Add"),
        (Self::GET, "Get"),
        (Self::REPLACE, "Replace"),
        (Self::DELETE, "Delete"),
        (Self::EXEC, "Exec"),
    ];

    /// Reads names with white space between them, in any order.
    ///
    /// # Errors
    /// The word that is none of them.
    pub fn parse(text: &str) -> Result<Self, &str> {
        text.split_ascii_whitespace().try_fold(Self::NONE, |rights, word| {
            let found = Self::ALL.iter().find(|(_, name)| *name == word);
            found.map(|(right, _)| rights.union(*right)).ok_or(word)
        })
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (right, name) in Self::ALL {
            if self.contains(right) {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

impl Body {
    /// The name of the message.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Request(_) => names::REQUEST,
            Self::Response(_) => names::RESPONSE,
            Self::Cancel(_) => names::CANCEL,
            Self::Notify(_) => names::NOTIFY,
            Self::Unknown(name) => name,
        }
    }

    /// The delegation that it is about, if it says so.
    #[must_use]
    pub fn delegation_id(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(&request.delegation_id),
            Self::Response(response) => response.delegation_id.as_deref(),
            Self::Cancel(cancel) => Some(&cancel.delegation_id),
            Self::Notify(notify) => Some(&notify.delegation_id),
            Self::Unknown(_) => None,
        }
    }
}

impl Duration {
    /// The name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Temporary => names::TEMPORARY,
            Self::Permanent => names::PERMANENT,
        }
    }
}

impl Mode {
    /// The name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => names::SHARED,
            Self::Exclusive => names::EXCLUSIVE,
        }
    }
}

impl NotifyEvent {
    const ALL: [Self; 5] = [Self::Active, Self::Revoked, Self::Failed, Self::Released, Self::Progress];

    /// The name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => names::ACTIVE,
            Self::Revoked => names::REVOKED,
            Self::Failed => names::FAILED,
            Self::Released => names::RELEASED,
            Self::Progress => names::PROGRESS,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }
}

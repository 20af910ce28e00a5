//! Rows and batches of the store.

use omadm_mo::{DeviceId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Origin, ProfileStep, StandingChange, StoredSecret, Validator, ValidatorChange};

/// Identifier of a command (time-ordered UUID).
pub type CommandId = Uuid;
/// Identifier of a payload or upload.
pub type PayloadId = Uuid;
/// Number of a session within its device, counted up.
pub type SessionId = i64;

/// A device to enrol.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Its DevID.
    pub device: DeviceId,
    /// Free text for people.
    pub label: String,
    /// HTTP user name, unique over all devices.
    pub user: String,
    /// Verifier of its secret.
    pub verifier: StoredSecret,
    /// What its sessions of DM 1.x begin with (opaque here).
    pub dm1: Option<StoredSecret>,
    /// Whether an existing enrolment is replaced by a new generation. One whose bootstrap was revoked goes on without that, with what
    /// is said here: see [`crate::Store::revoke`].
    pub replace: bool,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its DevID.
    pub id: DeviceId,
    /// Enrolment generation, from 1.
    pub generation: i64,
    /// Free text for people.
    pub label: String,
    /// Protocol of the last contact, such as `dm2.0`.
    pub protocol: Option<String>,
    /// By which transport the last session came, such as `https`, once that is known.
    pub bearer: Option<String>,
    /// Manufacturer, model and versions as last seen (JSON object as text, `{}` at first).
    pub facts: String,
    /// Supported MOs as last reported (JSON array as text), if ever.
    pub inventory: Option<String>,
    /// When it was enrolled.
    pub enrolled: Time,
    /// When its bootstrap was taken back, if it has no new one since.
    pub revoked: Option<Time>,
    /// Last message received.
    pub last_contact: Option<Time>,
    /// Commands that are queued or sent.
    pub open_commands: i64,
    /// What is remembered of it and the profiles that apply to it (opaque here).
    pub desired: Option<String>,
    /// Versions of profiles that it has for itself, by name (JSON object as text).
    pub pinned: Option<String>,
}

/// The credential of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub device: DeviceId,
    /// Generation it belongs to.
    pub generation: i64,
    /// Verifier of the secret.
    pub verifier: StoredSecret,
}

/// Whether a credential is the one of who asks.
pub type Accept = Box<dyn FnOnce(&Credential) -> bool + Send>;

/// States of a command (`queued → sent → …`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the design")]
pub enum CommandState {
    Queued,
    Sent,
    Done,
    Failed,
    Expired,
    Cancelled,
    Superseded,
    Quarantined,
}

impl CommandState {
    /// Whether nothing more can happen to the command.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Sent)
    }

    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sent,
        Self::Done,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Superseded,
        Self::Quarantined,
    ];

    /// The name for people, programs and columns: `queued`, `sent`, ….
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Quarantined => "quarantined",
        }
    }

    /// The inverse of [`CommandState::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A command to queue.
#[derive(Clone, Debug)]
pub struct NewCommand {
    /// Its identifier, made by the caller.
    pub id: CommandId,
    /// For which device.
    pub device: DeviceId,
    /// What the operator said: `get`, `set`, ….
    pub verb: String,
    /// On what.
    pub address: String,
    /// Further arguments (JSON as text).
    pub args: String,
    /// Payload kept together with the command, in the same batch.
    pub payload: Option<Payload>,
    /// Queued commands of the device with the same key are superseded.
    pub supersede_key: Option<String>,
    /// When it expires.
    pub expires: Time,
    /// Who asked.
    pub created_by: String,
    /// What asked, if not the operator's own hand.
    pub origin: Option<Origin>,
}

/// A command as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its identifier.
    pub id: CommandId,
    /// Its device.
    pub device: DeviceId,
    /// Enrolment generation.
    pub generation: i64,
    /// Place in the order of its device, from 1.
    pub seq: i64,
    /// What the operator said.
    pub verb: String,
    /// On what.
    pub address: String,
    /// Further arguments (JSON as text).
    pub args: String,
    /// Payload, if it has one.
    pub payload: Option<PayloadId>,
    /// State.
    pub state: CommandState,
    /// Status code the device gave, whatever the protocol.
    pub status: Option<u16>,
    /// One sentence on why it is in this state.
    pub reason: Option<String>,
    /// Result (JSON as text).
    pub result: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was queued.
    pub created: Time,
    /// When it was last sent.
    pub sent: Option<Time>,
    /// When it reached a final state.
    pub finished: Option<Time>,
    /// When it expires.
    pub expires: Time,
    /// Who asked.
    pub created_by: String,
    /// What asked, if not the operator's own hand.
    pub origin: Option<Origin>,
}

impl Command {
    /// Why it expired, if it does so in its present state.
    #[must_use]
    pub fn why_expired(&self) -> &'static str {
        if self.attempts == 0 {
            "Its time was over before the device asked for it."
        } else if self.status.is_some() {
            "Its time was over before its result came; the device had begun with it."
        } else {
            "Its time was over before the device answered; it may have been carried out."
        }
    }
}

/// Octets with a media type, for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Its identifier.
    pub id: PayloadId,
    /// The only device it is for, or comes from.
    pub device: DeviceId,
    /// Media type.
    pub content_type: String,
    /// The octets.
    pub body: Vec<u8>,
}

/// Session row of a device: at most one open session each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Number of the session.
    pub session: SessionId,
    /// Counts every write of this row, and of what else its next message has to know, such as an upload; guards against two nodes
    /// working on one message.
    pub version: i64,
    /// Engine state (opaque here).
    pub state: Vec<u8>,
    /// Digest of the last request, to know a repeated one.
    pub request_digest: Vec<u8>,
    /// The reply to it, sent again when it is repeated (opaque here).
    pub reply: Vec<u8>,
    /// Whether the session is over; the row is kept for repeated messages.
    pub ended: bool,
    /// When it was last written.
    pub updated: Time,
}

/// What [`crate::Store::check_in`] reads.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckIn {
    /// The device.
    pub device: Device,
    /// Its session row, if it ever had one.
    pub session: Option<SessionRow>,
    /// Open commands in order of sequence, `sent` and `queued`.
    pub commands: Vec<Command>,
    /// Whether more are queued than were read.
    pub more: bool,
    /// Sequence number of the newest command.
    pub last_seq: i64,
    /// Cache validators of its MO instances; read only if a command is open.
    pub validators: Vec<Validator>,
    /// What DM 1.x keeps of it between sessions, such as keys and nonces (opaque here).
    pub dm1: Option<StoredSecret>,
}

/// A command's step from one state to another.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The command, by sequence number.
    pub seq: i64,
    /// State it must be in.
    pub from: CommandState,
    /// State it gets.
    pub to: CommandState,
    /// Status, if the device gave one; else the one before stays.
    pub status: Option<u16>,
    /// Sentence on why it is in the new state; that of another state goes.
    pub reason: Option<String>,
    /// Result (JSON as text); `None` leaves the one before.
    pub result: Option<String>,
}

/// Place of a node in a device's last known tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeAddress {
    /// MOID; empty means all.
    pub moid: String,
    /// MIID; empty means all of the MOID.
    pub miid: String,
    /// `/`-separated path below the MO root, each name percent-encoded; empty for the root, else begins with `/`.
    pub path: String,
}

impl TreeAddress {
    /// The address of the node above; `None` at an MO root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (path, _) = self.path.rsplit_once('/')?;
        Some(Self { moid: self.moid.clone(), miid: self.miid.clone(), path: path.to_owned() })
    }
}

/// Last known state of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// Where it is.
    pub at: TreeAddress,
    /// Value as JSON text; `None` for an interior node.
    pub value: Option<String>,
    /// When it was seen.
    pub seen: Time,
}

/// A change to the last known tree.
#[derive(Clone, Debug, PartialEq)]
pub enum TreeUpdate {
    /// All at and below `at` is replaced by `nodes` (addresses as in [`TreeNode`], value JSON text or `None`). Missing ancestors become
    /// interior nodes.
    Replace {
        /// Where.
        at: TreeAddress,
        /// What is there now.
        nodes: Vec<(TreeAddress, Option<String>)>,
    },
    /// Nodes were read with a level limit. What they show to be gone goes: all below a leaf, and the other children of a
    /// listed interior node that has a listed child. All else stays, and missing ancestors become interior nodes.
    Merge {
        /// What is there now.
        nodes: Vec<(TreeAddress, Option<String>)>,
    },
    /// `at` and all below is gone.
    Remove {
        /// Where.
        at: TreeAddress,
    },
    /// An update whose addresses have one MOID and an empty MIID: it is of the only instance of that MOID. Where not exactly one
    /// instance was seen, nothing changes.
    OfOnly(Box<TreeUpdate>),
}

impl TreeUpdate {
    /// All addresses in it: that of the update first, if it has one, then those of nodes.
    pub(crate) fn addresses(&mut self) -> Box<dyn Iterator<Item = &mut TreeAddress> + '_> {
        match self {
            Self::Replace { at, nodes } => {
                Box::new(std::iter::once(at).chain(nodes.iter_mut().map(|(at, _)| at)))
            }
            Self::Merge { nodes } => Box::new(nodes.iter_mut().map(|(at, _)| at)),
            Self::Remove { at } => Box::new(std::iter::once(at)),
            Self::OfOnly(update) => update.addresses(),
        }
    }

    /// The nodes that it brings.
    #[must_use]
    pub fn nodes(&self) -> &[(TreeAddress, Option<String>)] {
        match self {
            Self::Replace { nodes, .. } | Self::Merge { nodes } => nodes,
            Self::Remove { .. } => &[],
            Self::OfOnly(update) => update.nodes(),
        }
    }
}

/// A new event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Device it concerns.
    pub device: Option<DeviceId>,
    /// Kind, such as `alert`, `command`, `session`, `security`.
    pub kind: String,
    /// Details (JSON as text).
    pub body: String,
}

/// Makes the event of a command that came to its end.
pub type EventOf = fn(&Command) -> NewEvent;

/// An event as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Cursor, counted up.
    pub cursor: i64,
    /// When it was added.
    pub at: Time,
    /// The event.
    pub event: NewEvent,
}

/// One message of a session trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceMessage {
    /// When.
    pub at: Time,
    /// Whether the device sent it.
    pub from_device: bool,
    /// One line on what it is, such as `Package#1`.
    pub summary: String,
    /// Media type.
    pub content_type: String,
    /// HTTP status of a reply.
    pub http_status: Option<u16>,
    /// The octets, cut to the configured length.
    pub body: Vec<u8>,
    /// Full length of the body.
    pub length: i64,
    /// Remarks: tolerances used, errors.
    pub notes: Vec<String>,
}

/// A session in listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its device.
    pub device: DeviceId,
    /// Its number.
    pub session: SessionId,
    /// First message.
    pub started: Time,
    /// Last message.
    pub updated: Time,
    /// `open`, `ended`, or `replaced` by a newer one before it had ended.
    pub outcome: String,
    /// Messages traced so far, in both directions.
    pub messages: i64,
}

/// All effects of one message.
#[derive(Clone, Debug)]
pub struct SessionStep {
    /// The device.
    pub device: DeviceId,
    /// Generation that was read.
    pub generation: i64,
    /// Version of the session row that was read; `None` if there was none. Ignored when `session` is `None`.
    pub expected_version: Option<i64>,
    /// Sequence number of the newest command that was known; `None` does not care.
    pub expected_last_seq: Option<i64>,
    /// The new session row (its `version` is set by the store); `None` leaves it as it is (uploads).
    pub session: Option<SessionRow>,
    /// Outcome of the session for listings (`open`, `ended`).
    pub outcome: Option<String>,
    /// Number of a session that this one replaced before it ended.
    pub replaced: Option<SessionId>,
    /// Commands that change state, in order; only `queued → sent` counts an attempt.
    pub transitions: Vec<Transition>,
    /// Uploads and other payloads to keep (same id again replaces).
    pub payloads: Vec<Payload>,
    /// Changes to the last known tree, in order.
    pub tree: Vec<TreeUpdate>,
    /// Changes to the cache validators, in order.
    pub validators: Vec<ValidatorChange>,
    /// Changes to what the device goes on doing, in order.
    pub standing: Vec<StandingChange>,
    /// New inventory (JSON array as text).
    pub inventory: Option<String>,
    /// New facts (JSON object as text), merged by the caller.
    pub facts: Option<String>,
    /// Protocol in use, if it is another than before.
    pub protocol: Option<String>,
    /// By which transport its session comes, if it is another than before.
    pub bearer: Option<String>,
    /// The device's last contact as it was read. A step that does not know it writes more than it has to.
    pub last_contact: Option<Time>,
    /// What DM 1.x keeps of the device from now on (opaque here).
    pub dm1: Option<StoredSecret>,
    /// What was learnt about all devices of a model.
    pub model: Option<Model>,
    /// What a look at the profiles of the device has shown.
    pub profiles: Option<ProfileStep>,
    /// Events to add.
    pub events: Vec<NewEvent>,
    /// Trace messages to add. Without a `session` they go with the session that the device had last.
    pub trace: Vec<TraceMessage>,
    /// Time of the step; becomes the device's last contact.
    pub now: Time,
}

/// What is known about all devices of a model, whichever of them it was learnt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The model with its manufacturer and versions, in whatever form tells models apart.
    pub name: String,
    /// What is known (opaque here).
    pub text: String,
}

/// A DDF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DdfFile {
    /// File name, unique, such as `dm_devinfo-v1_2.ddf`.
    pub name: String,
    /// MOIDs in it.
    pub moids: Vec<String>,
    /// The XML; empty in listings.
    pub text: String,
    /// When it was stored.
    pub stored: Time,
}

/// A page for the users of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Name, unique.
    pub name: String,
    /// Its definition (JSON as text).
    pub text: String,
    /// When it was stored.
    pub stored: Time,
}

/// An operator token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Name for people, unique.
    pub name: String,
    /// Verifier of the token.
    pub verifier: Vec<u8>,
    /// Digest of the token, by which it is found; none of tokens that were made before digests were kept.
    pub digest: Option<Vec<u8>>,
    /// The user it belongs to, whose rights it cannot exceed; it goes when they go.
    pub user: Option<String>,
    /// Role (opaque here).
    pub role: String,
    /// Scopes within the role (opaque here); `None` for all.
    pub scopes: Option<Vec<String>>,
    /// Names of the groups whose devices it sees; `None` for all devices.
    pub groups: Option<Vec<String>>,
    /// When it was made.
    pub created: Time,
    /// When it expires, if ever.
    pub expires: Option<Time>,
}

/// Figures over the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Enrolled devices.
    pub devices: i64,
    /// Commands that are queued or sent.
    pub open_commands: i64,
    /// When the oldest of them was queued.
    pub oldest_open: Option<Time>,
    /// Deliveries to webhooks that were given up and are kept.
    pub dead_letters: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_one_name_each() {
        for state in CommandState::ALL {
            assert_eq!(CommandState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.as_str()));
            assert_eq!(state.is_final(), !matches!(state.as_str(), "queued" | "sent"));
        }
        assert_eq!(CommandState::parse("Queued"), None);
    }

    #[test]
    fn addresses_know_what_is_above() {
        let at =
            |path: &str| TreeAddress { moid: "m".to_owned(), miid: "i".to_owned(), path: path.to_owned() };
        assert_eq!(at("/a/b").parent(), Some(at("/a")));
        assert_eq!(at("/a").parent(), Some(at("")));
        assert_eq!(at("").parent(), None);
    }
}

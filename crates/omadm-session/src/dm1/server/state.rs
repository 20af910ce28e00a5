//! What is kept of a session between two messages.

use std::borrow::Cow;
use std::fmt;

use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::{Data, Version};
use omadm_mo::{Time, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// First octet of the stored form of a [`State`], which has nothing but values in it: another set of them needs another number, and
/// other protocols begin theirs with others.
const FORM: u8 = 1;
/// Most states need no more octets.
const USUAL: usize = 256;

/// Engine state between two messages. A host stores what it writes of itself; it may hold what a device told of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// `SessionID` as written.
    pub(super) session_id: String,
    /// `VerDTD` and `VerProto` of the first message, in which all are answered.
    pub(super) dialect: (String, String),
    /// SHA-256 of the message answered last.
    #[serde(with = "serde_bytes")]
    pub(super) digest: [u8; 32],
    /// `MsgID` of that message.
    pub(super) heard: u64,
    /// `MsgID` of the message sent last.
    pub(super) said: u64,
    /// When that was, in microseconds of [`Time`].
    pub(super) updated: i64,
    /// How far it is.
    pub(super) phase: Phase,
    /// How the device proved itself; `None`: by its transport.
    pub(super) client: Option<Proven>,
    /// How the server does.
    pub(super) server: Proof,
    /// What the device takes.
    pub(super) peer: Bounds,
    /// The message sent last had Final, so the device may execute.
    pub(super) is_final: bool,
    /// Messages of the device in its package.
    pub(super) messages: u32,
    /// Octets of all messages of the device.
    pub(super) octets: u64,
    /// Commands that are out.
    pub(super) flights: Vec<Flight>,
    /// `MsgID` and `CmdID` of a Sequence that was put around them.
    pub(super) wrapper: Option<(u64, u32)>,
    /// Commands that need another message.
    pub(super) open: Vec<Progress>,
    /// An object of the device of which parts have come.
    pub(super) incoming: Option<Incomplete>,
    /// Statuses that found no room yet.
    pub(super) due: Vec<Due>,
    /// Statuses in the message sent last, if the server had to prove itself in it.
    pub(super) unproven: Vec<Due>,
    /// Why an operator wants the session to end.
    pub(super) stop: Option<String>,
    /// DevInfo has come, or was asked for.
    pub(super) knows_device: bool,
}

impl State {
    /// The form in which a host stores it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut form = Vec::with_capacity(USUAL);
        form.push(FORM);
        // It is all text and numbers, which can be written.
        postcard::to_extend(self, form).unwrap_or_default()
    }
    /// Reads the stored form; `None` for what another version or protocol wrote, which is as good as no session: the device begins anew.
    #[must_use]
    pub fn read(stored: &[u8]) -> Option<Self> {
        postcard::from_bytes(stored.strip_prefix(&[FORM])?).ok()
    }
    /// `SessionID` as written.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }
    /// Lets the session end with the answer to the next message of the device (Alert 1223), for a reason that goes into the trace.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.stop = Some(reason.into());
    }
    /// Whether the session is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.phase != Phase::Open
    }
    /// When the last message was answered.
    #[must_use]
    pub fn updated(&self) -> Time {
        Time(self.updated)
    }
    /// SHA-256 of the message answered last.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    /// Sequence numbers of the commands that are out.
    pub fn sent(&self) -> impl Iterator<Item = i64> {
        self.flights.iter().filter_map(|flight| flight.seq)
    }
    /// The scheme by which the device proved itself; `None` if its transport did.
    #[must_use]
    pub fn client_scheme(&self) -> Option<Scheme> {
        self.client.as_ref().map(|proven| proven.scheme)
    }
    /// The version that is spoken.
    pub(super) fn version(&self) -> Version {
        [Version::Dm11, Version::Dm13]
            .into_iter()
            .find(|version| version.ver_proto() == self.dialect.1)
            .unwrap_or(Version::Dm12)
    }
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Commands may be out.
    Open,
    /// Nothing was left to do. The device may have a last word, such as a nonce.
    Complete,
    /// One side gave it up.
    Aborted,
}

/// How a device proved itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proven {
    pub(super) scheme: Scheme,
}

/// How the server proves itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proof {
    /// The device took it for the whole session.
    pub(super) accepted: bool,
    /// How often the device did not take it.
    pub(super) refused: u32,
    /// The device did not take the last one, so the commands are to be sent again.
    pub(super) again: bool,
    /// The scheme that the device asked for in this session.
    pub(super) scheme: Option<Scheme>,
    /// The nonce that the device gave in this session.
    #[serde(with = "serde_bytes")]
    pub(super) nonce: Option<Vec<u8>>,
}

/// What a device takes, in octets; `None` if it did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) message: Option<u64>,
    pub(super) object: Option<u64>,
}

/// A command that is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flight {
    /// The queued command; `None`: the engine asks for DevInfo.
    pub(super) seq: Option<i64>,
    /// `MsgID` of the message that carries it: of its last chunk, if there are several.
    pub(super) message: u64,
    /// Its `CmdID`.
    pub(super) command: u32,
    /// Commands in it; their `CmdID` follow its own.
    pub(super) parts: u32,
    /// How it was said.
    pub(super) stage: Stage,
    /// What came of it so far.
    pub(super) heard: Heard,
    /// Its object goes in several messages: octets sent before this one.
    pub(super) start: u64,
    /// Octets sent with this one, if that is not all.
    pub(super) chunk: Option<u64>,
    /// Nodes that a walk read before, and those that it has to read: the first of them with this command.
    pub(super) walk: (Vec<Told>, Vec<String>),
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    /// Statuses: of it (0) or a command in it (from 1), the address if it is for one item, and the code.
    pub(super) statuses: Vec<(u32, Option<String>, u16)>,
    /// Nodes of its results.
    pub(super) nodes: Vec<Told>,
    /// What the user entered.
    pub(super) input: Vec<Carried>,
    /// What else the device said.
    pub(super) detail: Option<String>,
    /// Why results were not taken: a status and a sentence.
    pub(super) fault: Option<(u16, String)>,
}

/// How a command is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// As it is.
    First,
    /// The other way: Add for Replace, or Replace for Add.
    Other,
    /// `?list=TNDS`.
    Tnds,
    /// `?list=StructData`.
    StructData,
    /// `?list=Struct`.
    Struct,
    /// `?list=MORoot`.
    MoRoot,
    /// `?list=MORootData`.
    MoRootData,
    /// Node by node.
    Walk,
}

/// A command that is not out and needs another message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) seq: Option<i64>,
    pub(super) stage: Stage,
    /// Nodes that were read.
    pub(super) nodes: Vec<Told>,
    /// Nodes that are to be read.
    pub(super) ahead: Vec<String>,
    /// Octets of its object that are sent.
    pub(super) sent: u64,
}

impl Progress {
    /// Of a command that was not sent yet.
    pub(super) fn first(seq: Option<i64>) -> Self {
        Self { seq, stage: Stage::First, nodes: Vec::new(), ahead: Vec::new(), sent: 0 }
    }
}

/// A node as a device told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) uri: String,
    pub(super) format: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) data: Option<Carried>,
}

/// Data as carried, which may be a secret: `Debug` does not show it, and it is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Carried {
    Text(Zeroizing<String>),
    #[serde(serialize_with = "octets_out", deserialize_with = "octets_in")]
    Octets(Zeroizing<Vec<u8>>),
}

fn octets_out<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(octets)
}

fn octets_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    serde_bytes::deserialize(deserializer).map(Zeroizing::new)
}

impl Carried {
    pub(super) fn of(data: &Data<'_>) -> Self {
        match data {
            Data::Text(text) => Self::Text(Zeroizing::new(text.as_ref().to_owned())),
            Data::Opaque(octets) => Self::Octets(Zeroizing::new(octets.as_ref().to_vec())),
        }
    }
    pub(super) fn empty() -> Self {
        Self::Text(Zeroizing::default())
    }
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Octets(octets) => octets.len(),
        }
    }
    /// Adds another part; says no for text with octets.
    pub(super) fn push(&mut self, more: &Data<'_>) -> bool {
        match (self, more) {
            (Self::Text(text), Data::Text(more)) => text.push_str(more),
            (Self::Octets(octets), Data::Opaque(more)) => octets.extend_from_slice(more),
            (Self::Text(_), Data::Opaque(_)) | (Self::Octets(_), Data::Text(_)) => return false,
        }
        true
    }
    /// As text, octets as far as they are.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Octets(octets) => String::from_utf8_lossy(octets),
        }
    }
    /// As it is.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_string()),
            Self::Octets(octets) => Value::Bytes(octets.to_vec()),
        }
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len())
    }
}

/// An object of which parts have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Incomplete {
    /// Name of the command.
    pub(super) command: String,
    /// What it answers: `MsgRef` and `CmdRef` of results.
    pub(super) refs: (String, String),
    /// Source and target of its item.
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    pub(super) format: Option<String>,
    pub(super) media_type: Option<String>,
    /// `Size` as announced.
    pub(super) size: Option<u64>,
    /// What came so far.
    pub(super) data: Carried,
    /// It is not taken, for this reason; what is still to come of it is passed over.
    pub(super) refused: Option<(u16, String)>,
}

/// A status that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Due {
    pub(super) msg_ref: String,
    pub(super) cmd_ref: String,
    pub(super) cmd: String,
    pub(super) code: u16,
}

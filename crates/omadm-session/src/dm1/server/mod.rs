//! The server's side of a DM 1.x session (`DM 1.3 PROTO §5, §6`), as one pure step per message.
//!
//! A session is known by the device and its `SessionID`. [`State`] is stored before the reply is on the wire, so any process can take the
//! next message.
//!
//! ```text
//! (no session) ──package 1, sender proven──▶ open ──package complete──▶ commands sent ──package 3──▶ … ──nothing left──▶ ended
//!       │                                     │ ▲                          │  ▲
//!       └── sender not proven: challenge      └─┘ message without Final    └──┘ chunk of a large object
//!           (nothing is stored)                   is answered with 1222         is answered with 213
//! ```
//! Who cannot prove who he is gets a challenge that is not kept: its nonce is made of what it is for ([`Config::challenge_key`]). So bad
//! credentials cost time and no state, and nobody but the device can disturb its session.
//!
//! How a host uses it: [`admit`] the head, [`decode`] the body, find the account of [`Incoming::sender`] (which may be unknown), look whether
//! the message [`repeats`] the one answered last (then send that reply again), call [`step`], store everything the [`Step`] says in one batch,
//! and send its reply.

mod auth;
mod batch;
mod compile;
mod hear;
mod later;
mod limits;
mod message;
mod object;
mod reply;
mod report;
mod sessionless;
mod settle;
mod state;
mod step;
mod task;
mod values;

use std::fmt;
use std::time::Duration;

use omadm_auth::Secret;
use omadm_auth::dm1::{Keys, NonceHistory, Scheme};
use omadm_codec::dm1::{AlertCode, Credentials, Mark, Version};
use omadm_codec::{Leniency, Limits, Tolerance};
use omadm_mo::{Format, Time, Value};
use serde::{Deserialize, Serialize};

pub use crate::dm1::{InputType, QuestionKind};
pub use message::{Incoming, admit, decode};
pub use report::{Report, report};
pub use sessionless::{Sessionless, sessionless};
pub use state::State;
pub use step::{repeats, step};
pub use task::{Content, Existence, Listing, Question, RawItem, Task};

/// Settings of a server engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bounds on received messages; `bytes` is not looked at, [`Config::max_message`] is.
    pub limits: Limits,
    /// No tolerance towards devices.
    pub strict: bool,
    /// `MaxMsgSize` told to devices: the largest message taken, in octets. Default 1 MiB.
    pub max_message: u32,
    /// `MaxObjSize` told to devices: the largest object taken, in octets. Default 64 MiB.
    pub max_object: u64,
    /// The largest message sent to a device that names no `MaxMsgSize`, or a larger one, in octets. Default 512 KiB.
    pub max_reply: u32,
    /// Versions that are spoken. Default all.
    pub versions: Vec<Version>,
    /// Schemes that devices may use and that this server uses itself, the preferred first. Weak ones
    /// ([`Scheme::is_weak`]) only if somebody asked for them. Default MACs, then digests, with SHA-256. A digest proves the first message of
    /// a session; those that follow are as safe as the transport is, and the `SessionID` hard to guess. A MAC proves each.
    pub schemes: Vec<Scheme>,
    /// Takes digests over the base64 text of a nonce ([`Tolerance::NonceText`]); never in strict mode. Default off.
    pub lenient_nonce: bool,
    /// Makes the nonces of challenges. All nodes of a server share it. Challenges on their way are void when it changes.
    pub challenge_key: Secret,
    /// How often a device may fail to prove itself in a session before it gets no further challenge. Default 2.
    pub max_challenges: u32,
    /// How often a command is sent before it is quarantined. Default 3.
    pub max_attempts: u32,
    /// Most commands in one message. Default 32.
    pub max_commands: usize,
    /// Most nodes taken with the results of one command. Default 20,000.
    pub max_nodes: usize,
    /// Most messages of a device in one package. Default 1,000.
    pub max_messages: u32,
    /// Most octets of all messages of a device in one session. Default 256 MiB.
    pub max_session: u64,
    /// After this time without a message a session is over. Default 30 minutes.
    pub idle: Duration,
    /// How long the same first message counts as repeated, and not as a new session. Default 2 minutes.
    pub repeat_window: Duration,
}

impl Config {
    /// The defaults, with the key of challenges.
    #[must_use]
    pub fn new(challenge_key: Secret) -> Self {
        Self {
            limits: Limits::default(),
            strict: false,
            max_message: 1 << 20,
            max_object: 64 << 20,
            max_reply: 512 << 10,
            versions: vec![Version::Dm11, Version::Dm12, Version::Dm13],
            schemes: vec![Scheme::MacSha256, Scheme::Sha256],
            lenient_nonce: false,
            challenge_key,
            max_challenges: 2,
            max_attempts: 3,
            max_commands: 32,
            max_nodes: 20_000,
            max_messages: 1_000,
            max_session: 256 << 20,
            idle: Duration::from_secs(30 * 60),
            repeat_window: Duration::from_secs(120),
        }
    }
    /// What is tolerated in one message, nothing made use of yet.
    #[must_use]
    pub fn leniency(&self) -> Leniency {
        if self.strict { Leniency::strict() } else { Leniency::lenient() }
    }
}

/// What the server knows of a device that talks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `./DevInfo/DevId`, which is the `Source` of its messages.
    pub device_id: String,
    /// The user name by which the device proves itself (`AAuthName` of CLCRED).
    pub user: String,
    /// Its keys; `None` if it can only be known by its transport.
    pub client_keys: Option<Keys>,
    /// The nonce that the device was given last; empty if none.
    pub client_nonce: Vec<u8>,
    /// Nonces that the device used.
    pub used_nonces: NonceHistory,
    /// The scheme that the device was told to use (`AAuthPref`), if any.
    pub client_scheme: Option<Scheme>,
    /// The user name by which the server proves itself (`AAuthName` of SRVCRED).
    pub server_user: String,
    /// The server's own keys for this device; `None` if TLS is proof enough.
    pub server_keys: Option<Keys>,
    /// The nonce that the device issued last; empty if none.
    pub server_nonce: Vec<u8>,
    /// The scheme that the device wants of the server; `None`: the first of [`Config::schemes`] but basic.
    pub server_scheme: Option<Scheme>,
    /// The notification that this session answers was made with [`omadm_auth::dm1::DEFAULT_NONCE`]: the first message may be, too, and its
    /// answer is then (`DM 1.2 NOTI §6.2.2`).
    pub default_nonce: bool,
    /// Whether the transport already proved that this is the device (a client certificate).
    pub transport_authenticated: bool,
    /// Where the device shall send the rest of the session (`RespURI`).
    pub resp_uri: Option<String>,
    /// What the device is known to be able to do.
    pub capabilities: Capabilities,
}

/// What devices of a model can do, as far as is known; learnt from what they answer, and worth keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// The dialect of Windows, which lacks Copy, Correlator, TNDS and user interaction.
    pub windows: bool,
    /// `?list=TNDS`.
    pub tnds: Option<bool>,
    /// `?list=StructData`.
    pub struct_data: Option<bool>,
    /// `?list=MORoot`.
    pub mo_root: Option<bool>,
    /// `Sequence`.
    pub sequence: Option<bool>,
    /// `Atomic`.
    pub atomic: Option<bool>,
    /// `Copy`.
    pub copy: Option<bool>,
    /// `Exec`.
    pub exec: Option<bool>,
    /// Alerts for the user (1100 to 1104).
    pub user_interaction: Option<bool>,
    /// Objects that take several messages (`./DevDetail/LrgObj`).
    pub large_objects: Option<bool>,
    /// Most segments of an address (`./DevDetail/URI/MaxDepth`); 0 is no limit.
    pub uri_depth: Option<u16>,
    /// Most characters of an address (`MaxTotLen`); 0 is no limit.
    pub uri_length: Option<u16>,
    /// Most characters of a segment (`MaxSegLen`); 0 is no limit.
    pub uri_segment: Option<u16>,
}

/// What the clock and chance give to a step.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Now.
    pub now: Time,
    /// The next nonce of the device: fresh random octets.
    pub nonce: [u8; 16],
}

/// Head of a request as the listener got it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestHead<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// `x-syncml-hmac`.
    pub hmac: Option<&'a str>,
    /// `User-Agent`, by which Windows is known.
    pub user_agent: Option<&'a str>,
}

/// An HTTP error answer (`DM 1.3 HTTP binding §5.3`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{http_status}: {reason}")]
pub struct Refusal {
    /// HTTP status.
    pub http_status: u16,
    /// One sentence for the log and the body.
    pub reason: String,
    /// Value of `Allow` (405).
    pub allow: Option<&'static str>,
}

/// By what the account of a message can be found, the best first; nothing of it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `LocName` of `Source`, or the user that the header or the credentials name.
    pub user: Option<String>,
    /// `LocURI` of `Source`: the device.
    pub device: String,
}

/// A queued command as the engine needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its sequence number.
    pub seq: i64,
    /// What it means, or why it cannot be read (then it is quarantined).
    pub task: Result<Task, String>,
    /// How often it was sent already.
    pub attempts: u32,
    /// Whether it is in state `sent`.
    pub sent: bool,
    /// Whether it was accepted with 202 and its result is still to come: it is not sent again.
    pub accepted: bool,
}

/// How a command came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done with this status (2xx, 304, 12xx).
    Done(u16),
    /// Accepted with 202, result to come.
    Accepted,
    /// Failed with this status, which may be one that the server found itself (413: too large for the device).
    Failed(u16),
    /// To be sent again in another session; the count decides on quarantine.
    Again(String),
    /// Given up.
    Quarantined(String),
}

/// Verdict on one command, with what it brought.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandResult {
    /// Sequence number.
    pub seq: i64,
    /// The verdict.
    pub verdict: Verdict,
    /// What it brought.
    pub data: Option<Data>,
    /// What the device said beside the status, such as the original error of Windows or the node that was in the way.
    pub detail: Option<String>,
    /// One sentence for people when it is not `Done`.
    pub sentence: Option<String>,
}

/// What came with a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// What was read.
    Nodes(Vec<Node>),
    /// What the user answered.
    Answer(Answer),
    /// Statuses of the commands in an `Atomic` or `Sequence`, in order; 0 if there came none.
    Parts(Vec<u16>),
    /// The alert that reported the end of an execution.
    Reported(ReceivedAlert),
}

/// A node as a device told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its address (`./A/B`), or that of a property (`./A/B?prop=ACL`), as the device wrote it.
    pub uri: String,
    /// `Format`; of an interior node `node`.
    pub format: Format,
    /// `Type`: a media type, or the MOID of an interior node.
    pub media_type: Option<String>,
    /// What it holds.
    pub content: NodeContent,
}

/// What a node holds, as far as it was told.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeContent {
    /// Nothing was told.
    Untold,
    /// Names of all children.
    Children(Vec<String>),
    /// The value of a leaf or a property.
    Value(Value),
}

/// What a user answered. `Debug` does not show what was typed in, which may be a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The text was shown.
    Shown,
    /// Yes.
    Yes,
    /// No.
    No,
    /// What was typed in.
    Text(String),
    /// Numbers of what was chosen, from 1.
    Chosen(Vec<u32>),
    /// The user did not want to answer.
    Cancelled,
    /// The user did not answer in time.
    TimedOut,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown => f.write_str("Shown"),
            Self::Yes => f.write_str("Yes"),
            Self::No => f.write_str("No"),
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Chosen(numbers) => write!(f, "Chosen({numbers:?})"),
            Self::Cancelled => f.write_str("Cancelled"),
            Self::TimedOut => f.write_str("TimedOut"),
        }
    }
}

/// An alert of a device, other than those of the session itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedAlert {
    /// 1224 or 1226.
    pub code: AlertCode,
    /// `Correlator`.
    pub correlator: Option<String>,
    /// Its items.
    pub items: Vec<AlertItem>,
}

/// An item of an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertItem {
    /// `Source`: what it is about.
    pub source: Option<String>,
    /// `Target`.
    pub target: Option<String>,
    /// `Type` as written.
    pub alert_type: Option<String>,
    /// `Format`.
    pub format: Option<String>,
    /// `Mark`.
    pub mark: Mark,
    /// `Data`; octets in base64.
    pub data: Option<Value>,
}

/// A reply, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The message.
    pub body: Vec<u8>,
    /// Its media type.
    pub content_type: &'static str,
    /// Value of the header `x-syncml-hmac`.
    pub hmac: Option<String>,
    /// `Cred` of its header, which is for the device alone.
    pub credentials: Option<Box<Credentials<'static>>>,
}

/// What a message leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is taken: everything the step says is to be stored, then its reply sent.
    Taken(Box<Step>),
    /// It is not: the reply is sent, and nothing stored but the trace.
    TurnedAway(TurnedAway),
}

/// Why a message is not taken, in a reply that the protocol has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// The reply.
    pub reply: Reply,
    /// One sentence for the log and the trace.
    pub reason: String,
    /// Whether credentials were wrong, which counts against the sender; missing ones do not.
    pub bad_credentials: bool,
}

/// What a session began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// `SessionID` as written.
    pub session_id: String,
    /// 1200 or 1201, if there was one.
    pub alert: Option<AlertCode>,
    /// The version that is spoken.
    pub version: Version,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was left to do.
    Complete,
    /// The device gave it up (Alert 1223).
    ByDevice,
    /// The server gave it up, for this reason.
    ByServer(String),
}

/// What a message leads to that is taken. The host stores all of it in one batch, then sends `reply`: first `results`, then `sends`; a
/// command may be in both.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The answer.
    pub reply: Reply,
    /// Commands that this reply begins to send: each becomes `sent`, with one more attempt.
    pub sends: Vec<i64>,
    /// State to store.
    pub state: State,
    /// Whether a new session began, and the one before it (if open) is replaced.
    pub began: Option<Begun>,
    /// Whether the session is over with this reply.
    pub ended: Option<End>,
    /// Verdicts on commands, each once.
    pub results: Vec<CommandResult>,
    /// What the device told of itself unasked: DevInfo, and management objects in package 1.
    pub told: Vec<Node>,
    /// Alerts 1224 and 1226, as received; those that ended an execution are in `results`, too.
    pub alerts: Vec<ReceivedAlert>,
    /// What the account has to keep, if something changed.
    pub kept: Option<Kept>,
    /// What the device can do, if something was learnt.
    pub capabilities: Option<Capabilities>,
    /// Tolerances that were made use of.
    pub tolerated: Vec<Tolerance>,
    /// Remarks for the trace.
    pub notes: Vec<String>,
}

/// Fields of an [`Account`] that a step changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// [`Account::client_nonce`].
    pub client_nonce: Vec<u8>,
    /// [`Account::used_nonces`].
    pub used_nonces: NonceHistory,
    /// [`Account::server_nonce`].
    pub server_nonce: Vec<u8>,
    /// [`Account::server_scheme`].
    pub server_scheme: Option<Scheme>,
}

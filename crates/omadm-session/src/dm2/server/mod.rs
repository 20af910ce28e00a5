//! The server's side of a DM 2.0 session (`DM 2.0 §5`), as one pure step per message.
//!
//! DM 2.0 has no session identifier: a session is known by the device and by the package sent last ([`State`]), which is stored before it
//! is on the wire; so any process can take the next message.

use omadm_codec::dm2::{Alert, Command, SupportedMo};
use omadm_codec::{Limits, Tolerance};
use omadm_mo::{ClientUri, Content, ServerUri};
use serde::{Deserialize, Serialize};

/// Settings of a server engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bounds on received packages.
    pub limits: Limits,
    /// No tolerance towards devices.
    pub strict: bool,
    /// Most commands in one Package#2. Default 32.
    pub max_commands: usize,
    /// How often a command is sent before it is quarantined. Default 3.
    pub max_attempts: u32,
}

/// Head of a request as the listener got it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Every value of `OMADM-DevID`.
    pub device_ids: &'a [&'a str],
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
}

/// An HTTP error answer (`DM 2.0 §5.5, §5.6`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{http_status}: {reason}")]
pub struct Refusal {
    /// HTTP status.
    pub http_status: u16,
    /// One sentence for the log and the body.
    pub reason: String,
    /// Value of `Allow` (405).
    pub allow: Option<&'static str>,
    /// Whether `OMADM-Accept` goes with it (415).
    pub omadm_accept: bool,
}

/// What a message is, by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Package#1.
    Initiation,
    /// Package#3 without data.
    Response,
    /// Package#3 with data.
    ResponseWithData {
        /// The boundary.
        boundary: String,
    },
}

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Package#1.
    Initiation(omadm_codec::dm2::Initiation),
    /// Package#3 with the parts that follow it.
    Response {
        /// The package.
        response: omadm_codec::dm2::Response,
        /// Data parts in order.
        parts: Vec<omadm_codec::multipart::Part>,
    },
}

/// Checks the head: 405, 400 (no or contradictory `OMADM-DevID`), 406, 415. Gives the DevID and the kind.
///
/// # Errors
/// The HTTP answer.
pub fn admit(_head: &RequestHead<'_>) -> Result<(omadm_mo::DeviceId, Kind), Refusal> {
    todo!()
}

/// Decodes a body of this kind; also says which tolerances it made use of.
///
/// # Errors
/// 400 with offset and field; 413 over the limit; 415 where the first part is of another type is 400 (`DM 2.0 Appendix F`).
pub fn decode(_config: &Config, _kind: &Kind, _body: &[u8]) -> Result<(Incoming, Vec<Tolerance>), Refusal> {
    todo!()
}

/// A queued command as the engine needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its sequence number.
    pub seq: i64,
    /// What it says, or why it cannot be read (then it is quarantined).
    pub command: Result<Command, String>,
    /// How often it was sent already.
    pub attempts: u32,
    /// Whether it is in state `sent`.
    pub sent: bool,
    /// Whether it was accepted with 202 and its result is still to come: it is not sent again.
    pub accepted: bool,
}

/// Engine state between two messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Sequence numbers of the commands in the Package#2 sent last, in order.
    pub sent: Vec<i64>,
    /// Package#2 sent so far.
    pub rounds: u32,
    /// END was sent.
    pub ended: bool,
}

/// How a command came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Done with this status (2xx, 304, 12xx).
    Done(u16),
    /// Accepted with 202, result to come.
    Accepted,
    /// Failed with this status.
    Failed(u16),
    /// To be sent again (503, or no answer); the count decides on quarantine.
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
    /// `URI` of the status: where an HGET stored.
    pub uris: Vec<String>,
    /// Data of a GET.
    pub data: Option<Data>,
    /// One sentence for people when it is not `Done`.
    pub sentence: Option<String>,
}

/// Data of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// MO data.
    Items(Vec<omadm_codec::dm2::MoItem>),
    /// A leaf directly, with its media type.
    Leaf {
        /// Media type.
        content_type: String,
        /// The octets.
        body: Vec<u8>,
    },
}

/// What one message leads to. The host stores all of it in one batch, then sends `reply`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Package#2.
    pub reply: Vec<u8>,
    /// The commands in it, without END.
    pub sends: Vec<i64>,
    /// State to store.
    pub state: State,
    /// Whether a new session began, and the one before it (if open) is replaced.
    pub began: bool,
    /// Verdicts on commands.
    pub results: Vec<CommandResult>,
    /// MOS, if reported.
    pub inventory: Option<Vec<SupportedMo>>,
    /// Alerts, all of them as received.
    pub alerts: Vec<Alert>,
    /// Remarks for the trace: parts that fit no command and the like.
    pub notes: Vec<String>,
}

/// Takes a message.
///
/// Package#1 begins a session: commands sent before and never answered count as unanswered ([`Verdict::Again`] or quarantine) and are sent
/// again first. Package#3 needs an open session (409), and as many statuses as commands were sent (400, nothing assigned).
///
/// # Errors
/// The HTTP answer; nothing is to be stored but the trace.
pub fn step(_config: &Config, _state: Option<&State>, _incoming: Incoming, _queue: &[Pending]) -> Result<Step, Refusal> {
    todo!()
}

/// The nodes of MO data as `(concrete address, value)`, interior nodes with `None`; for the last known tree.
#[must_use]
pub fn flatten(_address: &ClientUri, _content: &Content) -> Vec<(ClientUri, Option<omadm_mo::Value>)> {
    todo!()
}

/// The ServerURI of a place in the Data Repository.
///
/// # Errors
/// When base and path do not make a URI.
pub fn repository_uri(_base: &str, _path: &str) -> Result<ServerUri, omadm_mo::AddressError> {
    todo!()
}

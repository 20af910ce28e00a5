//! The server's side of a DM 2.0 session (`DM 2.0 §5`), as one pure step per message.
//!
//! DM 2.0 has no session identifier: a session is known by the device and by the package sent last ([`State`]), which is stored before it
//! is on the wire; so any process can take the next message.
//!
//! ```text
//! (no session) ──Package#1──▶ open: commands sent ──Package#3──▶ open: next commands sent … ──nothing left──▶ ended: END sent
//!       ▲                       │      ▲                                                                   │
//!       └── Package#3: 409      └──────┴────────────── Package#1: the session begins anew ◀────────────────┘
//! ```
//! A Package#3 names neither its session nor its Package#2. So that one which is repeated or late can be told from the next one, a
//! Package#2 never holds as many commands as either of the two before it, unless the session before it ended as it should: the
//! answers then differ in the number of their statuses. A host that meets the octets of the Package#3 it answered last sends the
//! same reply again; a Package#1 is always new.

mod batch;
mod later;
mod message;
mod results;
mod step;
mod values;

pub use message::{admit, decode};
pub use step::step;
pub use values::{flatten, repository_uri};

use omadm_codec::dm2::{Alert, Command, SupportedMo};
use omadm_codec::{Leniency, Limits};
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
    /// Most JSON members and items of MO data taken from one message: about one a node. Default 20,000.
    pub max_items: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            strict: false,
            max_commands: 32,
            max_attempts: 3,
            max_items: 20_000,
        }
    }
}

impl Config {
    /// What is tolerated in one message, nothing made use of yet.
    #[must_use]
    pub fn leniency(&self) -> Leniency {
        if self.strict { Leniency::strict() } else { Leniency::lenient() }
    }
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
    /// Reads that were put behind the commands to make their number unlike the last two; their answers count for nothing.
    #[serde(default)]
    pub padding: usize,
    /// Numbers of commands in the last two Package#2, padding included.
    #[serde(default)]
    pub recent: Vec<usize>,
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
    /// Data of a GET, or the alert that ended an EXEC.
    pub data: Option<Data>,
    /// One sentence for people when it is not `Done`.
    pub sentence: Option<String>,
}

/// What came with a result: data of a part, or an alert.
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
    /// The alert that reported the end of an execution (`DM 2.0 §5.4.1`).
    Reported(Alert),
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

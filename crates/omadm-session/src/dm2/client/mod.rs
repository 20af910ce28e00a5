//! The device's side of a DM 2.0 session (`DM 2.0 §5`).
//!
//! ```text
//! start ─Post(Package#1)─▶ waiting ─Package#2─▶ processing ─effects…─▶ Post(Package#3) ─▶ waiting …
//!                             │ 4xx/5xx/expiry: aborted            │ END: finished, no Package#3
//! ```
//! The tree is an argument of every call; everything outside the tree is an [`Effect`] that the host carries out.

mod accept;
mod bootstrap;
mod commands;
mod observe;
mod package;
mod policy;
mod retrieval;
mod session;
mod status;

pub use crate::Body;
pub use bootstrap::{Installed, install_bootstrap};
pub use observe::{Observation, Observed, Report, observe};
pub use policy::expand_text;
pub use retrieval::{Retrieval, RetrievalStep};
pub use session::Session;

use omadm_codec::dm2::{Alert, StatusCode};
use omadm_codec::{Limits, Tolerance};
use omadm_mo::{ClientUri, DeviceId, Miid, Moid, NodePath, NodeRecord, ParameterValues, ServerId, ServerUri};

/// Settings of a client engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Value of `OMADM-DevID`.
    pub device_id: DeviceId,
    /// What replaces `[DevID]` and its like.
    pub parameters: ParameterValues,
    /// Bounds on received packages and data.
    pub limits: Limits,
    /// No tolerance towards the server. The host sets the tree's [`omadm_mo::Tolerances`] to match.
    pub strict: bool,
    /// `http` is allowed for sessions and data (off by default: `https` only).
    pub allow_plain_http: bool,
    /// Most Package#2 in one session, so that a broken server cannot hold a device for ever. Default 1,000.
    pub max_rounds: u32,
    /// Wildcard, x-name and query of ClientURI are on (`DM 2.0 §6.1`, SHOULD); off answers 501.
    pub full_addressing: bool,
}

/// Why a session starts; decides its start alert (`DM 2.0 §5.2.2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The device's own decision.
    Client,
    /// A bootstrap was installed.
    Bootstrap,
    /// A notification, with its NOTIFICATION-ID if it had one.
    Notification(Option<u16>),
}

/// What starts a session.
#[derive(Clone, Debug)]
pub struct Start {
    /// The account's server.
    pub server: ServerId,
    /// The account's SrvURI.
    pub uri: String,
    /// Why.
    pub trigger: Trigger,
    /// Whether Package#1 carries MOS.
    pub send_mos: bool,
    /// Alerts kept for this server.
    pub alerts: Vec<Alert>,
}

/// What the host tells the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The answer to a [`Output::Post`].
    Reply(HttpReply),
    /// No answer: connection, TLS or time-out.
    NoReply {
        /// Why, for the log.
        reason: String,
    },
    /// An effect is carried out.
    EffectDone {
        /// Which.
        id: EffectId,
        /// How it ended.
        result: EffectResult,
    },
    /// An alert came up during the session; it goes into the next package.
    Alert(Alert),
}

/// Head and body of an HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `OMADM-Accept`.
    pub omadm_accept: Option<String>,
    /// Body.
    pub body: Body,
}

/// Number of an effect within its session.
pub type EffectId = u32;

/// What the engine wants done outside the tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Let plug-ins bring the values of these instances up to date before they are read; the host changes the tree itself and
    /// answers `Done` (instances with no plug-in need nothing).
    Refresh(Vec<(Moid, Miid)>),
    /// HTTP GET for an HGET. Answer `Http` or `NoReply`.
    Fetch {
        /// Expanded URI.
        uri: String,
        /// `Accept`.
        accept: String,
    },
    /// HTTP PUT or POST for HPUT or HPOST. Answer `Http` or `NoReply`.
    Upload {
        /// `PUT` or `POST`.
        method: &'static str,
        /// Expanded URI.
        uri: String,
        /// `Content-Type`.
        content_type: String,
        /// Body.
        body: Body,
    },
    /// Make these records durable, after the plug-ins concerned agreed. Answer `Done`, or `Refused`: the engine then undoes
    /// the change in the tree.
    Commit {
        /// As `Prepared::records`.
        records: Vec<(NodePath, Option<NodeRecord>)>,
        /// Instances concerned.
        instances: Vec<(Moid, Miid)>,
    },
    /// Run an executable node. Answer `Done` when it is done, `Accepted` when the host has made durable that it reports the end
    /// later (`DM 2.0 §5.4.1`), or `Refused` with the status.
    Execute {
        /// The concrete address.
        address: ClientUri,
        /// Its instance.
        instance: (Moid, Miid),
        /// Where the end is to be reported in a session of its own; the answer is `Accepted` or `Refused` then.
        report_to: Option<ServerUri>,
    },
    /// Start the browser of the device on a page, without waiting for the user (`DM 2.0 §5.3.7`). Answer `Done` when it is
    /// started, or `Refused` (500, 501, 503, 507).
    Show {
        /// Expanded URI, `https` or, where it is allowed, `http`.
        uri: String,
    },
    /// Keep where data of a MOID comes from when there is none, in place of what was kept for it (`DM 2.0 §5.3.10`). Durable
    /// before the answer, which is `Done` or `Refused`.
    KeepDefault {
        /// The MOID, known to the device and provisioned for the server.
        moid: Moid,
        /// As the server wrote it: the parameters are replaced when it is used.
        uri: ServerUri,
    },
    /// Report every change of a part of the tree from now on, in place of a subscription of this server to the same
    /// ClientURI (`DM 2.0 §5.3.11`). Durable before the answer, which is `Done` or `Refused`.
    Subscribe {
        /// The part, which the server may read.
        client: ClientUri,
        /// Where to, as the server wrote it.
        uri: ServerUri,
    },
    /// End a subscription (`DM 2.0 §5.3.12`). Answer `Done`, or `Refused` with 404 when this server has none to this ClientURI.
    Unsubscribe {
        /// The part.
        client: ClientUri,
    },
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectResult {
    /// It is done.
    Done,
    /// It goes on, and its end is reported later: for [`Effect::Execute`] only.
    Accepted,
    /// It is refused with this status (500, 501, 503, 506, 507, 1000 to 1999).
    Refused {
        /// The status.
        status: StatusCode,
        /// Why, for the trace.
        reason: String,
    },
    /// An HTTP answer, of whatever status.
    Http(HttpReply),
    /// The body of the HTTP answer was over the limit of the host.
    TooLarge,
    /// No HTTP answer.
    NoReply {
        /// Why.
        reason: String,
    },
}

/// What the engine tells the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a package by HTTP POST.
    Post {
        /// Where.
        uri: String,
        /// `Content-Type`.
        content_type: String,
        /// `Accept`.
        accept: &'static str,
        /// Value of `OMADM-DevID`.
        device_id: DeviceId,
        /// Body.
        body: Body,
    },
    /// Carry out an effect and report.
    Effect {
        /// Its number.
        id: EffectId,
        /// What to do.
        effect: Effect,
    },
    /// A line for the log and trace.
    Note(Note),
    /// The session is over.
    Finished(Outcome),
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A command was answered.
    Answered {
        /// Its name.
        command: String,
        /// The status.
        status: StatusCode,
        /// Why, if it failed.
        reason: Option<String>,
    },
    /// Tolerances that a message made use of.
    Tolerated(Vec<Tolerance>),
    /// The session goes on at another URI (CONT).
    Continues {
        /// Where.
        uri: String,
    },
    /// An input that did not fit the state of the session: an answer nobody waits for, an effect that is over.
    Ignored {
        /// What it was.
        input: &'static str,
    },
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By END.
    Ended {
        /// Commands carried out.
        commands: u32,
    },
    /// By an HTTP error, no answer, or a Package#2 that cannot be read (`DM 2.0 §5.6`): no retry by itself; alerts that were
    /// not taken by the server stay with the host ([`Session::undelivered_alerts`]).
    Aborted {
        /// Why.
        reason: String,
        /// HTTP status, if that was it.
        http_status: Option<u16>,
        /// Whether the server took the first package, and so the alerts in it.
        alerts_delivered: bool,
    },
}

/// Why a bootstrap is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The body does not decode.
    #[error("the bootstrap is no MO data: {0}")]
    Decode(#[from] omadm_codec::DecodeError),
    /// An item does not fit.
    #[error("item {index} of the bootstrap ({address}): {source}")]
    Item {
        /// Number of the item, from 0.
        index: usize,
        /// Its ClientURI.
        address: String,
        /// What is wrong.
        source: omadm_mo::OperationError,
    },
    /// No DM account in it and none in the tree.
    #[error(
        "the bootstrap holds no DM account (urn:oma:mo:oma-dm-dmacc:1.2), so the device would know no server"
    )]
    NoAccount,
}

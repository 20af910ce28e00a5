//! What the host tells the engine, and what the engine tells the host.

use core::time::Duration;

use omadm_codec::Tolerance;
use omadm_codec::dm1::Version;
use omadm_mo::{ClientUri, Format, Miid, Moid, NodePath, NodeRecord, Time, Value};

use super::config::{AlertId, DeviceAlert};
use super::question::{Question, UserAnswer};
use crate::Body;

/// What the engine cannot know by itself, with every input.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Becomes the time stamp of changes.
    pub now: Time,
    /// Random octets that were never used before: the next nonce, if one is needed.
    pub nonce: [u8; 16],
}

/// What the host tells the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The answer to an [`Output::Post`].
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
    /// An alert came up during the session; it goes into the next message that has room.
    Alert(DeviceAlert),
    /// The device or its user wants the session to end: what was done is reported with Alert 1223.
    Abort {
        /// Why, for the log.
        reason: String,
    },
}

/// Head and body of an HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `x-syncml-hmac`.
    pub hmac: Option<String>,
    /// Body.
    pub body: Body,
}

/// Number of an effect within its session.
pub type EffectId = u32;

/// What the engine wants done outside the tree, one at a time. What it changes is durable before the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Let plug-ins bring the values of these instances up to date before they are read; the host changes the tree itself and
    /// answers `Done` (instances with no plug-in need nothing).
    Refresh(Vec<(Moid, Miid)>),
    /// Make these records durable, after the plug-ins concerned agreed. Answer `Done`, or `Refused`: the engine then undoes
    /// the change in the tree.
    Commit {
        /// As `Prepared::records`.
        records: Vec<(NodePath, Option<NodeRecord>)>,
        /// Instances concerned.
        instances: Vec<(Moid, Miid)>,
    },
    /// Run an executable node. Answer `Done` when it is done; `Accepted` when the host has made durable, with the correlator, that it
    /// reports the end later by a Generic Alert; or `Refused` with the status.
    Execute(Box<Execution>),
    /// Ask or tell the user. Answer `Answered`.
    Ask(Box<Question>),
    /// Keep nonces in the account, in place of those before. Answer `Done`, or `Refused`: the session then ends.
    KeepNonces {
        /// For the credentials of the device (`AAuthData` of `CLCRED`), if there is a new one.
        client: Option<Vec<u8>>,
        /// For those of the server (`SRVCRED`).
        server: Option<Vec<u8>>,
    },
    /// The server answered an alert: with a status of the class 2xx it has it, with another it will not have it and the host may
    /// offer it once more in a later session. Answer `Done`.
    AlertDelivered {
        /// Of [`DeviceAlert::id`].
        id: AlertId,
        /// Its status.
        status: u16,
    },
}

/// An Exec as the host runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The absolute address of the node.
    pub uri: String,
    /// Its address in the management object.
    pub address: ClientUri,
    /// The management object.
    pub instance: (Moid, Miid),
    /// `Correlator`, if the server gave one.
    pub correlator: Option<String>,
    /// `Data` with its `Format` and `Type`, if there is any.
    pub argument: Option<Argument>,
}

/// Argument of an Exec.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// `Format`.
    pub format: Format,
    /// `Type`.
    pub media_type: Option<String>,
    /// `Data`.
    pub value: Value,
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectResult {
    /// It is done.
    Done,
    /// It goes on, and its end is reported later: for [`Effect::Execute`] only.
    Accepted,
    /// What the user did: for [`Effect::Ask`] only.
    Answered(UserAnswer),
    /// It is refused with this DM 1.x status (403, 405, 406, 413, 415, 420, 500, 510). Another one is answered as 500.
    Refused {
        /// The status.
        status: u16,
        /// Why, for the trace.
        reason: String,
    },
}

/// What the engine tells the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message by HTTP POST.
    Post(Post),
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

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Where.
    pub uri: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Accept`.
    pub accept: &'static str,
    /// Value of `x-syncml-hmac`.
    pub hmac: Option<String>,
    /// Body.
    pub body: Body,
    /// `MsgID`.
    pub message_id: u32,
    /// How long to wait before it is sent: zero, but for a message that is sent again because no answer came.
    pub wait: Duration,
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A command was answered.
    Answered {
        /// Its name.
        command: String,
        /// Its address, where it has one.
        uri: Option<String>,
        /// The status.
        status: u16,
        /// Why, if it failed.
        reason: Option<String>,
    },
    /// Tolerances that a message made use of.
    Tolerated(Vec<Tolerance>),
    /// The session goes on at another URI (`RespURI`).
    Continues {
        /// Where.
        uri: String,
    },
    /// The server does not speak a version, so the session begins anew in an older one.
    FallsBack {
        /// In which.
        to: Version,
    },
    /// The server wants credentials, and they are sent.
    Challenged {
        /// Its status, 401 or 407.
        status: u16,
    },
    /// The server's message is the one before again, so it gets the same answer.
    Repeated,
    /// An input or a part of a message that did not fit the state of the session.
    Ignored {
        /// What it was.
        input: String,
    },
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Ended {
        /// Commands carried out.
        commands: u32,
        /// The version spoken: to begin with next time, as it is known for 30 days.
        version: Version,
    },
    /// Before its time. Alerts that no [`Effect::AlertDelivered`] named stay with the host.
    Aborted {
        /// What kind of end.
        cause: Cause,
        /// In words.
        reason: String,
    },
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The host wanted it.
    Host,
    /// The server sent Alert 1223.
    Server,
    /// No answer, after it was tried again.
    NoReply,
    /// An HTTP status.
    Http(u16),
    /// A status of the server to the header of a message: it does not want to, or cannot, go on.
    Status(u16),
    /// The server does not accept the credentials of the device, or wants a scheme that the device must not use.
    ClientCredentials,
    /// The server has not proven who it is.
    ServerCredentials,
    /// No version is spoken by both.
    Version,
    /// The server's message cannot be read, or is of another session.
    Message,
    /// A limit of the settings.
    Limit,
    /// The account cannot be used as it is, or what has to be kept could not be kept.
    Device,
}

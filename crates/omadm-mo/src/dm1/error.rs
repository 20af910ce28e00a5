//! Why a command of DM 1.x was refused, and the status that says so.

use alloc::string::String;

use crate::access::Operation;

/// Why a command was refused; nothing has changed then. One variant a cause, so that the status is decided here alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Dm1Error {
    #[error("{address} is not an address: {reason}")]
    Malformed { address: String, reason: &'static str },
    /// A limit of `DevDetail/URI`.
    #[error("{address} has more than the {limit} of {limited} that this device takes")]
    TooLong { address: String, limited: &'static str, limit: u16 },
    /// An optional feature, property or list that this device does not have.
    #[error("{what} is not supported at {address}")]
    NotSupported { address: String, what: String },
    #[error("{address} does not exist")]
    NotFound { address: String },
    #[error("{address} is ambiguous: {count} nodes match where one is meant")]
    Several { address: String, count: usize },
    #[error("{address} exists already")]
    Exists { address: String },
    /// The ACL, or the Delegation Access Control MO.
    #[error("no {operation} right on {address}")]
    NoRight { address: String, operation: Operation },
    /// What the device never does with this node, whoever asks.
    #[error("{operation} is not allowed on {address}: {reason}")]
    NotAllowed { address: String, operation: Operation, reason: &'static str },
    /// A property or list where only a node can stand, or a property that servers cannot set.
    #[error("the command does not act on what {address} means")]
    WrongPart { address: String },
    #[error("{address} cannot be of this format or type: {reason}")]
    Unsupported { address: String, reason: &'static str },
    #[error(
        "the value for {address} is larger than this device can ever hold: {needed} bytes, {limit} allowed"
    )]
    TooLarge { address: String, needed: usize, limit: usize },
    #[error("the device is full: {address} needs {needed}, {limit} allowed")]
    Full { address: String, needed: usize, limit: usize },
    /// An obstacle that is none of the others.
    #[error("{address} cannot be had now: {reason}")]
    Forbidden { address: String, reason: &'static str },
    #[error("the data does not fit {address}: {reason}")]
    BadData { address: String, reason: String },
}

impl Dm1Error {
    /// The status to answer (`DM 1.3 REPPRO §8`; the fact sheet of the tree has the order of the checks).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Forbidden { .. } => 403,
            Self::Malformed { .. } | Self::NotFound { .. } | Self::Several { .. } => 404,
            Self::NotAllowed { .. } | Self::WrongPart { .. } => 405,
            Self::NotSupported { .. } => 406,
            Self::TooLarge { .. } => 413,
            Self::TooLong { .. } => 414,
            Self::Unsupported { .. } => 415,
            Self::Exists { .. } => 418,
            Self::Full { .. } => 420,
            Self::NoRight { .. } => 425,
            Self::BadData { .. } => 500,
        }
    }

    /// The address that the refusal is about: of an implicit Add that of the ancestor that failed.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Malformed { address, .. }
            | Self::TooLong { address, .. }
            | Self::NotSupported { address, .. }
            | Self::NotFound { address }
            | Self::Several { address, .. }
            | Self::Exists { address }
            | Self::NoRight { address, .. }
            | Self::NotAllowed { address, .. }
            | Self::WrongPart { address }
            | Self::Unsupported { address, .. }
            | Self::TooLarge { address, .. }
            | Self::Full { address, .. }
            | Self::Forbidden { address, .. }
            | Self::BadData { address, .. } => address,
        }
    }
}

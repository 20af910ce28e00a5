//! The errors of this crate: what, where, and what to do.

use alloc::string::String;

use crate::access::Operation;
use crate::value::Format;

/// A text that is no legal name or address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum AddressError {
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} is longer than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("{text:?} is not a legal {what}")]
    Illegal { what: &'static str, text: String },
    /// `at` is a byte offset into the address.
    #[error("{problem} at byte {at} of the address")]
    Syntax { problem: &'static str, at: usize },
}

/// A value that does not fit its format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} is not a value of format {}", format.as_str())]
pub struct ValueError {
    /// The format that was wanted.
    pub format: Format,
    /// What was there instead, shortened.
    pub found: String,
}

/// Why an operation on the tree was refused. Each protocol engine maps these to its own status codes in one place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum OperationError {
    #[error("the device has no management object {moid}")]
    UnknownMoid { moid: String },
    #[error("{address} matches nothing")]
    NotFound { address: String },
    #[error("{address} matches {count} nodes where one is meant; name the instance or use an nv condition")]
    Several { address: String, count: usize },
    #[error("a wildcard cannot be used here: {address}")]
    WildcardNotAllowed { address: String },
    #[error("{moid} was not provisioned for this server at bootstrap")]
    NotProvisioned { moid: String },
    /// The Delegation Access Control MO gives no right.
    #[error("no {operation} right on {address}")]
    NoRight { operation: Operation, address: String },
    /// The DDF does not list the access type (Get, Add, Replace) or an occurrence limit is reached.
    #[error("the definition of {address} does not allow {operation}: {reason}")]
    NotInDefinition { operation: Operation, address: String, reason: &'static str },
    /// DELETE or EXEC that the DDF does not allow on this node; rename of a permanent node.
    #[error("{operation} is not allowed on {address}: {reason}")]
    NotAllowed { operation: Operation, address: String, reason: &'static str },
    /// The data does not have the structure or format that the DDF demands.
    #[error("the data does not fit {address}: {reason}")]
    BadData { address: String, reason: String },
    #[error("the device is full: {needed} bytes wanted, {limit} allowed")]
    Full { needed: usize, limit: usize },
    #[error("an access right entry is not legal: {reason}")]
    BadAccessEntry { reason: &'static str },
    #[error(transparent)]
    Address(#[from] AddressError),
}

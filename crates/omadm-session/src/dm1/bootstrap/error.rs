//! Why a bootstrap cannot be read or written.

use omadm_codec::DecodeError;

use crate::dm1::document::DocumentError;

/// A cause, as a sentence for whoever made the bootstrap.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The media type is that of no bootstrap.
    #[error("{0:?} is no media type of a bootstrap of DM 1.x")]
    MediaType(String),
    /// `SEC` is none that the profile has.
    #[error("the bootstrap is secured by {0:?}, which is not known")]
    Method(String),
    /// Broken syntax, or a limit.
    #[error("the bootstrap cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// Not what the DM profile is made of.
    #[error("the bootstrap is no message that only adds TNDS documents: {0}")]
    Message(String),
    /// A TNDS document in it cannot be read.
    #[error("the bootstrap adds to {target} what is no TNDS document: {cause}")]
    Document {
        /// Where it was to go.
        target: String,
        /// What is wrong.
        cause: DocumentError,
    },
    /// An account lacks something that it cannot do without.
    #[error("the account of {server:?} has no {what}")]
    Missing {
        /// Its server, if it says which.
        server: String,
        /// What is missing.
        what: &'static str,
    },
    /// A value of an account is none.
    #[error("the account of {server:?} has a {what} that is none: {reason}")]
    Illegal {
        /// Its server, if it says which.
        server: String,
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

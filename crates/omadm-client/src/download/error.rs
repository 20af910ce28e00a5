//! Why there is no package.

use std::io;
use std::path::PathBuf;

use crate::error::TransportError;

/// Why a package could not be downloaded. What may pass was tried again before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The address cannot be used.
    #[error("{url:?} is no address of a package: {reason}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address leads elsewhere, where it must not.
    #[error("the redirect to {location:?} is not followed: {reason}")]
    Redirect {
        /// Where to.
        location: String,
        /// Why not.
        reason: String,
    },
    /// The server does not have it.
    #[error("the server answered {status}: there is no package at this address")]
    Gone {
        /// HTTP status.
        status: u16,
    },
    /// The server wants credentials, which a download has none of.
    #[error("the server answered {status}: it does not give the package to this device")]
    Unauthorized {
        /// HTTP status.
        status: u16,
    },
    /// The server refuses in another way, or answers what HTTP does not allow.
    #[error("the server answered {status}, which is of no use: {reason}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is larger than allowed.
    #[error("the package has {size} octets, more than the {limit} that are allowed")]
    TooLarge {
        /// Octets, or so many as had come.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The disk has no room.
    #[error("{needed} octets are needed, {free} are free")]
    NoRoom {
        /// Octets, the reserve included.
        needed: u64,
        /// Octets.
        free: u64,
    },
    /// It is another than was wanted.
    #[error("the {what} of the package is {found}, but it has to be {wanted}")]
    Different {
        /// `size` or `SHA-256`.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        wanted: String,
    },
    /// The network, or a server that could not answer, to the end of all attempts.
    #[error("{attempts} attempts in a row brought nothing: {reason}")]
    Network {
        /// How many.
        attempts: u32,
        /// What happened to the last of them.
        reason: String,
    },
    /// It took too long.
    #[error("it took longer than {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The disk.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// How an attempt ended without the package.
#[derive(Debug)]
pub(super) enum Broken {
    /// For good.
    Final(DownloadError),
    /// It may go better next time.
    Passing(String),
}

impl From<DownloadError> for Broken {
    fn from(error: DownloadError) -> Self {
        Self::Final(error)
    }
}

impl From<TransportError> for Broken {
    fn from(error: TransportError) -> Self {
        Self::Passing(error.to_string())
    }
}

//! Why a server does not start or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use omadm_store::StoreError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A file or directory of the server.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why it cannot be used.
        source: std::io::Error,
    },
    /// A certificate or key.
    #[error("{what} {}: {problem}", path.display())]
    Certificate {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why it cannot be used.
        problem: String,
    },
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] openssl::error::ErrorStack),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address by {setting}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A DDF file that comes with the server.
    #[error("the built-in DDF file {name}: {problem}")]
    Ddf {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A thread of its own for what cannot wait in a task.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
    /// A setting that was not checked when it was read.
    #[error("{key}: {problem}")]
    Setting {
        /// Its name.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A password could not be hashed or checked.
    #[error("the password could not be hashed or checked: {0}")]
    Password(String),
    /// No randomness.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
}

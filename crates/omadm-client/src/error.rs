//! The errors of this crate: what, where, and what to do.

use std::path::PathBuf;

use omadm_auth::gba::GbaError;
use omadm_mo::{AddressError, Moid, OperationError, ServerId, ValueError};
#[cfg(feature = "dm2")]
use omadm_session::dm2::client::BootstrapError;

use crate::plugin::Refusal;

/// Why a plug-in failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The tree refused what the plug-in put into it.
    #[error(transparent)]
    Tree(#[from] OperationError),
    /// A name that is not legal.
    #[error(transparent)]
    Name(#[from] AddressError),
    /// A value that does not fit.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A reason of its own.
    #[error("{0}")]
    Other(String),
}

/// Why durable state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No space or quota left; nothing of the batch was kept.
    #[error("no space left for {}; free some and the device goes on", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the data directory.
    #[error("{} is in use by another process; stop it, or give this one a data directory of its own", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The file is damaged before its end, so acknowledged changes would be lost by going on.
    #[error(
        "{} is damaged at byte {at}: {reason}; restore it from a backup, or move it away to start empty and bootstrap again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Byte offset.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// An earlier write failed in a way that leaves the file unknown.
    #[error("{} could not be brought back to a known state after a failed write; start again", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// What was kept does not fit together.
    #[error("the kept state is inconsistent: {0}")]
    Inconsistent(String),
}

/// Why an HTTP exchange gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is no `http` or `https` URI.
    #[error("{uri:?} is no usable URI: {reason}")]
    BadUri {
        /// The address.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `http` where only `https` is allowed.
    #[error("{uri:?} is not https; plain http has to be allowed in the configuration")]
    PlainHttp {
        /// The address.
        uri: String,
    },
    /// Connection, TLS or HTTP failed.
    #[error("the exchange with {host} failed: {reason}")]
    Failed {
        /// The host.
        host: String,
        /// Why, with causes.
        reason: String,
    },
    /// No complete answer in time.
    #[error("{host} gave no complete answer within {seconds} s")]
    Timeout {
        /// The host.
        host: String,
        /// The limit.
        seconds: f64,
    },
    /// The body is over the limit.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The status of the answer.
        status: u16,
        /// The limit.
        limit: usize,
    },
    /// A redirect that is not followed.
    #[error("the redirect to {location:?} is not followed: {reason}")]
    Redirect {
        /// Where to.
        location: String,
        /// Why not.
        reason: &'static str,
    },
    /// The server claims to know the secret but does not (`RFC 7616 §3.5`).
    #[error("{host} does not know the secret of the device: the proof in Authentication-Info is wrong")]
    Untrusted {
        /// The host.
        host: String,
    },
    /// A local link is of no use, or not any more, and it is of no use to try again.
    #[error("the link with {host} is of no use: {reason}")]
    LinkGone {
        /// Who it was with.
        host: String,
        /// Why.
        reason: String,
    },
    /// A WAP gateway cannot carry it, or answers what cannot be used; it is of no use to try again.
    #[error("the WAP gateway {gateway}: {reason}")]
    Gateway {
        /// Host and port.
        gateway: String,
        /// Why.
        reason: String,
    },
    /// TLS settings that OpenSSL does not take.
    #[error("TLS settings: {0}")]
    Settings(String),
}

/// Why the client could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A plug-in's DDF file does not decode.
    #[error("the DDF file of {link}: line {line}, column {column}: {reason}")]
    Ddf {
        /// Link of the file.
        link: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// Two plug-ins claim one MO, or a DDF file holds none.
    #[error("the DDF file of {link}: {reason}")]
    Plugins {
        /// Link of the file.
        link: String,
        /// What is wrong.
        reason: String,
    },
    /// A plug-in failed at start.
    #[error("{link} does not start: {source}")]
    Start {
        /// Link of its DDF file.
        link: String,
        /// Why.
        source: PluginError,
    },
    /// A change by the device itself.
    #[error(transparent)]
    Change(#[from] PluginError),
    /// Durable state.
    #[error(transparent)]
    Persist(#[from] PersistError),
    /// The bootstrap is refused; nothing of it is kept.
    #[cfg(feature = "dm2")]
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The bootstrap is not what a bootstrap has to be.
    #[error(
        "the bootstrap is {content_type:?}; it has to be application/dmmo+json, by itself or with SEC=3GPP_GBA"
    )]
    BootstrapType {
        /// Its media type; empty when it has none.
        content_type: String,
    },
    /// The bootstrap came without the protection that it has to have (`DM 2.0 §9.3`).
    #[error(
        "the bootstrap {from} is not secured; it has to come over TLS, from a card, or protected by 3GPP_GBA"
    )]
    BootstrapUnsecured {
        /// From where.
        from: String,
    },
    /// The protection of the bootstrap does not hold (`DM 2.0 §9.3.1.3`).
    #[error(transparent)]
    Gba(#[from] GbaError),
    /// A user or another actor does not want the bootstrap (`DM 2.0 §12.2`); nothing of it is kept.
    #[error("the bootstrap is rejected: {}", .0.reason)]
    BootstrapRejected(Refusal),
    /// A bootstrap of DM 1.x is not taken.
    #[cfg(feature = "dm1")]
    #[error(transparent)]
    Dm1Bootstrap(#[from] crate::dm1::bootstrap::Refused),
    /// The bootstrap server answered, but not with a bootstrap.
    #[error("{uri} answered {status} instead of a bootstrap")]
    BootstrapStatus {
        /// Where.
        uri: String,
        /// HTTP status.
        status: u16,
    },
    /// Keys of an account in the bootstrap that cannot be used (`DM 2.0 §12.2.1`).
    #[error("the account of {server} in the bootstrap: {reason}")]
    BootstrapKeys {
        /// Its server.
        server: ServerId,
        /// What is wrong.
        reason: String,
    },
    /// No answer of the bootstrap server.
    #[error("no bootstrap: {0}")]
    Transport(#[from] TransportError),
    /// A grant of the configuration is refused.
    #[error("the access grant on {moid} is refused: {source}")]
    Grant {
        /// The MOID.
        moid: String,
        /// Why.
        source: OperationError,
    },
    /// The tree has no usable account for this server.
    #[error("no usable account for server {server}: {reason}; bootstrap the device for it")]
    NoAccount {
        /// The server.
        server: ServerId,
        /// What is missing.
        reason: &'static str,
    },
    /// A DM 1.x account that cannot be used.
    #[error("the account of {server:?}: {reason}")]
    Account {
        /// `ServerID` as given.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// No DevInfo with a DevID.
    #[error("the tree has no DevInfo/DevID; a device needs a DevInfo plug-in")]
    NoDeviceId,
    /// An alert with an address that is no ClientURI (`DM 2.0 §5.4`).
    #[error("the {field} of the alert is no ClientURI: {source}")]
    AlertAddress {
        /// `SourceURI` or `TargetURI`.
        field: &'static str,
        /// What is wrong.
        source: AddressError,
    },
    /// Too many undelivered alerts.
    #[error("{limit} alerts wait for {server} already; they leave with its next session")]
    OutboxFull {
        /// The server.
        server: ServerId,
        /// The limit.
        limit: usize,
    },
    /// The device has no such object, and no server said where to get it (`DM 2.0 §5.3.10`).
    #[error("the device has no {moid}, and no server has said by DEFAULT where to get it")]
    NoSource {
        /// The MOID.
        moid: Moid,
    },
    /// An object that the device does not have could not be fetched (`DM 2.0 §5.3.10`).
    #[error("{moid} is not on the device and could not be fetched: {reason}")]
    NotFetched {
        /// The MOID.
        moid: Moid,
        /// Why.
        reason: String,
    },
    /// A registration for cloud messaging was not made (`DM 2.0 §E.2.3`).
    #[error("no registration for cloud messaging with {server}: {reason}")]
    Registration {
        /// The server.
        server: ServerId,
        /// Why.
        reason: String,
    },
    /// The engine waits for something that the host did not get from it; a defect of this program.
    #[error("the session engine stopped without an end")]
    Stalled,
}

impl ClientError {
    /// Whether tree or disk have no room left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Start { source: PluginError::Tree(OperationError::Full { .. }), .. }
                | Self::Grant { source: OperationError::Full { .. }, .. }
                | Self::Persist(PersistError::Full { .. })
        )
    }
}

//! Where bootstraps come from, and who has to agree to them: the same for DM 2.0 (`DM 2.0 §8, §12.2`) and DM 1.x (`DM 1.3 BOOT §5`).

use std::fmt;

use omadm_mo::{Moid, ServerId};

use crate::plugin::Refusal;

/// How a bootstrap reached the device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Built in by the maker (`DM 2.0 §8.2`).
    Factory,
    /// Handed over at the device itself.
    Local,
    /// Read from a smartcard (`DM 2.0 §8.1`).
    Smartcard,
    /// Fetched by the device from where a smartcard says (`DM 1.3 BOOT §5.5.7`).
    CardServer {
        /// From where.
        uri: String,
    },
    /// Fetched by the device (`DM 2.0 §8.3`).
    Fetched {
        /// From where.
        uri: String,
    },
    /// Sent by a server (`DM 2.0 §8.4`).
    Pushed {
        /// By whom, for people.
        by: String,
        /// Whether it came over a transport that authenticates the sender and hides the content, such as mutual TLS.
        secured: bool,
    },
}

impl Origin {
    /// Whether it is gone with the card.
    #[cfg(feature = "dm1")]
    pub(crate) fn is_card(&self) -> bool {
        matches!(self, Self::Smartcard | Self::CardServer { .. })
    }

    /// Whether the way itself protects a bootstrap (`DM 2.0 §9.3`). Fetching is over TLS only.
    pub(crate) fn is_secured(&self) -> bool {
        match self {
            Self::Factory
            | Self::Local
            | Self::Smartcard
            | Self::CardServer { .. }
            | Self::Fetched { .. } => true,
            Self::Pushed { secured, .. } => *secured,
        }
    }
}

impl fmt::Display for Origin {
    /// As in "the bootstrap …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory => f.write_str("of the factory"),
            Self::Local => f.write_str("given at the device"),
            Self::Smartcard => f.write_str("of the smartcard"),
            Self::CardServer { uri } => write!(f, "from {uri}, which the smartcard names"),
            Self::Fetched { uri } => write!(f, "from {uri}"),
            Self::Pushed { by, .. } => write!(f, "sent by {by}"),
        }
    }
}

/// What a bootstrap asks for, for whoever has to agree (`DM 2.0 §12.2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapRequest {
    /// How it reached the device.
    pub origin: Origin,
    /// The accounts in it.
    pub accounts: Vec<RequestedAccount>,
    /// Other management objects of which it makes or changes instances.
    pub objects: Vec<Moid>,
}

/// An account of a [`BootstrapRequest`]. Its texts come from the bootstrap and can hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedAccount {
    /// Server identifier.
    pub server: ServerId,
    /// Name of the server for people.
    pub name: String,
    /// SrvURI.
    pub uri: String,
    /// MOIDs that the server may manage; `*` is all.
    pub moids: Vec<String>,
    /// Whether the device has an account of this server already.
    pub replaces: bool,
}

/// Who decides whether a bootstrap is wanted: a user, a policy.
pub trait Consent: Send {
    /// Agrees or refuses; nothing is kept while it waits.
    ///
    /// # Errors
    /// [`Refusal`], with status 507 if it was a user; becomes [`ClientError::BootstrapRejected`].
    fn decide(&mut self, request: &BootstrapRequest) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Agrees to every bootstrap: being secured is enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Always;

impl Consent for Always {
    async fn decide(&mut self, _request: &BootstrapRequest) -> Result<(), Refusal> {
        Ok(())
    }
}

//! Why a bootstrap is not taken.

use omadm_auth::gba::GbaError;
use omadm_mo::ServerId;
use omadm_mo::dm1::Dm1Error;
use omadm_session::dm1::bootstrap::BootstrapError;

/// Why a bootstrap is not taken. It stays on the device: no sender is told anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Too many octets.
    #[error("the bootstrap is larger than {limit} octets")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// No `SEC`, and the way on which it came protects nothing (`DM 1.3 SEC §5.10.2`).
    #[error("the bootstrap {from} is not secured: it has no SEC")]
    Unsecured {
        /// From where.
        from: String,
    },
    /// MAC, PIN or the secret of the network is wrong, or not there; which of them, nobody is told.
    #[error("the bootstrap is not authentic: its MAC, the PIN or the secret of the network is wrong")]
    NotAuthentic,
    /// There is nobody who could give a PIN, or who did.
    #[error("the bootstrap needs a PIN, and nobody gave one")]
    NoPin,
    /// The protection by GBA does not hold.
    #[error(transparent)]
    Gba(#[from] GbaError),
    /// It is no bootstrap, cannot be read, or has an account without what it needs.
    #[error(transparent)]
    Content(#[from] BootstrapError),
    /// There is nothing in it that this device has a place for.
    #[error("there is nothing in the bootstrap that this device knows")]
    Nothing,
    /// Two accounts of one server.
    #[error("there are two accounts of {server} in the bootstrap")]
    Twice {
        /// The server.
        server: ServerId,
    },
    /// The account there is came in a better secured way.
    #[error("the device has an account of {server} that is better secured than this bootstrap")]
    Weaker {
        /// The server.
        server: ServerId,
    },
    /// It was installed before.
    #[error("the same bootstrap was installed before")]
    Repeated,
    /// A device without an Inbox takes no objects.
    #[error("the device has no Inbox")]
    NoInbox,
    /// The tree does not take it.
    #[error("the bootstrap does not fit into the tree: {0}")]
    Tree(#[from] Dm1Error),
}

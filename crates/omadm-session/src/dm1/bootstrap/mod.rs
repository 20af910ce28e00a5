//! Bootstraps of DM 1.x as values (`DM 1.3 BOOT §5.2, §5.3`): what a server writes and a device reads.
//!
//! An [`Account`] is what either profile is about. The CP profile has it as an APPLICATION `w7` of a provisioning document, beside the
//! networks and proxies that it is reached by ([`Provisioning`]); the DM profile has it as a TNDS document that a [`Message`] adds to
//! the Inbox. How a bootstrap is secured stands in its [`ContentType`]; the keys for it are in [`omadm_auth::bootstrap`].
//!
//! Never here: whether a bootstrap is to be believed, and where in the tree it goes.

mod account;
pub mod check;
mod connection;
mod content_type;
mod cp;
mod dmacc;
mod error;
mod message;
#[cfg(test)]
mod tests;

pub use account::{Account, Address, AddressType, AuthLevel, AuthType, Credentials, default_acl};
pub use connection::{NetworkAccess, NetworkLogin, PhysicalProxy, Port, Proxy};
pub use content_type::ContentType;
pub use cp::Provisioning;
pub use dmacc::{DMACC, DmAcc, grant_default};
pub use error::BootstrapError;
pub use message::{Addition, INBOX, Message};

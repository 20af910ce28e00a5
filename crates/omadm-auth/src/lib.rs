//! Credentials, digests and secrets as pure functions over bytes.
//!
//! Here: `Secret`, HTTP Basic and Digest, salted verifiers, constant-time comparison, the keys and messages of GBA Push, the digest of
//! notifications, the schemes of DM 1.x and the MACs of its bootstraps, the secure channel of smartcards, the names of TLS suites.
//! Never here: I/O, clocks, randomness of its own, or the choice of which scheme is acceptable (that is policy).

pub mod basic;
pub mod bootstrap;
pub mod check;
pub mod credential;
pub mod digest;
pub mod dm1;
pub mod gba;
pub mod header;
pub mod notification;
pub mod scp03;
pub mod secret;
pub mod suite;
pub mod verifier;

pub use basic::BasicCredentials;
pub use credential::StoredCredential;
pub use notification::NotificationCredentials;
pub use secret::Secret;
pub use suite::TlsPolicy;
pub use verifier::Verifier;

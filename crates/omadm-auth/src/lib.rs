//! Credentials, digests and secrets as pure functions over bytes.
//!
//! Here: `Secret`, HTTP Basic, salted verifiers, constant-time comparison, the keys and messages of GBA Push, the digest of
//! notifications.
//! Never here: I/O, clocks, randomness of its own, or the choice of which scheme is acceptable (that is policy).

pub mod basic;
pub mod gba;
pub mod notification;
pub mod secret;
pub mod verifier;

pub use basic::BasicCredentials;
pub use notification::NotificationCredentials;
pub use secret::Secret;
pub use verifier::Verifier;

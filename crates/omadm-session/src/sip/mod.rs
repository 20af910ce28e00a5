//! SIP transactions of push (`RFC 3261 §17`, `RFC 3428`): requests of ours with their retransmissions, requests of others with their
//! answers, and the registration of a device.
//!
//! The sockets are elsewhere; times come in as arguments, measured by a clock that never goes back.

mod client;
mod registration;
mod server;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use client::{Credentials, Exchange, Hop, Outcome, Step};
pub use registration::{Account, Registration, Verdict};
pub use server::{Arrival, Reaction, Server, Taken};

/// Round-trip time that is assumed (`RFC 3261 §17.1.1.1`).
pub const T1: Duration = Duration::from_millis(500);
/// Longest pause between two retransmissions.
pub const T2: Duration = Duration::from_secs(4);
/// How long a transaction is waited for and remembered: 64 times T1.
pub const TRANSACTION: Duration = Duration::from_secs(32);

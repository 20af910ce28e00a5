//! Both engines of DM 2.0, alone and against each other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bootstrap;
mod client_commands;
mod client_later;
mod client_session;
mod common;
mod pair;
mod secrets;
mod server;

//! The client engine of DM 1.x against a server that follows a script.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod authentication;
mod bad_input;
mod commands;
mod containers;
mod large;
mod messages;
mod revoked;
mod sessionless;
mod support;
mod user;

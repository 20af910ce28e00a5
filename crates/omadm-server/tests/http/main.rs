//! The server over real sockets: TLS and HTTP as a device and an operator see them, on the embedded store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod harness;

mod bad_input;
mod bounds;
mod campaigns;
mod console;
mod data;
mod ddf;
mod deliveries;
mod dm1;
mod dm1_bootstrap;
mod dm1_commands;
mod dm1_security;
mod dm1_windows;
mod fleet;
mod links;
mod metrics;
mod openapi;
mod operator;
mod packages;
mod people;
mod profile_campaigns;
mod profiles;
mod proxy;
mod queue;
mod revocation;
mod scope;
mod secrets;
mod session;
mod syncml;
mod transport;
mod webhooks;

//! A scripted HTTPS server, a certification authority, and a device with one object of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(dead_code, reason = "each test file uses a part")]

pub mod bootstrap;
pub mod device;
pub mod dm1;
pub mod server;
pub mod tls;

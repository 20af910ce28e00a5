//! DM 2.0 engines.

pub mod client;
pub mod explain;
mod media;
pub mod server;

//! Rows of DM 1.3, a module a document; one binary, so that the product is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows test functions as such, and not the helpers beside them"
)]

mod bootstrap_device;
mod bootstrap_server;
mod bootstrap_smartcard;
mod ddf;
mod delegation;
mod descriptions;
mod dmsec;
mod documents;
mod http_binding;
mod later;
mod notification;
mod obex_binding;
mod packages;
mod processes;
mod push;
mod representation;
mod server;
mod server_sessions;
mod sessionless;
mod sessionless_command;
mod sessions;
mod stdobj;
mod terms;
mod tnds;
mod tree;
mod user;
mod wsp_binding;

//! The management tree from outside: addressing, access, writing, transactions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts test functions, not the helpers beside them"
)]

mod access;
mod access_model;
mod addresses;
mod corners;
mod delegation;
mod dm1;
mod model;
mod records;
mod resolve;
mod store;
mod support;
mod tolerance;
mod transactions;

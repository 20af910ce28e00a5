//! Several nodes over one PostgreSQL, as operators run them: `omadm serve` behind HAProxy, and what happens when one of them goes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails by panicking, too"
)]

mod caches;
mod failover;
mod killed;
mod nodes;
mod patroni;
mod pooler;
#[path = "../../../omadm-store/tests/support/postgres.rs"]
mod postgres;
mod survival;

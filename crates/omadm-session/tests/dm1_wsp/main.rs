//! DM 1.x through a WAP gateway: transactions of WTP over a bad link, and a client of WSP against a gateway that is small.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod client;
mod corpus;
mod gateway;
mod link;
mod transactions;

//! Both machines of the OBEX binding: against each other over any link, and each against peers that do what they like.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod client;
mod corpus;
mod pair;
mod server;
mod support;

//! Firmware and software of the real program: packages over a link that breaks, power cuts at any step, and what servers are told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod firmware;
mod harness;
mod machine;
mod software;

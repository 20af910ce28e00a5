//! Servers that do what devices hate, within the standard and beyond it: the device survives each of them, nothing that it has not done is
//! said to be done, and a good session is possible afterwards. What is left to chance comes from a seed that stands in every failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod chance;
mod dm1;
mod dm2;
#[path = "../support/mod.rs"]
mod support;

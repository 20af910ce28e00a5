//! The DM 1.x server engine against a scripted device, and against the client engine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod alerts;
mod auth;
mod commands;
mod device;
mod limits;
mod objects;
mod order;
mod pair;
mod reports;
mod session;
#[path = "../dm1/support.rs"]
#[allow(dead_code, reason = "the script of its server is for the tests of the client engine")]
mod support;
mod windows;

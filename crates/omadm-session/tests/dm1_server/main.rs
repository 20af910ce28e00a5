//! The DM 1.x server engine against a scripted device.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod alerts;
mod auth;
mod commands;
mod device;
mod limits;
mod objects;
mod order;
mod session;
mod windows;

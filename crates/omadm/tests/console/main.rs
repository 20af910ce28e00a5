//! The console in a browser: headless Chromium by WebDriver, against the built server, with devices that have the real client engine.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails by panicking, too"
)]

mod agent;
mod agents;
mod bootstraps;
mod browser;
mod campaigns;
mod jobs;
mod keyboard;
mod pages;
mod people;
mod place;
mod profiles;
#[path = "../support/agent.rs"]
mod program;
mod screenshots;
mod show;

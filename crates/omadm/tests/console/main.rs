//! The console in a browser: headless Chromium by WebDriver, against the built server, with devices that have the real client engine.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails by panicking, too"
)]

mod bootstraps;
mod browser;
mod campaigns;
mod jobs;
mod pages;
mod place;
mod profiles;
mod screenshots;

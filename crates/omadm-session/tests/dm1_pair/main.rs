//! Both engines of DM 1.x against each other over a link that loses, repeats and cuts messages, while the device may die at every step and
//! comes back with what it had made durable.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../dm1_server/device.rs"]
#[allow(dead_code, reason = "the host is used, the scripted device is not")]
mod host;
#[path = "../dm1/support.rs"]
#[allow(dead_code, reason = "the device is used, the scripted server is not")]
mod support;

mod faults;
mod scene;
mod small;

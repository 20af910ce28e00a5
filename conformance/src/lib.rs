//! The harness of the conformance tests: `tests/` proves the rows of `matrix.csv` with it, over real sockets.
//!
//! Here: [`proves!`], the server and the device under test, and independent scripted peers that judge them.
//! Never here: product code. The scripted peers use no codec and no engine of ours, so that both sides cannot be wrong alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness fails the test that uses it, and a panic is how a test fails"
)]

mod agent;
mod bench;
mod browser;
mod cards;
mod chromium;
pub mod ddf;
mod device;
mod dm1;
mod kannel;
pub mod libwbxml;
mod log;
mod package;
mod package0;
mod pair;
mod proof;
mod relay;
mod script_device;
mod script_server;
mod serve;
mod server;
mod sipp;
mod test_mo;
mod tls;
pub mod tnds;
mod tshark;
mod wap_relay;
mod wire;
pub mod xmllint;

pub use agent::{AgentProcess, omadm, omadm_within};
pub use bench::Bench;
pub use browser::TestBrowser;
pub use cards::CardDevice;
pub use chromium::Chromium;
pub use device::{Account, DDF_FILES, DEVICE_ID, DeviceSetup, SECRET, TestDevice, USER};
pub use dm1::Dm1Bench;
pub use kannel::{Kannel, fakewap};
pub use log::logged;
pub use package::{Package1, Package3, Part, Schema, dmmo};
pub use package0::{package0, signed_package0};
pub use pair::Pair;
pub use proof::{DIRECTORY, Proof};
pub use relay::{Relay, Turn};
pub use script_device::{ScriptDevice, commands, fetch};
pub use script_server::{Answer, ScriptServer};
pub use serve::ServeProcess;
pub use server::TestServer;
pub use sipp::{Sipp, sipp_calls};
pub use test_mo::{EXAMPLE_MOID, EXECUTION_ALERT, MOID, PLAIN_MOID, Plug, SINGLE_MOID, address, single};
pub use tls::{Authority, Flaw, Issued};
pub use tshark::{Dissection, Side};
pub use wap_relay::{Datagram, WapRelay};
pub use wire::{Reply, Request};

//! `omadm-agent`: a Linux machine as an OMA DM device.
//!
//! Here: configuration, the management objects over the real machine, the commands.
//! Never here: protocol logic (it lives in `omadm-session`), or anything another program would want to call (`omadm-client`).

mod bearer;
mod bootstrap_listener;
mod browser;
mod calls;
#[cfg(feature = "smartcard")]
mod cards;
#[cfg(not(feature = "smartcard"))]
#[path = "cards_without.rs"]
mod cards;
mod cli;
mod cloud;
mod cmd;
mod config;
mod consent;
mod controls;
mod device_id;
mod dm1_bootstraps;
mod error;
mod firmware;
mod gba;
mod links;
mod local;
mod logging;
mod machine;
mod mo;
mod network_secret;
mod output;
mod packages;
mod pin;
mod provisioning;
mod pushes;
mod setup;
mod software;
mod terminal;
mod user;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("omadm-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

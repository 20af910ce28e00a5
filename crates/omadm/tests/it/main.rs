//! The built program, as people and scripts call it: arguments, exit status, output.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails by panicking, too"
)]

#[path = "../support/agent.rs"]
mod agent;
mod campaigns;
mod ddf;
mod decode;
mod delegation;
mod device;
mod encode;
mod fleet;
#[cfg(any(feature = "otlp", feature = "s3"))]
mod judges;
#[cfg(feature = "otlp")]
mod otlp;
mod outage;
mod pages;
mod people;
#[path = "../../../omadm-store/tests/support/postgres.rs"]
mod postgres;
#[cfg(feature = "s3")]
mod s3;
mod server;
mod store;
mod storm;
mod updates;
mod usage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a call printed, and its exit status.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Standard output as JSON; nothing else may be on it.
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program with nothing of this environment that it would look at.
fn omadm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omadm"));
    for name in ["OMADM_SERVER", "OMADM_TOKEN", "OMADM_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Ran {
    omadm().args(arguments).output().unwrap().into()
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = omadm()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

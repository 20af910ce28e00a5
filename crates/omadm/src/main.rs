//! The `omadm` program: the server, the operator's commands, the decoder, and the load generator.
//!
//! Here: argument parsing, a client of the REST API, output for people and for programs, and the simulator.
//! Never here: protocol rules, storage, or anything another program would want to call.

mod api;
mod cli;
mod cmd;
mod failure;
mod log;
#[cfg(feature = "otlp")]
mod otlp;
mod screen;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Sessions make many small allocations on several threads at once: a fifth more of them in the same time with this one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

//! Benchmarks of omadm: each figure beside the ceiling that it is measured against in the same run.
//!
//! Here: scenarios, their inputs and their clock.
//! Never here: a test. Nothing fails because it is slow; a figure that misses its target says so in the table.

mod access;
mod address;
mod bare;
mod cache;
mod campaign;
mod codec;
mod console;
mod figure;
mod fleet;
mod in_process;
mod large;
mod measure;
mod memory;
mod notification;
mod processes;
mod smartcard;
mod store;
mod storm;
mod syncml;
mod tls;
mod trees;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use figure::Figure;
use measure::Effort;
use mimalloc::MiMalloc;

/// As in `omadm` itself, so that what is measured here alone costs there the same.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Anything that stops a scenario.
type Error = Box<dyn std::error::Error + Send + Sync>;
/// Result of a scenario.
type Result<T> = std::result::Result<T, Error>;

/// Measure omadm. Without a name, every scenario runs.
#[derive(Debug, Parser)]
#[command(name = "omadm-bench", version)]
struct Arguments {
    /// Scenarios to run.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Shorter runs and smaller fleets: to see that everything works, not to publish.
    #[arg(long)]
    quick: bool,
    /// A table for people, JSON for programs.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Be the bare HTTPS server, with its certificate in this directory.
    #[arg(long, value_name = "DIR", hide = true)]
    bare_server: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Decoding and encoding packages, beside serde_json with untyped values.
    Codec,
    /// Decoding and encoding SyncML messages of DM 1.x, beside libwbxml and quick-xml.
    Syncml,
    /// Parsing and resolving addresses, reading sub-trees.
    Address,
    /// Deciding what a server may do.
    Access,
    /// Making notifications with digest, and checking them.
    Notification,
    /// One full session between both engines, without I/O.
    Session,
    /// What cache validators save of a session.
    Cache,
    /// The store committing alone.
    Store,
    /// Sessions over TLS with durable commits, beside a bare HTTPS server and the store alone.
    Tls,
    /// Memory of server and agent.
    Memory,
    /// A command for all devices of a large fleet, and questions about all of them.
    Fleet,
    /// The store with few and with many devices enrolled.
    Enrolled,
    /// The store without a history and with a long one.
    History,
    /// A server with a large fleet: its memory, and sessions over TLS with few and with many devices enrolled.
    Large,
    /// The pages of the operator console over a large fleet.
    Console,
    /// A campaign over a large group, by a real server.
    Campaign,
    /// All devices come at once.
    Storm,
    /// From a smartcard that is put in to the account that is on it.
    Smartcard,
}

impl Scenario {
    fn run(self, effort: &Effort) -> Result<Vec<Figure>> {
        match self {
            Self::Codec => codec::run(effort),
            Self::Syncml => syncml::run(effort),
            Self::Address => address::run(effort),
            Self::Access => access::run(effort),
            Self::Notification => notification::run(effort),
            Self::Session => in_process::run(effort),
            Self::Cache => cache::run(effort),
            Self::Store => store::run(effort),
            Self::Tls => tls::run(effort),
            Self::Memory => memory::run(effort),
            Self::Fleet => fleet::fleet(effort),
            Self::Enrolled => fleet::enrolled(effort),
            Self::History => fleet::history(effort),
            Self::Large => large::run(effort),
            Self::Console => console::run(effort),
            Self::Campaign => campaign::run(effort),
            Self::Storm => storm::run(effort),
            Self::Smartcard => smartcard::run(effort),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Codec => "codec",
            Self::Syncml => "syncml",
            Self::Address => "address",
            Self::Access => "access",
            Self::Notification => "notification",
            Self::Session => "session",
            Self::Cache => "cache",
            Self::Store => "store",
            Self::Tls => "tls",
            Self::Memory => "memory",
            Self::Fleet => "fleet",
            Self::Enrolled => "enrolled",
            Self::History => "history",
            Self::Large => "large",
            Self::Console => "console",
            Self::Campaign => "campaign",
            Self::Storm => "storm",
            Self::Smartcard => "smartcard",
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omadm-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(dir) = &arguments.bare_server {
        return bare::serve(dir);
    }
    let effort = Effort::new(arguments.quick);
    let scenarios =
        if arguments.scenarios.is_empty() { Scenario::value_variants() } else { &arguments.scenarios };
    let mut figures = Vec::new();
    for scenario in scenarios {
        eprintln!("running {} ...", scenario.name());
        figures.extend(scenario.run(&effort).map_err(|error| format!("{}: {error}", scenario.name()))?);
    }
    match arguments.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&figures)?),
        Output::Table => println!("{}", figure::table(&figures)),
    }
    Ok(())
}

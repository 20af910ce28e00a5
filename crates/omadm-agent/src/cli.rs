//! Arguments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::cmd;
use crate::error::AgentError;
use crate::logging::Logging;
use crate::setup::Setup;

/// A Linux machine as an OMA DM device, by DM 2.0 and by DM 1.1 to 1.3.
#[derive(Debug, Parser)]
#[command(name = "omadm-agent", version, propagate_version = true)]
pub struct Cli {
    /// Configuration file [default: ./agent.toml, then /etc/omadm/agent.toml, if there is one].
    #[arg(long, global = true, env = "OMADM_AGENT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be a device: install the factory bootstrap at the first start or fetch one, then run sessions.
    ///
    /// SIGHUP and SIGUSR1 start a session now, SIGTERM and SIGINT end the agent.
    Run,
    /// Install a DM bootstrap, or a DM 1.x account, and tell its servers.
    Bootstrap {
        /// The bootstrap: `application/dmmo+json`; of DM 1.x a provisioning document (XML, WBXML), a DM message (WBXML), or a file with an
        /// account (`{"dm1": …}`), or the text of a QR code with one of these. `-` is standard input. Without it and without `--from`, the bootstrap of the server at bootstrap.url of
        /// the configuration.
        #[arg(conflicts_with_all = ["from", "discover"])]
        file: Option<PathBuf>,
        #[command(flatten)]
        security: Security,
        /// Fetch the bootstrap from here; `[DevID]` and its like are replaced. Only https.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// Get the account of this server again from the bootstrap server that it names, with the keys that it holds for that.
        #[arg(long, value_name = "ID", conflicts_with_all = ["file", "from", "discover"])]
        again: Option<String>,
        /// Fetch a DM 1.x bootstrap from the first server that has one: those of the Bootstrap Config object, of the smartcard, of the
        /// factory and of the operator ([dm1.bootstrap] of the configuration).
        #[arg(long, conflicts_with = "from")]
        discover: bool,
    },
    /// Run one session now and print how it went.
    Session {
        /// Server identifier; may be left out when there is one account.
        #[arg(long, value_name = "ID")]
        server: Option<String>,
        /// Protocol, for a server with an account for each. Default: DM 2.0 where there is an account for it.
        #[arg(long, value_enum)]
        protocol: Option<Protocol>,
        #[command(flatten)]
        format: Format,
    },
    /// Show the management tree; works beside a running agent.
    Tree {
        /// Only what is at and below this ClientURI, such as `urn:oma:mo:oma-dm-devinfo:1.2//`, or this path, such as `./DevDetail`.
        address: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show identity, accounts and what waits to be sent; works beside a running agent.
    Status {
        #[command(flatten)]
        format: Format,
    },
    /// Print the addresses of a management object's instances for a local application; if there are none, fetch them first from
    /// where a server said by DEFAULT. Works beside a running agent.
    Provision {
        /// Its MOID, such as `urn:oma:mo:oma-mms:1.3`.
        moid: String,
        #[command(flatten)]
        format: Format,
    },
    /// Say that the firmware on trial in the slot in use is good (firmware.confirm of the configuration).
    Confirm,
    /// Print the DevID.
    Id,
}

/// How the DM 1.x bootstrap in a file is secured, as the media type of a push says it, if the file has no head that does.
#[derive(Clone, Debug, clap::Args)]
pub struct Security {
    /// `SEC`, such as USERPIN; without it the file is trusted as it is.
    #[arg(long, requires = "file")]
    pub sec: Option<String>,
    /// `MAC`: 40 or 64 hexadecimal digits.
    #[arg(long, requires = "sec", value_name = "DIGITS")]
    pub mac: Option<String>,
    /// The PIN; without it the user is asked as dm1.user of the configuration says.
    #[arg(long, requires = "file")]
    pub pin: Option<String>,
}

/// A family of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    #[value(name = "dm1")]
    Dm1,
    #[value(name = "dm2")]
    Dm2,
}

/// `--output`
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Format {
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<ExitCode, AgentError> {
        let file = self.config.or_else(default_config);
        let setup = Setup::read(file.as_deref(), |config| match self.command {
            Command::Run => Logging::start(config.log.level, config.log.format),
            // Commands print what matters; a warning is still worth seeing.
            _ => Logging::start(config.log.level.min(crate::config::LogLevel::Warn), config.log.format),
        })?;
        match self.command {
            Command::Run => cmd::run::run(&setup),
            Command::Bootstrap { file: Some(file), security, .. } => {
                cmd::bootstrap::install(&setup, &file, security)
            }
            Command::Bootstrap { discover: true, .. } => cmd::bootstrap::discover(&setup),
            Command::Bootstrap { from, again, .. } => {
                cmd::bootstrap::fetch(&setup, from.as_deref(), again.as_deref())
            }
            Command::Session { server, protocol, format } => {
                cmd::session::run(&setup, server.as_deref(), protocol, format.output)
            }
            Command::Tree { address, format } => cmd::tree::run(&setup, address.as_deref(), format.output),
            Command::Status { format } => cmd::status::run(&setup, format.output),
            Command::Provision { moid, format } => cmd::provision::run(&setup, &moid, format.output),
            Command::Confirm => cmd::confirm(&setup),
            Command::Id => cmd::status::id(&setup),
        }
    }
}

fn default_config() -> Option<PathBuf> {
    ["agent.toml", "/etc/omadm/agent.toml"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .map(Path::to_owned)
}

//! Why the agent stops, as a sentence for a person.

use std::path::PathBuf;

use omadm_client::{ClientError, PersistError, TransportError};
use omadm_config::ConfigError;

/// Anything that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device library.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// TLS settings.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The runtime or a signal handler.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
}

impl AgentError {
    /// 2 for wrong usage, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            _ => 1,
        }
    }
}

impl From<PersistError> for AgentError {
    fn from(error: PersistError) -> Self {
        Self::Client(error.into())
    }
}

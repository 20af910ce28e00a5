//! Why a command did not succeed, and the exit status that says so.

use std::io::Write;
use std::process::ExitCode;

use crate::screen;

/// A command that did not succeed. Every message is a sentence that says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line asks for something that makes no sense: exit status 2.
    #[error("{0}")]
    Usage(String),
    /// It was tried and refused, or it failed: exit status 1.
    #[error("{0}")]
    Failed(String),
    /// The reader of standard output went away (`omadm … | head`): exit status 0, nothing to say.
    #[error("standard output is closed")]
    OutputClosed,
}

impl Failure {
    /// A failure of work on a file.
    pub fn of_file(what: &str, file: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("cannot {what} {}: {error}", file.display()))
    }

    /// Prints the sentence on standard error.
    pub fn tell(&self) {
        match self {
            Self::OutputClosed => {}
            Self::Usage(text) | Self::Failed(text) => {
                // With standard error closed there is nobody left to tell; the exit status still says it.
                let _ = writeln!(std::io::stderr(), "omadm: {}", screen::clean_lines(text));
            }
        }
    }

    /// The exit status of this failure.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
            Self::OutputClosed => ExitCode::SUCCESS,
        }
    }
}

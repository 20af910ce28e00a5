//! Judges from PyPI, which `cargo xtask features` installs.

use std::process::Command;

use crate::repository;

/// A call of one of the programs beside this file, with the Python that has what they need.
pub fn python(program: &str) -> Command {
    let python = std::env::var_os("OMADM_PYTHON");
    let python = python.unwrap_or_else(|| panic!("OMADM_PYTHON is not set: run cargo xtask features"));
    let mut command = Command::new(python);
    command.arg(repository("crates/omadm/tests/it/python").join(program));
    command
}

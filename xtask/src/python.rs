//! Judges from PyPI, in an environment of their own that is kept for the next time.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{self, Result};

/// Sees to it that the environment in `folder` has these packages, such as `name==1.2`; gives the directory of its programs.
///
/// # Errors
/// When it cannot be made, or PyPI does not give a package.
pub(crate) fn environment(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let programs = folder.join("bin");
    if !programs.join("pip").exists() {
        workspace::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    }
    workspace::run(Command::new(programs.join("pip")).args(["install", "--quiet"]).args(packages))?;
    Ok(programs)
}

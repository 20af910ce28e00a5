//! Where the workspace is and how its tools are run.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every command of this program gives.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The directory that holds the root `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us, at the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command with our own output and says which one failed.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", show(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", show(command)).into()) }
}

/// Runs a command, hands every line of its standard output to `each`, and says whether it ended well.
pub(crate) fn run_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", show(command)))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            each(&String::from_utf8_lossy(&line?));
        }
    }
    Ok(child.wait()?.success())
}

/// Runs a command for what it says, without the white space around it.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", show(command)))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ended with {}: {}", show(command), output.status, why.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The command as a person would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

//! `cargo xtask features`: what a plain build leaves out, linted, and tested against programs that are not ours.

use crate::install;
use crate::python::environment;
use crate::workspace::{self, Result, cargo, target_dir};

/// What a plain build of `omadm` leaves out.
pub(crate) const FEATURES: [&str; 2] = ["--features", "s3,otlp"];
/// An S3 server and its client, and the definitions of OpenTelemetry, in versions that are known to work with us.
const JUDGES: [&str; 2] = ["moto[server]==5.2.5", "opentelemetry-proto==1.45.2"];

/// Runs it.
///
/// # Errors
/// When something is missing, or does not hold.
pub(crate) fn run() -> Result {
    install::for_python()?;
    let programs = environment(&target_dir().join("features/python"), &JUDGES)?;
    lint()?;
    workspace::run(cargo().args([
        "test",
        "--package",
        "omadm-server",
        "--features",
        "s3",
        "--lib",
        "package::",
    ]))?;
    let mut tests = cargo();
    tests.args(["test", "--package", "omadm"]).args(FEATURES).args(["--test", "it", "--", "s3::", "otlp::"]);
    workspace::run(tests.env("OMADM_PYTHON", programs.join("python")))
}

/// The lints of the workspace, for what is built with them only.
///
/// # Errors
/// What clippy found.
pub(crate) fn lint() -> Result {
    let mut clippy = cargo();
    clippy
        .args(["clippy", "--package", "omadm", "--package", "omadm-server", "--all-targets"])
        .args(["--features", "omadm/s3,omadm/otlp"]);
    workspace::run(clippy.args(["--", "--deny", "warnings"]))
}

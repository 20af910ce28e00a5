//! `cargo xtask screenshots`: pictures of the operator console, to be looked at.

use crate::install;
use crate::workspace::{Result, cargo, run, target_dir};

/// Has the browser tests picture every page of a server with devices.
///
/// # Errors
/// When something cannot be installed, built or pictured.
pub(crate) fn pictures() -> Result {
    install::for_tests()?;
    let folder = target_dir().join("screenshots");
    let test = ["test", "--package", "omadm", "--test", "console", "--", "--ignored", "screenshots"];
    run(cargo().args(test).env("OMADM_SCREENSHOTS", &folder))?;
    println!("The pictures are in {}.", folder.display());
    Ok(())
}

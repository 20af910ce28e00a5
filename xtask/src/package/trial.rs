//! The packages in a Debian of their own: installed, used, installed again, removed, purged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{self, Result, root, said};

/// Where packages and script are in that Debian.
const PLACE: &str = "trial";

/// Runs `packaging/debian/trial.sh` in a Debian of the release that this machine has. Everything of it is gone in the end.
///
/// # Errors
/// When it cannot be made, or a step of the trial fails.
pub(super) fn run(folder: &Path, files: &[PathBuf]) -> Result {
    let release = said(Command::new("sh").args(["-c", ". /etc/os-release && echo \"$VERSION_CODENAME\""]))?;
    let debian = Debian(folder.join("debian"));
    debian.remove()?;
    let include = "--include=systemd";
    workspace::run(
        Command::new("debootstrap").args(["--variant=minbase", include, &release]).arg(&debian.0),
    )?;
    let place = debian.0.join(PLACE);
    fs::create_dir(&place)?;
    for file in files {
        fs::copy(file, place.join(file.file_name().unwrap_or_default()))?;
    }
    fs::copy(root().join("packaging/debian/trial.sh"), place.join("trial.sh"))?;
    debian.step("install")?;
    // What goes on in there has no network but its own.
    let mut used =
        debian.call(&["unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"], "use");
    workspace::run(&mut used)?;
    debian.step("remove")
}

/// A Debian in a directory.
struct Debian(PathBuf);

impl Debian {
    fn step(&self, step: &str) -> Result {
        workspace::run(&mut self.call(&["env"], step))
    }

    /// A step of the trial, by these words.
    fn call(&self, by: &[&str], step: &str) -> Command {
        let mut command = Command::new("env");
        command.args([
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        command.args(by).arg("chroot").arg(&self.0).args(["sh", &format!("/{PLACE}/trial.sh"), step]);
        command
    }

    fn remove(&self) -> Result {
        if self.0.exists() {
            fs::remove_dir_all(&self.0)?;
        }
        Ok(())
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("xtask: {} could not be removed: {error}", self.0.display());
        }
    }
}

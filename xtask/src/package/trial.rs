//! The packages in a Debian of their own: installed, used, installed again, removed, purged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace::{self, Result, root, said};

/// Where packages and script are in that Debian.
const PLACE: &str = "trial";

/// What is in that Debian beside the least: what a machine is started by, and what shows its processes.
const INCLUDE: &str = "--include=dbus,procps,systemd,systemd-sysv";

/// Runs `packaging/debian/trial.sh` in a Debian of the release that this machine has. Everything of it is gone in the end.
///
/// # Errors
/// When it cannot be made, or a step of the trial fails.
pub(super) fn run(folder: &Path, files: &[PathBuf]) -> Result {
    let release = said(Command::new("sh").args(["-c", ". /etc/os-release && echo \"$VERSION_CODENAME\""]))?;
    let debian = Debian(folder.join("debian"));
    debian.remove()?;
    workspace::run(
        Command::new("debootstrap").args(["--variant=minbase", INCLUDE, &release]).arg(&debian.0),
    )?;
    let place = debian.0.join(PLACE);
    fs::create_dir(&place)?;
    for file in files {
        fs::copy(file, place.join(file.file_name().unwrap_or_default()))?;
    }
    let packaging = root().join("packaging/debian");
    fs::copy(packaging.join("trial.sh"), place.join("trial.sh"))?;
    fs::copy(packaging.join("trial.service"), debian.0.join("etc/systemd/system/trial.service"))?;
    debian.step("install")?;
    debian.use_started()?;
    debian.step("remove")
}

/// A Debian in a directory.
struct Debian(PathBuf);

impl Debian {
    /// A step of the trial, without a start of that Debian.
    fn step(&self, step: &str) -> Result {
        let mut command = Command::new("env");
        command.args([
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        workspace::run(command.arg("chroot").arg(&self.0).args(["sh", &format!("/{PLACE}/trial.sh"), step]))
    }

    /// Starts it as a machine, with no network but its own, for the step that `trial.service` is.
    fn use_started(&self) -> Result {
        let mut machine = Command::new("systemd-nspawn");
        machine
            .args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--directory"])
            .arg(&self.0);
        machine.args(["--boot", "systemd.unit=trial.service"]).stdin(Stdio::null()).stdout(Stdio::null());
        let ended = workspace::run(&mut machine);
        print!("{}", fs::read_to_string(self.0.join(PLACE).join("use.log")).unwrap_or_default());
        ended
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

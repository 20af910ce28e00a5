//! The real programs as child processes.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::Result;

/// A running child process, killed when it is dropped.
pub struct Running(Child);

impl Running {
    /// Starts it; standard output can be read.
    pub fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?))
    }

    /// Its first line on standard output.
    pub fn first_line(&mut self) -> Result<String> {
        let mut line = String::new();
        let out = self.0.stdout.take().ok_or("standard output is not piped")?;
        BufReader::new(out).read_line(&mut line)?;
        match line.as_str() {
            "" => Err(format!("it ended without a word: {}", self.0.wait()?).into()),
            _ => Ok(line),
        }
    }

    /// Memory in use, in bytes.
    pub fn resident(&self) -> Result<u64> {
        resident(self.0.id())
    }
}

/// Memory that a process has in use, in bytes.
pub fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("it has ended")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes.saturating_mul(1024))
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child that has ended already cannot be killed, and that is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with everything in a directory of its own.
pub struct Server {
    /// The process.
    pub process: Running,
    /// REST API.
    pub operator_url: String,
    /// Operator token.
    pub token_file: PathBuf,
    /// What devices have to trust.
    pub ca_file: PathBuf,
    _dir: TempDir,
}

/// What `omadm serve --output json` prints.
#[derive(Deserialize)]
struct Ready {
    operator_url: String,
    token_file: PathBuf,
    ca_file: PathBuf,
}

impl Server {
    /// Starts a server on free ports.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("omadm.toml");
        std::fs::write(
            &config,
            "[device]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n",
        )?;
        let mut command = Command::new(self::server()?);
        command.args(["serve", "--output", "json", "--config"]).arg(&config);
        command.arg("--data").arg(dir.path().join("data"));
        let mut process = Running::start(&mut command)?;
        let ready: Ready = serde_json::from_str(&process.first_line()?)?;
        Ok(Self {
            process,
            operator_url: ready.operator_url,
            token_file: ready.token_file,
            ca_file: ready.ca_file,
            _dir: dir,
        })
    }

    /// What `omadm` prints that talks to this server as its operator.
    pub fn told(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(self::server()?);
        command.args(arguments).args(["--server", &self.operator_url]);
        let output = command.arg("--token-file").arg(&self.token_file).output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let command = arguments.first().unwrap_or(&"");
        Err(format!("omadm {command}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// The report of virtual devices of this server.
    pub fn simulate<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let ca = self.ca_file.to_str().ok_or("the path of the certificates is no UTF-8")?;
        let report = self.told(&[&["sim", "--output", "json", "--ca-file", ca], arguments].concat())?;
        Ok(serde_json::from_slice(&report)?)
    }
}

/// Path of a program that was built when it was first asked for, or why it does not build.
type Built = LazyLock<std::result::Result<PathBuf, String>>;

/// What builds the client of the Client Profile 1.0 alone: no DM 2.0, no JSON.
const PROFILE: [&str; 5] = ["--no-default-features", "--features", "profile-1.0", "--example", "profile"];

static SERVER: Built = LazyLock::new(|| build("omadm", "release", &[]).map_err(|error| error.to_string()));
static AGENT: Built =
    LazyLock::new(|| build("omadm-agent", "device", &[]).map_err(|error| error.to_string()));
static CLIENT: Built =
    LazyLock::new(|| build("omadm-client", "device", &PROFILE).map_err(|error| error.to_string()));

/// Path of the server, built for release if it is not up to date.
pub fn server() -> Result<PathBuf> {
    Ok((*SERVER).clone()?)
}

/// Path of the agent, built as devices run it if it is not up to date.
pub fn agent() -> Result<PathBuf> {
    Ok((*AGENT).clone()?)
}

/// Path of a client that runs one session, built as devices run it if it is not up to date.
pub fn client() -> Result<PathBuf> {
    Ok((*CLIENT).clone()?)
}

/// Builds the program of a package of this workspace; gives its path.
fn build(package: &str, profile: &str, arguments: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "--package", package])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !status.success() {
        return Err(format!("{package} does not build").into());
    }
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).ok_or("this program is in no target directory")?;
    let directory = target.join(profile);
    Ok(match arguments {
        [.., "--example", example] => directory.join("examples").join(example),
        _ => directory.join(package),
    })
}

//! A server of its own, with devices.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A node that devices of DM 2.0 have.
pub const LANG: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Lang";

/// Another server, which is never reached.
const PEERS: &str = r#"[{ server_id = "dm.b.example", url = "https://127.0.0.1:9/", pin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }]"#;

/// A server that runs.
pub struct Place {
    child: Child,
    folder: tempfile::TempDir,
    pub url: String,
    pub token: String,
}

impl Place {
    /// Starts a server without devices.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = omadm()
            .args(["serve", "--output", "json", "--data"])
            .arg(folder.path().join("data"))
            .env("OMADM_DEVICE__LISTEN", "127.0.0.1:0")
            .env("OMADM_OPERATOR__LISTEN", "127.0.0.1:0")
            .env("OMADM_DELEGATION__ENABLED", "true")
            .env("OMADM_DELEGATION__LISTEN", "127.0.0.1:0")
            .env("OMADM_DELEGATION__PEERS", PEERS)
            .env("OMADM_BOOTSTRAP__MOIDS", r#"["*"]"#)
            .env("OMADM_WEBHOOK__ALLOW_NETWORKS", "127.0.0.1")
            .env("OMADM_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let url = ready["operator_url"].as_str().unwrap_or_else(|| panic!("{ready}")).to_owned();
        let token = std::fs::read_to_string(folder.path().join("data/operator.token")).unwrap();
        Self { child, folder, url, token }
    }

    /// A server with devices of three protocols that were there, and commands that went well and badly.
    pub fn with_devices() -> Self {
        let place = Self::start();
        for (protocol, number) in [("dm2.0", "4"), ("dm1.2", "3"), ("dm1.3", "2")] {
            place.simulate(protocol, number);
        }
        place
    }

    /// Has virtual devices run sessions; they stay enrolled.
    pub fn simulate(&self, protocol: &str, number: &str) {
        let authority = self.folder.path().join("data/tls/ca.pem");
        let authority = authority.display().to_string();
        self.run(&["sim", "--protocol", protocol, "--devices", number, "--keep", "--ca-file", &authority]);
    }

    /// Stores a version of a profile, as TOML says it, even against the DDF files.
    pub fn profile(&self, document: &str) {
        let file = self.folder.path().join("profile.toml");
        std::fs::write(&file, document).unwrap();
        self.run(&["profile", "set", "--force", &file.display().to_string()]);
    }

    /// A file that holds this; gives its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let file = self.folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        file.display().to_string()
    }

    /// So many devices of DM 2.0 that come again and again, as long as what this gives lives; each was there before it does.
    pub fn coming(&self, number: usize) -> Coming {
        let spoken = "protocol = dm2.0";
        let before = self.devices(spoken);
        let authority = self.folder.path().join("data/tls/ca.pem");
        let child = omadm()
            .args([
                "sim",
                "--protocol",
                "dm2.0",
                "--no-commands",
                "--keep",
                "--sessions",
                "1000000",
                "--concurrency",
                "1",
            ])
            .args(["--devices", &number.to_string(), "--ca-file", &authority.display().to_string()])
            .env("OMADM_SERVER", &self.url)
            .env("OMADM_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut coming = Coming { child, devices: Vec::new() };
        while coming.devices.len() < number {
            coming.devices = self.devices(spoken);
            coming.devices.retain(|id| !before.contains(id));
        }
        coming
    }

    /// The authority that devices have to trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("data/tls/ca.pem")
    }

    /// Adds a user.
    pub fn add_user(&self, name: &str, role: &str, password: &str) {
        let mut child = self
            .command(&["user", "add", name, "--role", role])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The page of the first entry of the audit log.
    pub fn first_entry(&self) -> String {
        let head: Value =
            serde_json::from_str(self.run(&["audit", "heads"]).lines().next().unwrap()).unwrap();
        format!("/audit/{}/1", head["chain"].as_str().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = omadm();
        command.args(arguments).env("OMADM_SERVER", &self.url).env("OMADM_TOKEN", &self.token);
        command
    }

    /// Runs a command of an operator; gives what it says.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The ids of the devices that a filter means.
    pub fn devices(&self, filter: &str) -> Vec<String> {
        let listed: Value =
            serde_json::from_str(&self.run(&["device", "ls", "--filter", filter, "--output", "json"]))
                .unwrap();
        let items = listed.as_array().or_else(|| listed["items"].as_array()).unwrap();
        items.iter().map(|device| device["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Devices that come again and again.
pub struct Coming {
    child: Child,
    devices: Vec<String>,
}

impl Coming {
    /// Their ids.
    pub fn devices(&self) -> &[String] {
        &self.devices
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with nothing of this environment that it would look at.
fn omadm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omadm"));
    for name in ["OMADM_SERVER", "OMADM_TOKEN", "OMADM_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command
}

/// An identifier as a segment of a path.
pub fn segment(id: &str) -> String {
    id.replace(':', "%3A")
}

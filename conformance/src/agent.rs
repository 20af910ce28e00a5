//! The agent as a process of its own, with its own configuration and state.

use std::path::PathBuf;
use std::process::Output;

use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::server::TestServer;

/// `omadm-agent` on this machine, bootstrapped for a server under test.
pub struct AgentProcess {
    program: PathBuf,
    directory: tempfile::TempDir,
    /// Its DevID.
    pub device_id: String,
}

impl AgentProcess {
    /// Builds the agent if need be, enrols it under `device_id` and installs its bootstrap, which ends with a session.
    pub async fn bootstrapped(server: &TestServer, device_id: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let settings = format!(
            "[device]\nid = {device_id:?}\ndata_dir = {:?}\n\n[tls]\nca_file = {:?}\n",
            directory.path().join("state"),
            server.ca_file()
        );
        std::fs::write(directory.path().join("agent.toml"), settings).expect("a writable directory");
        let agent = Self { program: program().await, directory, device_id: device_id.to_owned() };
        let request = json!({ "device": { "id": device_id } });
        let reply = server.rest(Method::POST, "/bootstrap", Some(&request)).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let file = agent.directory.path().join("bootstrap.json");
        std::fs::write(&file, reply.json()["bootstrap"].to_string()).expect("a writable directory");
        agent.run(&["bootstrap", &file.display().to_string()]).await;
        agent
    }

    /// Runs one session in a process and gives what it prints as JSON.
    pub async fn session(&self) -> Value {
        let output = self.run(&["session", "--output", "json"]).await;
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }

    /// Runs a command of the agent that has to succeed.
    pub async fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.directory.path().join("agent.toml")).args(words);
        let output = command.output().await.expect("the agent starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

/// The built agent: cargo makes sure that it is that of this source.
async fn program() -> PathBuf {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let here = std::env::current_exe().expect("the path of this test");
        let profile = here.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps").to_owned();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "omadm-agent"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().await.expect("cargo starts").success(), "the agent builds");
        profile.join("omadm-agent")
    };
    PROGRAM.get_or_init(build).await.clone()
}

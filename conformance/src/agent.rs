//! The programs as processes: the agent with its own configuration and state, and the operator's tool.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::relay::Relay;
use crate::server::TestServer;

/// `omadm-agent` on this machine, bootstrapped for a server under test.
pub struct AgentProcess {
    program: PathBuf,
    directory: tempfile::TempDir,
    /// Its DevID.
    pub device_id: String,
    /// Its configuration: who it is and whom it trusts.
    settings: String,
    /// Its environment beside that of this process.
    environment: Vec<(&'static str, PathBuf)>,
}

impl AgentProcess {
    /// Builds the agent if need be; it has no account. `more` are further lines of its configuration.
    pub async fn new(ca_file: &Path, device_id: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let state = directory.path().join("state");
        let settings =
            format!("[device]\nid = {device_id:?}\ndata_dir = {state:?}\n\n[tls]\nca_file = {ca_file:?}\n\n");
        let (program, environment) = (agent().await, Vec::new());
        let agent = Self { program, directory, device_id: device_id.to_owned(), settings, environment };
        agent.configure(more);
        agent
    }

    /// The same in an environment with this variable.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: PathBuf) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Changes the settings beside identity and trust, from the next command on.
    pub fn configure(&self, more: &str) {
        let settings = format!("{}{more}\n", self.settings);
        std::fs::write(self.directory.path().join("agent.toml"), settings).expect("a writable directory");
    }

    /// Changes the settings of TLS beside the trust, from the next command on.
    pub fn configure_tls(&self, tls: &str, more: &str) {
        // Its section is the last one of what is always there.
        self.configure(&format!("{tls}\n\n{more}"));
    }

    /// Builds the agent if need be, enrols it under `device_id` and installs its bootstrap, which ends with a session.
    pub async fn bootstrapped(server: &TestServer, device_id: &str) -> Self {
        let agent = Self::new(&server.ca_file(), device_id, "").await;
        let request = json!({ "device": { "id": device_id } });
        let reply = server.rest(Method::POST, "/bootstrap", Some(&request)).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let file = agent.directory.path().join("bootstrap.json");
        std::fs::write(&file, reply.json()["bootstrap"].to_string()).expect("a writable directory");
        agent.run(&["bootstrap", &file.display().to_string()]).await;
        agent
    }

    /// Builds the agent if need be, enrols it under `device_id` and gives it a DM 1.x account, whose first session it runs; `more` are
    /// further members of the account, `settings` further lines of its configuration.
    pub async fn with_dm1(server: &TestServer, device_id: &str, more: &Value, settings: &str) -> Self {
        let agent = Self::new(&server.ca_file(), device_id, settings).await;
        let account = agent.dm1_account(server, more).await;
        agent.run(&["bootstrap", &account.display().to_string()]).await;
        agent
    }

    /// The same behind a relay. The account is not installed: gives the file for `bootstrap` beside.
    pub async fn behind(
        relay: &Relay,
        server: &TestServer,
        device_id: &str,
        more: &Value,
        settings: &str,
    ) -> (Self, String) {
        let agent = Self::new(&relay.ca_file(), device_id, settings).await;
        let mut more = more.clone();
        more["addresses"] = json!([relay.uri("/dm")]);
        let account = agent.dm1_account(server, &more).await;
        (agent, account.display().to_string())
    }

    /// Enrols it and writes a file with a DM 1.x account of the server; gives its path.
    pub async fn dm1_account(&self, server: &TestServer, more: &Value) -> PathBuf {
        self.dm1_account_of(server, &self.device_id, more).await
    }

    /// The same; gives what the server answered to its enrolment, too.
    pub async fn dm1_enrolment(&self, server: &TestServer, more: &Value) -> (PathBuf, Value) {
        self.dm1_enrolment_of(server, &self.device_id, more).await
    }

    /// As [`AgentProcess::dm1_account`] where another device is enrolled.
    pub async fn dm1_account_of(&self, server: &TestServer, device_id: &str, more: &Value) -> PathBuf {
        self.dm1_enrolment_of(server, device_id, more).await.0
    }

    async fn dm1_enrolment_of(&self, server: &TestServer, device_id: &str, more: &Value) -> (PathBuf, Value) {
        let request = json!({ "id": device_id });
        let reply = server.rest(Method::POST, "/devices", Some(&request)).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let (enrolled, file) = (reply.json(), self.directory.path().join("account.json"));
        let of = &enrolled["dm1"][0];
        let credentials = |user: &Value, password: &Value| json!({ "type": "HMAC-SHA256", "user": user, "password": password });
        let mut account = json!({
            "server_id": of["server_id"],
            "addresses": [of["server_uri"]],
            "client": credentials(&enrolled["user"], &enrolled["secret"]),
            "server": credentials(&of["server_id"], &of["server_secret"]),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            // An object changes members; anything else takes the place.
            match (account.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
                (Some(members), Some(changed)) => members.extend(changed.clone()),
                _ => account[name] = value.clone(),
            }
        }
        std::fs::write(&file, json!({ "dm1": account }).to_string()).expect("a writable directory");
        (file, enrolled)
    }

    /// Waits until it takes what local applications say.
    pub async fn ready(&self) {
        while tokio::net::UnixStream::connect(self.socket()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// How many TCP sockets the process with this number listens on.
    #[must_use]
    pub fn listening_on_tcp(&self, process: u32) -> usize {
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
        let open: Vec<PathBuf> =
            open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect();
        let listening = ["tcp", "tcp6"].map(|table| {
            let table = std::fs::read_to_string(format!("/proc/{process}/net/{table}")).expect("sockets");
            let sockets = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
            // State 0A is LISTEN; the tenth column is the inode.
            let sockets = sockets.filter(|columns| columns[3] == "0A");
            sockets.filter(|columns| open.contains(&format!("socket:[{}]", columns[9]).into())).count()
        });
        listening.iter().sum()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("state").join("agent.sock")
    }

    /// Hands a line to a running agent, as a local application does, and gives its answer.
    pub async fn say(&self, line: &Value) -> Value {
        let stream = tokio::net::UnixStream::connect(self.socket()).await.expect("the agent runs");
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{line}\n").as_bytes()).await.expect("the agent reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).await.expect("the agent answers");
        serde_json::from_str(&answer).expect("a line of JSON")
    }

    /// Runs one session in a process and gives what it prints as JSON.
    pub async fn session(&self) -> Value {
        let output = self.run(&["session", "--output", "json"]).await;
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }

    /// Runs a command of the agent, however it ends.
    pub async fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().await.expect("the agent starts")
    }

    /// Runs a command of the agent that has to succeed.
    pub async fn run(&self, words: &[&str]) -> Output {
        let output = self.output(words).await;
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs a command of the agent that has to fail, and gives what it says.
    pub async fn refusal(&self, words: &[&str]) -> String {
        let output = self.output(words).await;
        assert!(!output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Starts it for good. It is killed when the handle is dropped; what it logs is on standard error, to be read.
    #[must_use]
    pub fn start(&self) -> Child {
        let mut command = self.command(&["run"]);
        command.stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("the agent starts")
    }

    /// As [`AgentProcess::start`], such that a limit on the size of its files (`prlimit`) is an error and no signal that ends it.
    #[must_use]
    pub fn start_with_file_limits(&self) -> Child {
        let mut command = Command::new("sh");
        // What is ignored stays so over exec.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(&self.program);
        command.arg("--config").arg(self.directory.path().join("agent.toml")).arg("run");
        command.stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("sh and the agent start")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.directory.path().join("agent.toml")).args(words);
        command
    }
}

/// Runs `omadm`, the operator's tool, with these arguments.
pub async fn omadm(words: &[&str]) -> Output {
    omadm_within(&[], words).await
}

/// The same in an environment with these variables.
pub async fn omadm_within(environment: &[(&str, &Path)], words: &[&str]) -> Output {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let mut command = Command::new(PROGRAM.get_or_init(|| built("omadm")).await);
    command.envs(environment.iter().copied()).args(words).output().await.expect("omadm starts")
}

/// The built agent.
async fn agent() -> PathBuf {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    PROGRAM.get_or_init(|| built("omadm-agent")).await.clone()
}

/// The program of a package: cargo makes sure that it is that of this source.
pub(crate) async fn built(package: &'static str) -> PathBuf {
    let here = std::env::current_exe().expect("the path of this test");
    let profile = here.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps").to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", package]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().await.expect("cargo starts").success(), "{package} builds");
    profile.join(package)
}

//! `omadm serve` as processes that know each other, and can be killed in the middle of something.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use openssl::sha::sha256;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::agent::{AgentProcess, built};
use crate::script_device::exchange;
use crate::tls::Authority;
use crate::wire::Reply;

/// Longest that something may take that goes on by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a process of its own, on ports that it keeps over a restart. It is killed when this is dropped.
pub struct ServeProcess {
    /// Its Server Identifier.
    pub id: String,
    program: PathBuf,
    directory: tempfile::TempDir,
    authority: Authority,
    device: SocketAddr,
    operator: SocketAddr,
    delegation: SocketAddr,
    child: Option<Child>,
}

/// An address that is free now, with a port below those that the system gives to others.
fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + std::process::id() % 100 * 100;
    let mut ports =
        std::iter::repeat_with(|| first + u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let mut sockets =
        ports.by_ref().filter_map(|port| TcpListener::bind(("127.0.0.1", u16::try_from(port).ok()?)).ok());
    sockets.next().and_then(|socket| socket.local_addr().ok()).expect("a free port")
}

impl ServeProcess {
    /// One that is not started yet.
    pub async fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            program: built("omadm").await,
            directory: tempfile::tempdir().expect("a temporary directory"),
            authority: Authority::new(),
            device: free(),
            operator: free(),
            delegation: free(),
            child: None,
        }
    }

    /// By which other servers know its certificate.
    #[must_use]
    pub fn pin(&self) -> String {
        let pem = std::fs::read(self.authority.server_files().0).expect("a certificate");
        let key = X509::from_pem(&pem).and_then(|certificate| certificate.public_key()?.public_key_to_der());
        format!("sha256/{}", STANDARD.encode(sha256(&key.expect("a public key"))))
    }

    /// Where it takes messages of other servers.
    #[must_use]
    pub fn delegation_url(&self) -> String {
        format!("https://localhost:{}/delegation", self.delegation.port())
    }

    /// What another server has to know of it; `more` are further lines of its entry.
    #[must_use]
    pub fn peer(&self, more: &str) -> String {
        let (id, url, pin) = (&self.id, self.delegation_url(), self.pin());
        format!("\n[[delegation.peers]]\nserver_id = {id:?}\nurl = {url:?}\npin = {pin:?}\n{more}\n")
    }

    /// Starts it with these further settings, `[delegation]` first.
    pub async fn start(&mut self, more: &str) {
        let (certificate, key) = self.authority.server_files();
        let (data, authority) = (self.directory.path().join("data"), self.authority.ca_file());
        let (device, operator, delegation) = (self.device, self.operator, self.delegation);
        let settings = format!(
            "[server]\nid = {:?}\ndata_dir = {data:?}\npublic_url = \"https://localhost:{}\"\n[operator]\nlisten = \"{operator}\"\n\
             [device]\nlisten = \"{device}\"\ncertificate = {certificate:?}\nkey = {key:?}\nauthority = {authority:?}\n\
             [delegation]\nenabled = true\nlisten = \"{delegation}\"\n{more}",
            self.id,
            device.port(),
        );
        std::fs::write(self.directory.path().join("omadm.toml"), settings).expect("a writable directory");
        self.restart().await;
    }

    /// Starts it again as it was.
    pub async fn restart(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--output", "json", "--config"]).arg(self.directory.path().join("omadm.toml"));
        command.stdout(Stdio::piped()).kill_on_drop(true);
        if std::env::var_os("OMADM_LOG").is_none() {
            command.env("OMADM_LOG", "error");
        }
        let mut child = command.spawn().expect("omadm starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        lines.next_line().await.expect("it says where it is").expect("it starts");
        self.child = Some(child);
    }

    /// Kills it at once.
    pub async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.expect("it dies");
    }

    /// A request to the REST API with the first token; `path` stands below `/api/v1`.
    pub async fn rest(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let token = std::fs::read_to_string(self.token_file()).expect("the first token");
        let authorization = format!("Bearer {}", token.trim());
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let stream = TcpStream::connect(self.operator).await.expect("the operator listener");
        exchange(stream, method, &format!("/api/v1{path}"), &headers, &body).await
    }

    /// The file with the first token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.directory.path().join("data/operator.token")
    }

    /// Where operators reach it.
    #[must_use]
    pub fn operator_url(&self) -> String {
        format!("http://{}", self.operator)
    }

    /// GET that has to succeed.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.rest(Method::GET, path, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// POST that has to end with this status.
    pub async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        let reply = self.rest(Method::POST, path, Some(body)).await;
        assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Reads until something holds of it.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                let read = self.get(path).await;
                if holds(&read) {
                    return read;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read,
            Err(_) => panic!("{} {path}: {}", self.id, self.get(path).await),
        }
    }

    /// Waits until a delegation is in a state, by the identifier that it has here.
    pub async fn delegation(&self, id: &str, state: &str) -> Value {
        self.until(&format!("/delegations/{id}"), |delegation| delegation["state"] == state).await
    }

    /// The delegation that another server calls by this name, once it is known here.
    pub async fn named(&self, name: &str) -> Value {
        let known = |page: &Value| page["items"].as_array().unwrap().iter().any(|item| item["name"] == name);
        let page = self.until("/delegations", known).await;
        page["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone()
    }

    /// A connection of another server, which shows these files (certificate and key) if any, and what it is answered.
    pub async fn post_delegation(
        &self,
        shown: Option<(&Path, &Path)>,
        content_type: &str,
        body: &str,
    ) -> Reply {
        let mut tls = SslConnector::builder(SslMethod::tls_client()).expect("TLS settings");
        tls.set_ca_file(self.authority.ca_file()).expect("the authority");
        tls.set_verify(SslVerifyMode::PEER);
        if let Some((certificate, key)) = shown {
            tls.set_certificate_chain_file(certificate).expect("a certificate");
            tls.set_private_key_file(key, openssl::ssl::SslFiletype::PEM).expect("a key");
        }
        let ssl = tls.build().configure().and_then(|tls| tls.into_ssl("localhost")).expect("a name");
        let socket = TcpStream::connect(self.delegation).await.expect("the listener for servers");
        let mut stream = tokio_openssl::SslStream::new(ssl, socket).expect("TLS settings");
        std::pin::Pin::new(&mut stream).connect().await.expect("a handshake");
        exchange(stream, Method::POST, "/delegation", &[("content-type", content_type)], body.as_bytes())
            .await
    }

    /// Its certificate and key.
    #[must_use]
    pub fn files(&self) -> (PathBuf, PathBuf) {
        self.authority.server_files()
    }

    /// Enrols a device, and gives the agent an account of this server in DM 1.3; its first session runs.
    pub async fn enrol_dm1(&self, agent: &AgentProcess) {
        let enrolled = self.post("/devices", &json!({ "id": agent.device_id }), 201).await;
        let of = &enrolled["dm1"][0];
        let credentials = |user: &Value, password: &Value| json!({ "type": "HMAC-SHA256", "user": user, "password": password });
        let account = json!({ "dm1": {
            "server_id": of["server_id"],
            "addresses": [of["server_uri"]],
            "client": credentials(&enrolled["user"], &enrolled["secret"]),
            "server": credentials(&of["server_id"], &of["server_secret"]),
        } });
        self.install(agent, &account).await;
    }

    /// The same in DM 2.0.
    pub async fn enrol_dm2(&self, agent: &AgentProcess) {
        let made = self.post("/bootstrap", &json!({ "device": { "id": agent.device_id } }), 201).await;
        self.install(agent, &made["bootstrap"]).await;
    }

    async fn install(&self, agent: &AgentProcess, bootstrap: &Value) {
        let file = self.directory.path().join("bootstrap.json");
        std::fs::write(&file, bootstrap.to_string()).expect("a writable directory");
        agent.run(&["bootstrap", &file.display().to_string()]).await;
    }

    /// Queues a command for a device, and gives it once it is over; `session` is how the device begins one.
    pub async fn carry_out(&self, agent: &AgentProcess, command: &Value) -> Value {
        let queued = self.post(&format!("/devices/{}/commands", agent.device_id), command, 202).await;
        self.session(agent).await;
        self.get(&format!("/commands/{}", queued["id"].as_str().expect("an identifier"))).await
    }

    /// Has the device run a session with this server.
    pub async fn session(&self, agent: &AgentProcess) {
        let words = ["session", "--server", &self.id, "--output", "json"];
        let output = agent.output(&words).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Has the device run sessions with this server until a delegation is in a state.
    pub async fn sessions_until(&self, agent: &AgentProcess, delegation: &str, state: &str) -> Value {
        for _ in 0..20 {
            self.session(agent).await;
            // What comes next is queued by itself, a moment after the session.
            for _ in 0..30 {
                let read = self.get(&format!("/delegations/{delegation}")).await;
                if read["state"] == state {
                    return read;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!(
            "{} {}",
            self.get(&format!("/delegations/{delegation}")).await,
            self.get(&format!("/delegations/{delegation}/devices")).await
        );
    }

    /// Authorities of several servers in one file.
    #[must_use]
    pub fn trusting(&self, others: &[&Self]) -> PathBuf {
        let all = std::iter::once(self).chain(others.iter().copied());
        let pem: Vec<u8> =
            all.flat_map(|server| std::fs::read(server.authority.ca_file()).expect("an authority")).collect();
        let file = self.directory.path().join("trusted.pem");
        std::fs::write(&file, pem).expect("a writable directory");
        file
    }
}

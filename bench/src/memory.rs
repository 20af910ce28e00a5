//! Memory of the real server with many idle devices, of the real agent, and of a client with the Client Profile 1.0 of DM 1.3 alone.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use omadm_client::{HttpRequest, HttpsConfig, HttpsTransport, Transport};
use serde_json::{Value, json};

use crate::figure::{Figure, Target};
use crate::measure::Effort;
use crate::processes::{Running, Server};
use crate::{Result, processes};

const SCENARIO: &str = "memory";
/// Most memory of the server with 10,000 idle devices, in MB.
const SERVER_MOST: f64 = 60.0;
/// Most memory of the agent, in MB.
const AGENT_MOST: f64 = 12.0;
/// DevId of the client of the profile.
const CLIENT: &str = "urn:uuid:7f9d3e5c-0000-4000-8000-000000000001";
/// Devices of the full scenario, ten requests.
const DEVICES: usize = 10_000;
/// Devices per request.
const BATCH: usize = 1_000;
/// How long a process gets to come to rest.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the agent gets for its first session.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server, then an agent on it.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let devices = if effort.full { DEVICES } else { BATCH };
        let server = Server::start()?;
        let operator = Operator::new(&server)?;
        for first in (0..devices).step_by(BATCH) {
            operator.enrol(first).await?;
        }
        tokio::time::sleep(SETTLE).await;
        let resident = megabytes(server.process.resident()?);
        let agent = agent(&server, &operator).await?;
        let client = client(&server, &operator).await?;
        let mut figures = vec![
            Figure::new(SCENARIO, format!("server, {devices} devices enrolled and idle"), resident, "MB")
                .with_target(Target::AtMost(SERVER_MOST)),
            Figure::new(SCENARIO, "agent (profile device), after its first session", agent, "MB")
                .with_target(Target::AtMost(AGENT_MOST)),
        ];
        figures.extend(client);
        Ok(figures)
    })
}

/// Size and memory of a client that has had one session and is over.
async fn client(server: &Server, operator: &Operator) -> Result<[Figure; 3]> {
    let program = processes::client()?;
    let size = std::fs::metadata(&program)?.len();
    let (_, device) = operator.send(Method::POST, "/devices", &json!({ "id": CLIENT })).await?;
    let text = |pointer: &str| {
        let found = device.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| format!("the server does not say {pointer} of a new device"))
    };
    let account = [text("/dm1/0/server_uri")?, text("/dm1/0/server_id")?, text("/user")?, text("/secret")?];
    let output = Command::new(program).args(account).arg(&server.ca_file).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the client of the profile: {told}").into());
    }
    let kilobytes = |what: &str| -> Result<f64> {
        let line = told.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|rest| rest.trim_start_matches(':').trim().strip_suffix(" kB"));
        Ok(number.ok_or_else(|| format!("the client of the profile does not tell its {what}"))?.parse()?)
    };
    Ok([
        Figure::new(
            SCENARIO,
            "client (Client Profile 1.0 alone), size of the program",
            megabytes(size),
            "MB",
        ),
        Figure::new(SCENARIO, "client, peak after one session", kilobytes("peak memory")? / 1e3, "MB"),
        Figure::new(SCENARIO, "client, heap after one session", kilobytes("heap")?, "kB"),
    ])
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Memory of an agent that has had its first session.
async fn agent(server: &Server, operator: &Operator) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let config = configure(server, dir.path())?;
    let mut command = Command::new(processes::agent()?);
    command.arg("run").arg("--config").arg(&config);
    let agent = Running::start(&mut command)?;
    let started = Instant::now();
    while !operator.has_contact("SIM:agent").await? {
        if started.elapsed() > PATIENCE {
            return Err(format!("the agent had no session within {} s", PATIENCE.as_secs()).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(SETTLE).await;
    Ok(megabytes(agent.resident()?))
}

/// Bootstraps a device and writes the configuration of its agent.
fn configure(server: &Server, dir: &Path) -> Result<std::path::PathBuf> {
    let bootstrap = dir.join("bootstrap.json");
    let file = bootstrap.to_str().ok_or("the path of a temporary directory is no UTF-8")?;
    server.told(&["bootstrap", "factory", "--device", "SIM:agent", "--output-file", file])?;
    let mut config = String::new();
    writeln!(config, "[device]\nid = \"SIM:agent\"\ndata_dir = {:?}", dir.join("data"))?;
    writeln!(config, "[bootstrap]\nfile = {bootstrap:?}")?;
    writeln!(config, "[tls]\nca_file = {:?}", server.ca_file)?;
    let path = dir.join("agent.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}

/// The REST API, as far as it is of use here.
pub struct Operator {
    url: String,
    token: HeaderValue,
    transport: HttpsTransport,
}

impl Operator {
    /// With the first token of a server.
    pub fn new(server: &Server) -> Result<Self> {
        let token = std::fs::read_to_string(&server.token_file)?;
        let mut token = HeaderValue::from_str(&format!("Bearer {}", token.trim()))?;
        token.set_sensitive(true);
        let transport = HttpsTransport::new(&HttpsConfig::default())?;
        Ok(Self { url: server.operator_url.trim_end_matches('/').to_owned(), token, transport })
    }

    /// Enrols [`BATCH`] devices.
    pub async fn enrol(&self, first: usize) -> Result<()> {
        let device = |number: usize| json!({ "id": format!("SIM:idle-{number}") });
        let devices: Vec<Value> = (first..first.saturating_add(BATCH)).map(device).collect();
        let (status, _) = self.send(Method::POST, "/devices/batch", &json!({ "devices": devices })).await?;
        if status == StatusCode::CREATED { Ok(()) } else { Err(format!("enrolment: {status}").into()) }
    }

    async fn has_contact(&self, device: &str) -> Result<bool> {
        let path = format!("/devices/{}", device.replace(':', "%3A"));
        let (_, answer) = self.send(Method::GET, &path, &Value::Null).await?;
        Ok(answer.get("last_contact").is_some_and(Value::is_string))
    }

    /// One request; its status and the JSON of its answer.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.token.clone());
        let body = if body.is_null() {
            bytes::Bytes::new()
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            serde_json::to_vec(body)?.into()
        };
        let uri = format!("{}/api/v1{path}", self.url).parse()?;
        let request = HttpRequest { method, uri, headers, body, answer_limit: 16 << 20, identity: None };
        let answer = self.transport.send(request).await?;
        Ok((answer.status, serde_json::from_slice(&answer.body)?))
    }
}

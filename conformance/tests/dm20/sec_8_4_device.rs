//! The device's part in server initiated bootstrap (`DM 2.0 §8.4, §9.3`): the agent as a process, a real server, and curl.

use std::path::Path;

use http::Method;
use omadm_conformance::{
    Account, AgentProcess, Authority, DEVICE_ID, Flaw, ScriptDevice, ScriptServer, TestServer, proves,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

const COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";
const MO_DATA: &str = "application/dmmo+json";

/// Settings of an agent that takes bootstraps of servers that are called `sender`.
fn settings(own: &Authority, trusted: &Path, sender: &str, more: &str) -> String {
    let (certificate, key) = own.server_files();
    format!(
        "[session]\npoll_interval = 0\n[bootstrap]\nlisten = \"127.0.0.1:0\"\nlisten_certificate = {certificate:?}\n\
         listen_key = {key:?}\nsenders_ca_file = {trusted:?}\nsenders = [{sender:?}]\n{more}\n"
    )
}

/// An agent that runs and listens.
struct Waiting {
    _process: Child,
    log: Lines<BufReader<ChildStderr>>,
    port: u16,
}

impl Waiting {
    async fn start(agent: &AgentProcess) -> Self {
        let mut process = agent.start();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = logged(&mut log, "listening for bootstraps").await;
        let port = line.rsplit_once("127.0.0.1:").unwrap().1.trim().parse().unwrap();
        Self { _process: process, log, port }
    }

    fn uri(&self) -> String {
        format!("https://localhost:{}/bootstrap", self.port)
    }
}

async fn logged(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    loop {
        let line = log.next_line().await.unwrap().expect("the agent goes on");
        if line.contains(text) {
            return line;
        }
    }
}

async fn push(server: &TestServer, to: &str) -> (u16, Value) {
    let new = json!({ "device": { "id": DEVICE_ID, "replace": true }, "to": to });
    let reply = server.rest(Method::POST, "/bootstrap", Some(&new)).await;
    (reply.status, reply.json())
}

async fn accounts(agent: &AgentProcess) -> usize {
    let status = agent.run(&["status", "--output", "json"]).await.stdout;
    serde_json::from_slice::<Value>(&status).unwrap()["accounts"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_agent_takes_a_bootstrap_that_its_server_sends() {
    proves!("DM-BOOT-001-C-M", "DM-BOOT-005-C-O", "D2-8-01", "D2-8.4-04", "D2-9.3.1.1-01");
    let devices = Authority::new();
    let server = TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file())).await;
    let own = settings(&devices, &server.ca_file(), "localhost", "");
    let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &own).await;
    let mut waiting = Waiting::start(&agent).await;
    let (status, made) = push(&server, &waiting.uri()).await;
    assert_eq!(status, 201, "{made}");
    logged(&mut waiting.log, "session ended").await;
    let name = ScriptDevice {
        address: server.device_address(),
        ca_file: server.ca_file(),
        device_id: DEVICE_ID.to_owned(),
        credentials: (String::new(), String::new()),
    };
    assert_eq!(server.alerts(&name).await[0]["type"], COMPLETE);
    assert_eq!(accounts(&agent).await, 1);

    // Once more, in place of the one before.
    assert_eq!(push(&server, &waiting.uri()).await.0, 201);
    logged(&mut waiting.log, "session ended").await;
    assert_eq!(accounts(&agent).await, 1);
}

#[tokio::test]
async fn whoever_has_to_agree_is_asked() {
    proves!("DM-BOOT-005-C-O", "D2-8.4-04");
    let devices = Authority::new();
    let server = TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file())).await;
    let asked = devices.directory().join("asked.json");
    let script = format!("cat > {}; exit 1", asked.display());
    let consent = format!("consent = \"command\"\nconsent_command = [\"sh\", \"-c\", {script:?}]");
    let own = settings(&devices, &server.ca_file(), "localhost", &consent);
    let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &own).await;
    let waiting = Waiting::start(&agent).await;
    let (status, problem) = push(&server, &waiting.uri()).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(status == 502 && detail.contains("507") && detail.contains("rejected"), "{status} {detail}");
    let request: Value = serde_json::from_slice(&std::fs::read(&asked).unwrap()).unwrap();
    assert_eq!(request["bootstrap"], "sent by localhost");
    assert_eq!(request["accounts"][0]["server"], "omadm");
    assert_eq!(accounts(&agent).await, 0);
}

#[tokio::test]
async fn nothing_is_taken_of_a_server_that_gave_up() {
    let devices = Authority::new();
    let server = TestServer::with(|config| {
        config.bootstrap.ca_file = Some(devices.ca_file());
        config.bootstrap.send_timeout = omadm_server::config::Span::secs(1);
    })
    .await;
    let consent = "consent = \"command\"\nconsent_command = [\"sleep\", \"3600\"]";
    let own = settings(&devices, &server.ca_file(), "localhost", consent);
    let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &own).await;
    let mut waiting = Waiting::start(&agent).await;
    let (status, problem) = push(&server, &waiting.uri()).await;
    assert!(status == 502 && problem["detail"].as_str().unwrap().contains("within 1 s"), "{problem}");
    logged(&mut waiting.log, "waits no longer").await;
    assert_eq!(accounts(&agent).await, 0);
}

#[tokio::test]
async fn only_the_named_servers_can_send() {
    proves!("DM-BOOT-005-C-O", "D2-8.4-04", "D2-9.3.1.1-01");
    let devices = Authority::new();
    let with_trust = || TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file()));
    let (server, stranger) = (with_trust().await, with_trust().await);
    let cases = [
        (&stranger, "localhost", "certificate"),
        (&server, "dm.example.org", "none of the names that may send"),
    ];
    for (sender, name, said) in cases {
        let own = settings(&devices, &server.ca_file(), name, "");
        let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &own).await;
        let mut waiting = Waiting::start(&agent).await;
        let (status, problem) = push(sender, &waiting.uri()).await;
        assert_eq!(status, 502, "{problem}");
        let line = logged(&mut waiting.log, "a connection to bootstrap.listen failed").await;
        assert!(line.contains(said), "{line}");
        assert_eq!(accounts(&agent).await, 0);
    }

    // A server does not send it to a device that it cannot tell from others.
    let fraud = Authority::with_flaw(Flaw::SelfSigned);
    let own = settings(&fraud, &server.ca_file(), "localhost", "");
    let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &own).await;
    let waiting = Waiting::start(&agent).await;
    assert_eq!(push(&server, &waiting.uri()).await.0, 502);
    assert_eq!(accounts(&agent).await, 0);
}

/// curl as a sender that the agent trusts.
struct Curl<'a> {
    device: &'a Authority,
    sender: &'a Authority,
    port: u16,
}

impl Curl<'_> {
    async fn status(&self, words: &[&str], path: &str) -> String {
        let (certificate, key) = self.sender.server_files();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(self.device.ca_file());
        curl.arg("--cert").arg(certificate).arg("--key").arg(key).args(words);
        let output = curl.arg(format!("https://localhost:{}{path}", self.port)).output().await;
        String::from_utf8(output.expect("curl is installed").stdout).unwrap()
    }

    async fn post(&self, content_type: &str, file: &Path) -> String {
        let (header, data) = (format!("Content-Type: {content_type}"), format!("@{}", file.display()));
        self.status(&["-H", &header, "-H", "Expect:", "--data-binary", &data], "/bootstrap").await
    }
}

#[tokio::test]
async fn what_is_no_bootstrap_is_refused_over_the_wire() {
    proves!("DM-BOOT-005-C-O", "D2-8.4-04");
    let (device, sender) = (Authority::new(), Authority::new());
    let agent = AgentProcess::new(
        &device.ca_file(),
        DEVICE_ID,
        &settings(&device, &sender.ca_file(), "localhost", ""),
    )
    .await;
    let waiting = Waiting::start(&agent).await;
    let curl = Curl { device: &device, sender: &sender, port: waiting.port };
    let file = device.directory().join("body");
    let unused = ScriptServer::http().await;
    let account = json!([Account::new("DMS1", &unused.uri("/x")).bootstrap_item()]).to_string();
    let write = |octets: &[u8]| std::fs::write(&file, octets).unwrap();

    write(account.as_bytes());
    assert_eq!(curl.status(&[], "/bootstrap").await, "405");
    assert_eq!(curl.status(&["-d", "x"], "/").await, "404");
    assert_eq!(curl.post("text/plain", &file).await, "415");
    assert_eq!(curl.post("application/dmmo+json; SEC=3GPP_GBA", &file).await, "400", "there are no keys");
    write(b"[{]");
    assert_eq!(curl.post(MO_DATA, &file).await, "400");
    let room = 1 << 20;
    let padded = |length: usize| format!("{account}{}", " ".repeat(length - account.len()));
    write(padded(room + 1).as_bytes());
    assert_eq!(curl.post(MO_DATA, &file).await, "413");
    let mut plain = TcpStream::connect(("127.0.0.1", waiting.port)).await.unwrap();
    plain.write_all(b"POST /bootstrap HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Whether it is reset or closed, it brings nothing.
    let _reset = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "no TLS, no answer");
    assert_eq!(accounts(&agent).await, 0);

    write(padded(room).as_bytes());
    assert_eq!(curl.post(MO_DATA, &file).await, "204", "as large as it may be");
    assert_eq!(accounts(&agent).await, 1);
    write(b"[{]");
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(curl.post(MO_DATA, &file).await);
    }
    assert!(answers.contains(&"429".to_owned()), "ten in a minute: {answers:?}");
}

//! Commands without a session between the real server and the real agent, over datagrams (`DM 1.3 Sessionless Command Message`). Those that
//! are written by hand are proved by openssl's digests.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_conformance::{AgentProcess, Dissection, TestServer, omadm, proves};
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::process::Child;

const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";
const PATH: &str = "./Agent/Note";
/// Another server that the device has an account of, and its secret.
const OTHER: &str = "other.example";
const OTHER_SECRET: &str = "the secret of the other server";
/// Only the server under test may do something to the object of the agent.
const GRANTS: &str = "[access]\ndefaults = false\ngrants = [{ moid = \"urn:omadm:mo:agent:1.0\", server = \"omadm\", rights = [\"read\", \"write\"] }]";
/// Of a device with an account whose server has proved itself in no session.
const NO_NONCE: &[u8] = b"";

/// A device of DM 1.3 that runs and takes commands without a session.
struct Device {
    agent: AgentProcess,
    port: u16,
    /// Where the server thinks that it listens, so that what is sent can be seen.
    between: UdpSocket,
    secret: Vec<u8>,
    process: Option<Child>,
}

impl Device {
    async fn new(server: &TestServer, number: u32, settings: &str) -> Self {
        Self::granting(server, number, settings, "").await
    }

    /// With rights that it gives.
    async fn granting(server: &TestServer, number: u32, settings: &str, grants: &str) -> Self {
        let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c6{number:03}");
        let agent = AgentProcess::new(&server.ca_file(), &id, grants).await;
        let (account, enrolled) = agent.dm1_enrolment(server, &json!({})).await;
        // The first session tells where the objects of the device are.
        server.queue_for(&id, &json!({ "verb": "get", "address": NOTE })).await;
        agent.run(&["bootstrap", &account.display().to_string()]).await;
        let secret = enrolled["dm1"][0]["server_secret"].as_str().unwrap().as_bytes().to_vec();
        let between = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut device = Self { agent, port, between, secret, process: None };
        device.restart(&format!("[dm1]\n{settings}")).await;
        let address = format!("udp:127.0.0.1:{}", device.between.local_addr().unwrap().port());
        let path = format!("/devices/{}/push", device.id());
        let reply = server.rest(Method::PUT, &path, Some(&json!({ "addresses": [address] }))).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        device
    }

    /// Runs it anew with these settings.
    async fn restart(&mut self, settings: &str) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
        let port = self.port;
        self.agent.configure(&format!(
            "{settings}\n[session]\npoll_interval = 0\n[notification]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\nper_source = 1000\nin_all = 1000"
        ));
        self.process = Some(self.agent.start());
        self.agent.ready().await;
    }

    fn id(&self) -> &str {
        &self.agent.device_id
    }

    /// Has the operator push a command; gives what the server says of it, and the datagram.
    async fn pushed(&self, server: &TestServer, command: &Value) -> (Value, Vec<u8>) {
        let reply =
            server.rest(Method::POST, &format!("/devices/{}/sessionless", self.id()), Some(command)).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        (reply.json(), self.datagram().await)
    }

    async fn datagram(&self) -> Vec<u8> {
        let mut buffer = [0; 20_000];
        let (length, _) = self.between.recv_from(&mut buffer).await.unwrap();
        buffer[..length].to_vec()
    }

    /// Hands a push to the device as another program on it would; `None` if it takes it, else why not.
    async fn hand(&self, push: &[u8]) -> Option<String> {
        let digits: String = push.iter().map(|octet| format!("{octet:02x}")).collect();
        let answer = self.agent.say(&json!({ "push": digits })).await;
        if answer == "taken" { None } else { Some(answer["refused"].as_str().unwrap().to_owned()) }
    }

    /// Why a push is ignored, which changes nothing.
    async fn ignored(&self, push: &[u8]) -> String {
        self.hand(push).await.expect("it is ignored")
    }

    /// The nonce that the server has of the device.
    fn nonce(&self, server: &TestServer) -> Vec<u8> {
        server.nonce_towards(self.id())
    }

    /// A message in XML with these commands, before it is proved.
    fn message(&self, number: u64, commands: &str) -> String {
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto><SessionID>0</SessionID>\
             <MsgID>{number}</MsgID><Target><LocURI>{}</LocURI></Target><Source><LocURI>https://dm.example/dm</LocURI></Source>\
             </SyncHdr><SyncBody>{commands}<Final/></SyncBody></SyncML>",
            self.id()
        )
    }

    /// The value of the node, read by a session of its own; the agent must not run.
    async fn note(&mut self, server: &TestServer) -> Value {
        let process = self.process.take();
        if let Some(mut process) = process {
            process.kill().await.unwrap();
        }
        let command = server.queue_for(self.id(), &json!({ "verb": "get", "address": NOTE })).await;
        self.agent.run(&["session", "--server", "omadm"]).await;
        server.command(&command).await["result"]["items"][0]["value"].clone()
    }
}

/// A Replace of the note.
fn replace(value: &str) -> String {
    format!(
        "<Replace><CmdID>1</CmdID><Item><Target><LocURI>{PATH}</LocURI></Target><Data>{value}</Data></Item></Replace>"
    )
}

/// A push PDU with a message in XML, proved by this server, by SHA-256 or MD5.
fn push(message: &str, server: &str, secret: &[u8], nonce: &[u8], digest: MessageDigest) -> Vec<u8> {
    let text = |octets: &[u8]| STANDARD.encode(hash(digest, octets).unwrap()).into_bytes();
    let keys = text(&[server.as_bytes(), b":", secret].concat());
    let mac = text(&[&keys, &b":"[..], nonce, b":", &text(message.as_bytes())].concat());
    let algorithm = if digest.size() == 16 { "MD5" } else { "SHA256" };
    let mac = String::from_utf8(mac).unwrap();
    bare_push(message, &format!("x-syncml-hmac\0algorithm={algorithm}, username=\"{server}\", mac={mac}\0"))
}

/// A push PDU with a message in XML and this further header.
fn bare_push(message: &str, header: &str) -> Vec<u8> {
    let headers = [&[0xc3, 0xaf, 0x87], header.as_bytes()].concat();
    let length = u8::try_from(headers.len()).unwrap();
    // Two octets of a uintvar.
    let length = [0x80 | length >> 7, length & 0x7f];
    [&[0x07, 0x06], &length[..], &headers, message.as_bytes()].concat()
}

fn sha256() -> MessageDigest {
    MessageDigest::sha256()
}

#[tokio::test]
async fn a_command_is_carried_out_without_a_session_and_once() {
    proves!("E13-DMSESS", "E13-4.3-17", "OMA-ERDEF-DM-C-004-O", "OMA-ERDEF-DM-S-004-O");
    let server = TestServer::start().await;
    let mut device = Device::new(&server, 1, "sessionless = true").await;
    let sessions = format!("/devices/{}/sessions", device.id());
    let before = server.items(&sessions).await.len();
    let set = |value: &str| json!({ "verb": "set", "address": NOTE, "value": value });
    let (said, datagram) = device.pushed(&server, &set("first")).await;
    assert_eq!(said["result"], "handed over; no answer is expected");
    let found = Dissection::of_pushes(&[&datagram]);
    assert!(!found[0].is_malformed(), "{found:?}");
    let content_type = found[0].field("wsp.header.content_type");
    assert_eq!(content_type, Some("application/vnd.syncml.dm+wbxml"), "{found:?}");
    let application = found[0].field("wsp.header.x_wap_application_id");
    assert_eq!(application, Some("x-wap-application:syncml.dm"), "{found:?}");

    let shown = tempfile::tempdir().unwrap();
    let file = shown.path().join("push");
    std::fs::write(&file, &datagram).unwrap();
    let decoded = omadm(&["decode", file.to_str().unwrap()]).await;
    let decoded = String::from_utf8_lossy(&decoded.stdout).into_owned();
    for part in ["x-syncml-hmac", "SHA256", "Replace", PATH, "first"] {
        assert!(decoded.contains(part), "{part}: {decoded}");
    }

    // By the datagram itself; what comes after it is handed over where its fate can be seen.
    device.between.send_to(&datagram, ("127.0.0.1", device.port)).await.unwrap();
    let repeated = loop {
        match device.hand(&datagram).await {
            Some(refused) => break refused,
            None => tokio::time::sleep(Duration::ZERO).await,
        }
    };
    assert!(repeated.contains("was there already"), "{repeated}");
    let (second, later) = device.pushed(&server, &set("second")).await;
    let (third, last) = device.pushed(&server, &set("third")).await;
    assert!(said["number"].as_u64() < second["number"].as_u64());
    assert!(second["number"].as_u64() < third["number"].as_u64());
    // The last overtakes the one before.
    assert_eq!(device.hand(&last).await, None);
    assert_eq!(device.hand(&later).await, None);
    for datagram in [&datagram, &later, &last] {
        assert!(device.ignored(datagram).await.contains("was there already"));
    }
    // Also after it was started anew.
    device.restart("[dm1]\nsessionless = true").await;
    assert!(device.ignored(&last).await.contains("was there already"));
    assert_eq!(server.items(&sessions).await.len(), before, "none of it was a session");
    let events = server.items("/events?limit=1000").await;
    let sent =
        events.iter().filter(|event| event["kind"] == "sessionless" && event["body"]["what"] == "sent");
    assert_eq!(sent.count(), 3);

    assert_eq!(device.note(&server).await, "second", "that was carried out last");
    // The session has taken another nonce, with which none of them is proved.
    device.restart("[dm1]\nsessionless = true").await;
    assert!(device.ignored(&last).await.contains("does not prove"), "an old nonce");
}

#[tokio::test]
async fn commands_of_operators_come_to_the_device_as_they_are() {
    proves!("E13-DMSESS", "OMA-ERDEF-DM-S-004-O");
    let server = TestServer::start().await;
    let mut device = Device::new(&server, 2, "sessionless = true").await;
    let raw = format!(
        "<Replace><Item><Target><LocURI>{PATH}</LocURI></Target><Data>by raw</Data></Item></Replace>"
    );
    for command in [
        json!({ "verb": "raw", "xml": raw }),
        json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Compact" }),
        json!({ "verb": "set", "address": PATH, "value": "by path" }),
    ] {
        let (_, datagram) = device.pushed(&server, &command).await;
        assert_eq!(device.hand(&datagram).await, None, "{command}");
    }
    let (options, id) = (server.operator_options(), device.id().to_owned());
    let mut words: Vec<&str> = options.iter().map(String::as_str).collect();
    words.extend(["run", &id, "--sessionless", "set", PATH, "by the tool"]);
    let output = omadm(&words).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("no answer is expected"), "{output:?}");
    assert_eq!(device.hand(&device.datagram().await).await, None);
    let path = format!("/devices/{id}/sessionless");
    for (command, status, sentence) in [
        (json!({ "verb": "get", "address": NOTE }), 400, "wants an answer"),
        (json!({ "verb": "ask", "question": { "kind": "display", "text": "x" } }), 400, ""),
        (
            json!({ "verb": "raw", "xml": "<Get><Item><Target><LocURI>.</LocURI></Target></Item></Get>" }),
            400,
            "wants an answer",
        ),
        (json!({ "verb": "set", "address": NOTE, "value": "x", "wait": 1 }), 400, "no end to wait for"),
        (json!({ "verb": "set", "address": "urn:none:1.0//A", "value": "x" }), 409, "use a path"),
        (json!({ "verb": "set", "address": NOTE, "value": "x".repeat(17_000) }), 502, "more than a push has"),
    ] {
        let reply = server.rest(Method::POST, &path, Some(&command)).await;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status == status && told.contains(sentence), "{command}: {} {told}", reply.status);
    }
    assert_eq!(device.note(&server).await, "by the tool");
}

#[tokio::test]
async fn what_is_not_proved_or_wants_an_answer_changes_nothing() {
    proves!("OMA-ERDEF-DM-C-004-O", "E13-DMSESS");
    let server = TestServer::start().await;
    let mut device = Device::new(&server, 3, "sessionless = true").await;
    let (_, datagram) =
        device.pushed(&server, &json!({ "verb": "set", "address": NOTE, "value": "good" })).await;
    // A changed octet, wherever it is, makes the whole worthless; what stands around the push is no part of it.
    for at in (2..datagram.len()).step_by(7).chain([datagram.len() - 1]) {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        if device.hand(&changed).await.is_none() {
            let (head, body) = (&changed[..at], &datagram[at..]);
            panic!("octet {at} may be changed: {head:x?} {body:x?}");
        }
    }
    let (secret, nonce) = (device.secret.clone(), device.nonce(&server));
    let prove = |message: &str| push(message, "omadm", &secret, &nonce, sha256());
    let good = device.message(1, &replace("bad"));
    for (what, push) in [
        ("no proof", bare_push(&good, "")),
        ("no MAC", bare_push(&good, "x-syncml-hmac\0algorithm=SHA256, username=\"omadm\"\0")),
        ("wrong key", push(&good, "omadm", b"guessed", &nonce, sha256())),
        ("wrong nonce", push(&good, "omadm", &secret, b"guessed", sha256())),
        ("the default nonce", push(&good, "omadm", &secret, &[0; 4], sha256())),
        ("unknown server", push(&good, "nobody", &secret, &nonce, sha256())),
        ("a weak hash that is not allowed", push(&good, "omadm", &secret, &nonce, MessageDigest::md5())),
    ] {
        let refused = device.ignored(&push).await;
        assert!(refused.contains("does not prove which server"), "{what}: {refused}");
    }
    let get = "<Get><CmdID>2</CmdID><Item><Target><LocURI>./DevInfo</LocURI></Target></Item></Get>";
    let alert = "<Alert><CmdID>2</CmdID><Data>1100</Data><Item></Item><Item><Data>x</Data></Item></Alert>";
    let chunk = replace("bad").replace("</Data>", "</Data><MoreData/>");
    let nested = format!("<Sequence><CmdID>9</CmdID>{}{get}</Sequence>", replace("bad"));
    let with = |more: &str| device.message(1, &format!("{}{more}", replace("bad")));
    for (message, sentence) in [
        (with(get), "Get"),
        (with(alert), "Alert"),
        (
            with(
                "<Status><CmdID>2</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>",
            ),
            "Status",
        ),
        (with("<Results><CmdID>2</CmdID><CmdRef>1</CmdRef><Item><Data>x</Data></Item></Results>"), "Results"),
        (device.message(1, &nested), "Get"),
        (device.message(1, &chunk), "chunks"),
        (device.message(1, ""), "no commands"),
        (good.replace("<Final/>", ""), "not whole"),
        (good.replace("DM/1.3", "DM/1.2"), "VerProto"),
        (good.replace("<SessionID>0<", "<SessionID>1<"), "SessionID"),
        (good.replace("<MsgID>1<", "<MsgID>0<"), "MsgID"),
        (good.replace("<MsgID>1<", "<MsgID>one<"), "MsgID"),
        (good.replace(device.id(), "UUID:another"), "Target"),
        (good.replace("</SyncML>", ""), "cannot be read"),
    ] {
        let refused = device.ignored(&prove(&message)).await;
        assert!(refused.contains(sentence), "{sentence}: {refused}");
    }
    // What is good is taken after all that, so nothing of it was remembered.
    assert_eq!(device.hand(&prove(&good.replace("bad", "by hand"))).await, None);
    assert_eq!(device.note(&server).await, "by hand");
    // Without the setting nothing is taken, whoever proves it.
    device.restart("").await;
    let (_, datagram) =
        device.pushed(&server, &json!({ "verb": "set", "address": NOTE, "value": "off" })).await;
    assert!(device.ignored(&datagram).await.contains("in sessions only"));
    assert_eq!(device.note(&server).await, "by hand");
}

#[tokio::test]
async fn a_server_has_without_a_session_the_rights_that_it_has() {
    proves!("OMA-ERDEF-DM-C-004-O", "E13-DMSESS");
    let server = TestServer::start().await;
    let mut device = Device::granting(&server, 4, "sessionless = true", GRANTS).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.json");
    let credentials =
        |user: &str, password: &str| json!({ "type": "HMAC-SHA256", "user": user, "password": password });
    let account = json!({ "dm1": {
        "server_id": OTHER,
        "addresses": ["https://127.0.0.1:1/dm"],
        "client": credentials("dev", "a secret of the device"),
        "server": credentials(OTHER, OTHER_SECRET),
    } });
    std::fs::write(&file, account.to_string()).unwrap();
    let settings =
        format!("[dm1]\nsessionless = true\naccounts = [{:?}]\n{GRANTS}", file.display().to_string());
    device.restart(&settings).await;
    let of_other = |number: u64, value: &str, server: &str| {
        let message = device.message(number, &replace(value));
        push(&message, server, OTHER_SECRET.as_bytes(), NO_NONCE, sha256())
    };
    let (proved, stolen) = (of_other(1, "of another", OTHER), of_other(2, "stolen", "omadm"));
    let own = json!({ "verb": "set", "address": NOTE, "value": "own" });
    let (_, datagram) = device.pushed(&server, &own).await;
    assert_eq!(device.hand(&datagram).await, None);
    // The other one proves who it is, and may not: the message is taken, and does nothing.
    assert_eq!(device.hand(&proved).await, None);
    // Nor does it know the secret of the first.
    assert!(device.ignored(&stolen).await.contains("does not prove"));
    assert_eq!(device.note(&server).await, "own");
}

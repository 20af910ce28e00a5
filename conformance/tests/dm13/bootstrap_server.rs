//! Bootstraps of DM 1.x as operators make them (`DM 1.3 BOOT §5`): installed by the real agent, judged by tshark and libwbxml, fetched by curl.

use http::Method;
use omadm_codec::provisioning::ProvisioningDocument;
use omadm_codec::wsp::{self, Media, Push};
use omadm_codec::{Leniency, Limits};
use omadm_conformance::{AgentProcess, Authority, Dissection, Flaw, TestServer, libwbxml, omadm, proves};
use omadm_server::config::ClientCertificates;
use omadm_session::dm1::bootstrap::{Account, ContentType, Message, Provisioning};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::process::Command;

const IMSI: &str = "240011234567890";
const WBXML: &str = "application/vnd.syncml.dm+wbxml";
const ACCOUNT: &str = "urn:oma:mo:oma-dm-dmacc:1.1";

/// A place for the files of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn written(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// Has the operator's tool write a factory bootstrap; gives its file, and what else is told.
    async fn bootstrap(&self, server: &TestServer, device: &str, words: &[&str]) -> (String, Value) {
        let file = self.path("bootstrap");
        let options = server.operator_options();
        let mut all =
            vec!["bootstrap", "factory", "--device", device, "--output-file", &file, "--output", "json"];
        all.extend(options.iter().map(String::as_str));
        all.extend(words);
        let output = omadm(&all).await;
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        (file, serde_json::from_slice(&output.stdout).unwrap())
    }
}

fn device(number: usize) -> String {
    format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c5{number:03}")
}

/// An agent that knows its IMSI and takes no bootstrap by itself.
async fn agent(server: &TestServer, files: &Files, device: &str) -> AgentProcess {
    let network = files.written("network", format!("imsi {IMSI}\n").as_bytes());
    let settings = format!("[session]\npoll_interval = 0\n[dm1.bootstrap]\nnetwork_file = {network:?}");
    AgentProcess::new(&server.ca_file(), device, &settings).await
}

#[tokio::test]
async fn every_bootstrap_that_an_operator_makes_brings_a_device_to_its_server() {
    proves!("OMA-ERDEF-DM-S-002-O", "E13-DMBOOT");
    let server = TestServer::start().await;
    let files = Files::new();
    let cases: [(&str, &[&str]); 10] = [
        ("cp", &[]),
        ("cp", &["--xml"]),
        ("cp", &["--sec", "NETWPIN", "--imsi", IMSI]),
        ("cp", &["--sec", "USERPIN"]),
        ("cp", &["--sec", "USERNETWPIN", "--imsi", IMSI]),
        ("cp", &["--sec", "USERPINMAC"]),
        ("dm", &[]),
        ("dm", &["--sec", "NETWORKID", "--imsi", IMSI]),
        ("dm", &["--sec", "USERPIN"]),
        ("dm", &["--sec", "USERPIN_NETWORKID", "--imsi", IMSI]),
    ];
    for (number, (profile, words)) in cases.iter().enumerate() {
        let id = device(number);
        let agent = agent(&server, &files, &id).await;
        let words = [&["--profile", profile][..], words].concat();
        let (file, told) = files.bootstrap(&server, &id, &words).await;
        let file = file.as_str();
        if let Some(pin) = told["pin"].as_str() {
            // The other PIN has as many digits and is wrong in the first.
            let first = pin.as_bytes()[0] - b'0';
            let wrong = format!("{}{}", (first + 1) % 10, &pin[1..]);
            let refused = agent.refusal(&["bootstrap", file, "--pin", &wrong]).await;
            assert!(!refused.contains(pin), "{refused}");
            agent.run(&["bootstrap", file, "--pin", pin]).await;
        } else {
            let whole = std::fs::read(file).unwrap();
            if words.contains(&"--sec") {
                let mut changed = whole.clone();
                *changed.last_mut().unwrap() ^= 0x40;
                let changed = files.written("changed", &changed);
                agent.refusal(&["bootstrap", &changed]).await;
            }
            agent.run(&["bootstrap", file]).await;
        }
        let seen = server.get(&format!("/devices/{id}")).await;
        assert_eq!(seen["protocol"], "dm1.3", "{words:?}: {seen}");
        let get = json!({ "verb": "get", "address": format!("{ACCOUNT}//ServerID") });
        let command = server.queue_for(&id, &get).await;
        agent.session().await;
        let done = server.command(&command).await;
        assert_eq!(done["result"]["items"][0]["value"], "omadm", "{words:?}: {done}");
    }
}

#[tokio::test]
async fn a_first_session_needs_no_challenge() {
    proves!("E13-DMBOOT");
    let server = TestServer::start().await;
    let (files, id) = (Files::new(), device(100));
    let agent = agent(&server, &files, &id).await;
    let (file, _) = files.bootstrap(&server, &id, &["--profile", "dm"]).await;
    agent.run(&["bootstrap", &file]).await;
    let sessions = server.items(&format!("/devices/{id}/sessions")).await;
    let [session] = &sessions[..] else { panic!("{sessions:#?}") };
    let trace = server.get(&format!("/devices/{id}/sessions/{}", session["session"])).await;
    let trace = trace.to_string();
    assert!(trace.contains("<Status>"), "{trace}");
    assert!(!trace.contains("<Data>407</Data>") && !trace.contains("<Data>401</Data>"), "{trace}");
}

#[tokio::test]
async fn a_server_has_the_rights_that_its_bootstrap_says() {
    proves!("E13-4.3-13");
    let server = TestServer::start().await;
    let files = Files::new();
    let set = json!({ "verb": "set", "address": format!("{ACCOUNT}//Name"), "value": "renamed" });
    let get = json!({ "verb": "get", "address": format!("{ACCOUNT}//Name") });
    for (number, acl, status) in [(200, None, 200), (201, Some("Get=omadm"), 425)] {
        let id = device(number);
        let agent = agent(&server, &files, &id).await;
        let mut words = vec!["--profile", "dm"];
        words.extend(acl.into_iter().flat_map(|acl| ["--acl", acl]));
        let (file, _) = files.bootstrap(&server, &id, &words).await;
        agent.run(&["bootstrap", &file]).await;
        let (set, get) = (server.queue_for(&id, &set).await, server.queue_for(&id, &get).await);
        agent.session().await;
        assert_eq!(server.command(&set).await["status"], status, "{acl:?}");
        assert_eq!(server.command(&get).await["status"], 200, "{acl:?}");
    }
}

#[tokio::test]
async fn a_document_without_an_address_is_refused() {
    proves!("E13-ACw7DM");
    let server = TestServer::start().await;
    let (files, id) = (Files::new(), device(300));
    let agent = agent(&server, &files, &id).await;
    let (file, _) = files.bootstrap(&server, &id, &["--profile", "cp", "--xml"]).await;
    let whole = std::fs::read_to_string(&file).unwrap();
    let from = whole.find("<parm name=\"ADDR\"").unwrap();
    let to = from + whole[from..].find("/>").unwrap() + 2;
    let without = format!("{}{}", &whole[..from], &whole[to..]);
    let without = files.written("without", without.as_bytes());
    let refused = agent.refusal(&["bootstrap", &without]).await;
    assert!(refused.contains("address"), "{refused}");
    let status = agent.run(&["status", "--output", "json"]).await;
    assert!(!String::from_utf8_lossy(&status.stdout).contains("omadm\""), "nothing is installed");
    agent.run(&["bootstrap", &file]).await;
    assert_eq!(server.get(&format!("/devices/{id}")).await["protocol"], "dm1.3");
}

/// Has the server push a bootstrap to a socket; gives the datagram.
async fn pushed(server: &TestServer, number: usize, profile: &str, sec: &str) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut target = json!({ "id": device(number) });
    if sec.contains("NET") {
        target["imsi"] = IMSI.into();
    }
    let to = format!("udp:127.0.0.1:{port}");
    let new = json!({ "device": target, "profile": profile, "dm1": { "sec": sec }, "to": to });
    let reply = server.rest(Method::POST, "/bootstrap", Some(&new)).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    let mut octets = vec![0; 65_536];
    let length = socket.recv(&mut octets).await.unwrap();
    octets.truncate(length);
    octets
}

#[tokio::test]
async fn pushes_are_what_an_independent_dissector_makes_of_them() {
    proves!("E13-OMNA-CT-42", "OMA-ERDEF-DM-S-002-O");
    let server = TestServer::start().await;
    let files = Files::new();
    let cases = [
        ("cp", "NETWPIN", 0x00),
        ("cp", "USERPIN", 0x01),
        ("cp", "USERNETWPIN", 0x02),
        ("cp", "USERPINMAC", 0x03),
        ("dm", "NETWORKID", 0x00),
        ("dm", "USERPIN", 0x01),
        ("dm", "USERPIN_NETWORKID", 0x02),
    ];
    for (number, (profile, sec, code)) in cases.into_iter().enumerate() {
        let datagram = pushed(&server, 400 + number, profile, sec).await;
        let push = Push::decode(&datagram, &Limits::default()).unwrap();
        let content = ContentType::parse(&push.media.as_http().unwrap()).unwrap();
        let [seen] = &Dissection::of_pushes(&[&datagram])[..] else { panic!() };
        assert!(!seen.is_malformed(), "{sec}: {seen:?}");
        let shown = format!("{seen:?}");
        let media_type = if profile == "cp" { "application/vnd.wap.connectivity-wbxml" } else { WBXML };
        assert!(shown.contains(media_type), "{shown}");
        assert_eq!(seen.field("wsp.parameter.sec"), Some(format!("0x{code:02x}").as_str()), "{sec}");
        assert_eq!(seen.field("wsp.parameter.mac"), content.mac.as_deref(), "{sec}");
        let (version, public_id) =
            if profile == "cp" { ("0x03", "0x0000000b") } else { ("0x03", "0x00001201") };
        assert_eq!(seen.field("wbxml.version"), Some(version), "{shown}");
        assert_eq!(seen.field("wbxml.public_id.known"), Some(public_id), "{shown}");
        let file = files.written("datagram", &datagram);
        let decoded = omadm(&["decode", &file]).await;
        let decoded = String::from_utf8_lossy(&decoded.stdout).into_owned();
        let wanted = if profile == "cp" { "PROVIDER-ID omadm" } else { "./Inbox" };
        assert!(decoded.contains(wanted) && decoded.contains("SEC="), "{decoded}");
        if profile == "dm" {
            assert!(
                datagram.windows(3).any(|octets| octets == [0xC2, 0x91, 0x80 | code]),
                "the code of the type"
            );
            Message::read(push.body, &Limits::default(), &mut Leniency::strict()).unwrap();
        }
    }
}

#[tokio::test]
async fn the_codes_of_both_media_types_are_those_of_omna() {
    proves!("E13-OMNA-CT-42", "E13-OMNA-CT-43");
    let xml = br#"<SyncML xmlns="SYNCML:SYNCML1.2"/>"#;
    for (code, octet, media_type) in [
        (wsp::SYNCML_DM_WBXML_CODE, 0xC2, WBXML),
        (wsp::SYNCML_DM_XML_CODE, 0xC3, "application/vnd.syncml.dm+xml"),
    ] {
        let body: &[u8] = if octet == 0xC3 { xml } else { b"\x03\xa4\x01\x6a\x00\x2d" };
        let push = Push { transaction: 1, media: Media::code(code), headers: Vec::new(), body };
        let mut datagram = Vec::new();
        push.encode(&mut datagram);
        assert_eq!(datagram[3], octet);
        let read = Push::decode(&datagram, &Limits::default()).unwrap();
        assert_eq!(read.media.as_http().as_deref(), Some(media_type));
        let shown = format!("{:?}", Dissection::of_pushes(&[&datagram]));
        assert!(shown.contains(media_type), "{shown}");
    }
}

#[tokio::test]
async fn another_library_reads_the_same_document() {
    proves!("E13-ACw7DM");
    let server = TestServer::start().await;
    let files = Files::new();
    let words = ["--profile", "cp", "--apn", "dm.op", "--name", "Ünser & Co"];
    let (file, _) = files.bootstrap(&server, &device(500), &words).await;
    let octets = std::fs::read(&file).unwrap();
    let ours =
        ProvisioningDocument::from_wbxml(&octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    let theirs = libwbxml::to_xml("PROV10", &octets);
    let theirs = ProvisioningDocument::from_xml(theirs.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(theirs, ours);
    let read = Provisioning::of_document(&theirs).unwrap();
    assert_eq!(read.accounts[0].name.as_deref(), Some("Ünser & Co"));
    assert_eq!(read.networks[0].address.as_deref(), Some("dm.op"));
}

#[tokio::test]
async fn a_device_fetches_its_account_by_https() {
    proves!("E13-DMBOOT");
    let server = TestServer::with(|config| config.bootstrap.dm1 = true).await;
    let device = server.enrol(&device(600)).await;
    let files = Files::new();
    let body = files.path("body");
    let url = format!("https://localhost:{}/bootstrap", server.device_address().port());
    let get = async |user: &str, accept: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", &body, "-w", "%{http_code} %{content_type}", "--basic", "-u", user]);
        curl.args(["-H", &format!("Accept: {accept}"), "-H", &format!("OMADM-DevID: {}", device.device_id)]);
        let output = curl.arg("--cacert").arg(server.ca_file()).arg(&url).output().await;
        String::from_utf8(output.expect("curl is installed").stdout).unwrap()
    };
    let (user, secret) = &device.credentials;
    let right = format!("{user}:{secret}");
    assert_eq!(get(&right, WBXML).await, format!("200 {WBXML}"));
    let octets = std::fs::read(&body).unwrap();
    let message = Message::read(&octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    assert_eq!(message.device, device.device_id);
    let accounts = Account::all_of(&message.additions[0].document).unwrap();
    let own = accounts[0].credentials[0].secret.as_ref().unwrap();
    assert_eq!(own.expose(), secret.as_bytes());
    assert!(get(&format!("{user}:wrong"), WBXML).await.starts_with("401"));
    assert!(get(&right, "application/dmmo+json").await.starts_with("406"));
}

#[tokio::test]
async fn a_device_with_a_certificate_gets_an_account_without_secrets() {
    proves!("E13-DMBOOT");
    let clients = Authority::new();
    let server = TestServer::with(|config| {
        config.bootstrap.dm1 = true;
        config.tls.client_certificates = ClientCertificates::Optional;
        config.tls.client_ca = Some(clients.ca_file());
    })
    .await;
    let id = device(700);
    server.enrol(&id).await;
    let files = Files::new();
    let body = files.path("body");
    let url = format!("https://localhost:{}/bootstrap", server.device_address().port());
    for (issuer, status) in [(&Authority::new(), "000"), (&clients, "200")] {
        let (certificate, key) = issuer.issue(&id, Flaw::Nothing).files;
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", &body, "-w", "%{http_code}", "-H", &format!("Accept: {WBXML}")]);
        curl.arg("--cacert").arg(server.ca_file()).arg("--cert").arg(certificate).arg("--key").arg(key);
        let output = curl.arg(&url).output().await.expect("curl is installed");
        assert_eq!(String::from_utf8_lossy(&output.stdout), status);
    }
    let octets = std::fs::read(&body).unwrap();
    let message = Message::read(&octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    let accounts = Account::all_of(&message.additions[0].document).unwrap();
    assert!(accounts[0].credentials.is_empty() && accounts[0].preferred.is_none(), "{accounts:?}");
}

/// Runs the operator's tool, which has to succeed; gives what it prints.
async fn tool(server: &TestServer, words: &[&str]) -> String {
    let options = server.operator_options();
    let mut all = words.to_vec();
    all.extend(options.iter().map(String::as_str));
    let output = omadm(&all).await;
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_tool_pushes_and_makes_many_and_pictures() {
    proves!("OMA-ERDEF-DM-S-002-O");
    let server = TestServer::start().await;
    let (files, id) = (Files::new(), device(800));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port());
    let words = ["--profile", "cp", "--sec", "USERPIN", "--device", &id, "--to", &to];
    let told = tool(&server, &[&["bootstrap", "push"][..], &words].concat()).await;
    assert!(told.contains("is sent") && told.contains("The user has to type "), "{told}");
    let mut octets = vec![0; 65_536];
    let length = socket.recv(&mut octets).await.unwrap();
    let push = Push::decode(&octets[..length], &Limits::default()).unwrap();
    assert!(push.media.as_http().unwrap().contains("SEC=1"));
    let shown = tool(&server, &["bootstrap", "show", &id]).await;
    assert!(shown.contains("sent (cp, USERPIN)"), "{shown}");

    let list = files.written("list", format!("{} {IMSI}\n{} {IMSI}\n", device(801), device(802)).as_bytes());
    let out = files.path("out");
    let words =
        ["bootstrap", "batch", &list, "--profile", "dm", "--sec", "USERPIN_NETWORKID", "--output-dir", &out];
    let told = tool(&server, &words).await;
    assert_eq!(told.matches("The user has to type ").count(), 2, "{told}");
    let made: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 2);
    for file in &made {
        assert!(file.extension().is_some_and(|extension| extension == "dm"), "{}", file.display());
        assert!(
            std::fs::read(file).unwrap().starts_with(b"Content-Type: application/vnd.syncml.dm+wbxml; SEC=")
        );
    }

    let (id, picture) = (device(803), files.path("code.svg"));
    let words =
        ["bootstrap", "factory", "--profile", "cp", "--device", &id, "--qr", &picture, "--qr-terminal"];
    let shown = tool(&server, &words).await;
    assert!(shown.contains('\u{2588}'), "{shown}");
    assert!(std::fs::read_to_string(&picture).unwrap().contains("<svg"));
    let long = "x".repeat(3_000);
    let (id, file) = (device(804), files.path("long"));
    let options = server.operator_options();
    let words =
        ["bootstrap", "factory", "--profile", "cp", "--device", &id, "--name", &long, "--output-file", &file];
    let mut all = [&words[..], &["--qr-terminal"]].concat();
    all.extend(options.iter().map(String::as_str));
    let output = omadm(&all).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("2953") && told.contains("--url"), "{told}");
    assert!(std::fs::read(&file).unwrap().len() > 3_000, "the secrets are not lost with the picture");
}

//! Bootstraps of DM 1.x from the real server to the real agent, in files, by push and by HTTPS (`DM 1.3 BOOT`, `DM 1.3 SEC §5.10.2`), and the
//! Bootstrap Config object.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::{Command, Data, Encoding, Form, decode, encode, tnds};
use omadm_codec::{Leniency, Limits, ddf};
use omadm_conformance::{AgentProcess, Authority, TestServer, proves, xmllint};
use omadm_mo::ddf::{Catalogue, DdfName};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStderr;

use crate::processes::{carry_out, leaves};

const IMSI: &str = "240011234567890";
const CONFIG: &str = "urn:oma:mo:oma-dm-bootstrapcfg:1.0";
const ACCOUNT: &str = "urn:oma:mo:oma-dm-dmacc:1.1";
const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";

/// A server that also speaks to devices of DM 1.2, and from which bootstraps are fetched.
async fn server() -> TestServer {
    TestServer::with(|config| {
        config.dm1.schemes.push(Scheme::Md5);
        config.bootstrap.dm1 = true;
    })
    .await
}

/// A bootstrap as the server made it.
struct Made {
    content_type: String,
    octets: Vec<u8>,
    pin: Option<String>,
}

async fn make(server: &TestServer, id: &str, profile: &str, dm1: Value, more: Value) -> Made {
    let mut device = json!({ "id": id, "replace": true });
    device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let wish = json!({ "device": device, "profile": profile, "dm1": dm1 });
    let answer = server.rest(Method::POST, "/bootstrap", Some(&wish)).await;
    assert_eq!(answer.status, 201, "{wish}: {}", String::from_utf8_lossy(&answer.body));
    let made = answer.json()["dm1"].clone();
    Made {
        content_type: made["content_type"].as_str().unwrap().to_owned(),
        octets: STANDARD.decode(made["content_base64"].as_str().unwrap()).unwrap(),
        pin: made["pin"].as_str().map(str::to_owned),
    }
}

/// An address on the server.
fn at(server: &TestServer, path: &str) -> String {
    format!("https://{}{path}", server.device_address())
}

/// Files of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// A bootstrap with its media type in a head.
    fn bootstrap(&self, made: &Made) -> String {
        let head = format!("Content-Type: {}\r\n\r\n", made.content_type);
        self.write("bootstrap", [head.as_bytes(), &made.octets].concat())
    }
}

async fn accounts(agent: &AgentProcess) -> usize {
    let status = agent.run(&["status", "--output", "json"]).await.stdout;
    serde_json::from_slice::<Value>(&status).unwrap()["dm1_accounts"].as_array().unwrap().len()
}

fn id(number: u32) -> String {
    format!("UUID:2f0f8f51-4b8e-4b5c-9c8b-6f1d5a1d{number:04}")
}

#[tokio::test]
async fn each_profile_with_each_security_ends_in_a_session() {
    proves!(
        "P13-DMBOOT-5.3-01",
        "P13-DMBOOT-5.5-02",
        "P13-DMBOOT-5.5-03",
        "P13-DMSEC-5.10.2.1-01",
        "P13-DMSEC-5.10.2.3-01",
        "P13-DMSEC-5.10.2.3.1-01",
        "E13-DMBOOT",
        "OMA-ERDEF-DM-C-001-M"
    );
    let (server, files) = (server().await, Files::new());
    let network = |imsi: &str| files.write(imsi, format!("imsi {imsi}\n"));
    let other_imsi = "240011234567891";
    for (number, (profile, sec)) in [
        ("cp", "NETWPIN"),
        ("cp", "USERPIN"),
        ("cp", "USERNETWPIN"),
        ("cp", "USERPINMAC"),
        ("dm", "NETWORKID"),
        ("dm", "USERPIN"),
        ("dm", "USERPIN_NETWORKID"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id(u32::try_from(number).unwrap());
        let imsi = if sec.contains("NETW") { json!({ "imsi": IMSI }) } else { json!({}) };
        let made = make(&server, &id, profile, json!({ "sec": sec }), imsi.clone()).await;
        let file = files.bootstrap(&made);
        let settings = |imsi: &str| format!("[dm1.bootstrap]\nnetwork_file = {:?}\n", network(imsi));
        let right = made.pin.clone().unwrap_or_default();
        let wrong: String =
            right.chars().map(|digit| char::from((digit as u8 - b'0' + 1) % 10 + b'0')).collect();
        let pin =
            |pin: &str| if pin.is_empty() { Vec::new() } else { vec!["--pin".to_owned(), pin.to_owned()] };

        let agent = AgentProcess::new(&server.ca_file(), &id, &settings(other_imsi)).await;
        let said = async |pin: &[String]| {
            let words = ["bootstrap", &file].into_iter().chain(pin.iter().map(String::as_str));
            agent.output(&words.collect::<Vec<_>>()).await
        };
        if !imsi.as_object().unwrap().is_empty() {
            let refused = said(&pin(&right)).await;
            assert!(!refused.status.success(), "{sec} of another card");
        }
        agent.configure(&settings(IMSI));
        if !right.is_empty() {
            let refused = said(&pin(&wrong)).await;
            assert!(!refused.status.success(), "{sec} by another PIN");
        }
        assert_eq!(accounts(&agent).await, 0, "{sec}");
        let done = said(&pin(&right)).await;
        let (told, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(
            done.status.success() && told.contains("session with omadm by DM/1.3 ended"),
            "{sec}: {told} {errors}"
        );
        let done = carry_out(&server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
        assert!(leaves(&done[0])[0].1.is_string(), "{sec}");
    }
}

/// The message of a bootstrap with its document as it is in XML, opaque or as text.
fn unwrapped(message: &[u8], as_text: bool) -> Vec<u8> {
    let (limits, mut leniency) = (Limits::default(), Leniency::strict());
    let decoded = decode(message, Encoding::Wbxml, &limits, &mut leniency).unwrap();
    let mut message = decoded.message;
    let Command::Operation(add) = &mut message.commands[0] else { panic!("an Add") };
    let item = &mut add.items[0];
    let Some(Data::Opaque(octets)) = &item.data else { panic!("a document in WBXML") };
    let document = tnds::read(octets, Encoding::Wbxml, &limits, &mut leniency).unwrap();
    let xml = tnds::write(&document, Form::Xml);
    item.meta.media_type = Some(tnds::TNDS_XML.into());
    if as_text {
        item.meta.format = Some("xml".into());
        item.data = Some(Data::Text(String::from_utf8(xml).unwrap().into()));
    } else {
        item.data = Some(Data::Opaque(xml.into()));
    }
    encode(&message, decoded.form)
}

#[tokio::test]
async fn objects_come_as_embedded_wbxml_and_as_they_are() {
    proves!("P13-DMBOOT-5.5-01");
    let (server, files) = (server().await, Files::new());
    for number in 100..103 {
        let id = id(number);
        let made = make(&server, &id, "dm", json!({}), json!({})).await;
        let octets = match number {
            100 => made.octets,
            _ => unwrapped(&made.octets, number == 101),
        };
        let file = files.write("message", octets);
        let agent = AgentProcess::new(&server.ca_file(), &id, "").await;
        agent.run(&["bootstrap", &file]).await;
        let done = carry_out(&server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
        assert!(leaves(&done[0])[0].1.is_string(), "{number}");
    }
}

#[tokio::test]
async fn a_provisioning_document_with_w7_is_an_account() {
    proves!("E13-ACw7DM");
    let (server, files) = (server().await, Files::new());
    let id = id(200);
    let made = make(&server, &id, "cp", json!({ "encoding": "xml" }), json!({})).await;
    let xml = String::from_utf8(made.octets).unwrap();
    let agent = AgentProcess::new(&server.ca_file(), &id, "").await;
    let without = |from: &str| {
        let start = xml.find(from).unwrap();
        let end = start + xml[start..].find("/>").unwrap() + 2;
        files.write("broken", xml.replace(&xml[start..end], ""))
    };
    for missing in ["<parm name=\"ADDR\"", "<parm name=\"PROVIDER-ID\""] {
        let said = agent.refusal(&["bootstrap", &without(missing)]).await;
        assert!(said.contains("has no"), "{missing}: {said}");
        assert_eq!(accounts(&agent).await, 0);
    }
    agent.run(&["bootstrap", &files.write("whole", &xml)]).await;
    let done =
        carry_out(&server, &agent, &[json!({ "verb": "get", "address": format!("{ACCOUNT}//") })]).await;
    let values = leaves(&done[0]);
    let value = |end: &str| {
        let found = values.iter().find(|(address, _)| address.ends_with(end));
        found.unwrap_or_else(|| panic!("{end} in {values:?}")).1.clone()
    };
    assert_eq!((value("/AppID"), value("/ServerID")), (json!("w7"), json!("omadm")));
    assert_eq!(value("/AppAddr/1/Addr"), json!(at(&server, "/dm")));
    assert!(!values.iter().any(|(address, _)| address.ends_with("Secret") || address.ends_with("AAuthData")));
}

type Log = Lines<BufReader<ChildStderr>>;

async fn logged(log: &mut Log, text: &str) -> String {
    loop {
        let line = log.next_line().await.unwrap().expect("the agent goes on");
        if line.contains(text) {
            return line;
        }
    }
}

async fn push(server: &TestServer, id: &str, profile: &str, sec: &str, to: &str, pin: Option<&str>) {
    let mut device = json!({ "id": id, "replace": true });
    match pin {
        Some(pin) => device["pin"] = json!(pin),
        None => device["imsi"] = json!(IMSI),
    }
    let wish = json!({ "device": device, "profile": profile, "dm1": { "sec": sec }, "to": to });
    let answer = server.rest(Method::POST, "/bootstrap", Some(&wish)).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}

#[tokio::test]
async fn pushed_bootstraps_are_installed_when_they_are_proved_and_nobody_is_answered() {
    proves!("E13-DMBOOT");
    let (server, files) = (server().await, Files::new());
    let network = files.write("network", format!("imsi {IMSI}\n"));
    let (asked, pin) = (files.0.path().join("asked"), files.write("pin", "1234\n"));
    let command = format!("cat >> {asked:?}; cat {pin:?}");
    let settings = format!(
        "[session]\npoll_interval = 0\n[notification]\nenabled = true\nlisten = \"127.0.0.1:0\"\n\
         [dm1]\nuser = \"command\"\nuser_command = [\"sh\", \"-c\", {command:?}]\n\
         [dm1.bootstrap]\nnetwork_file = {network:?}\n"
    );
    let id = id(300);
    let agent = AgentProcess::new(&server.ca_file(), &id, &settings).await;
    let mut process = agent.start();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let line = logged(&mut log, "listening for notifications").await;
    let to = format!("udp:127.0.0.1:{}", line.rsplit_once("127.0.0.1:").unwrap().1.trim());

    push(&server, &id, "dm", "USERPIN", &to, Some("9999")).await;
    let line = logged(&mut log, "is dropped").await;
    assert!(line.contains("not authentic"), "{line}");
    let questions = std::fs::read_to_string(&asked).unwrap();
    assert_eq!(questions.matches("\"kind\":\"pin\"").count(), 3, "{questions}");
    assert!(!questions.contains("omadm"), "nothing of it is shown: {questions}");
    assert_eq!(accounts(&agent).await, 0);
    push(&server, &id, "cp", "NETWPIN", &to, None).await;
    logged(&mut log, "is installed").await;
    logged(&mut log, "DM 1.x session ended").await;
    assert_eq!(accounts(&agent).await, 1);
    let sessions = server.items(&format!("/devices/{id}/sessions")).await;
    assert_eq!(sessions.len(), 1, "the session is all that the server hears: {sessions:?}");
    // The account came by the network alone, so that a message under a PIN counts for more; its sender has to be patient first.
    push(&server, &id, "dm", "USERPIN", &to, Some("1234")).await;
    let line = logged(&mut log, "is dropped").await;
    assert!(line.contains("too early"), "{line}");
}

#[tokio::test]
async fn a_pin_that_somebody_has_at_hand_lets_a_push_in() {
    proves!("P13-DMSEC-5.10.2.3-01");
    let (server, files) = (server().await, Files::new());
    let tries = files.0.path().join("tries");
    // Nobody is there for the first try of the second message.
    let command = format!("echo x >> {tries:?}; echo 1234");
    let settings = format!(
        "[session]\npoll_interval = 0\n[notification]\nenabled = true\nlisten = \"127.0.0.1:0\"\n\
         [dm1]\nuser = \"command\"\nuser_command = [\"sh\", \"-c\", {command:?}]\n"
    );
    let id = id(301);
    let agent = AgentProcess::new(&server.ca_file(), &id, &settings).await;
    let mut process = agent.start();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let line = logged(&mut log, "listening for notifications").await;
    let to = format!("udp:127.0.0.1:{}", line.rsplit_once("127.0.0.1:").unwrap().1.trim());
    push(&server, &id, "dm", "USERPIN", &to, Some("1234")).await;
    logged(&mut log, "is installed").await;
    logged(&mut log, "DM 1.x session ended").await;
    assert_eq!(std::fs::read_to_string(&tries).unwrap(), "x\n");
}

/// Settings of an agent that looks for a bootstrap at an address, with the secret of its enrolment.
async fn seeking(server: &TestServer, files: &Files, id: &str, url: &str) -> String {
    let request = json!({ "id": id });
    let enrolled = server.rest(Method::POST, "/devices", Some(&request)).await.json();
    let secret = files.write("secret", enrolled["secret"].as_str().unwrap());
    format!(
        "[session]\npoll_interval = 0\n[dm1.bootstrap]\nurl = {url:?}\nauth = \"http-basic\"\nuser = {}\nsecret_file = {secret:?}\n",
        enrolled["user"]
    )
}

#[tokio::test]
async fn an_agent_without_an_account_fetches_one_by_https() {
    proves!("P13-DMSEC-5.10.2.1-02", "E13-4.3-04", "E13-4.3-05");
    let (server, files) = (server().await, Files::new());
    let id = id(400);
    let url = at(&server, "/bootstrap");
    let settings = seeking(&server, &files, &id, &url).await;
    let stranger = Authority::new();
    let distrusting = AgentProcess::new(&stranger.ca_file(), &id, &settings).await;
    let said = distrusting.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("worth another try"), "{said}");
    assert_eq!(accounts(&distrusting).await, 0);

    let agent = AgentProcess::new(&server.ca_file(), &id, &settings).await;
    let mut process = agent.start();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    logged(&mut log, "bootstrap fetched and installed").await;
    logged(&mut log, "DM 1.x session ended").await;
    process.kill().await.unwrap();
    let done = carry_out(&server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
    assert!(leaves(&done[0])[0].1.is_string());

    // Whoever knows a wrong password is not let in, and asks no more.
    let wrong = files.write("wrong", "wrong");
    let other = AgentProcess::new(
        &server.ca_file(),
        &id,
        &settings.replace(&files.0.path().join("secret").display().to_string(), &wrong),
    )
    .await;
    let said = other.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("answered 401"), "{said}");
}

#[tokio::test]
async fn the_address_on_a_card_goes_before_that_of_the_factory_and_after_the_object() {
    proves!("E13-4.3-05");
    let (server, files) = (server().await, Files::new());
    let id = id(401);
    let nowhere = at(&server, "/nowhere");
    let card = files.write("card", at(&server, "/bootstrap?of=card\n"));
    let settings = seeking(&server, &files, &id, &nowhere).await;
    let agent =
        AgentProcess::new(&server.ca_file(), &id, &format!("{settings}smartcard_file = {card:?}\n")).await;
    // The card's server does not get the credentials that are for the factory's, and so refuses: it was asked first.
    let said = agent.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("of=card answered 401"), "{said}");
    let bad = files.write("bad", "http://insecure.example/");
    agent.configure(&format!("{settings}smartcard_file = {bad:?}\n"));
    let said = agent.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("no bootstrap server has anything"), "{said}");
}

#[tokio::test]
async fn the_bootstrap_config_object_is_served_and_changes_where_the_device_bootstraps() {
    proves!(
        "P13-DMBOOT-6.3-01",
        "P13-DMBOOT-6.3-02",
        "P13-DMBOOT-6.3-04",
        "E13-4.3-06",
        "E13-OMNA-MO-bootstrapcfg",
        "E13-BootConfigDDF"
    );
    let server = server().await;
    let id = id(500);
    let grant = format!(
        "[access]\ngrants = [{{ moid = {CONFIG:?}, server = \"omadm\", rights = [\"read\", \"write\"] }}]\n"
    );
    let agent = AgentProcess::with_dm1(&server, &id, &json!({}), &grant).await;
    described_by_its_file(&server, &agent).await;

    let done =
        carry_out(&server, &agent, &[json!({ "verb": "get", "address": "./BootstrapConfig?prop=Type" })])
            .await;
    assert!(done[0]["result"].to_string().contains(CONFIG), "{}", done[0]);
    let said = agent.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("no bootstrap server has anything"), "{said}");

    let leaf = |name: &str, value: Value| {
        let address = format!("./BootstrapConfig/BootstrapServer/1/{name}");
        json!({ "verb": "set", "address": address, "value": value })
    };
    let url = at(&server, "/bootstrap?of=object");
    let done = carry_out(&server, &agent, &[leaf("URL", json!(url)), leaf("Priority", json!("1"))]).await;
    assert_eq!((&done[0]["state"], &done[1]["state"]), (&json!("done"), &json!("done")), "{done:#?}");
    // It has to prove itself there, which it cannot yet: so it is known where it went.
    let said = agent.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("of=object answered 401"), "{said}");

    let done = carry_out(&server, &agent, &[leaf("URL", json!(at(&server, "/bootstrap?of=change")))]).await;
    assert_eq!(done[0]["state"], "done", "{}", done[0]);
    let said = agent.refusal(&["bootstrap", "--discover"]).await;
    assert!(said.contains("of=change answered 401"), "{said}");
    let result = json!({ "verb": "get", "address": format!("{CONFIG}//LastResult") });
    let done = carry_out(&server, &agent, &[leaf("URL", json!("http://insecure.example/")), result]).await;
    assert_eq!(done[0]["state"], "failed", "{}", done[0]);
    assert!(leaves(&done[1])[0].1.as_str().unwrap().contains("of=change answered 401"), "{}", done[1]);
}

/// The file of the object is valid, and the tree has what it demands and nothing else.
async fn described_by_its_file(server: &TestServer, agent: &AgentProcess) {
    let file = "MO_dm_bootconfig-v1_3.ddf";
    let fetched = server.fetch_ddf(file).await;
    assert_eq!(fetched.status, 200);
    let text = String::from_utf8(fetched.body.to_vec()).unwrap();
    xmllint::validate_ddf(&text);
    let decoded = ddf::decode(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(decoded.warnings, Vec::<String>::new());
    let mut catalogue = Catalogue::new();
    catalogue.add(&decoded.ddf, file);
    let required =
        catalogue.get(CONFIG).unwrap().root.children.iter().filter(|node| node.occurrence.is_required());
    let names: BTreeSet<String> = required
        .map(|node| match &node.name {
            DdfName::Named(name) => name.to_string(),
            DdfName::Unnamed(_) => panic!("nothing below the root is un-named"),
        })
        .collect();
    let gets: Vec<Value> = names
        .iter()
        .map(|name| json!({ "verb": "get", "address": format!("./BootstrapConfig/{name}") }))
        .collect();
    for (done, name) in carry_out(server, agent, &gets).await.iter().zip(&names) {
        assert_eq!((&done["state"], done["status"].as_u64()), (&json!("done"), Some(200)), "{name}: {done}");
    }
    let done = carry_out(server, agent, &[json!({ "verb": "get", "address": "./BootstrapConfig" })]).await;
    let served: BTreeSet<String> = leaves(&done[0])
        .into_iter()
        .map(|(address, _)| Path::new(&address).file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(served.iter().all(|name| names.contains(name)), "{served:?} beside {names:?}");
}

#[tokio::test]
async fn a_new_server_has_the_rights_that_the_device_lets_it_have() {
    proves!("E13-4.3-13");
    let (server, files) = (server().await, Files::new());
    let name = json!({ "verb": "set", "address": format!("{ACCOUNT}//Name"), "value": "mine" });
    let read = json!({ "verb": "get", "address": format!("{ACCOUNT}//Name") });
    for (number, (settings, acl, status)) in [
        ("", None, 200),
        ("", Some("Get=omadm"), 425),
        ("[dm1.bootstrap]\nrights = [\"get\"]\n", None, 425),
        ("[dm1.bootstrap]\nrights = [\"get\"]\n", Some("Add=*&Get=*&Replace=*"), 425),
        ("[dm1.bootstrap]\nrights = [\"get\", \"replace\"]\n", Some("Get=omadm&Replace=omadm"), 200),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id(600 + u32::try_from(number).unwrap());
        let wish = acl.map_or(json!({}), |acl| json!({ "acl": acl }));
        let made = make(&server, &id, "dm", wish, json!({})).await;
        let agent = AgentProcess::new(&server.ca_file(), &id, settings).await;
        agent.run(&["bootstrap", &files.write("message", &made.octets)]).await;
        let done = carry_out(&server, &agent, &[name.clone(), read.clone()]).await;
        assert_eq!(done[0]["status"].as_u64(), Some(status), "{settings:?} {acl:?}: {}", done[0]);
        assert_eq!(done[1]["status"].as_u64(), Some(200), "{}", done[1]);
    }
}

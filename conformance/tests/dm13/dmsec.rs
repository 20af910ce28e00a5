//! Security of DM 1.3 in the application layer, with the real agent: who is who, and what is on the wire for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_auth::dm1::Scheme;
use omadm_conformance::{AgentProcess, Relay, ScriptDevice, TestServer, Turn, proves};
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};

use crate::processes::carry_out;

const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";
const XML: &str = "application/vnd.syncml.dm+xml";

fn id(number: u32) -> String {
    format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c4{number:03}")
}

/// The text of the first element of this name.
fn element<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(&format!("<{name}"))?;
    let (_, rest) = rest.split_once('>')?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn set() -> Value {
    json!({ "verb": "set", "address": NOTE, "value": "written" })
}

#[tokio::test]
async fn both_sides_prove_who_they_are_before_anything_is_done() {
    proves!(
        "P13-DMSEC-5.4-01",
        "P13-DMSEC-5.4-02",
        "P13-DMSEC-5.4-03",
        "P13-DMSEC-5.4-04",
        "P13-DMREPU-7.1.2-01"
    );
    let server = TestServer::start().await;
    let relay = Relay::before(&server).await;
    let digest = json!({ "encoding": "xml", "client": { "type": "SHA256" }, "server": { "type": "SHA256" } });
    let (agent, account) = AgentProcess::behind(&relay, &server, &id(1), &digest, "").await;
    agent.run(&["bootstrap", &account]).await;
    let done = carry_out(&server, &agent, &[set()]).await;
    assert_eq!(done[0]["state"], "done");
    let sent: Vec<String> = relay.heard().iter().map(|message| message.text()).collect();
    let credentials = sent.iter().filter_map(|message| element(message, "Cred")).collect::<Vec<_>>();
    assert!(credentials.iter().any(|cred| cred.contains("syncml:auth-sha256")), "{sent:#?}");
    let challenged = sent.iter().any(|message| element(message, "Chal").is_some());
    assert!(challenged, "the device asks the server for the proof that its account has: {sent:#?}");

    for (number, wrong, side) in [
        (2, json!({ "client": { "password": "not this one" } }), "client"),
        (3, json!({ "server": { "password": "not this one" } }), "server"),
    ] {
        let agent = AgentProcess::new(&server.ca_file(), &id(number), "").await;
        let account = agent.dm1_account(&server, &wrong).await;
        let queued = server.queue_for(&agent.device_id, &set()).await;
        let output = agent.output(&["bootstrap", &account.display().to_string()]).await;
        assert!(!output.status.success(), "{side}");
        assert_ne!(server.command(&queued).await["state"], "done", "{side}");
        let note = agent.run(&["tree", NOTE, "--output", "json"]).await;
        let note: Value = serde_json::from_slice(&note.stdout).unwrap();
        assert_eq!(note[0]["value"], "", "{side}: nothing is carried out");
    }
}

fn md5(octets: &[u8]) -> Vec<u8> {
    hash(MessageDigest::md5(), octets).unwrap().to_vec()
}

#[tokio::test]
async fn md5_digests_are_over_the_last_nonce_and_good_once() {
    proves!(
        "P13-DMSEC-5.3-02",
        "P13-DMSEC-5.4-05",
        "P13-DMREPU-7.1.6-01",
        "P13-DMREPU-7.1.12-01",
        "P13-DMREPU-7.4-05"
    );
    let server = TestServer::with(|config| config.dm1.schemes = vec![Scheme::Md5]).await;
    let relay = Relay::before(&server).await;
    let more = json!({ "encoding": "xml", "version": "1.2", "client": { "type": "DIGEST" }, "server": null });
    let settings = "[dm1]\nschemes = [\"md5\"]";
    let (agent, account) = AgentProcess::behind(&relay, &server, &id(5), &more, settings).await;
    let written: Value = serde_json::from_slice(&std::fs::read(&account).unwrap()).unwrap();
    let client = &written["dm1"]["client"];
    let (user, password) = (client["user"].as_str().unwrap(), client["password"].as_str().unwrap());
    agent.run(&["bootstrap", &account]).await;
    agent.session().await;
    let first = relay.heard();
    let nonces: Vec<Vec<u8>> = relay
        .said()
        .iter()
        .filter_map(|reply| {
            element(&String::from_utf8_lossy(&reply.body), "NextNonce")
                .map(|text| STANDARD.decode(text).unwrap())
        })
        .collect();
    assert!(!nonces.is_empty(), "the nonce is renewed");
    agent.session().await;
    let message = relay.heard().swap_remove(0);
    let text = message.text();
    assert_eq!(element(&text, "LocName"), Some(user));
    let cred = element(&text, "Cred").unwrap();
    assert!(cred.contains("syncml:auth-md5"), "{cred}");
    let key = STANDARD.encode(md5(format!("{user}:{password}").as_bytes()));
    let expected = STANDARD.encode(md5(&[key.as_bytes(), b":", nonces.last().unwrap()].concat()));
    assert_eq!(element(cred, "Data"), Some(expected.as_str()));

    // What was good once is good no more.
    let replay = ScriptDevice {
        address: server.device_address(),
        ca_file: server.ca_file(),
        device_id: String::new(),
        credentials: (String::new(), String::new()),
    };
    let old = first.iter().rev().find(|message| element(&message.text(), "Cred").is_some()).unwrap();
    let reply = replay.send(Method::POST, "/dm", &[("content-type", XML)], &old.body).await;
    let reply = String::from_utf8_lossy(&reply.body).into_owned();
    let status = element(&reply, "Status").unwrap();
    let code = status.rsplit_once("<Data>").unwrap().1;
    assert!(code.starts_with("401"), "{reply}");
}

#[tokio::test]
async fn each_message_has_a_mac_and_a_changed_one_ends_the_session() {
    proves!("P13-DMSEC-5.6-01");
    let server = TestServer::start().await;
    let relay = Relay::before(&server).await;
    let (agent, account) = AgentProcess::behind(&relay, &server, &id(6), &json!({}), "").await;
    agent.run(&["bootstrap", &account]).await;
    carry_out(&server, &agent, &[set()]).await;
    for message in relay.heard() {
        let mac = message.header("x-syncml-hmac").unwrap();
        assert!(mac.contains("algorithm=SHA256") && mac.contains("username="), "{mac}");
    }
    for reply in relay.said() {
        assert!(reply.header("x-syncml-hmac").is_some());
    }

    let queued = server
        .queue_for(&agent.device_id, &json!({ "verb": "set", "address": NOTE, "value": "changed" }))
        .await;
    relay.script([Turn::Spoilt]);
    let output = agent.output(&["session"]).await;
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let note = agent.run(&["tree", NOTE, "--output", "json"]).await;
    let note: Value = serde_json::from_slice(&note.stdout).unwrap();
    assert_eq!(note[0]["value"], "written", "a message that was changed has no effect");
    assert_ne!(server.command(&queued).await["state"], "done");
}

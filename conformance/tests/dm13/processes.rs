//! The real agent in a process of its own against the server under test, by DM 1.x.

use http::Method;
use omadm_conformance::{AgentProcess, TestServer, proves};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::process::Command;

const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";

/// Queues commands, lets the agent run a session, and gives the commands as the operator then sees them, in their order.
pub async fn carry_out(server: &TestServer, agent: &AgentProcess, requests: &[Value]) -> Vec<Value> {
    let mut ids = Vec::new();
    for request in requests {
        ids.push(server.queue_for(&agent.device_id, request).await);
    }
    let report = agent.session().await;
    assert!(report["outcome"]["ended"].is_object(), "{report}");
    let mut done = Vec::new();
    for id in ids {
        done.push(server.command(&id).await);
    }
    done
}

/// Address and value of each leaf that a command brought.
pub fn leaves(command: &Value) -> Vec<(String, Value)> {
    assert_eq!(command["state"], "done", "{command}");
    let items = command["result"]["items"].as_array().unwrap();
    let leaf = |item: &Value| Some((item["address"].as_str()?.to_owned(), item.get("value")?.clone()));
    items.iter().filter_map(leaf).collect()
}

#[tokio::test]
async fn operators_say_the_same_whatever_the_device_speaks() {
    proves!(
        "P13-DMPRO-6-01",
        "P13-DMPRO-6-02",
        "P13-DMPRO-5-01",
        "P13-DMREPU-6.1-01",
        "P13-DMREPU-6.1-02",
        "P13-HTTPBinding-4-01",
        "OMA-ERDEF-DM-C-006-O"
    );
    let server = TestServer::start().await;
    for (number, more) in
        [json!({}), json!({ "encoding": "xml" }), json!({ "version": "1.2" })].iter().enumerate()
    {
        let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1{number:03}");
        let agent = AgentProcess::with_dm1(&server, &id, more, "").await;
        let done = carry_out(
            &server,
            &agent,
            &[
                json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" }),
                json!({ "verb": "set", "address": NOTE, "value": "written" }),
                json!({ "verb": "get", "address": NOTE }),
                json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Compact" }),
                json!({ "verb": "delete", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" }),
                json!({ "verb": "get", "address": "./None" }),
            ],
        )
        .await;
        let states: Vec<_> =
            done.iter().map(|command| (command["state"].as_str(), command["status"].as_u64())).collect();
        let good = (Some("done"), Some(200));
        let expected = [good, good, good, good, (Some("failed"), Some(425)), (Some("failed"), Some(404))];
        assert_eq!(states, expected, "{more}: {done:#?}");
        assert_eq!(leaves(&done[2])[0].1, "written");
        assert!(leaves(&done[0])[0].1.is_string());
    }
}

#[tokio::test]
async fn a_device_of_dm_1_1_is_addressed_by_paths() {
    proves!("E13-4.1-01");
    let server = TestServer::start().await;
    let more = json!({ "version": "1.1", "encoding": "xml" });
    let agent = AgentProcess::with_dm1(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1100", &more, "").await;
    let done = carry_out(
        &server,
        &agent,
        &[
            json!({ "verb": "set", "address": "./Agent/Note", "value": "written" }),
            json!({ "verb": "get", "address": "./Agent/Note" }),
            json!({ "verb": "exec", "address": "./Agent/Operations/Compact" }),
        ],
    )
    .await;
    assert_eq!(leaves(&done[1])[0].1, "written");
    assert_eq!(done[2]["state"], "done", "{done:#?}");
    let shown = server.get(&format!("/devices/{}", agent.device_id)).await;
    assert_eq!(shown["protocol"], "dm1.1");
}

/// Reads a resource of the server until it is as it has to be.
async fn until(server: &TestServer, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    loop {
        let shown = server.get(path).await;
        if is(&shown) {
            return shown;
        }
        tokio::task::yield_now().await;
    }
}

async fn run(program: &str, arguments: &[&str]) {
    assert!(
        Command::new(program).args(arguments).status().await.unwrap().success(),
        "{program} {arguments:?}"
    );
}

/// An execution that goes on after its session: 202, then a session of the device's own with a Generic Alert.
#[tokio::test]
async fn the_end_of_an_execution_comes_in_a_later_session() {
    proves!("OMA-ERDEF-DM-S-001-M", "P13-DMPRO-6.7-01");
    let server = TestServer::start().await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1200";
    let agent = AgentProcess::with_dm1(&server, id, &json!({}), "").await;
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    run("mkfifo", &[gate.to_str().unwrap()]).await;
    // It ends when what writes to the gate is gone.
    agent.configure(&format!(
        "[session]\npoll_interval = 0\n[maintenance]\ncommand = [\"grep\", \"-q\", \"good\", {gate:?}]"
    ));
    let mut process = agent.start();
    agent.ready().await;
    let maintain = json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Maintain" });
    let sessions = format!("/devices/{id}/sessions");
    for (said, state, status) in [("good\n", "done", 200), ("bad\n", "failed", 500)] {
        let command = server.queue_for(id, &maintain).await;
        let path = format!("/commands/{command}");
        run("kill", &["-HUP", &process.id().unwrap().to_string()]).await;
        let accepted = until(&server, &path, |command| command["status"] == 202).await;
        assert_eq!(accepted["state"], "sent", "{accepted}");
        let before = server.items(&sessions).await.len();

        let mut writer = loop {
            // Until somebody reads there is nothing to write to.
            match pipe::OpenOptions::new().open_sender(&gate) {
                Ok(writer) => break writer,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        writer.write_all(said.as_bytes()).await.unwrap();
        drop(writer);
        let ended = until(&server, &path, |command| command["state"] != "sent").await;
        assert_eq!((&ended["state"], &ended["status"]), (&json!(state), &json!(status)), "{ended}");
        let alert = &ended["result"]["alert"];
        assert_eq!((&alert["code"], &alert["data"]), (&json!(1226), &json!(status.to_string())), "{ended}");
        assert_eq!(alert["correlator"], command.replace('-', ""), "{ended}");
        let source = alert["source"].as_str().unwrap();
        assert!(source.ends_with("/Operations/Maintain"), "{ended}");
        assert_eq!(server.items(&sessions).await.len(), before + 1, "in a session of the device's own");
    }
    let unknown = server.rest(Method::GET, &format!("/devices/{id}/commands?limit=10"), None).await;
    let commands = unknown.json();
    assert_eq!(commands["items"].as_array().unwrap().len(), 2, "each was sent once: {commands}");
    process.kill().await.unwrap();
}

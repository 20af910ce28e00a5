//! The real agent in a process of its own against the server under test.

use omadm_conformance::{AgentProcess, TestServer, proves};
use serde_json::{Value, json};

const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2//";
const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";

/// Queues commands, lets the agent run a session, and gives the commands as the operator then sees them, in their order.
async fn carry_out(server: &TestServer, agent: &AgentProcess, requests: &[Value]) -> Vec<Value> {
    let mut ids = Vec::new();
    for request in requests {
        ids.push(server.queue_for(&agent.device_id, request).await);
    }
    agent.session().await;
    let mut done = Vec::new();
    for id in ids {
        done.push(server.command(&id).await);
    }
    done
}

#[tokio::test]
async fn a_session_between_two_processes_shows_all_three_packages() {
    proves!("D2-5.2.2-01", "D2-5.2.3-01", "D2-5.2.4-01", "D2-6.3-01", "D2-12.1-01");
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0001").await;
    let done = carry_out(
        &server,
        &agent,
        &[
            json!({ "verb": "get", "address": DEVINFO }),
            json!({ "verb": "set", "address": NOTE, "value": "written" }),
            json!({ "verb": "get", "address": NOTE }),
            json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Compact" }),
            json!({ "verb": "delete", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" }),
        ],
    )
    .await;
    let states: Vec<_> =
        done.iter().map(|command| (command["state"].as_str(), command["status"].as_u64())).collect();
    let good = (Some("done"), Some(200));
    assert_eq!(states, [good, good, good, good, (Some("failed"), Some(405))]);
    let devinfo = done[0]["result"]["items"].to_string();
    assert!(devinfo.contains(&agent.device_id) && devinfo.contains("/Man"), "{devinfo}");
    assert_eq!(done[2]["result"]["items"][0]["value"], "written");
    let without_data = json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Compact" });
    assert_eq!(carry_out(&server, &agent, &[without_data]).await[0]["state"], "done");

    let sessions = format!("/devices/{}/sessions", agent.device_id);
    let mut captured = Vec::new();
    for session in server.items(&sessions).await {
        let trace = server.get(&format!("{sessions}/{}", session["session"])).await;
        captured.extend(trace["messages"].as_array().unwrap().clone());
    }
    for kind in ["initiation+json", "request+json", "response+json", "multipart/form-data"] {
        let shown = captured
            .iter()
            .any(|message| message["content_type"].as_str().is_some_and(|found| found.contains(kind)));
        assert!(shown, "{kind}");
    }
}

#[tokio::test]
async fn what_was_written_outlives_the_process() {
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0002").await;
    let set = json!({ "verb": "set", "address": NOTE, "value": "kept" });
    assert_eq!(carry_out(&server, &agent, &[set]).await[0]["state"], "done");
    let read = carry_out(&server, &agent, &[json!({ "verb": "get", "address": NOTE })]).await;
    assert_eq!(read[0]["result"]["items"][0]["value"], "kept");
}

#[tokio::test]
async fn the_standard_objects_are_there_and_typed() {
    proves!(
        "DM-STDOBJ-001-S-M",
        "DM-STDOBJ-002-S-M",
        "DM-STDOBJ-003-S-M",
        "DM-STDOBJ-004-S-M",
        "D2-12.2-01",
        "D2-12.4-01",
        "DM-STDOBJ-004-C-M"
    );
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0003").await;
    let addresses = [
        DEVINFO,
        "urn:oma:mo:oma-dm-dmacc:1.2//",
        "urn:oma:mo:oma-dm-dacmo:1.0//",
        "urn:oma:mo:oma-sessioninfomo:1.0//",
    ];
    let requests = addresses.map(|address| json!({ "verb": "get", "address": address }));
    let done = carry_out(&server, &agent, &requests).await;
    let values: Vec<Vec<(String, Value)>> = done
        .iter()
        .map(|command| {
            assert_eq!(command["state"], "done", "{command}");
            let items = command["result"]["items"].as_array().unwrap();
            let leaf =
                |item: &Value| Some((item["address"].as_str()?.to_owned(), item.get("value")?.clone()));
            items.iter().filter_map(leaf).collect()
        })
        .collect();
    let find = |object: usize, name: &str| {
        let found = values[object].iter().find(|(address, _)| address.ends_with(name));
        found.unwrap_or_else(|| panic!("{name} in {:?}", values[object])).1.clone()
    };
    for name in ["DevID", "Man", "Mod", "DmV", "Lang", "DevType", "OEM", "FwV", "SwV", "HwV"] {
        assert!(find(0, &format!("/{name}")).is_string(), "{name}");
    }
    assert_eq!(find(0, "/DevID"), json!(agent.device_id));
    let identity = server.get("/server").await;
    assert_eq!(find(1, "/SrvID"), identity["server_id"]);
    assert_eq!(find(1, "/SrvURI"), identity["device_uri"]);
    assert!(find(1, "/Name").is_string());
    assert!(find(2, "/MAID").is_string() && find(2, "/AR").is_number());
    assert!(find(3, "/CBT").is_number() && find(3, "/ROAMING").is_number());

    let cbt = "urn:oma:mo:oma-sessioninfomo:1.0//CBT";
    let refused = carry_out(&server, &agent, &[json!({ "verb": "set", "address": cbt, "value": 1 })]).await;
    assert_eq!((&refused[0]["state"], &refused[0]["status"]), (&json!("failed"), &json!(403)));
}

#[tokio::test]
async fn a_page_stays_open_while_the_session_goes_on() {
    proves!("D2-5.1.5-01");
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0515").await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    // A browser that is open until the test closes it.
    let browser = "cd \"$1\" && echo \"$2\" > shown && read line < close && echo \"$line\" > closed";
    std::fs::write(file("browser.sh"), browser).unwrap();
    let made = tokio::process::Command::new("mkfifo").arg(file("close")).status().await.unwrap();
    assert!(made.success());
    agent.configure(&format!(
        "[show]\ncommand = [\"sh\", {:?}, {:?}]",
        file("browser.sh").display().to_string(),
        directory.path().display().to_string()
    ));
    let page = json!({ "kind": "notice", "title": "Hello" });
    assert_eq!(server.rest(http::Method::PUT, "/pages/hello", Some(&page)).await.status, 200);
    let requests = [json!({ "verb": "show", "page": "hello" }), json!({ "verb": "get", "address": NOTE })];
    let done = carry_out(&server, &agent, &requests).await;
    assert_eq!((&done[0]["state"], &done[0]["status"]), (&json!("sent"), &json!(200)), "the user is asked");
    assert_eq!(done[1]["state"], "done", "and the session has ended");
    let shown = std::fs::read_to_string(file("shown")).unwrap();
    assert!(shown.contains("/ui/"), "{shown}");
    assert!(!file("closed").exists());
    let close = file("close");
    tokio::task::spawn_blocking(move || std::fs::write(close, "by the user\n")).await.unwrap().unwrap();
    let closed = async {
        while std::fs::read_to_string(file("closed")).unwrap_or_default() != "by the user\n" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), closed).await.expect("it outlives the session");
}

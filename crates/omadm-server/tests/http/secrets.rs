//! What the server does not keep, and what it tolerates.

use http::Method;
use omadm_server::Config;
use serde_json::{Value, json};

use crate::harness::{Connection, DMMO, Device, END, HELLO, LANG, TestServer};

const ACCOUNT: &str = "urn:oma:mo:oma-dm-dmacc:1.2/dms1/";
const NOTI: &str = "urn:oma:mo:oma-dm-dmacc:1.2/dms1/Auth/Noti/Secret";
const SECRET: &str = "hunter2 of the account";

/// The messages in the traces of all sessions of the device, newest session first.
async fn traces(server: &TestServer) -> Vec<Value> {
    let mut messages = Vec::new();
    for session in server.items("/devices/IMEI:1/sessions").await {
        let trace = server.get(&format!("/devices/IMEI:1/sessions/{}", session["session"])).await;
        messages.extend(trace["messages"].as_array().unwrap().clone());
    }
    messages
}

/// Lets the device have the next commands; gives the first.
async fn first_command(connection: &mut Connection, device: &Device) -> Vec<String> {
    connection.send(device.package1(HELLO)).await.commands().remove(0)
}

#[tokio::test]
async fn secrets_that_are_read_or_uploaded_are_neither_in_the_trace_nor_in_the_tree() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let data = json!([{ "ClientURI": ACCOUNT, "MOData": { "dms1": { "Name": "First",
        "Auth": { "Noti": { "Type": 0, "Secret": SECRET } } } } }])
    .to_string();

    let read = server.queue(&device, json!({ "verb": "get", "address": ACCOUNT })).await;
    first_command(&mut connection, &device).await;
    assert_eq!(connection.send(device.data(DMMO, &data.replace(']', ""))).await.text(), END);
    assert_eq!(server.command(&read).await["state"], "failed", "this was not MO data");
    let read = server.queue(&device, json!({ "verb": "get", "address": ACCOUNT })).await;
    first_command(&mut connection, &device).await;
    assert_eq!(connection.send(device.data(DMMO, &data)).await.text(), END);
    assert!(server.command(&read).await["result"].to_string().contains(SECRET), "who asked gets it");

    server.queue(&device, json!({ "verb": "get", "address": NOTI })).await;
    first_command(&mut connection, &device).await;
    let mut broken = device.data("text/plain", SECRET);
    *broken.body_mut() = "--b\r\nhunter2 of the account".into();
    assert_eq!(connection.send(broken).await.status, 400);
    assert_eq!(connection.send(device.data("text/plain", SECRET)).await.text(), END);

    server.queue(&device, json!({ "verb": "upload", "address": ACCOUNT })).await;
    let command = first_command(&mut connection, &device).await;
    let path = command[1].split_once("/data/").unwrap().1;
    let bare = data.trim_matches(['[', ']']).to_owned();
    let upload = device.request(Method::PUT, &format!("/data/{path}"), Some(DMMO), bare);
    assert_eq!(connection.send(upload).await.status, 204);
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);

    let messages = traces(&server).await;
    let withheld = messages.iter().filter(|message| message["notes"].to_string().contains("not kept"));
    let summaries: Vec<_> = withheld.map(|message| message["summary"].as_str().unwrap()).collect();
    let package = "Package#3 with data";
    assert_eq!(summaries, ["upload by PUT", package, package, package, package]);
    assert!(messages.iter().all(|message| !message.to_string().contains("hunter2")), "{messages:#?}");
    let tree = server.items("/devices/IMEI:1/tree").await;
    assert!(tree.iter().any(|node| node["value"] == "First"), "what is no secret is known: {tree:?}");
    assert!(!json!(tree).to_string().contains("hunter2"), "{tree:?}");
}

#[tokio::test]
async fn a_secret_that_is_written_is_fetched_and_nowhere_shown() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let value = json!({ "verb": "set", "address": NOTI, "value_base64": "aHVudGVyMg==" });
    let id = server.queue(&device, value).await;
    first_command(&mut connection, &device).await;
    let fetched = connection.send(device.request(Method::GET, &format!("/data/c/{id}"), None, "")).await;
    assert_eq!(fetched.text(), "hunter2");
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    assert_eq!(server.command(&id).await["state"], "done");
    for shown in
        [traces(&server).await, server.items("/devices/IMEI:1/tree").await, server.items("/events").await]
    {
        let shown = json!(shown).to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    }
}

/// A start without its alert, and MO data that are no array.
#[tokio::test]
async fn tolerances_are_in_the_trace_and_off_in_strict_mode() {
    let data = r#"{"ClientURI":"urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/","MOData":{"DevInfo":{"Lang":"fr"}}}"#;
    for strict in [false, true] {
        let server = TestServer::with(|config: &mut Config| config.device.strict = strict).await;
        let device = server.enrol("IMEI:1").await;
        let mut connection = server.connect().await;
        assert_eq!(connection.send(device.package1("{}")).await.status, if strict { 400 } else { 200 });
        let id = server.queue(&device, json!({ "verb": "upload", "address": LANG })).await;
        first_command(&mut connection, &device).await;
        let upload = device.request(Method::PUT, &format!("/data/u/{id}"), Some(DMMO), data);
        assert_eq!(connection.send(upload).await.status, if strict { 400 } else { 204 });
        let notes: Vec<Value> =
            traces(&server).await.iter().map(|message| message["notes"].clone()).collect();
        for tolerance in ["no-start-alert", "bare-mo-object"] {
            let note = json!(format!("tolerated: {tolerance}"));
            let noted = notes.iter().any(|notes| notes.as_array().unwrap().contains(&note));
            assert_eq!(noted, !strict, "{tolerance}: {notes:?}");
        }
    }
}

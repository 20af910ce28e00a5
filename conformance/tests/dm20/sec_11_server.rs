//! The cache of management objects (`DM 2.0 §11`), the server.

use http::Method;
use omadm_conformance::{ScriptDevice, TestServer, commands, proves};
use serde_json::{Value, json};

const ROOT: &str = "urn:oma:mo:ext-conformance:1.0/alpha/";

fn leaf(name: &str) -> String {
    format!("{ROOT}{name}")
}

/// Queues a command, and begins a session in which it is the only one; gives its identifier and its words.
async fn sent(server: &TestServer, device: &ScriptDevice, command: &Value) -> (String, Vec<String>) {
    let id = server.queue(device, command).await;
    let mut package = commands(&device.begin().await);
    assert_eq!(package.len(), 1, "{package:?}");
    (id, package.remove(0))
}

async fn get(server: &TestServer, device: &ScriptDevice, address: &str) -> (String, Vec<String>) {
    sent(server, device, &json!({ "verb": "get", "address": address })).await
}

/// Has the device read as a whole, with a validator.
async fn read(server: &TestServer, device: &ScriptDevice, content: Value, validator: &str) {
    get(server, device, ROOT).await;
    let data = json!([{ "ClientURI": ROOT, "CV": validator, "MOData": { "alpha": content } }]);
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;
}

async fn begin() -> (TestServer, ScriptDevice) {
    let (server, device) = TestServer::with_device().await;
    (server, device)
}

#[tokio::test]
async fn what_has_not_changed_is_taken_from_what_is_known() {
    proves!("DM-MEC-002-S-O", "D2-11-01", "D2-11.2-01", "D2-11.2-02");
    let (server, device) = begin().await;
    assert_eq!(get(&server, &device, ROOT).await.1, ["GET", ROOT], "nothing is known yet");
    let data =
        json!([{ "ClientURI": ROOT, "CV": "v/1", "MOData": { "alpha": { "Text": "a", "In": { "N": 1 } } } }]);
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;

    let (id, words) = get(&server, &device, ROOT).await;
    assert_eq!(words, ["GET".to_owned(), format!("{ROOT}?cv=v%2F1")]);
    assert_eq!(commands(&device.answer(&json!([{ "sc": 304 }])).await), [["END"]]);
    let command = server.command(&id).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("done"), &json!(304)));
    let items = json!([
        { "address": ROOT, "interior": true }, { "address": leaf("In"), "interior": true },
        { "address": leaf("In/N"), "value": 1 }, { "address": leaf("Text"), "value": "a" },
    ]);
    assert_eq!(command["result"]["items"], items);

    let (id, words) = get(&server, &device, &format!("{ROOT}?lv=1")).await;
    assert_eq!(words[1], format!("{ROOT}?lv=1&cv=v%2F1"));
    device.answer(&json!([{ "sc": 304 }])).await;
    assert_eq!(server.command(&id).await["result"]["items"].as_array().map(Vec::len), Some(3));

    let upload = json!({ "verb": "upload", "address": leaf("Text") });
    let (id, words) = sent(&server, &device, &upload).await;
    assert_eq!((words[0].as_str(), words[2].as_str()), ("HPUT", &*leaf("Text?cv=v%2F1")));
    device.answer(&json!([{ "sc": 304 }])).await;
    assert_eq!(
        server.command(&id).await["result"]["items"],
        json!([{ "address": leaf("Text"), "value": "a" }])
    );

    let (id, _) = get(&server, &device, ROOT).await;
    let data = json!([{ "ClientURI": ROOT, "CV": "v2", "MOData": { "alpha": { "Text": "b" } } }]);
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;
    assert_eq!(server.command(&id).await["status"], 200);
    assert_eq!(get(&server, &device, &leaf("Text")).await.1[1], leaf("Text?cv=v2"));
    device.answer(&json!([{ "sc": 304 }])).await;
    assert_eq!(server.known_value(&device, &leaf("Text")).await, Some(json!("b")));
}

#[tokio::test]
async fn a_validator_goes_with_what_it_stood_for() {
    let (server, device) = begin().await;
    let content = json!({ "Text": "a", "In": { "N": 1 } });
    for write in [
        json!({ "verb": "set", "address": leaf("Text"), "value": "b" }),
        json!({ "verb": "delete", "address": leaf("In/N") }),
        json!({ "verb": "exec", "address": leaf("Run") }),
        json!({ "verb": "set", "items": [{ "ClientURI": "urn:x:mo:1.0//", "MOData": { "made": {} } }] }),
        json!({ "verb": "fetch", "address": leaf("Text"), "from": "https://h.example/x" }),
    ] {
        for status in [200, 500] {
            read(&server, &device, content.clone(), "v1").await;
            sent(&server, &device, &write).await;
            device.answer(&json!([{ "sc": status }])).await;
            assert_eq!(get(&server, &device, ROOT).await.1, ["GET", ROOT], "{write} {status}");
            device.answer(&json!([{ "sc": 404 }])).await;
        }
    }
    read(&server, &device, content.clone(), "v1").await;
    get(&server, &device, &leaf("Text")).await;
    let data = json!([{ "ClientURI": leaf("Text"), "MOData": { "Text": "other" } }]);
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;
    assert_eq!(get(&server, &device, ROOT).await.1, ["GET", ROOT], "it was another state");
    device.answer(&json!([{ "sc": 404 }])).await;
}

#[tokio::test]
async fn a_report_in_between_makes_the_condition_void() {
    let (server, device) = begin().await;
    read(&server, &device, json!({ "Text": "a" }), "v1").await;
    let (_, words) = sent(&server, &device, &json!({ "verb": "subscribe", "address": leaf("Text") })).await;
    device.answer(&json!([{ "sc": 200 }])).await;
    let (id, asked) = get(&server, &device, ROOT).await;
    assert_eq!(asked[1], format!("{ROOT}?cv=v1"));
    let path = words[1].split_once("/data/").map(|(_, rest)| format!("/data/{rest}")).unwrap();
    let authorization = device.authorization();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/dmmo+json")];
    let report = json!([{ "ClientURI": leaf("Text"), "MOData": { "Text": "new" } }]).to_string();
    assert_eq!(device.send(Method::PUT, &path, &headers, report.as_bytes()).await.status, 204);
    assert_eq!(commands(&device.answer(&json!([{ "sc": 304 }])).await), [["END"]]);
    assert_eq!(server.command(&id).await["state"], "queued", "what is known is not what the device meant");
    assert_eq!(commands(&device.begin().await), [["GET", ROOT]]);
    let data = json!([{ "ClientURI": ROOT, "CV": "v2", "MOData": { "alpha": { "Text": "new" } } }]);
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;
    assert_eq!(server.command(&id).await["state"], "done");
}

//! Subscriptions and defaults (`DM 2.0 §5.3.10, §5.3.11`), the server.

use http::Method;
use omadm_conformance::{Reply, ScriptDevice, TestServer, commands, dmmo, proves};
use serde_json::{Value, json};

const LIST: &str = "urn:oma:mo:ext-conformance:1.0/alpha/List";
const DMMO: &str = "application/dmmo+json";

async fn request(device: &ScriptDevice, method: Method, uri: &str, kind: &str, body: &str) -> Reply {
    let path = uri.split_once("/data/").map(|(_, rest)| format!("/data/{rest}")).expect("a place");
    let authorization = device.authorization();
    let headers = [
        ("authorization", authorization.as_str()),
        ("omadm-devid", device.device_id.as_str()),
        ("content-type", kind),
        ("accept", DMMO),
    ];
    device.send(method, &path, &headers, body.as_bytes()).await
}

async fn report(device: &ScriptDevice, uri: &str, content: &Value) -> u16 {
    let data = dmmo(LIST, "List", content.clone()).to_string();
    request(device, Method::PUT, uri, DMMO, &data).await.status
}

/// Has a device subscribed; gives the place of its reports.
async fn subscribed(server: &TestServer, device: &ScriptDevice) -> String {
    server.queue(device, &json!({ "verb": "subscribe", "address": LIST })).await;
    let package = commands(&device.begin().await);
    assert_eq!((package[0].len(), package[0][0].as_str(), package[0][2].as_str()), (3, "SUB", LIST));
    device.answer(&json!([{ "sc": 200 }])).await;
    package[0][1].clone()
}

async fn reports(server: &TestServer, device: &ScriptDevice) -> usize {
    server.events(device).await.iter().filter(|event| event["kind"] == "report").count()
}

async fn subscriptions(server: &TestServer, device: &ScriptDevice) -> Vec<Value> {
    server.items(&format!("/devices/{}/subscriptions", device.device_id)).await
}

#[tokio::test]
async fn reports_go_into_the_tree() {
    proves!(
        "DM-PACK-024-S-O",
        "DM-PACK-025-S-O",
        "D2-5.3-02",
        "D2-5.3.11-01",
        "D2-5.3.11-04",
        "D2-5.3.11-05"
    );
    let (server, device) = TestServer::with_device().await;
    let uri = subscribed(&server, &device).await;
    let listed = subscriptions(&server, &device).await;
    assert_eq!(
        (listed.len(), &listed[0]["address"], &listed[0]["reported"]),
        (1, &json!(LIST), &Value::Null)
    );

    assert_eq!(report(&device, &uri, &json!({ "one": { "ID": "a" }, "two": { "ID": "b" } })).await, 204);
    assert_eq!(server.known_value(&device, &format!("{LIST}/two/ID")).await, Some(json!("b")));
    assert!(subscriptions(&server, &device).await[0]["reported"].is_string());
    let changed = json!({ "one": { "ID": "c" } });
    for _ in 0..2 {
        assert_eq!(report(&device, &uri, &changed).await, 204);
        assert_eq!(server.known_value(&device, &format!("{LIST}/one/ID")).await, Some(json!("c")));
        assert_eq!(server.known_value(&device, &format!("{LIST}/two/ID")).await, None);
        assert_eq!(reports(&server, &device).await, 2, "one that comes again is no other");
    }
    let foreign = request(&device, Method::PUT, &uri, "application/x-foo", "x").await;
    assert_eq!(foreign.status, 415);
    assert!(foreign.header("omadm-accept").is_some_and(|types| types.contains(DMMO)));
    assert_eq!(request(&device, Method::PUT, &uri, DMMO, "{").await.status, 400);
    let stranger = server.enrol("UUID:stranger").await;
    assert_eq!(report(&stranger, &uri, &changed).await, 403);
    assert_eq!(report(&device, "x/data/s/00000000-0000-0000-0000-000000000000", &changed).await, 404);
    assert_eq!(reports(&server, &device).await, 2);

    let end = server.queue(&device, &json!({ "verb": "unsubscribe", "address": LIST })).await;
    assert_eq!(commands(&device.begin().await), [["UNSUB", LIST]]);
    device.answer(&json!([{ "sc": 200 }])).await;
    assert_eq!(server.outcome(&end).await, ("done".into(), Some(200)));
    assert!(subscriptions(&server, &device).await.is_empty());
    assert_eq!(report(&device, &uri, &json!({})).await, 410);
}

#[tokio::test]
async fn subscriptions_end_as_they_do_on_the_device() {
    let (server, device) = TestServer::with_device().await;
    let first = subscribed(&server, &device).await;
    let second = subscribed(&server, &device).await;
    assert_eq!(subscriptions(&server, &device).await.len(), 1, "the same address again takes its place");
    assert_eq!(report(&device, &first, &json!({})).await, 410);
    assert_eq!(report(&device, &second, &json!({ "one": { "ID": "a" } })).await, 204);
    assert_eq!(request(&device, Method::PUT, &second, DMMO, "[]").await.status, 204, "the node is gone");
    assert_eq!(server.known_value(&device, &format!("{LIST}/one/ID")).await, None);
    assert!(subscriptions(&server, &device).await.is_empty());

    let id = server.queue(&device, &json!({ "verb": "subscribe", "address": LIST })).await;
    let early = commands(&device.begin().await)[0][1].clone();
    assert_eq!(report(&device, &early, &json!({ "one": { "ID": "e" } })).await, 204, "before its status");
    assert_eq!(server.known_value(&device, &format!("{LIST}/one/ID")).await, Some(json!("e")));
    device.answer(&json!([{ "sc": 501 }])).await;
    let command = server.command(&id).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("failed"), &json!(501)));
    assert!(
        command["reason"].as_str().is_some_and(|reason| reason.contains("does not implement")),
        "{command}"
    );
    assert_eq!(report(&device, &early, &json!({})).await, 410);

    let last = subscribed(&server, &device).await;
    let again = json!({ "id": device.device_id, "replace": true });
    let enrolled = server.rest(Method::POST, "/devices", Some(&again)).await.json();
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    let device = ScriptDevice { credentials: (device.credentials.0.clone(), secret), ..device };
    assert!(subscriptions(&server, &device).await.is_empty(), "a new enrolment begins with nothing");
    assert_eq!(report(&device, &last, &json!({})).await, 404);
}

#[tokio::test]
async fn defaults_are_served_for_as_long_as_they_stand() {
    proves!("DM-PACK-023-S-M", "D2-5.3.10-01");
    let (server, device) = TestServer::with_device().await;
    let moid = "urn:oma:mo:oma-mms:1.3";
    let items = json!([{ "ClientURI": format!("{moid}//"), "MOData": { "mms": { "Name": "x" } } }]);
    let kept = server.queue(&device, &json!({ "verb": "default", "moid": moid, "items": items })).await;
    let package = commands(&device.begin().await);
    assert_eq!((package[0][0].as_str(), package[0][2].as_str()), ("DEFAULT", moid));
    device.answer(&json!([{ "sc": 200 }])).await;
    assert_eq!(server.outcome(&kept).await, ("done".into(), Some(200)));
    let defaults = format!("/devices/{}/defaults", device.device_id);
    let listed = server.items(&defaults).await;
    assert_eq!((listed.len(), &listed[0]["moid"], &listed[0]["kept_here"]), (1, &json!(moid), &json!(true)));
    let served = request(&device, Method::GET, &package[0][1], DMMO, "").await;
    assert_eq!((served.status, served.json()), (200, items.clone()));

    let elsewhere = "https://h.example/[MCC]/mms";
    server.queue(&device, &json!({ "verb": "default", "moid": moid, "from": elsewhere })).await;
    assert_eq!(commands(&device.begin().await), [["DEFAULT", elsewhere, moid]]);
    device.answer(&json!([{ "sc": 200 }])).await;
    let listed = server.items(&defaults).await;
    assert_eq!(
        (listed.len(), &listed[0]["kept_here"]),
        (1, &json!(false)),
        "one place for a management object"
    );
    assert_eq!(request(&device, Method::GET, &package[0][1], DMMO, "").await.status, 404);
    for bad in [
        json!({ "verb": "default", "moid": moid }),
        json!({ "verb": "default", "moid": "urn:x:mo:1.0", "items": items }),
        json!({ "verb": "default", "moid": moid, "from": "ftp://h/x" }),
        json!({ "verb": "default", "moid": "", "from": elsewhere }),
    ] {
        assert_eq!(server.post_command(&device.device_id, &bad).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn every_command_is_sent_in_its_form() {
    proves!("D2-5.3-01");
    let (server, device) = TestServer::with_device().await;
    let leaf = "urn:oma:mo:ext-conformance:1.0/alpha/Text";
    for command in [
        json!({ "verb": "set", "address": leaf, "value": "x" }),
        json!({ "verb": "upload", "address": leaf }),
        json!({ "verb": "upload", "address": leaf, "method": "POST" }),
        json!({ "verb": "delete", "address": leaf }),
        json!({ "verb": "exec", "address": leaf }),
        json!({ "verb": "get", "address": leaf }),
        json!({ "verb": "show", "url": "https://h.example/" }),
        json!({ "verb": "raw", "words": ["CONT", "https://h.example/"] }),
        json!({ "verb": "default", "moid": "urn:x:mo:1.0", "from": "https://h.example/" }),
        json!({ "verb": "subscribe", "address": leaf }),
        json!({ "verb": "unsubscribe", "address": leaf }),
    ] {
        server.queue(&device, &command).await;
    }
    let package = commands(&device.begin().await);
    let names: Vec<&str> = package.iter().map(|words| words[0].as_str()).collect();
    let all = ["HGET", "HPUT", "HPOST", "DELETE", "EXEC", "GET", "SHOW", "CONT", "DEFAULT", "SUB", "UNSUB"];
    assert_eq!(names, all);
    let statuses: Vec<_> = names.iter().map(|_| json!({ "sc": 404 })).collect();
    assert_eq!(commands(&device.answer(&json!(statuses)).await), [["END"]]);
}

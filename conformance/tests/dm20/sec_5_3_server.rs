//! Commands and the Data Repository on the server (`DM 2.0 §5.3`), judged by an independent device.

use http::Method;
use omadm_conformance::{Reply, ScriptDevice, TestServer, commands, dmmo, proves};
use serde_json::{Value, json};

const ID: &str = "UUID:6a0f6d0e-0a55-4ac6-8c33-1fd2a3e0f002";
const TEXT: &str = "urn:oma:mo:ext-conformance:1.0/alpha/Text";
const DMMO: &str = "application/dmmo+json";

/// Path of a ServerURI on the server under test.
fn path_of(uri: &str) -> String {
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    after_scheme.split_once('/').map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"))
}

/// A request of a device to the Data Repository.
async fn repository(
    device: &ScriptDevice,
    method: Method,
    uri: &str,
    more: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let authorization = device.authorization();
    let common = [("authorization", authorization.as_str()), ("omadm-devid", device.device_id.as_str())];
    device.send(method, &path_of(uri), &[&common[..], more].concat(), body).await
}

#[tokio::test]
async fn get_brings_a_value_to_the_operator() {
    proves!("DM-PACK-019-S-M");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let id = server.queue(&device, &json!({ "verb": "get", "address": TEXT })).await;
    assert_eq!(commands(&device.begin().await), [["GET", TEXT]]);
    let reply = device.answer_with(&json!([{ "sc": 200 }]), &[(0, dmmo(TEXT, "Text", json!("seen")))]).await;
    assert_eq!(commands(&reply), [["END"]]);
    let command = server.command(&id).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("done"), &json!(200)));
    assert_eq!(command["result"]["items"][0]["value"], "seen");
    assert_eq!(server.known_value(&device, TEXT).await, Some(json!("seen")));
}

#[tokio::test]
async fn set_becomes_hget_of_a_payload_that_only_its_device_gets() {
    proves!("DM-PACK-014-S-M", "D2-5.3.1-08");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let stranger = server.enrol("UUID:stranger").await;
    let leaf = server.queue(&device, &json!({ "verb": "set", "address": TEXT, "value": "new" })).await;
    let items = json!([{ "ClientURI": "urn:oma:mo:x:1.0//", "MOData": { "made": { "Name": "x" } } }]);
    let instance = server.queue(&device, &json!({ "verb": "set", "items": items })).await;
    let package = commands(&device.begin().await);
    assert_eq!((package[0][0].as_str(), package[0][2].as_str()), ("HGET", TEXT));
    assert_eq!((package[1][0].as_str(), package[1].len()), ("HGET", 2));
    let [leaf_uri, items_uri] = [&package[0][1], &package[1][1]];

    let served = repository(
        &device,
        Method::GET,
        leaf_uri,
        &[("accept", "application/dmmo+json;q=0.5, text/plain")],
        b"",
    )
    .await;
    assert_eq!((served.status, served.body.as_slice()), (200, &b"new"[..]));
    assert!(served.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    for accept in [DMMO, "image/png, application/*;q=0.1", "*/*"] {
        let served = repository(&device, Method::GET, items_uri, &[("accept", accept)], b"").await;
        assert_eq!((served.status, served.header("content-type")), (200, Some(DMMO)), "{accept}");
        assert_eq!(served.json(), items);
    }
    assert_eq!(
        repository(&device, Method::GET, items_uri, &[("accept", "image/png")], b"").await.status,
        406
    );
    let refused = repository(&stranger, Method::GET, leaf_uri, &[("accept", "*/*")], b"").await.status;
    assert!([403, 404].contains(&refused), "{refused}");

    let made = json!({ "sc": 200, "URI": ["urn:oma:mo:x:1.0/made/"] });
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }, made])).await), [["END"]]);
    assert_eq!(server.outcome(&leaf).await, ("done".into(), Some(200)));
    assert_eq!(server.command(&instance).await["result"]["stored"], made["URI"]);
}

/// Queues an upload, sends it and ends the session; gives the command as the operator sees it.
async fn upload(server: &TestServer, device: &ScriptDevice, method: Method) -> Value {
    let body = json!({ "verb": "upload", "address": TEXT, "method": method.as_str() });
    let id = server.queue(device, &body).await;
    let package = commands(&device.begin().await);
    let name = if method == Method::PUT { "HPUT" } else { "HPOST" };
    assert_eq!((package[0][0].as_str(), package[0][2].as_str()), (name, TEXT));
    let uri = &package[0][1];

    let foreign =
        repository(device, method.clone(), uri, &[("content-type", "application/x-foo")], b"x").await;
    assert_eq!(foreign.status, 415);
    assert!(foreign.header("omadm-accept").is_some_and(|types| types.contains(DMMO)));
    let data = dmmo(TEXT, "Text", json!("uploaded")).to_string();
    let taken = repository(device, method, uri, &[("content-type", DMMO)], data.as_bytes()).await;
    assert!((200..300).contains(&taken.status), "{}", taken.status);

    commands(&device.answer(&json!([{ "sc": 200 }])).await);
    let command = server.command(&id).await;
    assert_eq!(command["state"], "done");
    assert_eq!(command["result"]["upload"]["content_type"], DMMO);
    assert_eq!(command["result"]["upload"]["length"], data.len());
    let upload = command["result"]["upload"]["id"].as_str().unwrap().to_owned();
    let kept = server.rest(Method::GET, &format!("/devices/{ID}/payloads/{upload}"), None).await;
    assert_eq!((kept.status, kept.header("content-type")), (200, Some(DMMO)));
    assert_eq!(kept.body, data.as_bytes());
    command
}

#[tokio::test]
async fn uploads_land_with_their_command() {
    proves!("DM-PACK-015-S-M", "DM-PACK-016-S-M", "D2-5.3.2-05", "D2-5.3.3-02");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    upload(&server, &device, Method::PUT).await;
    upload(&server, &device, Method::POST).await;
    assert_eq!(server.known_value(&device, TEXT).await, Some(json!("uploaded")));
}

#[tokio::test]
async fn delete_updates_the_tree_that_the_operator_sees() {
    proves!("DM-PACK-017-S-M");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let list = "urn:oma:mo:ext-conformance:1.0/alpha/List";
    server.queue(&device, &json!({ "verb": "get", "address": list })).await;
    device.begin().await;
    let data = dmmo(list, "List", json!({ "one": { "ID": "a" }, "two": { "ID": "b" } }));
    device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await;
    assert_eq!(server.known_value(&device, &format!("{list}/one/ID")).await, Some(json!("a")));

    let one = format!("{list}/one");
    let id = server.queue(&device, &json!({ "verb": "delete", "address": one })).await;
    assert_eq!(commands(&device.begin().await)[0], ["DELETE", &one]);
    device.answer(&json!([{ "sc": 404 }])).await;
    assert_eq!(server.outcome(&id).await, ("failed".into(), Some(404)));

    let two = format!("{list}/two");
    let id = server.queue(&device, &json!({ "verb": "delete", "address": two })).await;
    assert_eq!(commands(&device.begin().await)[0], ["DELETE", &two]);
    device.answer(&json!([{ "sc": 200 }])).await;
    assert_eq!(server.outcome(&id).await, ("done".into(), Some(200)));
    assert_eq!(server.known_value(&device, &format!("{two}/ID")).await, None);
}

#[tokio::test]
async fn parameters_in_repository_uris_never_break_it() {
    proves!("D2-6.2-13");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    for path in
        ["/data/-1/-1", "/data/c/-1", "/data/u/-1", "/data/262/01", &format!("/data/{ID}"), "/data/My%20Net"]
    {
        for method in [Method::GET, Method::PUT] {
            let uri = format!("https://localhost{path}");
            let status =
                repository(&device, method, &uri, &[("content-type", DMMO), ("accept", "*/*")], b"[]")
                    .await
                    .status;
            assert!(status < 500, "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_status_decides_what_becomes_of_a_command() {
    proves!("D2-C-07", "D2-C-08", "D2-C-01");
    let server = TestServer::start().await;
    for (status, state) in [
        (200, "done"),
        (204, "done"),
        (304, "done"),
        (299, "done"),
        (1201, "done"),
        (400, "failed"),
        (404, "failed"),
        (419, "failed"),
        (500, "failed"),
        (777, "failed"),
        (1401, "failed"),
        (1500, "failed"),
    ] {
        let device = server.enrol(&format!("UUID:status-{status}")).await;
        let id = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/Run"]).await;
        device.begin().await;
        device.answer(&json!([{ "sc": status }])).await;
        let command = server.command(&id).await;
        assert_eq!(
            (command["state"].as_str(), command["status"].as_u64()),
            (Some(state), Some(status)),
            "{status}"
        );
        assert_eq!(command["reason"].is_string(), state == "failed", "{command}");
    }
    let device = server.enrol("UUID:pending").await;
    let id = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/Run"]).await;
    device.begin().await;
    device.answer(&json!([{ "sc": 202 }])).await;
    assert_eq!(server.outcome(&id).await.0, "sent", "the result of an accepted command is still to come");

    let mut bench = omadm_conformance::Bench::new().await;
    bench.device.plug.execution_ends("Run", 1401);
    let answer = bench.run(json!([["EXEC", omadm_conformance::address("Run")]])).await;
    assert_eq!(answer.statuses(), [1401]);
}

#[tokio::test]
async fn a_session_goes_on_at_another_node() {
    proves!("DM-PACK-021-S-M");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let other = server.another_node().await;
    let elsewhere = format!("https://localhost:{}/dm/2.0", other.device_address().port());
    let moved = server.queue_raw(&device, &["CONT", &elsewhere]).await;
    assert_eq!(commands(&device.begin().await), [["CONT", &elsewhere]]);
    let read = server.queue_raw(&device, &["GET", TEXT]).await;
    let there = ScriptDevice { address: other.device_address(), ..device.clone() };
    let next = commands(&there.answer(&json!([{ "sc": 200 }])).await);
    assert_eq!(next[0], ["GET", TEXT]);
    let mut statuses = vec![json!({ "sc": 200 })];
    statuses.resize(next.len(), json!({ "sc": 404 }));
    let end = there.answer_with(&Value::Array(statuses), &[(0, dmmo(TEXT, "Text", json!("moved")))]).await;
    assert_eq!(commands(&end), [["END"]]);
    for node in [&server, &other] {
        assert_eq!(node.outcome(&moved).await, ("done".into(), Some(200)));
        assert_eq!(node.command(&read).await["result"]["items"][0]["value"], "moved");
    }
}

#[tokio::test]
async fn an_operator_cannot_queue_what_no_device_takes() {
    proves!("D2-5.3.1-01", "D2-5.3.2-01", "D2-5.3.4-01", "D2-5.3.6-01", "D2-5.3.8-01");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let uri = "https://localhost/x";
    let malformed = [
        vec![],
        vec!["HGET"],
        vec!["HGET", uri, TEXT, TEXT],
        vec!["HPUT", uri],
        vec!["HPOST", uri],
        vec!["DELETE"],
        vec!["DELETE", TEXT, TEXT],
        vec!["GET"],
        vec!["GET", TEXT, TEXT],
        vec!["EXEC"],
        vec!["CONT"],
        vec!["CONT", uri, uri],
        vec!["FOO", TEXT],
        vec!["get", TEXT],
    ];
    for words in malformed {
        let reply = server.post_command(ID, &json!({ "verb": "raw", "words": words })).await;
        assert_eq!(reply.status, 400, "{words:?}");
        assert!(reply.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{words:?}");
    }
    let good = [
        vec!["HGET", uri],
        vec!["HGET", uri, TEXT],
        vec!["HPUT", uri, TEXT, TEXT, TEXT],
        vec!["HPOST", uri, TEXT],
        vec!["DELETE", TEXT],
        vec!["GET", TEXT],
        vec!["EXEC", TEXT],
        vec!["CONT", uri],
    ];
    for words in &good {
        server.queue_raw(&device, words).await;
    }
    assert_eq!(commands(&device.begin().await), good);
    let mut bench = omadm_conformance::Bench::new().await;
    let missing = json!([["HGET"], ["HPUT", uri], ["DELETE"], ["GET"], ["CONT"]]);
    assert_eq!(
        bench.run(missing).await.statuses(),
        [400, 400, 400, 400, 400],
        "and a device would not take it"
    );
}

//! Desired state: one profile on devices of either protocol, over real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Connection, Device, END, HELLO, TestServer};
use crate::syncml::{Dm1Device, Said, commands};

const ZOOM: &str = "urn:oma:mo:oma-dm-devdetail:1.0//Ext/Zoom";
const MOS: &str = r#"{"MOS":[{"DDF":"","MOID":"urn:oma:mo:oma-dm-devdetail:1.0","MIID":["DevDetail"]}],
    "Alert":[{"AlertType":"urn:oma:at:dm:2.0:ClientInitiatedMgmt"}]}"#;

/// Sessions that were begun so far.
static SESSIONS: AtomicUsize = AtomicUsize::new(1);

fn zoom(value: i64) -> Value {
    json!({ "name": "base", "node": [{ "address": ZOOM, "value": value }] })
}

/// Stores a version of a profile and assigns it to all devices.
async fn assign(server: &TestServer, document: Value) {
    let name = document["name"].as_str().unwrap().to_owned();
    let answer = server.api("PUT", &format!("/profiles/{name}"), Some(document)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = server.api("PUT", &format!("/profiles/{name}/assignment"), Some(json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn state(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/devices/{id}/profiles")).await["profiles"][0].clone()
}

/// Says that everything was done until the session ends; gives the commands there were.
async fn obey(device: &Device, connection: &mut Connection, first: &str) -> Vec<Vec<String>> {
    let mut done = Vec::new();
    // A message with the same octets soon after would be the same message again.
    let begins = format!("{first}{}", " ".repeat(SESSIONS.fetch_add(1, Ordering::Relaxed)));
    let mut answer = connection.send(device.package1(begins)).await;
    while answer.text() != END {
        let now = answer.commands();
        let codes = vec![200; now.len()];
        // Which the server asks for so that no two messages of a session are the same.
        done.extend(now.into_iter().filter(|command| !command.iter().any(|word| word.ends_with("//DmV"))));
        assert!(done.len() < 20, "{done:?}");
        answer = connection.send(device.statuses(&codes)).await;
    }
    done
}

#[tokio::test]
async fn a_device_gets_the_difference_and_then_nothing() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    assign(&server, zoom(4)).await;
    let mut connection = server.connect().await;
    let answer = connection.send(device.package1(MOS)).await;
    assert_eq!(answer.commands(), [["GET", ZOOM]], "nothing is known of it");
    let answer = connection.send(device.data("text/plain", "3")).await;
    let set = answer.commands();
    assert_eq!((set[0][0].as_str(), set[0][2].as_str()), ("HGET", ZOOM), "in the same session");
    assert_eq!(state(&server, "IMEI:1").await["state"], "pending");
    let answer = connection.send(device.statuses(&vec![200; set.len()])).await;
    assert_eq!(answer.text(), END);
    let stands = state(&server, "IMEI:1").await;
    assert_eq!((&stands["state"], &stands["version"]), (&json!("converged"), &json!(1)));
    assert_eq!(server.get("/profiles/base").await["devices"], json!({ "converged": 1 }));
    let queued = server.items("/devices/IMEI:1/commands").await;
    assert_eq!(queued[0]["created_by"], "profile base");

    let mut connection = server.connect().await;
    assert_eq!(obey(&device, &mut connection, HELLO).await, [] as [Vec<String>; 0], "it is as it should be");
}

#[tokio::test]
async fn a_node_of_which_a_device_speaks_is_read_once() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    assign(&server, zoom(4)).await;
    obey(&device, &mut server.connect().await, MOS).await;
    let alerts = json!({ "Alert": [
        { "AlertType": "urn:oma:at:dm:2.0:ClientInitiatedMgmt" },
        { "AlertType": "urn:example:changed", "SourceURI": ZOOM },
    ] });
    let mut connection = server.connect().await;
    let answer = connection.send(device.package1(alerts.to_string())).await;
    assert_eq!(
        (answer.status.as_u16(), answer.commands()),
        (200, vec![vec!["GET".to_owned(), ZOOM.to_owned()]])
    );
    let answer = connection.send(device.data("text/plain", "9")).await;
    assert_eq!(answer.commands()[0][0], "HGET", "it is brought back");
    let answer = connection.send(device.statuses(&vec![200; answer.commands().len()])).await;
    assert_eq!(answer.text(), END);
    let reads = server.items("/devices/IMEI:1/commands").await;
    assert_eq!(
        reads.iter().filter(|command| command["verb"] == "get").count(),
        2,
        "before the first value, and now"
    );
}

#[tokio::test]
async fn what_is_set_by_hand_is_drift_and_is_brought_back() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    assign(&server, zoom(4)).await;
    obey(&device, &mut server.connect().await, MOS).await;
    server.queue(&device, json!({ "verb": "set", "address": ZOOM, "value": 9 })).await;
    let done = obey(&device, &mut server.connect().await, HELLO).await;
    assert_eq!(done.iter().map(|command| command[0].as_str()).collect::<Vec<_>>(), ["HGET", "HGET"]);
    let tree = server.items(&format!("/devices/IMEI:1/tree?at={ZOOM}")).await;
    assert_eq!(tree[0]["value"], 4);
    let events = server.items("/events?device=IMEI:1").await;
    let drift = events.iter().find(|event| event["kind"] == "profile.drift").unwrap();
    assert_eq!((&drift["body"]["what"], &drift["body"]["by_hand"]), (&json!(ZOOM), &json!(true)));
    assert_eq!(state(&server, "IMEI:1").await["state"], "converged");
}

#[tokio::test]
async fn what_fails_is_shown_with_its_sentence_and_a_roll_back_undoes_it() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    assign(&server, zoom(4)).await;
    obey(&device, &mut server.connect().await, MOS).await;
    let hopeless = json!({ "name": "base", "attempts": 1, "dropped": "delete", "node": [
        { "address": ZOOM, "value": 5 },
        { "address": "urn:oma:mo:oma-dm-devdetail:1.0//Ext/Other", "value": 1, "after": [ZOOM] },
    ] });
    assign(&server, hopeless).await;
    let diff = server.get("/profiles/base/diff?from=1").await;
    assert_eq!(diff["differences"].as_array().unwrap().len(), 4, "{diff}");
    let mut connection = server.connect().await;
    let answer = connection.send(device.package1(HELLO)).await;
    assert_eq!(answer.commands()[0][0], "HGET", "the other one has to wait");
    let answer = connection.send(device.statuses(&[403])).await;
    assert_eq!(answer.text(), END);
    let stands = state(&server, "IMEI:1").await;
    assert_eq!((&stands["state"], &stands["version"]), (&json!("failed"), &json!(2)));
    assert!(stands["reason"].as_str().unwrap().starts_with(ZOOM), "{stands}");
    assert_eq!(obey(&device, &mut server.connect().await, HELLO).await.len(), 0, "it is not tried for ever");

    let answer = server.api("POST", "/profiles/base/rollback", Some(json!({}))).await;
    assert_eq!((answer.status, &answer.json()["version"]), (StatusCode::OK, &json!(1)));
    let trial =
        server.api("POST", "/profiles/base/dry-run", Some(json!({ "device": "IMEI:1", "version": 1 }))).await;
    assert_eq!(trial.json()["commands"], json!({ "delete": 1 }), "{}", trial.text());
    let done = obey(&device, &mut server.connect().await, HELLO).await;
    assert_eq!(done, [["DELETE", "urn:oma:mo:oma-dm-devdetail:1.0//Ext/Other"]]);
    let stands = state(&server, "IMEI:1").await;
    assert_eq!((&stands["state"], &stands["version"]), (&json!("converged"), &json!(1)));
}

#[tokio::test]
async fn an_operator_asks_for_another_attempt() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    assign(&server, zoom(4)).await;
    obey(&device, &mut server.connect().await, MOS).await;
    let retry = async |of: &str| server.api("POST", &format!("{of}/retry"), None).await;
    assert_eq!(retry("/devices/IMEI:1/profiles/base").await.status, 409, "all is as it should be");
    assert_eq!(retry("/devices/IMEI:1/profiles/other").await.status, 404);
    assert_eq!(retry("/profiles/other").await.status, 404);

    let mut once = zoom(5);
    once["attempts"] = json!(1);
    assign(&server, once).await;
    for of in ["/devices/IMEI:1/profiles/base", "/profiles/base"] {
        let mut connection = server.connect().await;
        let answer = connection.send(device.package1(format!("{HELLO}{}", " ".repeat(of.len())))).await;
        assert_eq!(answer.commands()[0][0], "HGET");
        connection.send(device.statuses(&vec![403; answer.commands().len()])).await;
        assert_eq!(state(&server, "IMEI:1").await["state"], "failed");
        assert_eq!(
            obey(&device, &mut server.connect().await, HELLO).await.len(),
            0,
            "it is not tried by itself"
        );
        let answer = retry(of).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(state(&server, "IMEI:1").await["state"], "pending");
    }
    assert_eq!(
        retry("/profiles/base").await.json(),
        json!({ "devices": 0, "next": null }),
        "none has failed now"
    );
    assert_eq!(obey(&device, &mut server.connect().await, HELLO).await.len(), 1);
    assert_eq!(state(&server, "IMEI:1").await["state"], "converged");
}

#[tokio::test]
async fn the_same_profile_is_for_devices_of_dm_1_3() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:2").await;
    assign(&server, zoom(4)).await;
    let mut connection = server.connect().await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!((sent.len(), sent[0].name.as_str()), (1, "Get"), "{sent:?}");
    let body = Said::to(&answer).results(&sent[0], &[("./DevDetail/Ext/Zoom", "int", Some("3"))]).end();
    let answer = device.send(&mut connection, &body).await;
    let sent = commands(&answer);
    assert_eq!((sent.len(), sent[0].name.as_str()), (1, "Replace"), "{sent:?}");
    assert_eq!(
        (sent[0].items[0].0.as_str(), sent[0].items[0].1.as_deref()),
        ("./DevDetail/Ext/Zoom", Some("4"))
    );
    let answer = device.send(&mut connection, &Said::to(&answer).status(&sent[0], 200).end()).await;
    assert_eq!(commands(&answer), []);
    assert_eq!(state(&server, "IMEI:2").await["state"], "converged");
}

#[tokio::test]
async fn a_profile_that_is_removed_leaves_devices_that_a_campaign_has_given_it() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let put = server.api("PUT", "/profiles/base", Some(zoom(4))).await;
    assert_eq!(put.status, 200);
    let change = json!({ "name": "c", "change": { "profile": { "name": "base", "version": 1 } } });
    assert_eq!(server.api("POST", "/campaigns", Some(change)).await.status, 201);
    assert_eq!(server.api("POST", "/campaigns/c/start", None).await.status, 200);
    while server.items("/campaigns/c/devices").await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.api("DELETE", "/profiles/base", None).await.status, 204);
    assert_eq!(obey(&device, &mut server.connect().await, MOS).await.len(), 0, "nobody wants it any more");
}

#[tokio::test]
async fn groups_decide_at_the_check_in() {
    let server = TestServer::start().await;
    let (one, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let answer = server.api("PUT", "/groups/site-a", Some(json!({ "filter": "label:site = a" }))).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let mut document = zoom(4);
    document["group"] = json!("site-a");
    assign(&server, document).await;
    let label = json!({ "labels": { "site": "a" } });
    assert_eq!(server.api("PATCH", "/devices/IMEI:1", Some(label)).await.status, 200);
    assert!(!obey(&one, &mut server.connect().await, MOS).await.is_empty());
    assert!(obey(&other, &mut server.connect().await, MOS).await.is_empty());
    let answer = server.api("DELETE", "/groups/site-a", None).await;
    assert_eq!(answer.status, 409, "it is in use: {}", answer.text());
    let answer = server.api("DELETE", "/profiles/base/assignment?group=site-a", None).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert!(obey(&one, &mut server.connect().await, HELLO).await.is_empty(), "what it brought may stay");
    assert_eq!(server.get("/profiles/base").await["devices"], json!({}));
}

#[tokio::test]
async fn bad_profiles_are_refused_with_the_place() {
    let server = TestServer::start().await;
    let put = async |document: Value| {
        let answer = server.api("PUT", "/profiles/base", Some(document)).await;
        (answer.status.as_u16(), answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    let node = |node: Value| json!({ "name": "base", "node": [node] });
    let devinfo = |name: &str| format!("urn:oma:mo:oma-dm-devinfo:1.2//{name}");
    for (document, place, what) in [
        (json!({ "name": "base", "nodes": [] }), "line 1, column ", "did you mean `node`?"),
        (node(json!({ "address": "urn:x:1.0", "value": 1 })), "node 1 (urn:x:1.0)", "not legal"),
        (node(json!({ "address": "urn:x:1.0//*", "value": 1 })), "node 1 ", "wildcard"),
        (node(json!({ "address": "urn:x:1.0//A" })), "node 1 ", "one of value, interior"),
        (node(json!({ "address": "urn:x:1.0//A", "value": [1] })), "node 1 ", "a string, a number or a bool"),
        (
            node(json!({ "address": "urn:x:1.0//A", "value": 1, "after": ["B"] })),
            "node 1 ",
            "nothing in this profile",
        ),
        (node(json!({ "address": devinfo("Colour"), "value": "red" })), "node 1 ", "describes no such node"),
        (
            node(json!({ "address": devinfo("Man"), "value": "x" })),
            "node 1 ",
            "does not allow Add or Replace",
        ),
        (node(json!({ "address": devinfo("Man"), "absent": true })), "node 1 ", "permanent"),
        (json!({ "name": "base", "group": "none" }), "group: ", "there is no group none"),
        (json!({ "name": "base", "attempts": 0 }), "attempts: ", "1 to 100"),
    ] {
        let (status, detail) = put(document.clone()).await;
        assert!(
            status == 400 && detail.starts_with(place) && detail.contains(what),
            "{document}: {status} {detail}"
        );
    }
    let two = |a: Value, b: Value| json!({ "name": "base", "node": [a, b] });
    let leaf = |address: &str| json!({ "address": address, "value": 1 });
    for (document, what) in [
        (two(leaf("urn:x:1.0//A"), leaf("urn:x:1.0//A")), "of the same address"),
        (two(leaf("urn:x:1.0//A"), leaf("urn:x:1.0//A/B")), "it contradicts node 1"),
        (
            two(
                json!({ "address": "urn:x:1.0//A", "value": 1, "after": ["urn:x:1.0//B"] }),
                json!({ "address": "urn:x:1.0//B", "value": 1, "after": ["urn:x:1.0//A"] }),
            ),
            "wait for each other",
        ),
    ] {
        let (status, detail) = put(document).await;
        assert!(status == 400 && detail.contains(what), "{status} {detail}");
    }
    let (status, _) = put(node(leaf("urn:x:1.0//A"))).await;
    assert_eq!(status, 200, "what no file describes cannot be checked");
    assert_eq!(server.api("GET", "/profiles/none", None).await.status, 404);
}

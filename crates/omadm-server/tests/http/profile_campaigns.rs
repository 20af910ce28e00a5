//! Campaigns that bring a version of a profile: in stages, stopped, taken back, tried again, and who counts beside them.

use serde_json::{Value, json};

use crate::harness::{Connection, Device, END, HELLO, TestServer};

const ZOOM: &str = "urn:oma:mo:oma-dm-devdetail:1.0//Ext/Zoom";
const MOS: &str = r#"{"MOS":[{"DDF":"","MOID":"urn:oma:mo:oma-dm-devdetail:1.0","MIID":["DevDetail"]}],
    "Alert":[{"AlertType":"urn:oma:at:dm:2.0:ClientInitiatedMgmt"}]}"#;

impl TestServer {
    /// Stores a version of the profile `base`, which is tried once.
    async fn base(&self, zoom: i64) {
        let node = json!({ "address": ZOOM, "value": zoom });
        let document = json!({ "name": "base", "attempts": 1, "node": [node] });
        assert_eq!(self.api("PUT", "/profiles/base", Some(document)).await.status, 200);
    }

    async fn give(&self, name: &str, version: u32, more: Value) {
        let mut document = more;
        document["name"] = json!(name);
        document["change"] = json!({ "profile": { "name": "base", "version": version } });
        self.campaign(document).await;
        self.act(name, "start").await;
    }

    /// The version of the profile that a device has, and how it stands.
    async fn stands(&self, device: &Device) -> (Value, Value) {
        let of = self.get(&format!("/devices/{}/profiles", device.path())).await;
        (of["profiles"][0]["version"].clone(), of["profiles"][0]["state"].clone())
    }
}

/// A session in which a device answers everything with this status; whether it was told to set something.
async fn session(server: &TestServer, device: &Device, hello: &str, code: u16) -> bool {
    let mut connection: Connection = server.connect().await;
    let mut answer = connection.send(device.package1(hello.to_owned())).await;
    let mut is_set = false;
    while answer.text() != END {
        let sent = answer.commands();
        is_set |= sent.iter().any(|words| words[0] == "HGET");
        let codes: Vec<u16> = sent.iter().map(|words| if words[0] == "GET" { 404 } else { code }).collect();
        answer = connection.send(device.statuses(&codes)).await;
    }
    is_set
}

#[tokio::test]
async fn a_campaign_in_two_stages_is_stopped_and_rolled_back() {
    let server = TestServer::start().await;
    let devices = ["IMEI:1", "IMEI:2", "IMEI:3"];
    let [a, b, c] =
        [server.enrol(devices[0]).await, server.enrol(devices[1]).await, server.enrol(devices[2]).await];
    server.base(4).await;
    let stages = json!([{ "filter": "id = \"IMEI:1\"", "hold": { "approval": true } }, { "filter": "id != \"IMEI:1\"" }]);
    server.give("up", 1, json!({ "stages": stages })).await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 1).await;
    assert!(session(&server, &a, MOS, 200).await);
    assert!(!session(&server, &b, MOS, 200).await, "it is not its turn");
    server.campaign_when("up", |seen| seen["state"] == "holding" && seen["devices"]["done"] == 1).await;
    server.act("up", "resume").await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 2).await;
    // The second one has begun when the campaign is stopped, the third has not.
    let mut connection = server.connect().await;
    let sent = connection.send(b.package1(format!("{HELLO} "))).await.commands();
    server.act("up", "stop").await;
    let stopped = server.campaign_when("up", |seen| seen["devices"]["cancelled"] == 1).await;
    assert_eq!((&stopped["state"], &stopped["devices"]["open"]), (&json!("stopped"), &json!(1)));
    let codes: Vec<u16> = sent.iter().map(|words| if words[0] == "GET" { 404 } else { 200 }).collect();
    let mut answer = connection.send(b.statuses(&codes)).await;
    while answer.text() != END {
        answer = connection.send(b.statuses(&vec![200; answer.commands().len()])).await;
    }
    server.campaign_when("up", |seen| seen["devices"]["done"] == 2).await;
    assert!(!session(&server, &c, MOS, 200).await, "what it had not begun with it does not get any more");
    for device in [&a, &b] {
        assert_eq!(server.stands(device).await, (json!(1), json!("converged")), "a stop takes nothing back");
    }

    let refused = server.api("POST", "/campaigns/none/rollback", Some(json!({}))).await;
    assert_eq!(refused.status, 404);
    let begun = server.act("up", "rollback").await;
    assert_eq!(begun["state"], "stopped");
    server
        .campaign_when("up", |seen| seen["why"].as_str().is_some_and(|why| why.contains("Stopped by")))
        .await;
    let events = async || server.items("/events?limit=1000").await;
    while !events().await.iter().any(|event| event["body"]["what"] == "rolled back") {
        tokio::task::yield_now().await;
    }
    for device in [&a, &b] {
        session(&server, device, &format!("{HELLO}  "), 200).await;
        assert_eq!(server.stands(device).await.0, Value::Null, "nobody wants it any more");
    }
}

#[tokio::test]
async fn the_last_word_counts() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    for zoom in [4, 5, 6] {
        server.base(zoom).await;
    }
    let assign = async |version: u32| {
        let what = Some(json!({ "version": version }));
        assert_eq!(server.api("PUT", "/profiles/base/assignment", what).await.status, 200);
    };
    assign(1).await;
    session(&server, &device, MOS, 200).await;
    server.give("up", 2, json!({})).await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 1).await;
    session(&server, &device, HELLO, 200).await;
    assert_eq!(server.stands(&device).await.0, 2, "the campaign came after the assignment");
    server.campaign_when("up", |seen| seen["state"] == "done").await;
    assign(2).await;
    assign(3).await;
    session(&server, &device, &format!("{HELLO} "), 200).await;
    assert_eq!(server.stands(&device).await.0, 3, "what was assigned since counts again");
}

#[tokio::test]
async fn what_was_replaced_does_not_come_back_when_that_is_taken_back() {
    let server = TestServer::start().await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    for zoom in [4, 5, 6] {
        server.base(zoom).await;
    }
    let group = json!({ "filter": "id ~ \"IMEI:*\"" });
    assert!(server.api("PUT", "/groups/all", Some(group)).await.status.is_success());
    server.give("up", 2, json!({})).await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 2).await;
    for device in [&device, &other] {
        session(&server, device, MOS, 200).await;
        assert_eq!(server.stands(device).await.0, 2);
    }
    server.campaign_when("up", |seen| seen["state"] == "done").await;
    let assigned = json!({ "version": 3, "group": "all" });
    assert_eq!(server.api("PUT", "/profiles/base/assignment", Some(assigned)).await.status, 200);
    // One of the two comes while it is assigned, and the other does not.
    session(&server, &device, HELLO, 200).await;
    assert_eq!(server.stands(&device).await.0, 3);
    assert_eq!(server.api("DELETE", "/profiles/base/assignment?group=all", None).await.status, 204);
    for (device, hello) in [(&device, format!("{HELLO} ")), (&other, HELLO.to_owned())] {
        session(&server, device, &hello, 200).await;
        assert_eq!(server.stands(device).await.0, Value::Null, "nobody wants it: {}", device.id);
    }
    // What a campaign gives from now on counts.
    server.give("again", 2, json!({})).await;
    server.campaign_when("again", |seen| seen["devices"]["open"] == 2).await;
    session(&server, &device, &format!("{HELLO}  "), 200).await;
    assert_eq!(server.stands(&device).await.0, 2);
}

#[tokio::test]
async fn what_could_be_rolled_back_is_not_removed_unless_told_so() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.base(4).await;
    server.base(5).await;
    let remove = async |name: &str, query: &str| {
        server.api("DELETE", &format!("/campaigns/{name}{query}"), None).await
    };
    let went_well = async |name: &str, version: u32, hello: &str| {
        server.give(name, version, json!({})).await;
        server.campaign_when(name, |seen| seen["devices"]["open"] == 1).await;
        session(&server, &device, hello, 200).await;
        server.campaign_when(name, |seen| seen["state"] == "done").await;
    };
    went_well("one", 1, MOS).await;
    let refused = remove("one", "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("rolled back") && refused.text().contains("force"), "{}", refused.text());
    assert_eq!(remove("one", "?force=true").await.status, 204);
    went_well("two", 2, HELLO).await;
    server.act("two", "rollback").await;
    while server.items("/events?limit=1000").await.iter().all(|event| event["body"]["what"] != "rolled back")
    {
    }
    assert_eq!(remove("two", "").await.status, 204, "nothing is left to be taken back");
    server.give("three", 1, json!({})).await;
    server.campaign_when("three", |seen| seen["devices"]["open"] == 1).await;
    server.act("three", "stop").await;
    server.campaign_when("three", |seen| seen["devices"]["cancelled"] == 1).await;
    assert_eq!(remove("three", "").await.status, 204, "it has given nothing");
}

#[tokio::test]
async fn a_profile_that_is_stored_again_gives_nobody_what_they_had() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.base(4).await;
    server.give("up", 1, json!({})).await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 1).await;
    session(&server, &device, MOS, 200).await;
    assert_eq!(server.api("DELETE", "/profiles/base", None).await.status, 204);
    session(&server, &device, HELLO, 200).await;
    assert_eq!(server.stands(&device).await.0, Value::Null);
    server.base(9).await;
    // Which the server learns with the next change at the latest.
    assert_eq!(server.api("PUT", "/profiles/other", Some(json!({ "name": "other" }))).await.status, 200);
    assert_eq!(server.api("PUT", "/profiles/other/assignment", Some(json!({}))).await.status, 200);
    assert!(!session(&server, &device, &format!("{HELLO} "), 200).await);
    let of = server.get("/devices/IMEI%3A1/profiles").await;
    assert!(of["profiles"].as_array().unwrap().iter().all(|one| one["profile"] != "base"), "{of}");
}

#[tokio::test]
async fn a_device_that_fails_is_tried_again_as_the_campaign_says() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.base(4).await;
    server.give("up", 1, json!({ "retry": { "attempts": 2, "wait": 1 } })).await;
    server.campaign_when("up", |seen| seen["devices"]["open"] == 1).await;
    assert!(session(&server, &device, MOS, 403).await);
    assert_eq!(server.stands(&device).await.1, "failed", "the profile itself is tried once");
    server.campaign_when("up", |seen| seen["devices"]["retry"] == 1).await;
    let again = server.campaign_when("up", |seen| seen["devices"]["open"] == 1).await;
    assert_eq!(again["devices"]["failed"], 0);
    assert_eq!(server.items("/campaigns/up/devices").await[0]["attempts"], 2);
    assert!(session(&server, &device, HELLO, 200).await, "it is told once more");
    let done = server.campaign_when("up", |seen| seen["state"] == "done").await;
    assert_eq!(done["devices"]["done"], 1);
}

#[tokio::test]
async fn a_device_that_does_not_come_in_time_gets_nothing() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.base(4).await;
    server.give("up", 1, json!({ "expires_in": 1 })).await;
    let done = server.campaign_when("up", |seen| seen["state"] == "done").await;
    assert_eq!(done["devices"]["failed"], 1);
    let failed = server.items("/campaigns/up/devices?state=failed").await;
    assert!(failed[0]["reason"].as_str().unwrap().contains("expires_in"), "{failed:?}");
    assert!(!session(&server, &device, MOS, 200).await);
}

#[tokio::test]
async fn who_is_limited_to_groups_makes_campaigns_within_them() {
    let server = TestServer::start().await;
    for id in ["A:1", "A:2", "B:1"] {
        server.enrol(id).await;
    }
    for group in ["a", "b"] {
        let filter = json!({ "filter": format!("id ~ \"{}:*\"", group.to_uppercase()) });
        assert!(server.api("PUT", &format!("/groups/{group}"), Some(filter)).await.status.is_success());
    }
    let token = async |name: &str, groups: Value| {
        let new = json!({ "name": name, "role": "operator", "groups": groups });
        let made = server.api("POST", "/tokens", Some(new)).await.json();
        made["token"].as_str().unwrap().to_owned()
    };
    let (ann, bob, both) = (
        token("ann", json!(["a"])).await,
        token("bob", json!(["b"])).await,
        token("both", json!(["a", "b"])).await,
    );
    let reading = json!({ "command": { "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" } });
    server.campaign(json!({ "name": "all", "change": reading })).await;
    let new = json!({ "name": "anns", "change": reading, "filter": "id != \"A:1\"" });
    let made = server.api_as(&ann, "POST", "/campaigns", Some(new)).await;
    assert_eq!((made.status.as_u16(), &made.json()["groups"]), (201, &json!(["a"])), "{}", made.text());
    let listed = async |token: &str| {
        let answer = server.api_as(token, "GET", "/campaigns", None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["items"].as_array().unwrap().len()
    };
    assert_eq!((listed(&ann).await, listed(&bob).await, listed(&both).await), (1, 0, 1));
    assert_eq!(listed(&server.token).await, 2);
    for (method, path) in [
        ("GET", "/campaigns/anns"),
        ("GET", "/campaigns/anns/devices"),
        ("GET", "/campaigns/anns/report"),
        ("POST", "/campaigns/anns/start"),
        ("POST", "/campaigns/anns/stop"),
        ("POST", "/campaigns/anns/rollback"),
        ("DELETE", "/campaigns/anns"),
        ("GET", "/campaigns/all"),
        ("POST", "/campaigns/all/start"),
    ] {
        let body = (method == "POST").then(|| json!({}));
        let answer = server.api_as(&bob, method, path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
    assert_eq!(server.api_as(&ann, "POST", "/campaigns/all/start", Some(json!({}))).await.status, 404);
    let started = server.api_as(&ann, "POST", "/campaigns/anns/start", Some(json!({}))).await;
    assert_eq!(started.status, 200, "{}", started.text());
    let all = server.campaign_when("anns", |seen| seen["scanned"] == true).await;
    assert_eq!(all["devices"]["total"], 1, "{all}");
    let reached = server.items("/campaigns/anns/devices").await;
    assert_eq!(reached[0]["device"], "A:2", "never outside, whatever the filter says");
    assert_eq!(server.api("DELETE", "/tokens/ann", None).await.status, 204);
    assert_eq!(server.api("DELETE", "/groups/a", None).await.status, 409, "the campaign needs it");
}

/// A device that leaves the groups of who made the campaign.
#[tokio::test]
async fn who_is_limited_to_groups_does_not_see_who_has_left_them() {
    let server = TestServer::start().await;
    let group = json!({ "filter": "label:site = A" });
    assert!(server.api("PUT", "/groups/a", Some(group)).await.status.is_success());
    let new = json!({ "name": "ann", "role": "operator", "groups": ["a"] });
    let token = server.api("POST", "/tokens", Some(new)).await.json()["token"].as_str().unwrap().to_owned();
    let mut devices = Vec::new();
    for id in ["IMEI:1", "IMEI:2", "IMEI:3"] {
        devices.push(server.enrol(id).await);
        label(&server, id, "A").await;
    }
    let reading = json!({ "command": { "verb": "delete", "address": ZOOM, "force": true } });
    let made = server.api_as(&token, "POST", "/campaigns", Some(json!({ "name": "c", "change": reading })));
    assert_eq!(made.await.status, 201);
    server.act("c", "start").await;
    server.campaign_when("c", |seen| seen["devices"]["open"] == 3).await;
    for device in &devices {
        session(&server, device, MOS, 403).await;
    }
    server.campaign_when("c", |seen| seen["state"] == "done").await;
    label(&server, "IMEI:2", "B").await;
    let seen = async |token: &str, path: &str, list: &str| {
        let answer = server.api_as(token, "GET", path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let ids: Vec<_> = answer[list].as_array().unwrap().iter().map(|one| one["device"].clone()).collect();
        (ids, answer["next"].clone())
    };
    for (path, list) in [
        ("/campaigns/c/devices", "items"),
        ("/campaigns/c/devices?state=failed", "items"),
        ("/campaigns/c/report", "failures"),
    ] {
        assert_eq!(seen(&token, path, list).await.0, ["IMEI:1", "IMEI:3"], "{path}");
        assert_eq!(seen(&server.token, path, list).await.0, ["IMEI:1", "IMEI:2", "IMEI:3"], "{path}");
    }
    assert_eq!(
        seen(&token, "/campaigns/c/devices?limit=1", "items").await,
        (vec![json!("IMEI:1")], json!("IMEI:1"))
    );
    let rest = seen(&token, "/campaigns/c/devices?limit=1&after=IMEI%3A1", "items").await;
    assert_eq!(rest, (vec![json!("IMEI:3")], Value::Null));
}

async fn label(server: &TestServer, id: &str, site: &str) {
    let body = json!({ "labels": { "site": site } });
    let answer = server.api("PATCH", &format!("/devices/{}", id.replace(':', "%3A")), Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

//! Campaigns from the operator's word to the devices, over a start of the server in the middle.

use serde_json::{Value, json};

use crate::harness::{Device, END, HELLO, TestServer};

impl TestServer {
    pub async fn campaign(&self, document: Value) -> Value {
        let answer = self.api("POST", "/campaigns", Some(document)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    pub async fn act(&self, name: &str, what: &str) -> Value {
        let answer = self.api("POST", &format!("/campaigns/{name}/{what}"), Some(json!({}))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The campaign once it is as wanted.
    pub async fn campaign_when(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut seen = self.get(&format!("/campaigns/{name}")).await;
        while !wanted(&seen) {
            let version = &seen["version"];
            seen = self.get(&format!("/campaigns/{name}?wait=10&version={version}")).await;
        }
        seen
    }

    pub async fn enrol_many(&self, devices: usize) {
        for batch in 0..devices.div_ceil(500) {
            let numbers = batch * 500..devices.min((batch + 1) * 500);
            let batch: Vec<_> = numbers.map(|number| json!({ "id": format!("SIM:{number:05}") })).collect();
            let answer = self.api("POST", "/devices/batch", Some(json!({ "devices": batch }))).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    }
}

fn reading() -> Value {
    json!({ "command": { "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" } })
}

/// Lets a device carry out what it is asked, with this status.
async fn session(server: &TestServer, device: &Device, status: u16) {
    let mut connection = server.connect().await;
    let mut answer = connection.send(device.package1(HELLO)).await;
    while answer.text() != END {
        let commands = answer.commands().len();
        answer = connection.send(device.statuses(&vec![status; commands])).await;
    }
}

#[tokio::test]
async fn a_campaign_goes_from_its_canary_to_its_report() {
    let server = TestServer::start().await;
    let (good, bad) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let command = json!({ "command": { "verb": "exec", "address": "urn:oma:mo:oma-lawmo:1.0//Operations/FactoryReset" } });
    let stages = json!([{ "filter": "id = \"IMEI:1\"", "hold": { "approval": true } }, { "filter": "id = \"IMEI:2\"" }]);
    let document = json!({ "name": "reset", "change": command, "stages": stages });
    let made = server.campaign(document.clone()).await;
    assert_eq!((made["state"].as_str(), made["spec"].clone()), (Some("draft"), document.clone()));
    assert_eq!(server.api("POST", "/campaigns", Some(document)).await.status, 409, "the name is taken");
    server.act("reset", "start").await;
    assert_eq!(server.api("POST", "/campaigns/reset/start", Some(json!({}))).await.status, 409);
    server.campaign_when("reset", |seen| seen["devices"]["open"] == 1).await;
    let queued = server.items("/devices/IMEI%3A1/commands").await;
    assert_eq!(queued[0]["origin"], format!("campaign:{}", made["id"].as_str().unwrap()));
    session(&server, &good, 200).await;
    let held = server.campaign_when("reset", |seen| seen["state"] == "holding").await;
    assert_eq!((held["devices"]["done"].as_i64(), held["devices"]["total"].as_i64()), (Some(1), Some(1)));
    server.act("reset", "resume").await;
    server.campaign_when("reset", |seen| seen["devices"]["open"] == 1).await;
    session(&server, &bad, 500).await;
    server.campaign_when("reset", |seen| seen["state"] == "done").await;
    let report = server.get("/campaigns/reset/report").await;
    assert_eq!(
        (report["failed_percent"].as_f64(), report["more_failures"].as_bool()),
        (Some(50.0), Some(false))
    );
    assert_eq!(
        (&report["failures"][0]["device"], &report["failures"][0]["status"]),
        (&json!("IMEI:2"), &json!(500))
    );
    assert!(report["failures"][0]["reason"].as_str().is_some());
    let done = server.items("/campaigns/reset/devices?state=done").await;
    assert_eq!(done[0]["device"], "IMEI:1");
    let events = server.items("/events").await;
    let told: Vec<_> = events.iter().filter(|event| event["kind"] == "campaign").collect();
    let whats: Vec<_> = told.iter().map(|event| event["body"]["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["made", "started", "holding", "resumed", "done"]);
    assert_eq!(server.api("DELETE", "/campaigns/reset", None).await.status, 204);
    assert_eq!(server.api("GET", "/campaigns/reset", None).await.status, 404);
}

#[tokio::test]
async fn firmware_is_brought_by_an_address_that_needs_no_credentials() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let stored = server.api("POST", "/packages?name=fw&version=2&kind=firmware", Some(json!("octets"))).await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    let package = stored.json()["id"].clone();
    let change = json!({ "firmware": { "package": package } });
    server.campaign(json!({ "name": "update", "change": change })).await;
    let wrong = json!({ "name": "other", "change": { "software": { "package": package } } });
    assert_eq!(server.api("POST", "/campaigns", Some(wrong)).await.status, 400, "it is firmware");
    let path = format!("/packages/{}", package.as_str().unwrap());
    let kept = server.api("DELETE", &path, None).await;
    assert_eq!((kept.status.as_u16(), kept.text().contains("update")), (409, true));
    server.act("update", "start").await;
    server.campaign_when("update", |seen| seen["devices"]["open"] == 1).await;
    let commands = server.items("/devices/IMEI%3A1/commands").await;
    assert_eq!(commands[0]["address"], "urn:oma:mo:oma-fumo:1.0//DownloadAndUpdate");
    let mut connection = server.connect().await;
    let sent = connection.send(device.package1(HELLO)).await.commands();
    let url = sent.iter().find(|words| words.iter().any(|word| word.contains("PkgURL"))).unwrap();
    let (_, repository) = url[1].split_once(&server.running.device_addr.to_string()).unwrap();
    let given = connection.send(device.request(http::Method::GET, repository, None, "")).await;
    let (_, path) = given.text().split_once(&server.running.device_addr.to_string()).unwrap();
    let bare =
        http::Request::builder().uri(path).header("host", "localhost").body(Default::default()).unwrap();
    let fetched = connection.send(bare).await;
    assert_eq!((fetched.status.as_u16(), fetched.text()), (200, "\"octets\""));
    server.act("update", "stop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_goes_on_after_the_server_was_started_anew() {
    const DEVICES: usize = 3_000;
    let server = TestServer::start().await;
    server.enrol_many(DEVICES).await;
    server.campaign(json!({ "name": "read", "change": reading() })).await;
    server.act("read", "start").await;
    server.campaign_when("read", |seen| seen["devices"]["open"].as_i64() > Some(0)).await;
    let (dir, token) = (server.dir.clone(), server.token.clone());
    server.running.stop().await;
    let server = TestServer::again(dir, token).await;
    let all = server.campaign_when("read", |seen| seen["devices"]["open"] == DEVICES).await;
    assert_eq!(all["devices"]["total"], DEVICES);
    for number in [0, 1_499, DEVICES - 1] {
        let commands = server.items(&format!("/devices/SIM%3A{number:05}/commands")).await;
        assert_eq!(commands.len(), 1, "device {number}");
    }
    server.act("read", "stop").await;
    let stopped = server.campaign_when("read", |seen| seen["devices"]["open"] == 0).await;
    assert_eq!(
        (stopped["devices"]["cancelled"].as_u64(), &stopped["state"]),
        (Some(3_000), &json!("stopped"))
    );
    assert!(stopped["why"].as_str().unwrap().contains("first"), "who stopped it is said");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let server = TestServer::start().await;
    for (change, why) in [
        (json!({ "change": { "command": { "verb": "dance" } } }), "dance"),
        (json!({ "change": { "command": { "verb": "get", "address": "x", "wait": 5 } } }), "wait"),
        (json!({ "change": { "profile": { "name": "none", "version": 1 } } }), "none"),
        (json!({ "change": { "unheard": {} } }), "unheard"),
        (json!({ "filter": "colour = \"red\"" }), "filter: at character"),
        (json!({ "filter": "group:\"none\"" }), "none"),
        (json!({ "stages": [{ "percent": 10 }] }), "add up"),
        (json!({ "window": { "from": "10:00", "to": "10:00" } }), "never opens"),
        (json!({ "window": { "from": "10:00", "to": "11:00", "zone": "Mars" } }), "time zone"),
        (json!({ "stop": "2001-01-01T00:00:00Z" }), "over"),
    ] {
        let mut document = json!({ "name": "c", "change": reading() });
        for (key, value) in change.as_object().unwrap() {
            document[key] = value.clone();
        }
        let answer = server.api("POST", "/campaigns", Some(document)).await;
        assert_eq!(answer.status, 400, "{change}: {}", answer.text());
        assert!(answer.text().contains(why), "{change}: {}", answer.text());
    }
    let package = json!({ "firmware": { "package": "00000000-0000-0000-0000-000000000000" } });
    let unknown = server.api("POST", "/campaigns", Some(json!({ "name": "c", "change": package }))).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    for path in ["start", "pause", "resume", "stop"] {
        assert_eq!(server.api("POST", &format!("/campaigns/none/{path}"), Some(json!({}))).await.status, 404);
    }
    server.campaign(json!({ "name": "c", "change": reading() })).await;
    for what in ["pause", "resume"] {
        assert_eq!(server.api("POST", &format!("/campaigns/c/{what}"), Some(json!({}))).await.status, 409);
    }
    assert_eq!(server.api("GET", "/campaigns/c?wait=61", None).await.status, 400);
    assert_eq!(server.api("GET", "/campaigns/c/devices?state=happy", None).await.status, 400);
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// `cargo test --release -p omadm-server --test http -- --ignored --nocapture hundred_thousand` prints time and memory.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_campaign_over_a_hundred_thousand_devices() {
    const DEVICES: usize = 100_000;
    let server = TestServer::start().await;
    server.enrol_many(DEVICES).await;
    server.campaign(json!({ "name": "read", "change": reading() })).await;
    let (began, before) = (std::time::Instant::now(), resident());
    server.act("read", "start").await;
    server.campaign_when("read", |seen| seen["devices"]["open"].as_i64() > Some(0)).await;
    let first = began.elapsed();
    server.campaign_when("read", |seen| seen["devices"]["open"] == DEVICES).await;
    let (all, after) = (began.elapsed(), resident());
    println!(
        "first batch {first:?}, all {DEVICES} devices {all:?}; resident {before} KiB before, {after} KiB after"
    );
    server.act("read", "stop").await;
    server.campaign_when("read", |seen| seen["devices"]["open"] == 0).await;
    println!("all cancelled {:?} after the start; resident {} KiB", began.elapsed(), resident());
}

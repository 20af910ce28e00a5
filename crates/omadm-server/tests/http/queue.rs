//! Commands as operators queue, watch and cancel them.

use http::StatusCode;
use omadm_mo::{DeviceId, Time};
use omadm_server::config::Span;
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{NewCommand, Store as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{END, HELLO, LANG, TestServer};

/// A leaf beside [`LANG`].
const NAME: &str = "urn:x:1.0//Name";

#[tokio::test]
async fn what_cannot_be_sent_is_not_queued() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let cases = [
        json!({ "verb": "get", "address": "nonsense" }),
        json!({ "verb": "get", "adress": LANG }),
        json!({ "verb": "set", "address": LANG }),
        json!({ "verb": "get", "address": LANG, "wait": 61 }),
        json!({ "verb": "get", "address": LANG, "expires_in": 0 }),
        json!([]),
    ];
    for command in cases {
        let answer = server.api("POST", "/devices/IMEI:1/commands", Some(command.clone())).await;
        assert_eq!(answer.status, 400, "{command}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["title"]), (&json!(400), &json!("Bad Request")));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    assert!(server.items("/devices/IMEI:1/commands").await.is_empty());
    let answer =
        server.api("POST", "/devices/IMEI:2/commands", Some(json!({ "verb": "get", "address": LANG }))).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn who_waits_hears_at_once() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "delete", "address": LANG })).await;
    let path = format!("/commands/{id}?wait=60");
    let waiting = server.get(&path);
    let acting = async {
        let mut connection = server.connect().await;
        connection.send(device.package1(HELLO)).await.commands();
        assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    };
    let (command, ()) = tokio::join!(waiting, acting);
    assert_eq!((&command["state"], &command["reason"]), (&json!("done"), &Value::Null));
}

#[tokio::test]
async fn a_command_that_is_final_in_time_is_answered_with_200() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let queueing = server.api(
        "POST",
        "/devices/IMEI:1/commands",
        Some(json!({ "verb": "get", "address": LANG, "wait": 60 })),
    );
    let acting = async {
        let mut connection = server.connect().await;
        // The device polls until the command is there.
        let poll = |n: u32| device.package1(format!(r#"{{"Alert":[{{"AlertType":"urn:x:{n}"}}]}}"#));
        for n in 0.. {
            if connection.send(poll(n)).await.text() != END {
                break;
            }
        }
        connection.send(device.statuses(&[404])).await;
    };
    let (answer, ()) = tokio::join!(queueing, acting);
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("failed")));
}

#[tokio::test]
async fn only_what_was_not_sent_can_be_cancelled() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let early = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let answer = server.api("POST", &format!("/commands/{early}/cancel"), None).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("cancelled")));
    assert_eq!(answer.json()["reason"], "Cancelled by first.");
    let late = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    let answer = server.api("POST", &format!("/commands/{late}/cancel"), None).await;
    assert_eq!(answer.status, 409);
    assert!(answer.json()["detail"].as_str().unwrap().contains("sent already"), "{}", answer.text());
    connection.send(device.statuses(&[404])).await;
    let answer = server.api("POST", &format!("/commands/{late}/cancel"), None).await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("failed"), "{}", answer.text());
    let unknown = server.api("POST", "/commands/00000000-0000-0000-0000-000000000000/cancel", None).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn what_was_sent_in_a_broken_session_is_cancelled_with_a_warning() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    connection.send(device.statuses(&[503])).await;
    assert_eq!(server.command(&id).await["state"], "queued", "the device was busy");
    let answer = server.api("POST", &format!("/commands/{id}/cancel"), None).await.json();
    assert_eq!(answer["state"], "cancelled");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with("Cancelled by first. ") && reason.contains("may have been"), "{reason}");
}

#[tokio::test]
async fn a_newer_write_supersedes_one_that_was_not_sent() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let old = server.queue(&device, json!({ "verb": "set", "address": LANG, "value": "de" })).await;
    let new = server.queue(&device, json!({ "verb": "set", "address": LANG, "value": "fr" })).await;
    assert_eq!(server.command(&old).await["state"], "superseded");
    let commands = server.connect().await.send(device.package1(HELLO)).await.commands();
    assert_eq!(commands.len(), 1);
    assert!(commands[0][1].ends_with(&new), "{commands:?}");
}

#[tokio::test]
async fn a_write_that_was_put_off_does_not_undo_a_newer_one() {
    let server = TestServer::with(|config| config.device.repeat_window = Span::secs(0)).await;
    let device = server.enrol("IMEI:1").await;
    let set = |value| json!({ "verb": "set", "address": LANG, "value": value });
    let old = server.queue(&device, set("de")).await;
    let mut connection = server.connect().await;
    // Under way, so that the newer one does not take its place at once.
    assert_eq!(connection.send(device.package1(HELLO)).await.commands().len(), 1);
    let new = server.queue(&device, set("fr")).await;
    let other = server.queue(&device, json!({ "verb": "set", "address": NAME, "value": "x" })).await;
    assert_eq!(connection.send(device.package1(HELLO)).await.commands().len(), 3);
    assert_eq!(connection.send(device.statuses(&[503, 200, 503])).await.text(), END);
    let overtaken = server.command(&old).await;
    assert_eq!((&overtaken["state"], &overtaken["status"]), (&json!("superseded"), &json!(503)));
    assert!(overtaken["reason"].as_str().unwrap().contains(&new), "{overtaken}");
    assert_eq!(server.command(&new).await["state"], "done");
    assert_eq!(server.command(&other).await["state"], "queued", "another leaf has to wait only");
    assert_eq!(server.get("/devices/IMEI:1").await["open_commands"], 1);
    assert_eq!(connection.send(device.package1(HELLO)).await.commands().len(), 1);
}

#[tokio::test]
async fn a_queue_has_its_limit_and_pages() {
    let server = TestServer::with(|config| config.queue.max_per_device = 5).await;
    let device = server.enrol("IMEI:1").await;
    for _ in 0..5 {
        server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    }
    let answer =
        server.api("POST", "/devices/IMEI:1/commands", Some(json!({ "verb": "get", "address": LANG }))).await;
    assert_eq!(answer.status, 429);
    assert!(answer.json()["detail"].as_str().unwrap().contains("5 commands"), "{}", answer.text());

    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(after) = next {
        let cursor = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let page = server.get(&format!("/devices/IMEI:1/commands?limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|command| command["seq"].as_i64().unwrap()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    for query in ["limit=0", "limit=1001", "after=x", "colour=red"] {
        let answer = server.api("GET", &format!("/devices/IMEI:1/commands?{query}"), None).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn what_expires_is_told() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "get", "address": LANG, "expires_in": 1 })).await;
    let command = server.get(&format!("/commands/{id}?wait=60")).await;
    assert_eq!(command["state"], "expired");
    assert_eq!(server.connect().await.send(device.package1(HELLO)).await.text(), END);
}

#[tokio::test]
async fn every_end_of_a_command_is_an_event() {
    let server = TestServer::with(|config| config.queue.max_attempts = 1).await;
    let device = server.enrol("IMEI:1").await;
    let get = json!({ "verb": "get", "address": LANG });
    let quarantined = server.queue(&device, get.clone()).await;
    let mut connection = server.connect().await;
    let poll = |n: u32| device.package1(format!(r#"{{"Alert":[{{"AlertType":"urn:x:{n}"}}]}}"#));
    connection.send(poll(1)).await.commands();
    connection.send(poll(2)).await.commands();
    let cancelled = server.queue(&device, get.clone()).await;
    assert_eq!(server.api("POST", &format!("/commands/{cancelled}/cancel"), None).await.status, 200);
    let expired = server.queue(&device, json!({ "verb": "get", "address": LANG, "expires_in": 1 })).await;
    assert_eq!(server.get(&format!("/commands/{expired}?wait=60")).await["state"], "expired");

    let events = server.items("/events?device=IMEI:1").await;
    let ends: Vec<&Value> =
        events.iter().filter(|event| event["kind"] == "command").map(|event| &event["body"]).collect();
    let expected = [(quarantined, "quarantined"), (cancelled, "cancelled"), (expired, "expired")];
    assert_eq!(ends.len(), expected.len(), "{ends:?}");
    for (end, (id, state)) in ends.into_iter().zip(expected) {
        assert_eq!((&end["id"], &end["state"], &end["address"]), (&json!(id), &json!(state), &json!(LANG)));
        assert!(end["reason"].is_string(), "{end}");
    }
}

#[tokio::test]
async fn what_is_over_is_not_sent_also_before_it_is_swept() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let store = SqliteStore::open(&server.dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
    // As if it had waited while no server ran.
    let over = NewCommand {
        id: Uuid::now_v7(),
        device: DeviceId::parse(&device.id).unwrap(),
        verb: "delete".into(),
        address: LANG.into(),
        args: "{}".into(),
        payload: None,
        supersede_key: None,
        expires: Time(1),
        created_by: "test".into(),
        origin: None,
    };
    let over = store.enqueue(over, 10, Time(0)).await.unwrap().id.to_string();
    let live = server.queue(&device, json!({ "verb": "delete", "address": "urn:x:1.0//live" })).await;
    let mut connection = server.connect().await;
    assert_eq!(connection.send(device.package1(HELLO)).await.commands(), [["DELETE", "urn:x:1.0//live"]]);
    let expired = server.command(&over).await;
    assert_eq!((&expired["state"], &expired["attempts"]), (&json!("expired"), &json!(0)));
    assert_eq!(expired["reason"], "Its time was over before the device asked for it.");
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    assert_eq!(server.command(&live).await["state"], "done");
    assert_eq!(server.get("/devices/IMEI:1").await["open_commands"], 0);
    let events = server.items("/events?device=IMEI:1").await;
    assert!(events.iter().any(|event| event["body"]["id"] == over.as_str()), "{events:?}");
}

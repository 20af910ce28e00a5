//! What no peer should send and some will: each gets its answer, and both sides stay consistent.

use omadm_client::Outcome;
use omadm_conformance::{Answer, Bench, ScriptDevice, TestServer, address, commands, dmmo};
use serde_json::json;

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";

#[tokio::test]
async fn wrong_credentials_and_foreign_device_ids_are_refused() {
    let server = TestServer::start().await;
    let device = server.enrol("UUID:mine").await;
    let other = server.enrol("UUID:other").await;
    let queued = server.queue_raw(&other, &["GET", &address("Text")]).await;

    let wrong =
        ScriptDevice { credentials: (device.credentials.0.clone(), "guess".into()), ..device.clone() };
    let unknown = ScriptDevice { credentials: ("nobody".into(), "guess".into()), ..device.clone() };
    for stranger in [wrong, unknown] {
        let reply = stranger.begin().await;
        assert_eq!(reply.status, 401);
        assert!(
            reply.challenge("Basic").is_some_and(|challenge| challenge.starts_with("Basic realm=\"omadm\""))
        );
    }
    let without = device.post(&[("content-type", INITIATION), ("omadm-devid", "UUID:mine")], b"{}").await;
    assert_eq!(without.status, 401);
    let impostor = ScriptDevice { device_id: "UUID:other".into(), ..device.clone() };
    assert_eq!(impostor.begin().await.status, 403);
    assert_eq!(server.outcome(&queued).await, ("queued".into(), None));
    assert_eq!(server.get("/devices/UUID:other").await["last_contact"], json!(null));
    assert_eq!(commands(&device.begin().await), [["END"]], "the right credentials work as before");
}

#[tokio::test]
async fn a_package_over_the_limit_is_refused() {
    let server =
        TestServer::with(|config| config.device.max_message = omadm_server::config::Size(4096)).await;
    let device = server.enrol("UUID:large").await;
    let padding = "x".repeat(5000);
    assert_eq!(device.package1(&json!({ "vendor": padding })).await.status, 413);
    assert_eq!(commands(&device.package1(&json!({ "vendor": "small" })).await), [["END"]]);

    let mut bench = Bench::with(|setup| setup.client.fetch_limit = 4096).await;
    let large = bench.server.serve("/large", &dmmo(&address("Text"), "Text", json!(padding)));
    let answer = bench.run(json!([["HGET", large, address("Text")], ["GET", address("Text")]])).await;
    assert!([419, 506].contains(&answer.statuses()[0]), "{:?}", answer.statuses());
    assert_eq!(answer.value(1), "text of alpha");

    let endless = json!({ "CMD": [["EXEC", address("Run")]], "vendor": "x".repeat(2 << 20) });
    bench.server.say(Answer::package2(&endless));
    assert!(matches!(bench.session().await.outcome, Outcome::Aborted { .. }));
    assert!(bench.device.plug.executed().is_empty());
}

#[tokio::test]
async fn a_device_that_stops_in_the_middle_gets_its_commands_again_until_one_is_given_up() {
    let server = TestServer::start().await;
    let device = server.enrol("UUID:stops").await;
    let id = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/Run"]).await;
    for attempt in 1..=3 {
        let package = json!({ "Alert": [{ "AlertType": format!("urn:x:attempt:{attempt}") }] });
        assert_eq!(commands(&device.package1(&package).await)[0][0], "EXEC", "attempt {attempt}");
        let command = server.command(&id).await;
        assert_eq!((&command["state"], &command["attempts"]), (&json!("sent"), &json!(attempt)));
    }
    let next = server.queue_raw(&device, &["GET", &address("Text")]).await;
    let package = commands(&device.package1(&json!({ "Alert": [{ "AlertType": "urn:x:attempt:4" }] })).await);
    assert_eq!(package[0], ["GET", &address("Text")], "the rest of the queue flows on");
    let given_up = server.command(&id).await;
    assert_eq!(given_up["state"], "quarantined");
    assert!(given_up["reason"].as_str().is_some_and(|reason| reason.contains('3')), "{given_up}");
    assert_eq!(server.outcome(&next).await.0, "sent");
}

#[tokio::test]
async fn a_repeated_first_package_begins_no_second_session() {
    let server = TestServer::start().await;
    let device = server.enrol("UUID:repeats").await;
    let id = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/Run"]).await;
    let (first, again) = (device.begin().await, device.begin().await);
    assert_eq!(commands(&first), commands(&again));
    assert_eq!(server.command(&id).await["attempts"], 1);
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
    assert_eq!(server.outcome(&id).await, ("done".into(), Some(200)));
}

#[tokio::test]
async fn an_interior_node_and_a_leaf_are_not_taken_for_each_other() {
    let mut bench = Bench::new().await;
    let object = bench.server.serve("/object", &dmmo(&address("Text"), "Text", json!({ "a": "b" })));
    let value = bench.server.serve("/value", &dmmo(&address("List"), "List", json!("text")));
    bench.server.route(&http::Method::GET, "/plain", Answer::body("text/plain", "text"));
    let plain = bench.server.uri("/plain");
    let answer = bench
        .run(json!([
            ["HGET", object, address("Text")],
            ["HGET", value, address("List")],
            ["HGET", plain, address("List")],
            ["GET", address("Text/a")],
            ["EXEC", address("List")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [415, 415, 415, 404, 405]);
    assert_eq!(bench.device.text(&address("List/one/ID")).as_deref(), Some("GPS"));
}

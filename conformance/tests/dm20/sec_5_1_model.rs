//! The model of a session (`DM 2.0 §5.1`).

use http::Method;
use omadm_client::{Client, ClientError, Outcome, Trigger};
use omadm_conformance::{
    Account, Answer, Bench, DeviceSetup, ScriptServer, TestServer, address, commands, proves,
};
use omadm_mo::ServerId;
use serde_json::json;

#[tokio::test]
async fn management_data_travels_as_mo_data_or_as_a_bare_leaf() {
    proves!("D2-5.1.4-01");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    let answer = bench.run(json!([["HPOST", uri, address("List")], ["HPOST", uri, address("Text")]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    let posted = bench.server.data_requests();
    assert!(posted.iter().all(|request| request.method == Method::POST));
    assert_eq!(posted[0].header("content-type"), Some("application/dmmo+json"));
    assert_eq!(posted[0].json()[0]["MOData"]["List"]["two"]["ID"], "Temperature");
    let leaf = posted[1].header("content-type").unwrap();
    assert!(["application/dmmo+json", "text/plain"].contains(&leaf), "{leaf}");
    assert!(posted[1].text().contains("text of alpha"));
}

#[tokio::test]
async fn packages_travel_over_http_only() {
    proves!("D2-5.1.1-05");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([
            ["HGET", "ftp://localhost/x", address("Text")],
            ["HGET", "file:///etc/hostname", address("Text")],
            ["HPUT", "ftp://localhost/x", address("Text")],
            ["GET", address("Text")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [419, 419, 419, 200]);
    assert_eq!(answer.value(3), "text of alpha");
    assert!(answer.request.tls, "the session ran over HTTPS");

    let plain = ScriptServer::http().await;
    let mut setup = DeviceSetup::new([Account::new("DMS1", &plain.dm_uri())], None);
    setup.client.plain_http = true;
    let mut device = setup.open();
    plain.say(Answer::commands(&json!([["GET", address("Text")]])));
    device.session("DMS1").await;
    assert_eq!(plain.packages3()[0].statuses(), [200], "and over HTTP where that is allowed");

    for uri in ["ftp://localhost/dm", "file:///dm"] {
        let mut device = DeviceSetup::new([Account::new("DMS1", uri)], None).open();
        assert!(no_session(&mut device.client).await, "{uri}");
    }
}

/// Whether a session cannot be started, with a reason.
async fn no_session(client: &mut Client) -> bool {
    let server = ServerId::parse("DMS1").expect("a server identifier");
    match client.run_session(&server, Trigger::Client).await {
        Err(ClientError::NoAccount { reason, .. }) => !reason.is_empty(),
        Ok(report) => matches!(report.outcome, Outcome::Aborted { ref reason, .. } if !reason.is_empty()),
        Err(_) => false,
    }
}

#[tokio::test]
async fn plain_http_has_to_be_allowed() {
    proves!("D2-5.1.2-01");
    let plain = ScriptServer::http().await;
    let mut device = DeviceSetup::new([Account::new("DMS1", &plain.dm_uri())], None).open();
    assert!(no_session(&mut device.client).await);
    assert!(plain.requests().is_empty(), "not even a connection with credentials in it");

    let mut bench = Bench::new().await;
    let data = plain.serve("/data", &omadm_conformance::dmmo(&address("Text"), "Text", json!("plain")));
    assert_eq!(bench.status(json!(["HGET", data, address("Text")])).await, 419);
    assert!(plain.requests().is_empty());
    assert_eq!(bench.status(json!(["GET", address("Text")])).await, 200, "https works as it is");
}

#[tokio::test]
async fn nobody_sends_before_the_other_has_answered() {
    proves!("D2-5.1.1-03");
    let mut bench = Bench::new().await;
    let release = std::sync::Arc::new(tokio::sync::Notify::new());
    for _ in 0..3 {
        bench.server.say(Answer::commands(&json!([["GET", address("Text")]])).held(&release));
    }
    let server = &bench.server;
    let in_turn = async {
        for sent in 1..=3 {
            server.wait_for(sent).await;
            assert_eq!(server.requests().len(), sent, "nothing more before the answer");
            release.notify_one();
        }
    };
    tokio::join!(bench.device.session("DMS1"), in_turn);

    let server = TestServer::start().await;
    let device = server.enrol("UUID:twice").await;
    let first = server.queue_raw(&device, &["DELETE", "urn:oma:mo:x:1.0/i/one"]).await;
    assert_eq!(commands(&device.begin().await).len(), 1);
    let next = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/two"]).await;
    let status = json!([{ "sc": 200 }]);
    let (one, two) = tokio::join!(device.answer(&status), device.answer(&status));
    let (answered, other) = if one.status == 200 { (one, two) } else { (two, one) };
    let package = commands(&answered);
    assert_eq!(package[0], ["EXEC", "urn:oma:mo:x:1.0/i/two"]);
    assert!(other.body == answered.body || (400..500).contains(&other.status), "{}", other.status);
    assert_eq!(server.outcome(&first).await, ("done".into(), Some(200)));
    let sent = server.command(&next).await;
    assert_eq!((&sent["state"], &sent["attempts"]), (&json!("sent"), &json!(1)));
}

#[tokio::test]
async fn a_slow_device_does_not_end_the_session() {
    proves!("D2-5.1.1-04");
    let server = TestServer::start().await;
    let device = server.enrol("UUID:slow").await;
    let slow = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/slow"]).await;
    assert_eq!(commands(&device.begin().await).len(), 1);
    ten_minutes_pass(&server);
    let next = server.queue_raw(&device, &["DELETE", "urn:oma:mo:x:1.0/i/next"]).await;
    let package = commands(&device.answer(&json!([{ "sc": 200 }])).await);
    assert_eq!(package[0], ["DELETE", "urn:oma:mo:x:1.0/i/next"], "the session goes on");
    assert_eq!(server.outcome(&slow).await, ("done".into(), Some(200)));
    assert_eq!(server.outcome(&next).await.0, "sent");
}

/// Moves everything that the server remembers of sessions ten minutes into the past, which is what ten minutes would do.
fn ten_minutes_pass(server: &TestServer) {
    let database = rusqlite::Connection::open(server.database());
    let shifted = database.and_then(|database| {
        database.execute_batch(
            "UPDATE session_log SET started = started - 600000000, updated = updated - 600000000;
             UPDATE trace SET at = at - 600000000;
             UPDATE device SET last_contact = last_contact - 600000000, updated = updated - 600000000;
             UPDATE command SET created = created - 600000000, sent = sent - 600000000;",
        )
    });
    assert_eq!(shifted, Ok(()));
}

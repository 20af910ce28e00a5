//! The model of a session (`DM 2.0 §5.1`).

use http::Method;
use omadm_client::{Client, ClientError, Outcome, Trigger};
use omadm_conformance::{Account, Answer, Bench, DeviceSetup, ScriptServer, address, proves};
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

    for uri in ["ftp://localhost/dm", "file:///dm", "localhost"] {
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

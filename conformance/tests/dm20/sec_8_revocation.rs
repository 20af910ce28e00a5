//! Bootstraps that an operator takes back: whatever a device has of them is worth nothing from then on.

use http::Method;
use omadm_client::SessionReport;
use omadm_conformance::{
    Account, Authority, DEVICE_ID, DeviceSetup, Flaw, MOID, ScriptDevice, TestDevice, TestServer,
};
use omadm_server::config::ClientCertificates;
use serde_json::{Value, json};

use super::sec_9_security::ended;

async fn revoke(server: &TestServer) -> u16 {
    server.rest(Method::DELETE, &format!("/bootstrap/{DEVICE_ID}"), None).await.status
}

fn get() -> Value {
    json!({ "verb": "get", "address": format!("{MOID}/alpha/Level") })
}

/// What the device answers to the command.
fn answer() -> Value {
    json!([{ "sc": 404 }])
}

#[tokio::test]
async fn a_session_ends_with_its_bootstrap() {
    let (server, device) = TestServer::with_device().await;
    let node = server.another_node().await;
    let elsewhere = ScriptDevice { address: node.device_address(), ..device.clone() };
    let command = server.queue(&device, &get()).await;
    assert_eq!(device.begin().await.status, 200);
    // Whichever node has the session in mind, and whichever the operator talks to.
    assert_eq!(revoke(&node).await, 204);
    for (device, what) in [(&device, "the node of the session"), (&elsewhere, "another")] {
        let reply = device.answer(&answer()).await;
        assert_eq!(reply.status, 401, "{what}: {}", String::from_utf8_lossy(&reply.body));
        assert_eq!(device.begin().await.status, 401, "{what}");
        let own = device.authorization();
        let fetched = device.send(Method::GET, "/data/c/x", &[("authorization", &own)], b"").await;
        assert!([401, 404].contains(&fetched.status), "{what}: {}", fetched.status);
    }
    assert_eq!(server.outcome(&command).await, ("sent".to_owned(), None), "the queue stays");
    let shown = server.get(&format!("/devices/{DEVICE_ID}")).await;
    assert!(shown["revoked"].is_string() && shown["open_commands"] == 1, "{shown}");
    let events = server.events(&device).await;
    let told = events.iter().find(|event| event["body"]["what"] == "bootstrap revoked").expect("an event");
    assert!(told["body"]["by"].is_string(), "{told}");
    assert_eq!(revoke(&server).await, 409);
    let unknown = server.rest(Method::DELETE, "/bootstrap/UUID:nobody", None).await;
    assert_eq!(unknown.status, 404);

    let anew = server.enrol(DEVICE_ID).await;
    assert_eq!(device.begin().await.status, 401, "the old secret stays worthless");
    let offered = anew.begin().await.json();
    assert_eq!(offered["CMD"][0], json!(["GET", format!("{MOID}/alpha/Level")]), "{offered}");
    assert!(server.get(&format!("/devices/{DEVICE_ID}")).await["revoked"].is_null());
}

#[tokio::test]
async fn a_remembered_session_does_not_outlive_a_bootstrap_that_is_made_anew() {
    let (server, old) = TestServer::with_device().await;
    server.queue(&old, &get()).await;
    assert_eq!(old.begin().await.status, 200);
    // The first node still has the session and the old secret in mind.
    let node = server.another_node().await;
    assert_eq!(revoke(&node).await, 204);
    let anew = node.enrol(DEVICE_ID).await;
    assert_eq!(old.answer(&answer()).await.status, 401);
    assert_eq!(anew.begin().await.status, 200);
}

/// Three sessions over one connection pool: before, between revocation and new bootstrap, and after that with the old keys.
async fn sessions(server: &TestServer, mut device: TestDevice) -> [SessionReport; 3] {
    let before = device.session("omadm").await;
    assert_eq!(revoke(server).await, 204);
    let revoked = device.session("omadm").await;
    let new = json!({ "id": DEVICE_ID, "psk": true });
    assert_eq!(server.rest(Method::POST, "/devices", Some(&new)).await.status, 201);
    [before, revoked, device.session("omadm").await]
}

#[tokio::test]
async fn keys_and_certificates_end_with_the_bootstrap() {
    let clients = Authority::new();
    let server = TestServer::with(|config| {
        config.tls.client_certificates = ClientCertificates::Optional;
        config.tls.client_ca = Some(clients.ca_file());
    })
    .await;
    let new = json!({ "id": DEVICE_ID, "psk": true });
    let enrolled = server.rest(Method::POST, "/devices", Some(&new)).await.json();
    let text = |member: &str| enrolled[member].as_str().unwrap().to_owned();

    let mut account = Account::new("omadm", server.device_uri());
    account.credentials = (text("user"), text("secret"));
    let mut setup = DeviceSetup::new([account], Some(server.ca_file()));
    setup.client.psk = true;
    setup.client.preemptive_basic = false;
    let reports = sessions(&server, setup.open()).await;
    assert_eq!(reports.each_ref().map(ended), [true, false, false], "pre-shared key: {reports:?}");

    let issued = clients.issue(DEVICE_ID, Flaw::Nothing);
    let account = Account::new("omadm", server.device_uri());
    let mut setup = DeviceSetup::new([account], Some(server.ca_file()));
    setup.client.preemptive_basic = false;
    (setup.https.certificate, setup.https.key) = (Some(issued.files.0), Some(issued.files.1));
    let reports = sessions(&server, setup.open()).await;
    // A certificate says who the device is, whichever bootstrap it has.
    assert_eq!(reports.each_ref().map(ended), [true, false, true], "certificate: {reports:?}");
}

//! Bootstraps that are taken back end sessions of DM 1.x as well.

use serde_json::json;

use crate::harness::{Connection, TestServer};
use crate::syncml::{Dm1Device, Proof, code_of, commands, results, status};

/// What the device is told about a message: the HTTP status, or the status of its header.
async fn told(connection: &mut Connection, device: &mut Dm1Device, body: &str) -> u16 {
    device.message += 1;
    let octets = device.octets(body);
    let answer = connection.send(device.request(octets)).await;
    if answer.status == 200 { code_of(&device.heard(&answer), "0") } else { answer.status.as_u16() }
}

#[tokio::test]
async fn a_session_of_dm1_ends_with_its_bootstrap() {
    let server = TestServer::start().await;
    for (id, proof) in [("IMEI:1", Proof::Mac), ("IMEI:2", Proof::Digest)] {
        let mut device = Dm1Device::enrol(&server, id).await;
        device.proof = proof;
        let get = json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" });
        let command = device.queue(&server, get).await;
        let mut connection = server.connect().await;
        let offered = device.begin(&mut connection).await;
        let (message, sent) = (offered.header.message_id.parse().unwrap(), commands(&offered));

        assert_eq!(server.api("DELETE", &format!("/bootstrap/{id}"), None).await.status, 204);
        let result = [
            status(1, message, "0", "SyncHdr", 200),
            status(2, message, &sent[0].id, "Get", 200),
            results(3, message, &sent[0].id, &[("./DevInfo/Man", "chr", Some("Acme"))]),
            "<Final/>".to_owned(),
        ];
        let refused = told(&mut connection, &mut device, &result.concat()).await;
        assert!(refused == 401 || refused == 407, "{id}: {refused}");
        assert_eq!(server.command(&command).await["state"], "sent", "nothing is taken of it");
        device.message = 0;
        device.session.push('1');
        let hello = device.hello("1201");
        let refused = told(&mut connection, &mut device, &hello).await;
        assert!(refused == 401 || refused == 407, "{id}: {refused}");
    }
}

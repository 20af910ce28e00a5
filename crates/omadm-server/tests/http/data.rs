//! The Data Repository and the DDF file server.

use http::{HeaderValue, Method};
use serde_json::json;

use crate::harness::{Answer, Connection, DMMO, Device, END, HELLO, LANG, TAKEN, TestServer};

/// Queues a command and lets the device have it; gives its id and the path of its place in the repository.
async fn sent(
    server: &TestServer,
    connection: &mut Connection,
    device: &Device,
    command: serde_json::Value,
) -> (String, String) {
    let id = server.queue(device, command).await;
    let commands = connection.send(device.package1(HELLO)).await.commands();
    let (_, path) = commands[0][1].split_once(&server.running.device_addr.to_string()).unwrap();
    (id, path.to_owned())
}

async fn fetch(
    connection: &mut Connection,
    device: &Device,
    path: &str,
    accept: Option<&'static str>,
) -> Answer {
    let mut request = device.request(Method::GET, path, None, "");
    if let Some(accept) = accept {
        request.headers_mut().insert("accept", HeaderValue::from_static(accept));
    }
    connection.send(request).await
}

#[tokio::test]
async fn a_payload_is_for_its_device_only() {
    let server = TestServer::start().await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let mut connection = server.connect().await;
    let (id, path) =
        sent(&server, &mut connection, &device, json!({ "verb": "set", "address": LANG, "value": "de" }))
            .await;
    assert_eq!(path, format!("/data/c/{id}"));

    let answer = fetch(&mut connection, &device, &path, None).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "de"));
    assert_eq!((answer.header("content-type"), answer.header("content-length")), ("text/plain", "2"));
    for accept in ["text/plain", "text/*;q=0.1, application/json", "*/*", "nonsense"] {
        assert_eq!(fetch(&mut connection, &device, &path, Some(accept)).await.status, 200, "{accept}");
    }
    assert_eq!(fetch(&mut connection, &device, &path, Some("image/png, text/plain;q=0")).await.status, 406);
    assert_eq!(fetch(&mut connection, &other, &path, None).await.status, 403);
    let wrong = Device { secret: "0123456789abcdef".into(), ..device.clone() };
    assert_eq!(fetch(&mut connection, &wrong, &path, None).await.status, 401);
    let mut bare = device.request(Method::GET, &path, None, "");
    bare.headers_mut().remove("omadm-devid");
    assert_eq!(
        connection.send(bare).await.status,
        200,
        "the address names the command, which names the device"
    );
    let foreign = Device { id: other.id.clone(), ..device.clone() };
    assert_eq!(fetch(&mut connection, &foreign, &path, None).await.status, 403);

    for path in [
        "/data/c/nonsense",
        "/data/c/00000000-0000-0000-0000-000000000000",
        "/data/-1/-1",
        "/data/",
        "/nothing",
    ] {
        assert_eq!(fetch(&mut connection, &device, path, None).await.status, 404, "{path}");
    }

    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    let tree = server.items(&format!("/devices/IMEI:1/tree?at={LANG}")).await;
    assert_eq!(tree[0]["value"], "de", "what was written successfully is known");
}

#[tokio::test]
async fn octets_and_instances_are_served_as_they_were_given() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let octets = json!({
        "verb": "set", "address": LANG, "value_base64": "AAH/", "content_type": "image/png", "force": true,
    });
    let (_, path) = sent(&server, &mut connection, &device, octets).await;
    let answer = fetch(&mut connection, &device, &path, None).await;
    assert_eq!((answer.header("content-type"), answer.body.as_ref()), ("image/png", &[0, 1, 255][..]));
    connection.send(device.statuses(&[200])).await;

    let items = json!([{ "ClientURI": "urn:oma:mo:x:1.0//", "MOData": { "x": { "a": 1 } } }]);
    let (id, path) = sent(&server, &mut connection, &device, json!({ "verb": "set", "items": items })).await;
    let answer = fetch(&mut connection, &device, &path, Some(DMMO)).await;
    assert_eq!((answer.header("content-type"), answer.json()), (DMMO, items));
    let stored = "urn:oma:mo:x:1.0/m7/";
    let package = json!({ "Status": [{ "sc": 200, "URI": [stored] }] }).to_string();
    assert_eq!(connection.send(device.package3(package)).await.text(), END);
    assert_eq!(server.command(&id).await["result"]["stored"], json!([stored]));
    let tree = server.items("/devices/IMEI:1/tree?at=urn:oma:mo:x:1.0/m7/a").await;
    assert_eq!(tree[0]["value"], 1, "the new instance is known");
}

#[tokio::test]
async fn an_upload_is_linked_to_its_command() {
    let server = TestServer::with(|config| config.data.max_upload = omadm_server::config::Size(1000)).await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let mut connection = server.connect().await;
    let (id, path) =
        sent(&server, &mut connection, &device, json!({ "verb": "upload", "address": LANG })).await;
    assert_eq!(path, format!("/data/u/{id}"));
    let put = |device: &Device, content_type: &str, body: &str| {
        device.request(Method::PUT, &path, Some(content_type), body.to_owned())
    };
    let data = json!([{ "ClientURI": LANG, "MOData": { "Lang": "fr" } }]).to_string();

    let answer = connection.send(put(&device, "application/x-foo", "x")).await;
    assert_eq!((answer.status.as_u16(), answer.header("omadm-accept")), (415, TAKEN));
    for taken in
        TAKEN.split(", ").map(|range| range.split(';').next().unwrap()).filter(|taken| *taken != DMMO)
    {
        assert_eq!(connection.send(put(&device, taken, "x")).await.status, 204, "{taken}");
    }
    assert_eq!(connection.send(put(&device, DMMO, &" ".repeat(1001))).await.status, 413);
    assert_eq!(connection.send(put(&device, DMMO, &format!("{data:<1000}"))).await.status, 204);
    assert_eq!(connection.send(put(&device, DMMO, "{")).await.status, 400);
    assert_eq!(connection.send(put(&other, DMMO, &data)).await.status, 403);
    assert_eq!(connection.send(put(&device, DMMO, &data)).await.status, 204);
    assert_eq!(connection.send(put(&device, DMMO, &data)).await.status, 204, "again is harmless");
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    assert_eq!(
        connection.send(put(&device, DMMO, &data)).await.status,
        204,
        "also when it was done moments ago"
    );
    let later = data.replace("fr", "de");
    for (content_type, other) in [("text/plain", "other"), (DMMO, later.as_str())] {
        assert_eq!(connection.send(put(&device, content_type, other)).await.status, 409, "{other}");
    }

    let command = server.command(&id).await;
    assert_eq!(command["state"], "done");
    let expected = json!({ "id": id, "content_type": DMMO, "length": data.len() });
    assert_eq!(command["result"]["upload"], expected);
    let kept = server.api("GET", &format!("/devices/IMEI:1/payloads/{id}"), None).await;
    assert_eq!((kept.header("content-type"), kept.text()), (DMMO, data.as_str()));
    assert_eq!(server.api("GET", &format!("/devices/IMEI:2/payloads/{id}"), None).await.status, 404);
    let tree = server.items(&format!("/devices/IMEI:1/tree?at={LANG}")).await;
    assert_eq!(tree[0]["value"], "fr");
}

#[tokio::test]
async fn only_uploads_take_uploads() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let (id, _) =
        sent(&server, &mut connection, &device, json!({ "verb": "set", "address": LANG, "value": 1 })).await;
    let request = device.request(Method::PUT, &format!("/data/u/{id}"), Some("text/plain"), "x");
    assert_eq!(connection.send(request).await.status, 404);
}

#[tokio::test]
async fn ddf_files_are_served_to_everyone() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let nobody = Device { id: "IMEI:9".into(), user: String::new(), secret: String::new() };
    let answer = fetch(&mut connection, &nobody, "/ddf/dm_devinfo-v1_2.ddf", None).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/vnd.syncml.dmddf+xml")
    );
    assert!(answer.text().contains("<MgmtTree"));
    assert_eq!(fetch(&mut connection, &nobody, "/ddf/none.ddf", None).await.status, 404);
}

#[tokio::test]
async fn what_was_given_up_is_not_served() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let (id, path) =
        sent(&server, &mut connection, &device, json!({ "verb": "set", "address": LANG, "value": "de" }))
            .await;
    assert_eq!(connection.send(device.statuses(&[503])).await.text(), END);
    assert_eq!(fetch(&mut connection, &device, &path, None).await.status, 200, "it will be sent again");
    assert_eq!(server.api("POST", &format!("/commands/{id}/cancel"), None).await.status, 200);
    assert_eq!(fetch(&mut connection, &device, &path, None).await.status, 410);
}

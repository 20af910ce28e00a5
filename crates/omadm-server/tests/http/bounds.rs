//! What is at a bound is taken, and what is beyond it is not.

use http::Method;
use omadm_server::config::Size;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Connection, DMMO, Device, HELLO, LANG, TestServer};

const YEAR: u64 = 365 * 86_400;

async fn post(server: &TestServer, path: &str, body: Value) -> u16 {
    server.api("POST", path, Some(body)).await.status.as_u16()
}

#[tokio::test]
async fn devices_in_a_batch_and_words_about_them() {
    let server = TestServer::start().await;
    let batch = |from: usize, count: usize| {
        let devices: Vec<_> = (from..from + count).map(|n| json!({ "id": format!("SIM:{n}") })).collect();
        json!({ "devices": devices })
    };
    assert_eq!(post(&server, "/devices/batch", batch(0, 1001)).await, 400);
    assert_eq!(post(&server, "/devices/batch", batch(0, 1000)).await, 201);
    assert_eq!(server.items("/devices?limit=1000").await.len(), 1000);
    assert_eq!(server.api("GET", "/devices?limit=1001", None).await.status, 400);
    for (id, key, longest) in [("IMEI:1", "label", 200), ("IMEI:2", "secret", 256)] {
        let device = |length: usize| json!({ "id": id, key: "x".repeat(length) });
        assert_eq!(post(&server, "/devices", device(longest + 1)).await, 400);
        assert_eq!(post(&server, "/devices", device(longest)).await, 201);
    }
    assert_eq!(post(&server, "/devices", json!({ "id": "IMEI:3", "secret": "x".repeat(15) })).await, 400);
    assert_eq!(post(&server, "/devices", json!({ "id": "IMEI:3", "secret": "x".repeat(16) })).await, 201);
}

#[tokio::test]
async fn commands_and_how_long_they_live() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let queue = "/devices/IMEI:1/commands";
    let lives = |seconds: u64| json!({ "verb": "get", "address": LANG, "expires_in": seconds });
    assert_eq!(post(&server, queue, lives(366 * 86_400)).await, 202);
    assert_eq!(post(&server, queue, lives(366 * 86_400 + 1)).await, 400);
    let addresses: Vec<String> = (0..257).map(|n| format!("urn:x:1.0//{n}")).collect();
    for (count, status) in [(256, 202), (257, 400)] {
        let upload = json!({ "verb": "upload", "addresses": addresses[..count] });
        assert_eq!(post(&server, queue, upload).await, status, "{count} addresses");
        let mut words = vec!["HPUT".to_owned(), "https://a.example/x".to_owned()];
        words.extend_from_slice(&addresses[..count]);
        assert_eq!(
            post(&server, queue, json!({ "verb": "raw", "words": words })).await,
            status,
            "{count} in words"
        );
    }
    let id = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    server.api("POST", &format!("/commands/{id}/cancel"), None).await;
    for (wait, status) in [(60, 200), (61, 400)] {
        assert_eq!(server.api("GET", &format!("/commands/{id}?wait={wait}"), None).await.status, status);
    }
}

#[tokio::test]
async fn tokens_and_bootstraps() {
    let server = TestServer::start().await;
    let token = |name: &str, seconds: u64| json!({ "name": name, "expires_in": seconds });
    assert_eq!(post(&server, "/tokens", token("a", 100 * YEAR + 1)).await, 400);
    assert_eq!(post(&server, "/tokens", token("a", 100 * YEAR)).await, 201);
    assert_eq!(post(&server, "/tokens", json!({ "name": "n".repeat(65) })).await, 400);
    assert_eq!(post(&server, "/tokens", json!({ "name": "n".repeat(64) })).await, 201);
    let bootstrap =
        |id: &str, count: usize| json!({ "device": { "id": id }, "moids": vec!["urn:x:1.0"; count] });
    for (id, count, status) in [("A:1", 0, 400), ("A:2", 1000, 201), ("A:3", 1001, 400)] {
        assert_eq!(post(&server, "/bootstrap", bootstrap(id, count)).await, status, "{count}");
    }
}

#[tokio::test]
async fn ddf_files() {
    let server = TestServer::start().await;
    let text = include_str!("../../../../ddf/dm_devinfo-v1_2.ddf");
    let name = |length: usize| format!("{}.ddf", "x".repeat(length - 4));
    let filled = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    assert_eq!(server.put_ddf(&name(128), &filled(2 << 20)).await.status, 200);
    assert_eq!(server.put_ddf(&name(129), text).await.status, 400);
    let beyond = server.put_ddf("x.ddf", &filled((2 << 20) + 1)).await;
    assert_eq!(beyond.status, 400, "{}", beyond.text());
    assert!(beyond.text().contains("2097152"), "{}", beyond.text());
}

#[tokio::test]
async fn items_of_an_upload() {
    let server = TestServer::with(|config| config.data.max_items = 104).await;
    let device = server.enrol("IMEI:1").await;
    let root = "urn:oma:mo:x:1.0/one/";
    let id = server.queue(&device, json!({ "verb": "upload", "address": root })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    // Four for the item, its address, its data and its root.
    let leaves = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|n| (format!("n{n}"), json!(n))).collect()
    };
    for (count, status) in [(101, 413), (100, 204)] {
        let body = json!([{ "ClientURI": root, "MOData": { "one": leaves(count) } }]).to_string();
        let answer =
            connection.send(device.request(Method::PUT, &format!("/data/u/{id}"), Some(DMMO), body)).await;
        assert_eq!(answer.status, status, "{count}: {}", answer.text());
    }
    assert_eq!(server.items("/devices/IMEI:1/tree?limit=1000").await.len(), 101);
}

#[tokio::test]
async fn remarks_about_a_device_in_a_minute() {
    let server = TestServer::start().await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let foreign = Device { id: other.id.clone(), ..device.clone() };
    let mut connection = server.connect().await;
    for _ in 0..40 {
        assert_eq!(connection.send(foreign.package1(HELLO)).await.status, 403);
    }
    // Each of them is an event and a trace.
    let events = server.items("/events?device=IMEI:1&limit=1000").await;
    let told = events.iter().filter(|event| event["kind"] == "security").count();
    assert!((1..=30).contains(&told), "{told}");
}

#[tokio::test]
async fn the_body_of_a_request() {
    let server = TestServer::with(|config| config.data.max_payload = Size(3 << 10)).await;
    // A payload in base64, and 4 MiB for what stands around it.
    let room = (4 << 10) + (4 << 20);
    for (length, status) in [(room + 1, 413), (room, 201)] {
        let device = json!({ "id": "IMEI:1" }).to_string();
        let body = format!("{device}{}", " ".repeat(length - device.len()));
        assert_eq!(server.api_text("POST", "/devices", body).await.status, status, "{length}");
    }
}

/// The status line of a request with a head of so many octets.
async fn status_of_head(server: &TestServer, length: usize) -> String {
    let mut stream = TcpStream::connect(server.running.operator_addr).await.unwrap();
    let (start, end) =
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-fill: ", "\r\n\r\n");
    let head = format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()));
    // The server may answer and close before it has read everything.
    let _written = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _read = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_head_of_a_request() {
    let server = TestServer::start().await;
    assert_eq!(status_of_head(&server, (64 << 10) - 1).await, "HTTP/1.1 200 OK");
    let beyond = status_of_head(&server, (64 << 10) + 4096).await;
    assert!(beyond.is_empty() || beyond.starts_with("HTTP/1.1 431"), "{beyond}");
    // Others are served all the same.
    drop(Connection::plain(server.running.operator_addr).await);
    assert_eq!(server.api("GET", "/server", None).await.status, 200);
}

//! Packages: stored as they come, served in ranges.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use omadm_mo::Time;
use omadm_store::sqlite::SqliteConfig;
use omadm_store::{Package, PackageKind, PackageStore as _, SqlStore};
use openssl::pkey::PKey;
use openssl::sign::Signer;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use serde_json::json;

use crate::harness::{Answer, Connection, Device, TestServer};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Octets that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    let octet = |number: usize| u8::try_from(number).unwrap();
    (0..length).map(|at| octet(at % 251) ^ octet(at / 251 % 241)).collect()
}

impl TestServer {
    async fn upload(&self, query: &str, content: &[u8]) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(format!("/api/v1/packages?{query}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/x-firmware")
            .body(Full::new(Bytes::copy_from_slice(content)))
            .unwrap();
        Connection::plain(self.running.operator_addr).await.send(request).await
    }

    /// Files of packages, whole or in parts.
    fn files(&self) -> Vec<String> {
        let Ok(found) = std::fs::read_dir(self.dir.path().join("packages/packages")) else {
            return Vec::new();
        };
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

async fn fetch(
    connection: &mut Connection,
    device: &Device,
    method: Method,
    id: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut request = device.request(method, &format!("/data/package/{id}"), None, "");
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    connection.send(request).await
}

#[tokio::test]
async fn a_package_is_served_in_ranges() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let octets = content(12 << 20);
    let digest = hex(&Sha256::digest(&octets));
    let stored = server.upload(&format!("name=fw&version=2.1&kind=firmware&sha256={digest}"), &octets).await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    let stored = stored.json();
    assert_eq!((stored["sha256"].as_str(), stored["size"].as_u64()), (Some(digest.as_str()), Some(12 << 20)));
    let id = stored["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/packages/{id}")).await, stored);
    assert_eq!(server.items("/packages").await.len(), 1);

    let mut connection = server.connect().await;
    let whole = fetch(&mut connection, &device, Method::GET, id, &[]).await;
    assert_eq!((whole.status.as_u16(), whole.body.as_ref() == octets), (200, true));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-type"), "application/x-firmware");
    let etag = whole.header("etag").to_owned();
    assert_eq!(etag, format!("\"{digest}\""));
    assert!(whole.header("repr-digest").starts_with("sha-256=:"));
    let head = fetch(&mut connection, &device, Method::HEAD, id, &[]).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "12582912", 0));

    let part = fetch(&mut connection, &device, Method::GET, id, &[("range", "bytes=7000000-7000099")]).await;
    assert_eq!((part.status.as_u16(), part.header("content-range")), (206, "bytes 7000000-7000099/12582912"));
    assert_eq!(part.body.as_ref(), &octets[7_000_000..7_000_100]);
    let resumed = [("range", "bytes=12582900-"), ("if-range", etag.as_str())];
    let end = fetch(&mut connection, &device, Method::GET, id, &resumed).await;
    assert_eq!((end.status.as_u16(), end.body.len()), (206, 12));
    let other = [("range", "bytes=12582900-"), ("if-range", "\"another\"")];
    assert_eq!(fetch(&mut connection, &device, Method::GET, id, &other).await.body.len(), octets.len());
    let known = fetch(&mut connection, &device, Method::GET, id, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    let beyond = fetch(&mut connection, &device, Method::GET, id, &[("range", "bytes=12582912-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */12582912"));

    let stranger = Device { secret: "0123456789abcdef".into(), ..device.clone() };
    assert_eq!(fetch(&mut connection, &stranger, Method::GET, id, &[]).await.status, 401);
    let forged = format!("{id}?ticket=9999999999.{}", "0".repeat(32));
    assert_eq!(fetch(&mut connection, &stranger, Method::GET, &forged, &[]).await.status, 403);
    let unknown = "00000000-0000-0000-0000-000000000000";
    assert_eq!(fetch(&mut connection, &device, Method::GET, unknown, &[]).await.status, 404);

    let removed = server.api("DELETE", &format!("/packages/{id}"), None).await;
    assert_eq!((removed.status.as_u16(), server.files()), (204, Vec::new()));
    assert_eq!(fetch(&mut connection, &device, Method::GET, id, &[]).await.status, 404);
    assert_eq!(server.api("DELETE", &format!("/packages/{id}"), None).await.status, 404);
}

#[tokio::test]
async fn what_is_not_as_it_was_said_leaves_nothing() {
    let server = TestServer::with(|config| config.package.max_size.0 = 1_000).await;
    let named = "name=fw&version=1&kind=firmware";
    for (query, octets, status, why) in [
        (format!("{named}&sha256={}", "0".repeat(64)), 10, 400, "SHA-256"),
        (named.to_owned(), 0, 400, "empty"),
        (named.to_owned(), 1_001, 413, "package.max_size"),
        (format!("{named}&sha256=12"), 10, 400, "64 hexadecimal digits"),
        (format!("{named}&signature=AAAA"), 10, 400, "no key is trusted"),
        (format!("{named}&signature=%21"), 10, 400, "base64"),
        ("name=&version=1&kind=firmware".to_owned(), 10, 400, "name"),
        ("name=a&version=1&kind=toaster".to_owned(), 10, 400, "toaster"),
        ("name=a&version=1".to_owned(), 10, 400, "kind"),
    ] {
        let answer = server.upload(&query, &content(octets)).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(why), "{query}: {}", answer.text());
    }
    assert_eq!((server.files(), server.items("/packages").await), (Vec::new(), Vec::new()));
    assert_eq!(server.upload(named, &content(1_000)).await.status, 201, "at the limit");
    assert_eq!(server.upload(named, &content(10)).await.status, 409, "packages do not change");
    assert_eq!(server.files().len(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.running.operator_addr).await.unwrap();
    let head = format!(
        "POST /api/v1/packages?name=fw&version=1&kind=firmware HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 20000000\r\n\r\n",
        server.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content(11 << 20)).await.unwrap();
    while server.files().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while !server.files().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(server.items("/packages").await.is_empty());
}

/// What is left by a crash between the octets and what is known of them goes, however many packages there are.
#[tokio::test]
async fn objects_that_no_package_has_go_after_a_while() {
    const KNOWN: u128 = 2_500;
    let server = TestServer::start().await;
    let (dir, token) = (server.dir.clone(), server.token.clone());
    server.running.stop().await;
    let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
    let package = |number: u128| Package {
        id: Uuid::from_u128(number),
        name: number.to_string(),
        version: "1".to_owned(),
        kind: PackageKind::Firmware,
        model: None,
        content_type: String::new(),
        size: 1,
        digest: String::new(),
        signature: None,
        signed_by: None,
        created: Time(0),
        created_by: String::new(),
    };
    let adding = (1..=KNOWN).map(|number| store.add_package(package(number)));
    assert!(futures_util::future::join_all(adding).await.into_iter().all(Result::unwrap));
    drop(store);
    let place = dir.path().join("packages/packages");
    std::fs::create_dir_all(&place).unwrap();
    let old = SystemTime::now() - Duration::from_secs(2 * 86_400);
    for number in 1..=KNOWN + 2 {
        let file = File::create(place.join(Uuid::from_u128(number).to_string())).unwrap();
        if number <= KNOWN + 1 {
            file.set_modified(old).unwrap();
        }
    }
    let server = TestServer::again(dir, token).await;
    let is_there = |number: u128| place.join(Uuid::from_u128(number).to_string()).exists();
    while is_there(KNOWN + 1) {
        tokio::task::yield_now().await;
    }
    assert!(is_there(KNOWN + 2), "it may be one that is just being stored");
    assert!((1..=KNOWN).all(is_there));
    server.running.stop().await;
}

#[tokio::test]
async fn signatures_are_verified_where_they_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    let key = PKey::generate_ed25519().unwrap();
    let path = dir.path().join("release.pem");
    std::fs::write(&path, key.public_key_to_pem().unwrap()).unwrap();
    let server = TestServer::with(|config| {
        config.package.trusted_keys = vec![path];
        config.package.require_signature = true;
    })
    .await;
    let octets = content(6 << 20);
    let named = "name=fw&version=1&kind=firmware";
    assert!(server.upload(named, &octets).await.text().contains("require_signature"));
    let sign = |octets: &[u8]| {
        let signature =
            Signer::new_without_digest(&key).unwrap().sign_oneshot_to_vec(&Sha256::digest(octets));
        openssl::base64::encode_block(&signature.unwrap())
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D")
    };
    let wrong = server.upload(&format!("{named}&signature={}", sign(b"another")), &octets).await;
    assert_eq!((wrong.status.as_u16(), server.files()), (400, Vec::new()), "{}", wrong.text());
    let right = server.upload(&format!("{named}&signature={}", sign(&octets)), &octets).await;
    assert_eq!(right.json()["signed_by"], "release", "{}", right.text());
}

/// curl against the device listener; gives its exit status.
fn curl(server: &TestServer, device: &Device, id: &str, arguments: &[&str], out: &Path) -> i32 {
    let authority = server.dir.path().join("authority.pem");
    std::fs::write(&authority, server.running.authority.as_ref().unwrap()).unwrap();
    let port = server.running.device_addr.port();
    let status = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--http1.1", "--cacert"])
        .arg(authority)
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1")])
        .args(["--user", &format!("{}:{}", device.user, device.secret)])
        .args(arguments)
        .arg("--output")
        .arg(out)
        .arg(format!("https://localhost:{port}/data/package/{id}"))
        .status()
        .unwrap();
    status.code().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_resumes_after_the_server_was_started_anew() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let octets = content(9_000_001);
    let stored = server.upload("name=app&version=1&kind=software", &octets).await.json();
    let id = stored["id"].as_str().unwrap();
    let out = server.dir.path().join("download");
    assert_eq!(curl(&server, &device, id, &["--range", "0-3999999"], &out), 0);
    assert_eq!(std::fs::read(&out).unwrap(), &octets[..4_000_000]);

    let (dir, token) = (server.dir.clone(), server.token.clone());
    server.running.stop().await;
    let server = TestServer::again(dir, token).await;
    assert_eq!(curl(&server, &device, id, &["--continue-at", "-"], &out), 0);
    assert!(std::fs::read(&out).unwrap() == octets, "the parts are one whole");
    assert_eq!(curl(&server, &device, id, &["--range", "9000001-"], &out), 22, "416 is a failure to curl");
}

#[tokio::test]
async fn many_devices_fetch_at_once_and_no_more_than_there_is_room_for() {
    let server = TestServer::with(|config| config.package.max_downloads = 1).await;
    let device = server.enrol("IMEI:1").await;
    let stored = server.upload("name=app&version=1&kind=software", &content(32 << 20)).await.json();
    let path = format!("/data/package/{}", stored["id"].as_str().unwrap());
    // One that does not read on keeps its turn.
    let mut slow = server.tls(server.connector()).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", device.basic());
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut connection = server.connect().await;
    let refused = connection.send(device.request(Method::GET, &path, None, "")).await;
    assert_eq!(refused.status, 503);
    assert_ne!(refused.header("retry-after"), "");
    drop(slow);
    while connection.send(device.request(Method::GET, &path, None, "")).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_package_that_an_assigned_profile_brings_stays() {
    let server = TestServer::start().await;
    let answer = server.upload("name=tools&version=2.1&kind=software", b"octets").await;
    let package = format!("/packages/{}", answer.json()["id"].as_str().unwrap());
    let wants = json!({ "name": "base", "software": [{ "package": "tools", "version": "2.1" }] });
    assert_eq!(server.api("PUT", "/profiles/base", Some(wants)).await.status, 200);
    assert_eq!(server.api("PUT", "/profiles/base/assignment", Some(json!({}))).await.status, 200);
    let refused = server.api("DELETE", &package, None).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("version 1 of the profile"), "{}", refused.text());
    assert_eq!(server.api("DELETE", "/profiles/base/assignment", None).await.status, 204);
    assert_eq!(server.api("DELETE", &package, None).await.status, 204);
}

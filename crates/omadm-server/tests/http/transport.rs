//! TLS, limits on connections, an orderly end.

use openssl::ssl::SslVersion;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use omadm_server::config::Span;

use crate::harness::{Connection, END, HELLO, LANG, TestServer};

#[tokio::test]
async fn tls_is_1_2_or_later_and_sessions_are_not_resumed() {
    let server = TestServer::start().await;
    for (version, name) in [(SslVersion::TLS1_2, "TLSv1.2"), (SslVersion::TLS1_3, "TLSv1.3")] {
        let mut builder = server.connector();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        let stream = server.tls(builder).await.unwrap();
        assert_eq!(stream.ssl().version_str(), name);
        // A session without a ticket and without an identifier cannot be resumed.
        let session = stream.ssl().session().map(|session| session.id().to_vec()).unwrap_or_default();
        assert!(name == "TLSv1.3" || session.is_empty(), "{session:?}");
    }
    let mut builder = server.connector();
    builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    builder.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
    builder.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
    assert!(server.tls(builder).await.is_err());
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_nothing() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.running.device_addr).await.unwrap();
    stream.write_all(b"GET /ddf/dm_devinfo-v1_2.ddf HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The server may also reset the connection: then nothing came as well.
    let _outcome = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
}

#[tokio::test]
async fn http_2_is_spoken_when_offered() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut builder = server.connector();
    builder.set_alpn_protos(b"\x02h2").unwrap();
    let stream = server.tls(builder).await.unwrap();
    assert_eq!(stream.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(async { drop(connection.await) });
    let mut request = device.package1(HELLO);
    request.headers_mut().remove("host");
    *request.uri_mut() = "https://localhost/dm/2.0".parse().unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_insecure_listener_has_to_be_asked_for() {
    let server = TestServer::with(|config| config.device.plain_http = true).await;
    assert!(server.running.device_uri.starts_with("http://127.0.0.1:"));
    let device = server.enrol("IMEI:1").await;
    let mut connection = Connection::plain(server.running.device_addr).await;
    assert_eq!(connection.send(device.package1(HELLO)).await.text(), END);
}

#[tokio::test]
async fn overload_turns_away_new_sessions_only() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.queue(&device, json!({ "verb": "delete", "address": LANG })).await;
    server.connect().await.send(device.package1(HELLO)).await.commands();
    // The same data directory, a server in maintenance.
    let dir = server.dir.clone();
    let (address, authority) = (server.running.device_addr, server.running.authority.clone());
    server.running.stop().await;
    let mut config = omadm_server::Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.device.listen = address;
    config.operator.listen = ([127, 0, 0, 1], 0).into();
    config.device.max_new_sessions = 0;
    let running = omadm_server::Server::start(config).await.unwrap();
    assert!(running.first_token.is_none(), "there is one already");
    assert_eq!(running.authority, authority, "devices go on trusting it");
    let server = TestServer { running, token: server.token, dir };

    let mut connection = server.connect().await;
    let answer = connection.send(device.package1("{}")).await;
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((30..=120).contains(&seconds), "{seconds}");
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END, "an accepted session goes on");
}

#[tokio::test]
async fn quiet_connections_are_closed() {
    let server = TestServer::with(|config| {
        config.device.idle_timeout = Span::secs(1);
        config.device.header_timeout = Span::secs(1);
        config.device.handshake_timeout = Span::secs(1);
    })
    .await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    assert_eq!(connection.send(device.package1(HELLO)).await.text(), END);
    connection.ended.await.unwrap();
    // One that never speaks TLS, and one that never finishes a head.
    let mut silent = TcpStream::connect(server.running.device_addr).await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let mut slow = server.tls(server.connector()).await.unwrap();
    slow.write_all(b"POST /dm/2.0 HTTP/1.1\r\nHost: ").await.unwrap();
    let mut rest = Vec::new();
    let _outcome = slow.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_stop_lets_requests_end() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let mut connection = Connection::plain(server.running.operator_addr).await;
    let command = json!({ "verb": "get", "address": LANG, "wait": 60 }).to_string();
    let request = http::Request::builder()
        .method("POST")
        .uri("/api/v1/devices/IMEI:1/commands")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", server.token))
        .body(http_body_util::Full::new(bytes::Bytes::from(command)))
        .unwrap();
    let waiting = tokio::spawn(async move { connection.send(request).await });
    // The request is at work once its command is there.
    while server.items("/devices/IMEI:1/commands").await.is_empty() {}
    server.running.stop().await;
    assert_eq!(waiting.await.unwrap().status, 202);
}

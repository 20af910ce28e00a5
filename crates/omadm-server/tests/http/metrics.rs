//! Figures for Prometheus, identifiers of requests, and admission.

use std::time::Duration;

use omadm_server::config::Span;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Answer, Connection, Device, END, HELLO, LANG, TestServer};

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::Request::builder().uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(http_body_util::Full::default()).unwrap();
    Connection::plain(server.running.operator_addr).await.send(request).await
}

async fn figures(server: &TestServer) -> String {
    let authorization = format!("Bearer {}", server.token);
    let answer = get(server, "/metrics", &[("authorization", &authorization)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text().to_owned()
}

/// The value of a series.
fn value(figures: &str, series: &str) -> f64 {
    let line = figures.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{figures}")).parse().unwrap()
}

/// A session with one command that the device carries out.
async fn converse(server: &TestServer, device: &Device) {
    server.queue(device, json!({ "verb": "delete", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
}

#[tokio::test]
async fn figures_tell_what_happened_and_nothing_of_who() {
    let server = TestServer::with(|config| config.metrics.interval = Span::secs(1)).await;
    let device = server.enrol("IMEI:493005100592800").await;
    converse(&server, &device).await;
    let mut text = figures(&server).await;
    for (series, expected) in [
        ("omadm_sessions_total{protocol=\"dm2\",outcome=\"accepted\"}", 1.0),
        ("omadm_sessions_total{protocol=\"dm2\",outcome=\"ended\"}", 1.0),
        ("omadm_sessions_total{protocol=\"dm2\",outcome=\"refused\"}", 0.0),
        ("omadm_sessions_open", 0.0),
        ("omadm_commands_total{state=\"sent\"}", 1.0),
        ("omadm_commands_total{state=\"done\"}", 1.0),
        ("omadm_requests_total{listener=\"device\",class=\"2xx\"}", 2.0),
        ("omadm_request_seconds_count{listener=\"device\"}", 2.0),
        ("omadm_tls_handshakes_total{listener=\"device\",outcome=\"done\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    assert!(value(&text, "omadm_store_commit_requests_count") > 0.0);
    while value(&text, "omadm_devices") < 1.0 {
        text = figures(&server).await;
    }
    // Every line is a comment or a series whose labels are of closed sets.
    for secret in [device.id.as_str(), &device.user, &device.secret, "IMEI", "127.0.0.1", &server.token] {
        assert!(!text.contains(secret), "{secret} is in the figures");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn figures_are_for_those_who_may_see_them() {
    let server = TestServer::start().await;
    for headers in [&[][..], &[("authorization", "Bearer omadm_wrong")]] {
        assert_eq!(get(&server, "/metrics", headers).await.status, 401);
    }
    let open = TestServer::with(|config| config.metrics.open = true).await;
    assert_eq!(get(&open, "/metrics", &[]).await.status, 200);
}

#[tokio::test]
async fn operators_name_their_requests() {
    let server = TestServer::start().await;
    let answer = get(&server, "/healthz", &[("x-request-id", "deploy-17/step:3")]).await;
    assert_eq!(answer.header("x-request-id"), "deploy-17/step:3");
    for bad in ["two words", "a\"b"] {
        let made = get(&server, "/healthz", &[("x-request-id", bad)]).await;
        assert!(!made.header("x-request-id").is_empty() && made.header("x-request-id") != bad);
    }
    let device = server.enrol("IMEI:1").await;
    let mut request = device.package1("{");
    request.headers_mut().insert("x-request-id", "mine".parse().unwrap());
    let answer = server.connect().await.send(request).await;
    assert_ne!(answer.header("x-request-id"), "mine", "a device does not name requests");
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test]
async fn who_has_a_session_keeps_it_while_others_are_turned_away() {
    let server = TestServer::with(|config| config.device.max_open_sessions = 1).await;
    let (first, second) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    server.queue(&first, json!({ "verb": "delete", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(first.package1(HELLO)).await.commands();
    let mut other = server.connect().await;
    let refused = other.send(second.package1(HELLO)).await;
    assert_eq!(refused.status, 503);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((30..=120).contains(&wait), "{wait}");
    assert_eq!(connection.send(first.statuses(&[200])).await.text(), END, "an accepted session goes on");
    assert_eq!(other.send(second.package1(HELLO)).await.text(), END, "there is room again");
    let text = figures(&server).await;
    assert_eq!(value(&text, "omadm_sessions_total{protocol=\"dm2\",outcome=\"refused\"}"), 1.0);
}

/// With one turn for handshakes, and all the time in the world for each.
#[tokio::test]
async fn who_stalls_in_the_handshake_keeps_nobody_else_out() {
    let server = TestServer::with(|config| {
        config.device.max_handshakes = 1;
        config.device.handshake_timeout = Span::secs(3_600);
    })
    .await;
    let device = server.enrol("IMEI:1").await;
    let mut stalled = Vec::new();
    for said in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(server.running.device_addr).await.unwrap();
        stream.write_all(said).await.unwrap();
        stalled.push(stream);
    }
    let served = tokio::time::timeout(Duration::from_secs(60), converse(&server, &device)).await;
    assert!(served.is_ok(), "others are served while some stall");
    drop(stalled);
}

/// Where nothing is assigned, a check-in costs one read and one write of the store: its own, and none for desired state.
#[tokio::test]
async fn a_check_in_without_profiles_costs_nothing_for_them() {
    const SESSIONS: u16 = 300;
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let used = async || {
        let figures = figures(&server).await;
        ["omadm_store_reads_total", "omadm_store_commit_requests_sum"].map(|series| value(&figures, series))
    };
    let mut connection = server.connect().await;
    let before = used().await;
    for _ in 0..SESSIONS {
        assert_eq!(connection.send(device.package1(HELLO)).await.text(), END);
    }
    let after = used().await;
    let sessions = f64::from(SESSIONS);
    for (after, before) in after.into_iter().zip(before) {
        // What goes on beside at the same time is far from one more for each session.
        let each = (after - before) / sessions;
        assert!((1.0..1.5).contains(&each), "{each} for each session");
    }
}

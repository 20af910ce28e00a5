//! Events as they happen, and webhooks.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use omadm_server::Config;
use omadm_server::config::Span;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::harness::TestServer;

/// A program that is told of events.
pub struct Receiver {
    pub url: String,
    pub requests: mpsc::UnboundedReceiver<(http::HeaderMap, String, String)>,
    /// What it answers.
    status: Arc<Mutex<u16>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let status = Arc::new(Mutex::new(200));
        let answer = status.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, answer) = (sender.clone(), answer.clone());
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let (sender, answer) = (sender.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
                        let _ = sender.send((head.headers, head.uri.path().to_owned(), body));
                        let status = *answer.lock().unwrap();
                        let response = http::Response::builder().status(status).header("location", "/other");
                        Ok::<_, hyper::Error>(response.body(Full::<bytes::Bytes>::default()).unwrap())
                    }
                });
                tokio::spawn(async move {
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, requests, status }
    }

    pub fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
}

/// Lets webhooks go to this machine.
pub fn allowed(config: &mut Config) {
    config.webhook.plain_http = true;
    config.webhook.allow_networks = serde_json::from_value(json!(["127.0.0.1"])).unwrap();
    config.webhook.retry_after = Span::secs(1);
    config.webhook.longest_retry = Span::secs(1);
}

async fn add(server: &TestServer, url: &str, kinds: &[&str]) -> String {
    let body = json!({ "name": "h", "url": url, "kinds": kinds });
    let answer = server.api("POST", "/webhooks", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["secret"].as_str().unwrap().to_owned()
}

fn hmac(secret: &str, text: &str) -> String {
    let key = openssl::pkey::PKey::hmac(secret.as_bytes()).unwrap();
    let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
    let mac = signer.sign_oneshot_to_vec(text.as_bytes()).unwrap();
    mac.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[tokio::test]
async fn events_are_delivered_signed_and_in_order() {
    let server = TestServer::with(allowed).await;
    let mut receiver = Receiver::start().await;
    server.enrol("IMEI:0").await;
    let secret = add(&server, &receiver.url, &["device"]).await;
    let mut seen = Vec::new();
    for number in 1..=3 {
        server.enrol(&format!("IMEI:{number}")).await;
    }
    while seen.len() < 3 {
        let (headers, path, body) = receiver.requests.recv().await.unwrap();
        assert_eq!((path.as_str(), headers["omadm-webhook"].as_bytes()), ("/hook", &b"h"[..]));
        let signature = headers["omadm-signature"].to_str().unwrap();
        let (time, v1) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        assert_eq!(v1, hmac(&secret, &format!("{time}.{body}")));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["delivery"], headers["omadm-delivery"].to_str().unwrap());
        seen.extend(body["events"].as_array().unwrap().iter().map(|event| event["device"].clone()));
    }
    assert_eq!(seen, ["IMEI:1", "IMEI:2", "IMEI:3"], "what happened before it was added is not told");
    let shown = server.api("GET", "/webhooks/h", None).await;
    assert!(!shown.text().contains(&secret));
    let tried = server.api("POST", "/webhooks/h/test", Some(json!({}))).await.json();
    assert_eq!((&tried["delivered"], &tried["status"]), (&json!(true), &json!(200)));
}

#[tokio::test]
async fn what_does_not_arrive_is_tried_again_given_up_and_sent_anew() {
    let server = TestServer::with(|config| {
        allowed(config);
        config.webhook.max_attempts = 2;
    })
    .await;
    let mut receiver = Receiver::start().await;
    // Where a redirect leads is nobody's business.
    receiver.answers(302);
    add(&server, &receiver.url, &["device"]).await;
    server.enrol("IMEI:1").await;
    let (first, _, body) = receiver.requests.recv().await.unwrap();
    let (second, path, again) = receiver.requests.recv().await.unwrap();
    assert_eq!((path.as_str(), &body), ("/hook", &again));
    assert_eq!(first["omadm-delivery"], second["omadm-delivery"]);
    let dead = loop {
        if let Some(dead) = server.items("/webhooks/h/dead").await.pop() {
            break dead;
        }
    };
    assert_eq!((&dead["attempts"], &dead["problem"]), (&json!(2), &json!("the answer was 302 Found")));
    while server.items("/events?kind=webhook").await.is_empty() {}
    let replay = json!({ "dead": dead["id"] });
    let failed = server.api("POST", "/webhooks/h/replay", Some(replay.clone())).await.json();
    assert_eq!((&failed["delivered"], &failed["status"]), (&json!(false), &json!(302)));
    receiver.requests.recv().await.unwrap();
    receiver.answers(204);
    let done = server.api("POST", "/webhooks/h/replay", Some(replay.clone())).await.json();
    assert_eq!(done["delivered"], true);
    assert_eq!(receiver.requests.recv().await.unwrap().2, body);
    assert!(server.items("/webhooks/h/dead").await.is_empty());
    assert_eq!(server.api("POST", "/webhooks/h/replay", Some(replay)).await.status, 404);
    let all = server.api("POST", "/webhooks/h/replay", Some(json!({ "after": 0 }))).await;
    assert_eq!(all.status, 202);
    assert!(receiver.requests.recv().await.unwrap().2.contains("IMEI:1"));
    for bad in [json!({}), json!({ "after": -1 }), json!({ "after": 0, "dead": dead["id"] })] {
        assert_eq!(server.api("POST", "/webhooks/h/replay", Some(bad)).await.status, 400);
    }
}

#[tokio::test]
async fn who_hangs_is_left() {
    let server = TestServer::with(|config| {
        allowed(config);
        config.webhook.timeout = Span::secs(1);
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    add(&server, &url, &["security"]).await;
    let tried = server.api("POST", "/webhooks/h/test", Some(json!({}))).await.json();
    assert_eq!((&tried["delivered"], &tried["problem"]), (&json!(false), &json!("no answer within 1 s")));
}

#[tokio::test]
async fn a_webhook_does_not_lead_inward() {
    let server = TestServer::start().await;
    let port = server.running.operator_addr.port();
    for url in [
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://2130706433/".to_owned(),
        "http://1.1.1.1/".to_owned(),
        "https://user:password@1.1.1.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let answer = server.api("POST", "/webhooks", Some(json!({ "name": "h", "url": url }))).await;
        assert_eq!(answer.status, 400, "{url}: {}", answer.text());
    }
    assert!(server.items("/webhooks").await.is_empty());
    let kinds = json!({ "name": "h", "url": "https://1.1.1.1/", "kinds": ["no such kind"] });
    assert_eq!(server.api("POST", "/webhooks", Some(kinds)).await.status, 400);
}

/// What an address is decides at each delivery, not when the webhook was added.
#[tokio::test]
async fn a_webhook_that_leads_inward_by_now_gets_nothing() {
    let server = TestServer::with(allowed).await;
    let mut receiver = Receiver::start().await;
    add(&server, &receiver.url, &["device"]).await;
    server.enrol("IMEI:1").await;
    receiver.requests.recv().await.unwrap();
    let TestServer { running, token, dir } = server;
    running.stop().await;
    let server = TestServer::again(dir, token).await;
    server.enrol("IMEI:2").await;
    let tried = server.api("POST", "/webhooks/h/test", Some(json!({}))).await.json();
    assert_eq!((&tried["delivered"], &tried["status"]), (&json!(false), &Value::Null), "{tried}");
    let failed = loop {
        let shown = server.get("/webhooks/h").await;
        if shown["problem"].is_string() {
            break shown;
        }
    };
    assert!(failed["attempts"].as_i64().unwrap() > 0, "{failed}");
    assert!(receiver.requests.try_recv().is_err(), "nobody was talked to");
}

/// A stream of events, read line by line.
struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(server: &TestServer, token: &str, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.running.operator_addr).await.unwrap();
        let head = format!(
            "GET /api/v1/events/stream{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Self(BufReader::new(stream));
        assert_eq!(stream.line().await, "HTTP/1.1 200 OK");
        while !stream.line().await.is_empty() {}
        stream
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// Identifier, kind and data of the next event.
    async fn event(&mut self) -> (String, String, Value) {
        let (mut id, mut kind) = (String::new(), String::new());
        loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("event", value)) => kind = value.to_owned(),
                Some(("data", value)) => return (id, kind, serde_json::from_str(value).unwrap()),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn events_are_followed_and_taken_up_again() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let mut stream = Stream::open(&server, &server.token, "", "").await;
    server.enrol("IMEI:2").await;
    let (id, kind, data) = stream.event().await;
    assert_eq!(
        (kind.as_str(), &data["device"], &data["kind"]),
        ("device", &json!("IMEI:2"), &json!("device"))
    );
    assert_eq!(id, data["cursor"].to_string());
    drop(stream);
    server.enrol("IMEI:3").await;
    let mut again =
        Stream::open(&server, &server.token, "?after=0", &format!("last-event-id: {id}\r\n")).await;
    assert_eq!(again.event().await.2["device"], "IMEI:3");
    let mut all = Stream::open(&server, &server.token, "?after=0&device=IMEI:1", "").await;
    assert_eq!(all.event().await.2["device"], "IMEI:1");
    let bad = server.api("GET", "/events/stream?kind=none", None).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn a_stream_lasts_for_so_long() {
    let server =
        TestServer::with(|config| config.operator.stream_lifetime = omadm_server::config::Span::secs(1))
            .await;
    let mut stream = Stream::open(&server, &server.token, "", "").await;
    let (id, kind, data) = stream.event().await;
    assert_eq!((id.as_str(), kind.as_str()), ("", "end"), "{data}");
    assert!(data["why"].as_str().unwrap().contains("come again"), "{data}");
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_server() {
    let server = TestServer::start().await;
    let short = json!({ "name": "short", "expires_in": 2 });
    let short = server.api("POST", "/tokens", Some(short)).await.json()["token"].as_str().unwrap().to_owned();
    let mut stream = Stream::open(&server, &short, "", "").await;
    let (id, kind, data) = stream.event().await;
    assert_eq!(
        (id.as_str(), kind.as_str(), &data["why"]),
        ("", "end", &json!("the token or session has ended"))
    );
    // The last chunk.
    while stream.line().await != "0" {}
    let mut stream = Stream::open(&server, &server.token, "", "").await;
    let stopping = tokio::spawn(server.running.stop());
    assert_eq!(stream.event().await.1, "end");
    stopping.await.unwrap();
}

#[tokio::test]
async fn so_many_follow_and_no_more() {
    let server = TestServer::with(|config| config.operator.max_streams = 1).await;
    let _first = Stream::open(&server, &server.token, "", "").await;
    let second = server.api("GET", "/events/stream", None).await;
    assert_eq!(second.status, 503, "{}", second.text());
}

#[tokio::test]
async fn a_stream_holds_ones_own_devices() {
    let server = TestServer::start().await;
    let group = json!({ "filter": "id ~ \"A:*\"" });
    assert!(server.api("PUT", "/groups/a", Some(group)).await.status.is_success());
    let token = json!({ "name": "a", "groups": ["a"] });
    let token = server.api("POST", "/tokens", Some(token)).await.json()["token"].as_str().unwrap().to_owned();
    let mut stream = Stream::open(&server, &token, "", "").await;
    for id in ["B:1", "A:1", "B:2", "A:2"] {
        server.enrol(id).await;
    }
    assert_eq!(stream.event().await.2["device"], "A:1");
    assert_eq!(stream.event().await.2["device"], "A:2");
}

//! Push by a Push Proxy Gateway.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use omadm_conformance::{Kannel, TestServer, proves};
use omadm_server::Config;
use omadm_server::config::Span;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::{Device, notify, server};

#[tokio::test]
async fn kannel_takes_what_the_server_submits_and_the_device_comes() {
    proves!(
        "OMA-ERDEF-DM-S_009-O",
        "OMA-ERDEF-DM-C-009-O",
        "P13-DMNOTI-7.1-01",
        "P13-PushBinding-4+5-01",
        "P13-PushBinding-5.1-01",
        "E13-PushBinding"
    );
    let gateway = Kannel::start().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ppg"), "password").unwrap();
    let server = server(|config| {
        config.ppg.url = Some(gateway.url());
        config.ppg.user = Some("user".to_owned());
        config.ppg.password_file = Some(directory.path().join("ppg"));
    })
    .await;
    // What the gateway sends always goes to this port.
    let settings = "[notification]\nenabled = true\nlisten = \"127.0.0.1:2948\"";
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2201", settings, None).await;
    device.reached(&server, &["ppg:127.0.0.1".to_owned()]).await;
    let sent = device.serves(&server).await;
    assert_eq!(sent["via"], "ppg");
    assert!(sent["receipt"].as_str().unwrap().contains(": 1001"), "{sent}");
}

/// A gateway that answers as it is told, and remembers what it was asked.
struct Gateway {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Codes of the answers to come; 1001 when there are none left. 0 answers for another push.
    codes: VecDeque<u16>,
    /// The control entities that came.
    asked: Vec<String>,
    /// What has become of every push that is asked after.
    status: Option<&'static str>,
}

impl Gateway {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let state = state.clone();
                    async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let answer = answer(&mut state.lock().unwrap(), &String::from_utf8_lossy(&body));
                        let response = hyper::Response::builder().status(202);
                        Ok::<_, std::convert::Infallible>(
                            response.body(Full::new(Bytes::from(answer))).unwrap(),
                        )
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, state }
    }

    fn says(&self, codes: &[u16]) {
        self.state.lock().unwrap().codes.extend(codes);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    async fn server(&self) -> TestServer {
        self.server_with(|_| {}).await
    }

    async fn server_with(&self, change: impl FnOnce(&mut Config)) -> TestServer {
        server(|config| {
            config.ppg.url = Some(format!("http://127.0.0.1:{}/wappush", self.port));
            config.ppg.name = Some("ppg.example".to_owned());
            config.ppg.notify = true;
            config.ppg.bearer = Some("SMS".to_owned());
            config.ppg.network = Some("GSM".to_owned());
            change(config);
        })
        .await
    }
}

fn attribute<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    xml.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn answer(state: &mut State, body: &str) -> String {
    state.asked.push(body.to_owned());
    if body.contains("<statusquery-message ") {
        let (push_id, of) = (attribute(body, "push-id").unwrap(), state.status.unwrap_or("unknown"));
        return format!(
            "<?xml version=\"1.0\"?><pap><statusquery-response push-id=\"{push_id}\"><statusquery-result message-state=\"{of}\" \
             code=\"1000\"/></statusquery-response></pap>"
        );
    }
    let code = state.codes.pop_front().unwrap_or(1001);
    let push_id = if code == 0 { "another" } else { attribute(body, "push-id").unwrap() };
    let code = if code == 0 { 1001 } else { code };
    format!(
        "<?xml version=\"1.0\"?><pap><push-response push-id=\"{push_id}\">\
         <response-result code=\"{code}\" desc=\"as told\"/></push-response></pap>"
    )
}

/// Tells the server what became of a push, as curl says it; gives the code of its answer.
async fn tell(server: &TestServer, document: &str) -> String {
    let url = format!("https://localhost:{}/papnotify", server.device_address().port());
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--cacert"]).arg(server.ca_file());
    command.args(["--header", "Content-Type: application/xml", "--data-binary", document, &url]);
    let output = command.output().await.expect("curl (Debian: curl); run: cargo xtask test");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    attribute(&answer, "code").map_or(answer.clone(), str::to_owned)
}

fn result(push_id: &str, state: &str, code: u16) -> String {
    format!(
        "<?xml version=\"1.0\"?><pap><resultnotification-message push-id=\"{push_id}\" message-state=\"{state}\" code=\"{code}\">\
         <address address-value=\"WAPPUSH=+46701/TYPE=PLMN@ppg.example\"/></resultnotification-message></pap>"
    )
}

#[tokio::test]
async fn codes_of_the_gateway_mean_what_they_say() {
    proves!("OMA-ERDEF-DM-S_009-O");
    let gateway = Gateway::start().await;
    let server = gateway.server().await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2202", "", None).await;
    device.reached(&server, &["ppg:+46708251358".to_owned()]).await;
    for (codes, status, said, requests) in [
        (&[1000][..], 200, "", 1),
        (&[2007], 200, "", 1),
        (&[3010, 3009, 3007, 1001], 200, "", 4),
        (&[3010, 3010], 502, "3010 (as told), so it may do later", 2),
        (&[2003], 502, "2003 (as told), so it will not do", 1),
        (&[4001], 502, "4001 (as told), so it may do later", 1),
        (&[5238], 502, "5238 (as told), so it will not do", 1),
        (&[0], 502, "for another push", 1),
    ] {
        gateway.says(codes);
        let (code, answer) = notify(&server, device.id()).await;
        assert_eq!(code, status, "{codes:?}: {answer}");
        assert!(status == 200 || answer["detail"].as_str().unwrap().contains(said), "{codes:?}: {answer}");
        let asked = gateway.asked();
        assert_eq!(asked.len(), requests, "{codes:?}");
        let first = &asked[0];
        assert_eq!(attribute(first, "address-value"), Some("WAPPUSH=+46708251358/TYPE=PLMN@ppg.example"));
        assert_eq!(attribute(first, "bearer"), Some("SMS"));
        assert!(attribute(first, "ppg-notify-requested-to").unwrap().ends_with("/papnotify"), "{first}");
        assert!(first.contains("X-Wap-Application-Id: x-wap-application:syncml.dm"), "{first}");
        let last = asked.last().unwrap();
        assert_eq!(attribute(last, "bearer").is_some(), requests == 1, "{last}");
        let ids: std::collections::HashSet<_> =
            asked.iter().map(|asked| attribute(asked, "push-id")).collect();
        assert_eq!(ids.len(), requests, "each request has a push-id of its own");
    }
}

#[tokio::test]
async fn a_gateway_that_lies_changes_nothing() {
    proves!("OMA-ERDEF-DM-S_009-O");
    let gateway = Gateway::start().await;
    let server = gateway.server().await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2203", "", None).await;
    device.reached(&server, &["ppg:+46701".to_owned()]).await;
    let command = serde_json::json!({ "verb": "get", "address": super::MAN });
    let command = server.queue_for(device.id(), &command).await;
    device.event(&server, "sent").await;
    let push_id = attribute(&gateway.asked()[0], "push-id").unwrap().to_owned();

    let due = async || server.get(&format!("/devices/{}/push", device.id())).await["due"].clone();
    let before = due().await;
    assert_eq!(tell(&server, &result("unknown", "undeliverable", 5236)).await, "2004");
    let forged = push_id.replacen('.', ".1", 1);
    assert_eq!(tell(&server, &result(&forged, "undeliverable", 5236)).await, "2004");
    assert_eq!(tell(&server, "<pap/>").await, "2000");
    assert_eq!(tell(&server, "<pap><resultnotification-message/></pap>").await, "2000");
    assert_eq!(tell(&server, &result(&push_id, "lost", 1000)).await, "2000");
    assert_eq!(due().await, before);
    assert!(device.events(&server, "result").await.is_empty());
    assert!(gateway.asked().is_empty());

    assert_eq!(tell(&server, &result(&push_id, "pending", 1000)).await, "1000");
    assert_eq!(due().await, before, "nothing is lost yet");
    assert_eq!(tell(&server, &result(&push_id, "undeliverable", 5236)).await, "1000");
    let results =
        |events: Vec<Value>| -> Vec<Value> { events.iter().map(|event| event["state"].clone()).collect() };
    // It is called again, and what was said of the push before that counts no more.
    while gateway.state.lock().unwrap().asked.is_empty() {
        tokio::task::yield_now().await;
    }
    let second = attribute(&gateway.asked()[0], "push-id").unwrap().to_owned();
    assert_ne!(second, push_id);
    let before = due().await;
    for state in ["undeliverable", "delivered", "expired"] {
        assert_eq!(tell(&server, &result(&push_id, state, 1000)).await, "1000");
    }
    assert_eq!(due().await, before);
    assert!(gateway.asked().is_empty());
    assert_eq!(tell(&server, &result(&second, "delivered", 1000)).await, "1000");
    let mut states = results(device.events(&server, "result").await);
    states.sort_by_key(ToString::to_string);
    assert_eq!(states, ["delivered", "pending", "undeliverable"]);

    // Once the device was there, nothing that is said of its notifications is of interest.
    device.wake().await;
    while server.command(&command).await["state"] != "done" {
        tokio::task::yield_now().await;
    }
    assert_eq!(tell(&server, &result(&second, "undeliverable", 5236)).await, "1000");
    assert_eq!(device.events(&server, "result").await.len(), 3);
}

#[tokio::test]
async fn a_gateway_that_tells_nothing_is_asked() {
    proves!("OMA-ERDEF-DM-S_009-O");
    let gateway = Gateway::start().await;
    gateway.state.lock().unwrap().status = Some("undeliverable");
    let server = gateway.server_with(|config| config.ppg.query_after = Some(Span::secs(1))).await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2205", "", None).await;
    device.reached(&server, &["ppg:+46701".to_owned()]).await;
    let command = serde_json::json!({ "verb": "get", "address": super::MAN });
    server.queue_for(device.id(), &command).await;
    let told = device.event(&server, "result").await;
    assert_eq!(
        (told["state"].as_str(), told["via"].as_str()),
        (Some("undeliverable"), Some("ppg")),
        "{told}"
    );
    // What was asked after is what had been pushed, and then the device is called again.
    while gateway.state.lock().unwrap().asked.len() < 3 {
        tokio::task::yield_now().await;
    }
    let asked = gateway.asked();
    let [push, query, again] = &asked[..3] else { panic!("{asked:?}") };
    assert!(query.contains("<statusquery-message "), "{query}");
    assert_eq!(attribute(query, "push-id"), attribute(push, "push-id"));
    assert!(again.contains("<push-message "), "{again}");
    assert_eq!(told["push-id"].as_str(), attribute(push, "push-id"));
}

#[tokio::test]
async fn what_fails_by_one_way_goes_by_the_next() {
    proves!("OMA-ERDEF-DM-S_009-O");
    let gateway = Gateway::start().await;
    let server = gateway.server().await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2204", "", None).await;
    let closed = super::free_port().await;
    // The order of kinds counts, not that in which they were given.
    let addresses = ["ppg:+46701".to_owned(), format!("http:127.0.0.1:{closed}")];
    device.reached(&server, &addresses).await;
    let (status, answer) = notify(&server, device.id()).await;
    assert_eq!((status, answer["via"].as_str()), (200, Some("ppg:+46701")), "{answer}");
    let sent = device.event(&server, "sent").await;
    assert!(sent["before"][0].as_str().unwrap().starts_with("http: "), "{sent}");
}

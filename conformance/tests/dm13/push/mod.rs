//! Push beside datagrams and short messages: the real server and the real agent in a process of its own, and between them whoever speaks
//! the same (`DM 1.3 PushBinding`, `DMNOTI §7`).

mod http;
mod ppg;
mod sip;

use ::http::Method;
use omadm_conformance::{AgentProcess, TestServer};
use omadm_server::config::{Dm1Format, Span};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};

const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";

/// A server that calls devices at once, by notifications of DM 1.3, and does not call them again soon.
async fn server(change: impl FnOnce(&mut omadm_server::Config)) -> TestServer {
    TestServer::with(|config| {
        config.notifier.min_interval = Span::secs(0);
        config.notifier.retry_after = Span::secs(600);
        config.notifier.dm1_format = Dm1Format::Extended;
        change(config);
    })
    .await
}

/// A device of DM 1.x that runs.
struct Device {
    agent: AgentProcess,
    process: Child,
}

impl Device {
    /// It has had a session, and runs with these settings; where it listens by TCP it does so when this returns.
    async fn new(server: &TestServer, id: &str, settings: &str, listens: Option<u16>) -> Self {
        let agent = AgentProcess::with_dm1(server, id, &json!({}), "").await;
        agent.configure(&format!("[session]\npoll_interval = 0\n{settings}"));
        let process = agent.start();
        agent.ready().await;
        if let Some(port) = listens {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
        Self { agent, process }
    }

    /// Has it begin a session by itself.
    async fn wake(&self) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().await.unwrap().success());
    }

    fn id(&self) -> &str {
        &self.agent.device_id
    }

    /// Tells the server how it is called.
    async fn reached(&self, server: &TestServer, addresses: &[String]) {
        let body = json!({ "addresses": addresses });
        let reply = server.rest(Method::PUT, &format!("/devices/{}/push", self.id()), Some(&body)).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }

    /// A command for it is queued, and done because it was called; gives the event of the call.
    async fn serves(&self, server: &TestServer) -> Value {
        let command = server.queue_for(self.id(), &json!({ "verb": "get", "address": MAN })).await;
        while server.command(&command).await["state"] != "done" {
            tokio::task::yield_now().await;
        }
        let sent = self.event(server, "sent").await;
        let answered = self.event(server, "answered").await;
        assert_eq!(answered["id"], sent["id"], "the session has the number of the notification");
        assert_eq!(sent["format"], "1.3");
        sent
    }

    /// The newest event of this kind about its notifications, once there is one.
    async fn event(&self, server: &TestServer, what: &str) -> Value {
        loop {
            if let Some(event) = self.events(server, what).await.pop() {
                return event;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn events(&self, server: &TestServer, what: &str) -> Vec<Value> {
        let events = server.items(&format!("/events?device={}&limit=1000", self.id())).await;
        let bodies = events.into_iter().map(|event| event["body"].clone());
        bodies.filter(|body| body["what"] == what).collect()
    }
}

/// Has the operator notify a device by hand, whatever comes of it.
async fn notify(server: &TestServer, id: &str) -> (u16, Value) {
    let reply = server.rest(Method::POST, &format!("/devices/{id}/notify"), None).await;
    (reply.status, reply.json())
}

/// A port that is free now, for UDP and TCP.
async fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

/// A file with a password.
fn password(directory: &tempfile::TempDir) -> std::path::PathBuf {
    let file = directory.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    file
}

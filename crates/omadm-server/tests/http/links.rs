//! DDF files behind the links of devices.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::ddf::PUMP;
use crate::harness::{Device, END, TestServer};

const MOID: &str = "urn:vendor:mo:pump:1.0";

/// A web server with fixed answers by path; everything else is 404.
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn start(pages: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages: HashMap<String, String> = pages
            .iter()
            .map(|(path, page)| ((*path).to_owned(), page.replace("HERE", &address.to_string())))
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
                let page = pages.get(&path).cloned().unwrap_or(missing);
                log.lock().unwrap().push(path);
                stream.write_all(page.as_bytes()).await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

async fn following(prefix: String) -> TestServer {
    TestServer::with(|config| config.ddf.fetch_from = vec![prefix.parse().unwrap()]).await
}

/// Lets the device report objects with links.
async fn report(server: &TestServer, device: &Device, links: &[(&str, &str)]) {
    let mos: Vec<Value> =
        links.iter().map(|(moid, link)| json!({ "DDF": link, "MOID": moid, "MIID": ["i"] })).collect();
    let package = json!({ "MOS": mos }).to_string();
    assert_eq!(server.connect().await.send(device.package1(package)).await.text(), END);
}

/// The events about DDF files, once there are so many.
async fn ddf_events(server: &TestServer, count: usize) -> Vec<Value> {
    loop {
        let events = server.items("/events").await;
        let events: Vec<Value> = events.into_iter().filter(|event| event["kind"] == "ddf").collect();
        if events.len() >= count {
            return events;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_file_is_fetched_once_and_used() {
    let site = Site::start(&[("/ddf/pump.ddf", redirect("/ddf/real")), ("/ddf/real", page(PUMP))]).await;
    let server = following(site.url("/ddf/")).await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let link = site.url("/ddf/pump.ddf");
    report(&server, &device, &[(MOID, &link)]).await;
    let events = ddf_events(&server, 1).await;
    assert_eq!((&events[0]["device"], &events[0]["body"]["what"]), (&json!("IMEI:1"), &json!("fetched")));
    let file = events[0]["body"]["file"].as_str().unwrap().to_owned();
    let shown = server.get("/devices/IMEI:1").await;
    assert_eq!(
        (&shown["inventory"][0]["model"], shown["inventory"][0].get("ddf_problem")),
        (&json!(file), None)
    );
    assert_eq!(server.get(&format!("/ddfs/{file}/model")).await["mod"], "P-1");
    let bad = json!({ "verb": "set", "address": format!("{MOID}//Level"), "value": "x" });
    assert_eq!(
        server.api("POST", "/devices/IMEI:1/commands", Some(bad)).await.status,
        400,
        "it has its effect"
    );
    report(&server, &device, &[(MOID, &link), ("urn:x:1.0", "urn:no:url")]).await;
    report(&server, &other, &[(MOID, &link)]).await;
    assert_eq!(site.asked(), ["/ddf/pump.ddf", "/ddf/real"]);
}

#[tokio::test]
async fn what_cannot_be_had_is_told_and_hinders_nothing() {
    let elsewhere = Site::start(&[("/pump.ddf", page(PUMP))]).await;
    let large = format!("{PUMP}{}", " ".repeat(2 << 20));
    let site = Site::start(&[
        ("/ddf/no.xml", page("hello")),
        ("/ddf/other.ddf", page(PUMP)),
        ("/ddf/away.ddf", redirect(&elsewhere.url("/pump.ddf"))),
        ("/ddf/up.ddf", redirect("/secret")),
        ("/ddf/round.ddf", redirect("http://HERE/ddf/round.ddf")),
        ("/ddf/large.ddf", page(&large)),
    ])
    .await;
    let server = following(site.url("/ddf/")).await;
    let device = server.enrol("IMEI:1").await;
    let cases = [
        ("urn:dead:1.0", "/ddf/dead.ddf", "404"),
        ("urn:no:1.0", "/ddf/no.xml", "line 1"),
        ("urn:other:1.0", "/ddf/other.ddf", "does not describe urn:other:1.0"),
        (MOID, "/ddf/away.ddf", "not below a prefix"),
        ("urn:up:1.0", "/ddf/up.ddf", "not below a prefix"),
        ("urn:round:1.0", "/ddf/round.ddf", "more than 3 times"),
        ("urn:large:1.0", "/ddf/large.ddf", "limit"),
    ];
    let links: Vec<(&str, String)> = cases.iter().map(|(moid, path, _)| (*moid, site.url(path))).collect();
    let mut links: Vec<(&str, &str)> = links.iter().map(|(moid, link)| (*moid, link.as_str())).collect();
    let outside = elsewhere.url("/pump.ddf");
    links.push(("urn:outside:1.0", &outside));
    report(&server, &device, &links).await;
    let events = ddf_events(&server, cases.len()).await;
    let shown = server.get("/devices/IMEI:1").await;
    for (at, (moid, _, problem)) in cases.iter().enumerate() {
        let body = &events[at]["body"];
        assert_eq!((&body["what"], &body["moid"]), (&json!("not available"), &json!(moid)));
        assert!(body["problem"].as_str().unwrap().contains(problem), "{moid}: {body}");
        assert_eq!(
            (&shown["inventory"][at]["ddf_problem"], &shown["inventory"][at]["model"]),
            (&body["problem"], &Value::Null)
        );
    }
    assert!(shown["inventory"][cases.len()]["ddf_problem"].as_str().unwrap().contains("fetch_from"));
    assert_eq!(elsewhere.asked(), [""; 0], "nobody outside is asked");
    assert_eq!(server.items("/ddfs").await.len(), omadm_server::STANDARD_DDFS.len(), "nothing of it is kept");

    let id = server.queue(&device, json!({ "verb": "exec", "address": "urn:dead:1.0//Run" })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1("{}")).await.commands();
    connection.send(device.statuses(&[200])).await;
    assert_eq!(server.command(&id).await["state"], "done", "the device stays manageable");
}

#[tokio::test]
async fn by_default_no_device_makes_the_server_ask_anybody() {
    let site = Site::start(&[("/pump.ddf", page(PUMP))]).await;
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    report(&server, &device, &[(MOID, &site.url("/pump.ddf"))]).await;
    let shown = server.get("/devices/IMEI:1").await;
    assert_eq!(
        (&shown["inventory"][0]["model"], shown["inventory"][0].get("ddf_problem")),
        (&Value::Null, None)
    );
    assert_eq!(site.asked(), [""; 0]);
}

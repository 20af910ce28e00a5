//! What a browser loads when it opens a page first, whatever devices hold: bounded. What the API reads for it is bounded, too.

use std::collections::BTreeSet;

use omadm_server::config::Size;
use serde_json::{Map, Value, json};

use super::Browser;
use crate::harness::{DMMO, Device, HELLO, LANG, TestServer};

/// The most that a first load may take, with all that the page needs, in octets.
const FIRST_LOAD: usize = 150_000;
/// The most that the API may give for one page of nodes or messages, in octets.
const READ: usize = 1_000_000;
/// The management object of the devices here; no DDF file describes it, so all can be done with its nodes.
const ROOT: &str = "urn:oma:mo:x:1.0/one/";
/// Characters that would like to be more than that: markup, changes of direction, of four octets each, and controls.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=alert(1)>&\"'",
    "\u{202e}\u{2066}\u{200f}",
    "\u{1f600}\u{1f9ff}",
    "\u{1}\u{1b}\u{9b}",
];

/// What a browser loads that has nothing of it yet.
async fn first_load(browser: &Browser<'_>, path: &str) -> String {
    let page = browser.page(path).await;
    let assets: BTreeSet<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(assets.len() >= 3, "{path}");
    let mut octets = page.len();
    for asset in assets {
        octets += browser.get(&asset.replace("&amp;", "&")).await.body.len();
    }
    assert!(octets < FIRST_LOAD, "{path}: {octets} octets, {} of them the page", page.len());
    assert!(!page.contains("<img src=x") && !page.contains('\u{202e}'), "{path}");
    page
}

/// Has a device upload its object with these leaves.
async fn upload(server: &TestServer, device: &Device, leaves: Map<String, Value>) {
    let id = server.queue(device, json!({ "verb": "upload", "address": ROOT })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    let body = json!([{ "ClientURI": ROOT, "MOData": { "one": leaves } }]).to_string();
    let answer =
        connection.send(device.request(http::Method::PUT, &format!("/data/u/{id}"), Some(DMMO), body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    connection.send(device.statuses(&[200])).await;
}

/// The link to more nodes of a page.
fn more(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("a class=\"button\" href=\"")?;
    let (href, rest) = rest.split_once('"')?;
    rest.contains("More nodes").then(|| href.replace("&amp;", "&"))
}

#[tokio::test]
async fn a_tree_with_a_hundred_thousand_nodes() {
    let server = TestServer::with(|config| config.data.max_items = 200_000).await;
    let device = server.enrol("IMEI:1").await;
    upload(&server, &device, (0..100_000).map(|number| (format!("n{number:06}"), json!(number))).collect())
        .await;
    let browser = Browser::admin(&server).await;
    for path in [
        "/devices/IMEI%3A1",
        "/devices/IMEI%3A1/tree",
        "/devices/IMEI%3A1/access",
        "/devices/IMEI%3A1/profiles",
    ] {
        first_load(&browser, path).await;
    }
    for place in ["*", ROOT] {
        let page = first_load(&browser, &format!("/devices/IMEI%3A1/tree?at={place}")).await;
        assert!(page.matches("<li class=\"deep-").count() <= 100, "{place}");
        let next = more(&page).unwrap_or_else(|| panic!("{place}: {page}"));
        let second = first_load(&browser, &next).await;
        assert!(second.contains("n000150") && !second.contains("n000050"), "{place}");
    }
    let node = first_load(&browser, &format!("/devices/IMEI%3A1/node?address={ROOT}n099999")).await;
    assert!(node.contains("99999"), "{node}");
}

#[tokio::test]
async fn values_of_a_megabyte() {
    let server = TestServer::with(|config| config.data.max_upload = Size(64 << 20)).await;
    let device = server.enrol("IMEI:1").await;
    let value = |number: usize| HOSTILE[number % 4].repeat(1_000_000 / HOSTILE[number % 4].len());
    upload(&server, &device, (0..12).map(|number| (format!("n{number:02}"), json!(value(number)))).collect())
        .await;
    let browser = Browser::admin(&server).await;
    let about = json!({ "label": value(0).chars().take(200).collect::<String>(), "note": value(0).chars().take(4_096).collect::<String>() });
    assert_eq!(server.api("PATCH", "/devices/IMEI%3A1", Some(about)).await.status, 200);
    for path in [
        "/",
        "/devices?columns=note",
        "/devices/IMEI%3A1",
        "/devices/IMEI%3A1/tree?at=*",
        "/devices/IMEI%3A1/events",
        "/events",
    ] {
        first_load(&browser, path).await;
    }
    for number in 0..4 {
        let page = first_load(&browser, &format!("/devices/IMEI%3A1/node?address={ROOT}n{number:02}")).await;
        assert!(
            page.contains("more characters") && page.contains("too long for this form"),
            "{number}: {page}"
        );
    }
    let read = server.api("GET", "/devices/IMEI%3A1/tree?length=200&limit=100", None).await;
    assert!(read.body.len() < READ, "{}", read.body.len());
    let whole = server.items(&format!("/devices/IMEI%3A1/tree?at={ROOT}n00")).await;
    assert_eq!(whole[0]["value"], value(0), "unless it is asked for, nothing is cut");
    assert_eq!(whole[0]["length"], Value::Null);
}

#[tokio::test]
async fn a_trace_of_five_megabytes() {
    let server = TestServer::with(|config| {
        config.device.max_message = Size(8 << 20);
        config.trace.keep_bytes = Size(8 << 20);
    })
    .await;
    let browser = Browser::admin(&server).await;
    for (number, hostile) in HOSTILE.iter().take(2).enumerate() {
        let id = format!("IMEI:{number}");
        let device = server.enrol(&id).await;
        server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
        let mut connection = server.connect().await;
        connection.send(device.package1(HELLO)).await.commands();
        let answer =
            connection.send(device.data("text/plain", &hostile.repeat(5_000_000 / hostile.len()))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        for path in ["/sessions/1", "/sessions", "/commands", "/events", "/tree?at=*"] {
            first_load(&browser, &format!("/devices/{}{path}", device.path())).await;
        }
        let path = format!("/devices/{}/sessions/1", device.path());
        let read = server.api("GET", &format!("{path}?bodies=60&body_length=65536"), None).await;
        assert!(read.body.len() < READ, "{}", read.body.len());
        let whole = server.api("GET", &path, None).await;
        assert!(whole.body.len() > 5_000_000, "the download has it all: {}", whole.body.len());
    }
}

#[tokio::test]
async fn a_session_of_many_messages() {
    let server = TestServer::with(|config| config.queue.max_commands_per_package = 1).await;
    let device = server.enrol("IMEI:1").await;
    for number in 0..160 {
        server.queue(&device, json!({ "verb": "exec", "address": format!("{ROOT}n{number}") })).await;
    }
    let mut connection = server.connect().await;
    let mut commands = connection.send(device.package1(HELLO)).await.commands();
    let mut packages = 0;
    while commands.iter().any(|command| command[0] != "END") {
        packages += 1;
        let statuses: Vec<Value> = commands.iter().map(|_| json!({ "sc": 405 })).collect();
        let body = format!("{}{}", json!({ "Status": statuses }), " ".repeat(20_000 + packages));
        commands = connection.send(device.package3(body)).await.commands();
    }
    assert!(packages > 40, "{packages}");
    let browser = Browser::admin(&server).await;
    let page = first_load(&browser, "/devices/IMEI%3A1/sessions/1").await;
    assert!(page.contains("more messages; the download has them all"), "{page}");
    let trace = server.get("/devices/IMEI%3A1/sessions/1?bodies=3&body_length=10").await;
    let messages = trace["messages"].as_array().unwrap();
    assert!(messages.len() > 80, "{}", messages.len());
    assert_eq!((&messages[2]["cut"], messages[2]["text"].as_str().unwrap().len()), (&json!(true), 10));
    assert_eq!(
        (&messages[4]["text"], &messages[4]["length"].as_i64().map(|length| length > 20_000)),
        (&json!(""), &Some(true))
    );
}

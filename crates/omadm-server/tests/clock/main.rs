//! A clock that jumps while the server runs, ahead and back: what devices and operators see of it over real sockets. These tests have a
//! process of their own, of which there is one clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../http/harness.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod harness;

use harness::{Connection, Device, END, HELLO, LANG, TestServer};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;
/// How far the clock jumps.
const FAR: i64 = 300 * DAY;
const PASSWORD: &str = "correct horse battery";

/// A command that expires after so many seconds.
fn deleting(expires_in: u64) -> Value {
    json!({ "verb": "delete", "address": LANG, "expires_in": expires_in })
}

/// A session in which a device does all that it is told; the verbs of that.
async fn session(server: &TestServer, device: &Device, hello: &str) -> Vec<String> {
    let mut connection = server.connect().await;
    let mut answer = connection.send(device.package1(hello.to_owned())).await;
    let mut told = Vec::new();
    while answer.text() != END {
        let commands = answer.commands();
        answer = connection.send(device.statuses(&vec![200; commands.len()])).await;
        told.extend(commands.into_iter().map(|words| words[0].clone()));
    }
    told
}

/// The status of a request with a token.
async fn status(server: &TestServer, token: &str) -> u16 {
    server.api_as(token, "GET", "/devices", None).await.status.as_u16()
}

/// The status of a request in the session of a user, and its cookie where there is none yet.
async fn visit(server: &TestServer, cookie: Option<&str>) -> (u16, String) {
    let (method, path) = if cookie.is_some() { ("GET", "/api/v1/me") } else { ("POST", "/api/v1/login") };
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    let mut body = String::new();
    match cookie {
        Some(cookie) => request = request.header("cookie", cookie),
        None => {
            request = request.header("content-type", "application/json");
            body = json!({ "user": "ann", "password": PASSWORD }).to_string();
        }
    }
    let mut connection = Connection::plain(server.running.operator_addr).await;
    let answer = connection.send(request.body(Full::from(body)).unwrap()).await;
    let set = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    (answer.status.as_u16(), set)
}

async fn made_token(server: &TestServer, name: &str) -> String {
    let new = json!({ "name": name, "expires_in": 86_400 });
    let made = server.api("POST", "/tokens", Some(new)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().unwrap().to_owned()
}

async fn state(server: &TestServer, command: &str) -> Value {
    server.command(command).await["state"].clone()
}

/// Makes and starts a campaign that reads something of every device, named so.
async fn start_campaign(server: &TestServer, name: &str, device: &Device) {
    let change = json!({ "command": { "verb": "delete", "address": LANG, "force": true } });
    let filter = format!("id = \"{}\"", device.id);
    let made =
        server.api("POST", "/campaigns", Some(json!({ "name": name, "change": change, "filter": filter })));
    assert_eq!(made.await.status, 201);
    assert_eq!(server.api("POST", &format!("/campaigns/{name}/start"), Some(json!({}))).await.status, 200);
}

async fn campaign_is(server: &TestServer, name: &str, count: &str) {
    while server.get(&format!("/campaigns/{name}")).await["devices"][count] != 1 {}
}

/// How many enrolments of today's devices are in the log of events.
async fn enrolments(server: &TestServer) -> usize {
    let events = server.items("/events?kind=device").await;
    events.iter().filter(|event| event["device"].as_str().is_some_and(|id| id.starts_with("IMEI:"))).count()
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_loses_nobody_and_nothing() {
    let server = TestServer::start().await;
    // What is too old goes at a pace, from here on: what comes later has days to live, whatever the clock says.
    omadm_server::shift_clock(-10 * DAY);
    server.enrol("OLD:1").await;
    omadm_server::shift_clock(0);
    let mut devices = Vec::new();
    for number in 0..6 {
        devices.push(server.enrol(&format!("IMEI:{number}")).await);
    }
    let [a, b, c, d, e, f] = devices.try_into().unwrap_or_else(|_| panic!("there are six"));
    let user = json!({ "name": "ann", "role": "viewer", "password": PASSWORD });
    assert_eq!(server.api("POST", "/users", Some(user)).await.status, 201);
    let token = made_token(&server, "day").await;
    let (_, cookie) = visit(&server, None).await;
    assert_eq!((status(&server, &token).await, visit(&server, Some(&cookie)).await.0), (200, 200));
    let under_way = server.queue(&a, deleting(366 * 86_400)).await;
    let (too_late, never) =
        (server.queue(&b, deleting(3_600)).await, server.queue(&d, deleting(3_600)).await);
    let mut connection = server.connect().await;
    assert_eq!(connection.send(a.package1(HELLO)).await.commands().len(), 1);

    omadm_server::shift_clock(FAR);
    // Sessions go on, and what was sent is answered.
    assert_eq!(connection.send(a.statuses(&[200])).await.text(), END);
    assert_eq!(state(&server, &under_way).await, "done");
    assert!(session(&server, &b, HELLO).await.is_empty(), "its time is over by this clock");
    assert_eq!(state(&server, &too_late).await, "expired");
    assert_eq!(status(&server, &token).await, 401);
    assert_eq!(visit(&server, Some(&cookie)).await.0, 401);
    assert_eq!(status(&server, &server.token).await, 200, "it has no end");
    let ahead = made_token(&server, "ahead").await;
    let (logged_in, later) = visit(&server, None).await;
    assert_eq!((logged_in, status(&server, &ahead).await), (200, 200));
    server.queue(&c, deleting(60)).await;
    assert_eq!(session(&server, &c, HELLO).await, ["DELETE"]);
    let kept = server.queue(&e, deleting(3_600)).await;
    // A sweep has gone over everything once this one is over; what is old by this clock goes at its pace.
    while state(&server, &never).await != "expired" {}
    assert_eq!(server.items("/devices/IMEI%3A0/sessions").await.len(), 1);
    assert_eq!(enrolments(&server).await, 6);
    start_campaign(&server, "ahead", &f).await;

    omadm_server::shift_clock(0);
    assert_eq!((status(&server, &token).await, status(&server, &ahead).await), (200, 200));
    assert_eq!(
        visit(&server, Some(&later)).await.0,
        200,
        "nobody is thrown out by a clock that is set right"
    );
    assert_eq!(session(&server, &e, HELLO).await, ["DELETE"]);
    assert_eq!(state(&server, &kept).await, "done");
    campaign_is(&server, "ahead", "open").await;
    assert_eq!(session(&server, &f, HELLO).await, ["DELETE"], "a campaign goes on");
    campaign_is(&server, "ahead", "done").await;
    assert!(session(&server, &a, &format!("{HELLO} ")).await.is_empty());
    assert_eq!(
        server.get("/devices/count?filter=id%20%3D%20%22IMEI%3A0%22%20and%20seen%20%3C%201h").await["devices"],
        1
    );

    omadm_server::shift_clock(-FAR);
    // Before all that has ever happened.
    assert_eq!(status(&server, &token).await, 200);
    let behind = server.queue(&b, deleting(3_600)).await;
    assert_eq!(session(&server, &b, &format!("{HELLO} ")).await, ["DELETE"]);
    assert_eq!(state(&server, &behind).await, "done");
    // By this clock all others are enrolled after it began.
    let new = server.enrol("NEW:1").await;
    start_campaign(&server, "behind", &new).await;
    campaign_is(&server, "behind", "open").await;
    assert_eq!(session(&server, &new, HELLO).await, ["DELETE"]);
    campaign_is(&server, "behind", "done").await;
    assert_eq!(server.items("/devices/IMEI%3A1/sessions").await.len(), 2);
    assert_eq!(enrolments(&server).await, 6);

    omadm_server::shift_clock(0);
    assert!(session(&server, &c, &format!("{HELLO} ")).await.is_empty());
    assert_eq!(status(&server, &token).await, 200);
    server.running.stop().await;
}

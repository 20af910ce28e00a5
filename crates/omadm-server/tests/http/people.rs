//! Users, sessions, tokens with scopes, and the audit log.

use std::collections::BTreeSet;

use http::Request;
use http_body_util::Full;
use omadm_server::audit_chain::{AuditEntry, AuditHead, ChainCheck};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Answer, Connection, TestServer};

const PASSWORD: &str = "correct horse battery";

async fn send(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = request.body(Full::from(body)).unwrap();
    Connection::plain(server.running.operator_addr).await.send(request).await
}

async fn login(server: &TestServer, user: &str, password: &str) -> Answer {
    send(server, "POST", "/login", &[], json!({ "user": user, "password": password })).await
}

/// The cookie that an answer sets, as it is sent back.
fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn add_user(server: &TestServer, name: &str, role: &str) {
    let body = json!({ "name": name, "role": role, "password": PASSWORD });
    let answer = server.api("POST", "/users", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

async fn token(server: &TestServer, body: Value) -> String {
    let answer = server.api("POST", "/tokens", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_logs_in_and_out() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "operator").await;
    let answer = login(&server, "ann", PASSWORD).await;
    let set = answer.header("set-cookie").to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict") && !set.contains("Secure"), "{set}");
    assert_eq!((&answer.json()["name"], &answer.json()["role"]), (&json!("ann"), &json!("operator")));
    let cookie = cookie(&answer);
    let with =
        |extra: &'static [(&'static str, &'static str)]| [&[("cookie", cookie.as_str())], extra].concat();
    assert_eq!(send(&server, "GET", "/me", &with(&[]), Value::Null).await.json()["user"], "ann");
    let device = json!({ "id": "IMEI:1" });
    let refused = send(&server, "POST", "/devices", &with(&[]), device.clone()).await;
    assert_eq!(refused.status, 403, "a form of another site could send the same: {}", refused.text());
    let with_header = with(&[("x-omadm-request", "1")]);
    let crossed = with(&[("x-omadm-request", "1"), ("origin", "https://evil.example")]);
    assert_eq!(send(&server, "POST", "/devices", &crossed, device.clone()).await.status, 403);
    assert_eq!(send(&server, "POST", "/devices", &with_header, device).await.status, 201);
    assert_eq!(send(&server, "POST", "/users", &with_header, json!({})).await.status, 403);
    let events = server.items("/events?device=IMEI:1").await;
    assert_eq!(events[0]["body"]["by"], "ann");
    assert_eq!(send(&server, "POST", "/logout", &with_header, Value::Null).await.status, 204);
    assert_eq!(send(&server, "GET", "/me", &with(&[]), Value::Null).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_when_its_user_changes() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "viewer").await;
    let sessions = [login(&server, "ann", PASSWORD).await, login(&server, "ann", PASSWORD).await];
    let [one, other] = sessions.map(|answer| cookie(&answer));
    let me =
        async |cookie: &str| send(&server, "GET", "/me", &[("cookie", cookie)], Value::Null).await.status;
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let own = [("cookie", one.as_str()), ("x-omadm-request", "1")];
    let wrong =
        send(&server, "PUT", "/me/password", &own, change("another one", "a new long password")).await;
    assert_eq!(wrong.status, 403);
    let short = send(&server, "PUT", "/me/password", &own, change(PASSWORD, "short")).await;
    assert_eq!(short.status, 400);
    let changed = send(&server, "PUT", "/me/password", &own, change(PASSWORD, "a new long password")).await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    assert_eq!((me(&one).await, me(&other).await), (200.try_into().unwrap(), 401.try_into().unwrap()));
    assert_eq!(login(&server, "ann", PASSWORD).await.status, 401);
    let role = json!({ "role": "admin" });
    assert_eq!(server.api("PUT", "/users/ann", Some(role)).await.json()["role"], "admin");
    assert_eq!(me(&one).await, 401);
    let cookie = cookie(&login(&server, "ann", "a new long password").await);
    assert_eq!(server.api("DELETE", "/users/ann", None).await.status, 204);
    assert_eq!(me(&cookie).await, 401);
    assert_eq!(login(&server, "ann", "a new long password").await.status, 401);
}

#[tokio::test]
async fn guessing_takes_longer_and_longer() {
    let server = TestServer::with(|config| config.auth.user_failures = 3).await;
    add_user(&server, "ann", "viewer").await;
    let mut refusals = BTreeSet::new();
    for user in ["ann", "nobody"] {
        for _ in 0..3 {
            let answer = login(&server, user, "wrong password").await;
            assert_eq!(answer.status, 401);
            refusals.insert(answer.text().to_owned());
        }
        let waits = login(&server, user, PASSWORD).await;
        assert_eq!((waits.status.as_u16(), waits.header("retry-after").is_empty()), (429, false));
    }
    assert_eq!(refusals.len(), 1, "who exists is not told: {refusals:?}");
    let events = server.items("/events?kind=security").await;
    assert!(events.iter().any(|event| event["body"]["what"] == "too many failed logins"), "{events:?}");
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let scoped = token(&server, json!({ "name": "s", "role": "operator", "scopes": ["devices:read"] })).await;
    let get = async |token: &str, path: &str| server.api_as(token, "GET", path, None).await;
    assert_eq!(get(&scoped, "/devices/IMEI:1").await.status, 200);
    let answers = [
        get(&scoped, "/devices/IMEI:1/commands").await,
        server.api_as(&scoped, "DELETE", "/devices/IMEI:1", None).await,
        server.api_as(&scoped, "DELETE", "/devices/IMEI:2", None).await,
        get(&scoped, "/users").await,
    ];
    assert!(answers.iter().all(|answer| answer.status == 403));
    assert_eq!(answers[1].text(), answers[2].text(), "it is the same whether there is such a device or not");
    let made_more = json!({ "name": "t", "scopes": ["devices:read"] });
    let maker = token(&server, json!({ "name": "m", "role": "admin", "scopes": ["people:write"] })).await;
    assert_eq!(server.api_as(&maker, "POST", "/tokens", Some(made_more)).await.status, 403);
    let as_much = server.api_as(&maker, "POST", "/tokens", Some(json!({ "name": "t" }))).await;
    let as_much = as_much.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(get(&as_much, "/devices").await.status, 403);
    assert_eq!(get(&as_much, "/tokens").await.status, 200);
    for bad in [
        json!({ "name": "x", "scopes": ["devices"] }),
        json!({ "name": "x", "role": "god" }),
        json!({ "name": "x", "groups": ["none"] }),
        json!({ "name": "x", "groups": [] }),
        json!({ "name": "x", "user": "nobody" }),
    ] {
        assert_eq!(server.api("POST", "/tokens", Some(bad.clone())).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn nobody_makes_a_user_who_may_do_more() {
    let server = TestServer::start().await;
    add_user(&server, "root", "admin").await;
    let maker = token(&server, json!({ "name": "m", "role": "admin", "scopes": ["people:write"] })).await;
    let rest = ["devices", "commands", "groups", "profiles", "campaigns", "packages", "catalogue"];
    let rest = rest.into_iter().chain(["delegations", "events", "server", "metrics", "people"]);
    let scopes: Vec<_> = rest.map(|area| format!("{area}:write")).collect();
    let operator = token(&server, json!({ "name": "o", "role": "admin", "scopes": scopes })).await;
    let status = async |token: &str, method: &str, path: &str, body: Value| {
        server.api_as(token, method, path, Some(body)).await.status.as_u16()
    };
    let user = |name: &str, role: &str| json!({ "name": name, "role": role, "password": PASSWORD });
    for role in ["viewer", "admin"] {
        assert_eq!(status(&maker, "POST", "/users", user("x", role)).await, 403, "{role}");
    }
    assert_eq!(status(&operator, "POST", "/users", user("x", "operator")).await, 201);
    let role = |role: &str| json!({ "role": role });
    assert_eq!(status(&operator, "PUT", "/users/x", role("admin")).await, 403);
    assert_eq!(status(&operator, "PUT", "/users/root", role("operator")).await, 403);
    assert_eq!(status(&operator, "PUT", "/users/x", role("viewer")).await, 200);
    let password = json!({ "password": "another long password" });
    assert_eq!(status(&operator, "PUT", "/users/root/password", password.clone()).await, 403);
    assert_eq!(status(&operator, "PUT", "/users/x/password", password).await, 204);
    assert_eq!(login(&server, "root", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_token_does_not_outlast_the_one_that_made_it() {
    let server = TestServer::start().await;
    let short = token(&server, json!({ "name": "short", "expires_in": 1_000 })).await;
    let make = async |body: Value| server.api_as(&short, "POST", "/tokens", Some(body)).await.status.as_u16();
    assert_eq!(make(json!({ "name": "long", "expires_in": 2_000 })).await, 403);
    assert_eq!(make(json!({ "name": "less", "expires_in": 500 })).await, 201);
    assert_eq!(make(json!({ "name": "same" })).await, 201);
    let tokens = server.items("/tokens").await;
    let expires = |name: &str| {
        let found = tokens.iter().find(|token| token["name"] == name).unwrap();
        found["expires"].as_str().unwrap().to_owned()
    };
    assert!(expires("less") < expires("short"));
    assert_eq!(expires("same"), expires("short"));
}

#[tokio::test]
async fn who_has_not_proved_anything_sends_little() {
    let server = TestServer::start().await;
    let large = login(&server, "ann", &"x".repeat(64 << 10)).await;
    assert_eq!(large.status, 413, "{}", large.text());
    assert_eq!(login(&server, "ann", &"x".repeat(60 << 10)).await.status, 401);
}

/// Packages and imports are not read ahead: what they were is said with what came of them.
#[tokio::test]
async fn bodies_that_come_piece_by_piece_have_their_digest() {
    let server = TestServer::start().await;
    let table = "id,label\nIMEI:1,one\n";
    let upload = async |path: &str| {
        let request = Request::builder()
            .method("POST")
            .uri(format!("/api/v1{path}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", server.token))
            .body(Full::from(table))
            .unwrap();
        Connection::plain(server.running.operator_addr).await.send(request).await
    };
    let stored = upload("/packages?name=a&version=1&kind=software").await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    let read = upload("/imports?dry_run=true").await;
    assert_eq!(read.status, 202, "{}", read.text());
    let (entries, _) = audit(&server).await;
    let done: Vec<Value> = entries.iter().map(said).filter(|said| said["phase"] == "done").collect();
    let [package, import] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(package["body"]["octets"], table.len());
    assert!(package["body"]["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{package}");
    assert_eq!(package["body"], import["body"], "the same body has the same digest");
}

/// What was begun is in the audit log with what came of it, also when who asked for it did not wait.
#[tokio::test]
async fn nobody_hides_what_came_of_a_request_by_going_away() {
    let server = TestServer::start().await;
    let body = json!({ "name": "ann", "role": "viewer", "password": PASSWORD }).to_string();
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        server.token,
        body.len()
    );
    let mut socket = TcpStream::connect(server.running.operator_addr).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let phases = async || {
        let entries = server.items("/audit").await;
        entries.iter().map(|entry| said(entry)["phase"].to_string()).collect::<BTreeSet<_>>()
    };
    while !phases().await.contains("\"begun\"") {}
    drop(socket);
    // Hashing a password takes a while; by then the connection is gone.
    for _ in 0..10_000 {
        if phases().await.contains("\"done\"") {
            assert_eq!(server.get("/users/ann").await["role"], "viewer");
            return;
        }
    }
    panic!("nobody knows what came of it");
}

#[tokio::test]
async fn tokens_of_a_user_go_with_the_user() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "viewer").await;
    let of_user = token(&server, json!({ "name": "a", "user": "ann", "role": "admin" })).await;
    let status = async |path: &str| server.api_as(&of_user, "GET", path, None).await.status.as_u16();
    assert_eq!((status("/devices").await, status("/users").await), (200, 403), "no more than the user");
    server.api("PUT", "/users/ann", Some(json!({ "role": "auditor" }))).await;
    assert_eq!(status("/users").await, 200);
    server.api("DELETE", "/users/ann", None).await;
    assert_eq!(status("/devices").await, 401);
}

#[tokio::test]
async fn a_bad_token_is_told_nothing() {
    let server = TestServer::start().await;
    let short = token(&server, json!({ "name": "short", "expires_in": 1 })).await;
    let revoked = token(&server, json!({ "name": "gone" })).await;
    server.api("DELETE", "/tokens/gone", None).await;
    let refusal = async |token: &str, path: &str| {
        let answer = server.api_as(token, "GET", path, None).await;
        (answer.status.as_u16(), answer.text().to_owned())
    };
    let unknown = refusal("omadm_unknown", "/devices").await;
    assert_eq!(unknown.0, 401);
    assert_eq!(refusal(&revoked, "/devices/IMEI:1").await, unknown);
    assert_eq!(refusal("omadm_unknown", "/no/such/path").await, unknown);
    // Its second passes while it is asked for.
    while refusal(&short, "/devices").await.0 == 200 {}
    assert_eq!(refusal(&short, "/devices").await, unknown);
}

#[tokio::test]
async fn requests_come_under_known_names() {
    let server =
        TestServer::with(|config| config.operator.allowed_hosts = vec!["dm.example".to_owned()]).await;
    let bearer = format!("Bearer {}", server.token);
    let status = async |headers: &[(&str, &str)]| {
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        send(&server, "GET", "/me", &headers, Value::Null).await.status.as_u16()
    };
    for good in ["localhost:1", "127.0.0.1", "[::1]:8080", "dm.example", "DM.example:443"] {
        assert_eq!(status(&[("host", good)]).await, 200, "{good}");
    }
    for bad in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"] {
        assert_eq!(status(&[("host", bad)]).await, 421, "{bad}");
    }
    assert_eq!(status(&[("host", "dm.example"), ("origin", "https://dm.example")]).await, 200);
    assert_eq!(status(&[("host", "dm.example"), ("origin", "https://evil.example")]).await, 403);
    assert_eq!(status(&[("host", "dm.example"), ("origin", "null")]).await, 403);
}

#[tokio::test]
async fn an_auditor_changes_nothing_and_a_viewer_sees_no_people() {
    let server = TestServer::start().await;
    let auditor = token(&server, json!({ "name": "auditor", "role": "auditor" })).await;
    let viewer = token(&server, json!({ "name": "viewer", "role": "viewer" })).await;
    let document = server.get("/openapi.json").await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let concrete = path.replace("{command}", &uuid(1)).replace(['{', '}'], "");
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            if matches!(path.as_str(), "/login" | "/logout" | "/me/password" | "/events/stream") {
                continue;
            }
            let status = async |token: &str| {
                server.api_as(token, &method, &concrete, Some(json!({}))).await.status.as_u16()
            };
            let is_trial = ["/dry-run", "/preview"].iter().any(|end| path.ends_with(end));
            let is_change = method != "GET" && !is_trial;
            assert_eq!(status(&auditor).await == 403, is_change, "{method} {path}");
            let confidential = ["/users", "/tokens", "/webhooks", "/audit", "/settings", "/server/state"];
            let is_closed = is_change || confidential.iter().any(|closed| path.starts_with(closed));
            assert_eq!(status(&viewer).await == 403, is_closed, "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

fn uuid(number: u8) -> String {
    format!("00000000-0000-0000-0000-0000000000{number:02}")
}

async fn audit(server: &TestServer) -> (Vec<Value>, ChainCheck) {
    let heads = server.items("/audit/heads").await;
    let anchors = heads.iter().map(|head| AuditHead::read(head).unwrap()).collect();
    let chain = heads[0]["chain"].as_str().unwrap();
    let entries = server.items(&format!("/audit?chain={chain}&limit=1000")).await;
    (entries, ChainCheck::new(anchors))
}

fn said(entry: &Value) -> Value {
    serde_json::from_str(entry["entry"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_and_no_secret() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    add_user(&server, "ann", "viewer").await;
    login(&server, "ann", PASSWORD).await;
    login(&server, "ann", "not her password").await;
    server
        .api(
            "POST",
            "/devices/IMEI:1/commands",
            Some(json!({ "verb": "set", "address": "./A/B", "value": "pin 4711" })),
        )
        .await;
    server.get("/devices").await;
    let viewer = token(&server, json!({ "name": "viewer", "role": "viewer" })).await;
    assert_eq!(server.api_as(&viewer, "DELETE", "/devices/IMEI:1", None).await.status, 403);
    let (entries, mut check) = audit(&server).await;
    let phases: Vec<_> = entries
        .iter()
        .map(said)
        .map(|said| {
            let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", text("phase"), text("do"), text("by"))
        })
        .collect();
    let expected = [
        "begun POST /devices token first",
        "done  ",
        "begun POST /users token first",
        "done  ",
        "done POST /login user ann",
        "begun POST /devices/{id}/commands token first",
        "done  ",
        "begun POST /tokens token first",
        "done  ",
        "refused DELETE /devices/{id} token viewer",
    ];
    assert_eq!(phases, expected);
    let text = json!(entries).to_string();
    for secret in [PASSWORD, "4711", device.secret.as_str(), server.token.as_str(), viewer.as_str()] {
        assert!(!text.contains(secret));
    }
    assert_eq!(said(&entries[2])["body"]["role"], "viewer");
    assert_eq!(said(&entries[3])["status"], 201);
    assert_eq!(said(&entries[3])["request"], said(&entries[2])["request"]);
    for entry in &entries {
        check.next(&AuditEntry::read(entry).unwrap()).unwrap();
    }
    assert_eq!(check.end().unwrap().len(), 1);
    let newest = server.items("/audit?limit=2").await;
    assert_eq!(newest[0]["seq"], 10);
    let next = server.get("/audit?limit=2").await["next"].as_str().unwrap().to_owned();
    assert_eq!(server.items(&format!("/audit?limit=1&after={next}")).await[0]["seq"], 8);
}

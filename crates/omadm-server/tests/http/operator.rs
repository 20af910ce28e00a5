//! The REST API beside the queue.

use http::Request;
use http_body_util::Full;
use omadm_server::config::Span;
use omadm_server::{Config, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Connection, HELLO, TestServer};

async fn open(server: &TestServer, path: &str) -> Answer {
    let request = Request::builder().uri(path).header("host", "localhost").body(Full::default()).unwrap();
    Connection::plain(server.running.operator_addr).await.send(request).await
}

#[tokio::test]
async fn everything_but_health_and_the_document_needs_a_token() {
    let server = TestServer::start().await;
    for (path, expected) in [("/healthz", "ok"), ("/readyz", "ready"), ("/login", "Log in")] {
        let answer = open(&server, path).await;
        assert!(answer.status == 200 && answer.text().contains(expected), "{path}");
    }
    for path in ["/api/v1/devices", "/api/v1/server", "/api/v1/nothing"] {
        let answer = open(&server, path).await;
        assert_eq!((answer.status.as_u16(), answer.json()["status"].as_u64()), (401, Some(401)), "{path}");
    }
    assert_eq!(server.api_as("omadm_wrong", "GET", "/devices", None).await.status, 401);
    assert_eq!(server.api("GET", "/nothing", None).await.json()["status"], 404);
    let file = std::fs::read_to_string(server.dir.path().join("operator.token")).unwrap();
    assert_eq!(file, server.token);
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let server = TestServer::start().await;
    let document = open(&server, "/api/v1/openapi.json").await.json();
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "/audit",
        "/audit/export",
        "/audit/heads",
        "/bootstrap",
        "/bootstrap/batch",
        "/bootstrap/terms",
        "/bootstrap/{id}",
        "/campaigns",
        "/campaigns/{campaign}",
        "/campaigns/{campaign}/devices",
        "/campaigns/{campaign}/pause",
        "/campaigns/{campaign}/report",
        "/campaigns/{campaign}/resume",
        "/campaigns/{campaign}/rollback",
        "/campaigns/{campaign}/start",
        "/campaigns/{campaign}/stop",
        "/commands/{command}",
        "/commands/{command}/cancel",
        "/ddfs",
        "/ddfs/{name}",
        "/ddfs/{name}/model",
        "/delegations",
        "/delegations/peers",
        "/delegations/{delegation}",
        "/delegations/{delegation}/approve",
        "/delegations/{delegation}/cancel",
        "/delegations/{delegation}/devices",
        "/delegations/{delegation}/reject",
        "/delegations/{delegation}/release",
        "/devices",
        "/devices/batch",
        "/devices/count",
        "/devices/export",
        "/devices/{id}",
        "/devices/{id}/commands",
        "/devices/{id}/defaults",
        "/devices/{id}/notify",
        "/devices/{id}/payloads/{payload}",
        "/devices/{id}/profiles",
        "/devices/{id}/profiles/{name}/retry",
        "/devices/{id}/push",
        "/devices/{id}/sessionless",
        "/devices/{id}/sessions",
        "/devices/{id}/sessions/abort",
        "/devices/{id}/sessions/{session}",
        "/devices/{id}/subscriptions",
        "/devices/{id}/tree",
        "/events",
        "/events/kinds",
        "/events/stream",
        "/groups",
        "/groups/{name}",
        "/imports",
        "/imports/{import}",
        "/imports/{import}/report",
        "/imports/{import}/rows",
        "/login",
        "/logout",
        "/me",
        "/me/password",
        "/packages",
        "/packages/{package}",
        "/pages",
        "/pages/{name}",
        "/pages/{name}/answers",
        "/pages/{name}/preview",
        "/profiles",
        "/profiles/{name}",
        "/profiles/{name}/assignment",
        "/profiles/{name}/devices",
        "/profiles/{name}/diff",
        "/profiles/{name}/dry-run",
        "/profiles/{name}/retry",
        "/profiles/{name}/rollback",
        "/profiles/{name}/versions",
        "/profiles/{name}/versions/{version}",
        "/server",
        "/server/state",
        "/settings",
        "/tokens",
        "/tokens/{name}",
        "/users",
        "/users/{name}",
        "/users/{name}/password",
        "/webhooks",
        "/webhooks/{name}",
        "/webhooks/{name}/dead",
        "/webhooks/{name}/replay",
        "/webhooks/{name}/test",
    ];
    assert_eq!(paths, expected);
    // Every reference leads somewhere.
    let mut open: Vec<&Value> = vec![&document];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    references += 1;
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(references > 20);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{method} {path}");
            for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
            }
        }
    }
}

#[tokio::test]
async fn devices_are_enrolled_listed_replaced_and_removed() {
    let server = TestServer::start().await;
    let body = json!({ "id": "UUID:a/b", "label": "Türe 1", "user": "door", "secret": "0123456789abcdef" });
    let answer = server.api("POST", "/devices", Some(body.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let enrolled = answer.json();
    assert_eq!((&enrolled["user"], &enrolled["secret"]), (&json!("door"), &json!("0123456789abcdef")));
    assert_eq!(
        (&enrolled["server_id"], &enrolled["server_uri"]),
        (&json!("omadm"), &json!(server.running.device_uri))
    );
    assert_eq!(enrolled["device"]["inventory"], Value::Null);
    assert_eq!(server.get("/devices/UUID%3Aa%2Fb").await["label"], "Türe 1");

    assert_eq!(server.api("POST", "/devices", Some(body)).await.status, 409);
    let taken = json!({ "id": "UUID:c", "user": "door" });
    assert_eq!(server.api("POST", "/devices", Some(taken)).await.status, 409);
    let replaced = server.api("POST", "/devices", Some(json!({ "id": "UUID:a/b", "replace": true }))).await;
    assert_eq!((replaced.status.as_u16(), &replaced.json()["device"]["generation"]), (201, &json!(2)));
    assert_eq!(replaced.json()["user"], "UUID-a/b", "':' is not for user names of HTTP Basic");

    for bad in [
        json!({ "id": "" }),
        json!({ "id": "a b" }),
        json!({ "id": "x", "secret": "short" }),
        json!({ "id": "x", "user": "a:b" }),
        json!({ "id": "x", "colour": 1 }),
        json!({}),
    ] {
        assert_eq!(server.api("POST", "/devices", Some(bad.clone())).await.status, 400, "{bad}");
    }

    let batch =
        |ids: &[&str]| json!({ "devices": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() });
    let answer = server.api("POST", "/devices/batch", Some(batch(&["D:1", "D:2", "D:3"]))).await;
    assert_eq!((answer.status.as_u16(), answer.json()["items"].as_array().unwrap().len()), (201, 3));
    assert_eq!(server.api("POST", "/devices/batch", Some(batch(&["D:4", "D:1"]))).await.status, 409);
    assert_eq!(server.api("GET", "/devices/D:4", None).await.status, 404, "all or none");

    let page = server.get("/devices?limit=2").await;
    assert_eq!(page["next"], "D:2");
    assert!(page["items"][0].get("inventory").is_none());
    let rest = server.items("/devices?after=D:2").await;
    let ids: Vec<_> = rest.iter().map(|device| device["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["D:3", "UUID:a/b"]);
    assert_eq!(server.get("/server").await["devices"], 4);

    assert_eq!(server.api("DELETE", "/devices/D:1", None).await.status, 204);
    assert_eq!(server.api("DELETE", "/devices/D:1", None).await.status, 404);
    assert_eq!(server.api("GET", "/devices/D:1", None).await.status, 404);
}

#[tokio::test]
async fn a_bootstrap_is_what_a_device_needs() {
    let server = TestServer::with(|config| config.server.id = "DMS1".into()).await;
    let body =
        json!({ "device": { "id": "UUID:1", "label": "door" }, "moids": ["*", "urn:x:1.0"], "name": "Ops" });
    let answer = server.api("POST", "/bootstrap", Some(body.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = answer.json();
    assert_eq!(made["ca_pem"].as_str(), server.running.authority.as_deref());
    let item = &made["bootstrap"][0];
    assert_eq!(item["ClientURI"], "urn:oma:mo:oma-dm-dmacc:1.2//");
    let account = &item["MOData"]["DMS1"];
    assert_eq!((&account["SrvID"], &account["Name"]), (&json!("DMS1"), &json!("Ops")));
    assert_eq!(account["SrvURI"], server.running.device_uri);
    assert_eq!(account["Perm"], json!({ "1": { "MOID": "*" }, "2": { "MOID": "urn:x:1.0" } }));

    use base64::Engine as _;
    let decode = |value: &Value| {
        let octets = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
        String::from_utf8(octets).unwrap()
    };
    let device = crate::harness::Device {
        id: "UUID:1".into(),
        user: decode(&account["Auth"]["Trsp"]["Data"]),
        secret: decode(&account["Auth"]["Trsp"]["Secret"]),
    };
    assert_eq!(
        server.connect().await.send(device.package1(HELLO)).await.status,
        200,
        "its credentials are good"
    );

    assert_eq!(server.api("POST", "/bootstrap", Some(body)).await.status, 409);
    let bad = json!({ "device": { "id": "UUID:2" }, "moids": [] });
    assert_eq!(server.api("POST", "/bootstrap", Some(bad)).await.status, 400);
    assert_eq!(
        server.api("GET", "/devices/UUID:2", None).await.status,
        404,
        "nothing is enrolled by a bad request"
    );
}

#[tokio::test]
async fn ddf_files_are_checked_and_kept() {
    let server = TestServer::start().await;
    let names: Vec<_> =
        server.items("/ddfs").await.iter().map(|ddf| ddf["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), omadm_server::STANDARD_DDFS.len());
    let shown = server.api("GET", &format!("/ddfs/{}", names[0]), None).await;
    let text = shown.text().replace("urn:oma:mo:", "urn:vendor:mo:");
    let stored = server.put_ddf("vendor.ddf", &text).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert!(stored.json()["moids"][0].as_str().unwrap().starts_with("urn:vendor:mo:"));
    assert_eq!(server.items("/ddfs").await.len(), omadm_server::STANDARD_DDFS.len() + 1);
    let broken = server.put_ddf("vendor.ddf", "<MgmtTree>\n<Node></MgmtTree>").await;
    assert_eq!(broken.status, 400);
    assert!(broken.json()["detail"].as_str().unwrap().starts_with("line 2, column "), "{}", broken.text());
    assert_eq!(server.put_ddf(".hidden", &text).await.status, 400);
    assert_eq!(server.api("GET", "/ddfs/none.ddf", None).await.status, 404);
}

#[tokio::test]
async fn tokens_can_be_made_and_revoked() {
    let server = TestServer::start().await;
    let answer = server.api("POST", "/tokens", Some(json!({ "name": "ci", "expires_in": 3600 }))).await;
    assert_eq!(answer.status, 201);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("omadm_"));
    assert_eq!(server.api("POST", "/tokens", Some(json!({ "name": "ci" }))).await.status, 409);
    assert_eq!(server.api_as(&token, "GET", "/devices", None).await.status, 200);
    let listed = server.items("/tokens").await;
    assert_eq!(listed.len(), 2);
    assert!(!json!(listed).to_string().contains(&token), "a listing shows no token");
    assert_eq!(server.api("DELETE", "/tokens/ci", None).await.status, 204);
    assert_eq!(server.api_as(&token, "GET", "/devices", None).await.status, 401, "at once");
    assert_eq!(server.api("DELETE", "/tokens/ci", None).await.status, 404);
}

#[tokio::test]
async fn of_two_tokens_with_one_name_only_one_is_made() {
    let server = TestServer::start().await;
    let make = || server.api("POST", "/tokens", Some(json!({ "name": "ci" })));
    let (one, two, three) = tokio::join!(make(), make(), make());
    let (made, refused): (Vec<_>, Vec<_>) =
        [one, two, three].into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    assert!(refused.iter().all(|answer| answer.status == 409));
    let token = made[0].json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.api_as(&token, "GET", "/devices", None).await.status, 200);
}

#[tokio::test]
async fn events_can_be_followed() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    server.enrol("IMEI:2").await;
    let events = server.items("/events").await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["kind"], &events[0]["body"]),
        (&json!("device"), &json!({ "what": "enrolled", "by": "first" }))
    );
    let cursor = &events[0]["cursor"];
    let rest = server.items(&format!("/events?after={cursor}")).await;
    assert_eq!((rest.len(), &rest[0]["device"]), (1, &json!("IMEI:2")));
    assert_eq!(server.items("/events?device=IMEI:1").await.len(), 1);
    assert_eq!(server.get("/events?limit=1").await["next"], json!(cursor.to_string()));
}

#[tokio::test]
async fn a_first_token_that_cannot_be_written_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.device.listen = ([127, 0, 0, 1], 0).into();
    config.operator.listen = ([127, 0, 0, 1], 0).into();
    let file = dir.path().join("operator.token");
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    assert!(Server::start(config.clone()).await.is_err());
    std::fs::remove_dir_all(&file).unwrap();
    let running = Server::start(config).await.unwrap();
    assert_eq!(running.first_token.unwrap().expose(), std::fs::read_to_string(file).unwrap());
}

#[tokio::test]
async fn who_holds_a_body_open_is_answered_and_let_go() {
    let server = TestServer::with(|config| config.operator.body_timeout = Span::secs(1)).await;
    let mut stream = TcpStream::connect(server.running.operator_addr).await.unwrap();
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 9\r\n\r\n{{",
        server.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("operator.body_timeout"), "{answer}");
}

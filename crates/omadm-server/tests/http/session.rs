//! Messages of a DM session: what is refused, what is repeated, what is recorded.

use http::{HeaderValue, Method};
use serde_json::json;

use crate::harness::{DMMO, Device, END, HELLO, INITIATION, LANG, REQUEST, TAKEN, TestServer};

#[tokio::test]
async fn a_session_brings_what_was_asked_for() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:493005100592800").await;
    let id =
        server.queue(&device, json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//" })).await;
    let mut connection = server.connect().await;

    let mos = json!([{ "DDF": "https://v.example/d.ddf", "MOID": "urn:oma:mo:oma-dm-devinfo:1.2", "MIID": ["DevInfo"] }]);
    let alert = json!([{ "AlertType": "urn:oma:at:dm:2.0:ClientInitiatedMgmt" }, { "AlertType": "urn:x:battery", "Mark": "warning" }]);
    let answer = connection.send(device.package1(json!({ "MOS": mos, "Alert": alert }).to_string())).await;
    assert_eq!(answer.commands(), [["GET", "urn:oma:mo:oma-dm-devinfo:1.2//"]]);
    assert_eq!(answer.header("omadm-accept"), TAKEN);
    assert_eq!(server.command(&id).await["state"], "sent");

    let data = json!([{ "ClientURI": "urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/", "MOData": { "DevInfo":
        { "Man": "Acme", "Mod": "T 1", "FwV": "7", "SwV": "1.2", "Lang": "en", "Ext": {} } } }]);
    let answer = connection.send(device.data(DMMO, &data.to_string())).await;
    assert_eq!(answer.text(), END);

    let command = server.command(&id).await;
    assert_eq!(
        (&command["state"], &command["status"], &command["attempts"]),
        (&json!("done"), &json!(200), &json!(1))
    );
    let items = command["result"]["items"].as_array().unwrap();
    assert!(items.contains(&json!({ "address": LANG, "value": "en" })), "{items:?}");
    assert!(
        items.contains(&json!({ "address": "urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/Ext", "interior": true }))
    );

    let shown = server.get(&format!("/devices/{}", device.path())).await;
    assert_eq!((&shown["manufacturer"], &shown["model"]), (&json!("Acme"), &json!("T 1")));
    assert_eq!((&shown["firmware"], &shown["software"]), (&json!("7"), &json!("1.2")));
    assert_eq!((&shown["protocol"], &shown["open_commands"]), (&json!("dm2.0"), &json!(0)));
    assert_eq!(shown["inventory"][0]["miids"], json!(["DevInfo"]));

    let tree = server
        .items(&format!("/devices/{}/tree?at=urn:oma:mo:oma-dm-devinfo:1.2//Lang", device.path()))
        .await;
    assert_eq!((tree.len(), &tree[0]["value"], &tree[0]["interior"]), (1, &json!("en"), &json!(false)));

    let sessions = server.items(&format!("/devices/{}/sessions", device.path())).await;
    assert_eq!((&sessions[0]["outcome"], &sessions[0]["messages"]), (&json!("ended"), &json!(4)));
    let trace = server.get(&format!("/devices/{}/sessions/1", device.path())).await;
    let summaries: Vec<_> =
        trace["messages"].as_array().unwrap().iter().map(|m| m["summary"].as_str().unwrap()).collect();
    assert_eq!(summaries, ["Package#1", "Package#2", "Package#3 with data", "Package#2"]);
    assert_eq!(trace["messages"][3]["text"], END);

    let events = server.items("/events?device=IMEI:493005100592800").await;
    let alert = events.iter().find(|event| event["body"]["type"] == "urn:x:battery").unwrap();
    assert_eq!((&alert["kind"], &alert["body"]["mark"]), (&json!("alert"), &json!("warning")));
    assert!(events.iter().any(|event| event["kind"] == "command" && event["body"]["state"] == "done"));
}

#[tokio::test]
async fn heads_that_are_wrong_get_their_status() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = connection.send(device.request(method.clone(), "/dm/2.0", Some(INITIATION), "")).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method}");
    }
    let answer =
        connection.send(device.request(Method::POST, "/dm/2.0", Some("application/xml"), "<a/>")).await;
    assert_eq!((answer.status.as_u16(), answer.header("omadm-accept")), (415, TAKEN));

    let mut request = device.package1(HELLO);
    request.headers_mut().insert("accept", HeaderValue::from_static("text/html"));
    assert_eq!(connection.send(request).await.status, 406);
    let mut request = device.package1(HELLO);
    request.headers_mut().remove("omadm-devid");
    assert_eq!(connection.send(request).await.status, 400);
    let mut request = device.package1(HELLO);
    request.headers_mut().append("omadm-devid", HeaderValue::from_static("IMEI:2"));
    assert_eq!(connection.send(request).await.status, 400);
    let mut request = device.package1("[]");
    assert_eq!(connection.send(request).await.status, 400);
    request = device.package1(HELLO);
    request.headers_mut().insert("accept", HeaderValue::from_static(REQUEST));
    assert_eq!(connection.send(request).await.status, 200);
}

#[tokio::test]
async fn wrong_credentials_and_foreign_identities_are_refused() {
    let server = TestServer::start().await;
    let (device, other) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    let mut connection = server.connect().await;
    let mut bare = device.package1(HELLO);
    bare.headers_mut().remove("authorization");
    let wrong = Device { secret: other.secret.clone(), ..device.clone() };
    let unknown = Device { user: "nobody".into(), ..device.clone() };
    for request in [bare, wrong.package1(HELLO), unknown.package1(HELLO)] {
        let answer = connection.send(request).await;
        assert_eq!(answer.status.as_u16(), 401);
        let challenges = answer.headers.get_all("www-authenticate").iter();
        let challenges: Vec<_> = challenges.map(|challenge| challenge.to_str().unwrap()).collect();
        let [sha256, sha512, "Basic realm=\"omadm\", charset=\"UTF-8\""] = challenges.as_slice() else {
            panic!("{challenges:?}")
        };
        assert!(sha256.contains("algorithm=SHA-256,") && sha512.contains("algorithm=SHA-512-256,"));
    }
    assert_eq!(connection.send(device.package1(HELLO)).await.text(), END);
    let foreign = Device { id: other.id.clone(), ..device.clone() };
    assert_eq!(connection.send(foreign.package1(HELLO)).await.status, 403);
    let trace = server.get("/devices/IMEI:1/sessions/1").await;
    assert_eq!(trace["messages"][2]["summary"], "Package#1", "it is known what was refused: {trace}");
    let mut no_text = device.package1(HELLO);
    no_text.headers_mut().insert("omadm-devid", http::HeaderValue::from_bytes("IMEI:ä".as_bytes()).unwrap());
    let answer = connection.send(no_text).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("IMEI:ä"), "{}", answer.text());
    let events = server.items("/events?device=IMEI:1").await;
    let event = events.iter().find(|event| event["kind"] == "security").unwrap();
    assert_eq!(event["body"]["named"], "IMEI:2");
    assert!(server.items("/devices/IMEI:2/sessions").await.is_empty());

    assert_eq!(server.api("DELETE", "/devices/IMEI:1", None).await.status, 204);
    assert_eq!(connection.send(device.package1(HELLO)).await.status, 401, "a removed device is out at once");
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let server =
        TestServer::with(|config| config.device.max_message = omadm_server::config::Size(4096)).await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let body = format!("{HELLO}{}", " ".repeat(4096 - HELLO.len()));
    assert_eq!(connection.send(device.package1(body.clone())).await.text(), END);
    let answer = connection.send(device.package1(format!("{body} "))).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("4096"), "{}", answer.text());
    let answer = connection.send(device.package1(" ".repeat(1 << 20))).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_repeated_message_gets_the_same_reply_and_has_no_second_effect() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    let first = connection.send(device.package1(HELLO)).await;
    assert_eq!(connection.send(device.package1(HELLO)).await.body, first.body);
    assert_eq!(server.connect().await.send(device.package1(HELLO)).await.body, first.body);
    assert_eq!(server.command(&id).await["attempts"], 1);

    let item = json!([{ "ClientURI": LANG, "MOData": { "Lang": "en" } }]).to_string();
    let second = connection.send(device.data(DMMO, &item)).await;
    assert_eq!(second.text(), END);
    let events = server.items("/events").await;
    assert_eq!(connection.send(device.data(DMMO, &item)).await.body, second.body);
    assert_eq!(server.connect().await.send(device.data(DMMO, &item)).await.body, second.body);
    assert_eq!(server.items("/events").await, events);
    assert_eq!(server.items("/devices/IMEI:1/sessions").await.len(), 1);
    assert_eq!(server.command(&id).await["state"], "done");
}

#[tokio::test]
async fn two_concurrent_copies_of_a_message_count_once() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(server.connect().await);
    }
    let sending = connections.into_iter().map(|mut connection| {
        let request = device.package1(HELLO);
        tokio::spawn(async move { connection.send(request).await })
    });
    for answer in sending.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().commands(), [["GET", LANG]]);
    }
    assert_eq!(server.command(&id).await["attempts"], 1);
    assert_eq!(server.items("/devices/IMEI:1/sessions").await.len(), 1);
}

#[tokio::test]
async fn an_equal_package1_is_a_session_of_its_own_when_there_is_work() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    assert_eq!(connection.send(device.package1(HELLO)).await.text(), END);
    server.queue(&device, json!({ "verb": "exec", "address": LANG })).await;
    assert_eq!(server.connect().await.send(device.package1(HELLO)).await.commands(), [["EXEC", LANG]]);
    assert_eq!(server.items("/devices/IMEI:1/sessions").await.len(), 2);
}

#[tokio::test]
async fn statuses_that_do_not_fit_are_assigned_to_nothing() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let id = server.queue(&device, json!({ "verb": "delete", "address": LANG })).await;
    let mut connection = server.connect().await;
    assert_eq!(connection.send(device.statuses(&[200])).await.status, 409, "no session yet");
    connection.send(device.package1(HELLO)).await.commands();
    for codes in [&[][..], &[200, 200]] {
        assert_eq!(connection.send(device.statuses(codes)).await.status, 400);
    }
    assert_eq!(server.command(&id).await["state"], "sent");
    assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    assert_eq!(server.command(&id).await["state"], "done");
    assert_eq!(connection.send(device.statuses(&[404])).await.status, 409, "after END");

    let trace = server.get("/devices/IMEI:1/sessions/1").await;
    let refused: Vec<_> =
        trace["messages"].as_array().unwrap().iter().filter(|m| m["summary"] == "refused").collect();
    assert_eq!(refused.len(), 3, "{trace}");
    assert_eq!(refused[2]["http_status"], 409);
}

#[tokio::test]
async fn unanswered_commands_are_sent_again_and_quarantined_in_the_end() {
    let server = TestServer::with(|config| {
        config.queue.max_attempts = 2;
        config.device.repeat_window = omadm_server::config::Span::secs(0);
    })
    .await;
    let device = server.enrol("IMEI:1").await;
    let poison = server.queue(&device, json!({ "verb": "exec", "address": LANG })).await;
    let mut connection = server.connect().await;
    for attempt in 1..=2 {
        assert_eq!(connection.send(device.package1(HELLO)).await.commands()[0], ["EXEC", LANG]);
        assert_eq!(server.command(&poison).await["attempts"], attempt);
    }
    let next = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    assert_eq!(
        connection.send(device.package1(HELLO)).await.commands()[0],
        ["GET", LANG],
        "the rest flows on"
    );
    let poison = server.command(&poison).await;
    assert_eq!(poison["state"], "quarantined");
    assert!(poison["reason"].as_str().unwrap().contains("2 "), "{poison}");
    assert_eq!(server.command(&next).await["state"], "sent");
    let sessions = server.items("/devices/IMEI:1/sessions").await;
    let outcomes: Vec<_> = sessions.iter().map(|session| session["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["open", "replaced", "replaced"]);
}

#[tokio::test]
async fn a_command_can_be_accepted_first_and_fail_later() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let fails = server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let runs = server.queue(&device, json!({ "verb": "exec", "address": LANG })).await;
    let mut connection = server.connect().await;
    assert_eq!(connection.send(device.package1(HELLO)).await.commands().len(), 2);
    assert_eq!(connection.send(device.statuses(&[404, 202])).await.text(), END);
    let failed = server.command(&fails).await;
    assert_eq!((&failed["state"], &failed["status"]), (&json!("failed"), &json!(404)));
    assert!(failed["reason"].as_str().unwrap().contains(LANG), "{failed}");
    let running = server.command(&runs).await;
    assert_eq!((&running["state"], &running["status"]), (&json!("sent"), &json!(202)));
    // It is not sent again while its result is awaited.
    let other = r#"{"Alert":[{"AlertType":"urn:oma:at:dm:2.0:ServerInitiatedMgmt"}]}"#;
    assert_eq!(connection.send(device.package1(other)).await.text(), END);
}

#[tokio::test]
async fn the_last_known_tree_follows_what_is_seen_and_done() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    let moid = "urn:oma:mo:x:1.0";
    let mut starts = 0;
    let mut begin = async |command: serde_json::Value| {
        starts += 1;
        server.queue(&device, command).await;
        let start = format!(r#"{{"Alert":[{{"AlertType":"urn:x:start:{starts}"}}]}}"#);
        assert_eq!(connection.send(device.package1(start)).await.commands().len(), 1);
    };
    let known = async || {
        let nodes = server.items("/devices/IMEI:1/tree").await;
        let text =
            |node: &serde_json::Value| format!("{}={}", node["address"].as_str().unwrap(), node["value"]);
        nodes.iter().map(text).collect::<Vec<_>>().join(" ").replace(moid, "x")
    };
    let mut second = server.connect().await;

    begin(json!({ "verb": "get", "address": format!("{moid}//") })).await;
    let item = json!([{ "ClientURI": format!("{moid}/m/"), "MOData": { "m": { "a": 1, "b": { "c": true, "d": "x" } } } }]);
    second.send(device.data(DMMO, &item.to_string())).await;
    assert_eq!(known().await, "x/m/=null x/m/a=1 x/m/b=null x/m/b/c=true x/m/b/d=\"x\"");

    // To one level only: what is deeper stays.
    begin(json!({ "verb": "get", "address": format!("{moid}//?lv=1") })).await;
    let item = json!([{ "ClientURI": format!("{moid}/m/"), "MOData": { "m": { "b": {}, "e": 2 } } }]);
    second.send(device.data(DMMO, &item.to_string())).await;
    assert_eq!(known().await, "x/m/=null x/m/b=null x/m/b/c=true x/m/b/d=\"x\" x/m/e=2");

    // The instance is not named, but only one was ever seen.
    begin(json!({ "verb": "set", "address": format!("{moid}//e"), "value": 3 })).await;
    second.send(device.statuses(&[200])).await;
    begin(json!({ "verb": "delete", "address": format!("{moid}//b") })).await;
    second.send(device.statuses(&[200])).await;
    assert_eq!(known().await, "x/m/=null x/m/e=3");

    // A leaf as it is, and one that is empty.
    begin(json!({ "verb": "get", "address": format!("{moid}/m/f") })).await;
    second.send(device.data("text/plain", "plain")).await;
    begin(json!({ "verb": "get", "address": format!("{moid}/m/e") })).await;
    second.send(device.statuses(&[204])).await;
    assert_eq!(known().await, "x/m/=null x/m/e=\"\" x/m/f=\"plain\"");

    // What failed leaves everything as it was.
    begin(json!({ "verb": "delete", "address": format!("{moid}/m/") })).await;
    second.send(device.statuses(&[403])).await;
    assert_eq!(known().await, "x/m/=null x/m/e=\"\" x/m/f=\"plain\"");
    let part = server.items(&format!("/devices/IMEI:1/tree?at={moid}//e")).await;
    assert_eq!(part.len(), 1);
}

#[tokio::test]
async fn so_many_alerts_of_a_message_are_kept() {
    let server = TestServer::with(|config| config.device.max_alerts = 2).await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = server.connect().await;
    for (session, given) in [(1, 2), (2, 3)] {
        let alerts: Vec<_> =
            (0..given).map(|n| json!({ "AlertType": format!("urn:x:{session}:{n}") })).collect();
        let body = json!({ "Alert": alerts }).to_string();
        assert_eq!(connection.send(device.package1(body)).await.text(), END);
        let events = server.items("/events?device=IMEI:1").await;
        let kept = events.iter().filter(|event| event["body"]["session"] == session).count();
        assert_eq!(kept, 2, "of {given}");
        let trace = server.get(&format!("/devices/IMEI:1/sessions/{session}")).await;
        let notes = trace["messages"][0]["notes"].to_string();
        assert_eq!(notes.contains("beyond the first 2"), given > 2, "{notes}");
    }
}

#[tokio::test]
async fn devices_that_share_a_connection_are_told_apart() {
    let server = TestServer::start().await;
    let (one, two) = (server.enrol("IMEI:1").await, server.enrol("IMEI:2").await);
    assert_eq!(server.connect().await.send(one.package1(HELLO)).await.text(), END);
    let mut shared = server.connect().await;
    assert_eq!(shared.send(two.package1(HELLO)).await.text(), END);
    assert_eq!(shared.send(one.package1(HELLO)).await.text(), END);
    assert_eq!(server.items("/devices/IMEI:1/sessions").await.len(), 1, "a repetition, not a new session");
}

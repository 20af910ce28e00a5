//! Sessions of DM 1.x: the same commands of operators, said in SyncML.

use http::{HeaderValue, Method};
use serde_json::json;

use crate::harness::TestServer;
use crate::syncml::{Dm1Device, Proof, code_of, commands, results, status, statuses};

#[tokio::test]
async fn an_operator_reads_a_node_of_a_device_of_either_protocol() {
    let server = TestServer::start().await;
    for (id, wbxml, proof) in [
        ("IMEI:1", false, Proof::Mac),
        ("IMEI:2", true, Proof::Mac),
        ("IMEI:3", false, Proof::Digest),
        ("IMEI:4", true, Proof::Digest),
    ] {
        let mut device = Dm1Device::enrol(&server, id).await;
        (device.wbxml, device.proof) = (wbxml, proof);
        let get = json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//Man" });
        let command = device.queue(&server, get).await;
        let mut connection = server.connect().await;

        let answer = device.begin(&mut connection).await;
        assert_eq!(code_of(&answer, "0") / 10, if proof == Proof::Mac { 20 } else { 21 }, "{answer:?}");
        assert_eq!((code_of(&answer, "1"), code_of(&answer, "2")), (200, 200));
        let sent = commands(&answer);
        assert_eq!((sent[0].name.as_str(), sent[0].items[0].0.as_str()), ("Get", "./DevInfo/Man"));
        assert!(answer.is_final);
        assert_eq!(server.command(&command).await["state"], "sent");

        let (message, id) = (answer.header.message_id.parse().unwrap(), sent[0].id.as_str());
        let body = [
            status(1, message, "0", "SyncHdr", if proof == Proof::Mac { 200 } else { 212 }),
            status(2, message, id, "Get", 200),
            results(3, message, id, &[("./DevInfo/Man", "chr", Some("Acme"))]),
            "<Final/>".to_owned(),
        ];
        let end = device.send(&mut connection, &body.concat()).await;
        assert_eq!(commands(&end), []);
        assert!(end.is_final);

        let done = server.command(&command).await;
        assert_eq!((&done["state"], &done["status"]), (&json!("done"), &json!(200)), "{done}");
        let items = json!([{ "address": "urn:oma:mo:oma-dm-devinfo:1.0/DevInfo/Man", "value": "Acme" }]);
        assert_eq!(done["result"]["items"], items);

        let shown = server.get(&device.api("")).await;
        assert_eq!((&shown["protocol"], &shown["model"]), (&json!("dm1.2"), &json!("Probe")));
        assert_eq!(shown["inventory"][0]["roots"], json!(["./DevInfo"]));
        let tree = server.items(&device.api("/tree")).await;
        let addresses: Vec<_> = tree.iter().map(|node| node["address"].as_str().unwrap()).collect();
        assert!(addresses.contains(&"urn:oma:mo:oma-dm-devinfo:1.0/DevInfo/Lang"), "{addresses:?}");
        let lang = server.items(&device.api("/tree?at=urn:oma:mo:oma-dm-devinfo:1.2//Lang")).await;
        assert_eq!((lang.len(), &lang[0]["value"]), (1, &json!("en")));

        let trace = server.get(&device.api("/sessions/1")).await;
        let first = trace["messages"][0]["text"].as_str().unwrap();
        assert!(first.contains("<LocURI>./DevInfo/Man</LocURI>"), "{first}");
        let note = trace["messages"][0]["notes"][0].as_str().unwrap_or_default();
        assert_eq!(note.contains("WBXML"), wbxml, "{trace}");
    }
}

#[tokio::test]
async fn heads_that_are_wrong_get_their_status() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    device.message = 1;
    let mut connection = server.connect().await;
    let body = device.text(&device.hello("1201"));
    let mut send = async |change: &dyn Fn(&mut http::Request<http_body_util::Full<bytes::Bytes>>)| {
        let mut request = device.request(body.clone().into_bytes());
        change(&mut request);
        connection.send(request).await
    };
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = send(&|request| *request.method_mut() = method.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method}");
    }
    for (name, value, expected) in [
        ("content-type", "application/json", 415),
        ("content-encoding", "gzip", 415),
        ("accept", "text/html", 406),
        ("content-type", "text/xml", 200),
        ("content-type", "application/vnd.syncml+xml", 200),
        ("content-type", "application/vnd.syncml.dm+wbxml", 200),
    ] {
        let set = |request: &mut http::Request<_>| {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        assert_eq!(send(&set).await.status, expected, "{name}: {value}");
    }
    let none = |request: &mut http::Request<_>| drop(request.headers_mut().remove("content-type"));
    assert_eq!(send(&none).await.status, 415);
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let server = TestServer::with(|config| config.dm1.max_message = omadm_server::config::Size(4096)).await;
    let device = Dm1Device::enrol(&server, "IMEI:1").await;
    let mut connection = server.connect().await;
    for (body, expected) in [
        (String::new(), 400),
        ("<SyncML".to_owned(), 400),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><SyncML>&b;</SyncML>".to_owned(), 400),
        ("<a>".repeat(200), 400),
        (format!("<SyncML>{}</SyncML>", " ".repeat(4096)), 413),
        ("\u{3}\u{0}\u{7f}".to_owned(), 400),
        (device.text("<Final/>").replace("<MsgID>0<", "<MsgID>x<"), 400),
    ] {
        let answer = connection.send(device.request(body.clone().into_bytes())).await;
        assert_eq!(answer.status, expected, "{body:.60}: {}", answer.text());
    }
}

#[tokio::test]
async fn who_cannot_prove_it_is_challenged_and_leaves_no_trace() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let command = device.queue(&server, json!({ "verb": "delete", "address": "./A/B" })).await;
    let mut connection = server.connect().await;
    device.proof = Proof::None;
    let known = device.send(&mut connection, &device.hello("1201")).await;
    let (real, user) = (device.nonce.clone(), device.user.clone());
    device.user = "nobody-knows".to_owned();
    device.message = 0;
    let unknown = device.send(&mut connection, &device.hello("1201")).await;
    for answer in [&known, &unknown] {
        assert!(matches!(code_of(answer, "0"), 401 | 407), "{answer:?}");
        assert!(matches!(code_of(answer, "1"), 401 | 407) && commands(answer).is_empty());
        assert!(statuses(answer)[0].challenge.is_some() && answer.is_final);
    }
    assert!(!real.is_empty() && !device.nonce.is_empty());
    device.user = user;
    let shown = server.get(&device.api("")).await;
    assert_eq!((&shown["last_contact"], &shown["protocol"]), (&json!(null), &json!(null)));
    assert_eq!(server.items(&device.api("/sessions")).await.len(), 0);
    assert_eq!(server.command(&command).await["state"], "queued");
}

#[tokio::test]
async fn who_tries_secrets_has_to_wait() {
    let server = TestServer::with(|config| config.auth.user_failures = 3).await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let mut other = Dm1Device::enrol(&server, "IMEI:2").await;
    std::mem::swap(&mut device.user, &mut other.user);
    let mut connection = server.connect().await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        device.message += 1;
        device.session = format!("{:X}", 100 + device.message);
        let octets = device.octets(&device.hello("1201")).to_vec();
        let answer = connection.send(device.request(octets)).await;
        codes.push(answer.status.as_u16());
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty());
        }
    }
    assert!(codes.starts_with(&[200, 200, 200]) && codes.ends_with(&[429]), "{codes:?}");
    let security = server.items("/events").await;
    assert!(security.iter().any(|event| event["kind"] == "security"), "{security:?}");
}

#[tokio::test]
async fn a_repeated_message_gets_the_same_answer_and_has_no_second_effect() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let command = device.queue(&server, json!({ "verb": "exec", "address": "./A/Run" })).await;
    let mut connection = server.connect().await;
    let answer = device.begin(&mut connection).await;
    let sent = commands(&answer);
    assert_eq!(
        (sent[0].name.as_str(), server.command(&command).await["attempts"].as_u64()),
        ("Exec", Some(1))
    );
    let message: u32 = answer.header.message_id.parse().unwrap();
    device.message += 1;
    let body = format!(
        "{}{}<Alert><CmdID>3</CmdID><Data>1226</Data><Item><Meta><Type xmlns=\"syncml:metinf\">org.example.x</Type>\
         <Format xmlns=\"syncml:metinf\">chr</Format></Meta><Data>once</Data></Item></Alert><Final/>",
        status(1, message, "0", "SyncHdr", 200),
        status(2, message, &sent[0].id, "Exec", 200)
    );
    let octets = device.octets(&body);
    let first = connection.send(device.request(octets.clone())).await;
    let mut elsewhere = server.connect().await;
    let again = elsewhere.send(device.request(octets)).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(first.header("x-syncml-hmac"), again.header("x-syncml-hmac"));
    let events = server.items("/events?device=IMEI:1").await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "alert").count(), 1);
    assert_eq!(server.command(&command).await["state"], "done");
}

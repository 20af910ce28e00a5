//! Who is who in sessions of DM 1.x: several servers in one, proofs of both sides, and messages that are meant to harm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use omadm_auth::Secret;
use omadm_auth::dm1::{Hash, HmacHeader, Keys, Scheme};
use omadm_server::config::Endpoint;
use serde_json::json;
use tokio::net::UdpSocket;

use crate::harness::{Connection, TestServer};
use crate::syncml::{Dm1Device, Proof, Said, code_of, commands, read, status, statuses};

#[tokio::test]
async fn each_path_is_a_server_with_its_own_secret() {
    let endpoint = |path: &str, id: &str| Endpoint { path: path.into(), server_id: Some(id.into()) };
    let server = TestServer::with(|config| {
        config.dm1.endpoints = vec![endpoint("/dm", "one"), endpoint("/other/dm", "two")]
    })
    .await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let servers = device.server.as_array().unwrap().clone();
    assert_eq!(servers.len(), 2);
    assert_ne!(servers[0]["server_secret"], servers[1]["server_secret"]);
    let mut connection = server.connect().await;
    for (number, (path, id)) in [("/dm", "one"), ("/other/dm", "two")].into_iter().enumerate() {
        let told = &servers[number];
        assert_eq!(told["server_id"], id);
        assert_eq!(
            told["server_uri"],
            format!("{}{path}", server.running.device_uri.strip_suffix("/dm/2.0").unwrap())
        );
        device.path = path.into();
        device.message = 1;
        device.session = format!("{number}A");
        let octets = device.octets(&device.hello("1201"));
        let answer = connection.send(device.request(octets)).await;
        let message = device.heard(&answer);
        assert!(code_of(&message, "0") < 300, "{}", answer.text());
        let mac = HmacHeader::parse(answer.header("x-syncml-hmac")).expect("the server proves itself");
        let secret = Secret::new(told["server_secret"].as_str().unwrap().as_bytes().to_vec());
        let keys = Keys::of(id, &secret);
        assert_eq!((mac.user.as_str(), mac.hash), (id, Hash::Sha256));
        assert!(
            keys.check_mac(mac.hash, b"", &answer.body, &mac.mac).is_some(),
            "over the octets of the answer"
        );
        let other = Keys::of(id, &Secret::new(b"another".to_vec()));
        assert!(other.check_mac(mac.hash, b"", &answer.body, &mac.mac).is_none());
    }
}

#[tokio::test]
async fn weak_schemes_are_taken_only_by_name() {
    for (scheme, is_named) in
        [(Scheme::Md5, false), (Scheme::Md5, true), (Scheme::Basic, false), (Scheme::Basic, true)]
    {
        let server = TestServer::with(|config| {
            if is_named {
                config.dm1.schemes = vec![scheme];
            }
        })
        .await;
        let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
        (device.proof, device.hash) = (Proof::Digest, Hash::Md5);
        device.message = 1;
        let mut text = String::from_utf8(device.octets(&device.hello("1201"))).unwrap();
        if scheme == Scheme::Basic {
            let start = text.find("syncml:auth-md5").unwrap();
            let end = text[start..].find("</Cred>").unwrap() + start;
            let pair = STANDARD.encode(format!("{}:{}", device.user, device.secret));
            text.replace_range(start..end, &format!("syncml:auth-basic</Type></Meta><Data>{pair}</Data>"));
        }
        let answer = server.connect().await.send(device.request(text.into_bytes())).await;
        let code = code_of(&read(&answer.body), "0");
        assert_eq!(code < 300, is_named, "{scheme:?}: {code}");
    }
}

#[tokio::test]
async fn what_http_has_proved_need_not_be_proved_again() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let mut other = Dm1Device::enrol(&server, "IMEI:2").await;
    (device.proof, other.proof) = (Proof::None, Proof::None);
    let mut connection = server.connect().await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", device.user, device.secret)));
    let with = |device: &mut Dm1Device, basic: &str| {
        device.message += 1;
        let mut request = device.request(device.octets(&device.hello("1201")));
        request.headers_mut().insert("authorization", HeaderValue::from_str(basic).unwrap());
        request
    };
    let answer = connection.send(with(&mut device, &basic)).await;
    assert_eq!(code_of(&read(&answer.body), "0"), 212);
    assert_eq!(connection.send(with(&mut other, &basic)).await.status, 403, "but only of itself");
    let wrong = basic.replace("Basic ", "Basic QQ");
    assert_eq!(connection.send(with(&mut device, &wrong)).await.status, 401);
    let answer = connection.send(with(&mut other, "Bearer token-of-somebody")).await;
    assert_eq!(code_of(&read(&answer.body), "0"), 407, "a token of another kind says nothing");
}

#[tokio::test]
async fn a_session_answers_the_notification_with_its_number() {
    let server = TestServer::start().await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port());
    let push = server.api("PUT", &device.api("/push"), Some(json!({ "addresses": [address] }))).await;
    assert!(push.status.is_success(), "{}", push.text());
    device.queue(&server, json!({ "verb": "get", "address": "./DevInfo/Man" })).await;
    let mut octets = [0; 2048];
    assert!(socket.recv(&mut octets).await.unwrap() > 0);
    let sent = loop {
        let events = server.items("/events?device=IMEI:1").await;
        if let Some(event) = events.iter().find(|event| event["body"]["id"].is_u64()) {
            break event["body"]["id"].as_u64().unwrap();
        }
    };
    device.session = format!("{sent:X}");
    let mut connection = server.connect().await;
    let hello = device.hello("1200");
    let answer = device.send(&mut connection, &hello).await;
    assert!(code_of(&answer, "0") < 300);
    let events = server.items("/events?device=IMEI:1").await;
    let answered = events
        .iter()
        .find(|event| event["body"]["what"] == "answered")
        .unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!(answered["body"]["id"], sent);
}

/// A device in the middle of a session, with one command on its way.
async fn in_session(
    server: &TestServer,
    id: &str,
) -> (Dm1Device, Connection, omadm_codec::dm1::Message<'static>, String) {
    let mut device = Dm1Device::enrol(server, id).await;
    let command = device.queue(server, json!({ "verb": "get", "address": "./DevInfo/Man" })).await;
    let mut connection = server.connect().await;
    let answer = device.begin(&mut connection).await;
    assert_eq!(commands(&answer).len(), 1);
    (device, connection, answer, command)
}

#[tokio::test]
async fn messages_out_of_order_do_no_harm() {
    let server = TestServer::start().await;
    for (number, (message, session)) in [(1, "2A"), (7, "2A"), (2, "FFFF"), (2, "2A")].into_iter().enumerate()
    {
        let (mut device, mut connection, answer, command) =
            in_session(&server, &format!("IMEI:{number}")).await;
        let sent = commands(&answer);
        let body = Said::to(&answer).results(&sent[0], &[("./DevInfo/Man", "chr", Some("Acme"))]).end();
        device.message = message - 1;
        device.session = session.into();
        let reply = device.send(&mut connection, &body).await;
        assert!(reply.is_final, "{message} of {session}: {reply:?}");
        let state = server.command(&command).await["state"].clone();
        let goes_on = session == "2A" && message > 1;
        assert_eq!(state == "done", goes_on, "{message} of {session}: {state}");
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_passed_over() {
    let server = TestServer::start().await;
    let (mut device, mut connection, answer, command) = in_session(&server, "IMEI:1").await;
    let sent = commands(&answer);
    let mine: u32 = answer.header.message_id.parse().unwrap();
    let body = Said::to(&answer)
        .results(
            &sent[0],
            &[
                ("./DevInfo/Man", "chr", Some("Acme")),
                ("./A/../B", "chr", Some("x")),
                ("./A//C", "chr", Some("x")),
            ],
        )
        .and(&status(90, mine, "4711", "Get", 200))
        .and(&status(91, 4711, "1", "Get", 200))
        .and("<Get><CmdID/><Item><Target><LocURI>./A</LocURI></Target></Item></Get>")
        .and("<Mystery><CmdID/></Mystery>")
        .and("<Alert><CmdID/><Data>4711</Data></Alert>")
        .and(
            "<Alert><CmdID/><Data>1100</Data><Item><Data></Data></Item><Item><Data>boo</Data></Item></Alert>",
        )
        .end();
    let answer = device.send(&mut connection, &body).await;
    assert!(code_of(&answer, "0") < 300 && answer.is_final);
    assert_eq!(server.command(&command).await["state"], "done");
    let tree = server.items(&device.api("/tree")).await;
    assert!(
        tree.iter().all(|node| node["address"] != "./B" && !node["address"].as_str().unwrap().contains(".."))
    );
}

#[tokio::test]
async fn a_package_without_end_is_given_up() {
    let server = TestServer::with(|config| config.dm1.max_messages = 4).await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    let mut connection = server.connect().await;
    let hello = device.hello("1201").replace("<Final/>", "");
    let mut answer = device.send(&mut connection, &hello).await;
    for _ in 0..6 {
        if commands(&answer).iter().any(|sent| sent.name == "Alert 1223") {
            let sessions = server.items(&device.api("/sessions")).await;
            assert_eq!(sessions[0]["outcome"], "ended");
            return;
        }
        assert!(commands(&answer).iter().any(|sent| sent.name == "Alert 1222") && !answer.is_final);
        let sent = commands(&answer);
        let body = Said::to(&answer).status(&sent[0], 200).end().replace("<Final/>", "");
        answer = device.send(&mut connection, &body).await;
    }
    panic!("the server goes on for ever");
}

#[tokio::test]
async fn a_device_can_give_a_session_up() {
    let server = TestServer::start().await;
    let (mut device, mut connection, answer, command) = in_session(&server, "IMEI:1").await;
    let body = Said::to(&answer).and("<Alert><CmdID/><Data>1223</Data></Alert>").end();
    let end = device.send(&mut connection, &body).await;
    assert_eq!(commands(&end), []);
    let open = server.command(&command).await;
    assert_eq!(open["state"], "queued", "it runs again in the next session: {open}");
    let session = &server.items(&device.api("/sessions")).await[0];
    assert_eq!(session["outcome"], "ended");
}

#[tokio::test]
async fn versions_that_are_not_spoken_are_named() {
    use omadm_server::config::ProtocolVersion;
    let server = TestServer::with(|config| {
        config.dm1.versions = vec![ProtocolVersion(omadm_codec::dm1::Version::Dm12)];
    })
    .await;
    for (version, expected) in
        [("DM/1.2", 200), ("DM/1.1", 513), ("DM/1.3", 513), ("DM/2.0", 513), ("SyncML/1.2", 513)]
    {
        let mut device = Dm1Device::enrol(&server, &format!("IMEI:{}", version.replace('/', "-"))).await;
        device.version = version;
        let mut connection = server.connect().await;
        let hello = device.hello("1201");
        let answer = device.send(&mut connection, &hello).await;
        assert_eq!(code_of(&answer, "0"), expected, "{version}");
    }
}

#[tokio::test]
async fn a_device_is_challenged_in_the_way_that_it_knows() {
    let server =
        TestServer::with(|config| config.dm1.schemes = vec![Scheme::MacSha256, Scheme::Sha256, Scheme::Md5])
            .await;
    let mut device = Dm1Device::enrol(&server, "IMEI:1").await;
    (device.proof, device.hash) = (Proof::Digest, Hash::Md5);
    let mut connection = server.connect().await;
    assert_eq!(code_of(&device.begin(&mut connection).await, "0"), 212);
    for lost in [b"stale".to_vec(), Vec::new()] {
        device.nonce = lost;
        device.message = 0;
        device.session += "1";
        let hello = device.hello("1201");
        let challenge = device.send(&mut connection, &hello).await;
        assert_eq!(code_of(&challenge, "0"), 401);
        let asked = statuses(&challenge)[0].challenge.clone().unwrap();
        assert_eq!(
            asked.media_type.as_deref(),
            Some("syncml:auth-md5"),
            "not the first of the configuration"
        );
        let again = Said::to(&challenge).end().replace("<Final/>", &hello);
        assert_eq!(code_of(&device.send(&mut connection, &again).await, "0"), 212);
    }
}

#[tokio::test]
async fn an_operator_can_end_a_session() {
    let server = TestServer::start().await;
    let (mut device, mut connection, answer, command) = in_session(&server, "IMEI:1").await;
    let abort = device.api("/sessions/abort");
    let asked = server.api("POST", &abort, None).await;
    assert_eq!((asked.status, asked.json()), (202.try_into().unwrap(), json!({ "session": 1 })));
    let contact = server.get(&device.api("")).await["last_contact"].clone();
    let body = Said::to(&answer).end();
    let end = device.send(&mut connection, &body).await;
    assert_eq!(commands(&end).iter().map(|sent| sent.name.as_str()).collect::<Vec<_>>(), ["Alert 1223"]);
    assert!(end.is_final);
    assert_ne!(server.get(&device.api("")).await["last_contact"], contact, "only a message is a contact");
    assert_eq!(server.command(&command).await["state"], "queued", "it runs in the next session");
    let session = server.get(&device.api("/sessions/1")).await;
    assert_eq!(session["session"]["outcome"], "ended");
    assert!(session.to_string().contains("gives up the session: the operator"), "{session}");
    let events = server.items("/events?device=IMEI:1").await;
    assert!(events.iter().any(|event| event["body"]["outcome"] == "to be aborted"), "{events:?}");
    assert_eq!(server.api("POST", &abort, None).await.status, 409, "there is none any more");
    assert_eq!(server.api("POST", "/devices/IMEI%3A9/sessions/abort", None).await.status, 404);
}

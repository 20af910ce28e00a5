//! Package#0 and its ways to the device (`DM 2.0 §5.2.1, §7.1.1`, Appendix E).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::notification::{
    Choice, Connection, Ignored, NotificationConfig, Notifications, Wake, choose,
};
use omadm_client::{Outcome, Pushed};
use omadm_conformance::{Account, DeviceSetup, Pair, TestServer, proves};
use openssl::sha::sha256;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub(super) const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";
/// A device that does not come in this time will not come.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A server that notifies at once, and again soon.
pub(super) async fn eager() -> TestServer {
    TestServer::with(|config| {
        config.notifier.min_interval = omadm_server::config::Span::secs(0);
        config.notifier.retry_after = omadm_server::config::Span::secs(1);
    })
    .await
}

/// Tells the server how the device can be notified.
pub(super) async fn reach(server: &TestServer, device: &str, addresses: &[String]) {
    let body = json!({ "addresses": addresses });
    let reply = server.rest(Method::PUT, &format!("/devices/{device}/push"), Some(&body)).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
}

/// Has the operator notify the device by hand.
pub(super) async fn notify(server: &TestServer, device: &str) -> Value {
    let reply = server.rest(Method::POST, &format!("/devices/{device}/notify"), None).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

/// The next datagram.
pub(super) async fn datagram(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    let receiving = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer));
    let (length, _) = receiving.await.expect("a datagram in time").expect("a datagram");
    buffer[..length].to_vec()
}

/// A pair whose device is notified over UDP, and the socket that its pushes come to.
async fn over_udp() -> (Pair, UdpSocket) {
    let pair = Pair::of(eager().await, |setup| setup.client.always_send_mos = false).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let port = socket.local_addr().expect("an address").port();
    reach(&pair.server, &pair.name.device_id, &[format!("udp:127.0.0.1:{port}")]).await;
    (pair, socket)
}

/// The push header of E.1, and what it carries.
pub(super) fn package(push: &[u8]) -> &[u8] {
    let header = [0x06, 0x03, 0xd8, 0xaf, 0x87];
    assert_eq!(push[1..6], header, "after TID: Push, 3 octets, content type 0x58, application 0x07");
    &push[6..]
}

/// Options of a package, by number, read as 7.1.1 says.
fn options(package: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &package[2..];
    let mut number = 0;
    let mut options = Vec::new();
    while let [first, second, value @ ..] = rest {
        number += first >> 4;
        let length = usize::from(first & 0x0f) << 8 | usize::from(*second);
        options.push((number, value[..length].to_vec()));
        rest = &value[length..];
    }
    options
}

/// A leaf of the account on the device.
fn account_leaf(pair: &Pair, path: &[&str]) -> Vec<u8> {
    let server = omadm_mo::ServerId::parse("omadm").unwrap();
    let mut node = pair.device.client.device().tree().account(&server).unwrap();
    for name in path {
        node = node.child(name).unwrap();
    }
    match node.value().unwrap() {
        omadm_mo::Value::Bytes(octets) => octets.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_server_sends_package_0_as_the_standard_has_it() {
    proves!(
        "DM-PACK-002-S-M",
        "DM-PACK-003-S-M",
        "DM-PACK-004-S-M",
        "DM-PACK-005-S-M",
        "DM-PACK-007-S-M",
        "DM-PACK-008-S-M",
        "DM-PACK-009-S-M",
        "DM-PACK-010-S-M",
        "DM-SER-001-S-M",
        "DM-MEC-004-S-M",
        "D2-5.2.1-01",
        "D2-5.2.1.1-01",
        "D2-5.2.1.1-02",
        "D2-5.2.1.1-04",
        "D2-5.2.1.2-01",
        "D2-5.2.1.2-02",
        "D2-5.2.1.2-05",
        "D2-5.2.1.2-11",
        "D2-5.2.1.2-18",
        "D2-5.2.1.2-21",
        "D2-5.2.1.2-22",
        "D2-5.2.1.2-23",
        "D2-5.2.1.2-24",
        "D2-5.2.1.2-25",
        "D2-5.2.1.2-26",
        "D2-5.2.1.2-29",
        "D2-5.2.1.2-32",
        "D2-7.1.1-01",
        "D2-7.1.1-03",
        "D2-7.1.1.1-01",
        "D2-7.1.1.1-02",
        "D2-7.1.1.2-01",
        "D2-7.1.1.2-02",
        "D2-7.1.1.2-03",
        "D2-7.1.1.2-04",
        "D2-E.1-01",
        "D2-E.1-02",
        "D2-E.1-03",
        "D2-E.1-04",
        "D2-E.1-05"
    );
    let (pair, socket) = over_udp().await;
    let before = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    notify(&pair.server, &pair.name.device_id).await;
    let first = datagram(&socket).await;
    let octets = package(&first);
    assert_eq!(octets[..2], [0x22, 0x80], "VER 2, OC 5, RESERVED 0");
    let found = options(octets);
    let numbers: Vec<u8> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6]);
    assert_eq!(found[0].1, b"omadm");
    assert_eq!((found[1].1.len(), found[2].1.len(), found[4].1.len()), (2, 32, 0));
    let time = u64::from(u32::from_be_bytes(found[3].1.as_slice().try_into().unwrap()));
    assert!((before..before + 60).contains(&time), "{time}");

    let digest = found[2].1.clone();
    let at = octets.windows(32).position(|window| window == digest).unwrap();
    let mut zeroed = octets.to_vec();
    zeroed[at..at + 32].fill(0);
    let secret = account_leaf(&pair, &["Auth", "Noti", "Secret"]);
    let data = account_leaf(&pair, &["Auth", "Noti", "Data"]);
    assert_eq!(sha256(&[secret, zeroed, data].concat()).to_vec(), digest);

    notify(&pair.server, &pair.name.device_id).await;
    let second = options(package(&datagram(&socket).await))[1].1.clone();
    let number = |octets: &[u8]| u16::from_be_bytes(octets.try_into().unwrap());
    assert_eq!(number(&second), number(&found[1].1).wrapping_add(1));
}

#[tokio::test]
async fn the_server_says_which_connections_it_prefers() {
    proves!("DM-PACK-006-S-M", "D2-5.2.1.2-13", "D2-5.2.1.2-16");
    use omadm_server::config::PreferredConnection::{Any, Wlan};
    let server = TestServer::with(|config| config.notifier.connections = vec![Wlan, Any]).await;
    let pair = Pair::of(server, |_| {}).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    reach(&pair.server, &pair.name.device_id, &[format!("udp:127.0.0.1:{port}")]).await;
    notify(&pair.server, &pair.name.device_id).await;
    let push = datagram(&socket).await;
    assert!(options(package(&push)).contains(&(2, vec![2, 0])));
}

/// What the device makes of a push.
fn take(pair: &mut Pair, push: &[u8]) -> Result<Wake, Ignored> {
    Notifications::new(NotificationConfig::default()).push(pair.device.client.device_mut(), push).map(wake)
}

fn wake(pushed: Pushed) -> Wake {
    match pushed {
        Pushed::Wake(wake) => wake,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_wakes_the_device_which_does_it() {
    proves!(
        "DM-PACK-002-C-O",
        "DM-PACK-003-C-O",
        "DM-PACK-004-C-O",
        "DM-PACK-005-C-O",
        "DM-PACK-007-C-O",
        "DM-PACK-008-C-O",
        "DM-PACK-009-C-O",
        "DM-PACK-010-C-O",
        "DM-SER-001-C-M",
        "D2-5.2.1-02",
        "D2-5.2.1.1-05",
        "D2-5.2.1.2-03",
        "D2-5.2.1.2-04",
        "D2-5.2.1.2-31",
        "D2-7.1.1-02",
        "D2-12.4-06"
    );
    let (mut pair, socket) = over_udp().await;
    let id = pair.server.queue(&pair.name, &json!({ "verb": "get", "address": DEVINFO })).await;
    let push = datagram(&socket).await;
    let wake = take(&mut pair, &push).unwrap();
    assert!(wake.send_mos, "the server has no inventory yet");
    let report = pair.device.client.answer(&wake).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    assert_eq!(pair.server.command(&id).await["state"], "done");
    let device = pair.server.get(&format!("/devices/{}", pair.name.device_id)).await;
    assert!(device["inventory"].to_string().contains(omadm_mo::well_known::SESSION_INFO), "{device}");
    // Nothing waits any more, so nothing is due.
    let nothing_due = async {
        let path = format!("/devices/{}/push", pair.name.device_id);
        while !pair.server.get(&path).await["due"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, nothing_due).await.expect("notifying stops");
}

#[tokio::test]
async fn a_device_that_does_not_come_is_notified_again() {
    let (pair, socket) = over_udp().await;
    pair.server.queue(&pair.name, &json!({ "verb": "get", "address": DEVINFO })).await;
    let first = options(package(&datagram(&socket).await));
    let second = options(package(&datagram(&socket).await));
    assert_ne!(first[1], second[1], "another number: the device may have seen the first");
    assert_eq!(first[0], second[0]);
}

#[tokio::test]
async fn forged_and_repeated_notifications_are_ignored() {
    proves!(
        "D2-5.2.1.1-03",
        "D2-5.2.1.2-20",
        "D2-5.2.1.2-27",
        "D2-5.2.1.2-28",
        "D2-5.2.1.2-30",
        "D2-E.1.1-01",
        "D2-E.1.1-02"
    );
    let (mut pair, socket) = over_udp().await;
    notify(&pair.server, &pair.name.device_id).await;
    let push = datagram(&socket).await;
    for at in 6..push.len() {
        let mut forged = push.clone();
        forged[at] ^= 1;
        assert!(take(&mut pair, &forged).is_err(), "octet {at}");
    }
    for (at, what) in [(1, "another PDU"), (3, "another content type"), (5, "another application")] {
        let mut other = push.clone();
        other[at] ^= 1;
        assert!(take(&mut pair, &other).is_err(), "{what}");
    }
    let mut longer = push.clone();
    longer.push(0);
    assert!(take(&mut pair, &longer).is_err());
    // With another server's name, and without its digest.
    let options = options(package(&push));
    let write = |options: &[(u8, Vec<u8>)]| {
        let mut out = push[..6].to_vec();
        out.extend((0x2000 | u16::try_from(options.len()).unwrap() << 7).to_be_bytes());
        let mut last = 0;
        for (number, value) in options {
            out.extend((u16::from(number - last) << 12 | u16::try_from(value.len()).unwrap()).to_be_bytes());
            out.extend(value);
            last = *number;
        }
        out
    };
    assert_eq!(write(&options), push);
    let bare: Vec<_> = options.iter().filter(|(number, _)| *number != 4).cloned().collect();
    assert!(matches!(take(&mut pair, &write(&bare)), Err(Ignored::NoDigest(_))));
    let mut stranger = options.clone();
    stranger[0].1 = b"stranger".to_vec();
    assert!(matches!(take(&mut pair, &write(&stranger)), Err(Ignored::UnknownServer(_))));
    assert!(take(&mut pair, &push).is_ok(), "the true one");
    assert!(matches!(take(&mut pair, &push), Err(Ignored::Duplicate(_))), "once");
    pair.device = pair.device.killed_and_restarted();
    assert!(matches!(take(&mut pair, &push), Err(Ignored::Duplicate(_))), "also after a restart");

    notify(&pair.server, &pair.name.device_id).await;
    let next = datagram(&socket).await;
    let strict = NotificationConfig { max_age: Duration::ZERO, ..NotificationConfig::default() };
    let old = Notifications::new(strict).push(pair.device.client.device_mut(), &next);
    assert!(matches!(old, Err(Ignored::TooOld { .. })), "{old:?}");
}

#[tokio::test]
async fn short_messages_bring_notifications_too() {
    proves!("D2-E-02", "D2-E.1-06", "DM-MEC-004-C-O");
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sms", gateway.local_addr().unwrap());
    let server = TestServer::with(|config| {
        config.sms.gateway = omadm_server::config::SmsGateway::Http;
        config.sms.url = Some(url);
    })
    .await;
    let mut pair = Pair::of(server, |_| {}).await;
    reach(&pair.server, &pair.name.device_id, &["sms:+46708251358".to_owned()]).await;
    let serving = request(&gateway, "{}");
    let ((_, body), notified) = tokio::join!(serving, notify(&pair.server, &pair.name.device_id));
    assert_eq!(notified["via"], "sms:+46708251358");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["to"], &body["udh"]), (&json!("+46708251358"), &json!("0605040b8423f0")));
    // What the service centre makes of it: SMS-DELIVER with the same user data.
    let user_data = format!("{}{}", body["udh"].as_str().unwrap(), body["data"].as_str().unwrap());
    assert!(body["pdu"].as_str().unwrap().ends_with(&user_data));
    let tpdu = format!("440B916407281553F8000462112111430500{:02X}{user_data}", user_data.len() / 2);
    let octets: Vec<u8> = tpdu
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let mut notifications = Notifications::new(NotificationConfig::default());
    let whole = notifications.short_message(pair.device.client.device_mut(), &octets).unwrap().unwrap();
    assert_eq!(wake(whole).id.map(u64::from), notified["id"].as_u64());
}

/// Serves one HTTP request and gives its head and body.
async fn request(listener: &TcpListener, answer: &str) -> (String, Vec<u8>) {
    request_answered(listener, "200 OK", answer).await
}

async fn request_answered(listener: &TcpListener, status: &str, answer: &str) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "a whole head: {head}");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    let reply =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len());
    let mut stream: TcpStream = stream.into_inner();
    stream.write_all(reply.as_bytes()).await.unwrap();
    (head, body)
}

#[tokio::test]
async fn cloud_messages_bring_notifications_too() {
    proves!(
        "DM-MEC-003-C-O",
        "DM-MEC-005-C-O",
        "DM-MEC-004-S-O",
        "D2-E-01",
        "D2-E.2-01",
        "D2-E.2.2-01",
        "D2-E.2.2-03",
        "D2-E.2.2-04",
        "D2-E.2.2-05",
        "D2-E.2.2-06",
        "D2-E.2.2-07",
        "D2-E.2.3-01",
        "D2-E.2.3-02",
        "D2-E.2.3-03",
        "D2-E.2.3-04",
        "D2-E.2.3-05",
        "D2-E.2.3-06",
        "D2-E.2.4-01",
        "D2-E.2.4-02",
        "D2-E.2.4-03"
    );
    use omadm_server::config::CloudService::{Fcm, Gcm};
    for (service, token) in [(Gcm, "authorization: key=the token"), (Fcm, "authorization: bearer the token")]
    {
        let google = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/send", google.local_addr().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("token");
        std::fs::write(&token_file, "the token\n").unwrap();
        let server = TestServer::with(|config| {
            config.cloud.service = service;
            config.cloud.url = Some(url);
            config.cloud.token_file = Some(token_file);
            config.cloud.sender_id = Some("42".into());
            config.cloud.parameters = Some("tenant=1".into());
        })
        .await;
        let mut pair = Pair::of(server, |_| {}).await;
        let us = omadm_mo::ServerId::parse("omadm").unwrap();
        let path = format!("/devices/{}/push", pair.name.device_id);
        assert_eq!(pair.device.client.sender_id(&us).as_deref(), Some("42"));
        pair.device.client.register_push(&us, "the registration").await.unwrap();
        assert_eq!(pair.server.get(&path).await["registration"], "the registration");

        let answer = match service {
            Gcm => r#"{"multicast_id":1,"success":1,"failure":0,"results":[{"message_id":"1:2"}]}"#,
            _ => r#"{"name":"projects/p/messages/1"}"#,
        };
        let serving = request(&google, answer);
        let ((head, body), notified) = tokio::join!(serving, notify(&pair.server, &pair.name.device_id));
        assert!(head.to_ascii_lowercase().contains(token), "{head}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        let (to, data) = match service {
            Gcm => (&body["registration_ids"][0], &body["data"]),
            _ => (&body["message"]["token"], &body["message"]["data"]),
        };
        assert_eq!(to, "the registration");
        let octets = STANDARD.decode(data["SMS"].as_str().unwrap()).unwrap();
        assert_eq!(octets[0] >> 4, 2);
        let notifications = Notifications::new(NotificationConfig::default());
        let data = data.to_string();
        let wake =
            notifications.cloud_message(pair.device.client.device_mut(), data.as_bytes()).map(wake).unwrap();
        assert_eq!(wake.id.map(u64::from), notified["id"].as_u64());

        pair.device.client.unregister_push(&us, "the registration").await.unwrap();
        assert!(pair.server.get(&path).await["registration"].is_null());
    }
}

#[tokio::test]
async fn a_registration_that_is_gone_is_forgotten() {
    let google = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/send", google.local_addr().unwrap());
    let server = TestServer::with(|config| {
        config.cloud.service = omadm_server::config::CloudService::Fcm;
        config.cloud.url = Some(url);
    })
    .await;
    let device = server.enrol(omadm_conformance::DEVICE_ID).await;
    let authorization = device.authorization();
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-www-form-urlencoded;charset=UTF-8"),
    ];
    assert_eq!(device.send(Method::POST, "/push/register", &headers, b"RegId=gone").await.status, 204);
    let path = format!("/devices/{}/notify", device.device_id);
    let answer = r#"{"error":{"code":404,"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}"#;
    let serving = request_answered(&google, "404 Not Found", answer);
    let (_, refused) = tokio::join!(serving, server.rest(Method::POST, &path, None));
    assert_eq!(refused.status, 502);
    let said = refused.json()["detail"].to_string();
    assert!(said.contains("UNREGISTERED"), "{said}");
    let push = server.get(&format!("/devices/{}/push", device.device_id)).await;
    assert!(push["registration"].is_null(), "{push}");
    let again = server.rest(Method::POST, &path, None).await;
    assert_eq!(again.status, 409, "there is no way any more");
}

#[tokio::test]
async fn registrations_need_credentials_and_a_reg_id() {
    let (server, mut device) = TestServer::with_device().await;
    let form = "application/x-www-form-urlencoded;charset=UTF-8";
    let post = |authorization: String, content_type: &'static str, body: &'static [u8]| {
        let device = device.clone();
        async move {
            let headers = [("authorization", authorization.as_str()), ("content-type", content_type)];
            device.send(Method::POST, "/push/register", &headers, body).await.status
        }
    };
    let good = device.authorization();
    assert_eq!(post(good.clone(), form, b"RegId=a%20b&tenant=1").await, 204);
    assert_eq!(post(good.clone(), "application/x-www-form-urlencoded", b"tenant=1&regid=c").await, 204);
    assert_eq!(post(good.clone(), form, b"tenant=1").await, 400);
    assert_eq!(post(good, "text/plain", b"RegId=a").await, 415);
    device.credentials.1 = "wrong wrong wrong wrong".into();
    let headers = [("authorization", device.authorization()), ("content-type", form.to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(device.send(Method::POST, "/push/register", &headers, b"RegId=x").await.status, 401);
    let push = server.get(&format!("/devices/{}/push", device.device_id)).await;
    assert_eq!(push["registration"], "c");
}

/// A push of these options, without digest.
fn push_of(version: u16, count: u16, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = vec![0x01, 0x06, 0x03, 0xd8, 0xaf, 0x87];
    out.extend((version << 12 | count << 7).to_be_bytes());
    let mut last = 0;
    for (number, value) in options {
        out.extend(((number - last) << 12 | u16::try_from(value.len()).unwrap()).to_be_bytes());
        out.extend(*value);
        last = *number;
    }
    out
}

#[tokio::test]
async fn an_account_without_secret_takes_what_has_no_digest() {
    proves!(
        "DM-PACK-006-C-O",
        "D2-5.2.1.2-06",
        "D2-5.2.1.2-07",
        "D2-5.2.1.2-08",
        "D2-5.2.1.2-09",
        "D2-5.2.1.2-10",
        "D2-5.2.1.2-12",
        "D2-5.2.1.2-14",
        "D2-5.2.1.2-15",
        "D2-5.2.1.2-17",
        "D2-5.2.1.2-19"
    );
    let account = Account::new("s1", "https://localhost:1/dm");
    let mut device = DeviceSetup::new([account], None).open();
    let notifications = Notifications::new(NotificationConfig::default());
    let mut take = |push: &[u8]| notifications.push(device.client.device_mut(), push).map(wake);
    let named: (u16, &[u8]) = (1, b"s1");
    let wake = take(&push_of(2, 4, &[named, (2, &[2, 1]), (3, &[1, 2]), (6, &[])])).unwrap();
    assert_eq!((wake.server.as_str(), wake.id, wake.send_mos), ("s1", Some(258), true));
    assert_eq!(
        choose(&wake.connections, &[Connection::Cellular, Connection::Wlan]),
        Choice::Use(Connection::Wlan)
    );
    assert_eq!(choose(&wake.connections, &[Connection::Wireline]), Choice::Wait);
    let any = take(&push_of(2, 2, &[named, (2, &[2, 0])])).unwrap();
    assert_eq!(choose(&any.connections, &[Connection::Wireline]), Choice::Any);
    let nameless = take(&push_of(2, 1, &[(6, &[])])).unwrap();
    assert_eq!((nameless.server.as_str(), nameless.id), ("s1", None), "there is one account only");
    assert!(take(&push_of(2, 2, &[named, (9, b"x")])).is_ok(), "an option of another version");
    assert!(matches!(take(&push_of(2, 2, &[named, (4, &[0; 32])])), Err(Ignored::NoSecret(_))));
    let future = (std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 1_000).to_be_bytes();
    assert!(matches!(take(&push_of(2, 2, &[named, (5, &future)])), Err(Ignored::FromTheFuture { .. })));
    for (version, count, options) in [
        (1, 1, &[named][..]),
        (3, 1, &[named]),
        (2, 2, &[named]),
        (2, 0, &[named]),
        (2, 2, &[named, (3, &[1])]),
        (2, 2, &[named, (6, &[1])]),
        (2, 1, &[(1, &[0xff])]),
    ] {
        let outcome = take(&push_of(version, count, options));
        assert!(matches!(outcome, Err(Ignored::Malformed(_))), "{version} {count} {options:?}: {outcome:?}");
    }
}

//! Bootstraps of DM 1.x: made by operators, pushed, and fetched by devices.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_auth::Secret;
use omadm_auth::bootstrap::{BootstrapError, Imsi, NetworkSecret, Pin, Secrets};
use omadm_auth::dm1::Scheme;
use omadm_codec::provisioning::ProvisioningDocument;
use omadm_codec::{Leniency, Limits};
use omadm_session::dm1::bootstrap::{
    Account, AuthLevel, AuthType, ContentType, DmAcc, INBOX, Message, Provisioning,
};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::harness::{DMMO, Device, TestServer};

const WBXML: &str = "application/vnd.syncml.dm+wbxml";
const ID: &str = "IMEI:493005100592800";
const IMSI: &str = "240011234567890";
const ACL: &str = "Delete=omadm&Get=omadm&Replace=omadm";

/// A server that also speaks to devices of DM 1.2.
async fn server() -> TestServer {
    TestServer::with(|config| {
        config.dm1.schemes.push(Scheme::Md5);
        config.bootstrap.dm1 = true;
    })
    .await
}

/// A request for a bootstrap.
fn wish(profile: &str, device: Value, dm1: Value) -> Value {
    let mut target = json!({ "id": ID, "replace": true });
    target.as_object_mut().unwrap().extend(device.as_object().unwrap().clone());
    json!({ "device": target, "profile": profile, "dm1": dm1 })
}

async fn make(server: &TestServer, wish: Value) -> Value {
    let answer = server.api("POST", "/bootstrap", Some(wish.clone())).await;
    assert_eq!(answer.status, 201, "{wish}: {}", answer.text());
    answer.json()["dm1"].clone()
}

fn octets(made: &Value) -> Vec<u8> {
    STANDARD.decode(made["content_base64"].as_str().unwrap()).unwrap()
}

fn content(made: &Value) -> ContentType {
    ContentType::parse(made["content_type"].as_str().unwrap()).unwrap()
}

fn of_document(octets: &[u8]) -> Account {
    let document =
        ProvisioningDocument::from_wbxml(octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    one(Provisioning::of_document(&document).unwrap().accounts)
}

fn of_message(octets: &[u8]) -> Account {
    let message = Message::read(octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    assert_eq!((message.device.as_str(), message.additions.len()), (ID, 1));
    assert_eq!(message.additions[0].target, INBOX);
    one(Account::all_of(&message.additions[0].document).unwrap())
}

fn one(accounts: Vec<Account>) -> Account {
    let [account] = <[Account; 1]>::try_from(accounts).unwrap();
    account
}

fn secrets(pin: Option<&str>, imsi: Option<&str>) -> Secrets {
    let imsi = imsi.map(|imsi| Imsi::parse(imsi).unwrap());
    Secrets { pin: pin.map(|pin| Pin::parse(pin).unwrap()), network: NetworkSecret::new(None, imsi).unwrap() }
}

#[tokio::test]
async fn an_account_says_all_that_a_device_needs() {
    let server = server().await;
    for (profile, version, scheme) in [
        ("cp", "1.3", AuthType::HMAC_SHA256),
        ("cp", "1.2", AuthType::DIGEST),
        ("dm", "1.3", AuthType::HMAC_SHA256),
        ("dm", "1.2", AuthType::DIGEST),
    ] {
        let made = make(&server, wish(profile, json!({}), json!({ "version": version }))).await;
        let octets = octets(&made);
        let account = if profile == "cp" { of_document(&octets) } else { of_message(&octets) };
        assert_eq!((account.server_id.as_str(), account.name.as_deref()), ("omadm", Some("omadm")));
        assert!(account.addresses[0].address.ends_with("/dm"), "{account:?}");
        assert_eq!(account.acl.as_deref(), Some(ACL));
        assert_eq!(account.init, profile == "cp");
        let [client, own] = &account.credentials[..] else { panic!("{account:?}") };
        assert_eq!((client.level, own.level), (AuthLevel::Client, AuthLevel::Server));
        assert_eq!((&client.auth_type, &own.auth_type), (&scheme, &scheme));
        assert_eq!(
            (client.name.as_deref(), own.name.as_deref()),
            (Some("IMEI-493005100592800"), Some("omadm"))
        );
        let length = |secret: &Option<Secret>| secret.as_ref().unwrap().expose().len();
        assert_eq!((length(&client.nonce), length(&own.nonce)), (16, 16));
        assert_ne!(client.nonce, own.nonce);
        assert!(length(&client.secret) >= 22 && length(&own.secret) >= 22, "128 bits at least");
        assert_ne!(client.secret, own.secret);
        assert!(!made["content_type"].as_str().unwrap().contains("SEC"), "{made}");
        assert_eq!((&made["pin"], &made["sent"]), (&Value::Null, &Value::Null));
    }
    let moid = |made: &Value| {
        let message = Message::read(&octets(made), &Limits::default(), &mut Leniency::strict()).unwrap();
        message.additions[0].document.nodes[0].kind.clone()
    };
    for (version, object) in [("1.2", DmAcc::V1_0), ("1.3", DmAcc::V1_1)] {
        let made = make(&server, wish("dm", json!({}), json!({ "version": version }))).await;
        assert!(format!("{:?}", moid(&made)).contains(object.moid()));
    }
}

#[tokio::test]
async fn an_operator_says_rights_network_and_form() {
    let server = server().await;
    let made = make(&server, wish("dm", json!({}), json!({ "acl": "Get=*&Replace=omadm" }))).await;
    assert_eq!(of_message(&octets(&made)).acl.as_deref(), Some("Get=*&Replace=omadm"));
    let terms = json!({ "apn": "dm.op", "init": false, "encoding": "xml", "scheme": "sha256" });
    let made = make(&server, wish("cp", json!({}), terms)).await;
    assert_eq!(made["content_type"], "text/vnd.wap.connectivity-xml");
    let document = ProvisioningDocument::from_xml(&octets(&made), &Limits::default()).unwrap();
    let read = Provisioning::of_document(&document).unwrap();
    let account = &read.accounts[0];
    assert_eq!((account.connections.as_slice(), account.init), (&["N1".to_owned()][..], false));
    assert_eq!(read.networks[0].address.as_deref(), Some("dm.op"));
    assert_eq!(account.credentials[0].auth_type, AuthType::SHA256);
}

#[tokio::test]
async fn each_way_to_secure_it_is_verified() {
    let server = server().await;
    let imsi = json!({ "imsi": IMSI });
    let pin = json!({ "pin": "12345" });
    let both = json!({ "imsi": IMSI, "pin": "12345" });
    for (profile, sec, given, version, digits) in [
        ("cp", "NETWPIN", &imsi, "1.2", Some(40)),
        ("cp", "USERPIN", &pin, "1.3", Some(40)),
        ("cp", "USERNETWPIN", &both, "1.2", Some(40)),
        ("cp", "USERPINMAC", &pin, "1.2", None),
        ("dm", "NETWORKID", &imsi, "1.2", Some(40)),
        ("dm", "NETWORKID", &imsi, "1.3", Some(64)),
        ("dm", "USERPIN", &pin, "1.3", Some(64)),
        ("dm", "USERPIN_NETWORKID", &both, "1.3", Some(64)),
    ] {
        let made =
            make(&server, wish(profile, given.clone(), json!({ "sec": sec, "version": version }))).await;
        let content = content(&made);
        assert_eq!(content.mac.as_ref().map(String::len), digits, "{sec}");
        let told = made["pin"].as_str();
        assert_eq!(told.is_some(), sec.contains("PIN") && sec != "NETWPIN", "{sec}");
        let secrets = |imsi| secrets(told, given.get("imsi").map(|_| imsi));
        let claim = content.claim().unwrap();
        assert_eq!(claim.verify(&secrets(IMSI), &octets(&made), version == "1.2"), Ok(()), "{sec}");
        let mut changed = octets(&made);
        *changed.last_mut().unwrap() ^= 0x40;
        assert_eq!(claim.verify(&secrets(IMSI), &changed, true), Err(BootstrapError::Wrong), "{sec}");
    }
    let gba = json!({ "transaction": "run", "ks_naf_base64": STANDARD.encode([7; 32]) });
    let mut new = wish("dm", json!({}), json!({ "sec": "3GPP_GBA" }));
    new["gba"] = gba;
    let made = make(&server, new).await;
    let keys = omadm_auth::gba::NafKey::new([7; 32]).bootstrap_keys();
    let opened = omadm_auth::gba::Protected::read(&octets(&made)).unwrap().open(&keys).unwrap();
    assert_eq!(of_message(opened.expose()).server_id, "omadm");
}

#[tokio::test]
async fn a_pin_is_made_shown_once_and_kept_nowhere() {
    let server = server().await;
    let first = make(&server, wish("dm", json!({}), json!({ "sec": "USERPIN" }))).await;
    let second = make(&server, wish("dm", json!({}), json!({ "sec": "USERPIN" }))).await;
    let pin = first["pin"].as_str().unwrap();
    assert!(pin.len() == 8 && pin.bytes().all(|digit| digit.is_ascii_digit()), "{pin}");
    assert_ne!(first["pin"], second["pin"]);
    let events = server.get("/events").await.to_string();
    assert!(events.contains("bootstrap made") && events.contains("USERPIN"), "{events}");
    assert!(!events.contains(pin), "{events}");
    for entry in std::fs::read_dir(server.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(octets) = std::fs::read(&path) else { continue };
        assert!(!octets.windows(8).any(|part| part == pin.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_reason() {
    let server = TestServer::start().await;
    let cases = [
        ("dm", json!({ "pin": "123" }), json!({ "sec": "USERPIN" }), "4 to 32"),
        ("cp", json!({ "pin": "1234" }), json!({ "sec": "USERPINMAC" }), "5 to 16"),
        ("dm", json!({ "pin": "1".repeat(33) }), json!({ "sec": "USERPIN" }), "4 to 32"),
        ("dm", json!({ "imsi": "24001123456789x" }), json!({ "sec": "NETWORKID" }), "6 to 15"),
        ("dm", json!({ "imsi": "2".repeat(16) }), json!({ "sec": "NETWORKID" }), "6 to 15"),
        ("dm", json!({}), json!({ "sec": "NETWORKID" }), "IMSI"),
        (
            "dm",
            json!({ "network_secret_base64": STANDARD.encode([1; 65]) }),
            json!({ "sec": "NETWORKID" }),
            "64",
        ),
        ("dm", json!({ "pin": "1234" }), json!({}), "without sec"),
        ("dm", json!({ "pin": "1234" }), json!({ "sec": "NETWORKID" }), "of no use"),
        ("dm", json!({}), json!({ "sec": "NETWPIN" }), "NETWORKID"),
        ("dm", json!({}), json!({ "sec": "3GPP_GBA" }), "gba"),
        ("cp", json!({}), json!({ "acl": "Get=*" }), "acl"),
        ("cp", json!({}), json!({ "apn": "a\u{7}b" }), "apn"),
        ("cp", json!({}), json!({ "hash": "sha256", "sec": "USERPIN" }), "SHA-1"),
        ("cp", json!({}), json!({ "encoding": "xml", "sec": "USERPIN" }), "WBXML"),
        ("dm", json!({}), json!({ "apn": "a" }), "apn"),
        ("dm", json!({}), json!({ "acl": "Fly=omadm" }), "acl"),
        ("dm", json!({}), json!({ "version": "1.4" }), "version"),
        ("dm", json!({}), json!({ "version": "1.2" }), "dm1.schemes"),
        ("dm", json!({}), json!({ "scheme": "md5" }), "md5"),
        ("dm", json!({}), json!({ "server_id": "other" }), "server_id"),
        ("dm2", json!({}), json!({}), "cp and dm"),
    ];
    for (profile, device, dm1, reason) in cases {
        let body = wish(profile, device, dm1);
        let answer = server.api("POST", "/bootstrap", Some(body.clone())).await;
        assert!(matches!(answer.status.as_u16(), 400 | 409), "{body}: {}", answer.text());
        assert!(answer.text().contains(reason), "{body}: {}", answer.text());
    }
    let mut named = wish("dm", json!({}), json!({}));
    named["name"] = "a\u{0}b".into();
    let answer = server.api("POST", "/bootstrap", Some(named)).await;
    assert!(answer.status == 400 && answer.text().contains("control character"), "{}", answer.text());
    let mut unsecured = wish("dm", json!({}), json!({}));
    unsecured["to"] = "udp:127.0.0.1:2948".into();
    let answer = server.api("POST", "/bootstrap", Some(unsecured)).await;
    assert!(answer.status == 400 && answer.text().contains("sec"), "{}", answer.text());
    let mut long = wish("cp", json!({}), json!({ "sec": "USERPIN" }));
    (long["to"], long["name"]) = ("udp:127.0.0.1:9".into(), "x".repeat(16 << 10).into());
    let answer = server.api("POST", "/bootstrap", Some(long)).await;
    assert!(answer.status == 400 && answer.text().contains("16384 at most"), "{}", answer.text());
    assert_eq!(server.items("/devices").await.len(), 0, "nothing was enrolled");
}

#[tokio::test]
async fn a_batch_has_one_for_each() {
    let server = server().await;
    let devices: Vec<_> =
        (0..3).map(|n| json!({ "id": format!("SIM:{n}"), "imsi": format!("24001000000000{n}") })).collect();
    let batch = json!({ "devices": devices, "profile": "cp", "dm1": { "sec": "NETWPIN" } });
    let answer = server.api("POST", "/bootstrap/batch", Some(batch)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    for (n, item) in answer.json()["items"].as_array().unwrap().iter().enumerate() {
        let made = &item["dm1"];
        let secrets = secrets(None, Some(&format!("24001000000000{n}")));
        assert_eq!(content(made).claim().unwrap().verify(&secrets, &octets(made), false), Ok(()));
        assert!(item["bootstrap"].is_null() && item["id"] == format!("SIM:{n}"));
    }
    let made = server.get("/events").await.to_string().matches("bootstrap made").count();
    assert_eq!(made, 3);
}

#[tokio::test]
async fn one_that_is_pushed_is_shown_to_nobody() {
    let server = server().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut new = wish("cp", json!({ "imsi": IMSI }), json!({ "sec": "NETWPIN" }));
    new["to"] = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port()).into();
    let made = make(&server, new).await;
    assert!(made["content_base64"].is_null() && made["sent"].is_string(), "{made}");
    let mut datagram = vec![0; 65_536];
    let length = socket.recv(&mut datagram).await.unwrap();
    let push = omadm_codec::wsp::Push::decode(&datagram[..length], &Limits::default()).unwrap();
    assert!(push.headers.is_empty(), "the media type says where it goes");
    let content = ContentType::parse(&push.media.as_http().unwrap()).unwrap();
    assert_eq!(content, self::content(&made));
    assert_eq!(content.claim().unwrap().verify(&secrets(None, Some(IMSI)), push.body, false), Ok(()));
    assert_eq!(of_document(push.body).server_id, "omadm");
    let events = server.get("/events").await.to_string();
    assert!(events.contains("bootstrap sent") && events.contains("NETWPIN"), "{events}");
}

/// A device that fetches its bootstrap.
async fn fetch(server: &TestServer, device: &Device, accept: &str) -> crate::harness::Answer {
    let mut request = device.request(Method::GET, "/bootstrap", None, "");
    request.headers_mut().insert("accept", accept.parse().unwrap());
    server.connect().await.send(request).await
}

#[tokio::test]
async fn a_device_fetches_what_it_accepts() {
    let server = TestServer::with(|config| {
        config.bootstrap.dm1 = true;
        config.bootstrap.moids = vec!["*".to_owned()];
    })
    .await;
    let device = server.enrol(ID).await;
    for (accept, media_type) in [
        (WBXML, WBXML),
        (DMMO, DMMO),
        ("*/*", DMMO),
        ("application/dmmo+json;q=0.4, application/vnd.syncml.dm+wbxml", WBXML),
    ] {
        let answer = fetch(&server, &device, accept).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, media_type), "{accept}");
        assert_eq!(answer.header("cache-control"), "no-store");
        if media_type == WBXML {
            let account = of_message(&answer.body);
            let secret = account.credentials[0].secret.as_ref().unwrap();
            assert_eq!(secret.expose(), device.secret.as_bytes());
        }
    }
    let events = server.get("/events").await.to_string();
    assert!(events.contains(r#""profile":"dm""#) && events.contains("bootstrap fetched"), "{events}");
    assert_eq!(fetch(&server, &device, "text/plain").await.status, 406);
    let stranger = Device { secret: "x".repeat(20), ..device.clone() };
    assert_eq!(fetch(&server, &stranger, WBXML).await.status, 401);
}

#[tokio::test]
async fn only_what_is_configured_can_be_fetched() {
    let server = TestServer::with(|config| config.bootstrap.dm1 = true).await;
    let device = server.enrol(ID).await;
    let answer = fetch(&server, &device, "*/*").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, WBXML));
    assert_eq!(fetch(&server, &device, DMMO).await.status, 406);
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    assert_eq!(fetch(&server, &device, WBXML).await.status, 404);
    let server = TestServer::with(|config| {
        config.bootstrap.dm1 = true;
        config.dm1.enabled = false;
    })
    .await;
    let device = server.enrol(ID).await;
    assert_eq!(fetch(&server, &device, WBXML).await.status, 404);
}

#[tokio::test]
async fn how_far_a_bootstrap_has_come_is_told() {
    let server = server().await;
    let path = format!("/bootstrap/{ID}");
    assert_eq!(server.api("GET", &path, None).await.status, 404);
    make(&server, wish("dm", json!({}), json!({}))).await;
    let shown = server.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["profile"], &shown["sec"]),
        (&json!("created"), &json!("dm"), &Value::Null)
    );
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut new = wish("cp", json!({}), json!({ "sec": "USERPIN" }));
    new["to"] = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port()).into();
    make(&server, new).await;
    let shown = server.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["sent"], &shown["sec"]),
        (&json!("sent"), &json!(1), &json!("USERPIN"))
    );
    let enrolled = server.api("POST", "/devices", Some(json!({ "id": ID, "replace": true }))).await.json();
    let text = |name: &str| enrolled[name].as_str().unwrap().to_owned();
    let device = Device { id: ID.to_owned(), user: text("user"), secret: text("secret") };
    assert_eq!(server.get(&path).await["state"], "created", "what was before does not count");
    assert_eq!(fetch(&server, &device, WBXML).await.status, 200);
    assert_eq!(server.get(&path).await["state"], "fetched");
    let hello = server.connect().await.send(device.package1(crate::harness::HELLO)).await;
    assert_eq!(hello.status, 200);
    let shown = server.get(&path).await;
    assert!(shown["state"] == "seen" && shown["last_contact"].is_string(), "{shown}");
    server.api("DELETE", &path, None).await;
    assert_eq!(server.get(&path).await["state"], "revoked");
}

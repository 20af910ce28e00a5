//! The server's part in bootstrapping: devices fetch their account (`DM 2.0 §8.3`), or it is sent to them (`§8.4, §9.3`).

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::{
    Always, BasicCredentials, BootstrapSource, ClientError, GbaError, GbaPush, NafKey, Origin, Received,
    Secret, TransportError,
};
use omadm_conformance::{
    Answer, Authority, DEVICE_ID, DeviceSetup, Flaw, MOID, ScriptDevice, ScriptServer, TestDevice,
    TestServer, proves,
};
use omadm_mo::well_known::DMACC;
use omadm_mo::{ServerId, ServerUri};
use omadm_server::config::ClientCertificates;
use openssl::ssl::SslVerifyMode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::sec_9_security::ended;

const COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";
const MO_DATA: &str = "application/dmmo+json";

/// A server that serves bootstraps.
async fn bootstrap_server() -> TestServer {
    TestServer::with(|config| config.bootstrap.moids = vec![MOID.to_owned()]).await
}

/// Enrols the device and gives its user name and secret.
async fn enrol(server: &TestServer, psk: bool) -> BasicCredentials {
    let new = json!({ "id": DEVICE_ID, "psk": psk, "replace": true });
    let enrolled = server.rest(Method::POST, "/devices", Some(&new)).await.json();
    let text = |member: &str| enrolled[member].as_str().unwrap().to_owned();
    BasicCredentials { user: text("user"), password: Secret::new(text("secret").into_bytes()) }
}

/// The same device for requests of the test's own.
fn by_hand(server: &TestServer, credentials: &BasicCredentials) -> ScriptDevice {
    let password = String::from_utf8(credentials.password.expose().to_vec()).unwrap();
    ScriptDevice {
        address: server.device_address(),
        ca_file: server.ca_file(),
        device_id: DEVICE_ID.to_owned(),
        credentials: (credentials.user.clone(), password),
    }
}

fn source(server: &TestServer, path: &str, credentials: Option<BasicCredentials>) -> BootstrapSource {
    let uri = format!("https://localhost:{}{path}", server.device_address().port());
    BootstrapSource { uri: ServerUri::parse(&uri).unwrap(), credentials }
}

/// Fetches the account again with the keys in it.
async fn again(device: &mut TestDevice) -> Result<Vec<ServerId>, ClientError> {
    let server = ServerId::parse("omadm").unwrap();
    let source = BootstrapSource::of_account(device.client.device().tree(), &server);
    device.client.fetch_bootstrap(&source.expect("a bootstrap server"), &mut Always).await
}

/// What the server noted about bootstraps of the device, with the way or the reason.
async fn noted(server: &TestServer, device: &ScriptDevice) -> Vec<Value> {
    let events = server.events(device).await.into_iter().map(|event| event["body"].clone());
    events.filter(|body| body["what"].as_str().is_some_and(|what| what.starts_with("bootstrap"))).collect()
}

#[tokio::test]
async fn a_device_fetches_its_account_from_the_server() {
    proves!("D2-8.3-02", "D2-9.3.2-01", "D2-12.2-13");
    let server = bootstrap_server().await;
    let credentials = enrol(&server, true).await;
    let name = by_hand(&server, &credentials);
    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    let known = source(&server, "/bootstrap/[DevID]", Some(credentials));
    let installed = device.client.fetch_bootstrap(&known, &mut Always).await.unwrap();
    assert_eq!(installed, [ServerId::parse("omadm").unwrap()]);
    assert!(ended(&device.session("omadm").await));
    assert_eq!(server.alerts(&name).await[0]["type"], COMPLETE);
    assert_eq!(noted(&server, &name).await, [json!({ "what": "bootstrap fetched", "by": "Basic" })]);

    // The account has keys for the next bootstrap: both sides have to have them.
    let there = device.text(&format!("{DMACC}/omadm/Auth/Bootstrap/ServerURI"));
    assert_eq!(there, Some(server.device_uri().replace("/dm/2.0", "/bootstrap")));
    again(&mut device).await.unwrap();
    assert_eq!(noted(&server, &name).await[1]["by"], "pre-shared key");
    assert!(ended(&device.session("omadm").await));
    enrol(&server, true).await;
    let refused = again(&mut device).await;
    // The connection may stand since before, or has to be made anew.
    let expected = matches!(
        refused,
        Err(ClientError::BootstrapStatus { status: 401, .. }
            | ClientError::Transport(TransportError::Failed { .. }))
    );
    assert!(expected, "{refused:?}");
}

#[tokio::test]
async fn the_server_gives_bootstraps_to_their_own_device_only() {
    proves!("D2-8.3-02", "D2-9.3.1.1-01");
    let server = bootstrap_server().await;
    let credentials = enrol(&server, false).await;
    let device = by_hand(&server, &credentials);
    let own = device.authorization();
    let get = |target: String, headers: Vec<(&'static str, String)>| {
        let device = device.clone();
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            device.send(Method::GET, &target, &headers, b"").await
        }
    };
    let login = || ("authorization", own.clone());
    let good = get("/bootstrap".to_owned(), vec![login(), ("accept", MO_DATA.to_owned())]).await;
    assert_eq!((good.status, good.header("content-type")), (200, Some(MO_DATA)));
    assert_eq!(good.header("cache-control"), Some("no-store"));
    let account = &good.json()[0]["MOData"]["omadm"];
    assert_eq!(account["Perm"], json!({ "1": { "MOID": MOID } }));
    assert!(account["Auth"]["Bootstrap"].is_null(), "there is no key for it: {account}");

    let path = "/bootstrap".to_owned();
    let wrong = ScriptDevice { credentials: ("x".into(), "y".into()), ..device.clone() }.authorization();
    let cases = [
        (401, path.clone(), vec![]),
        (401, path.clone(), vec![("authorization", wrong)]),
        (403, "/bootstrap/UUID:another".to_owned(), vec![login()]),
        (404, "/bootstrap/%0A".to_owned(), vec![login()]),
        (403, path.clone(), vec![login(), ("omadm-devid", "UUID:another".to_owned())]),
        (406, path.clone(), vec![login(), ("accept", "text/plain".to_owned())]),
    ];
    for (status, target, headers) in cases {
        let refused = get(target.clone(), headers.clone()).await;
        assert_eq!(refused.status, status, "{target} {headers:?}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("Secret"));
    }

    let (closed, _) = TestServer::with_device().await;
    let there =
        ScriptDevice { address: closed.device_address(), ca_file: closed.ca_file(), ..device.clone() };
    assert_eq!(there.send(Method::GET, "/bootstrap", &[("authorization", &own)], b"").await.status, 404);
    let open = TestServer::with(|config| {
        config.bootstrap.moids = vec!["*".to_owned()];
        config.device.plain_http = true;
    })
    .await;
    let own = by_hand(&open, &enrol(&open, false).await).authorization();
    let mut stream = TcpStream::connect(open.device_address()).await.unwrap();
    let request =
        format!("GET /bootstrap HTTP/1.1\r\nHost: x\r\nAuthorization: {own}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "no TLS, no bootstrap: {answer}");
}

#[tokio::test]
async fn an_account_has_no_secret_that_the_server_does_not_know() {
    proves!("D2-9.3.2-01");
    let clients = Authority::new();
    let server = TestServer::with(|config| {
        config.bootstrap.moids = vec!["*".to_owned()];
        config.tls.client_certificates = ClientCertificates::Optional;
        config.tls.client_ca = Some(clients.ca_file());
    })
    .await;
    let credentials = enrol(&server, false).await;
    let name = by_hand(&server, &credentials);
    let mut setup = DeviceSetup::new([], Some(server.ca_file()));
    setup.client.preemptive_basic = false;
    let mut device = setup.clone().open();
    let known = source(&server, "/bootstrap", Some(credentials));
    let refused = device.client.fetch_bootstrap(&known, &mut Always).await;
    assert!(matches!(refused, Err(ClientError::BootstrapStatus { status: 403, .. })), "Digest: {refused:?}");

    for (issuer, good) in [(&Authority::new(), false), (&clients, true)] {
        let issued = issuer.issue(DEVICE_ID, Flaw::Nothing);
        let mut setup = setup.clone();
        setup.https.certificate = Some(issued.files.0);
        setup.https.key = Some(issued.files.1);
        let mut device = setup.open();
        let fetched = device.client.fetch_bootstrap(&source(&server, "/bootstrap", None), &mut Always).await;
        assert_eq!(fetched.is_ok(), good, "{fetched:?}");
        if good {
            assert!(!device.has(&format!("{DMACC}/omadm/Auth/Trsp")));
            assert!(ended(&device.session("omadm").await));
        }
    }
    assert_eq!(noted(&server, &name).await, [json!({ "what": "bootstrap fetched", "by": "certificate" })]);
}

/// Where a device waits for its bootstrap: it has a certificate of `devices`, and wants one of `servers` to be shown.
async fn waiting(devices: &Authority, servers: &std::path::Path) -> ScriptServer {
    ScriptServer::https_with(devices, |tls| {
        tls.set_ca_file(servers).unwrap();
        tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    })
    .await
}

/// Passes octets on to a server and keeps them; gives its URI for a path.
async fn wiretap(server: &ScriptServer, path: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let to: http::Uri = server.uri(path).parse().unwrap();
    let port = to.port_u16().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}{path}", listener.local_addr().unwrap().port());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let heard = kept.clone();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut room = [0; 4096];
        while let Ok(length @ 1..) = from_client.read(&mut room).await {
            heard.lock().unwrap().extend_from_slice(&room[..length]);
            to_server.write_all(&room[..length]).await.unwrap();
        }
    });
    (uri, kept)
}

async fn push(server: &TestServer, to: &str) -> (u16, Value) {
    let new = json!({ "device": { "id": DEVICE_ID, "replace": true }, "to": to });
    let reply = server.rest(Method::POST, "/bootstrap", Some(&new)).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn an_operator_sends_a_bootstrap_to_a_device() {
    proves!("DM-BOOT-001-S-M", "D2-8.4-02", "D2-8.4-03", "D2-8.4-05", "D2-9.3.1.1-01", "D2-9.3.1.1-02");
    let devices = Authority::new();
    let server = TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file())).await;
    let listener = waiting(&devices, &server.ca_file()).await;
    listener.route(&Method::POST, "/bootstrap", Answer::status(204));
    let (to, wire) = wiretap(&listener, "/bootstrap").await;
    let (status, made) = push(&server, &to).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["bootstrap"].is_null(), "it goes to the device and nowhere else: {made}");
    let request = listener.requests().remove(0);
    assert!(request.tls && request.header("content-type") == Some(MO_DATA));
    let wire = String::from_utf8_lossy(&wire.lock().unwrap()).into_owned();
    assert!(wire.len() > request.body.len() && !wire.contains("SrvURI") && !wire.contains("/bootstrap"));

    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    let received = |secured| Received {
        origin: Origin::Pushed { by: "omadm".to_owned(), secured },
        content_type: MO_DATA.to_owned(),
        body: request.body.clone().into(),
    };
    let refused = device.client.install_received(received(false), &mut Always).await;
    assert!(matches!(refused, Err(ClientError::BootstrapUnsecured { .. })), "{refused:?}");
    device.client.install_received(received(true), &mut Always).await.unwrap();
    assert!(ended(&device.session("omadm").await));
    let name = ScriptDevice {
        address: server.device_address(),
        ca_file: server.ca_file(),
        device_id: DEVICE_ID.to_owned(),
        credentials: (String::new(), String::new()),
    };
    assert_eq!(server.alerts(&name).await[0]["type"], COMPLETE);
    assert_eq!(noted(&server, &name).await[0]["what"], "bootstrap sent");
}

/// A device that has run GBA Push once.
struct Run;

impl GbaPush for Run {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        (transaction == "run-1@bsf.example.org").then(|| NafKey::new([0x77; 32]))
    }
}

#[tokio::test]
async fn the_server_protects_a_bootstrap_with_the_keys_of_gba_push() {
    proves!("D2-9.3.1.3-01", "D2-9.3.1.3-02", "D2-9.3.1.3-03", "D2-8.4-05");
    let devices = Authority::new();
    let server = TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file())).await;
    let listener = waiting(&devices, &server.ca_file()).await;
    let to = listener.take("/bootstrap");
    let send = |to: Option<&str>, transaction: &str, key: &[u8]| {
        let gba = json!({ "transaction": transaction, "ks_naf_base64": STANDARD.encode(key) });
        let new = json!({ "device": { "id": DEVICE_ID, "replace": true }, "to": to, "gba": gba });
        let server = &server;
        async move { server.rest(Method::POST, "/bootstrap", Some(&new)).await.status }
    };
    for (to, transaction, key) in
        [(None, "run", &[1; 32][..]), (Some(to.as_str()), "", &[1; 32]), (Some(&to), "run", &[1; 31])]
    {
        assert_eq!(send(to, transaction, key).await, 400, "{to:?} {transaction}");
    }
    assert!(listener.requests().is_empty() && server.items("/devices").await.is_empty());
    let unknown = send(Some(&to), "run-2@bsf.example.org", &[0x77; 32]).await;
    let other = send(Some(&to), "run-1@bsf.example.org", &[0x78; 32]).await;
    let good = send(Some(&to), "run-1@bsf.example.org", &[0x77; 32]).await;
    assert_eq!([unknown, other, good], [201; 3]);

    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    device.client = device.client.with_gba(Box::new(Run));
    let mut outcomes = Vec::new();
    for request in listener.requests() {
        assert_eq!(request.header("content-type"), Some("application/dmmo+json; SEC=3GPP_GBA"));
        assert!(!String::from_utf8_lossy(&request.body).contains("SrvURI"));
        // The keys alone protect it, whatever the way.
        let origin = Origin::Pushed { by: "omadm".to_owned(), secured: false };
        let content_type = request.header("content-type").unwrap().to_owned();
        let received = Received { origin, content_type, body: request.body.into() };
        outcomes.push(device.client.install_received(received, &mut Always).await);
    }
    assert!(matches!(outcomes[0], Err(ClientError::Gba(GbaError::NoKeys))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(ClientError::Gba(GbaError::Mac))), "{outcomes:?}");
    assert!(outcomes[2].is_ok() && ended(&device.session("omadm").await), "{outcomes:?}");
}

#[tokio::test]
async fn a_bootstrap_that_cannot_be_sent_safely_is_not_sent() {
    proves!("DM-BOOT-001-S-M", "D2-8.4-02", "D2-8.4-03", "D2-9.3.1.1-01", "D2-9.3.2-01");
    let (devices, strangers) = (Authority::new(), Authority::new());
    let server = TestServer::with(|config| config.bootstrap.ca_file = Some(devices.ca_file())).await;
    let open = ScriptServer::http().await;
    let (status, problem) = push(&server, &open.take("/bootstrap")).await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("TLS only"), "{problem}");
    assert_eq!(server.items("/devices").await.len(), 0, "nothing is done");

    let refuses = waiting(&devices, &server.ca_file()).await;
    refuses.route(&Method::POST, "/bootstrap", Answer::status(403));
    let fraud = waiting(&strangers, &server.ca_file()).await;
    let distrusts = waiting(&devices, &strangers.ca_file()).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = format!("https://localhost:{}/bootstrap", free.port());
    for (to, reason) in [
        (refuses.uri("/bootstrap"), "403"),
        (fraud.uri("/bootstrap"), "certificate"),
        (distrusts.uri("/bootstrap"), ""),
        (gone, "onnect"),
    ] {
        let (status, problem) = push(&server, &to).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 502 && detail.contains(reason) && detail.contains(&to), "{status} {problem}");
    }
    assert!(fraud.requests().is_empty() && distrusts.requests().is_empty() && open.requests().is_empty());
}

#[tokio::test]
async fn an_operator_makes_bootstraps_for_many_devices() {
    let server = TestServer::start().await;
    let batch = |ids: &[&str]| {
        let devices: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        json!({ "devices": devices, "moids": [MOID] })
    };
    let post = |body: Value| {
        let server = &server;
        async move { server.rest(Method::POST, "/bootstrap/batch", Some(&body)).await }
    };
    let reply = post(batch(&["UUID:a", DEVICE_ID])).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    assert_eq!((&made["items"][0]["id"], &made["items"][1]["id"]), (&json!("UUID:a"), &json!(DEVICE_ID)));
    let secret =
        |at: usize| made["items"][at]["bootstrap"][0]["MOData"]["omadm"]["Auth"]["Trsp"]["Secret"].clone();
    assert_ne!(secret(0), secret(1));
    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    device
        .client
        .device_mut()
        .install_bootstrap(made["items"][1]["bootstrap"].to_string().as_bytes())
        .unwrap();
    assert!(ended(&device.session("omadm").await));

    assert_eq!(post(batch(&["UUID:b", "UUID:a"])).await.status, 409);
    assert_eq!(server.items("/devices").await.len(), 2, "all or none");
    assert_eq!(post(batch(&[])).await.status, 400);
    let ids: Vec<String> = (0..1_001).map(|number| format!("SIM:{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(post(batch(&ids)).await.status, 400);
    assert_eq!(post(batch(&ids[..1_000])).await.status, 201);
}

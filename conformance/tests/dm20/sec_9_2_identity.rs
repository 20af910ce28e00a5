//! Who the peers are in TLS: certificates and pre-shared keys (`DM 2.0 §9.2`).

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::{SessionReport, TlsVersion};
use omadm_conformance::{
    Account, Authority, DEVICE_ID, DeviceSetup, Flaw, Issued, SECRET, TestServer, USER, proves,
};
use omadm_mo::well_known::DMACC;
use omadm_server::config::ClientCertificates;
use openssl::ssl::{SslConnector, SslMethod};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::sec_9_security::{ended, s_client};

/// A server that trusts the certificates of an authority, and takes no credentials of HTTP.
async fn server(clients: &Authority, list: Option<&Path>, mode: ClientCertificates) -> TestServer {
    let server = TestServer::with(|config| {
        config.tls.client_certificates = mode;
        config.tls.client_ca = Some(clients.ca_file());
        config.tls.client_crl = list.map(Path::to_owned);
        config.auth.basic = false;
        config.auth.digest = Vec::new();
    })
    .await;
    let new = json!({ "id": DEVICE_ID, "psk": true });
    assert_eq!(server.rest(Method::POST, "/devices", Some(&new)).await.status, 201);
    server
}

/// A device whose account has no use for HTTP, with a certificate in its files.
fn device(server: &TestServer, certificate: Option<&Issued>) -> DeviceSetup {
    let account = Account::new("omadm", server.device_uri());
    let mut setup = DeviceSetup::new([account], Some(server.ca_file()));
    setup.client.preemptive_basic = false;
    if let Some(issued) = certificate {
        setup.https.certificate = Some(issued.files.0.clone());
        setup.https.key = Some(issued.files.1.clone());
    }
    setup
}

async fn session(setup: DeviceSetup) -> SessionReport {
    setup.open().session("omadm").await
}

#[tokio::test]
async fn a_certificate_says_which_device_it_is() {
    proves!("DM-SEC-003-S-M", "D2-9.2.1-03");
    let (known, unknown) = (Authority::new(), Authority::new());
    let (good, revoked) = (known.issue(DEVICE_ID, Flaw::Nothing), known.issue(DEVICE_ID, Flaw::Nothing));
    let list = known.revocation_list(&[&revoked]);
    let server = server(&known, Some(&list), ClientCertificates::Optional).await;
    let report = session(device(&server, Some(&good))).await;
    assert!(ended(&report), "{report:?}");
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let bad = [
            ("revoked", &revoked),
            ("expired", &known.issue(DEVICE_ID, Flaw::Expired)),
            ("of a short key", &known.issue(DEVICE_ID, Flaw::SmallKey)),
            ("of an unknown authority", &unknown.issue(DEVICE_ID, Flaw::Nothing)),
            ("of another device", &known.issue("UUID:another", Flaw::Nothing)),
            ("of no device", &known.issue("nobody", Flaw::Nothing)),
        ];
        for (what, issued) in bad {
            let mut setup = device(&server, Some(issued));
            setup.https.max_version = Some(version);
            let report = session(setup).await;
            assert!(!ended(&report), "{what}: {report:?}");
        }
    }
    assert!(!ended(&session(device(&server, None)).await), "no certificate, no session");
}

#[tokio::test]
async fn a_certificate_can_come_with_the_account_or_be_required() {
    let clients = Authority::new();
    let server = server(&clients, None, ClientCertificates::Required).await;
    assert!(!s_client(&server, &["-tls1_2"]).await.0, "no certificate, no handshake");
    let (certificate, key) = clients.issue(DEVICE_ID, Flaw::Nothing).der;
    let mut device = device(&server, None).open();
    let bootstrap = json!([{ "ClientURI": format!("{DMACC}//"), "MOData": { "omadm": {
        "SrvID": "omadm", "SrvURI": server.device_uri(), "Name": "omadm", "Perm": { "1": { "MOID": "*" } },
        "Auth": { "Trsp": { "Data": STANDARD.encode(certificate), "Secret": STANDARD.encode(key) } },
    } } }]);
    device.client.device_mut().install_bootstrap(bootstrap.to_string().as_bytes()).unwrap();
    let report = device.session("omadm").await;
    assert!(ended(&report), "{report:?}");
}

#[tokio::test]
async fn an_account_without_credentials_leaves_them_to_the_configuration() {
    proves!("D2-12.2-26");
    let clients = Authority::new();
    let server = server(&clients, None, ClientCertificates::Required).await;
    let mut bare = Account::new("omadm", server.device_uri()).bootstrap_item();
    bare["MOData"]["omadm"].as_object_mut().unwrap().remove("Auth");
    let bootstrap = json!([bare]).to_string();
    let issued = clients.issue(DEVICE_ID, Flaw::Nothing);
    for certificate in [Some(&issued), None] {
        let mut device = device(&server, certificate).open();
        device.client.device_mut().install_bootstrap(bootstrap.as_bytes()).unwrap();
        let trsp = format!("{DMACC}/omadm/Auth/Trsp");
        assert!(!device.has(&trsp));
        let report = device.session("omadm").await;
        assert_eq!(ended(&report), certificate.is_some(), "{report:?}");
    }
}

/// Enrols the device for pre-shared keys and gives its user name and secret.
async fn enrol_with_key(server: &TestServer) -> (String, String) {
    let new = json!({ "id": DEVICE_ID, "psk": true, "replace": true });
    let enrolled = server.rest(Method::POST, "/devices", Some(&new)).await.json();
    (enrolled["user"].as_str().unwrap().to_owned(), enrolled["secret"].as_str().unwrap().to_owned())
}

fn hex(text: &str) -> String {
    text.bytes().map(|octet| format!("{octet:02x}")).collect()
}

#[tokio::test]
async fn one_listener_takes_certificates_and_keys() {
    proves!("DM-SEC-004-S-M", "DM-SEC-008-S-M", "D2-9.2.2-03");
    let clients = Authority::new();
    let server = server(&clients, None, ClientCertificates::Optional).await;
    let (user, secret) = enrol_with_key(&server).await;
    let (certificate, key) = clients.issue(DEVICE_ID, Flaw::Nothing).files;
    let (certificate, key) = (certificate.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
    assert!(s_client(&server, &["-tls1_2", "-cert", &certificate, "-key", &key]).await.0);
    for (user, secret, good) in
        [(user.as_str(), secret.as_str(), true), (&user, "another secret", false), ("nobody", &secret, false)]
    {
        let key = hex(secret);
        let options =
            ["-tls1_2", "-cipher", "DHE-PSK-AES128-GCM-SHA256", "-psk_identity", user, "-psk", &key];
        assert_eq!(s_client(&server, &options).await.0, good, "{user} {secret}");
    }
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for (user, secret, good) in [
            (user.as_str(), secret.as_str(), true),
            (&user, "another secret", false),
            ("nobody", &secret, false),
        ] {
            let mut setup = device(&server, None);
            setup.accounts[0].credentials = (user.to_owned(), secret.to_owned());
            setup.client.psk = true;
            setup.https.max_version = Some(version);
            let report = session(setup).await;
            assert_eq!(ended(&report), good, "{version:?} {user} {secret}: {report:?}");
        }
    }
    assert_eq!(enrol_with_key(&server).await.0, user, "a device that is enrolled anew has a new key");
    let mut setup = device(&server, None);
    setup.accounts[0].credentials = (user, secret);
    setup.client.psk = true;
    assert!(!ended(&session(setup).await), "so the one before is worth nothing");
}

/// `openssl s_server` with these options, and where a device finds it.
async fn s_server(options: &[&str]) -> (Child, String) {
    // Nobody else gets the port between here and there: the system hands out others first.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", &port.to_string(), "-alpn", "http/1.1"]).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().expect("openssl is installed");
    let uri = format!("https://localhost:{port}/dm/2.0");
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    (child, uri)
}

/// Plays a DM server by hand: reads until an alert is there, which is in Package#1, and answers END.
async fn answer_by_hand(child: &mut Child) {
    let mut heard = Vec::new();
    let stdout = child.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&heard).contains("urn:oma:at:dm:2.0:") {
        let mut octets = [0; 4096];
        let length = stdout.read(&mut octets).await.unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&octets[..length]);
    }
    let body = r#"{"CMD":[["END"]]}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oma.dm.request+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    child.stdin.as_mut().unwrap().write_all(reply.as_bytes()).await.unwrap();
}

/// Runs a session that is answered by hand; a device that gives up ends it.
async fn session_by_hand(setup: DeviceSetup, child: &mut Child) -> SessionReport {
    let mut session = std::pin::pin!(session(setup));
    tokio::select! {
        report = &mut session => report,
        () = answer_by_hand(child) => session.await,
    }
}

#[tokio::test]
async fn the_device_identifies_itself_to_openssl() {
    proves!("DM-SEC-004-C-M", "D2-9.2.2-04");
    let authority = Authority::new();
    let ca = authority.ca_file();
    let (certificate, key) = authority.server_files();
    let options = [
        "-cert",
        certificate.to_str().unwrap(),
        "-key",
        key.to_str().unwrap(),
        "-CAfile",
        ca.to_str().unwrap(),
    ];
    let by_certificate = [&options[..], &["-Verify", "1", "-verify_return_error"]].concat();
    let (mut child, uri) = s_server(&by_certificate).await;
    let issued = authority.issue(DEVICE_ID, Flaw::Nothing);
    let mut setup = DeviceSetup::new([Account::new("omadm", &uri)], Some(ca.clone()));
    setup.https.certificate = Some(issued.files.0);
    setup.https.key = Some(issued.files.1);
    let report = session_by_hand(setup, &mut child).await;
    assert!(ended(&report), "by certificate: {report:?}");

    let (mut child, uri) = s_server(&["-nocert", "-psk_identity", USER, "-psk", &hex(SECRET)]).await;
    let mut setup = DeviceSetup::new([Account::new("omadm", &uri)], None);
    setup.client.psk = true;
    let report = session_by_hand(setup, &mut child).await;
    assert!(ended(&report), "by key: {report:?}");
}

/// The serial number of the certificate that a new connection is shown.
async fn serial(server: &TestServer) -> String {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(openssl::ssl::SslVerifyMode::NONE);
    let ssl = connector.build().configure().unwrap().verify_hostname(false).into_ssl("localhost").unwrap();
    let tcp = tokio::net::TcpStream::connect(server.device_address()).await.unwrap();
    let mut stream = tokio_openssl::SslStream::new(ssl, tcp).unwrap();
    std::pin::Pin::new(&mut stream).connect().await.unwrap();
    let certificate = stream.ssl().peer_certificate().unwrap();
    certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string()
}

#[tokio::test]
async fn certificates_rotate_without_a_restart() {
    let (first, second) = (Authority::new(), Authority::new());
    let ((certificate, key), (next_certificate, next_key)) = (first.server_files(), second.server_files());
    let files = (certificate.clone(), key.clone());
    let server = TestServer::with(|config| {
        config.device.certificate = Some(files.0);
        config.device.key = Some(files.1);
        config.tls.reload_interval = omadm_server::config::Span(std::time::Duration::from_millis(100));
    })
    .await;
    let before = serial(&server).await;
    // One without the other is not used, and nobody is turned away meanwhile.
    std::fs::copy(next_certificate, &certificate).unwrap();
    assert_eq!(serial(&server).await, before);
    std::fs::copy(next_key, &key).unwrap();
    while serial(&server).await == before {}
}

//! Authentication and transport security (`DM 2.0 §9`), both sides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::{Outcome, SessionReport};
use omadm_conformance::{
    Account, Answer, Authority, Bench, DEVICE_ID, DeviceSetup, Flaw, Pair, SECRET, ScriptServer, TestServer,
    USER, commands, logged, proves,
};
use omadm_mo::well_known::DMACC;
use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn challenge() -> Answer {
    Answer::status(401).with("www-authenticate", "Basic realm=\"dm\"")
}

pub fn ended(report: &SessionReport) -> bool {
    matches!(report.outcome, Outcome::Ended { .. })
}

/// Runs a session of a device that trusts `ca` with a server at this address.
async fn session_with(uri: &str, ca: &Authority) -> SessionReport {
    let setup = DeviceSetup::new([Account::new("DMS1", uri)], Some(ca.ca_file()));
    setup.open().session("DMS1").await
}

/// What OpenSSL's own client says of a TLS connection to the device listener, and whether it trusts it.
pub async fn s_client(server: &TestServer, options: &[&str]) -> (bool, String) {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]);
    openssl.arg(server.ca_file()).args(["-connect", &server.device_address().to_string()]).args(options);
    let output = openssl.stdin(std::process::Stdio::null()).output().await.expect("openssl is installed");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Everything that comes back for these octets on the device listener until it closes the connection.
async fn reply_to(server: &TestServer, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.device_address()).await.unwrap();
    stream.write_all(octets).await.unwrap();
    let mut reply = Vec::new();
    // A reset is as good as an end.
    let _ = stream.read_to_end(&mut reply).await;
    reply
}

/// A hello of SSL 3.0: of a client (1) or a server (2).
fn ssl3_hello(kind: u8) -> Vec<u8> {
    let mut body = vec![3, 0];
    body.extend([7; 32]);
    body.push(0);
    match kind {
        // One suite, TLS_RSA_WITH_AES_128_CBC_SHA, and no compression.
        1 => body.extend([0, 2, 0, 0x2f, 1, 0]),
        _ => body.extend([0, 0x2f, 0]),
    }
    let length = u8::try_from(body.len()).unwrap();
    [vec![22, 3, 0, 0, length + 4, kind, 0, 0, length], body].concat()
}

/// Runs a session of a device that trusts `ca` with a server that speaks nothing newer than SSL 3.0, and gives what the server
/// hears after its hello.
async fn session_with_ssl3(ca: &Authority) -> (SessionReport, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}/dm/2.0", listener.local_addr().unwrap().port());
    let old_server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello[0], 22, "the device begins a handshake");
        let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
        stream.read_exact(&mut rest).await.unwrap();
        stream.write_all(&ssl3_hello(2)).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::join!(session_with(&uri, ca), old_server)
}

#[tokio::test]
async fn the_device_answers_a_basic_challenge() {
    proves!("DM-SEC-001-C-M", "D2-9.2.1-04");
    let mut bench = Bench::with(|setup| setup.client.preemptive_basic = false).await;
    bench.server.say(challenge());
    assert!(ended(&bench.session().await));
    let sent: Vec<_> = bench.server.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header("authorization"), None);
    assert_eq!(sent[1].header("authorization"), Some(basic(USER, SECRET).as_str()));
    assert_eq!(sent[0].body, sent[1].body);

    for _ in 0..3 {
        bench.server.say(challenge());
    }
    let refused = bench.session().await;
    assert!(matches!(refused.outcome, Outcome::Aborted { http_status: Some(401), .. }), "{refused:?}");
    assert_eq!(bench.server.requests().len(), 4, "tried once, not again");
}

#[tokio::test]
async fn the_server_asks_for_basic() {
    proves!("DM-SEC-001-S-M", "D2-9.2.1-01");
    let (_server, device) = TestServer::with_device().await;
    assert_eq!(commands(&device.begin().await), [["END"]]);
    let (user, secret) = device.credentials.clone();
    let package = json!({}).to_string();
    let with = |authorization: Option<String>| {
        let (device, package) = (device.clone(), package.clone());
        async move {
            let mut headers = vec![
                ("content-type", "application/vnd.oma.dm.initiation+json"),
                ("accept", "application/vnd.oma.dm.request+json"),
                ("omadm-devid", DEVICE_ID),
            ];
            headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
            device.post(&headers, package.as_bytes()).await
        }
    };
    for wrong in [
        None,
        Some(basic(&user, "wrong")),
        Some(basic(&user, "")),
        Some(basic("nobody", &secret)),
        Some("Basic !!!".to_owned()),
        Some(format!("Bearer {secret}")),
    ] {
        let reply = with(wrong.clone()).await;
        assert_eq!(reply.status, 401, "{wrong:?}");
        assert!(reply.challenge("Basic").unwrap().starts_with("Basic realm="), "{wrong:?}");
    }
    assert_eq!(with(Some(basic(&user, &secret))).await.status, 200);
}

#[tokio::test]
async fn the_device_checks_the_servers_certificate() {
    proves!("DM-SEC-003-C-M", "DM-SEC-010-C-O", "D2-9.2.1-05");
    let good = Authority::new();
    let server = ScriptServer::https(&good).await;
    assert!(ended(&session_with(&server.dm_uri(), &good).await));
    for flaw in [Flaw::OtherHost, Flaw::Expired, Flaw::SelfSigned] {
        let authority = Authority::with_flaw(flaw);
        let server = ScriptServer::https(&authority).await;
        let report = session_with(&server.dm_uri(), &authority).await;
        assert!(!ended(&report), "{flaw:?}");
        assert!(server.requests().is_empty(), "{flaw:?}: no Package#1");
    }
    let unknown = ScriptServer::https(&Authority::new()).await;
    assert!(!ended(&session_with(&unknown.dm_uri(), &good).await));
    assert!(unknown.requests().is_empty(), "an unknown authority: no Package#1");
}

#[tokio::test]
async fn tls_1_2_is_on_by_default() {
    proves!("DM-SEC-007-C-O", "DM-SEC-007-S-O", "DM-SEC-010-S-M", "D2-9.2.2-06");
    let authority = Authority::new();
    let server = ScriptServer::https_with(&authority, |tls| {
        tls.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    })
    .await;
    assert!(ended(&session_with(&server.dm_uri(), &authority).await));
    let server = TestServer::start().await;
    for (options, version) in [(&["-tls1_2"][..], "TLSv1.2"), (&[], "TLSv1.3")] {
        let (trusted, said) = s_client(&server, options).await;
        assert!(trusted && said.contains(version) && said.contains("Verify return code: 0"), "{said}");
    }
    assert!(!s_client(&server, &["-verify_hostname", "elsewhere.example"]).await.0, "it does check");
}

#[test]
fn the_tls_version_is_checked_and_logged() {
    proves!("D2-9.2.2-07");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let authority = Authority::new();
    for (newest, version) in [(SslVersion::TLS1_2, "TLSv1.2"), (SslVersion::TLS1_3, "TLSv1.3")] {
        let session = async {
            let server = ScriptServer::https_with(&authority, |tls| {
                tls.set_max_proto_version(Some(newest)).unwrap();
            })
            .await;
            session_with(&server.dm_uri(), &authority).await
        };
        let (report, log) = logged(|| runtime.block_on(session));
        assert!(ended(&report), "{report:?}");
        let said: Vec<&str> = log.lines().filter(|line| line.contains("TLS connection")).collect();
        assert!(said.len() == 1 && said[0].contains(version) && said[0].contains("cipher"), "{said:?}");
    }
    let ((report, _), log) = logged(|| runtime.block_on(session_with_ssl3(&authority)));
    assert!(!ended(&report), "{report:?}");
    assert!(!log.contains("TLS connection"), "{log}");
}

#[tokio::test]
async fn nothing_older_than_tls_is_spoken() {
    proves!("DM-SEC-012-C-M", "D2-9.2-02", "D2-9.2.2-08");
    let authority = Authority::new();
    let (report, answer) = session_with_ssl3(&authority).await;
    assert!(!ended(&report), "{report:?}");
    assert!(answer.is_empty() || answer[0] == 21, "an alert at most: {answer:?}");

    let plain = ScriptServer::http().await;
    let report = session_with(&plain.dm_uri().replace("http:", "https:"), &authority).await;
    assert!(!ended(&report));
    assert!(plain.requests().is_empty(), "nothing readable came over plain HTTP");

    let server = TestServer::start().await;
    let ssl2 = [
        0x80, 0x1c, 1, 0, 2, 0, 3, 0, 0, 0, 0x10, 1, 0, 0x80, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    ];
    for hello in [&ssl3_hello(1)[..], &ssl2, b"POST /dm/2.0 HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let reply = reply_to(&server, hello).await;
        assert!(reply.is_empty() || reply[0] == 21, "a TLS alert at most: {reply:?}");
    }
    let new = Authority::new();
    let server = ScriptServer::https(&new).await;
    assert!(ended(&session_with(&server.dm_uri(), &new).await), "over TLS it works");
}

#[tokio::test]
async fn elliptic_curves_have_256_bits() {
    proves!("D2-9.2.2-24");
    let groups = |list: &'static str| {
        move |tls: &mut openssl::ssl::SslAcceptorBuilder| {
            tls.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
            tls.set_groups_list(list).unwrap();
        }
    };
    for (flaw, list, good) in [
        (Flaw::Nothing, "P-256", true),
        (Flaw::Nothing, "P-224", false),
        (Flaw::SmallKey, "P-256:P-224", false),
    ] {
        let authority = Authority::with_flaw(flaw);
        let server = ScriptServer::https_with(&authority, groups(list)).await;
        let report = session_with(&server.dm_uri(), &authority).await;
        assert_eq!(ended(&report), good, "{flaw:?} {list}: {report:?}");
        assert_eq!(server.requests().len(), usize::from(good));
    }
    let server = TestServer::start().await;
    for (list, good) in [("P-256", true), ("secp224r1", false), ("prime192v1", false)] {
        assert_eq!(s_client(&server, &["-tls1_2", "-groups", list]).await.0, good, "{list}");
    }
}

#[tokio::test]
async fn the_transport_protects_and_authenticates_the_session() {
    proves!("D2-9.2-01", "D2-9.2.1-07", "D2-9.2.1-08");
    let mut pair = Pair::new().await;
    assert!(ended(&pair.session().await), "both know each other by the bootstrap");
    let account = |secret: &str| {
        let text = |path: &str| pair.device.text(&format!("{DMACC}/omadm/{path}")).unwrap();
        json!([{ "ClientURI": format!("{DMACC}//"), "MOData": { "omadm": {
            "SrvID": "omadm", "SrvURI": text("SrvURI"), "Name": "again", "Perm": { "1": { "MOID": "*" } },
            "Auth": { "Trsp": { "Data": text("Auth/Trsp/Data"), "Secret": secret } },
        } } }])
    };
    let right = pair.device.text(&format!("{DMACC}/omadm/Auth/Trsp/Secret")).unwrap();
    let bootstraps: Vec<(Value, bool)> =
        vec![(account(&STANDARD.encode("another")), false), (account(&right), true)];
    for (bootstrap, good) in bootstraps {
        pair.device.client.device_mut().install_bootstrap(bootstrap.to_string().as_bytes()).unwrap();
        let report = pair.session().await;
        assert_eq!(ended(&report), good, "the credentials of Auth/Trsp are used: {report:?}");
    }

    let plain = ScriptServer::http().await;
    let report = session_with(&plain.dm_uri(), &Authority::new()).await;
    assert!(!ended(&report), "plain HTTP is refused by default");
    assert!(plain.requests().is_empty());
    let authorization = pair.name.authorization();
    let request = format!(
        "POST /dm/2.0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\n\r\n"
    );
    let reply = reply_to(&pair.server, request.as_bytes()).await;
    assert!(!reply.starts_with(b"HTTP/"), "so it is by the server");
    let unauthenticated = pair.name.send(Method::POST, "/dm/2.0", &[("omadm-devid", DEVICE_ID)], b"{}").await;
    assert_ne!(unauthenticated.status, 200);
}

//! The HTTP binding of DM 1.3 from the side of the device, with the real agent.

use omadm_conformance::{AgentProcess, Authority, Relay, TestServer, Turn, proves};
use openssl::ssl::{SslOptions, SslVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::processes::{carry_out, leaves};

const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.1//Man";

/// An agent behind a relay, whose first session has ended.
async fn behind(number: u32, more: &serde_json::Value) -> (TestServer, Relay, AgentProcess) {
    let server = TestServer::start().await;
    let relay = Relay::before(&server).await;
    let (agent, account) = AgentProcess::behind(&relay, &server, &id(number), more, "").await;
    agent.run(&["bootstrap", &account]).await;
    relay.heard();
    (server, relay, agent)
}

fn id(number: u32) -> String {
    format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2{number:03}")
}

#[tokio::test]
async fn each_message_is_a_post_with_the_headers_of_the_profile() {
    proves!(
        "P13-HTTPBinding-5.3.1-01",
        "P13-HTTPBinding-5.3.2-01",
        "P13-HTTPBinding-5.3.3-01",
        "P13-HTTPBinding-5.3.3-02",
        "P13-HTTPBinding-5.3.3-04",
        "P13-DMREPU-5.4-01"
    );
    for (number, encoding) in [(1, "wbxml"), (2, "xml")] {
        let (server, relay, agent) = behind(number, &json!({ "encoding": encoding })).await;
        carry_out(&server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
        let heard = relay.heard();
        assert!(heard.len() >= 2, "{heard:?}");
        for message in &heard {
            assert_eq!((message.method.as_str(), message.target.as_str()), ("POST", "/dm"));
            assert!(!message.body.is_empty());
            let content_type = format!("application/vnd.syncml.dm+{encoding}");
            assert_eq!(message.header("content-type"), Some(content_type.as_str()));
            let accept = message.header("accept").unwrap();
            for known in ["application/vnd.syncml.dm+wbxml", "application/vnd.syncml.dm+xml"] {
                assert!(accept.contains(known), "{accept}");
            }
            assert_eq!(message.header("accept-charset"), Some("utf-8"));
            let cache = message.header("cache-control").unwrap();
            assert!(cache.contains("no-store") && cache.contains("private"), "{cache}");
            assert!(message.header("user-agent").is_some_and(|agent| !agent.is_empty()));
        }
    }
}

#[tokio::test]
async fn answers_in_chunks_are_put_together_and_a_bad_chunk_is_an_error() {
    proves!("P13-HTTPBinding-5.3.2-02");
    let (server, _relay, agent) = behind(3, &json!({})).await;
    let done = carry_out(&server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
    assert!(leaves(&done[0])[0].1.is_string(), "all answers of the relay come in chunks");

    let authority = Authority::new();
    let bad = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.syncml.dm+wbxml\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    let (port, _serving) = raw(&authority, bad).await;
    let agent = AgentProcess::new(&authority.ca_file(), &id(4), "[dm1]\nretry_pause = 0").await;
    let more = json!({ "addresses": [format!("https://localhost:{port}/dm")] });
    let account = agent.dm1_account(&server, &more).await;
    let output = agent.output(&["bootstrap", &account.display().to_string()]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("aborted"), "{said}");
}

/// A TLS server that says these octets to every request.
async fn raw(authority: &Authority, octets: &'static [u8]) -> (u16, tokio::task::JoinHandle<()>) {
    let (certificate, key) = authority.server_files();
    let mut acceptor =
        openssl::ssl::SslAcceptor::mozilla_intermediate_v5(openssl::ssl::SslMethod::tls_server()).unwrap();
    acceptor.set_certificate_chain_file(certificate).unwrap();
    acceptor.set_private_key_file(key, openssl::ssl::SslFiletype::PEM).unwrap();
    let acceptor = acceptor.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let ssl = openssl::ssl::Ssl::new(acceptor.context()).unwrap();
            let mut stream = tokio_openssl::SslStream::new(ssl, tcp).unwrap();
            if std::pin::Pin::new(&mut stream).accept().await.is_ok() {
                let mut request = [0; 64 << 10];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(octets).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, serving)
}

#[tokio::test]
async fn challenges_of_the_http_server_are_answered_and_its_proof_is_checked() {
    proves!("P13-HTTPBinding-5.3.3-03", "P13-HTTPBinding-5.3.4-01", "P13-HTTPBinding-5.3.4-02");
    let http = json!({ "http": { "type": "HTTP-DIGEST", "user": "web", "password": "page" } });
    let (_server, relay, agent) = behind(5, &http).await;
    let digest = r#"Digest realm="dm", nonce="abc", qop="auth", algorithm=SHA-256"#;
    let challenge = || Turn::Instead(401, vec![("www-authenticate", digest.to_owned())]);
    relay.script([challenge()]);
    agent.session().await;
    let heard = relay.heard();
    assert!(heard[1].header("authorization").unwrap().starts_with("Digest username=\"web\""), "{heard:?}");
    assert_eq!(heard[0].body, heard[1].body, "the message is the same");

    // A server that claims to know the password and does not is none to talk to.
    let proof = r#"rspauth="00", qop=auth, nc=00000001, cnonce="x""#.to_owned();
    relay.script([challenge(), Turn::With(vec![("authentication-info", proof)])]);
    let output = agent.output(&["session"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("Authentication-Info"), "{said}");
    assert_eq!(relay.heard().len(), 2, "nothing more is sent");
}

#[tokio::test]
async fn sessions_are_over_tls_unless_the_configuration_says_otherwise() {
    proves!("P13-HTTPBinding-5.4-01", "P13-DMSEC-5.3-01");
    let server = TestServer::start().await;
    let agent = AgentProcess::new(&server.ca_file(), &id(6), "").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("http://localhost:{}/dm", listener.local_addr().unwrap().port());
    let account = agent.dm1_account(&server, &json!({ "addresses": [plain] })).await;
    let output = agent.output(&["bootstrap", &account.display().to_string()]).await;
    assert!(!output.status.success());
    let nobody = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(nobody.is_err(), "not even a connection");

    let stranger = Relay::before(&server).await;
    let more = json!({ "addresses": [stranger.uri("/dm")] });
    let agent = AgentProcess::new(&server.ca_file(), &id(7), "[dm1]\nretry_pause = 0").await;
    let account = agent.dm1_account(&server, &more).await;
    let output = agent.output(&["bootstrap", &account.display().to_string()]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("certificate"), "{said}");
    assert!(stranger.heard().is_empty(), "a certificate of an authority that is not trusted");
}

#[tokio::test]
async fn tls_1_1_is_spoken_where_it_is_enabled_and_nothing_older_than_tls() {
    proves!("P13-HTTPBinding-5.4-02");
    let server = TestServer::start().await;
    let relay = Relay::with_tls(&server, |tls| {
        tls.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
        tls.set_min_proto_version(Some(SslVersion::TLS1_1)).unwrap();
        tls.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
        tls.set_security_level(0);
        tls.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    })
    .await;
    let (agent, account) =
        AgentProcess::behind(&relay, &server, &id(8), &json!({}), "[dm1]\nretry_pause = 0").await;
    assert!(!agent.output(&["bootstrap", &account]).await.status.success(), "not by default");
    assert!(relay.heard().is_empty());
    agent.configure_tls("min_version = \"1.1\"\npolicy = \"legacy\"", "[dm1]\nretry_pause = 0");
    agent.run(&["bootstrap", &account]).await;
    assert!(!relay.heard().is_empty());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let old = format!("https://localhost:{}/dm", listener.local_addr().unwrap().port());
    let account = agent.dm1_account_of(&server, &id(9), &json!({ "addresses": [old] })).await;
    let old_server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        // ServerHello of SSL 3.0: version, random, no session, RSA with RC4 and SHA, no compression.
        let body = [&[3, 0][..], &[7; 32], &[0, 0, 5, 0]].concat();
        let length = u8::try_from(body.len()).unwrap();
        let record = [&[22, 3, 0, 0, length + 4, 2, 0, 0, length][..], &body].concat();
        stream.write_all(&record).await.unwrap();
        drop(listener);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let file = account.display().to_string();
    let words = ["bootstrap", file.as_str()];
    let (output, answer) = tokio::join!(agent.output(&words), old_server);
    assert!(!output.status.success());
    assert!(answer.is_empty() || answer[0] == 21, "an alert at most: {answer:?}");
}

//! HTTP Digest (`DM 2.0 §9.2.1`), both sides. The judges are curl and a computation of our own by OpenSSL.

use std::process::Output;

use http::Method;
use omadm_client::{Hash, Outcome};
use omadm_conformance::{
    Account, Answer, Bench, DEVICE_ID, DeviceSetup, Reply, SECRET, ScriptDevice, TestServer, USER, commands,
    proves,
};
use openssl::hash::MessageDigest;
use serde_json::json;
use tokio::process::Command;

use super::sec_9_security::ended;

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
const REQUEST: &str = "application/vnd.oma.dm.request+json";

/// A server that takes these digests and nothing else, with a device.
async fn server_with(digests: &[Hash]) -> (TestServer, ScriptDevice) {
    let server = TestServer::with(|config| {
        config.auth.basic = false;
        config.auth.digest = digests.to_vec();
    })
    .await;
    let device = server.enrol(DEVICE_ID).await;
    (server, device)
}

async fn curl(server: &TestServer, device: &ScriptDevice, scheme: &str, secret: &str) -> Output {
    let mut curl = Command::new("curl");
    // Over HTTP/2 this curl now and then loses the answer to its first, empty request.
    curl.args(["-sS", "--http1.1", scheme, "-o", "-", "-w", "\n%{http_code}", "--cacert"])
        .arg(server.ca_file());
    curl.args(["-u", &format!("{}:{secret}", device.credentials.0)]);
    for header in [
        format!("content-type: {INITIATION}"),
        format!("accept: {REQUEST}"),
        format!("omadm-devid: {}", device.device_id),
    ] {
        curl.args(["-H", &header]);
    }
    curl.args(["--data", "{}", server.device_uri()]).output().await.expect("curl is installed")
}

fn status(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn curl_logs_in_by_digest() {
    proves!("DM-SEC-002-S-M");
    for digests in [&[Hash::Sha256, Hash::Sha512_256][..], &[Hash::Md5]] {
        let (server, device) = server_with(digests).await;
        let good = curl(&server, &device, "--digest", &device.credentials.1).await;
        assert_eq!(status(&good), "200", "{digests:?}: {good:?}");
        assert!(String::from_utf8_lossy(&good.stdout).contains(r#"{"CMD":[["END"]]}"#));
        assert_eq!(status(&curl(&server, &device, "--digest", "wrong").await), "401");
        assert_eq!(
            status(&curl(&server, &device, "--basic", &device.credentials.1).await),
            "401",
            "not asked for"
        );
    }
    let (server, device) = TestServer::with_device().await;
    assert_eq!(status(&curl(&server, &device, "--basic", &device.credentials.1).await), "200");
    // What stale means is shown with a nonce that was used before.
    let answer = Answerer::challenged(&device, Hash::Sha256).await;
    assert_eq!(answer.send(&device, 1).await.status, 200);
    let replayed = answer.send(&device, 1).await;
    assert!(replayed.challenge("Digest").unwrap().contains("stale=true"));
}

fn digest(hash: Hash, text: &str) -> String {
    let digest = match hash {
        Hash::Md5 => MessageDigest::md5(),
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha512_256 => MessageDigest::from_name("SHA512-256").unwrap(),
    };
    openssl::hash::hash(digest, text.as_bytes()).unwrap().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What a directive of a header says.
fn directive<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!(" {name}="))?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([',', ' ']).next(),
    }
}

/// The response of `RFC 7616 §3.4.1` with qop=auth.
fn response(
    hash: Hash,
    [user, realm, secret]: [&str; 3],
    nonce: &str,
    count: &str,
    cnonce: &str,
    request: &str,
) -> String {
    let (key, target) = (digest(hash, &format!("{user}:{realm}:{secret}")), digest(hash, request));
    digest(hash, &format!("{key}:{nonce}:{count}:{cnonce}:auth:{target}"))
}

/// Answers a challenge of the server, with or without faults.
#[derive(Clone)]
struct Answerer {
    hash: Hash,
    nonce: String,
    secret: String,
    target: &'static str,
    qop: &'static str,
}

impl Answerer {
    async fn challenged(device: &ScriptDevice, hash: Hash) -> Self {
        let reply = device.post(&[("content-type", INITIATION), ("omadm-devid", DEVICE_ID)], b"{}").await;
        assert_eq!(reply.status, 401);
        let challenge = reply.challenge("Digest").expect("a challenge");
        assert_eq!(
            (directive(challenge, "realm"), directive(challenge, "qop")),
            (Some("omadm"), Some("auth"))
        );
        Self {
            hash,
            nonce: directive(challenge, "nonce").unwrap().to_owned(),
            secret: device.credentials.1.clone(),
            target: "/dm/2.0",
            qop: "auth",
        }
    }

    fn proof(&self, device: &ScriptDevice, count: u32, method: &str) -> String {
        let user = [device.credentials.0.as_str(), "omadm", &self.secret];
        let request = format!("{method}:{}", self.target);
        response(self.hash, user, &self.nonce, &format!("{count:08x}"), "abc", &request)
    }

    async fn send(&self, device: &ScriptDevice, count: u32) -> Reply {
        let name = match self.hash {
            Hash::Md5 => "MD5",
            Hash::Sha256 => "SHA-256",
            Hash::Sha512_256 => "SHA-512-256",
        };
        let authorization = format!(
            "Digest username=\"{}\", realm=\"omadm\", nonce=\"{}\", uri=\"{}\", algorithm={name}, qop={}, nc={count:08x}, \
             cnonce=\"abc\", response=\"{}\"",
            device.credentials.0,
            self.nonce,
            self.target,
            self.qop,
            self.proof(device, count, "POST")
        );
        let headers = [
            ("content-type", INITIATION),
            ("accept", REQUEST),
            ("omadm-devid", DEVICE_ID),
            ("authorization", authorization.as_str()),
        ];
        device.post(&headers, b"{}").await
    }
}

#[tokio::test]
async fn the_server_takes_each_nonce_count_once() {
    proves!("D2-9.2.1-02");
    for hash in Hash::ALL {
        let (_server, device) = server_with(&[hash]).await;
        let good = Answerer::challenged(&device, hash).await;
        for count in [1, 3, 2] {
            let reply = good.send(&device, count).await;
            assert_eq!(commands(&reply), [["END"]]);
            let info = format!(" {}", reply.header("authentication-info").unwrap());
            assert_eq!(directive(&info, "rspauth"), Some(good.proof(&device, count, "").as_str()), "{info}");
        }
        let refused = |reply: &Reply| {
            assert_eq!(reply.status, 401);
            reply.challenge("Digest").unwrap().contains("stale=true")
        };
        for count in [1, 2, 3, 0] {
            assert!(refused(&good.send(&device, count).await), "{hash:?}: a count that was used");
        }
        let other = "A".repeat(good.nonce.len());
        assert!(
            refused(&Answerer { nonce: other, ..good.clone() }.send(&device, 4).await),
            "a nonce of nobody"
        );
        for (what, wrong) in [
            ("secret", Answerer { secret: "wrong".into(), ..good.clone() }),
            ("target", Answerer { target: "/dm/2.1", ..good.clone() }),
            ("protection", Answerer { qop: "auth-int", ..good.clone() }),
            (
                "digest",
                Answerer { hash: if hash == Hash::Md5 { Hash::Sha256 } else { Hash::Md5 }, ..good.clone() },
            ),
        ] {
            assert!(!refused(&wrong.send(&device, 5).await), "{hash:?}: wrong {what}");
        }
        assert_eq!(good.send(&device, 5).await.status, 200, "none of these has spoilt the nonce");
    }
}

#[tokio::test]
async fn who_tries_secrets_has_to_wait() {
    let server = TestServer::with(|config| config.auth.user_failures = 3).await;
    let device = server.enrol(DEVICE_ID).await;
    let other = server.enrol("UUID:other").await;
    let thief =
        ScriptDevice { credentials: (device.credentials.0.clone(), "guess".into()), ..device.clone() };
    for _ in 0..3 {
        assert_eq!(thief.begin().await.status, 401);
    }
    for waiting in [&thief, &device] {
        let reply = waiting.begin().await;
        assert_eq!(reply.status, 429, "also with the right secret");
        assert!((1..=2).contains(&reply.header("retry-after").unwrap().parse::<u32>().unwrap()));
    }
    assert_eq!(other.begin().await.status, 200, "other users of the same address go on");
    let events = server.items("/events?limit=1000").await;
    let told = events.iter().find(|event| event["kind"] == "security").expect("an event");
    assert_eq!(
        (&told["body"]["what"], &told["body"]["user"]),
        (&json!("too many failed logins"), &json!(device.credentials.0))
    );
}

fn asks(parameters: &str) -> Answer {
    Answer::status(401).with("www-authenticate", &format!("Digest realm=\"dm\", nonce=\"n1\", {parameters}"))
}

#[tokio::test]
async fn the_device_answers_a_digest_challenge() {
    proves!("DM-SEC-002-C-O");
    for (hash, parameters) in [
        (Hash::Sha256, "algorithm=SHA-256, qop=\"auth,auth-int\""),
        (Hash::Sha512_256, "algorithm=SHA-512-256, qop=\"auth\""),
        (Hash::Md5, "qop=\"auth\""),
    ] {
        let mut bench = Bench::with(|setup| {
            setup.client.preemptive_basic = false;
            setup.client.digests = Hash::ALL.to_vec();
        })
        .await;
        bench.server.say(asks(parameters));
        bench.server.say(Answer::commands(&json!([["GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID"]])));
        let report = bench.session().await;
        assert!(ended(&report), "{report:?}");
        let sent = bench.server.requests();
        assert_eq!(sent.len(), 3, "one round trip more in all");
        assert_eq!(sent[0].header("authorization"), None);
        for (request, count) in [(&sent[1], "00000001"), (&sent[2], "00000002")] {
            let given = request.header("authorization").unwrap();
            let say = |name| directive(given, name).unwrap_or_else(|| panic!("{name} in {given}"));
            let expected = response(
                hash,
                [USER, "dm", SECRET],
                "n1",
                count,
                say("cnonce"),
                &format!("POST:{}", request.target),
            );
            assert_eq!(
                (say("nc"), say("response"), say("uri")),
                (count, expected.as_str(), request.target.as_str())
            );
        }
        assert!(!sent.iter().any(|request| format!("{request:?}").contains(SECRET)));
    }
    for unusable in ["algorithm=SHA3-256, qop=\"auth\"", "algorithm=MD5, qop=\"auth\"", "algorithm=SHA-256"] {
        let mut bench = Bench::with(|setup| setup.client.preemptive_basic = false).await;
        bench.server.say(asks(unusable));
        let report = bench.session().await;
        assert!(
            matches!(report.outcome, Outcome::Aborted { http_status: Some(401), .. }),
            "{unusable}: {report:?}"
        );
        assert_eq!(bench.server.requests().len(), 1, "{unusable}");
    }
}

#[tokio::test]
async fn the_device_wants_the_server_to_know_the_secret() {
    proves!("D2-9.2.1-06");
    let server = TestServer::with(|config| config.auth.basic = false).await;
    let enrolled = server.rest(Method::POST, "/devices", Some(&json!({ "id": DEVICE_ID }))).await.json();
    let text = |member: &str| enrolled[member].as_str().unwrap().to_owned();
    let mut account = Account::new("omadm", server.device_uri());
    account.credentials = (text("user"), text("secret"));
    for preemptive in [true, false] {
        let mut setup = DeviceSetup::new([account.clone()], Some(server.ca_file()));
        setup.client.preemptive_basic = preemptive;
        let report = setup.open().session("omadm").await;
        assert!(ended(&report), "a server with Digest only: {report:?}");
    }
    let mut bench = Bench::with(|setup| setup.client.preemptive_basic = false).await;
    bench.server.say(asks("algorithm=SHA-256, qop=\"auth\""));
    bench
        .server
        .say(Answer::commands(&json!([["END"]])).with("authentication-info", "rspauth=\"00\", qop=auth"));
    let report = bench.session().await;
    assert!(!ended(&report), "{report:?}");
    for (again, packages) in [("stale=true, ", 3), ("", 2)] {
        let mut bench = Bench::with(|setup| setup.client.preemptive_basic = false).await;
        for _ in 0..9 {
            bench.server.say(asks(&format!("{again}algorithm=SHA-256, qop=\"auth\"")));
        }
        let report = bench.session().await;
        assert!(matches!(report.outcome, Outcome::Aborted { http_status: Some(401), .. }), "{report:?}");
        assert_eq!(bench.server.requests().len(), packages, "{again}");
    }
}

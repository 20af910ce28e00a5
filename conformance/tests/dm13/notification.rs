//! Notifications of DM 1.2 and 1.3 between the real server and the real agent (`DM 1.2 NOTI`, `DM 1.3 NOTI`). Those that are written by
//! hand are made here, by openssl's MD5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_conformance::{AgentProcess, Dissection, Kannel, TestServer, omadm, proves};
use omadm_server::config::{Dm1Format, ObjectNumber, Span, UiMode};
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::process::Child;

const DEVDETAIL: &str = "urn:oma:mo:oma-dm-devdetail:1.1";
/// What it is in notifications here, on both sides.
const DEVDETAIL_NUMBER: u16 = 0x0304;
/// ServerID of the server under test.
const SERVER: &[u8] = b"omadm";
const DMACC: &str = "urn:oma:mo:oma-dm-dmacc:1.1";
const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";

/// A server that notifies at once, and again soon.
async fn eager(change: impl FnOnce(&mut omadm_server::Config)) -> TestServer {
    TestServer::with(|config| {
        config.notifier.min_interval = Span::secs(0);
        config.notifier.retry_after = Span::secs(1);
        config.notifier.longest_retry = Span::secs(1);
        config.notifier.max_attempts = 100;
        config.notifier.dm1_objects =
            vec![ObjectNumber { number: DEVDETAIL_NUMBER, moid: DEVDETAIL.to_owned() }];
        change(config);
    })
    .await
}

/// A device of DM 1.x that runs and listens.
struct Device {
    agent: AgentProcess,
    /// Where it listens.
    port: u16,
    /// Where the server thinks that it does, so that what is sent can be seen.
    between: UdpSocket,
    /// The answer to its enrolment.
    enrolled: Value,
    process: Option<Child>,
}

impl Device {
    /// Enrols it; `more` are further members of its account. It has had a session if `is_known`, and runs with these `settings`.
    async fn new(server: &TestServer, id: &str, is_known: bool, more: &Value, settings: &str) -> Self {
        let agent = AgentProcess::new(&server.ca_file(), id, "").await;
        let (account, enrolled) = agent.dm1_enrolment(server, more).await;
        let account = account.display().to_string();
        let mut accounts = String::new();
        if is_known {
            agent.run(&["bootstrap", &account]).await;
        } else {
            accounts = format!("accounts = [{account:?}]");
        }
        Self::of(server, agent, enrolled, &format!("[dm1]\n{accounts}\n{settings}"), free_port().await).await
    }

    /// Runs it with these settings.
    async fn of(
        server: &TestServer,
        agent: AgentProcess,
        enrolled: Value,
        settings: &str,
        port: u16,
    ) -> Self {
        let between = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut device = Self { agent, port, between, enrolled, process: None };
        device.configure(settings);
        device.start().await;
        let address = format!("udp:127.0.0.1:{}", device.between.local_addr().unwrap().port());
        let body = json!({ "addresses": [address] });
        let reply = server.rest(Method::PUT, &format!("/devices/{}/push", device.id()), Some(&body)).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        device
    }

    fn configure(&self, settings: &str) {
        let port = self.port;
        self.agent.configure(&format!(
            "{settings}\n[session]\npoll_interval = 0\n[notification]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\n\
             dm1_objects = [{{ number = {DEVDETAIL_NUMBER}, moid = {DEVDETAIL:?} }}]"
        ));
    }

    async fn start(&mut self) {
        self.process = Some(self.agent.start());
        self.agent.ready().await;
    }

    async fn stop(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    fn id(&self) -> &str {
        &self.agent.device_id
    }

    /// The next push of the server.
    async fn push(&self) -> Vec<u8> {
        let mut buffer = [0; 4_096];
        let (length, _) = self.between.recv_from(&mut buffer).await.unwrap();
        buffer[..length].to_vec()
    }

    /// The next push of the server that is about another session than `before`.
    async fn push_after(&self, before: u16) -> Vec<u8> {
        loop {
            let push = self.push().await;
            if push[6 + 21..6 + 23] != before.to_be_bytes() {
                return push;
            }
        }
    }

    /// Lets a push reach the device.
    async fn deliver(&self, push: &[u8]) {
        self.between.send_to(push, ("127.0.0.1", self.port)).await.unwrap();
    }

    /// Hands a push to the device as another program on it would; `None` if it takes it, else why not.
    async fn hand(&self, push: &[u8]) -> Option<String> {
        refusal(&self.agent.say(&json!({ "push": digits(push) })).await)
    }

    /// Hands it over until it is a repetition: it was answered by then.
    async fn hand_until_answered(&self, push: &[u8]) -> String {
        loop {
            if let Some(refused) = self.hand(push).await {
                return refused;
            }
        }
    }

    /// Has the operator notify it by hand.
    async fn notify(&self, server: &TestServer, wish: &Value) -> Value {
        let reply = server.rest(Method::POST, &format!("/devices/{}/notify", self.id()), Some(wish)).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Secret of the server in sessions, and nonce that the server has of the device.
    fn secret(&self) -> Vec<u8> {
        self.enrolled["dm1"][0]["server_secret"].as_str().unwrap().as_bytes().to_vec()
    }

    fn nonce(&self, server: &TestServer) -> Vec<u8> {
        server.nonce_towards(self.id())
    }

    /// Waits until a session has answered the notification of this number.
    async fn answered(&self, server: &TestServer, id: u16) {
        let path = format!("/events?device={}&limit=1000", self.id());
        let answers = |event: &Value| event["body"]["what"] == "answered" && event["body"]["id"] == id;
        while !server.items(&path).await.iter().any(answers) {
            tokio::task::yield_now().await;
        }
    }

    async fn sessions(&self, server: &TestServer) -> usize {
        server.items(&format!("/devices/{}/sessions", self.id())).await.len()
    }

    /// The first message of its last session, in XML.
    async fn first_message(&self, server: &TestServer) -> String {
        self.messages(server).await.swap_remove(0)
    }

    /// The messages of its last session, in XML.
    async fn messages(&self, server: &TestServer) -> Vec<String> {
        let sessions = server.items(&format!("/devices/{}/sessions", self.id())).await;
        let last = sessions.iter().filter_map(|session| session["session"].as_i64()).max().unwrap();
        let trace = server.get(&format!("/devices/{}/sessions/{last}", self.id())).await;
        let messages = trace["messages"].as_array().unwrap().iter();
        messages.map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A port of UDP that is free now.
async fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn refusal(answer: &Value) -> Option<String> {
    if answer == "taken" { None } else { Some(answer["refused"].as_str().unwrap().to_owned()) }
}

fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// H(B64(H(server:secret)):nonce:B64(H(octets))).
fn digest(secret: &[u8], nonce: &[u8], octets: &[u8]) -> Vec<u8> {
    let md5 = |octets: &[u8]| hash(MessageDigest::md5(), octets).unwrap().to_vec();
    let text = |octets: &[u8]| STANDARD.encode(md5(octets)).into_bytes();
    md5(&[&text(&[SERVER, b":", secret].concat()), &b":"[..], nonce, b":", &text(octets)].concat())
}

/// A push PDU with this code of a content type.
fn push_of(content_type: u8, application: u8, package: &[u8]) -> Vec<u8> {
    [&[0x01, 0x06, 0x03, content_type, 0xaf, application][..], package].concat()
}

/// A push with a trigger; `head` is version, ui-mode and initiator.
fn trigger(secret: &[u8], nonce: &[u8], head: [u8; 5], session: u16, server: &[u8]) -> Vec<u8> {
    let length = u8::try_from(server.len()).unwrap();
    let octets = [&head[..], &session.to_be_bytes(), &[length], server].concat();
    push_of(0xc4, 0x87, &[digest(secret, nonce, &octets), octets].concat())
}

const BACKGROUND: [u8; 5] = [0x02, 0xd8, 0, 0, 0];
const ASK: [u8; 5] = [0x02, 0xf8, 0, 0, 0];

/// Package#0 of DM 1.3: `days` until it is outdated, and options after Server-ID.
fn extended(secret: &[u8], nonce: &[u8], ui: u8, session: u16, days: u8, options: &[(u8, &[u8])]) -> Vec<u8> {
    let option = |number: u8, value: &[u8]| {
        let head = u16::from(number) << 12 | u16::try_from(value.len()).unwrap();
        [&head.to_be_bytes()[..], value].concat()
    };
    let count = u8::try_from(options.len() + 1).unwrap();
    let mut octets = vec![0x12 | ui << 2, count];
    octets.extend(session.to_be_bytes());
    octets.extend([days, 0, 0, 0]);
    octets.extend(option(1, SERVER));
    options.iter().for_each(|(number, value)| octets.extend(option(*number, value)));
    let digest = digest(secret, nonce, &octets);
    octets.extend(digest);
    octets
}

/// The nonce of a device that has had no session yet.
const FRESH: &[u8] = b"";

#[tokio::test]
async fn a_command_wakes_a_device_of_dm_1_x() {
    proves!(
        "P13-DMPRO-5-03",
        "P13-DMNOTI-5-01",
        "P13-DMNOTI-6-01",
        "P13-DMNOTI-7.1-01",
        "OMA-ERDEF-DM-C-003-O",
        "OMA-ERDEF-DM-S-003-O",
        "E13-DMNOTI",
        "E13-OMNA-PUSH-07"
    );
    let server = eager(|_| {}).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1300";
    let device = Device::new(&server, id, true, &json!({}), "").await;
    let mut numbers = vec![0];
    for round in 0..2 {
        let command = server.queue_for(id, &json!({ "verb": "get", "address": MAN })).await;
        let push = device.push_after(numbers[round]).await;
        assert_eq!(push[1..6], [0x06, 0x03, 0xc4, 0xaf, 0x87], "Push, content type 0x44, application 0x07");
        let (found, package) = (Dissection::of_pushes(&[&push]), &push[6..]);
        assert!(!found[0].is_malformed(), "{found:?}");
        let content_type = found[0].field("wsp.header.content_type");
        assert_eq!(content_type, Some("application/vnd.syncml.notification"), "{found:?}");
        let application = found[0].field("wsp.header.x_wap_application_id");
        assert_eq!(application, Some("x-wap-application:syncml.dm"), "{found:?}");

        let session = u16::from_be_bytes([package[21], package[22]]);
        let head = [0x02, 0xc8, 0, 0, 0];
        let made = trigger(&device.secret(), &device.nonce(&server), head, session, SERVER);
        assert_eq!(push[2..], made[2..], "as written by hand with what the device said last");
        assert_eq!(device.push().await[2..], push[2..], "and so again while nobody comes");
        device.deliver(&push).await;
        device.answered(&server, session).await;
        while server.command(&command).await["state"] != "done" {
            tokio::task::yield_now().await;
        }
        let first = device.first_message(&server).await;
        assert!(first.contains(&format!("<SessionID>{session:X}</SessionID>")), "{first}");
        assert!(first.contains("<Data>1200</Data>"), "{first}");
        numbers.push(session);
        // What came again meanwhile is of no use.
        let sessions = device.sessions(&server).await;
        let refused = device.hand(&push).await.unwrap();
        assert!(refused.contains("was there already") || refused.contains("digest is wrong"), "{refused}");
        assert_eq!(device.sessions(&server).await, sessions);
    }
    assert_eq!(numbers[2], numbers[1].wrapping_add(1).max(1), "another session has another number");
}

#[tokio::test]
async fn a_notification_of_dm_1_3_has_what_it_says_done() {
    proves!(
        "P13-DMNOTI-6-02",
        "P13-DMNOTI-6.1-01",
        "P13-DMNOTI-6.4.1-01",
        "P13-DMNOTI-6.4.9-01",
        "OMA-ERDEF-DM-S-003-O",
        "E13-DMNOTI",
        "E13-4.3-01",
        "E13-OMNA-CT-58"
    );
    let server = eager(|config| {
        config.notifier.dm1_format = Dm1Format::Auto;
        config.notifier.dm1_ui = UiMode::Background;
        config.notifier.dm1_bearers = vec![2, 1];
        config.notifier.dm1_timeout_days = 3;
    })
    .await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1301";
    let mut device = Device::new(&server, id, true, &json!({}), "").await;
    let wish = json!({ "reason": "new firmware", "request_mos": [DEVDETAIL, "7"], "target_mos": ["5"] });
    let notified = device.notify(&server, &wish).await;
    assert_eq!(notified["format"], "1.3");
    let push = device.push().await;
    assert_eq!(push[1..6], [0x06, 0x03, 0xd8, 0xaf, 0x87], "Push, content type 0x58, application 0x07");
    let session = u16::try_from(notified["id"].as_u64().unwrap()).unwrap();
    let options: [(u8, &[u8]); 6] =
        [(2, &[0, 5]), (3, &[3, 4]), (3, &[0, 7]), (4, &[2]), (4, &[1]), (5, b"new firmware")];
    let made = extended(&device.secret(), &device.nonce(&server), 1, session, 3, &options);
    assert_eq!(push[6..], made, "as written by hand");
    let found = Dissection::of_pushes(&[&push]);
    assert!(!found[0].is_malformed(), "{found:?}");
    assert!(found[0].field("wsp.header.content_type").unwrap().contains("0x58"), "{found:?}");

    device.deliver(&push).await;
    device.answered(&server, session).await;
    let first = device.first_message(&server).await;
    assert!(first.contains(&format!("<SessionID>{session:X}</SessionID>")), "{first}");
    assert!(first.contains("<Data>1200</Data>") && first.contains("<VerProto>DM/1.3</VerProto>"), "{first}");
    let (_, object) =
        first.split_once("<LocURI>./DevDetail</LocURI>").expect("the object that was asked for");
    let object = object.split_once("<Data>").unwrap().1.split_once("</Data>").unwrap().0;
    let object = STANDARD.decode(object).unwrap();
    assert!(object.windows(DEVDETAIL.len()).any(|window| window == DEVDETAIL.as_bytes()), "TNDS: {first}");
    device.stop().await;

    let shown = tempfile::tempdir().unwrap();
    let file = shown.path().join("push");
    std::fs::write(&file, &push).unwrap();
    let decoded = omadm(&["decode", file.to_str().unwrap()]).await;
    let decoded = String::from_utf8(decoded.stdout).unwrap();
    for line in
        ["VER 1, UI-MODE background, INITIATOR server", "TIMEOUT 3 days", "Connect-Reason new firmware"]
    {
        assert!(decoded.contains(line), "{line}: {decoded}");
    }
}

#[tokio::test]
async fn what_is_no_notification_of_the_server_is_ignored() {
    proves!(
        "OMA-ERDEF-DM-C-003-O",
        "P13-DMNOTI-6-01",
        "P13-DMNOTI-6.1-01",
        "P13-DMNOTI-6.4.1-01",
        "P13-DMPRO-5-03",
        "E13-OMNA-PUSH-07",
        "E13-DMNOTI"
    );
    let server = eager(|_| {}).await;
    let nonce = FRESH;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1302";
    let device = Device::new(&server, id, false, &json!({}), "").await;
    let secret = device.secret();
    let good = |session| trigger(&secret, nonce, BACKGROUND, session, SERVER);
    let mut wrong_digest = good(1);
    wrong_digest[6] ^= 1;
    let mut past_end = good(1);
    past_end[6 + 23] = 255;
    let reason = [b'r'; 4_095];
    let noti = |options: &[(u8, &[u8])]| extended(&secret, nonce, 1, 1, 0, options);
    let pushed = |package: &[u8]| push_of(0xd8, 0x87, package);
    let mut cut = noti(&[(5, &reason)]);
    cut.drain(100..200);
    let mut version = noti(&[]);
    version[0] = 0x32;
    let mut altered = noti(&[(5, &reason)]);
    altered[100] ^= 1;
    for (push, why) in [
        (wrong_digest, "the digest is wrong"),
        (trigger(b"another", nonce, BACKGROUND, 1, SERVER), "the digest is wrong"),
        (trigger(&secret, b"old", BACKGROUND, 1, SERVER), "the digest is wrong"),
        (trigger(&secret, nonce, BACKGROUND, 1, b"nobody"), "there is no account of nobody"),
        (trigger(&secret, nonce, BACKGROUND, 0, SERVER), "sessionid"),
        (trigger(&secret, nonce, [0x03, 0x18, 0, 0, 0], 1, SERVER), "version is 12"),
        (trigger(&secret, nonce, [0x03, 0x58, 0, 0, 0], 1, SERVER), "version"),
        (past_end, "server-identifier"),
        (push_of(0xc4, 0x87, &good(1)[6..29]), "too early"),
        (push_of(0xc4, 0x88, &good(1)[6..]), "not for device management"),
        (push_of(0xce, 0x87, &good(1)[6..]), "not for device management"),
        (push_of(0xd8, 0x87, &good(1)[6..]), "no notification"),
        (pushed(&cut), "Connect-Reason"),
        (pushed(&version), "VER"),
        (pushed(&altered), "the digest is wrong"),
        (pushed(&extended(&secret, nonce, 1, 0, 0, &[])), "SESSIONID"),
        (pushed(&extended(&secret, nonce, 1, 1, 0, &[(1, SERVER)])), "Server-ID"),
        (pushed(&extended(&secret, b"old", 1, 1, 0, &[])), "the digest is wrong"),
    ] {
        let refused = device.hand(&push).await.unwrap_or_else(|| panic!("{why}: taken"));
        assert!(refused.contains(why), "{why}: {refused}");
    }
    assert_eq!(device.sessions(&server).await, 0);

    // The longest reason there can be, and a session of the number that it names; the older trigger beside it.
    assert_eq!(device.hand(&pushed(&extended(&secret, nonce, 1, 0xa1, 0, &[(5, &reason)]))).await, None);
    while device.sessions(&server).await == 0 {
        tokio::task::yield_now().await;
    }
    let first = device.first_message(&server).await;
    assert!(first.contains("<SessionID>A1</SessionID>"), "{first}");
}

#[tokio::test]
async fn what_was_answered_is_not_answered_again() {
    proves!("E13-DMNOTI", "P13-DMNOTI-6.4.10-01");
    let server = eager(|_| {}).await;
    let nonce = FRESH;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1303";
    let mut device = Device::new(&server, id, false, &json!({}), "").await;
    let secret = device.secret();
    let older = trigger(&secret, nonce, [0x02, 0x98, 0, 0, 0], 0x000a, SERVER);
    let outdated = extended(&secret, nonce, 1, 7, 1, &[]);
    let lasting = extended(&secret, nonce, 1, 7, 0, &[]);
    let sms = |package: &[u8]| {
        let data = [&[0x06, 0x05, 0x04, 0x0b, 0x84, 0x23, 0xf0][..], &push_of(0xd8, 0x87, package)].concat();
        let head = "44048121430004 11112111213400".replace(' ', "");
        let length = u8::try_from(data.len()).unwrap();
        json!({ "sms": format!("{head}{}{}", digits(&[length]), digits(&data)) })
    };
    let refused = refusal(&device.agent.say(&sms(&outdated)).await).unwrap();
    assert!(refused.ends_with("s old"), "a short message of 2011: {refused}");

    assert_eq!(device.hand(&older).await, None, "version 1.0");
    while device.sessions(&server).await == 0 {
        tokio::task::yield_now().await;
    }
    let first = device.first_message(&server).await;
    assert!(first.contains("<SessionID>A</SessionID>"), "no leading zeros: {first}");
    for _ in 0..2 {
        let refused = device.hand(&older).await.unwrap();
        assert!(refused.contains("was there already") || refused.contains("digest is wrong"), "{refused}");
        device.stop().await;
        device.start().await;
    }
    let taken = refusal(&device.agent.say(&sms(&lasting)).await);
    assert!(taken.is_none_or(|why| why.contains("digest is wrong")), "without an end it is never outdated");
}

#[tokio::test]
async fn notifications_have_credentials_of_their_own() {
    proves!("E13-4.3-11");
    let server = eager(|config| {
        config.notifier.dm1_format = Dm1Format::Extended;
        config.notifier.dm1_own_credentials = true;
    })
    .await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1304";
    let agent = AgentProcess::new(&server.ca_file(), id, "").await;
    let (account, enrolled) = agent.dm1_enrolment(&server, &json!({})).await;
    // What the server answers is an account as it is.
    std::fs::write(&account, enrolled.to_string()).unwrap();
    agent.run(&["bootstrap", account.to_str().unwrap()]).await;
    let own = enrolled["dm1"][0]["notification_secret"].as_str().unwrap().to_owned();
    let device = Device::of(&server, agent, enrolled, "", free_port().await).await;

    let secret =
        json!({ "verb": "set", "address": format!("{DMACC}//AppAuth/2/AAuthSecret"), "value": "changed" });
    let command = server.queue_for(id, &secret).await;
    let push = device.push().await;
    let (octets, proof) = push[6..].split_at(push.len() - 6 - 32);
    let sha256 = |octets: &[u8]| STANDARD.encode(hash(MessageDigest::sha256(), octets).unwrap()).into_bytes();
    let key = sha256(&[SERVER, b":", own.as_bytes()].concat());
    let made = hash(MessageDigest::sha256(), &[&key, &b"::"[..], &sha256(octets)].concat()).unwrap();
    assert_eq!(proof, &made[..], "as written by hand, without a nonce");
    device.deliver(&push).await;
    while server.command(&command).await["state"] != "done" {
        tokio::task::yield_now().await;
    }

    device.notify(&server, &json!({ "format": "1.2" })).await;
    let by_session = device.push().await;
    let refused = device.hand(&by_session).await.unwrap();
    assert!(refused.contains("the digest is wrong"), "those of sessions are others now: {refused}");
    device.notify(&server, &json!({})).await;
    assert_eq!(device.hand(&device.push().await).await, None, "and these are still the same");
}

#[tokio::test]
async fn a_lost_nonce_is_found_again() {
    proves!("E13-DMNOTI", "OMA-ERDEF-DM-C-003-O", "OMA-ERDEF-DM-S-003-O");
    let server = eager(|config| config.notifier.dm1_default_nonce_after = 1).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1305";
    let mut device = Device::new(&server, id, true, &json!({}), "").await;
    device.stop().await;
    // The same account with another nonce.
    let of = &device.enrolled["dm1"][0];
    let credentials = |user: &Value, password: &Value, nonce: &[u8]| json!({ "type": "SHA256", "user": user, "password": password, "nonce": STANDARD.encode(nonce) });
    let account = json!({ "dm1": {
        "server_id": of["server_id"],
        "addresses": [of["server_uri"]],
        "client": credentials(&device.enrolled["user"], &device.enrolled["secret"], b"lost"),
        "server": credentials(&of["server_id"], &of["server_secret"], b"lost"),
    } });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("account.json");
    std::fs::write(&file, account.to_string()).unwrap();
    device.configure(&format!("[dm1]\naccounts = [{file:?}]"));
    device.start().await;

    let secret = device.secret();
    let command = server.queue_for(id, &json!({ "verb": "get", "address": MAN })).await;
    let first = device.push().await;
    assert!(device.hand(&first).await.unwrap().contains("the digest is wrong"));
    let again = device.push().await;
    let session = u16::from_be_bytes([again[6 + 21], again[6 + 22]]);
    let head = [0x02, 0xc8, 0, 0, 0];
    assert_eq!(again[2..], trigger(&secret, &[0; 4], head, session, SERVER)[2..], "with the default nonce");
    device.deliver(&again).await;
    device.answered(&server, session).await;
    while server.command(&command).await["state"] != "done" {
        tokio::task::yield_now().await;
    }
    let begun = device.messages(&server).await.concat();
    assert!(
        !begun.contains("<Data>401</Data>"),
        "the device begins with it, too, and so the server answers: {begun}"
    );

    let notified = device.notify(&server, &json!({})).await;
    let next = device.push_after(session).await;
    let number = u16::try_from(notified["id"].as_u64().unwrap()).unwrap();
    assert_eq!(next[2..], trigger(&secret, &device.nonce(&server), head, number, SERVER)[2..]);
    assert!(!device.nonce(&server).is_empty() && device.nonce(&server) != [0; 4], "a new one");
    device.deliver(&next).await;
    device.answered(&server, number).await;
    let refused = device.hand(&again).await.unwrap();
    assert!(refused.contains("was there already"), "{refused}");
    let refused = device.hand(&trigger(&secret, &[0; 4], head, 0x0999, SERVER)).await.unwrap();
    assert!(refused.contains("not again so soon"), "{refused}");
}

#[tokio::test]
async fn the_default_nonce_may_be_written_as_text() {
    proves!("OMA-ERDEF-DM-C-003-O");
    let server = eager(|_| {}).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1306";
    let device = Device::new(&server, id, false, &json!({}), "").await;
    let text = trigger(&device.secret(), b"0x00000000", BACKGROUND, 3, SERVER);
    assert_eq!(device.hand(&text).await, None);
    let other = trigger(&device.secret(), &[0; 4], BACKGROUND, 4, SERVER);
    let refused = device.hand(&other).await.unwrap();
    assert!(refused.contains("not again so soon"), "{refused}");
}

#[tokio::test]
async fn the_user_is_asked_told_or_left_alone() {
    proves!("E13-4.3-01", "E13-DMNOTI", "P13-DMNOTI-6.1-01");
    let server = eager(|_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let (shown, consent) = (directory.path().join("shown"), directory.path().join("consent"));
    let script = format!("cat > {shown:?}; test -e {consent:?} && echo yes || echo no").replace('"', "'");
    let settings = format!("user = \"command\"\nuser_command = [\"sh\", \"-c\", {script:?}]");
    let nonce = FRESH;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1307";
    let device = Device::new(&server, id, false, &json!({}), &settings).await;
    let secret = device.secret();
    let asked = trigger(&secret, nonce, ASK, 1, SERVER);
    let refused = device.hand_until_answered(&asked).await;
    assert!(refused.contains("was there already"), "{refused}");
    let question: Value = serde_json::from_slice(&std::fs::read(&shown).unwrap()).unwrap();
    assert_eq!((&question["kind"], &question["server"]), (&json!("confirm"), &json!("omadm")));
    assert_eq!(device.sessions(&server).await, 0, "the user did not want it, and nobody is told");

    std::fs::write(&consent, "").unwrap();
    let why = [(5, "your\u{7} bill".as_bytes())];
    let asked = push_of(0xd8, 0x87, &extended(&secret, nonce, 3, 2, 0, &why));
    device.hand_until_answered(&asked).await;
    let question: Value = serde_json::from_slice(&std::fs::read(&shown).unwrap()).unwrap();
    assert_eq!(question["text"], "wants to manage this device: your bill");
    let first = device.first_message(&server).await;
    assert!(first.contains("<SessionID>2</SessionID>") && first.contains("<Data>1200</Data>"), "{first}");
}

#[tokio::test]
async fn kannel_carries_notifications_of_both_forms() {
    proves!("P13-DMNOTI-7.1-01", "OMA-ERDEF-DM-C-003-O", "E13-OMNA-CT-58", "E13-OMNA-PUSH-07");
    let gateway = Kannel::start().await;
    let server = eager(|_| {}).await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1308";
    let agent = AgentProcess::new(&server.ca_file(), id, "").await;
    let (account, enrolled) = agent.dm1_enrolment(&server, &json!({})).await;
    agent.run(&["bootstrap", account.to_str().unwrap()]).await;
    // What the gateway sends always goes to this port.
    let device = Device::of(&server, agent, enrolled, "", 2_948).await;
    for (form, content_type) in
        [("1.2", "application/vnd.syncml.notification"), ("1.3", "application/vnd.syncml.dm.notification")]
    {
        let notified = device.notify(&server, &json!({ "format": form })).await;
        let push = device.push().await;
        let answer = gateway.push(content_type, &push[6..]).await;
        assert!(answer.contains("1001"), "accepted for processing: {answer}");
        let number = u16::try_from(notified["id"].as_u64().unwrap()).unwrap();
        device.answered(&server, number).await;
    }
}

//! Commands of DM 1.3 that come to a device without a session.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use omadm_auth::dm1::{Keys, NonceHistory};
use omadm_client::dm1::{Note, SessionlessConfig};
use omadm_client::push::PushOrigin;
use omadm_client::{Client, ClientConfig, Device, Ignored, PushContent, Secret};
use omadm_codec::media_type::SYNCML_DM_WBXML;
use omadm_mo::{ServerId, Time};
use omadm_session::dm1::server::{self, Capabilities, Task, sessionless};
use serde_json::json;

use support::device::{DEVICE_ID, Full, Hands, transport, value};
use support::dm1::{SERVER_PASSWORD, SERVER_USER, account, open, set, with};
use support::tls::Authority;

const ADDRESS: &str = "https://dm.example/dm";
/// Messages that are remembered one by one.
const REMEMBERED: u64 = 64;

fn credentials(password: &str) -> serde_json::Value {
    json!({ "type": "HMAC-SHA256", "user": SERVER_USER, "password": password })
}

/// A device that takes commands without a session, on a memory.
fn on(authority: &Authority, memory: &Full, settings: SessionlessConfig) -> Client {
    let mut device = open(memory.clone(), &Hands::default());
    device.install_dm1_account(&account(ADDRESS, json!({ "server": credentials(SERVER_PASSWORD) }))).unwrap();
    let mut config = ClientConfig::default();
    config.dm1.sessionless = Some(settings);
    Client::new(device, transport(authority, Duration::from_secs(1)), config)
}

fn made(number: u64, task: &Task) -> server::Sessionless {
    let account = server::Account {
        device_id: DEVICE_ID.to_owned(),
        user: String::new(),
        client_keys: None,
        client_nonce: Vec::new(),
        used_nonces: NonceHistory::default(),
        client_scheme: None,
        server_user: SERVER_USER.to_owned(),
        server_keys: Some(Keys::of(SERVER_USER, &Secret::new(SERVER_PASSWORD.into()))),
        server_nonce: Vec::new(),
        server_scheme: None,
        default_nonce: false,
        transport_authenticated: false,
        resp_uri: None,
        capabilities: Capabilities::default(),
    };
    sessionless(&server::Config::new(Secret::new(vec![1])), &account, ADDRESS, number, task).unwrap()
}

/// A push that sets the value to the number of the message.
fn push(number: u64) -> PushContent {
    let server::Sessionless { hmac, body } = made(number, &set("./Thing/Value", &number.to_string()));
    PushContent {
        content_type: SYNCML_DM_WBXML.to_owned(),
        application: None,
        hmac: Some(hmac),
        body: Bytes::from(body),
        via: PushOrigin { by: "a test".to_owned(), authenticated: false, sent: None },
    }
}

fn is_taken(client: &mut Client, push: &PushContent) -> bool {
    match client.carry_out_dm1(push) {
        Ok(report) => report.has_ended(),
        Err(_) => false,
    }
}

#[test]
fn a_message_is_carried_out_once_and_says_so() {
    let (authority, memory) = (Authority::new(), Full::default());
    let mut client = on(&authority, &memory, SessionlessConfig::default());
    let report = client.carry_out_dm1(&push(5)).unwrap();
    assert_eq!((report.server.as_str(), report.messages), ("s1", 0));
    let answered = |note: &Note| matches!(note, Note::Answered { status: 200, .. });
    assert!(report.has_ended() && report.notes.iter().any(answered), "{report:#?}");
    assert_eq!(value(client.device()), "5");
    assert!(matches!(client.carry_out_dm1(&push(5)), Err(Ignored::Repeated(5))));
}

#[test]
fn those_that_overtake_each_other_are_taken_as_long_as_they_are_remembered() {
    let (authority, memory) = (Authority::new(), Full::default());
    let mut client = on(&authority, &memory, SessionlessConfig::default());
    for number in (2..REMEMBERED * 2).step_by(2) {
        assert!(is_taken(&mut client, &push(number)), "{number}");
    }
    assert!(is_taken(&mut client, &push(1)), "63 others are remembered");
    assert!(is_taken(&mut client, &push(3)), "one more makes the oldest forgotten");
    for number in [1, 2, 3, 4, 126] {
        assert!(!is_taken(&mut client, &push(number)), "{number} was there");
    }
    assert!(is_taken(&mut client, &push(u64::MAX)), "now what is below 3 may have been there");
    assert!(!is_taken(&mut client, &push(u64::MAX)));
    assert!(!is_taken(&mut client, &push(1)));
    assert!(is_taken(&mut client, &push(5)));
}

#[test]
fn what_cannot_be_remembered_is_not_done() {
    let (authority, memory) = (Authority::new(), Full::default());
    let mut client = on(&authority, &memory, SessionlessConfig::default());
    let before = value(client.device());
    memory.fill(true);
    assert!(matches!(client.carry_out_dm1(&push(1)), Err(Ignored::NotKept(_))));
    assert_eq!(value(client.device()), before);
    // It was remembered, and could not be done: it is not done later.
    memory.fill_after(1);
    let report = client.carry_out_dm1(&push(1)).unwrap();
    let failed = |note: &Note| matches!(note, Note::Answered { status, .. } if *status >= 300);
    assert!(report.notes.iter().any(failed), "{report:#?}");
    assert_eq!(value(client.device()), before);
    memory.fill(false);
    assert!(matches!(client.carry_out_dm1(&push(1)), Err(Ignored::Repeated(1))));
    assert!(is_taken(&mut client, &push(2)));
}

#[test]
fn the_time_of_the_bearer_counts_where_there_is_one() {
    let (authority, memory) = (Authority::new(), Full::default());
    let settings = SessionlessConfig { max_age: Duration::from_secs(60), ..SessionlessConfig::default() };
    let mut client = on(&authority, &memory, settings);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let sent = |number, ago: i64| {
        let mut push = push(number);
        push.via.sent = Some(Time::from_secs(now - ago));
        push
    };
    assert!(matches!(client.carry_out_dm1(&sent(1, 3_600)), Err(Ignored::TooOld { seconds: 3_600.. })));
    assert!(is_taken(&mut client, &sent(1, 5)), "it was not remembered when it was too old");
}

#[test]
fn a_sender_that_the_transport_proves_is_believed_only_where_the_settings_name_it() {
    let (authority, memory) = (Authority::new(), Full::default());
    let trusted = |servers: &[&str]| SessionlessConfig {
        trusted: servers.iter().map(|server| ServerId::parse(server).unwrap()).collect(),
        ..SessionlessConfig::default()
    };
    let bare = |number, authenticated| {
        let mut push = push(number);
        push.hmac = None;
        push.via.authenticated = authenticated;
        push
    };
    let mut client = on(&authority, &memory, trusted(&[]));
    assert!(matches!(client.carry_out_dm1(&bare(1, true)), Err(Ignored::Unproved)));
    client = on(&authority, &memory, trusted(&["other"]));
    assert!(matches!(client.carry_out_dm1(&bare(1, true)), Err(Ignored::Unproved)));
    client = on(&authority, &memory, trusted(&["s1"]));
    assert!(matches!(client.carry_out_dm1(&bare(1, false)), Err(Ignored::Unproved)));
    let mut wrong = push(1);
    wrong.via.authenticated = true;
    wrong.hmac = Some("algorithm=SHA256, username=\"s1\", mac=AAAA".to_owned());
    assert!(
        matches!(client.carry_out_dm1(&wrong), Err(Ignored::Unproved)),
        "who proves badly is not believed"
    );
    assert!(is_taken(&mut client, &bare(1, true)));
    assert!(!is_taken(&mut client, &bare(1, true)), "once, too");
    assert_eq!(value(client.device()), "1");
}

#[test]
fn nothing_is_taken_by_default() {
    let (authority, memory) = (Authority::new(), Full::default());
    let device: Device = open(memory, &Hands::default());
    let mut client = with(&authority, device);
    assert!(matches!(client.carry_out_dm1(&push(1)), Err(Ignored::Sessionless)));
}

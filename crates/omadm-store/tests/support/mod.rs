//! Rows with all fields filled, so that a test states only what it is about.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod postgres;

use std::path::Path;
use std::time::Duration;

use omadm_mo::{DeviceId, Time};
use omadm_store::postgres::PostgresConfig;
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{
    Command, CommandId, CommandState, Enrolment, NewCommand, NewEvent, Payload, SessionRow, SessionStep,
    Store, TraceMessage, Transition, TreeAddress,
};
use uuid::Uuid;

/// Far beyond the times that tests use.
pub const NEVER: Time = Time::from_secs(1_000_000_000);

pub fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteConfig { readers: 2, ..SqliteConfig::default() }).unwrap()
}

/// Settings for a database of PostgreSQL.
pub fn settings(url: String) -> PostgresConfig {
    PostgresConfig { url, writers: 2, readers: 2, event_delay: Duration::ZERO, ..PostgresConfig::default() }
}

/// A store in a fresh database of PostgreSQL.
pub async fn connect() -> SqliteStore {
    static PATTERN: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let make = || async {
        let url = postgres::shared().database();
        // It is let go before it is copied.
        drop(SqliteStore::connect(settings(url.clone())).await.unwrap());
        url
    };
    let pattern = PATTERN.get_or_init(make).await;
    SqliteStore::connect(settings(postgres::shared().copy_of(pattern))).await.unwrap()
}

pub fn at(secs: i64) -> Time {
    Time::from_secs(secs)
}

pub fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

pub fn enrolment(name: &str) -> Enrolment {
    Enrolment {
        device: device(name),
        label: format!("label of {name}"),
        user: format!("user of {name}"),
        verifier: name.as_bytes().to_vec().into(),
        dm1: None,
        replace: false,
    }
}

/// Enrols one device and gives its DevID.
pub async fn enrolled(store: &dyn Store, name: &str) -> DeviceId {
    store.enrol(vec![enrolment(name)], vec![], at(1)).await.unwrap();
    device(name)
}

pub fn id(number: u128) -> CommandId {
    Uuid::from_u128(number)
}

pub fn new_command(device: &DeviceId, number: u128) -> NewCommand {
    NewCommand {
        id: id(number),
        device: device.clone(),
        verb: "get".to_owned(),
        address: format!("urn:example:mo/a/{number}"),
        args: "{}".to_owned(),
        payload: None,
        supersede_key: None,
        expires: NEVER,
        created_by: "tester".to_owned(),
        origin: None,
    }
}

pub async fn enqueued(store: &dyn Store, device: &DeviceId, number: u128) -> Command {
    store.enqueue(new_command(device, number), 100, at(10)).await.unwrap()
}

pub fn payload(device: &DeviceId, number: u128, body: &[u8]) -> Payload {
    Payload {
        id: id(number),
        device: device.clone(),
        content_type: "text/plain".to_owned(),
        body: body.to_vec(),
    }
}

/// The event of a command that came to its end.
pub fn ended(command: &Command) -> NewEvent {
    let body = format!("{} is {}", command.seq, command.state.as_str());
    NewEvent { device: Some(command.device.clone()), kind: "command".to_owned(), body }
}

/// A step of generation 1 that changes nothing but the last contact.
pub fn step(device: &DeviceId, now: Time) -> SessionStep {
    SessionStep {
        device: device.clone(),
        generation: 1,
        expected_version: None,
        expected_last_seq: None,
        session: None,
        outcome: None,
        replaced: None,
        transitions: Vec::new(),
        payloads: Vec::new(),
        tree: Vec::new(),
        validators: Vec::new(),
        standing: Vec::new(),
        inventory: None,
        facts: None,
        protocol: None,
        bearer: None,
        last_contact: None,
        dm1: None,
        model: None,
        profiles: None,
        events: Vec::new(),
        trace: Vec::new(),
        now,
    }
}

pub fn session_row(session: i64) -> SessionRow {
    SessionRow {
        session,
        version: 0,
        state: format!("state {session}").into_bytes(),
        request_digest: vec![1, 2, 3],
        reply: b"reply".to_vec(),
        ended: false,
        updated: Time(0),
    }
}

pub fn transition(seq: i64, from: CommandState, to: CommandState) -> Transition {
    Transition { seq, from, to, status: None, reason: None, result: None }
}

/// Applies transitions to commands of generation 1.
pub async fn moved(store: &dyn Store, device: &DeviceId, now: Time, transitions: Vec<Transition>) {
    store.apply(SessionStep { transitions, ..step(device, now) }).await.unwrap();
}

pub fn message(summary: &str, from_device: bool) -> TraceMessage {
    TraceMessage {
        at: at(5),
        from_device,
        summary: summary.to_owned(),
        content_type: "application/json".to_owned(),
        http_status: (!from_device).then_some(200),
        body: summary.as_bytes().to_vec(),
        length: 1000,
        notes: vec!["a \"quoted\" note".to_owned(), String::new()],
    }
}

pub fn address(moid: &str, miid: &str, path: &str) -> TreeAddress {
    TreeAddress { moid: moid.to_owned(), miid: miid.to_owned(), path: path.to_owned() }
}

pub fn event(device: Option<&DeviceId>, kind: &str) -> NewEvent {
    NewEvent { device: device.cloned(), kind: kind.to_owned(), body: "{}".to_owned() }
}

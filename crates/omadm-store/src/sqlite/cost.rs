//! What the request path costs, counted in steps of SQLite's virtual machine: the same whatever the history and the number
//! of devices.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use omadm_mo::{DeviceId, Time};
use rusqlite::params;
use uuid::Uuid;

use super::schema;
use crate::sql::{Connection, commands, devices, events, retention, session, tree};
use crate::{
    Command, CommandState, Enrolment, NewCommand, NewEvent, SessionRow, SessionStep, StoreError, Transition,
    TreeAddress, TreeUpdate,
};

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&format!("device-{number}")).unwrap()
}

fn enrol(conn: &Connection, count: usize) {
    let enrolments: Vec<Enrolment> = (0..count)
        .map(|number| Enrolment {
            device: id(number),
            label: String::new(),
            user: format!("user-{number}"),
            verifier: vec![0; 48].into(),
            dm1: None,
            replace: false,
        })
        .collect();
    devices::enrol(conn, &enrolments, Time(1)).unwrap();
}

fn enqueue(conn: &Connection, device: &DeviceId, number: u128) {
    let command = NewCommand {
        id: Uuid::from_u128(number),
        device: device.clone(),
        verb: "get".to_owned(),
        address: "m".to_owned(),
        args: "{}".to_owned(),
        payload: None,
        supersede_key: Some(format!("key {number}")),
        expires: Time(1_000_000),
        created_by: "tester".to_owned(),
        origin: None,
    };
    commands::enqueue(conn, command, 1_000, Time(2)).unwrap();
}

fn inner(conn: &mut Connection) -> &mut rusqlite::Connection {
    match conn {
        Connection::Sqlite(conn) => conn,
        Connection::Postgres(_) => panic!("these are tests of SQLite"),
    }
}

/// Gives a device a history of finished commands, sessions, events, uploads and tree nodes.
fn past(conn: &rusqlite::Connection, device: &DeviceId, length: i64) {
    for sql in [
        "INSERT INTO command (device, generation, seq, id, state, attempts, created, finished, expires, verb,
           address, supersede_key, created_by, args)
         SELECT ?1, 1, -value, randomblob(16), 'done', 1, 1, 1, 1, 'get', 'm', 'key', 'tester', '{}'
         FROM generate WHERE value <= ?2",
        "INSERT INTO session_log SELECT value, ?1, 1, -value, 1, 1, 2, 'ended', 0 FROM generate WHERE value <= ?2",
        "INSERT INTO trace SELECT ?1, value, 1, 1, 1, 200, 1, 's', 't', '[]', x'00'
         FROM generate WHERE value <= ?2",
        "INSERT INTO event (device, generation, at, kind, body)
         SELECT ?1, 1, 1, 'x', '{}' FROM generate WHERE value <= ?2",
        "INSERT INTO payload SELECT ?1, 1, randomblob(16), 1, NULL, 't', x'00' FROM generate WHERE value <= ?2",
        "INSERT INTO tree SELECT ?1, 1, 'm', 'i', '/z/' || value, 1, '1' FROM generate WHERE value <= ?2",
    ] {
        let numbers = "WITH RECURSIVE generate (value) AS
           (SELECT 1 UNION ALL SELECT value + 1 FROM generate WHERE value < ?2) ";
        conn.execute(&format!("{numbers}{sql}"), params![device.as_str(), length]).unwrap();
    }
}

pub(super) fn exchange(device: &DeviceId) -> SessionStep {
    let sent = Transition {
        seq: 1,
        from: CommandState::Queued,
        to: CommandState::Sent,
        status: None,
        reason: None,
        result: None,
    };
    let done = Transition { from: CommandState::Sent, to: CommandState::Done, ..sent.clone() };
    let at = TreeAddress { moid: "m".to_owned(), miid: "i".to_owned(), path: "/a".to_owned() };
    SessionStep {
        device: device.clone(),
        generation: 1,
        expected_version: None,
        expected_last_seq: None,
        session: Some(SessionRow {
            session: 1,
            version: 0,
            state: vec![0],
            request_digest: vec![0],
            reply: vec![0],
            ended: false,
            updated: Time(3),
        }),
        outcome: None,
        replaced: None,
        transitions: vec![sent, done],
        payloads: Vec::new(),
        tree: vec![TreeUpdate::Replace { at: at.clone(), nodes: vec![(at, Some("1".to_owned()))] }],
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
        now: Time(3),
    }
}

fn ended(command: &Command) -> NewEvent {
    NewEvent { device: Some(command.device.clone()), kind: "command".to_owned(), body: "{}".to_owned() }
}

type Operation = fn(&Connection, &DeviceId) -> Result<(), StoreError>;

const REQUEST_PATH: [(&str, Operation); 9] = [
    ("check-in", |conn, device| session::check_in(conn, device, 10).map(drop)),
    ("check-in by user", |conn, _| session::check_in_user(conn, "user-0", Box::new(|_| true), 10).map(drop)),
    ("enqueue", |conn, device| {
        enqueue(conn, device, 99);
        Ok(())
    }),
    ("apply", |conn, device| session::apply(conn, &exchange(device))),
    ("expire", |conn, _| commands::expire(conn, ended, Time(1_000), 10).map(drop)),
    ("prune", |conn, _| retention::prune(conn, Time(0), 10).map(drop)),
    ("commands", |conn, device| commands::list(conn, device, None, 1).map(drop)),
    ("events", |conn, _| events::after(conn, Some(&id(1)), 0, 10).map(drop)),
    ("tree", |conn, device| {
        let at = TreeAddress { moid: "m".to_owned(), miid: "i".to_owned(), path: "/a".to_owned() };
        tree::list(conn, device, &at, Some(&at), 10).map(drop)
    }),
];

/// Steps of each operation in a store of so many devices that have a command waiting, the first with a past of so many rows of
/// each kind.
fn steps(device_count: usize, length: i64) -> Vec<u64> {
    let dir = tempfile::tempdir().unwrap();
    let mut conn = Connection::Sqlite(schema::open_writer(&dir.path().join("omadm.db")).unwrap());
    conn.begin().unwrap();
    enrol(&conn, device_count);
    past(inner(&mut conn), &id(0), length);
    for number in 1..=5 {
        enqueue(&conn, &id(0), number);
    }
    for (device, number) in (1..device_count).zip(100..) {
        enqueue(&conn, &id(device), number);
    }
    conn.commit().unwrap();
    let counted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&counted);
    inner(&mut conn)
        .progress_handler(
            1,
            Some(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                false
            }),
        )
        .unwrap();
    let measure = |(name, operation): &(&str, Operation)| {
        let before = counted.load(Ordering::Relaxed);
        operation(&conn, &id(0)).unwrap_or_else(|error| panic!("{name}: {error}"));
        counted.load(Ordering::Relaxed) - before
    };
    REQUEST_PATH.iter().map(measure).collect()
}

#[test]
fn the_request_path_costs_the_same_whatever_the_history() {
    let (young, old) = (steps(2, 2), steps(500, 5_000));
    for (((name, _), young), old) in REQUEST_PATH.iter().zip(young).zip(old) {
        assert!(young > 0, "{name} was not counted");
        assert!(old <= young + young / 10 + 5, "{name}: {young} steps at first, {old} with a history");
    }
}

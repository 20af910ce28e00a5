//! What is PostgreSQL's alone: several nodes on one database, and a server that goes away and returns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use omadm_store::CommandState::{Done, Queued, Sent};
use omadm_store::filter::{Filter, FilterLimits};
use omadm_store::postgres::PostgresConfig;
use omadm_store::{FleetStore as _, Group, PeopleStore as _, SqlStore, Store, StoreError};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509Builder, X509NameBuilder};

use support::postgres::{Postgres, name_of, shared};
use support::*;

#[tokio::test]
async fn nodes_that_start_at_once_migrate_once() {
    let url = shared().database();
    let start = || SqlStore::connect(settings(url.clone()));
    let (a, b, c, d) = tokio::join!(start(), start(), start(), start());
    let a = a.unwrap();
    for node in [b, c, d] {
        node.unwrap().ping().await.unwrap();
    }
    let device = enrolled(&a, "a").await;
    let again = start().await.unwrap();
    assert!(again.device(&device).await.unwrap().is_some());
}

#[tokio::test]
async fn a_newer_schema_is_for_those_whom_it_spares() {
    let url = shared().database();
    drop(SqlStore::connect(settings(url.clone())).await.unwrap());
    let set = |sql: &str| shared().sql(name_of(&url), sql);
    set("UPDATE store SET version = version + 1");
    SqlStore::connect(settings(url.clone())).await.unwrap().ping().await.unwrap();
    set("UPDATE store SET compatible = version");
    let refusal = SqlStore::connect(settings(url)).await.err().unwrap().to_string();
    assert!(refusal.contains("use the omadm that wrote it, or a newer one"), "{refusal}");
}

#[tokio::test]
async fn a_url_says_no_secrets_and_is_understood() {
    for (url, why) in [
        ("postgres://omadm:secret@localhost/omadm", "password"),
        ("postgres://omadm@/omadm", "no host"),
        ("mysql://omadm@localhost/omadm", "invalid"),
    ] {
        let refusal = SqlStore::connect(settings(url.to_owned())).await.err().unwrap().to_string();
        assert!(refusal.contains(why) && !refusal.contains("secret"), "{refusal}");
    }
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused() {
    let url = shared().database();
    shared().sql(name_of(&url), &format!("ALTER DATABASE {} SET synchronous_commit = off", name_of(&url)));
    let refusal = SqlStore::connect(settings(url)).await.err().unwrap().to_string();
    assert!(refusal.contains("synchronous_commit"), "{refusal}");
}

#[tokio::test]
async fn nodes_number_the_commands_of_a_device_together() {
    let url = shared().database();
    let (one, two) = tokio::join!(SqlStore::connect(settings(url.clone())), SqlStore::connect(settings(url)));
    let (one, two) = (one.unwrap(), two.unwrap());
    let (a, b) = (enrolled(&one, "a").await, enrolled(&two, "b").await);
    for round in 0..25 {
        let number = |place: u128| 4 * round + place;
        let answers = tokio::join!(
            one.enqueue(new_command(&a, number(0)), 1_000, at(1)),
            two.enqueue(new_command(&a, number(1)), 1_000, at(1)),
            one.enqueue_many(vec![new_command(&b, number(2)), new_command(&a, 1_000 + round)], 1_000, at(1)),
            two.enqueue_many(vec![new_command(&a, number(3)), new_command(&b, 2_000 + round)], 1_000, at(1)),
        );
        let mut numbers = vec![answers.0.unwrap().seq, answers.1.unwrap().seq];
        numbers.extend(answers.2.unwrap().iter().filter(|it| it.device == a).map(|it| it.seq));
        numbers.extend(answers.3.unwrap().iter().filter(|it| it.device == a).map(|it| it.seq));
        numbers.sort_unstable();
        let before = i64::try_from(4 * round).unwrap();
        assert_eq!(numbers, [before + 1, before + 2, before + 3, before + 4]);
    }
    assert_eq!(two.check_in(&a, 1_000).await.unwrap().unwrap().commands.len(), 100);
}

/// The answer to one request does not depend on the others of its group.
#[tokio::test]
async fn a_failing_request_does_not_spoil_its_group() {
    let config = PostgresConfig { writers: 1, ..settings(shared().database()) };
    let store = SqlStore::connect(config).await.unwrap();
    let a = enrolled(&store, "a").await;
    let unknown = device("unknown");
    let (one, two, three, four) = tokio::join!(
        store.enqueue(new_command(&a, 1), 10, at(1)),
        store.enqueue(new_command(&unknown, 2), 10, at(1)),
        // The second use of an identifier breaks a unique key in the middle of the request.
        store.enqueue(new_command(&a, 1), 10, at(1)),
        store.enqueue(new_command(&a, 4), 10, at(1)),
    );
    assert_eq!((one.unwrap().seq, four.unwrap().seq), (1, 2));
    assert!(matches!(two, Err(StoreError::DeviceUnknown(_))));
    assert!(matches!(three, Err(StoreError::Engine(_))), "{three:?}");
    assert_eq!(store.check_in(&a, 10).await.unwrap().unwrap().device.open_commands, 2);
}

/// Each of two groups is good as long as the other does not lead into it.
#[tokio::test]
async fn groups_that_two_nodes_change_at_once_do_not_lead_into_each_other() {
    let url = shared().database();
    let (one, two) = tokio::join!(SqlStore::connect(settings(url.clone())), SqlStore::connect(settings(url)));
    let (one, two) = (one.unwrap(), two.unwrap());
    let put = async |store: &SqlStore, name: &str, version: i64, filter: &str| {
        let group = Group {
            name: name.to_owned(),
            filter: filter.to_owned(),
            description: String::new(),
            version,
            created: at(0),
            updated: at(0),
        };
        let filter = Filter::parse(filter, &FilterLimits::default()).unwrap();
        store.put_group(group, &filter, vec![], at(1)).await
    };
    for round in 0..20 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        put(&one, &a, 0, "model = x").await.unwrap();
        put(&one, &b, 0, "model = x").await.unwrap();
        let (to_a, to_b) = (format!("group:{a}"), format!("group:{b}"));
        let (first, second) = tokio::join!(put(&one, &a, 1, &to_b), put(&two, &b, 1, &to_a));
        assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
        one.expand(&Filter::group(&a)).await.unwrap();
    }
}

/// A reader that waits for a lock does not wait for ever.
#[tokio::test]
async fn a_read_ends_with_its_time() {
    let url = shared().database();
    let limit = Duration::from_secs(1);
    let config = PostgresConfig { statement_timeout: limit, ..settings(url.clone()) };
    let store = SqlStore::connect(config).await.unwrap();
    let locks =
        "SELECT count(*) FROM pg_locks WHERE relation = 'webhook'::regclass AND mode = 'AccessExclusiveLock'";
    let mut holder = shared().begin(name_of(&url), "BEGIN; LOCK TABLE webhook; SELECT pg_sleep(600);");
    while shared().sql(name_of(&url), locks) != "1" {}
    let refusal = store.webhooks().await.unwrap_err().to_string();
    assert!(refusal.contains("statement timeout"), "{refusal}");
    assert_eq!(store.users("", 10).await.unwrap(), [], "the reader goes on");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// A certificate of the authority for an address, and the authority, as PEM with their keys.
fn certificates(address: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let key = || {
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap())
            .unwrap()
    };
    let (authority_key, server_key) = (key(), key());
    let name = |text: &str| {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", text).unwrap();
        name.build()
    };
    let begin = |subject: &str, key: &PKeyRef<Private>| {
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name(subject)).unwrap();
        builder.set_issuer_name(&name("authority")).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(key).unwrap();
        builder
    };
    let mut authority = begin("authority", &authority_key);
    authority.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    authority.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let mut server = begin("server", &server_key);
    let names = SubjectAlternativeName::new().ip(address).build(&server.x509v3_context(None, None)).unwrap();
    server.append_extension(names).unwrap();
    server.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let pem = |certificate: X509Builder| certificate.build().to_pem().unwrap();
    (pem(authority), pem(server), server_key.private_key_to_pem_pkcs8().unwrap())
}

/// Over TCP, by TLS: whoever shows no certificate of a known authority for its address is refused.
#[tokio::test]
async fn a_server_that_is_reached_by_tls_is_verified() {
    // Addresses of this machine that no other server of these tests has.
    let number = std::process::id();
    let address = |last: u8| format!("127.{}.{}.{last}", 1 + number / 256 % 254, number % 256);
    let (known, other) = (address(1), address(2));
    let (authority, certificate, key) = certificates(&known);
    let server = Postgres::start_with_tls(&format!("{known},{other}"), &certificate, &key);
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, authority).unwrap();
    let url = server.database();
    let connect = async |address: &str, ca_file: Option<&Path>| {
        let url = format!("postgres://omadm@{address}/{}?sslmode=require", name_of(&url));
        let config = PostgresConfig { ca_file: ca_file.map(Path::to_owned), ..settings(url) };
        SqlStore::connect(config).await
    };
    let store = connect(&known, Some(&ca_file)).await.unwrap();
    enrolled(&store, "a").await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'omadm' AND NOT ssl";
    assert_eq!(server.sql(name_of(&url), plain), "0");
    for (address, ca_file, why) in
        [(&known, None, "certificate"), (&other, Some(ca_file.as_path()), "certificate")]
    {
        let refusal = connect(address, ca_file).await.err().unwrap().to_string();
        assert!(refusal.contains(why), "{address} {ca_file:?}: {refusal}");
    }
}

#[tokio::test]
async fn nothing_is_kept_on_the_server_behind_a_pooler() {
    let config = PostgresConfig { pooled: true, ..settings(shared().database()) };
    let store = SqlStore::connect(config).await.unwrap();
    let a = enrolled(&store, "a").await;
    let seq = enqueued(&store, &a, 1).await.seq;
    moved(&store, &a, at(20), vec![transition(seq, Queued, Sent)]).await;
    moved(&store, &a, at(30), vec![transition(seq, Sent, Done)]).await;
    assert_eq!(store.command(id(1)).await.unwrap().unwrap().state, Done);
    assert_eq!(store.check_in(&a, 10).await.unwrap().unwrap().device.open_commands, 0);
}

/// Queues, sends and finishes commands until told to stop, whatever becomes of the server; gives the numbers of those whose end was
/// acknowledged.
async fn work(store: Arc<SqlStore>, worker: u128, goal: Arc<AtomicU64>, rounds: u64) -> Vec<u128> {
    let device = device(&worker.to_string());
    let mut done = Vec::new();
    for number in 1_u128.. {
        if goal.load(Ordering::Relaxed) >= rounds {
            return done;
        }
        let mut new = new_command(&device, 0);
        new.id = id(worker << 64 | number);
        let Ok(command) = store.enqueue(new, 10_000, at(10)).await else {
            tokio::task::yield_now().await;
            continue;
        };
        for (from, to) in [(Queued, Sent), (Sent, Done)] {
            let step = omadm_store::SessionStep {
                transitions: vec![transition(command.seq, from, to)],
                ..step(&device, at(20))
            };
            // One that is repeated although it was done is refused, as its command is not as it was.
            while let Err(StoreError::Unavailable(_)) = store.apply(step.clone()).await {
                tokio::task::yield_now().await;
            }
        }
        goal.fetch_add(1, Ordering::Relaxed);
        done.push(number);
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_crash_and_the_store_comes_back() {
    let server = Postgres::start("on");
    let config = PostgresConfig { event_delay: std::time::Duration::ZERO, ..settings(server.database()) };
    let store = Arc::new(SqlStore::connect(config).await.unwrap());
    for worker in 0..8_u128 {
        enrolled(&*store, &worker.to_string()).await;
    }
    let goal = Arc::new(AtomicU64::new(0));
    let spawn = |worker| tokio::spawn(work(Arc::clone(&store), worker, Arc::clone(&goal), 300));
    let workers: Vec<_> = (0..8_u128).map(spawn).collect();
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            server.crash();
            server.restart();
        }
        server
    });
    let server = server.await.unwrap();
    for (worker, done) in (0..8_u128).zip(workers) {
        for number in done.await.unwrap() {
            let command = store.command(id(worker << 64 | number)).await.unwrap().unwrap();
            assert_eq!((command.state, command.attempts), (Done, 1), "{worker} {number}");
        }
        let device = device(&worker.to_string());
        let all = store.commands(&device, None, u32::MAX).await.unwrap();
        let numbers: Vec<i64> = all.iter().rev().map(|command| command.seq).collect();
        assert_eq!(numbers, (1..).take(all.len()).collect::<Vec<_>>(), "no hole");
        let open = i64::try_from(all.iter().filter(|command| !command.state.is_final()).count()).unwrap();
        assert_eq!(store.device(&device).await.unwrap().unwrap().open_commands, open);
    }
    drop(store);
    drop(server);
}

#[tokio::test]
async fn a_store_that_is_away_says_so_and_closing_does_not_wait_for_it() {
    let server = Postgres::start("off");
    let store = SqlStore::connect(settings(server.database())).await.unwrap();
    let a = enrolled(&store, "a").await;
    server.crash();
    let answer = store.enqueue(new_command(&a, 1), 10, at(1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.check_in(&a, 10).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(store.ping().await.is_err_and(|error| error.is_unavailable()));
    drop(store);
}

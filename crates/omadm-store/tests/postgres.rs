//! What is PostgreSQL's alone: several nodes on one database, and a server that goes away and returns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use omadm_store::CommandState::{Done, Queued, Sent};
use omadm_store::postgres::PostgresConfig;
use omadm_store::{SqlStore, Store, StoreError};

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

//! Backups: of a store under load, whole or not at all, from either engine into either.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use omadm_store::CommandState::{Done, Queued, Sent};
use omadm_store::{LeaseStore as _, Moved, Place, SessionStep, SqlStore, Store, StoreError};

use support::postgres::shared;
use support::*;

fn file(dir: &Path, name: &str) -> Place {
    Place::Sqlite(dir.join(name))
}

fn database() -> Place {
    Place::Postgres(Box::new(settings(shared().database())))
}

async fn opened(place: &Place) -> SqlStore {
    match place {
        Place::Sqlite(path) => open(path),
        Place::Postgres(config) => SqlStore::connect(config.as_ref().clone()).await.unwrap(),
    }
}

/// Runs what waits for files and servers.
async fn outside<T: Send + 'static>(place: &Place, work: impl FnOnce(Place) -> T + Send + 'static) -> T {
    let place = place.clone();
    tokio::task::spawn_blocking(move || work(place)).await.unwrap()
}

async fn backup(place: &Place) -> (Moved, Vec<u8>) {
    let work = |place: Place| {
        let mut out = Vec::new();
        (place.backup(&mut out).unwrap(), out)
    };
    outside(place, work).await
}

async fn restore(place: &Place, dump: &[u8]) -> Result<Moved, StoreError> {
    let dump = dump.to_vec();
    outside(place, move |place| place.restore(&mut dump.as_slice())).await
}

/// A bit of everything that has octets, numbers, texts and nothing in its columns.
async fn fill(store: &SqlStore) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let mut new = new_command(&a, 1);
    new.address = "\u{fc}\u{1f4f1} \"\n".to_owned();
    new.payload = Some(payload(&a, 7, &[0, 1, 255]));
    let seq = store.enqueue(new, 10, at(5)).await.unwrap().seq;
    let session = SessionStep {
        session: Some(session_row(1)),
        transitions: vec![transition(seq, Queued, Sent)],
        trace: vec![message("Package#1", true), message("Package#2", false)],
        events: vec![event(Some(&a), "session")],
        ..step(&a, at(6))
    };
    store.apply(session).await.unwrap();
    store.remove_device(&b, vec![event(None, "device")], at(7)).await.unwrap();
    store.acquire_lease("notifier", "one", at(1), at(2)).await.unwrap().unwrap();
}

fn lines(dump: &[u8]) -> BTreeSet<&[u8]> {
    dump.split(|octet| *octet == b'\n').collect()
}

#[tokio::test]
async fn a_backup_goes_from_either_engine_into_either() {
    let dir = tempfile::tempdir().unwrap();
    let places = [file(dir.path(), "one.db"), database(), file(dir.path(), "two.db"), database()];
    fill(&opened(&places[0]).await).await;
    let (written, first) = backup(&places[0]).await;
    assert!(written.rows > 8, "{written:?}");
    let mut dump = first.clone();
    for place in &places[1..] {
        assert_eq!(restore(place, &dump).await.unwrap(), written);
        let again = backup(place).await;
        assert_eq!(again.0, written);
        assert_eq!(lines(&again.1), lines(&first));
        dump = again.1;
        let store = opened(place).await;
        let a = device("a");
        let read = store.check_in(&a, 10).await.unwrap().unwrap();
        assert_eq!((read.commands.len(), read.last_seq), (1, 1));
        assert_eq!(store.payload(id(7)).await.unwrap().unwrap().body, [0, 1, 255]);
        assert_eq!(store.trace(&a, 1).await.unwrap().unwrap().1.len(), 2);
        let events = store.events(None, 0, 10).await.unwrap();
        store.add_events(vec![event(None, "later")], at(9)).await.unwrap();
        let later = store.events(None, events.last().unwrap().cursor, 10).await.unwrap();
        assert_eq!((events.len(), later.len()), (2, 1), "cursors go on");
        assert_eq!(enqueued(&store, &a, 9).await.seq, 2);
        drop(store);
    }
}

#[tokio::test]
async fn a_backup_goes_into_an_empty_place_only_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let source = file(dir.path(), "source.db");
    fill(&opened(&source).await).await;
    let (_, dump) = backup(&source).await;
    let text = String::from_utf8(dump.clone()).unwrap();
    let cut = &text[..text.len() / 2];
    let without_end = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    let last_row = text.lines().rev().find(|line| line.starts_with('[')).unwrap();
    for target in [file(dir.path(), "target.db"), database()] {
        for (spoilt, why) in [
            (cut.to_owned(), "has no end"),
            (without_end.clone(), "the backup was cut"),
            (text.replacen(&format!("{last_row}\n"), "", 1), "counts other rows"),
            (text.replace("\"command\"", "\"commands\""), "names a table"),
            (text.replacen("\"schema\":", "\"schema\":1", 1), "use a newer omadm"),
            ("{}\n".to_owned(), "is not a backup"),
            (String::new(), "is not a backup"),
        ] {
            let error = restore(&target, spoilt.as_bytes()).await.unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
            assert_eq!(
                outside(&target, |place| place.check().unwrap().schema).await,
                0,
                "nothing is left of it"
            );
        }
        restore(&target, &dump).await.unwrap();
        let error = restore(&target, &dump).await.unwrap_err().to_string();
        assert!(error.contains("there is a store already"), "{error}");
    }
}

#[tokio::test]
async fn an_upgrade_is_checked_before() {
    let dir = tempfile::tempdir().unwrap();
    for place in [file(dir.path(), "one.db"), database()] {
        let before = outside(&place, |place| place.check().unwrap()).await;
        assert_eq!((before.schema, before.usable), (0, true));
        let after = outside(&place, |place| place.migrate().unwrap()).await;
        assert_eq!((after.schema, after.usable, after.problem), (before.newest, true, None));
    }
    let nothing = file(dir.path(), "nothing.db");
    assert!(outside(&nothing, |place| place.backup(&mut Vec::new()).is_err()).await);
}

/// Commands that go through all their states, until told to stop.
async fn load(store: Arc<SqlStore>, worker: u128, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    let device = enrolled(&*store, &worker.to_string()).await;
    for number in 1_u128.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut new = new_command(&device, 0);
        new.id = id(worker << 64 | number);
        let seq = store.enqueue(new, 10, at(10)).await.unwrap().seq;
        moved(&*store, &device, at(20), vec![transition(seq, Queued, Sent)]).await;
        moved(&*store, &device, at(30), vec![transition(seq, Sent, Done)]).await;
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_store_under_load_is_of_one_instant() {
    let dir = tempfile::tempdir().unwrap();
    for place in [file(dir.path(), "one.db"), database()] {
        let store = Arc::new(opened(&place).await);
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let work =
            |worker| tokio::spawn(load(Arc::clone(&store), worker, Arc::clone(&stop), Arc::clone(&done)));
        let workers: Vec<_> = (0..4_u128).map(work).collect();
        while done.load(Ordering::Relaxed) < 200 {
            tokio::task::yield_now().await;
        }
        let at_least = done.load(Ordering::Relaxed);
        let (_, dump) = backup(&place).await;
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.unwrap();
        }
        let target = file(dir.path(), if place.file().is_some() { "of file.db" } else { "of database.db" });
        restore(&target, &dump).await.unwrap();
        let copy = opened(&target).await;
        let mut finished = 0;
        for worker in 0..4_u128 {
            let device = device(&worker.to_string());
            let all = copy.commands(&device, None, u32::MAX).await.unwrap();
            let numbers: Vec<i64> = all.iter().rev().map(|command| command.seq).collect();
            assert_eq!(numbers, (1..).take(all.len()).collect::<Vec<_>>(), "no hole");
            let open = all.iter().filter(|command| !command.state.is_final()).count();
            let counted = copy.device(&device).await.unwrap().unwrap().open_commands;
            assert_eq!(counted, i64::try_from(open).unwrap(), "no half of a step");
            finished += u64::try_from(all.len() - open).unwrap();
        }
        assert!(finished >= at_least, "what was acknowledged before is in it");
    }
}

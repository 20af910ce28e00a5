//! What was acknowledged survives the death of the process at any instant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use omadm_store::CommandState::{Done, Queued, Sent};
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{
    Delegation, DelegationOut, DelegationPart, DelegationRole, DelegationSeen, DelegationState,
    DelegationStep, DelegationStore as _, PartState, Store, StoreError,
};

use support::*;

/// Names the database file to the process that is to be killed.
const FILE: &str = "OMADM_STORE_DURABILITY_FILE";
const WORKERS: u128 = 8;
/// The one of them that delegates; the others queue commands.
const DELEGATING: u128 = WORKERS - 1;
/// The other server of delegations.
const PEER: &str = "b.example";
/// Acknowledged commands and delegations before the kill; each round kills at another point of the load.
const ROUNDS: [usize; 4] = [1, 40, 300, 1_000];

#[test]
fn acknowledged_writes_survive_sigkill() {
    for acknowledged in ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.db");
        let seen = kill_after(&path, acknowledged);
        assert!(seen.len() >= acknowledged, "{} of {acknowledged}", seen.len());
        verify(&path, &seen);
    }
}

/// Starts this test binary again as a writer, reads what it acknowledges, and kills it. Gives worker and number of each
/// command, or delegation, whose end was acknowledged.
fn kill_after(path: &Path, acknowledged: usize) -> Vec<(u128, u128)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_that_gets_killed", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(KillOnDrop)
        .unwrap();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    let read = |line: String| {
        let (worker, number) = line.strip_prefix("done ")?.split_once(' ')?;
        Some((worker.parse().unwrap(), number.parse().unwrap()))
    };
    while seen.len() < acknowledged {
        let line = lines.next().unwrap().unwrap();
        seen.extend(read(line));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    // What was on its way in the pipe was acknowledged, too; the last line may be cut short.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    seen.extend(rest.into_iter().take(whole).filter_map(read));
    seen
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail when it is dead already, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn verify(path: &Path, seen: &[(u128, u128)]) {
    let store = open(path);
    for (worker, number) in seen {
        if *worker == DELEGATING {
            verify_delegation(&store, *number).await;
            continue;
        }
        let command = store.command(command_id(*worker, *number)).await.unwrap().unwrap();
        assert_eq!((command.state, command.attempts), (Done, 1), "{worker} {number}");
        assert_eq!(command.result.as_deref(), Some(number.to_string().as_str()));
    }
    verify_steps(&store).await;
    for worker in 0..DELEGATING {
        // No hole in the order, no half of a step, and figures that agree with the rows.
        let Some(check_in) = store.check_in(&device(&worker.to_string()), 100).await.unwrap() else {
            continue;
        };
        let all = store.commands(&check_in.device.id, None, u32::MAX).await.unwrap();
        let numbers: Vec<i64> = all.iter().rev().map(|command| command.seq).collect();
        assert_eq!(numbers, (1..).take(all.len()).collect::<Vec<_>>());
        let open = all.iter().filter(|command| !command.state.is_final()).count();
        assert!(open <= 1, "{open} open commands of a worker that finishes each before the next");
        assert_eq!(check_in.commands.len(), open);
        assert_eq!(check_in.device.open_commands, i64::try_from(open).unwrap());
    }
}

/// A delegation whose end was acknowledged, with all that was written at once with it.
async fn verify_delegation(store: &SqliteStore, number: u128) {
    let delegation = store.delegation(command_id(DELEGATING, number)).await.unwrap().unwrap();
    assert_eq!((delegation.state, delegation.version), (DelegationState::Ended, 2), "{number}");
    let counts = store.delegation_counts(delegation.id).await.unwrap();
    assert_eq!(counts, [(PartState::Ended, 1)], "{number}");
    assert!(store.delegation_seen(PEER, &number.to_string()).await.unwrap().is_some(), "{number}");
}

/// Of each delegation there is a whole step, or two, or nothing.
async fn verify_steps(store: &SqliteStore) {
    let all = store.delegations(None, u32::MAX).await.unwrap();
    let messages = store.due_delegation_messages(NEVER, u32::MAX).await.unwrap();
    let active = all.iter().filter(|it| it.state == DelegationState::Active).count();
    assert!(active <= 1, "{active} open delegations of a worker that ends each before the next");
    assert_eq!(messages.len(), active, "a message is there as long as it is not answered");
    for delegation in &all {
        let parts = store.delegation_parts(delegation.id, None, 10).await.unwrap();
        let seen = store.delegation_seen(PEER, &delegation.name).await.unwrap();
        let expected = match delegation.state {
            DelegationState::Active => (PartState::Active, 1, false),
            _ => (PartState::Ended, 2, true),
        };
        let found = (parts.first().unwrap().state, delegation.version, seen.is_some());
        assert_eq!((found, parts.len()), (expected, 1), "{}", delegation.name);
    }
}

fn command_id(worker: u128, number: u128) -> uuid::Uuid {
    id(worker << 64 | number)
}

/// The process that is killed by the test above; started as a test of its own it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_that_gets_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store: Arc<dyn Store> = Arc::new(open(Path::new(&path)));
    let mut workers: Vec<_> =
        (0..DELEGATING).map(|worker| tokio::spawn(work(Arc::clone(&store), worker))).collect();
    workers.push(tokio::spawn(delegate(store)));
    for worker in workers {
        worker.await.unwrap();
    }
}

/// Queues, sends and finishes commands for ever; tells when each is finished.
async fn work(store: Arc<dyn Store>, worker: u128) {
    let device = enrolled(&*store, &worker.to_string()).await;
    for number in 1_u128.. {
        let mut new = new_command(&device, 0);
        new.id = command_id(worker, number);
        let seq = store.enqueue(new, 10, at(10)).await.unwrap().seq;
        moved(&*store, &device, at(20), vec![transition(seq, Queued, Sent)]).await;
        let mut done = transition(seq, Sent, Done);
        done.result = Some(number.to_string());
        moved(&*store, &device, at(30), vec![done]).await;
        acknowledge(worker, number);
    }
}

/// Begins and ends delegations for ever; tells when each is over.
async fn delegate(store: Arc<dyn Store>) {
    for number in 1_u128.. {
        let id = command_id(DELEGATING, number);
        let part = DelegationPart {
            delegation: id,
            device: device("delegated"),
            state: PartState::Active,
            waits_for: None,
            due: None,
            record: "{}".to_owned(),
        };
        let step = DelegationStep {
            delegation: Some(delegation(id, number)),
            parts: vec![part.clone()],
            send: vec![message(id, number)],
            ..DelegationStep::default()
        };
        store.step_delegation(step, at(20)).await.unwrap();
        let begun = store.delegation(id).await.unwrap().unwrap();
        let sent = store.due_delegation_messages(NEVER, 1).await.unwrap();
        let step = DelegationStep {
            delegation: Some(Delegation { state: DelegationState::Ended, ..begun }),
            parts: vec![DelegationPart { state: PartState::Ended, ..part }],
            sent: sent.first().map(|message| message.number),
            seen: Some(seen(number)),
            ..DelegationStep::default()
        };
        store.step_delegation(step, at(30)).await.unwrap();
        acknowledge(DELEGATING, number);
    }
}

fn delegation(id: uuid::Uuid, number: u128) -> Delegation {
    Delegation {
        number: 0,
        id,
        peer: PEER.to_owned(),
        name: number.to_string(),
        role: DelegationRole::Delegating,
        state: DelegationState::Active,
        version: 0,
        created: at(20),
        updated: at(20),
        due: None,
        document: "<x/>".to_owned(),
        detail: "{}".to_owned(),
    }
}

fn message(delegation: uuid::Uuid, number: u128) -> DelegationOut {
    DelegationOut {
        number: 0,
        peer: PEER.to_owned(),
        msg_id: number.to_string(),
        delegation,
        document: "<y/>".to_owned(),
        created: at(20),
        attempts: 0,
        due: at(20),
    }
}

fn seen(number: u128) -> DelegationSeen {
    DelegationSeen {
        peer: PEER.to_owned(),
        msg_id: number.to_string(),
        at: at(30),
        digest: vec![1],
        answer: "<z/>".to_owned(),
    }
}

/// Tells that something is done, in one write, so that lines of workers do not mix.
fn acknowledge(worker: u128, number: u128) {
    std::io::stdout().write_all(format!("done {worker} {number}\n").as_bytes()).unwrap();
}

/// Two stores on one file stand for two processes.
#[tokio::test]
async fn two_processes_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("omadm.db");
    let (one, two) = (open(&path), open(&path));
    let a = enrolled(&one, "a").await;
    for round in 0..50 {
        let (first, second) = tokio::join!(
            one.enqueue(new_command(&a, 2 * round), 1_000, at(1)),
            two.enqueue(new_command(&a, 2 * round + 1), 1_000, at(1)),
        );
        let mut numbers = [first.unwrap().seq, second.unwrap().seq];
        numbers.sort_unstable();
        let before = i64::try_from(2 * round).unwrap();
        assert_eq!(numbers, [before + 1, before + 2]);
    }
    drop(one);
    let found = two.check_in(&a, 1_000).await.unwrap().unwrap();
    assert_eq!(found.commands.len(), 100);
}

/// The writer's answer to one request does not depend on the others of its group.
#[tokio::test]
async fn a_failing_request_does_not_spoil_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
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
    assert!(matches!(three, Err(StoreError::Engine(_))));
    assert_eq!(store.check_in(&a, 10).await.unwrap().unwrap().device.open_commands, 2);
}

/// Requests whose caller went away are carried out, and closing waits for them.
#[tokio::test]
async fn closing_finishes_what_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("omadm.db");
    let store = open(&path);
    let a = enrolled(&store, "a").await;
    for number in 1..=20 {
        let request = store.enqueue(new_command(&a, number), 100, at(1));
        // Polled once, which sends it, then dropped.
        tokio::select! { biased; _ = request => {}, () = std::future::ready(()) => {} }
    }
    drop(store);
    assert_eq!(open(&path).check_in(&a, 100).await.unwrap().unwrap().commands.len(), 20);
}

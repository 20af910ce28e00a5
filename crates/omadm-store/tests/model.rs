//! Random histories of queues against a plain model: what the store says after each step is what the model says, and the
//! promise of the queue holds over the whole history.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use omadm_mo::Time;
use omadm_store::CommandState::{self, Cancelled, Done, Expired, Failed, Queued, Sent, Superseded};
use omadm_store::sqlite::SqliteStore;
use omadm_store::{CommandId, Enrolment, NewCommand, SessionStep, Store, StoreError, Transition};
use proptest::prelude::*;

use support::*;

const DEVICES: usize = 2;
const QUEUE_LIMIT: u32 = 6;

#[derive(Clone, Debug)]
enum Act {
    Enqueue {
        device: usize,
        key: Option<u8>,
        lifetime: i64,
    },
    /// A message of the device: it is sent the first `limit` commands that wait.
    Send {
        device: usize,
        limit: u32,
    },
    /// The device reports on one of the commands it was sent.
    Report {
        device: usize,
        which: usize,
        done: bool,
    },
    /// The last step once more, as after a lost acknowledgement.
    Repeat,
    Cancel {
        which: usize,
    },
    Expire {
        limit: u32,
    },
    Enrol {
        device: usize,
    },
    /// The process dies: another goes on with the files as they are.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let device = 0..DEVICES;
    prop_oneof![
        8 => (device.clone(), proptest::option::of(0..2_u8), 1..20_i64)
            .prop_map(|(device, key, lifetime)| Act::Enqueue { device, key, lifetime }),
        5 => (device.clone(), 1..4_u32).prop_map(|(device, limit)| Act::Send { device, limit }),
        5 => (device.clone(), any::<usize>(), any::<bool>())
            .prop_map(|(device, which, done)| Act::Report { device, which, done }),
        3 => Just(Act::Repeat),
        2 => any::<usize>().prop_map(|which| Act::Cancel { which }),
        2 => (1..3_u32).prop_map(|limit| Act::Expire { limit }),
        1 => device.prop_map(|device| Act::Enrol { device }),
        2 => Just(Act::Crash),
    ]
}

/// A command as the model knows it.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    id: CommandId,
    seq: i64,
    key: Option<u8>,
    state: CommandState,
    attempts: u32,
    expires: Time,
    finished: Option<Time>,
    result: Option<String>,
}

#[derive(Default)]
struct Queue {
    generation: i64,
    session: Option<i64>,
    last_seq: i64,
    commands: Vec<Known>,
    /// Numbers in the order in which they were sent in this generation.
    sent: Vec<i64>,
}

impl Queue {
    fn open(&self) -> impl Iterator<Item = &Known> {
        self.commands.iter().filter(|command| !command.state.is_final())
    }

    /// Open commands as a check-in gives them.
    fn in_order(&self) -> Vec<&Known> {
        let (sent, queued): (Vec<_>, Vec<_>) = self.open().partition(|command| command.state == Sent);
        sent.into_iter().chain(queued).collect()
    }

    fn end(&mut self, seq: i64, state: CommandState, now: Time) {
        let command = self.commands.iter_mut().find(|command| command.seq == seq).unwrap();
        assert!(!command.state.is_final(), "{command:?} was to become {state:?}");
        command.state = state;
        command.finished = Some(now);
    }
}

struct World {
    dir: tempfile::TempDir,
    lives: u32,
    store: SqliteStore,
    now: Time,
    made: u128,
    queues: Vec<Queue>,
    last: Option<SessionStep>,
    /// The first result that was acknowledged for each command.
    results: BTreeMap<CommandId, (CommandState, String)>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("0.db"));
        let mut world = Self {
            dir,
            lives: 0,
            store,
            now: at(100),
            made: 0,
            queues: Vec::new(),
            last: None,
            results: BTreeMap::new(),
        };
        for device in 0..DEVICES {
            world.queues.push(Queue::default());
            world.enrol(device).await;
        }
        world
    }

    async fn carry_out(&mut self, act: Act) {
        self.now = self.now.plus_micros(1_000_000);
        match act {
            Act::Enqueue { device, key, lifetime } => self.enqueue(device, key, lifetime).await,
            Act::Send { device, limit } => self.send(device, limit).await,
            Act::Report { device, which, done } => self.report(device, which, done).await,
            Act::Repeat => self.repeat().await,
            Act::Cancel { which } => self.cancel(which).await,
            Act::Expire { limit } => self.expire(limit).await,
            Act::Enrol { device } => self.enrol(device).await,
            Act::Crash => self.crash(),
        }
    }

    async fn enrol(&mut self, device: usize) {
        let enrolment = Enrolment { replace: true, ..enrolment(&name(device)) };
        self.store.enrol(vec![enrolment], vec![], self.now).await.unwrap();
        self.queues[device] = Queue { generation: self.queues[device].generation + 1, ..Queue::default() };
    }

    async fn enqueue(&mut self, device: usize, key: Option<u8>, lifetime: i64) {
        self.made += 1;
        let expires = self.now.plus_micros(lifetime * 1_000_000);
        let new = NewCommand {
            supersede_key: key.map(|key| format!("key {key}")),
            expires,
            ..new_command(&support::device(&name(device)), self.made)
        };
        let answer = self.store.enqueue(new, QUEUE_LIMIT, self.now).await;
        let queue = &mut self.queues[device];
        let replaced: Vec<i64> = queue
            .open()
            .filter(|command| key.is_some() && command.key == key && command.state == Queued)
            .map(|command| command.seq)
            .collect();
        if queue.open().count() - replaced.len() >= QUEUE_LIMIT as usize {
            assert!(matches!(answer, Err(StoreError::QueueFull { .. })), "{answer:?}");
            return;
        }
        for seq in replaced {
            queue.end(seq, Superseded, self.now);
        }
        queue.last_seq += 1;
        assert_eq!(answer.unwrap().seq, queue.last_seq);
        queue.commands.push(Known {
            id: id(self.made),
            seq: queue.last_seq,
            key,
            state: Queued,
            attempts: 0,
            expires,
            finished: None,
            result: None,
        });
    }

    /// A step of a device as its engine would make it.
    fn step(&self, device: usize, transitions: Vec<Transition>) -> SessionStep {
        let queue = &self.queues[device];
        SessionStep {
            generation: queue.generation,
            expected_version: queue.session,
            expected_last_seq: None,
            session: Some(session_row(1)),
            transitions,
            dm1: Some(self.now.0.to_be_bytes().to_vec().into()),
            ..step(&support::device(&name(device)), self.now)
        }
    }

    async fn apply(&mut self, device: usize, step: SessionStep) {
        let id = support::device(&name(device));
        let before = self.store.check_in(&id, u32::MAX).await.unwrap().unwrap();
        let step = SessionStep { expected_last_seq: Some(before.last_seq), ..step };
        self.store.apply(step.clone()).await.unwrap();
        let after = self.store.check_in(&id, u32::MAX).await.unwrap().unwrap();
        assert_eq!(before.after(&step), after);
        let queue = &mut self.queues[device];
        queue.session = Some(queue.session.unwrap_or(0) + 1);
        self.last = Some(step);
    }

    async fn send(&mut self, device: usize, limit: u32) {
        let check_in = self.store.check_in(&support::device(&name(device)), limit).await.unwrap().unwrap();
        let waiting: Vec<i64> = check_in
            .commands
            .iter()
            .filter(|command| command.state == Queued)
            .map(|command| command.seq)
            .collect();
        let transitions = waiting.iter().map(|seq| transition(*seq, Queued, Sent)).collect();
        self.apply(device, self.step(device, transitions)).await;
        let queue = &mut self.queues[device];
        for command in queue.commands.iter_mut().filter(|command| waiting.contains(&command.seq)) {
            assert_eq!(command.state, Queued);
            command.state = Sent;
            command.attempts += 1;
        }
        queue.sent.extend(waiting);
    }

    async fn report(&mut self, device: usize, which: usize, done: bool) {
        let sent: Vec<i64> =
            self.queues[device].open().filter(|known| known.state == Sent).map(|known| known.seq).collect();
        let Some(seq) = which.checked_rem(sent.len()).map(|at| sent[at]) else { return };
        let to = if done { Done } else { Failed };
        let result = format!("reported at {}", self.now.as_secs());
        let ended = Transition { result: Some(result.clone()), ..transition(seq, Sent, to) };
        self.apply(device, self.step(device, vec![ended])).await;
        let queue = &mut self.queues[device];
        queue.end(seq, to, self.now);
        let known = queue.commands.iter_mut().find(|known| known.seq == seq).unwrap();
        known.result = Some(result.clone());
        assert!(self.results.insert(known.id, (to, result)).is_none(), "{known:?} got two results");
    }

    /// A step that was applied is refused, whatever came after it.
    async fn repeat(&mut self) {
        let Some(last) = self.last.clone() else { return };
        let again = SessionStep { now: self.now, ..last };
        let answer = self.store.apply(again.clone()).await;
        assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
        // Even with the session version read anew the transitions cannot happen twice.
        let device = (0..DEVICES).find(|device| name(*device) == again.device.as_str()).unwrap();
        let queue = &self.queues[device];
        if !again.transitions.is_empty() || again.generation != queue.generation {
            let answer = self.store.apply(SessionStep { expected_version: queue.session, ..again }).await;
            assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
        }
    }

    async fn cancel(&mut self, which: usize) {
        let number = id(which as u128 % (self.made + 1));
        let answer = self.store.cancel(number, "not wanted", ended, self.now).await.unwrap();
        for queue in &mut self.queues {
            let Some(known) = queue.commands.iter().find(|known| known.id == number).cloned() else {
                continue;
            };
            if known.state == Queued {
                queue.end(known.seq, Cancelled, self.now);
                assert_eq!(answer.unwrap().state, Cancelled);
            } else {
                assert_eq!(answer.unwrap().state, known.state);
            }
            return;
        }
        assert!(answer.is_none());
    }

    async fn expire(&mut self, limit: u32) {
        let due = |queue: &Queue, now| queue.open().filter(|known| known.expires <= now).count();
        let before: usize = self.queues.iter().map(|queue| due(queue, self.now)).sum();
        let expired = self.store.expire(ended, self.now, limit).await.unwrap();
        assert_eq!(expired as usize, before.min(limit as usize));
        // Which of several the store takes first is its own affair, if their time was over.
        for (device, queue) in self.queues.iter_mut().enumerate() {
            for seq in queue.open().map(|known| known.seq).collect::<Vec<_>>() {
                let known = queue.commands.iter().find(|known| known.seq == seq).unwrap();
                let state = self.store.command(known.id).await.unwrap().unwrap().state;
                if state == Expired {
                    assert!(known.expires <= self.now, "{device}: {known:?} expired early");
                    queue.end(seq, Expired, self.now);
                }
            }
        }
        let after: usize = self.queues.iter().map(|queue| due(queue, self.now)).sum();
        assert_eq!(after, before - expired as usize);
    }

    /// Copies the files as a dead process leaves them: nothing is closed, no log is folded in.
    fn crash(&mut self) {
        let file = |life: u32, end: &str| -> PathBuf { self.dir.path().join(format!("{life}.db{end}")) };
        for end in ["", "-wal"] {
            std::fs::copy(file(self.lives, end), file(self.lives + 1, end)).unwrap();
        }
        self.store = open(&file(self.lives + 1, ""));
        self.lives += 1;
    }

    /// Compares all that can be seen with the model, and the promise with the history.
    async fn check(&self) {
        for (device, queue) in self.queues.iter().enumerate() {
            let id = support::device(&name(device));
            let found = self.store.check_in(&id, 3).await.unwrap().unwrap();
            let expected = queue.in_order();
            let numbers: Vec<i64> = found.commands.iter().map(|command| command.seq).collect();
            let read = expected.iter().filter(|known| known.state == Sent).count() + 3;
            assert_eq!(numbers, expected.iter().take(read).map(|known| known.seq).collect::<Vec<_>>());
            assert_eq!(found.more, expected.len() > read);
            assert_eq!(found.device.generation, queue.generation);
            assert_eq!(found.device.open_commands, i64::try_from(expected.len()).unwrap());
            assert_eq!(found.session.map(|row| row.version), queue.session);

            // Nothing is lost: every command of the enrolment is there, in one state.
            let all = self.store.commands(&id, None, u32::MAX).await.unwrap();
            let seen: Vec<Known> = all.into_iter().rev().map(|command| seen(command, queue)).collect();
            assert_eq!(seen, queue.commands);
            // They were sent in the order they were queued, and never after they were superseded or cancelled.
            assert!(queue.sent.is_sorted_by(|one, next| one < next), "{:?}", queue.sent);
            for known in &queue.commands {
                assert_eq!(queue.sent.contains(&known.seq), known.attempts == 1);
                assert!(!matches!(known.state, Superseded | Cancelled) || known.attempts == 0);
                let recorded = self.results.get(&known.id);
                assert_eq!(matches!(known.state, Done | Failed), recorded.is_some());
                if let Some((state, result)) = recorded {
                    assert_eq!((known.state, known.result.as_ref()), (*state, Some(result)));
                }
            }
        }
    }
}

fn name(device: usize) -> String {
    format!("device-{device}")
}

fn seen(command: omadm_store::Command, queue: &Queue) -> Known {
    assert_eq!(command.generation, queue.generation);
    Known {
        id: command.id,
        seq: command.seq,
        // The store does not give the key back.
        key: queue.commands.iter().find(|known| known.id == command.id).and_then(|known| known.key),
        state: command.state,
        attempts: command.attempts,
        expires: command.expires,
        finished: command.finished,
        result: command.result,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(history in proptest::collection::vec(act(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for act in history {
                world.carry_out(act).await;
                world.check().await;
            }
        });
    }
}

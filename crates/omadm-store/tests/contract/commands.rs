//! The queue's promise.

use omadm_store::CommandState::{Cancelled, Done, Expired, Failed, Quarantined, Queued, Sent, Superseded};
use omadm_store::{Command, NewCommand, SessionStep, Store, StoreError, Transition};

use crate::support::*;

async fn get(store: &dyn Store, number: u128) -> Command {
    store.command(id(number)).await.unwrap().unwrap()
}

async fn open_figure(store: &dyn Store, name: &str) -> i64 {
    store.device(&device(name)).await.unwrap().unwrap().open_commands
}

fn keyed(name: &str, number: u128, key: &str) -> NewCommand {
    NewCommand { supersede_key: Some(key.to_owned()), ..new_command(&device(name), number) }
}

pub async fn commands_are_numbered_per_device(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    assert_eq!(enqueued(store, &a, 1).await.seq, 1);
    assert_eq!(enqueued(store, &b, 2).await.seq, 1);
    assert_eq!(enqueued(store, &a, 3).await.seq, 2);
    assert_eq!(open_figure(store, "a").await, 2);
}

pub async fn a_command_is_read_back(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let new =
        NewCommand { payload: Some(payload(&a, 9, b"firmware")), expires: at(99), ..new_command(&a, 1) };
    let given = store.enqueue(new, 10, at(10)).await.unwrap();
    let expected = Command {
        id: id(1),
        device: a.clone(),
        generation: 1,
        seq: 1,
        verb: "get".to_owned(),
        address: "urn:example:mo/a/1".to_owned(),
        args: "{}".to_owned(),
        payload: Some(id(9)),
        state: Queued,
        status: None,
        reason: None,
        result: None,
        attempts: 0,
        created: at(10),
        sent: None,
        finished: None,
        expires: at(99),
        created_by: "tester".to_owned(),
        origin: None,
    };
    assert_eq!(given, expected);
    assert_eq!(get(store, 1).await, expected);
    assert_eq!(store.payload(id(9)).await.unwrap(), Some(payload(&a, 9, b"firmware")));
    assert!(store.command(id(2)).await.unwrap().is_none());
}

pub async fn an_unknown_device_has_no_queue(store: &dyn Store) {
    let error = store.enqueue(new_command(&device("a"), 1), 10, at(1)).await.unwrap_err();
    assert!(matches!(&error, StoreError::DeviceUnknown(name) if name == "a"), "{error}");
    assert!(store.commands(&device("a"), None, 10).await.unwrap().is_empty());
}

pub async fn a_full_queue_refuses(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.enqueue(new_command(&a, 1), 2, at(1)).await.unwrap();
    store.enqueue(new_command(&a, 2), 2, at(1)).await.unwrap();
    let error = store.enqueue(new_command(&a, 3), 2, at(1)).await.unwrap_err();
    assert!(matches!(&error, StoreError::QueueFull { device, limit: 2 } if device == "a"), "{error}");
    assert!(store.command(id(3)).await.unwrap().is_none());
    assert_eq!(open_figure(store, "a").await, 2);
    store.cancel(id(1), "makes room", ended, at(2)).await.unwrap();
    let command = store.enqueue(new_command(&a, 3), 2, at(3)).await.unwrap();
    assert_eq!(command.seq, 3, "a refusal uses up no number");
}

pub async fn a_newer_command_supersedes_what_was_not_sent(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enrolled(store, "b").await;
    for new in [keyed("a", 1, "x"), keyed("a", 2, "y"), keyed("b", 3, "x"), keyed("a", 4, "x")] {
        store.enqueue(new, 10, at(1)).await.unwrap();
    }
    let old = get(store, 1).await;
    assert_eq!((old.state, old.finished, old.attempts), (Superseded, Some(at(1)), 0));
    assert!(old.reason.unwrap().contains(&id(4).to_string()));
    for number in [2, 3, 4] {
        assert_eq!(get(store, number).await.state, Queued, "{number}");
    }
    assert_eq!(open_figure(store, "a").await, 2);
    // What is on its way keeps its place; what came back to the queue does not.
    moved(store, &a, at(2), vec![transition(2, Queued, Sent), transition(3, Queued, Sent)]).await;
    moved(store, &a, at(2), vec![transition(3, Sent, Queued)]).await;
    store.enqueue(keyed("a", 5, "x"), 10, at(3)).await.unwrap();
    store.enqueue(keyed("a", 6, "y"), 10, at(3)).await.unwrap();
    let old = get(store, 4).await;
    assert_eq!((old.state, old.attempts), (Superseded, 1));
    assert!(old.reason.unwrap().ends_with("it may have been carried out."));
    assert_eq!(get(store, 2).await.state, Sent);
    // No key, no superseding.
    enqueued(store, &a, 7).await;
    enqueued(store, &a, 8).await;
    assert_eq!(get(store, 7).await.state, Queued);
    assert_eq!(open_figure(store, "a").await, 5);
}

pub async fn superseding_frees_a_place(store: &dyn Store) {
    enrolled(store, "a").await;
    store.enqueue(keyed("a", 1, "x"), 1, at(1)).await.unwrap();
    store.enqueue(keyed("a", 2, "x"), 1, at(1)).await.unwrap();
    assert_eq!(get(store, 1).await.state, Superseded);
    assert!(matches!(store.enqueue(keyed("a", 3, "y"), 1, at(1)).await, Err(StoreError::QueueFull { .. })));
    assert_eq!(open_figure(store, "a").await, 1);
}

/// Bodies of the events about a device's commands.
async fn told(store: &dyn Store, device: &omadm_mo::DeviceId) -> Vec<String> {
    let events = store.events(Some(device), 0, 100).await.unwrap();
    events.into_iter().filter(|event| event.event.kind == "command").map(|event| event.event.body).collect()
}

pub async fn only_queued_commands_are_cancelled(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    enqueued(store, &a, 2).await;
    let cancelled = store.cancel(id(1), "not wanted", ended, at(20)).await.unwrap().unwrap();
    assert_eq!(cancelled.state, Cancelled);
    assert_eq!(cancelled.reason.as_deref(), Some("not wanted"));
    assert_eq!(cancelled.finished, Some(at(20)));
    assert_eq!(get(store, 1).await, cancelled);
    let again = store.cancel(id(1), "twice", ended, at(30)).await.unwrap().unwrap();
    assert_eq!(again, cancelled);
    moved(store, &a, at(21), vec![transition(2, Queued, Sent)]).await;
    assert_eq!(store.cancel(id(2), "too late", ended, at(30)).await.unwrap().unwrap().state, Sent);
    assert!(store.cancel(id(3), "unknown", ended, at(30)).await.unwrap().is_none());
    assert_eq!(open_figure(store, "a").await, 1);
    assert_eq!(told(store, &a).await, ["1 is cancelled"], "once, with the cancelling");
}

pub async fn expiry_ends_queued_and_sent(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    for (number, expires) in [(1, 50), (2, 51), (3, 50), (4, 50)] {
        let new = NewCommand { expires: at(expires), ..new_command(&a, number) };
        store.enqueue(new, 10, at(1)).await.unwrap();
    }
    moved(store, &a, at(2), vec![transition(1, Queued, Sent), transition(4, Queued, Sent)]).await;
    moved(store, &a, at(3), vec![transition(4, Sent, Done)]).await;
    assert_eq!(store.expire(ended, at(49), 10).await.unwrap(), 0);
    assert_eq!(store.expire(ended, at(50), 1).await.unwrap(), 1);
    assert_eq!(store.expire(ended, at(50), 10).await.unwrap(), 1);
    assert_eq!(store.expire(ended, at(50), 10).await.unwrap(), 0);
    let (sent, queued) = (get(store, 1).await, get(store, 3).await);
    assert_eq!((sent.state, queued.state), (Expired, Expired));
    assert_eq!((sent.finished, queued.finished), (Some(at(50)), Some(at(50))));
    assert_ne!(sent.reason, queued.reason, "one may have been carried out, the other cannot");
    assert_eq!(get(store, 2).await.state, Queued);
    assert_eq!(get(store, 4).await.state, Done);
    assert_eq!(open_figure(store, "a").await, 1);
    let mut told = told(store, &a).await;
    told.sort();
    assert_eq!(told, ["1 is expired", "3 is expired"], "with the expiry, each once");
}

pub async fn listing_is_newest_first(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let b = enrolled(store, "b").await;
    for number in 1..=5 {
        enqueued(store, &a, number).await;
    }
    enqueued(store, &b, 6).await;
    let numbers = |page: Vec<Command>| page.into_iter().map(|command| command.seq).collect::<Vec<_>>();
    assert_eq!(numbers(store.commands(&a, None, 2).await.unwrap()), [5, 4]);
    assert_eq!(numbers(store.commands(&a, Some(4), 2).await.unwrap()), [3, 2]);
    assert_eq!(numbers(store.commands(&a, Some(2), 2).await.unwrap()), [1]);
    assert!(store.commands(&a, Some(1), 2).await.unwrap().is_empty());
}

pub async fn sending_counts_attempts(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    moved(store, &a, at(20), vec![transition(1, Queued, Sent)]).await;
    let sent = get(store, 1).await;
    assert_eq!((sent.state, sent.attempts, sent.sent), (Sent, 1, Some(at(20))));
    moved(store, &a, at(30), vec![transition(1, Sent, Queued), transition(1, Queued, Sent)]).await;
    let sent = get(store, 1).await;
    assert_eq!((sent.state, sent.attempts, sent.sent), (Sent, 2, Some(at(30))));
    let partial = Transition { result: Some("[1]".to_owned()), ..transition(1, Sent, Sent) };
    moved(store, &a, at(40), vec![partial]).await;
    let sent = get(store, 1).await;
    assert_eq!((sent.attempts, sent.sent, sent.result.as_deref()), (2, Some(at(30)), Some("[1]")));
    let done =
        Transition { status: Some(200), reason: Some("Done.".to_owned()), ..transition(1, Sent, Done) };
    moved(store, &a, at(50), vec![done]).await;
    let done = get(store, 1).await;
    assert_eq!((done.state, done.status, done.finished), (Done, Some(200), Some(at(50))));
    assert_eq!((done.result.as_deref(), done.reason.as_deref()), (Some("[1]"), Some("Done.")));
    assert_eq!((done.attempts, done.sent, open_figure(store, "a").await), (2, Some(at(30)), 0));
}

pub async fn a_reason_goes_with_its_state(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let because = |from, to, reason: Option<&str>| Transition {
        reason: reason.map(str::to_owned),
        ..transition(1, from, to)
    };
    for (step, expected) in [
        (because(Queued, Sent, None), None),
        (Transition { status: Some(202), ..because(Sent, Sent, Some("In progress.")) }, Some("In progress.")),
        (because(Sent, Sent, None), Some("In progress.")),
        (because(Sent, Queued, Some("Try again.")), Some("Try again.")),
        (because(Queued, Sent, None), None),
        (because(Sent, Done, None), None),
    ] {
        moved(store, &a, at(20), vec![step.clone()]).await;
        assert_eq!(get(store, 1).await.reason.as_deref(), expected, "{step:?}");
    }
    assert_eq!(get(store, 1).await.status, Some(202));
}

pub async fn a_transition_needs_its_state(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    for wrong in [transition(1, Sent, Done), transition(2, Queued, Sent), transition(1, Done, Done)] {
        let refused = SessionStep { transitions: vec![wrong.clone()], ..step(&a, at(20)) };
        assert!(matches!(store.apply(refused).await, Err(StoreError::Conflict(_))), "{wrong:?}");
    }
    assert_eq!(get(store, 1).await.state, Queued);
}

pub async fn a_final_state_stays(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let ends = [Done, Failed, Expired, Cancelled, Superseded, Quarantined];
    for (number, end) in (1_u8..).zip(ends) {
        enqueued(store, &a, number.into()).await;
        moved(store, &a, at(20), vec![transition(number.into(), Queued, end)]).await;
        let before = get(store, number.into()).await;
        for to in ends.into_iter().chain([Queued, Sent]) {
            let late = Transition { result: Some("late".to_owned()), ..transition(number.into(), end, to) };
            let late = SessionStep { transitions: vec![late], ..step(&a, at(30)) };
            assert!(matches!(store.apply(late).await, Err(StoreError::Conflict(_))), "{end:?} -> {to:?}");
        }
        assert_eq!(store.expire(ended, NEVER, 10).await.unwrap(), 0);
        assert_eq!(get(store, number.into()).await, before);
        assert_eq!(open_figure(store, "a").await, 0);
    }
}

pub async fn numbers_are_not_given_twice(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    store.cancel(id(1), "gone", ended, at(11)).await.unwrap();
    assert_eq!(store.prune(NEVER, 10).await.unwrap(), 2, "the command and the event of its end");
    assert_eq!(enqueued(store, &a, 2).await.seq, 2);
}

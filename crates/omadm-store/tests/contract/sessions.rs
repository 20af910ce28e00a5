//! Check-ins, steps and their guards, traces.

use omadm_store::CommandState::{Done, Queued, Sent};
use omadm_store::{
    Accept, Enrolment, NewEvent, SessionRow, SessionStep, SessionSummary, Store, StoreError, Transition,
    TreeUpdate,
};

use crate::support::*;

pub async fn check_in_reads_all_of_a_device(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    assert!(store.check_in(&device("b"), 10).await.unwrap().is_none());
    let fresh = store.check_in(&a, 10).await.unwrap().unwrap();
    assert!(fresh.session.is_none() && fresh.commands.is_empty() && !fresh.more);
    let command = enqueued(store, &a, 1).await;
    let first = SessionStep { session: Some(session_row(7)), ..step(&a, at(20)) };
    store.apply(first).await.unwrap();
    let found = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!(found.device, store.device(&a).await.unwrap().unwrap());
    assert_eq!(found.session, Some(SessionRow { version: 1, updated: at(20), ..session_row(7) }));
    assert_eq!(found.commands, [command]);
    assert!(!found.more);
}

fn accepted() -> Accept {
    Box::new(|_| true)
}

pub async fn check_in_by_user_brings_the_credential(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enrolled(store, "b").await;
    enqueued(store, &a, 1).await;
    store.apply(SessionStep { session: Some(session_row(7)), ..step(&a, at(20)) }).await.unwrap();
    assert!(store.check_in_user("a", accepted(), 10).await.unwrap().is_none(), "the DevID is no user name");
    let (credential, found) = store.check_in_user("user of a", accepted(), 10).await.unwrap().unwrap();
    assert_eq!((&credential.device, credential.generation), (&a, 1));
    assert_eq!(credential.verifier.expose(), b"a");
    let by_device = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{by_device:?}"));
    store.enrol(vec![Enrolment { replace: true, ..enrolment("a") }], vec![], at(30)).await.unwrap();
    let (credential, found) = store.check_in_user("user of a", accepted(), 10).await.unwrap().unwrap();
    assert_eq!((credential.generation, found.device.generation), (2, 2));
    assert!(found.session.is_none() && found.commands.is_empty());
    let refused: Accept = Box::new(|credential| credential.generation != 2);
    assert!(store.check_in_user("user of a", refused, 10).await.unwrap().is_none());
}

pub async fn check_in_orders_sent_before_queued(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let b = enrolled(store, "b").await;
    enqueued(store, &b, 100).await;
    for number in 1..=6 {
        enqueued(store, &a, number).await;
    }
    moved(store, &a, at(20), vec![transition(5, Queued, Sent), transition(2, Queued, Sent)]).await;
    moved(store, &a, at(20), vec![transition(1, Queued, Done)]).await;
    for (limit, expected, more) in [
        (10, &[2, 5, 3, 4, 6][..], false),
        (3, &[2, 5, 3, 4, 6], false),
        (2, &[2, 5, 3, 4], true),
        (0, &[2, 5], true),
    ] {
        let found = store.check_in(&a, limit).await.unwrap().unwrap();
        let numbers: Vec<i64> = found.commands.iter().map(|command| command.seq).collect();
        assert_eq!((numbers.as_slice(), found.more), (expected, more), "limit {limit}");
        assert_eq!(found.device.open_commands, 5);
    }
}

pub async fn a_step_sets_what_it_names(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let full = SessionStep {
        facts: Some("{\"Man\":\"x\"}".to_owned()),
        inventory: Some("[\"m\"]".to_owned()),
        protocol: Some("dm2.0".to_owned()),
        ..step(&a, at(20))
    };
    store.apply(full).await.unwrap();
    store.apply(step(&a, at(30))).await.unwrap();
    let found = store.device(&a).await.unwrap().unwrap();
    assert_eq!(found.facts, "{\"Man\":\"x\"}");
    assert_eq!(found.inventory.as_deref(), Some("[\"m\"]"));
    assert_eq!(found.protocol.as_deref(), Some("dm2.0"));
    assert_eq!((found.enrolled, found.last_contact), (at(1), Some(at(30))));
}

pub async fn a_stale_version_conflicts(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let write = |expected_version, number| SessionStep {
        expected_version,
        session: Some(SessionRow { ended: number == 3, ..session_row(number) }),
        ..step(&a, at(20))
    };
    assert!(matches!(store.apply(write(Some(1), 1)).await, Err(StoreError::Conflict(_))));
    store.apply(write(None, 1)).await.unwrap();
    assert!(matches!(store.apply(write(None, 2)).await, Err(StoreError::Conflict(_))));
    store.apply(write(Some(1), 2)).await.unwrap();
    assert!(matches!(store.apply(write(Some(1), 3)).await, Err(StoreError::Conflict(_))));
    // Without a session row the version does not matter.
    store.apply(SessionStep { expected_version: Some(77), ..step(&a, at(21)) }).await.unwrap();
    store.apply(write(Some(2), 3)).await.unwrap();
    let row = store.check_in(&a, 1).await.unwrap().unwrap().session.unwrap();
    assert_eq!((row.session, row.version, row.ended), (3, 3, true));
    assert_eq!(row.state, b"state 3");
}

pub async fn a_step_made_before_a_command_was_queued_conflicts(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let read = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!(read.last_seq, 1);
    let write = |expected_version, expected_last_seq| SessionStep {
        expected_version,
        expected_last_seq,
        session: Some(session_row(1)),
        ..step(&a, at(20))
    };
    enqueued(store, &a, 2).await;
    assert!(matches!(store.apply(write(None, Some(1))).await, Err(StoreError::Conflict(_))));
    store.apply(write(None, Some(2))).await.unwrap();
    store.apply(write(Some(1), None)).await.unwrap();
}

pub async fn what_comes_beside_a_session_is_for_its_next_message_to_know(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let open = SessionStep {
        session: Some(session_row(1)),
        transitions: vec![transition(1, Queued, Sent)],
        ..step(&a, at(20))
    };
    store.apply(open).await.unwrap();
    let before = store.check_in(&a, 10).await.unwrap().unwrap();
    let uploaded = Transition { result: Some("{}".to_owned()), ..transition(1, Sent, Sent) };
    let upload = SessionStep { transitions: vec![uploaded], ..step(&a, at(21)) };
    store.apply(upload.clone()).await.unwrap();
    let reported = SessionStep {
        expected_version: Some(1),
        session: Some(session_row(1)),
        transitions: vec![transition(1, Sent, Done)],
        ..step(&a, at(22))
    };
    assert!(matches!(store.apply(reported.clone()).await, Err(StoreError::Conflict(_))));
    let after = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!(after, before.after(&upload));
    store.apply(SessionStep { expected_version: Some(2), ..reported }).await.unwrap();
}

/// A step that would touch every table, and whose last part is refused.
fn full_step_with_conflict(a: &omadm_mo::DeviceId) -> SessionStep {
    SessionStep {
        session: Some(session_row(1)),
        outcome: Some("ended".to_owned()),
        transitions: vec![transition(1, Queued, Sent), transition(2, Sent, Done)],
        payloads: vec![payload(a, 50, b"upload")],
        tree: vec![TreeUpdate::Merge { nodes: vec![(address("m", "i", ""), None)] }],
        events: vec![NewEvent { device: Some(a.clone()), kind: "x".to_owned(), body: "{}".to_owned() }],
        trace: vec![message("one", true)],
        facts: Some("{\"a\":1}".to_owned()),
        ..step(a, at(20))
    }
}

pub async fn a_conflict_leaves_nothing(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    enqueued(store, &a, 2).await;
    let before = store.check_in(&a, 10).await.unwrap().unwrap();
    let refused = store.apply(full_step_with_conflict(&a)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    let after = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!(after.device, before.device);
    assert_eq!(after.commands, before.commands);
    assert!(after.session.is_none());
    assert!(store.payload(id(50)).await.unwrap().is_none());
    assert!(store.tree(&a, &address("", "", ""), None, 9).await.unwrap().is_empty());
    assert!(store.events(None, 0, 9).await.unwrap().is_empty());
    assert!(store.sessions(&a, None, 9).await.unwrap().is_empty());
}

pub async fn an_old_generation_conflicts(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.enrol(vec![Enrolment { replace: true, ..enrolment("a") }], vec![], at(2)).await.unwrap();
    for (generation, good) in [(1, false), (3, false), (2, true)] {
        let result = store.apply(SessionStep { generation, ..step(&a, at(3)) }).await;
        assert_eq!(result.is_ok(), good, "generation {generation}: {result:?}");
    }
    store.remove_device(&a, vec![], at(4)).await.unwrap();
    for generation in [1, 2] {
        let result = store.apply(SessionStep { generation, ..step(&a, at(5)) }).await;
        assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    }
}

pub async fn one_of_two_rivals_wins(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let b = enrolled(store, "b").await;
    for round in 0..20 {
        let expected_version = (round > 0).then_some(round);
        let rival =
            |number| SessionStep { expected_version, session: Some(session_row(number)), ..step(&a, at(20)) };
        // Sent at once, so that they share a commit, with one between them that must not suffer.
        let (first, other, second) =
            tokio::join!(store.apply(rival(1)), store.apply(step(&b, at(round))), store.apply(rival(2)));
        assert!(other.is_ok());
        assert_eq!([first.is_ok(), second.is_ok()].iter().filter(|won| **won).count(), 1);
        let row = store.check_in(&a, 1).await.unwrap().unwrap().session.unwrap();
        assert_eq!((row.version, row.session), (round + 1, if first.is_ok() { 1 } else { 2 }));
    }
}

pub async fn sessions_are_listed_with_traces(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let exchange = |session, version: Option<i64>, outcome: Option<&str>, now| SessionStep {
        expected_version: version,
        session: Some(session_row(session)),
        outcome: outcome.map(str::to_owned),
        trace: vec![message("request", true), message("reply", false)],
        ..step(&a, at(now))
    };
    store.apply(exchange(1, None, None, 20)).await.unwrap();
    store.apply(exchange(1, Some(1), Some("ended"), 21)).await.unwrap();
    store.apply(exchange(2, Some(2), Some("open"), 30)).await.unwrap();
    let summary = |session, started, updated, outcome: &str, messages| SessionSummary {
        device: a.clone(),
        session,
        started: at(started),
        updated: at(updated),
        outcome: outcome.to_owned(),
        messages,
    };
    let (first, second) = (summary(1, 20, 21, "ended", 4), summary(2, 30, 30, "open", 2));
    assert_eq!(store.sessions(&a, None, 9).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.sessions(&a, None, 1).await.unwrap(), [second]);
    assert_eq!(store.sessions(&a, Some(2), 9).await.unwrap(), std::slice::from_ref(&first));
    let (found, messages) = store.trace(&a, 1).await.unwrap().unwrap();
    assert_eq!(found, first);
    let (request, reply) = (message("request", true), message("reply", false));
    assert_eq!(messages, [request.clone(), reply.clone(), request, reply]);
    assert!(store.trace(&a, 3).await.unwrap().is_none());
    assert!(store.trace(&device("b"), 1).await.unwrap().is_none());
}

pub async fn uploads_are_traced_with_their_session(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let opening = SessionStep { session: Some(session_row(4)), ..step(&a, at(20)) };
    store.apply(opening).await.unwrap();
    let upload = SessionStep {
        trace: vec![message("upload", true)],
        payloads: vec![payload(&a, 5, b"data")],
        ..step(&a, at(21))
    };
    store.apply(upload).await.unwrap();
    let (summary, messages) = store.trace(&a, 4).await.unwrap().unwrap();
    assert_eq!((summary.messages, summary.outcome.as_str()), (1, "open"));
    assert_eq!(messages, [message("upload", true)]);
    let row = store.check_in(&a, 1).await.unwrap().unwrap().session.unwrap();
    assert_eq!((row.version, row.updated), (1, at(20)), "the session row is left as it was");
}

pub async fn replaced_sessions_say_so(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let opening = SessionStep { session: Some(session_row(1)), ..step(&a, at(20)) };
    store.apply(opening).await.unwrap();
    let newer = SessionStep {
        expected_version: Some(1),
        session: Some(session_row(2)),
        replaced: Some(1),
        ..step(&a, at(21))
    };
    store.apply(newer).await.unwrap();
    let sessions = store.sessions(&a, None, 9).await.unwrap();
    let outcomes: Vec<_> = sessions.iter().map(|one| (one.session, one.outcome.as_str())).collect();
    assert_eq!(outcomes, [(2, "open"), (1, "replaced")]);
}

use omadm_mo::DeviceId;
use omadm_store::{
    CommandState, Delegation, DelegationOut, DelegationPart, DelegationRole, DelegationSeen, DelegationState,
    DelegationStep, PartState, Store, StoreError,
};

use crate::support::*;

fn delegation(number: u128) -> Delegation {
    Delegation {
        number: 0,
        id: id(number),
        peer: "b.example".to_owned(),
        name: format!("d-{number}"),
        role: DelegationRole::Delegating,
        state: DelegationState::Requested,
        version: 0,
        created: at(5),
        updated: at(0),
        due: None,
        document: "<x/>".to_owned(),
        detail: "{}".to_owned(),
    }
}

fn part(number: u128, device: &DeviceId) -> DelegationPart {
    DelegationPart {
        delegation: id(number),
        device: device.clone(),
        state: PartState::Pending,
        waits_for: None,
        due: None,
        record: "{}".to_owned(),
    }
}

fn message(number: u128, peer: &str) -> DelegationOut {
    DelegationOut {
        number: 0,
        peer: peer.to_owned(),
        msg_id: format!("m-{number}"),
        delegation: id(1),
        document: "<y/>".to_owned(),
        created: at(5),
        attempts: 0,
        due: at(10),
    }
}

fn seen(msg_id: &str, secs: i64) -> DelegationSeen {
    DelegationSeen {
        peer: "b.example".to_owned(),
        msg_id: msg_id.to_owned(),
        at: at(secs),
        digest: vec![1, 2],
        answer: "<z/>".to_owned(),
    }
}

async fn put(store: &dyn Store, delegation: Delegation) {
    let step = DelegationStep { delegation: Some(delegation), ..DelegationStep::default() };
    store.step_delegation(step, at(6)).await.unwrap();
}

async fn put_parts(store: &dyn Store, parts: Vec<DelegationPart>) {
    store.step_delegation(DelegationStep { parts, ..DelegationStep::default() }, at(6)).await.unwrap();
}

pub async fn a_delegation_is_read_back(store: &dyn Store) {
    put(store, Delegation { due: Some(at(9)), ..delegation(1) }).await;
    let read = store.delegation(id(1)).await.unwrap().unwrap();
    let expected =
        Delegation { number: read.number, version: 1, updated: at(6), due: Some(at(9)), ..delegation(1) };
    assert_eq!(read, expected);
    assert_eq!(store.delegation_named("b.example", "d-1").await.unwrap(), Some(read.clone()));
    assert_eq!(store.delegation_named("c.example", "d-1").await.unwrap(), None);
    assert_eq!(store.due_delegations(at(8), 10).await.unwrap(), []);
    assert_eq!(store.due_delegations(at(9), 10).await.unwrap(), std::slice::from_ref(&read));
    put(store, Delegation { state: DelegationState::Active, detail: "[]".to_owned(), due: None, ..read })
        .await;
    let changed = store.delegation(id(1)).await.unwrap().unwrap();
    assert_eq!((changed.state, changed.version, changed.detail.as_str()), (DelegationState::Active, 2, "[]"));
    assert_eq!(store.due_delegations(NEVER, 10).await.unwrap(), []);
}

pub async fn delegations_are_listed_newest_first(store: &dyn Store) {
    for number in 1..=3 {
        put(store, delegation(number)).await;
    }
    let names = |found: Vec<Delegation>| found.into_iter().map(|it| it.name).collect::<Vec<_>>();
    let newest = store.delegations(None, 2).await.unwrap();
    let before = newest[1].number;
    assert_eq!(names(newest), ["d-3", "d-2"]);
    assert_eq!(names(store.delegations(Some(before), 2).await.unwrap()), ["d-1"]);
}

pub async fn one_of_two_delegation_steps_wins(store: &dyn Store) {
    put(store, delegation(1)).await;
    let read = store.delegation(id(1)).await.unwrap().unwrap();
    let step = DelegationStep {
        delegation: Some(read),
        seen: Some(seen("m", 6)),
        events: vec![event(None, "delegation")],
        ..DelegationStep::default()
    };
    store.step_delegation(step.clone(), at(7)).await.unwrap();
    for stale in [
        DelegationStep { seen: Some(seen("n", 6)), ..step.clone() },
        DelegationStep { delegation: None, ..step },
        DelegationStep { delegation: Some(delegation(1)), ..DelegationStep::default() },
        DelegationStep {
            delegation: Some(Delegation { name: "d-1".to_owned(), ..delegation(2) }),
            ..DelegationStep::default()
        },
    ] {
        let outcome = store.step_delegation(stale, at(8)).await;
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    }
    assert_eq!(store.delegation_seen("b.example", "n").await.unwrap(), None, "nothing of it is kept");
    assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.delegation_seen("b.example", "m").await.unwrap(), Some(seen("m", 6)));
    assert_eq!(store.delegation_seen("c.example", "m").await.unwrap(), None);
}

pub async fn parts_are_counted_and_found_by_device(store: &dyn Store) {
    let (a, b) = (device("a"), device("b"));
    put(store, delegation(1)).await;
    put(store, delegation(2)).await;
    put_parts(store, vec![part(1, &b), part(1, &a), part(2, &a)]).await;
    let active = DelegationPart { state: PartState::Active, record: "[1]".to_owned(), ..part(1, &a) };
    put_parts(store, vec![active.clone(), DelegationPart { state: PartState::Ended, ..part(2, &a) }]).await;
    let found = store.delegation_parts(id(1), None, 10).await.unwrap();
    assert_eq!(found, [active.clone(), part(1, &b)]);
    assert_eq!(store.delegation_parts(id(1), Some(a.clone()), 10).await.unwrap(), [part(1, &b)]);
    let mut counts = store.delegation_counts(id(1)).await.unwrap();
    counts.sort_by_key(|(state, _)| state.as_str());
    assert_eq!(counts, [(PartState::Active, 1), (PartState::Pending, 1)]);
    let of_a = store.delegations_of(&a).await.unwrap();
    assert_eq!(of_a.len(), 1, "what is over does not count");
    assert_eq!((of_a[0].0.id, &of_a[0].1), (id(1), &active));
}

pub async fn a_part_waits_for_its_command_or_its_time(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    put(store, delegation(1)).await;
    put(store, delegation(2)).await;
    let due = DelegationPart { due: Some(at(20)), ..part(1, &a) };
    put_parts(store, vec![due.clone()]).await;
    assert_eq!(store.due_parts(at(19), 10).await.unwrap(), []);
    assert_eq!(store.due_parts(at(20), 10).await.unwrap(), std::slice::from_ref(&due));
    let waits = DelegationPart { waits_for: Some(id(7)), ..part(2, &a) };
    let step = DelegationStep {
        parts: vec![waits.clone()],
        commands: vec![new_command(&a, 7)],
        queue_limit: 10,
        ..DelegationStep::default()
    };
    store.step_delegation(step, at(21)).await.unwrap();
    assert_eq!(store.due_parts(at(30), 10).await.unwrap(), [], "another part has its turn on the device");
    let (queued, sent) = (CommandState::Queued, CommandState::Sent);
    moved(store, &a, at(31), vec![transition(1, queued, sent)]).await;
    assert_eq!(store.due_parts(at(32), 10).await.unwrap(), []);
    moved(store, &a, at(33), vec![transition(1, sent, CommandState::Done)]).await;
    assert_eq!(store.due_parts(at(34), 10).await.unwrap(), [waits]);
    put_parts(store, vec![part(2, &a)]).await;
    assert_eq!(store.due_parts(at(35), 10).await.unwrap(), [due]);
    // What waits for a command that is gone with its device does not wait for ever.
    let lost = DelegationPart { waits_for: Some(id(8)), ..part(2, &a) };
    put_parts(store, vec![lost.clone()]).await;
    assert_eq!(store.due_parts(at(36), 10).await.unwrap(), [lost]);
}

pub async fn a_step_that_cannot_queue_leaves_nothing(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let step = DelegationStep {
        delegation: Some(delegation(1)),
        commands: vec![new_command(&a, 2)],
        queue_limit: 1,
        ..DelegationStep::default()
    };
    let full = store.step_delegation(step.clone(), at(6)).await;
    assert!(matches!(full, Err(StoreError::QueueFull { .. })), "{full:?}");
    let commands = vec![new_command(&device("b"), 2)];
    let unknown = store.step_delegation(DelegationStep { commands, ..step }, at(6)).await;
    assert!(matches!(unknown, Err(StoreError::DeviceUnknown(_))), "{unknown:?}");
    assert_eq!(store.delegation(id(1)).await.unwrap(), None);
}

pub async fn messages_to_a_server_go_in_order(store: &dyn Store) {
    let send = vec![message(1, "b"), message(2, "b"), message(3, "c")];
    store.step_delegation(DelegationStep { send, ..DelegationStep::default() }, at(6)).await.unwrap();
    assert_eq!(store.due_delegation_messages(at(9), 10).await.unwrap(), []);
    let ids = |found: &[DelegationOut]| found.iter().map(|out| out.msg_id.clone()).collect::<Vec<_>>();
    let first = store.due_delegation_messages(at(10), 10).await.unwrap();
    assert_eq!(ids(&first), ["m-1", "m-3"]);
    let number = first[0].number;
    assert_eq!(first[0], DelegationOut { number, ..message(1, "b") });
    store.defer_delegation_message(number, at(40)).await.unwrap();
    assert_eq!(ids(&store.due_delegation_messages(at(20), 10).await.unwrap()), ["m-3"]);
    let again = store.due_delegation_messages(at(40), 10).await.unwrap();
    assert_eq!(again.iter().find(|out| out.peer == "b").map(|out| out.attempts), Some(1));
    let answered = DelegationStep { sent: Some(number), ..DelegationStep::default() };
    store.step_delegation(answered.clone(), at(41)).await.unwrap();
    assert_eq!(ids(&store.due_delegation_messages(at(41), 10).await.unwrap()), ["m-2", "m-3"]);
    assert!(store.step_delegation(answered, at(41)).await.is_err(), "it is answered once");
}

pub async fn old_delegations_are_forgotten(store: &dyn Store) {
    let a = device("a");
    put(store, Delegation { state: DelegationState::Ended, ..delegation(1) }).await;
    put(store, Delegation { state: DelegationState::Active, ..delegation(2) }).await;
    put_parts(store, vec![part(1, &a), part(2, &a)]).await;
    for (msg_id, secs) in [("old", 5), ("young", 50)] {
        let step = DelegationStep { seen: Some(seen(msg_id, secs)), ..DelegationStep::default() };
        store.step_delegation(step, at(50)).await.unwrap();
    }
    assert_eq!(store.prune_delegations(at(5), at(6), 10).await.unwrap(), 0);
    assert_eq!(store.prune_delegations(at(6), at(7), 10).await.unwrap(), 2);
    assert_eq!(store.delegation(id(1)).await.unwrap(), None);
    assert_eq!(store.delegation_parts(id(1), None, 10).await.unwrap(), []);
    assert!(store.delegation(id(2)).await.unwrap().is_some());
    assert_eq!(store.delegation_parts(id(2), None, 10).await.unwrap().len(), 1);
    assert_eq!(store.delegation_seen("b.example", "old").await.unwrap(), None);
    assert!(store.delegation_seen("b.example", "young").await.unwrap().is_some());
}

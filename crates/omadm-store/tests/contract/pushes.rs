//! What is kept to notify devices.

use omadm_mo::{DeviceId, Time};
use omadm_store::{Enrolment, Push, PushProgress, PushStep, SessionStep, Store, StoreError};

use crate::support::*;

async fn get(store: &dyn Store, device: &DeviceId) -> Push {
    store.push(device).await.unwrap().unwrap()
}

async fn due(store: &dyn Store, device: &DeviceId) -> Option<Time> {
    get(store, device).await.progress.due
}

/// As if a notification had gone out at `sent` and the next were due at `due`.
async fn advance(store: &dyn Store, device: &DeviceId, sent: Time, due: Option<Time>) {
    let Push { generation, version, progress, .. } = get(store, device).await;
    let attempts = progress.attempts + 1;
    let progress = PushProgress { sent: Some(sent), due, attempts, ..progress };
    let step = PushStep { device: device.clone(), generation, version, progress, events: vec![] };
    store.advance_push(step, sent).await.unwrap();
}

pub async fn a_device_without_address_is_not_notified(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    assert_eq!(store.push(&a).await.unwrap(), None);
    assert!(store.set_push_addresses(&a, vec![], at(20)).await.unwrap());
    enqueued(store, &a, 2).await;
    assert_eq!(due(store, &a).await, None);
    let unknown = device("b");
    assert!(!store.set_push_addresses(&unknown, vec!["x".into()], at(20)).await.unwrap());
    assert!(!store.register_push(&unknown, "x", at(20)).await.unwrap());
}

pub async fn a_command_makes_a_notification_due(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    assert!(store.set_push_addresses(&a, vec!["x".into(), "y".into()], at(2)).await.unwrap());
    assert!(store.set_push_addresses(&b, vec!["z".into()], at(2)).await.unwrap());
    assert!(store.due_pushes(at(99), 10).await.unwrap().is_empty());
    enqueued(store, &a, 1).await;
    assert!(store.due_pushes(at(9), 10).await.unwrap().is_empty());
    let found = store.due_pushes(at(10), 10).await.unwrap();
    assert_eq!(found, [get(store, &a).await]);
    let push = &found[0];
    assert_eq!(
        (push.addresses.as_slice(), push.wanted),
        (&["x".to_owned(), "y".to_owned()][..], Some(at(10)))
    );
    assert_eq!((push.open_commands, push.has_inventory, push.verifier.expose()), (1, false, &b"a"[..]));
}

pub async fn one_notification_waits_for_its_answer(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.set_push_addresses(&a, vec!["x".into()], at(2)).await.unwrap();
    enqueued(store, &a, 1).await;
    advance(store, &a, at(11), Some(at(40))).await;
    store.enqueue(new_command(&a, 2), 10, at(12)).await.unwrap();
    let push = get(store, &a).await;
    assert_eq!((push.progress.due, push.wanted, push.progress.attempts), (Some(at(40)), Some(at(12)), 1));
    // The device answers; what is queued then is told at once.
    store.apply(step(&a, at(13))).await.unwrap();
    store.enqueue(new_command(&a, 3), 10, at(14)).await.unwrap();
    assert_eq!(due(store, &a).await, Some(at(14)));
    // After the last attempt a new command begins anew.
    advance(store, &a, at(15), None).await;
    store.enqueue(new_command(&a, 4), 10, at(16)).await.unwrap();
    let push = get(store, &a).await;
    assert_eq!((push.progress.due, push.progress.attempts), (Some(at(16)), 0));
}

pub async fn a_way_to_the_device_serves_what_waits_already(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    store.set_push_addresses(&a, vec!["x".into()], at(20)).await.unwrap();
    assert_eq!(due(store, &a).await, Some(at(20)));
    store.set_push_addresses(&a, vec![], at(21)).await.unwrap();
    assert_eq!(due(store, &a).await, None);
    assert!(store.register_push(&a, "token", at(22)).await.unwrap());
    let push = get(store, &a).await;
    assert_eq!((push.progress.due, push.registration.as_deref()), (Some(at(22)), Some("token")));
    assert!(!store.unregister_push(&a, "other").await.unwrap());
    assert!(store.unregister_push(&a, "token").await.unwrap());
    assert_eq!(get(store, &a).await.registration, None);
}

pub async fn what_a_clock_that_was_ahead_has_put_off_is_due(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    for device in [&a, &b] {
        store.set_push_addresses(device, vec!["x".into()], at(2)).await.unwrap();
        enqueued(store, device, if *device == a { 1 } else { 2 }).await;
    }
    let ahead = at(20).plus_micros(Push::FARTHEST);
    advance(store, &a, ahead, Some(ahead)).await;
    advance(store, &b, ahead, Some(ahead.plus_micros(1))).await;
    let found = |pushes: Vec<Push>| pushes.into_iter().map(|push| push.device).collect::<Vec<_>>();
    assert_eq!(
        found(store.due_pushes(at(20), 10).await.unwrap()),
        std::slice::from_ref(&b),
        "no pause is that long"
    );
    assert_eq!(found(store.due_pushes(ahead, 1).await.unwrap()), [a]);
    assert_eq!(store.due_pushes(at(20), 0).await.unwrap(), []);
}

pub async fn a_stale_step_of_notifying_conflicts(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.set_push_addresses(&a, vec!["x".into()], at(2)).await.unwrap();
    let Push { generation, version, progress, .. } = get(store, &a).await;
    enqueued(store, &a, 1).await;
    let stop = PushStep {
        device: a.clone(),
        generation,
        version,
        progress: PushProgress { due: None, ..progress },
        events: vec![event(Some(&a), "stopped")],
    };
    let stale = store.advance_push(stop.clone(), at(11)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let version = get(store, &a).await.version;
    let foreign = store.advance_push(PushStep { version, generation: 7, ..stop.clone() }, at(11)).await;
    assert!(matches!(foreign, Err(StoreError::Conflict(_))), "{foreign:?}");
    store.advance_push(PushStep { version, ..stop }, at(11)).await.unwrap();
    assert_eq!(store.events(Some(&a), 0, 10).await.unwrap().len(), 1);
}

pub async fn ways_go_with_their_enrolment(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.set_push_addresses(&a, vec!["x".into()], at(2)).await.unwrap();
    store.enrol(vec![Enrolment { replace: true, ..enrolment("a") }], vec![], at(3)).await.unwrap();
    assert_eq!(store.push(&a).await.unwrap(), None);
    store.apply(SessionStep { generation: 2, ..step(&a, at(4)) }).await.unwrap();
}

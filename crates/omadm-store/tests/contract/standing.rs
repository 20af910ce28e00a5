//! What devices go on doing, cache validators, and pages.

use omadm_store::{
    CommandState, NewCommand, Page, SessionStep, StandingChange, StandingKind, Store, StoreError, Validator,
    ValidatorChange,
};

use crate::support::*;

fn begin(target: &str, number: u128) -> StandingChange {
    StandingChange::Begin { kind: StandingKind::Default, target: target.to_owned(), command: id(number) }
}

fn keep(moid: &str, miid: &str, value: &str) -> ValidatorChange {
    let [moid, miid, value] = [moid, miid, value].map(str::to_owned);
    ValidatorChange::Keep(Validator { moid, miid, value })
}

pub async fn what_stands_keeps_its_payload(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    for number in [1, 2] {
        let command =
            NewCommand { payload: Some(payload(&a, 10 + number, b"kept")), ..new_command(&a, number) };
        store.enqueue(command, 10, at(2)).await.unwrap();
        let transitions = vec![
            transition(i64::try_from(number).unwrap(), CommandState::Queued, CommandState::Sent),
            transition(i64::try_from(number).unwrap(), CommandState::Sent, CommandState::Done),
        ];
        let standing = vec![begin("one", number)];
        store.apply(SessionStep { transitions, standing, ..step(&a, at(3)) }).await.unwrap();
    }
    let standings = store.standings(&a).await.unwrap();
    assert_eq!(standings.len(), 1, "the newer takes the place of the older");
    assert_eq!((standings[0].id, standings[0].payload, standings[0].since), (id(2), Some(id(12)), at(3)));
    assert_eq!(store.standing(id(2)).await.unwrap().as_ref(), Some(&standings[0]));
    assert!(store.standing(id(1)).await.unwrap().is_none());
    assert!(store.payload(id(11)).await.unwrap().is_none());
    store.prune(at(100), 1000).await.unwrap();
    assert!(store.command(id(2)).await.unwrap().is_none());
    assert!(store.payload(id(12)).await.unwrap().is_some(), "for as long as it stands");
    let end = StandingChange::End { kind: StandingKind::Default, target: "one".to_owned() };
    store.apply(SessionStep { standing: vec![end.clone(), end], ..step(&a, at(4)) }).await.unwrap();
    assert!(store.payload(id(12)).await.unwrap().is_none() && store.standings(&a).await.unwrap().is_empty());
}

pub async fn a_report_counts_once(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let report = |digest: u8, now| SessionStep {
        standing: vec![StandingChange::Reported { id: id(1), digest: vec![digest] }],
        ..step(&a, at(now))
    };
    assert!(matches!(store.apply(report(1, 2)).await, Err(StoreError::Conflict(_))), "there is none");
    store.apply(SessionStep { standing: vec![begin("x", 1)], ..step(&a, at(2)) }).await.unwrap();
    store.apply(report(1, 3)).await.unwrap();
    assert!(matches!(store.apply(report(1, 4)).await, Err(StoreError::Conflict(_))));
    store.apply(report(2, 5)).await.unwrap();
    store.apply(report(1, 6)).await.unwrap();
    assert_eq!(store.standing(id(1)).await.unwrap().unwrap().reported, Some(at(6)));
    store.remove_device(&a, vec![], at(7)).await.unwrap();
    assert!(store.standing(id(1)).await.unwrap().is_none());
}

pub async fn validators_come_with_the_queue(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let changes = vec![keep("m", "1", "x"), keep("m", "2", "x"), keep("n", "1", "x"), keep("m", "1", "y")];
    let opening = SessionStep { session: Some(session_row(1)), validators: changes, ..step(&a, at(2)) };
    let before = store.check_in(&a, 10).await.unwrap().unwrap();
    let expected = before.after(&opening);
    store.apply(opening).await.unwrap();
    let read = |check: omadm_store::CheckIn| {
        let mut values: Vec<_> =
            check.validators.into_iter().map(|kept| (kept.moid + &kept.miid, kept.value)).collect();
        values.sort();
        values
    };
    let now = store.check_in(&a, 10).await.unwrap().unwrap();
    let version = now.session.as_ref().unwrap().version;
    let all = [("m1", "y"), ("m2", "x"), ("n1", "x")].map(|(at, value)| (at.to_owned(), value.to_owned()));
    assert_eq!((read(now), read(expected)), (all.to_vec(), all.to_vec()));
    for (moid, miid, left) in [("m", "1", 2), ("m", "", 1), ("", "", 0)] {
        let drop = ValidatorChange::Drop { moid: moid.to_owned(), miid: miid.to_owned() };
        store.apply(SessionStep { validators: vec![drop], ..step(&a, at(3)) }).await.unwrap();
        let now = store.check_in(&a, 10).await.unwrap().unwrap();
        assert!(now.session.as_ref().unwrap().version > version, "the next message has to know");
        assert_eq!(now.validators.len(), left);
    }
}

pub async fn pages_are_replaced_by_name(store: &dyn Store) {
    let page = |name: &str, text: &str| Page { name: name.to_owned(), text: text.to_owned(), stored: at(1) };
    for (name, text) in [("b", "1"), ("a", "2"), ("b", "3")] {
        store.put_page(page(name, text)).await.unwrap();
    }
    assert_eq!(store.pages().await.unwrap(), [page("a", "2"), page("b", "3")]);
    assert_eq!(store.page("b").await.unwrap(), Some(page("b", "3")));
    assert!(store.remove_page("b").await.unwrap() && !store.remove_page("b").await.unwrap());
    assert!(store.page("b").await.unwrap().is_none());
}

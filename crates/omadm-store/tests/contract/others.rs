//! Payloads, events, DDF files, tokens, figures and pruning.

use omadm_mo::Time;
use omadm_store::CommandState::{Done, Queued};
use omadm_store::{
    Counts, DdfFile, EVENTS_SIZE, Enrolment, NewCommand, NewEvent, Payload, SessionStep, Store, StoreError,
    Token,
};

use crate::support::*;

pub async fn payloads_are_kept_for_their_device(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    assert!(store.payload(id(1)).await.unwrap().is_none());
    store.put_payload(payload(&a, 1, b"one"), at(2)).await.unwrap();
    assert_eq!(store.payload(id(1)).await.unwrap(), Some(payload(&a, 1, b"one")));
    let anew = Payload { content_type: "image/png".to_owned(), ..payload(&a, 1, &[0, 255]) };
    store.apply(SessionStep { payloads: vec![anew.clone()], ..step(&a, at(3)) }).await.unwrap();
    assert_eq!(store.payload(id(1)).await.unwrap(), Some(anew));
    let unknown = store.put_payload(payload(&device("b"), 2, b""), at(2)).await;
    assert!(matches!(unknown, Err(StoreError::DeviceUnknown(_))));
}

pub async fn payloads_of_others_are_safe(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    store.put_payload(payload(&a, 1, b"mine"), at(2)).await.unwrap();
    assert!(store.put_payload(payload(&b, 1, b"theirs"), at(2)).await.is_err());
    let foreign = SessionStep { payloads: vec![payload(&a, 2, b"x")], ..step(&b, at(3)) };
    assert!(store.apply(foreign).await.is_err());
    let foreign = NewCommand { payload: Some(payload(&a, 3, b"x")), ..new_command(&b, 3) };
    assert!(store.enqueue(foreign, 10, at(3)).await.is_err());
    assert_eq!(store.payload(id(1)).await.unwrap(), Some(payload(&a, 1, b"mine")));
    assert!(store.payload(id(2)).await.unwrap().is_none());
    assert!(store.command(id(3)).await.unwrap().is_none());
}

pub async fn events_follow_a_cursor(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    store.add_events(vec![event(None, "1"), event(Some(&a), "2")], at(2)).await.unwrap();
    store.apply(SessionStep { events: vec![event(Some(&a), "3")], ..step(&a, at(3)) }).await.unwrap();
    store.add_events(vec![event(Some(&device("unknown")), "4")], at(4)).await.unwrap();
    let all = store.events(None, 0, 10).await.unwrap();
    assert_eq!(all.iter().map(|e| e.event.kind.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    assert_eq!(all.iter().map(|e| e.at).collect::<Vec<_>>(), [at(2), at(2), at(3), at(4)]);
    assert!(all.is_sorted_by(|one, next| one.cursor < next.cursor));
    assert_eq!(store.events(None, all[1].cursor, 1).await.unwrap(), [all[2].clone()]);
    assert_eq!(store.events(Some(&a), 0, 10).await.unwrap(), all[1..3]);
    assert_eq!(store.events(Some(&a), all[1].cursor, 10).await.unwrap(), all[2..3]);
    assert!(store.events(None, all[3].cursor, 10).await.unwrap().is_empty());
    let back: Vec<_> = all.iter().rev().cloned().collect();
    assert_eq!(store.events_before(None, i64::MAX, 10).await.unwrap(), back);
    assert_eq!(store.events_before(None, all[2].cursor, 1).await.unwrap(), [all[1].clone()]);
    assert_eq!(store.events_before(Some(&a), i64::MAX, 10).await.unwrap(), back[1..3]);
    assert_eq!(store.events_before(Some(&a), all[2].cursor, 10).await.unwrap(), back[2..3]);
    assert_eq!(
        store.first_event(at(2)).await.unwrap(),
        Some(all[0].cursor),
        "of those of one time the first"
    );
    assert_eq!(store.first_event(at(3)).await.unwrap(), Some(all[2].cursor));
    assert_eq!(store.first_event(Time(at(3).0 + 1)).await.unwrap(), Some(all[3].cursor));
    assert_eq!(store.first_event(at(5)).await.unwrap(), None);
    // Cursors go on after the log was emptied.
    assert_eq!(store.prune(NEVER, 10).await.unwrap(), 4);
    store.add_events(vec![event(None, "5")], at(5)).await.unwrap();
    assert_eq!(store.events(None, all[3].cursor, 10).await.unwrap().len(), 1);
}

pub async fn pages_of_events_are_bounded_in_size(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let sized =
        |size: usize| NewEvent { body: format!("\"{}\"", "x".repeat(size - 2)), ..event(Some(&a), "x") };
    let whole = usize::try_from(EVENTS_SIZE).unwrap();
    let half = whole / 2;
    let sizes = [half, half, 2, whole + 1, whole + 1, 2];
    store.add_events(sizes.map(sized).to_vec(), at(2)).await.unwrap();
    for device in [None, Some(&a)] {
        let (mut after, mut pages) = (0, Vec::new());
        while let events @ [_, ..] = store.events(device, after, 100).await.unwrap().as_slice() {
            after = events[events.len() - 1].cursor;
            pages.push(events.len());
        }
        assert_eq!(pages, [2, 1, 1, 1, 1]);
    }
}

pub async fn events_of_a_device_begin_with_its_enrolment(store: &dyn Store) {
    let a = device("a");
    store.add_events(vec![event(Some(&a), "before")], at(0)).await.unwrap();
    enrolled(store, "a").await;
    store.add_events(vec![event(Some(&a), "first")], at(2)).await.unwrap();
    store.enrol(vec![Enrolment { replace: true, ..enrolment("a") }], vec![], at(3)).await.unwrap();
    store.add_events(vec![event(Some(&a), "second")], at(4)).await.unwrap();
    let kinds = |events: Vec<omadm_store::Event>| {
        events.into_iter().map(|event| event.event.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(store.events(Some(&a), 0, 10).await.unwrap()), ["second"]);
    assert_eq!(kinds(store.events(None, 0, 10).await.unwrap()), ["before", "first", "second"]);
}

pub async fn ddf_files_are_replaced_by_name(store: &dyn Store) {
    let file = |name: &str, text: &str| DdfFile {
        name: name.to_owned(),
        moids: vec!["urn:a".to_owned(), "urn:\"b\"".to_owned()],
        text: text.to_owned(),
        stored: at(3),
    };
    for (name, text) in [("b.ddf", "<b/>"), ("a.ddf", "<a/>"), ("b.ddf", "<new/>")] {
        store.put_ddf(file(name, text)).await.unwrap();
    }
    assert_eq!(store.ddfs().await.unwrap(), [file("a.ddf", ""), file("b.ddf", "")]);
    assert_eq!(store.ddf("b.ddf").await.unwrap(), Some(file("b.ddf", "<new/>")));
    assert_eq!(store.ddf("c.ddf").await.unwrap(), None);
    assert!(store.remove_ddf("a.ddf").await.unwrap() && !store.remove_ddf("a.ddf").await.unwrap());
    assert_eq!(store.ddfs().await.unwrap(), [file("b.ddf", "")]);
}

pub async fn tokens_are_kept(store: &dyn Store) {
    let token = |name: &str, verifier: u8, expires| Token {
        name: name.to_owned(),
        verifier: vec![verifier; 48],
        digest: None,
        user: None,
        role: "viewer".to_owned(),
        scopes: Some(vec!["devices:read".to_owned()]),
        groups: None,
        created: at(3),
        expires,
    };
    for (new, is_added) in
        [(token("b", 1, None), true), (token("a", 2, Some(at(9))), true), (token("b", 3, None), false)]
    {
        assert_eq!(store.add_token(new).await.unwrap(), is_added);
    }
    assert_eq!(store.tokens().await.unwrap(), [token("a", 2, Some(at(9))), token("b", 1, None)]);
    assert!(store.remove_token("a").await.unwrap());
    assert!(!store.remove_token("a").await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [token("b", 1, None)]);
}

pub async fn a_store_that_can_be_written_says_so(store: &dyn Store) {
    store.ping().await.unwrap();
    enrolled(store, "a").await;
    store.ping().await.unwrap();
}

pub async fn counts_are_those_of_now(store: &dyn Store) {
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    let a = enrolled(store, "a").await;
    enrolled(store, "b").await;
    enqueued(store, &a, 1).await;
    enqueued(store, &a, 2).await;
    moved(store, &a, at(20), vec![transition(1, Queued, Done)]).await;
    assert_eq!(
        store.counts().await.unwrap(),
        Counts { devices: 2, open_commands: 1, oldest_open: Some(at(10)), dead_letters: 0 }
    );
}

/// Three commands (the first finished at 20, the second at 30), their payloads, two sessions of two messages, two uploads and
/// two events, each time at 20 and at 30.
async fn history(store: &dyn Store) -> omadm_mo::DeviceId {
    let a = enrolled(store, "a").await;
    for number in 1..=3 {
        let new = NewCommand { payload: Some(payload(&a, 10 + number, b"p")), ..new_command(&a, number) };
        store.enqueue(new, 10, at(10)).await.unwrap();
    }
    for (session, seq, now) in [(1, 1, 20), (2, 2, 30)] {
        let exchange = SessionStep {
            expected_version: (session == 2).then_some(1),
            session: Some(session_row(session)),
            transitions: vec![transition(seq, Queued, Done)],
            payloads: vec![payload(&a, 20 + u128::from(seq.unsigned_abs()), b"upload")],
            events: vec![event(Some(&a), "x")],
            trace: vec![message("request", true), message("reply", false)],
            ..step(&a, at(now))
        };
        store.apply(exchange).await.unwrap();
    }
    a
}

pub async fn pruning_spares_what_is_open_or_young(store: &dyn Store) {
    assert_eq!(store.oldest().await.unwrap(), None);
    let a = history(store).await;
    assert_eq!(store.oldest().await.unwrap(), Some(at(20)), "what is open has no age");
    assert_eq!(store.prune(at(20), 100).await.unwrap(), 0);
    // One command, two messages and their session, one upload, one event.
    assert_eq!(store.prune(at(25), 100).await.unwrap(), 6);
    assert_eq!(store.prune(at(25), 100).await.unwrap(), 0);
    assert_eq!(store.oldest().await.unwrap(), Some(at(30)));
    for (number, kept) in [(1, false), (2, true), (3, true)] {
        assert_eq!(store.command(id(number)).await.unwrap().is_some(), kept, "command {number}");
        assert_eq!(store.payload(id(10 + number)).await.unwrap().is_some(), kept, "payload {number}");
    }
    assert!(store.payload(id(21)).await.unwrap().is_none());
    assert!(store.payload(id(22)).await.unwrap().is_some());
    assert_eq!(store.sessions(&a, None, 10).await.unwrap().len(), 1);
    assert!(store.trace(&a, 1).await.unwrap().is_none());
    assert_eq!(store.trace(&a, 2).await.unwrap().unwrap().1.len(), 2);
    assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 1);
    store.prune(NEVER, 100).await.unwrap();
    assert_eq!(store.command(id(3)).await.unwrap().unwrap().state, Queued);
    assert!(store.payload(id(13)).await.unwrap().is_some());
    let check_in = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!((check_in.commands.len(), check_in.session.map(|row| row.version)), (1, Some(2)));
}

pub async fn pruning_stops_at_its_limit(store: &dyn Store) {
    let a = history(store).await;
    let mut removed = 0;
    loop {
        let now = store.prune(NEVER, 1).await.unwrap();
        assert!(now <= 1);
        if now == 0 {
            break;
        }
        removed += now;
    }
    assert_eq!(removed, 12);
    assert!(store.sessions(&a, None, 10).await.unwrap().is_empty());
    assert!(store.events(None, 0, 10).await.unwrap().is_empty());
}

//! Enrolment, removal, and what a generation is.

use omadm_store::{Device, Enrolment, Model, NewEvent, SessionStep, Store, StoreError, TreeUpdate};

use crate::support::{id as id_of, *};

pub async fn enrolment_is_read_back(store: &dyn Store) {
    let id = enrolled(store, "one").await;
    let expected = Device {
        id: id.clone(),
        generation: 1,
        label: "label of one".to_owned(),
        protocol: None,
        bearer: None,
        facts: "{}".to_owned(),
        inventory: None,
        enrolled: at(1),
        last_contact: None,
        open_commands: 0,
        revoked: None,
        desired: None,
        pinned: None,
    };
    assert_eq!(store.device(&id).await.unwrap(), Some(expected));
    let credential = store.credential("user of one").await.unwrap().unwrap();
    assert_eq!(
        (credential.device, credential.generation, credential.verifier),
        (id, 1, b"one".to_vec().into())
    );
    assert_eq!(store.device(&device("two")).await.unwrap(), None);
    assert!(store.credential("user of two").await.unwrap().is_none());
    assert!(store.credential("USER OF ONE").await.unwrap().is_none(), "names are compared exactly");
}

pub async fn enrolment_is_all_or_none(store: &dyn Store) {
    enrolled(store, "b").await;
    let batch = vec![enrolment("a"), enrolment("b"), enrolment("c")];
    let error = store.enrol(batch, vec![event(None, "enrolled")], at(2)).await.unwrap_err();
    assert!(store.events(None, 0, 10).await.unwrap().is_empty());
    assert!(matches!(&error, StoreError::Exists(name) if name == "b"), "{error}");
    assert_eq!(store.devices(None, 10).await.unwrap().len(), 1);
    assert!(store.credential("user of a").await.unwrap().is_none());
}

pub async fn enrolment_refuses_what_is_taken(store: &dyn Store) {
    enrolled(store, "a").await;
    let same_user = Enrolment { user: "user of a".to_owned(), ..enrolment("b") };
    let error = store.enrol(vec![same_user], vec![], at(2)).await.unwrap_err();
    assert!(matches!(&error, StoreError::UserTaken(user) if user == "user of a"), "{error}");
    let twice = vec![enrolment("c"), enrolment("c")];
    assert!(matches!(store.enrol(twice, vec![], at(2)).await, Err(StoreError::Exists(_))));
    let twice = vec![
        Enrolment { user: "same".to_owned(), ..enrolment("c") },
        Enrolment { user: "same".to_owned(), ..enrolment("d") },
    ];
    assert!(matches!(store.enrol(twice, vec![], at(2)).await, Err(StoreError::UserTaken(_))));
    assert_eq!(store.counts().await.unwrap().devices, 1);
}

pub async fn user_names_can_be_exchanged(store: &dyn Store) {
    store.enrol(vec![enrolment("a"), enrolment("b")], vec![], at(1)).await.unwrap();
    let exchanged = vec![
        Enrolment { user: "user of b".to_owned(), replace: true, ..enrolment("a") },
        Enrolment { user: "user of a".to_owned(), replace: true, ..enrolment("b") },
    ];
    store.enrol(exchanged, vec![], at(2)).await.unwrap();
    assert_eq!(store.credential("user of b").await.unwrap().unwrap().device, device("a"));
    assert_eq!(store.credential("user of a").await.unwrap().unwrap().device, device("b"));
}

pub async fn devices_are_listed_by_id(store: &dyn Store) {
    let names = ["b", "IMEI:1", "a", "~"];
    store.enrol(names.iter().map(|name| enrolment(name)).collect(), vec![], at(1)).await.unwrap();
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = store.devices(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        listed.extend(page.into_iter().map(|device| device.id.to_string()));
    }
    assert_eq!(listed, ["IMEI:1", "a", "b", "~"]);
}

/// Gives a device of generation 1 a row of every kind.
async fn furnished(store: &dyn Store, name: &str) {
    let id = enrolled(store, name).await;
    let mut command = new_command(&id, 1);
    command.payload = Some(payload(&id, 2, b"for the command"));
    store.enqueue(command, 10, at(2)).await.unwrap();
    let full = SessionStep {
        session: Some(session_row(1)),
        payloads: vec![payload(&id, 3, b"upload")],
        tree: vec![TreeUpdate::Merge { nodes: vec![(address("m", "i", "/a"), Some("1".to_owned()))] }],
        events: vec![NewEvent { device: Some(id.clone()), kind: "alert".to_owned(), body: "{}".to_owned() }],
        trace: vec![message("hello", true)],
        inventory: Some("[]".to_owned()),
        ..step(&id, at(3))
    };
    store.apply(full).await.unwrap();
}

/// Asserts that nothing of the furniture is seen.
async fn assert_empty(store: &dyn Store, name: &str) {
    let id = device(name);
    assert!(store.command(id_of(1)).await.unwrap().is_none());
    assert!(store.commands(&id, None, 10).await.unwrap().is_empty());
    assert!(store.payload(id_of(2)).await.unwrap().is_none());
    assert!(store.payload(id_of(3)).await.unwrap().is_none());
    assert!(store.tree(&id, &address("", "", ""), None, 10).await.unwrap().is_empty());
    assert!(store.sessions(&id, None, 10).await.unwrap().is_empty());
    assert!(store.trace(&id, 1).await.unwrap().is_none());
    assert!(store.events(Some(&id), 0, 10).await.unwrap().is_empty());
    assert!(store.cancel(id_of(1), "late", ended, at(9)).await.unwrap().is_none());
    assert_eq!(store.expire(ended, NEVER, 10).await.unwrap(), 0);
    assert_eq!(store.counts().await.unwrap().open_commands, 0);
}

pub async fn removal_takes_all_of_a_device(store: &dyn Store) {
    furnished(store, "a").await;
    assert_eq!(store.counts().await.unwrap().open_commands, 1);
    let removed = || vec![event(Some(&device("a")), "removed")];
    assert!(store.remove_device(&device("a"), removed(), at(4)).await.unwrap());
    assert!(!store.remove_device(&device("a"), removed(), at(4)).await.unwrap());
    assert!(store.device(&device("a")).await.unwrap().is_none());
    assert!(store.credential("user of a").await.unwrap().is_none());
    assert!(store.check_in(&device("a"), 10).await.unwrap().is_none());
    assert_empty(store, "a").await;
    let log = store.events(None, 0, 10).await.unwrap();
    assert_eq!(log.len(), 2, "the server's log stays");
    assert_eq!(log[1].event, removed()[0]);
}

pub async fn replacement_starts_clean(store: &dyn Store) {
    furnished(store, "a").await;
    let anew = Enrolment { user: "new user".to_owned(), replace: true, ..enrolment("a") };
    store.enrol(vec![anew], vec![], at(5)).await.unwrap();
    assert!(store.credential("user of a").await.unwrap().is_none());
    assert_eq!(store.credential("new user").await.unwrap().unwrap().generation, 2);
    assert_empty(store, "a").await;
    let check_in = store.check_in(&device("a"), 10).await.unwrap().unwrap();
    assert_eq!(check_in.device.generation, 2);
    assert_eq!(check_in.device.enrolled, at(5));
    assert_eq!((check_in.device.last_contact, check_in.device.inventory), (None, None));
    assert!(check_in.session.is_none() && check_in.commands.is_empty() && !check_in.more);
    assert_eq!(enqueued(store, &device("a"), 1).await.seq, 1, "the id of a command that is gone is free");
}

pub async fn revocation_takes_the_credential_and_no_more(store: &dyn Store) {
    furnished(store, "a").await;
    let a = device("a");
    store.set_push_addresses(&a, vec!["udp:192.0.2.1".to_owned()], at(3)).await.unwrap();
    let before = store.check_in(&a, 10).await.unwrap().unwrap();
    let version = before.session.as_ref().unwrap().version;
    let revoked = || vec![event(Some(&a), "revoked")];
    assert!(!store.revoke(&device("b"), revoked(), at(4)).await.unwrap());
    assert!(store.revoke(&a, revoked(), at(4)).await.unwrap());
    assert!(!store.revoke(&a, revoked(), at(5)).await.unwrap());
    assert_eq!(store.events(Some(&a), 0, 10).await.unwrap().len(), 2, "one event of one revocation");

    assert_eq!(store.device(&a).await.unwrap().unwrap().revoked, Some(at(4)));
    assert!(store.credential("user of a").await.unwrap().is_none());
    assert!(store.check_in(&a, 10).await.unwrap().is_none());
    assert!(store.check_in_user("user of a", Box::new(|_| true), 10).await.unwrap().is_none());
    assert!(store.due_pushes(NEVER, 10).await.unwrap().is_empty());
    let made_before =
        SessionStep { session: Some(session_row(1)), expected_version: Some(version), ..step(&a, at(6)) };
    for late in [made_before.clone(), step(&a, at(6))] {
        assert!(matches!(store.apply(late).await, Err(StoreError::Conflict(_))));
    }
    let sessions = store.sessions(&a, None, 10).await.unwrap();
    assert_eq!(sessions[0].outcome, "ended");

    let anew = Enrolment { user: "new user".to_owned(), verifier: b"new".to_vec().into(), ..enrolment("a") };
    store.enrol(vec![anew.clone()], vec![], at(7)).await.unwrap();
    assert!(matches!(store.enrol(vec![anew], vec![], at(7)).await, Err(StoreError::Exists(_))));
    assert!(store.credential("user of a").await.unwrap().is_none());
    assert_eq!(store.credential("new user").await.unwrap().unwrap().generation, 1);
    let after = store.check_in(&a, 10).await.unwrap().unwrap();
    assert_eq!((&after.device, &after.commands), (&before.device, &before.commands));
    assert!(after.session.unwrap().ended);
    assert!(matches!(store.apply(made_before).await, Err(StoreError::Conflict(_))), "nor is it later");
    assert_eq!(store.due_pushes(NEVER, 10).await.unwrap().len(), 1);
}

pub async fn what_dm1_keeps_goes_with_the_enrolment(store: &dyn Store) {
    let with_keys = |replace| Enrolment { dm1: Some(b"keys".to_vec().into()), replace, ..enrolment("a") };
    store.enrol(vec![with_keys(false)], vec![], at(1)).await.unwrap();
    let kept = async || store.check_in(&device("a"), 10).await.unwrap().unwrap().dm1;
    assert_eq!(kept().await, Some(b"keys".to_vec().into()));
    let learnt = |text: &str| Some(Model { name: "Acme T1".to_owned(), text: text.to_owned() });
    let nonce = SessionStep {
        session: Some(session_row(1)),
        dm1: Some(b"nonce".to_vec().into()),
        model: learnt("lists"),
        ..step(&device("a"), at(2))
    };
    store.apply(nonce.clone()).await.unwrap();
    assert_eq!(kept().await, Some(b"nonce".to_vec().into()));
    let conflict = SessionStep { dm1: Some(b"late".to_vec().into()), model: learnt("late"), ..nonce };
    assert!(store.apply(conflict).await.is_err());
    store.apply(SessionStep { dm1: None, ..step(&device("a"), at(3)) }).await.unwrap();
    assert_eq!(kept().await, Some(b"nonce".to_vec().into()), "what a step does not name stays");
    assert_eq!(store.model("Acme T1").await.unwrap(), learnt("lists"));
    assert_eq!(store.model("Acme T2").await.unwrap(), None);
    store.enrol(vec![Enrolment { dm1: None, ..with_keys(true) }], vec![], at(4)).await.unwrap();
    assert_eq!(kept().await, None);
    assert_eq!(store.model("Acme T1").await.unwrap(), learnt("lists"), "a model is not of one device");
}

pub async fn generations_count_on_after_removal(store: &dyn Store) {
    let id = enrolled(store, "a").await;
    for generation in 1..4 {
        assert_eq!(store.device(&id).await.unwrap().unwrap().generation, generation);
        store.remove_device(&id, vec![], at(2)).await.unwrap();
        let replace = generation == 2;
        store.enrol(vec![Enrolment { replace, ..enrolment("a") }], vec![], at(3)).await.unwrap();
    }
}

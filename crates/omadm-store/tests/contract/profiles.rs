//! Profiles, their assignments, and how far devices are with them.

use omadm_store::{
    Assignment, CommandState, ProfileChange, ProfileState, ProfileStep, ProfileWork, SessionStep, Store,
    StoreError, TreeAddress, TreeUpdate,
};

use crate::support::*;

fn assignment(group: Option<&str>, version: i64) -> Assignment {
    Assignment {
        profile: "base".to_owned(),
        group: group.map(str::to_owned),
        version,
        previous: None,
        since: at(2),
        by: "ann".to_owned(),
        clock: 0,
    }
}

fn stands(state: ProfileState) -> ProfileChange {
    let reason = (state == ProfileState::Failed).then(|| "No.".to_owned());
    ProfileChange::Stands { profile: "base".to_owned(), version: 1, state, reason }
}

fn looked(expected: Option<&str>, memo: Option<&str>, changes: Vec<ProfileChange>) -> ProfileStep {
    let text = |memo: Option<&str>| memo.map(str::to_owned);
    ProfileStep { expected: text(expected), memo: text(memo), changes, events: Vec::new() }
}

pub async fn versions_are_numbered_and_stay(store: &dyn Store) {
    for (document, version) in [("one", 1), ("one", 1), ("two", 2), ("one", 3)] {
        let stored = store.put_profile("base", document, None, "ann", at(1)).await.unwrap();
        assert_eq!((stored.version, stored.document.as_str()), (version, document));
    }
    assert_eq!(store.profile("base").await.unwrap().unwrap().newest, 3);
    let listed = store.profile_versions("base", Some(3), 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.version).collect::<Vec<_>>(), [2, 1]);
    for (name, base, exists) in [("base", 2, false), ("base", 0, true), ("new", 1, false)] {
        match store.put_profile(name, "three", Some(base), "ann", at(1)).await {
            Err(StoreError::ProfileExists(_)) => assert!(exists, "{name} {base}"),
            Err(StoreError::ProfileChanged(_)) => assert!(!exists, "{name} {base}"),
            other => panic!("{name} {base}: {other:?}"),
        }
    }
    assert_eq!(store.put_profile("base", "one", Some(3), "ann", at(1)).await.unwrap().version, 3);
    store.put_profile("other", "x", Some(0), "ann", at(1)).await.unwrap();
    let names = store.profiles(Some("base"), 10).await.unwrap();
    assert_eq!(names.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["other"]);

    assert!(store.remove_profile("base", at(2)).await.unwrap());
    assert!(!store.remove_profile("base", at(2)).await.unwrap());
    assert!(store.profile("base").await.unwrap().is_none());
    assert_eq!(
        store.profile_version("base", 2).await.unwrap().unwrap().document,
        "two",
        "devices may have it"
    );
    assert_eq!(store.voided_profiles().await.unwrap(), [("base".to_owned(), 4)]);
    assert_eq!(
        store.put_profile("base", "one", Some(0), "ann", at(3)).await.unwrap().version,
        4,
        "no number comes again"
    );
    let voided = [("base".to_owned(), 4)];
    assert_eq!(store.voided_profiles().await.unwrap(), voided, "what is of before stays void");
}

pub async fn an_assignment_remembers_the_version_before(store: &dyn Store) {
    let clock = store.profile_clock().await.unwrap();
    assert_eq!(store.assign_profile(assignment(None, 1)).await.unwrap().previous, None);
    assert_eq!(store.assign_profile(assignment(None, 2)).await.unwrap().previous, Some(1));
    assert_eq!(
        store.assign_profile(assignment(None, 2)).await.unwrap().previous,
        Some(1),
        "nothing has changed"
    );
    store.assign_profile(assignment(Some("a"), 1)).await.unwrap();
    let groups: Vec<_> =
        store.assignments().await.unwrap().into_iter().map(|one| (one.group, one.version)).collect();
    assert_eq!(groups, [(None, 2), (Some("a".to_owned()), 1)]);
    let later = store.profile_clock().await.unwrap();
    assert!(later > clock);
    assert_eq!(store.assignments().await.unwrap().iter().map(|one| one.clock).max(), Some(later));
    assert!(store.unassign_profile("base", None).await.unwrap());
    assert!(!store.unassign_profile("base", None).await.unwrap());
    store.put_profile("base", "x", None, "ann", at(1)).await.unwrap();
    store.remove_profile("base", at(3)).await.unwrap();
    assert_eq!(store.assignments().await.unwrap(), []);
}

pub async fn devices_are_counted_by_state(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let look = async |device, expected, memo, changes| {
        let profiles = Some(looked(expected, memo, changes));
        store.apply(SessionStep { profiles, ..step(device, at(2)) }).await
    };
    look(&a, None, Some("m"), vec![stands(ProfileState::Pending)]).await.unwrap();
    look(&b, None, Some("m"), vec![stands(ProfileState::Failed)]).await.unwrap();
    look(&a, Some("m"), Some("n"), vec![stands(ProfileState::Converged)]).await.unwrap();
    assert_eq!(store.device(&a).await.unwrap().unwrap().desired.as_deref(), Some("n"));
    let stale = look(&a, Some("m"), None, vec![]).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let mut counts = store.profile_counts("base").await.unwrap();
    counts.sort();
    assert_eq!(counts, [(ProfileState::Converged, 1), (ProfileState::Failed, 1)]);
    let failed = store.profile_devices("base", Some(ProfileState::Failed), None, 10).await.unwrap();
    assert_eq!((failed.len(), &failed[0].device, failed[0].reason.as_deref()), (1, &b, Some("No.")));
    let all = store.profile_devices("base", None, Some(a.clone()), 10).await.unwrap();
    assert_eq!(all.iter().map(|one| one.device.clone()).collect::<Vec<_>>(), std::slice::from_ref(&b));
    store.remove_device(&b, vec![], at(4)).await.unwrap();
    assert_eq!(store.profile_counts("base").await.unwrap(), [(ProfileState::Converged, 1)]);
    let gone = vec![ProfileChange::Gone { profile: "base".to_owned() }];
    look(&a, Some("n"), None, gone).await.unwrap();
    assert_eq!(store.profile_counts("base").await.unwrap(), []);
    assert_eq!(store.device_profiles(&a).await.unwrap(), []);
}

pub async fn work_on_a_device_is_done_at_once_or_not_at_all(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    enqueued(store, &a, 1).await;
    let work = |expected: Option<&str>, number: u128| ProfileWork {
        device: a.clone(),
        generation: 1,
        step: looked(expected, Some("m"), vec![stands(ProfileState::Pending)]),
        superseded: vec![(id(1), "A newer version.".to_owned())],
        commands: vec![new_command(&a, number)],
        queue_limit: 10,
        notify: false,
    };
    let stale = store.work_on_profiles(work(Some("other"), 2), at(3)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    assert_eq!(store.commands(&a, None, 10).await.unwrap().len(), 1);
    store.work_on_profiles(work(None, 3), at(3)).await.unwrap();
    let old = store.command(id(1)).await.unwrap().unwrap();
    assert_eq!((old.state, old.reason.as_deref()), (CommandState::Superseded, Some("A newer version.")));
    assert_eq!(store.device(&a).await.unwrap().unwrap().open_commands, 1);
    assert_eq!(store.command(id(3)).await.unwrap().unwrap().state, CommandState::Queued);
}

pub async fn nodes_are_read_by_their_addresses(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let node = |path: &str| TreeAddress { moid: "m".to_owned(), miid: "i".to_owned(), path: path.to_owned() };
    let nodes = ["/a/b", "/a/c", "/d"].map(|path| (node(path), Some("1".to_owned()))).to_vec();
    store.apply(SessionStep { tree: vec![TreeUpdate::Merge { nodes }], ..step(&a, at(2)) }).await.unwrap();
    let found = store.nodes(&a, vec![node("/a"), node("/a/c"), node("/none")]).await.unwrap();
    let mut found: Vec<_> = found.into_iter().map(|one| (one.at.path, one.value)).collect();
    found.sort();
    assert_eq!(found, [("/a".to_owned(), None), ("/a/c".to_owned(), Some("1".to_owned()))]);
}

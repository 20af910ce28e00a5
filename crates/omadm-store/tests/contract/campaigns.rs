//! Commands that come from somewhere, and campaigns.

use omadm_mo::DeviceId;
use omadm_store::{
    Campaign, CampaignCancel, CampaignCounts, CampaignDeviceState, CampaignEnd, CampaignGift, CampaignQuery,
    CampaignState, CampaignStep, CampaignTry, CampaignVerdict, CommandState, NewCommand, Origin, Package,
    PackageKind, PackageRemoval, Pin, ProfileChange, ProfileState, ProfileStep, Rival, SessionStep, Store,
    StoreError,
};

use crate::support::*;

pub async fn many_commands_are_queued_or_none(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let origin = Some(Origin::Profile { name: "base".to_owned(), version: 2 });
    let new = |device, number| NewCommand { origin: origin.clone(), ..new_command(device, number) };
    let queued = store.enqueue_many(vec![new(&a, 1), new(&b, 2), new(&a, 3)], 2, at(10)).await.unwrap();
    let order: Vec<_> = queued.iter().map(|command| (command.device.as_str(), command.seq)).collect();
    assert_eq!(order, [("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!(store.command(id(3)).await.unwrap().unwrap().origin, origin);

    let error = store.enqueue_many(vec![new(&b, 4), new(&a, 5)], 2, at(11)).await.unwrap_err();
    assert!(matches!(&error, StoreError::QueueFull { device, limit: 2 } if device == "a"), "{error}");
    assert!(store.command(id(4)).await.unwrap().is_none(), "the first goes with the second");
    let error = store.enqueue_many(vec![new(&b, 4), new(&device("c"), 5)], 2, at(12)).await.unwrap_err();
    assert!(matches!(&error, StoreError::DeviceUnknown(name) if name == "c"), "{error}");
    assert_eq!(store.device(&b).await.unwrap().unwrap().open_commands, 1);
}

fn package(number: u128, name: &str) -> Package {
    Package {
        id: id(number),
        name: name.to_owned(),
        version: "1".to_owned(),
        kind: PackageKind::Firmware,
        model: Some("X-*".to_owned()),
        content_type: "application/octet-stream".to_owned(),
        size: 5_000_000_000,
        digest: "00".repeat(32),
        signature: Some(vec![1, 2]),
        signed_by: Some("release".to_owned()),
        created: at(5),
        created_by: "tester".to_owned(),
    }
}

fn campaign(number: u128, name: &str) -> Campaign {
    Campaign {
        id: id(number),
        name: name.to_owned(),
        state: CampaignState::Running,
        version: 0,
        created: at(5),
        created_by: "tester".to_owned(),
        updated: at(6),
        due: Some(at(7)),
        package: None,
        groups: Some(vec!["a".to_owned(), "b".to_owned()]),
        target: "firmware".to_owned(),
        document: "{}".to_owned(),
        progress: "{}".to_owned(),
        counts: CampaignCounts::default(),
    }
}

fn campaign_step(campaign: Campaign) -> CampaignStep {
    CampaignStep {
        campaign,
        tries: Vec::new(),
        ends: Vec::new(),
        gone: Vec::new(),
        taken_back: Vec::new(),
        cancel: None,
        rival: Rival::Wait(at(100)),
        retry_full: at(200),
        queue_limit: 2,
        events: Vec::new(),
    }
}

fn attempt(device: &DeviceId, of: u128, numbers: &[u128]) -> CampaignTry {
    let origin = Some(Origin::Campaign { id: id(of) });
    let new = |number: &u128| NewCommand { origin: origin.clone(), ..new_command(device, *number) };
    let commands = numbers.iter().map(new).collect();
    CampaignTry { device: device.clone(), gives: CampaignGift::Commands(commands), again: false }
}

/// Stores a campaign as it is with what changes; gives it as it is then.
async fn stepped(store: &dyn Store, step: CampaignStep) -> Campaign {
    let id = step.campaign.id;
    store.step_campaign(step, at(10)).await.unwrap();
    store.campaign(id).await.unwrap().unwrap()
}

pub async fn packages_are_kept_while_they_are_needed(store: &dyn Store) {
    assert!(store.add_package(package(1, "a")).await.unwrap());
    assert!(!store.add_package(package(2, "a")).await.unwrap(), "name and version are taken");
    assert!(store.add_package(package(3, "b")).await.unwrap());
    assert_eq!(store.package(id(1)).await.unwrap(), Some(package(1, "a")));
    assert_eq!(store.package_named("b", "1").await.unwrap(), Some(package(3, "b")));
    let newest = store.packages(None, 1).await.unwrap();
    assert_eq!(newest, [package(3, "b")]);
    assert_eq!(store.packages(Some(id(3)), 10).await.unwrap(), [package(1, "a")]);

    let needs = Campaign { package: Some(id(1)), ..campaign(9, "c") };
    let made = stepped(store, campaign_step(needs)).await;
    let removal = store.remove_package(id(1)).await.unwrap();
    assert!(matches!(&removal, PackageRemoval::InUse(by) if by.contains("\"c\"")), "{removal:?}");
    stepped(store, campaign_step(Campaign { state: CampaignState::Done, ..made })).await;
    assert_eq!(store.remove_package(id(1)).await.unwrap(), PackageRemoval::Removed);
    assert_eq!(store.remove_package(id(1)).await.unwrap(), PackageRemoval::Unknown);
}

pub async fn a_campaign_is_read_back_and_one_of_two_steps_wins(store: &dyn Store) {
    let made = stepped(store, campaign_step(campaign(1, "c"))).await;
    let expected = Campaign { version: 1, updated: at(10), ..campaign(1, "c") };
    assert_eq!(made, expected);
    assert_eq!(store.campaign_named("c").await.unwrap(), Some(expected.clone()));
    let taken = store.step_campaign(campaign_step(campaign(2, "c")), at(10)).await.unwrap_err();
    assert!(matches!(taken, StoreError::Conflict(_)), "{taken}");
    assert_eq!(store.due_campaigns(at(6), 10).await.unwrap(), []);
    assert_eq!(store.due_campaigns(at(7), 10).await.unwrap(), std::slice::from_ref(&expected));
    let paused = Campaign { state: CampaignState::Paused, due: None, ..expected.clone() };
    let paused = stepped(store, campaign_step(paused)).await;
    assert_eq!((paused.version, paused.state, paused.due), (2, CampaignState::Paused, None));
    let stale = store.step_campaign(campaign_step(expected), at(10)).await.unwrap_err();
    assert!(matches!(stale, StoreError::Conflict(_)), "{stale}");
    stepped(store, campaign_step(campaign(3, "d"))).await;
    let of = |state, before| CampaignQuery { state, before, package: None };
    for (wanted, expected) in [
        (of(None, None), vec!["d", "c"]),
        (of(None, Some(id(3))), vec!["c"]),
        (of(Some(CampaignState::Paused), None), vec!["c"]),
        (of(Some(CampaignState::Done), None), vec![]),
        (CampaignQuery { package: Some(id(77)), ..of(None, None) }, vec![]),
    ] {
        let found = store.campaigns(wanted, 10).await.unwrap();
        let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, expected, "{wanted:?}");
    }
    assert_eq!(store.remove_campaign(id(3), 10).await.unwrap(), Some(false), "it goes on");
}

pub async fn devices_of_a_campaign_begin_once_and_are_counted(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let c = enrolled(store, "c").await;
    let made = stepped(store, campaign_step(campaign(1, "c"))).await;
    let tries = vec![attempt(&a, 1, &[11, 12]), attempt(&b, 1, &[13]), attempt(&device("unknown"), 1, &[14])];
    let begun = stepped(store, CampaignStep { tries, ..campaign_step(made) }).await;
    assert_eq!(begun.counts, CampaignCounts { open: 2, ..CampaignCounts::default() });
    let again = vec![attempt(&a, 1, &[15])];
    let begun = stepped(store, CampaignStep { tries: again, ..campaign_step(begun) }).await;
    assert_eq!((begun.counts.open, store.command(id(15)).await.unwrap()), (2, None), "it was reached before");
    let all = vec![a.clone(), b.clone(), c.clone()];
    assert_eq!(store.campaign_unreached(id(1), all).await.unwrap(), std::slice::from_ref(&c));

    // A rival waits, and so does what has no room.
    let rival = stepped(store, campaign_step(campaign(2, "rival"))).await;
    let tries = vec![attempt(&a, 2, &[21]), attempt(&c, 2, &[22, 23, 24])];
    let waits = stepped(store, CampaignStep { tries, ..campaign_step(rival) }).await;
    assert_eq!(waits.counts, CampaignCounts { waiting: 2, ..CampaignCounts::default() });
    let due = |time| store.campaign_due(id(2), time, 10);
    assert_eq!(due(at(99)).await.unwrap(), []);
    assert_eq!(due(at(100)).await.unwrap()[0].device, a);
    assert_eq!(due(at(200)).await.unwrap().len(), 2);

    assert!(store.campaign_ended(id(1), 10).await.unwrap().is_empty());
    moved(store, &b, at(20), vec![transition(1, CommandState::Queued, CommandState::Sent)]).await;
    moved(store, &b, at(21), vec![transition(1, CommandState::Sent, CommandState::Done)]).await;
    let ended = store.campaign_ended(id(1), 10).await.unwrap();
    assert_eq!((ended.len(), ended[0].1.as_ref().unwrap().commands), (1, (1, 1)));
    let verdict = CampaignVerdict {
        state: CampaignDeviceState::Done,
        due: None,
        uncounted: false,
        status: Some(200),
        reason: Some("well".to_owned()),
    };
    let end = CampaignEnd { device: b.clone(), generation: 1, seq: 1, verdict: Some(verdict) };
    let counted = stepped(store, CampaignStep { ends: vec![end.clone()], ..campaign_step(begun) }).await;
    assert_eq!(counted.counts, CampaignCounts { open: 1, done: 1, ..CampaignCounts::default() });
    assert!(store.campaign_ended(id(1), 10).await.unwrap().is_empty(), "it is counted once");
    let counted = stepped(store, CampaignStep { ends: vec![end], ..campaign_step(counted) }).await;
    assert_eq!(counted.counts.done, 1, "also when somebody says it again");
    let done = store.campaign_devices(id(1), Some(CampaignDeviceState::Done), None, 10).await.unwrap();
    assert_eq!((done[0].status, done[0].reason.as_deref()), (Some(200), Some("well")));
    let all = store.campaign_devices(id(1), None, None, 1).await.unwrap();
    assert_eq!(all[0].device, a);
    assert_eq!(store.campaign_devices(id(1), None, Some(a), 10).await.unwrap()[0].device, b);
}

pub async fn what_a_campaign_has_not_sent_is_cancelled(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let gone = enrolled(store, "gone").await;
    let made = stepped(store, campaign_step(campaign(1, "c"))).await;
    let tries = vec![attempt(&a, 1, &[11]), attempt(&b, 1, &[12, 13]), attempt(&gone, 1, &[14])];
    let begun = stepped(store, CampaignStep { tries, ..campaign_step(made) }).await;
    moved(store, &a, at(20), vec![transition(1, CommandState::Queued, CommandState::Sent)]).await;
    store.remove_device(&gone, vec![], at(20)).await.unwrap();
    let orphans = store.campaign_orphans(id(1), None, 10).await.unwrap();
    assert_eq!((orphans.gone.as_slice(), orphans.last), ([gone.clone()].as_slice(), Some(gone.clone())));
    let begun = stepped(store, CampaignStep { gone: orphans.gone, ..campaign_step(begun) }).await;
    assert_eq!(begun.counts.gone, 1);

    let cancel = |after| CampaignCancel { after, limit: 10, reason: "Stopped.".to_owned(), event: ended };
    let step = CampaignStep { cancel: Some(cancel(None)), ..campaign_step(begun) };
    let did = store.step_campaign(step, at(30)).await.unwrap();
    assert_eq!((did.cancelled, did.dropped), (Some(b.clone()), 0));
    let after = store.campaign(id(1)).await.unwrap().unwrap();
    assert_eq!(after.counts, CampaignCounts { open: 1, cancelled: 1, gone: 1, ..CampaignCounts::default() });
    for number in [12, 13] {
        let command = store.command(id(number)).await.unwrap().unwrap();
        assert_eq!((command.state, command.reason.as_deref()), (CommandState::Cancelled, Some("Stopped.")));
    }
    assert_eq!(store.command(id(11)).await.unwrap().unwrap().state, CommandState::Sent, "it was sent");
    let step = CampaignStep { cancel: Some(cancel(Some(b))), ..campaign_step(after) };
    assert_eq!(store.step_campaign(step, at(31)).await.unwrap().cancelled, None);
}

fn given(device: &DeviceId, version: i64, again: bool) -> CampaignTry {
    let gives = CampaignGift::Profile { name: "base".to_owned(), version, until: at(500) };
    CampaignTry { device: device.clone(), gives, again }
}

/// What devices have for themselves of the profile `base`: version, campaign, attempt.
async fn pin(store: &dyn Store, device: &DeviceId) -> Option<(i64, u128, u32)> {
    let stored = store.device(device).await.unwrap().unwrap().pinned;
    let pin = Pin::read(stored.as_deref()).remove("base")?;
    assert_eq!(pin.until, at(500).0);
    Some((pin.version, pin.campaign.as_u128(), pin.attempt))
}

pub async fn a_campaign_gives_devices_a_profile_and_takes_it_back(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let profile = |number, name| Campaign { target: "profile base".to_owned(), ..campaign(number, name) };
    let first = stepped(store, campaign_step(profile(1, "first"))).await;
    let tries = vec![given(&a, 2, false), given(&b, 2, false)];
    let begun = stepped(store, CampaignStep { tries, ..campaign_step(first) }).await;
    assert_eq!(begun.counts.open, 2);
    assert_eq!(pin(store, &a).await, Some((2, 1, 1)));

    // The device looks at it, and fails with it; then it is tried again.
    let stands = ProfileChange::Stands {
        profile: "base".to_owned(),
        version: 2,
        state: ProfileState::Failed,
        reason: Some("No.".to_owned()),
    };
    let look = ProfileStep { memo: Some("m".to_owned()), changes: vec![stands], ..ProfileStep::default() };
    store.apply(SessionStep { profiles: Some(look), ..step(&a, at(20)) }).await.unwrap();
    let open = store.campaign_profile_devices(id(1), "base", 2, None, 10).await.unwrap();
    let open: Vec<_> =
        open.into_iter().map(|one| (one.device, one.state, one.reason, one.attempts)).collect();
    let failed = (a.clone(), Some(ProfileState::Failed), Some("No.".to_owned()), 1);
    assert_eq!(open, [failed, (b.clone(), None, None, 1)]);
    let verdict = CampaignVerdict {
        state: CampaignDeviceState::Retry,
        due: Some(at(30)),
        uncounted: false,
        status: None,
        reason: None,
    };
    let ends = vec![CampaignEnd { device: a.clone(), generation: 1, seq: 0, verdict: Some(verdict) }];
    let waits = stepped(store, CampaignStep { ends, ..campaign_step(begun) }).await;
    let tries = vec![given(&a, 2, true)];
    let again = stepped(store, CampaignStep { tries, ..campaign_step(waits) }).await;
    assert_eq!(pin(store, &a).await, Some((2, 1, 2)));
    let open = store.campaign_profile_devices(id(1), "base", 2, None, 1).await.unwrap();
    assert_eq!(
        (open[0].state, open[0].attempts),
        (Some(ProfileState::Pending), 2),
        "the old failure is over"
    );

    // Another campaign gives another version: what is taken back of the first one is not that.
    let ends = vec![CampaignEnd {
        device: b.clone(),
        generation: 1,
        seq: 0,
        verdict: Some(CampaignVerdict {
            state: CampaignDeviceState::Done,
            due: None,
            uncounted: false,
            status: None,
            reason: None,
        }),
    }];
    let done = stepped(store, CampaignStep { ends, ..campaign_step(again) }).await;
    let second = stepped(store, campaign_step(profile(2, "second"))).await;
    stepped(store, CampaignStep { tries: vec![given(&b, 3, false)], ..campaign_step(second) }).await;
    let taken_back = [&a, &b, &device("none")].map(|device| (device.clone(), "base".to_owned())).to_vec();
    stepped(store, CampaignStep { taken_back, ..campaign_step(done) }).await;
    assert_eq!((pin(store, &a).await, pin(store, &b).await), (None, Some((3, 2, 1))));
}

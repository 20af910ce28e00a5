//! How much is kept, and that of each kind alone can be removed.

use omadm_mo::Time;
use omadm_store::CommandState::{Cancelled, Queued};
use omadm_store::{AuditQuery, Kept, KeptRange, KeptSize, NewCommand, NewEvent, SessionStep, Store};

use crate::support::{at, enrolled, id, message, moved, new_command, payload, session_row, step, transition};

const BEGIN: Time = Time(i64::MIN);

fn size(entries: i64, octets: i64) -> KeptSize {
    KeptSize { entries, octets: octets + entries * KeptSize::ENTRY }
}

/// One of each kind in this second, with 100 octets in all that counts.
async fn second(store: &dyn Store, number: u32) {
    let (now, device) = (at(number.into()), omadm_mo::DeviceId::parse("urn:a").unwrap());
    let number = u128::from(number);
    let queued = NewCommand {
        args: "x".repeat(40),
        payload: Some(payload(&device, 1_000 + number, &[0; 60])),
        ..new_command(&device, number)
    };
    let seq = store.enqueue(queued, 1_000, now).await.unwrap().seq;
    moved(store, &device, now, vec![transition(seq, Queued, Cancelled)]).await;
    let mut traced = [message("x", true), message("y", false)];
    traced.iter_mut().for_each(|message| message.body = vec![0; 50]);
    let session = Some(session_row(i64::try_from(number).unwrap()));
    let before = store.check_in(&device, 1).await.unwrap().unwrap().session.map(|row| row.version);
    let upload = payload(&device, 2_000 + number, &[0; 100]);
    let event = NewEvent { device: None, kind: "x".to_owned(), body: "x".repeat(100) };
    let all = SessionStep {
        session,
        expected_version: before,
        trace: traced.to_vec(),
        payloads: vec![upload],
        events: vec![event],
        ..step(&device, now)
    };
    store.apply(all).await.unwrap();
    store.add_audit("n", vec!["x".repeat(100)], now).await.unwrap();
}

async fn counted(store: &dyn Store, kept: Kept, until: i64, most: i64) -> KeptSize {
    assert!(!store.count_kept(kept, at(until), most).await.unwrap(), "that is less than a page");
    store.kept_size(kept).await.unwrap()
}

pub async fn all_that_goes_after_a_while_is_counted(store: &dyn Store) {
    enrolled(store, "urn:a").await;
    for number in 11..=14 {
        second(store, number).await;
    }
    for kept in Kept::ALL {
        // A session has two messages.
        let messages = if kept == Kept::Traces { 2 * KeptSize::ENTRY } else { 0 };
        let (one, two) = (size(1, 100 + messages), size(2, 200 + 2 * messages));
        assert_eq!(counted(store, kept, 10, 1).await, size(0, 0), "{kept:?}");
        assert_eq!(counted(store, kept, 12, 1).await, two, "{kept:?}");
        assert_eq!(counted(store, kept, 14, 1).await.octets, 2 * two.octets, "{kept:?}");
        assert_eq!(counted(store, kept, 14, 1).await.octets, 2 * two.octets, "once is enough: {kept:?}");
        let first = store.kept_range(kept, BEGIN).await.unwrap().unwrap();
        assert_eq!(first, KeptRange { since: BEGIN, until: at(11), size: one }, "{kept:?}");
        let second = store.kept_range(kept, first.until).await.unwrap().unwrap();
        assert_eq!((second.since, second.size), (first.until, one), "{kept:?}");
    }
    for kept in [Kept::Results, Kept::Traces, Kept::Uploads, Kept::Events] {
        assert!(store.prune_kept(kept, at(12), 100).await.unwrap() > 0, "{kept:?}");
        assert_eq!(store.prune_kept(kept, at(12), 100).await.unwrap(), 0, "{kept:?}");
        let first = store.kept_range(kept, BEGIN).await.unwrap().unwrap();
        assert_eq!(store.recount_kept(kept, first).await.unwrap(), size(0, 0), "{kept:?}");
        assert_eq!(store.kept_size(kept).await.unwrap().entries, 3, "{kept:?}");
        store.forget_kept(kept, first.until).await.unwrap();
        assert_eq!(store.kept_range(kept, BEGIN).await.unwrap().unwrap().since, first.until, "{kept:?}");
    }
    assert_eq!(store.prune_kept(Kept::Audit, at(100), 100).await.unwrap(), 0);
    let all = AuditQuery::Chain { chain: "n".to_owned(), after: 0 };
    assert_eq!(store.audit(all, 100).await.unwrap().len(), 4, "the audit log is cut another way");
    assert!(store.command(id(11)).await.unwrap().is_none() && store.command(id(12)).await.unwrap().is_some());
    assert_eq!(store.events(None, 0, 100).await.unwrap().len(), 3);
}

pub async fn ranges_have_about_the_size_that_is_wanted(store: &dyn Store) {
    for second in 1..=40 {
        let event = |kind: &str| NewEvent { device: None, kind: kind.to_owned(), body: "x".repeat(72) };
        store.add_events(vec![event("a"), event("b")], at(second)).await.unwrap();
    }
    // An event counts 200, and two are of one time.
    assert_eq!(counted(store, Kept::Events, 40, 1_000).await, size(80, 80 * 72));
    let (mut after, mut ranges) = (BEGIN, Vec::new());
    while let Some(range) = store.kept_range(Kept::Events, after).await.unwrap() {
        assert_eq!(range.since, after, "no gap");
        after = range.until;
        ranges.push(range.size.entries);
    }
    assert_eq!(ranges, [6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 2]);
    // A clock that was ahead, and is right again.
    assert_eq!(counted(store, Kept::Events, 20, 1_000).await.entries, 40);
    assert_eq!(counted(store, Kept::Events, 40, 1_000).await.entries, 80);
}

pub async fn more_than_a_page_is_counted_page_by_page(store: &dyn Store) {
    let page = i64::from(KeptSize::PAGE);
    let events = |count: i64| {
        let event = NewEvent { device: None, kind: "x".to_owned(), body: "{}".to_owned() };
        vec![event; usize::try_from(count).unwrap()]
    };
    // All of one instant, which is more than a page, and a little before and after it.
    store.add_events(events(3), at(1)).await.unwrap();
    store.add_events(events(page + 1), at(2)).await.unwrap();
    store.add_events(events(2), at(3)).await.unwrap();
    let mut pages = 1;
    while store.count_kept(Kept::Events, at(10), 1).await.unwrap() {
        pages += 1;
        assert!(pages < 10, "it comes to an end");
    }
    assert_eq!(store.kept_size(Kept::Events).await.unwrap().entries, page + 6);
    let range = store.kept_range(Kept::Events, Time(at(2).0 - 1)).await.unwrap().unwrap();
    assert_eq!(range.size.entries, page + 1, "what is of one time is in one range");
}

//! Leases.

use omadm_store::Store;

use crate::support::*;

pub async fn one_of_several_holds_a_lease(store: &dyn Store) {
    let first = store.acquire_lease("notifier", "one", at(10), at(20)).await.unwrap().unwrap();
    assert_eq!((first.owner.as_str(), first.expires), ("one", at(20)));
    assert_eq!(store.acquire_lease("notifier", "two", at(19), at(29)).await.unwrap(), None);
    assert!(store.acquire_lease("retention", "two", at(19), at(29)).await.unwrap().is_some());
    let same = store.acquire_lease("notifier", "one", at(19), at(30)).await.unwrap().unwrap();
    assert_eq!((same.fence, same.expires), (first.fence, at(30)), "it was held all the time");
    assert!(store.renew_lease(&same, at(40)).await.unwrap());
    assert_eq!(store.acquire_lease("notifier", "two", at(39), at(49)).await.unwrap(), None);
    let names: Vec<_> = store.leases().await.unwrap().into_iter().map(|it| (it.name, it.expires)).collect();
    assert_eq!(names, [("notifier".to_owned(), at(40)), ("retention".to_owned(), at(29))]);
}

pub async fn a_lease_that_is_over_goes_to_another(store: &dyn Store) {
    let first = store.acquire_lease("notifier", "one", at(10), at(20)).await.unwrap().unwrap();
    let second = store.acquire_lease("notifier", "two", at(20), at(30)).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    assert!(!store.renew_lease(&first, at(99)).await.unwrap(), "another has it");
    assert!(!store.release_lease(&first).await.unwrap());
    assert!(store.release_lease(&second).await.unwrap());
    let third = store.acquire_lease("notifier", "one", at(21), at(31)).await.unwrap().unwrap();
    assert!(third.fence > second.fence);
    let late = store.acquire_lease("notifier", "one", at(50), at(60)).await.unwrap().unwrap();
    assert!(late.fence > third.fence, "others may have taken it for theirs meanwhile");
}

pub async fn a_clock_that_was_wrong_does_not_keep_a_lease_for_ever(store: &dyn Store) {
    let hours = 3_600_000;
    let ahead = store.acquire_lease("campaigns", "one", at(hours), at(hours + 10)).await.unwrap().unwrap();
    let other = store.acquire_lease("campaigns", "two", at(50), at(60)).await.unwrap().unwrap();
    assert!(other.fence > ahead.fence);
    assert_eq!(
        store.acquire_lease("campaigns", "one", at(45), at(55)).await.unwrap(),
        None,
        "it may be a little ahead"
    );
}

pub async fn of_many_who_ask_at_once_one_gets_it(store: &dyn Store) {
    let ask = |owner| store.acquire_lease("campaigns", owner, at(1), at(9));
    let (a, b, c, d) = tokio::join!(ask("a"), ask("b"), ask("c"), ask("d"));
    let holders = [a, b, c, d].into_iter().filter_map(Result::unwrap).count();
    assert_eq!(holders, 1);
}

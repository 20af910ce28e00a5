//! Inventory, filters and groups.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};
use omadm_store::filter::{Filter, FilterLimits};
use omadm_store::{Annotation, Group, Reach, SessionStep, Store, StoreError};

use crate::support::{at, device, enqueued, enrolled, enrolment, event, step};

const DAY: i64 = 86_400;

fn filter(text: &str) -> Filter {
    Filter::parse(text, &FilterLimits::default()).map_err(|error| format!("{text}: {error}")).unwrap()
}

fn labels(of: &[(&str, &str)]) -> Annotation {
    let labels = of.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
    Annotation { labels, ..Annotation::default() }
}

async fn annotated(store: &dyn Store, id: &DeviceId, annotation: Annotation) {
    assert!(store.annotate(id, annotation, 10, vec![], at(1)).await.unwrap());
}

async fn learnt(store: &dyn Store, id: &DeviceId, now: Time, facts: &str) {
    let facts = Some(facts.to_owned());
    let protocol = Some("dm2.0".to_owned());
    let bearer = Some(if id.as_str() == "urn:b" { "wap" } else { "https" }.to_owned());
    store.apply(SessionStep { facts, protocol, bearer, ..step(id, now) }).await.unwrap();
}

/// The names of devices that a filter means, which both the store and the filter itself say.
async fn meant(store: &dyn Store, text: &str, now: Time) -> Vec<String> {
    let filter = filter(text);
    let found = store.select(Some(&filter), None, 1_000, now).await.unwrap();
    let expanded = store.expand(&filter).await.unwrap();
    let all = store.fleet(None, None, 1_000, now).await.unwrap();
    let by_itself = all.iter().filter(|one| expanded.matches(one, now)).map(|one| one.device.id.clone());
    assert_eq!(found, by_itself.collect::<Vec<_>>(), "{text}");
    let count = store.count(Some(&filter), 1_000, now).await.unwrap();
    assert_eq!(usize::try_from(count).unwrap(), found.len(), "{text}");
    found.iter().map(|id| id.as_str().to_owned()).collect()
}

/// A fleet of five.
async fn fleet(store: &dyn Store) -> Time {
    let now = at(100 * DAY);
    for name in ["urn:a", "urn:b", "urn:c", "urn:d", "urn:e"] {
        enrolled(store, name).await;
    }
    let facts = |model: &str, fw: &str| {
        format!(
            r#"{{"manufacturer":"Acme","model":"{model}","firmware":"{fw}","software":"1.0","hardware":"r{fw}"}}"#
        )
    };
    learnt(store, &device("urn:a"), at(99 * DAY), &facts("X 1", "2.9")).await;
    learnt(store, &device("urn:b"), at(98 * DAY + 5), &facts("X 1", "2.10")).await;
    learnt(store, &device("urn:c"), at(98 * DAY), &facts("Y%_", "2.10-rc1")).await;
    learnt(store, &device("urn:d"), at(10 * DAY), r#"{"model":"x 1"}"#).await;
    annotated(store, &device("urn:a"), labels(&[("site", "A"), ("role", "till")])).await;
    annotated(store, &device("urn:b"), labels(&[("site", "B")])).await;
    let note = Some("on the roof".to_owned());
    annotated(store, &device("urn:e"), Annotation { note, ..labels(&[("site", "A")]) }).await;
    enqueued(store, &device("urn:d"), 1).await;
    store.set_push_addresses(&device("urn:a"), vec!["sms:123".into(), "udp:h:1".into()], now).await.unwrap();
    store.register_push(&device("urn:b"), "token", now).await.unwrap();
    store.revoke(&device("urn:c"), vec![], now).await.unwrap();
    now
}

pub async fn filters_mean_what_they_say(store: &dyn Store) {
    let now = fleet(store).await;
    for (text, wanted) in [
        (r#"model = "X 1""#, "a b"),
        (r#"model != "X 1""#, "c d e"),
        (r#"not model = "X 1" and not model = """#, "c d"),
        (r#"model in ("X 1", "x 1")"#, "a b d"),
        (r#"model not in ("X 1", "x 1")"#, "c e"),
        (r#"model ~ "x*""#, "a b d"),
        (r#"model ~ "y%_""#, "c"),
        (r#"model ~ "?%?""#, "c"),
        (r#"fw < 2.10"#, "a c"),
        (r#"fw <= "2.10.0""#, "a b c"),
        ("fw = 2.10.0", "b"),
        ("fw != 2.10", "a c d e"),
        ("fw > 0", "a b c"),
        (r#"fw = """#, "d e"),
        ("hw >= r2.10 or sw > 1", "b"),
        ("manufacturer = Acme and label:site", "a b"),
        ("label:site = A", "a e"),
        ("label:site != A", "b c d"),
        ("label:site ~ 'a'", "a e"),
        ("not label:site", "c d"),
        ("seen < 2d", "a b"),
        ("seen <= 2d", "a b c"),
        ("seen > 2d", "d e"),
        ("seen >= 2d", "c d e"),
        ("seen = never", "e"),
        ("seen != never and seen > 50d", "d"),
        ("enrolled < 1w", ""),
        ("enrolled > 99d", "a b c d e"),
        ("queued > 0", "d"),
        ("queued = 0 and protocol = dm2.0", "a b c"),
        ("reach = none", "c d e"),
        ("reach in (known, unanswered)", "a b"),
        ("bearer = wap", "b"),
        (r#"bearer in (https, "") and not bearer = obex"#, "a c d e"),
        ("bearer ~ 'HT*'", "a c d"),
        ("way = sms", "a"),
        ("way = cloud", "b"),
        ("way != sms", "b c d e"),
        ("state = revoked", "c"),
        ("note ~ '*roof*'", "e"),
        (r#"name = "label of urn:c""#, "c"),
        (r#"id in ("urn:b", "urn:x")"#, "b"),
        (r#"id ~ "*:?" and not (id = "urn:a" or label:role)"#, "b c d e"),
    ] {
        let wanted: Vec<_> = wanted.split_whitespace().map(|name| format!("urn:{name}")).collect();
        assert_eq!(meant(store, text, now).await, wanted, "{text}");
    }
}

pub async fn a_device_is_shown_with_all_that_filters_ask(store: &dyn Store) {
    let now = fleet(store).await;
    let a = store.fleet_device(&device("urn:a")).await.unwrap().unwrap();
    assert_eq!((a.facts.model.as_str(), a.facts.hardware.as_str()), ("X 1", "r2.9"));
    assert_eq!(a.labels, BTreeMap::from([("role".into(), "till".into()), ("site".into(), "A".into())]));
    assert_eq!(a.device.bearer.as_deref(), Some("https"));
    assert_eq!((a.reach, a.ways), (Reach::Known, vec!["sms".to_owned(), "udp".to_owned()]));
    let e = store.fleet_device(&device("urn:e")).await.unwrap().unwrap();
    assert_eq!((e.note.as_str(), e.reach, e.device.last_contact), ("on the roof", Reach::None, None));
    assert_eq!(store.fleet_device(&device("urn:x")).await.unwrap(), None);
    let page = store.fleet(Some(&filter("label:site")), Some(&device("urn:a")), 1, now).await.unwrap();
    assert_eq!(page.iter().map(|one| one.device.id.as_str()).collect::<Vec<_>>(), ["urn:b"]);
    assert_eq!(store.count(None, 3, now).await.unwrap(), 3);
}

pub async fn the_inventory_follows_the_device(store: &dyn Store) {
    let now = fleet(store).await;
    learnt(store, &device("urn:a"), now, r#"{"model":"Z","firmware":"3"}"#).await;
    assert_eq!(meant(store, "model = Z and fw = 3 and seen < 1m", now).await, ["urn:a"]);
    // A clock that was set back.
    learnt(store, &device("urn:a"), at(90 * DAY), r#"{"model":"Z"}"#).await;
    assert_eq!(meant(store, "model = Z and seen > 9d", now).await, ["urn:a"]);
    let long = "9".repeat(10_000);
    learnt(store, &device("urn:a"), now, &format!(r#"{{"model":"{long}","firmware":"{long}\u0000"}}"#)).await;
    assert_eq!(meant(store, "fw > 1000000", now).await, ["urn:a"]);
    store
        .enrol(vec![omadm_store::Enrolment { replace: true, ..enrolment("urn:a") }], vec![], now)
        .await
        .unwrap();
    assert_eq!(meant(store, "label:site = A", now).await, ["urn:e"]);
    assert_eq!(
        meant(store, r#"id = "urn:a" and model = "" and seen = never and enrolled < 1s"#, now).await,
        ["urn:a"]
    );
    store.remove_device(&device("urn:e"), vec![], now).await.unwrap();
    assert_eq!(meant(store, "label:site = A", now).await, [""; 0]);
}

pub async fn what_people_say_is_kept_and_limited(store: &dyn Store) {
    let a = enrolled(store, "urn:a").await;
    let name = Some("till 7".to_owned());
    annotated(store, &a, Annotation { name, ..labels(&[("x", "1"), ("y", "2")]) }).await;
    let removed = BTreeMap::from([("x".to_owned(), None), ("z".to_owned(), Some("3".to_owned()))]);
    annotated(store, &a, Annotation { labels: removed, ..Annotation::default() }).await;
    let found = store.fleet_device(&a).await.unwrap().unwrap();
    assert_eq!(found.labels, BTreeMap::from([("y".into(), "2".into()), ("z".into(), "3".into())]));
    assert_eq!(found.device.label, "till 7");
    let more = labels(&[("p", "1"), ("q", "2")]);
    let error = store.annotate(&a, more.clone(), 3, vec![event(Some(&a), "x")], at(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::TooManyLabels { limit: 3, .. }), "{error}");
    assert_eq!(store.fleet_device(&a).await.unwrap().unwrap(), found);
    assert!(store.annotate(&a, more, 4, vec![event(Some(&a), "x")], at(2)).await.unwrap());
    let gone =
        store.annotate(&device("urn:x"), labels(&[("p", "1")]), 4, vec![event(None, "x")], at(2)).await;
    assert!(!gone.unwrap());
    assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 1, "one event of what was done, and no other");
}

fn group(name: &str, text: &str) -> Group {
    Group {
        name: name.to_owned(),
        filter: text.to_owned(),
        description: format!("all of {name}"),
        version: 0,
        created: Time(0),
        updated: Time(0),
    }
}

async fn put(store: &dyn Store, group: Group) -> Result<Group, StoreError> {
    let filter = filter(&group.filter);
    store.put_group(group, &filter, vec![], at(7)).await
}

pub async fn groups_are_filters_with_a_name(store: &dyn Store) {
    let now = fleet(store).await;
    let made = put(store, group("Site A", "label:site = A")).await.unwrap();
    assert_eq!((made.version, made.created, made.updated), (1, at(7), at(7)));
    put(store, group("tills", r#"group:"Site A" and label:role = till"#)).await.unwrap();
    assert_eq!(meant(store, "group:tills", now).await, ["urn:a"]);
    for (names, found) in
        [(vec![], 0), (vec!["tills".to_owned()], 1), (vec!["tills".to_owned(), "Site A".to_owned()], 2)]
    {
        let filter = Filter::of_groups(&names);
        assert_eq!(store.count(Some(&filter), 10, now).await.unwrap(), found);
    }
    assert_eq!(meant(store, r#"group:"Site A" and not group:tills"#, now).await, ["urn:e"]);
    let changed = Group { filter: "label:site = B".to_owned(), ..made.clone() };
    assert_eq!(put(store, changed.clone()).await.unwrap().version, 2);
    assert!(matches!(put(store, changed).await, Err(StoreError::Conflict(_))), "it was read before");
    assert_eq!(meant(store, r#"group:"Site A""#, now).await, ["urn:b"]);
    assert!(matches!(put(store, group("tills", "model = X")).await, Err(StoreError::GroupExists(_))));
    let names = |groups: Vec<Group>| groups.into_iter().map(|group| group.name).collect::<Vec<_>>();
    assert_eq!(names(store.groups(None, 10).await.unwrap()), ["Site A", "tills"]);
    assert_eq!(names(store.groups(Some("Site A"), 10).await.unwrap()), ["tills"]);
    let missing = store.select(Some(&filter("model = X or group:gone")), None, 1, now).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Filter(error) if error.at == 13), "{missing}");
}

pub async fn a_group_is_not_in_itself(store: &dyn Store) {
    let a = put(store, group("a", "model = X")).await.unwrap();
    put(store, group("b", "group:a")).await.unwrap();
    for text in ["group:b or model = Y", "group:a"] {
        let circle = put(store, Group { filter: text.to_owned(), ..a.clone() }).await.unwrap_err();
        assert!(matches!(&circle, StoreError::Filter(_)), "{circle}");
    }
    let missing = put(store, group("c", "group:gone")).await.unwrap_err();
    assert!(matches!(&missing, StoreError::Filter(_)), "{missing}");
    assert_eq!(store.groups(None, 10).await.unwrap().len(), 2);
}

pub async fn a_group_in_use_stays(store: &dyn Store) {
    put(store, group("a", "model = X")).await.unwrap();
    put(store, group("b", "group:a")).await.unwrap();
    store.set_group_uses("profile:p", vec!["a".into(), "b".into()]).await.unwrap();
    assert_eq!(store.group_uses("a", 10).await.unwrap(), ["group:b", "profile:p"]);
    let kept = store.remove_group("a", vec![], at(9)).await.unwrap_err();
    assert!(kept.to_string().contains("group:b, profile:p"), "{kept}");
    store.set_group_uses("profile:p", vec!["a".into()]).await.unwrap();
    assert!(store.remove_group("b", vec![], at(9)).await.unwrap());
    assert!(store.remove_group("a", vec![], at(9)).await.is_err());
    store.set_group_uses("profile:p", vec![]).await.unwrap();
    assert!(store.remove_group("a", vec![event(None, "group")], at(9)).await.unwrap());
    assert!(!store.remove_group("a", vec![event(None, "group")], at(9)).await.unwrap());
    assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 1);
    let unknown = store.set_group_uses("profile:p", vec!["a".into()]).await.unwrap_err();
    assert!(matches!(unknown, StoreError::GroupUnknown(_)), "{unknown}");
    assert_eq!(store.group_uses("a", 10).await.unwrap(), [""; 0]);
}

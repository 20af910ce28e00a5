//! Whatever filter over whatever fleet: what SQL finds is what the filter says of each device.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use omadm_mo::Time;
use omadm_store::filter::{Filter, FilterLimits, version_key};
use omadm_store::{Annotation, FleetStore as _, SessionStep, Store as _};
use proptest::prelude::*;

use support::{at, device, enrolment, step};

const NOW: Time = Time::from_secs(20 * 86_400);
const TEXTS: [&str; 6] = ["", "X", "x 1", "a%b_c", "é\\", "it's"];
const VERSIONS: [&str; 6] = ["", "1.0", "1.0-rc1", "1.10", "2", "v2b"];

/// One device: its texts, versions, label, and last contact in hours before [`NOW`].
type Made = (usize, usize, usize, Option<usize>, Option<i64>);

fn made() -> impl Strategy<Value = Made> {
    let label = proptest::option::of(0..TEXTS.len());
    (0..TEXTS.len(), 0..VERSIONS.len(), 0..VERSIONS.len(), label, proptest::option::of(0..96i64))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn term() -> impl Strategy<Value = String> {
    let text = prop::sample::select(TEXTS.to_vec()).prop_map(quoted);
    let version = prop::sample::select(VERSIONS.to_vec()).prop_map(quoted);
    let field =
        prop::sample::select(vec!["model", "manufacturer", "label:k", "name", "note", "id", "protocol"]);
    let order = prop::sample::select(vec!["<", "<=", ">", ">="]);
    let pattern = "[Xx1*?%_é]{0,4}".prop_map(|pattern| quoted(&pattern));
    let age = (0..96i64, 0..3i64).prop_map(|(hours, seconds)| format!("{}s", hours * 3_600 + seconds - 1));
    prop_oneof![
        (field.clone(), text.clone()).prop_map(|(field, text)| format!("{field} = {text}")),
        (field.clone(), text.clone(), text)
            .prop_map(|(field, one, two)| format!("{field} not in ({one}, {two})")),
        (field, pattern).prop_map(|(field, pattern)| format!("{field} ~ {pattern}")),
        (prop::sample::select(vec!["fw", "sw"]), order.clone(), version.clone())
            .prop_map(|(field, order, version)| format!("{field} {order} {version}")),
        version.prop_map(|version| format!("fw = {version}")),
        (order, age).prop_filter_map("no age", |(order, age)| {
            (!age.starts_with('-')).then(|| format!("seen {order} {age}"))
        }),
        Just("label:k".to_owned()),
        Just("seen = never".to_owned()),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 16, 3, |inner| {
        let some = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(|parts| format!("({})", parts.join(" and "))),
            some.prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not {part}")),
        ]
    })
}

async fn fleet(store: &omadm_store::SqlStore, devices: &[Made]) {
    for (number, (text, fw, sw, label, hours)) in devices.iter().enumerate() {
        let name = format!("urn:{number}");
        let id = device(&name);
        store.enrol(vec![enrolment(&name)], vec![], at(1)).await.unwrap();
        let labels = label.map(|label| ("k".to_owned(), Some(TEXTS[label].to_owned())));
        let annotation = Annotation { labels: BTreeMap::from_iter(labels), ..Annotation::default() };
        store.annotate(&id, annotation, 9, vec![], at(1)).await.unwrap();
        if let Some(hours) = hours {
            let facts = serde_json::json!({ "model": TEXTS[*text], "firmware": VERSIONS[*fw], "software": VERSIONS[*sw] });
            let now = Time(NOW.0 - hours * 3_600_000_000);
            let known =
                SessionStep { facts: Some(facts.to_string()), protocol: Some("X".into()), ..step(&id, now) };
            store.apply(known).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sql_and_filter_agree(
        devices in proptest::collection::vec(made(), 1..8),
        filters in proptest::collection::vec(filter(), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = support::open(&dir.path().join("omadm.db"));
        runtime.block_on(async {
            fleet(&store, &devices).await;
            let all = store.fleet(None, None, 100, NOW).await.unwrap();
            for text in filters {
                let filter = Filter::parse(&text, &FilterLimits::default()).map_err(|error| format!("{text}: {error}")).unwrap();
                let found = store.select(Some(&filter), None, 100, NOW).await.unwrap();
                let said = all.iter().filter(|one| filter.matches(one, NOW)).map(|one| one.device.id.clone());
                assert_eq!(found, said.collect::<Vec<_>>(), "{text}");
                let half = found.len() / 2;
                let rest = match found.get(half) {
                    Some(after) => store.select(Some(&filter), Some(after), 100, NOW).await.unwrap(),
                    None => Vec::new(),
                };
                assert_eq!(found.get(half + 1..).unwrap_or_default(), rest, "{text} after the middle");
            }
        });
    }

    #[test]
    fn no_text_is_too_much(text in "[a-z0-9 ()=!<>~,:\"'\\\\é.]{0,60}") {
        match Filter::parse(&text, &FilterLimits::default()) {
            Ok(_) => {}
            Err(error) => prop_assert!(error.at <= text.chars().count(), "{error}"),
        }
    }

    #[test]
    fn version_keys_are_an_order_on_numbers(a in 0..300u32, b in 0..300u32, c in 0..300u32, d in 0..300u32) {
        let of = |x: u32, y: u32| version_key(&format!("{x}.{y}"));
        prop_assert_eq!(of(a, b).cmp(&of(c, d)), (a, b).cmp(&(c, d)));
    }
}

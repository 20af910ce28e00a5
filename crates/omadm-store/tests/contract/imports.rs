//! Imports of devices.

use std::collections::BTreeMap;

use omadm_store::{
    Annotation, Enrolment, Import, ImportCredential, ImportRow, ImportState, NewEvent, RowOutcome, Store,
    StoreError,
};

use crate::support::{at, device, enrolled, enrolment, id};

fn happened(device: &str, outcome: RowOutcome, by: &str) -> NewEvent {
    NewEvent { device: None, kind: "device".to_owned(), body: format!("{device} {} {by}", outcome.as_str()) }
}

fn row(number: i64, device: &str, label: &str) -> ImportRow {
    let labels = BTreeMap::from([("site".to_owned(), Some(label.to_owned()))]);
    let annotation = Annotation { name: Some(format!("row {number}")), labels, ..Annotation::default() };
    ImportRow { number, device: device.to_owned(), annotation, credential: None, problem: None }
}

fn new(number: i64, device: &str, user: &str) -> ImportRow {
    let verifier = Some(b"secret".to_vec().into());
    let credential = ImportCredential { user: user.to_owned(), verifier, dm1: None, replace: false };
    ImportRow { credential: Some(credential), ..row(number, device, "A") }
}

/// Takes rows in, and goes on by two rows at a time to the end.
async fn imported(store: &dyn Store, number: u128, dry_run: bool, rows: Vec<ImportRow>) -> Import {
    store.begin_import(id(number), "ann", dry_run, at(1)).await.unwrap();
    for rows in rows.chunks(3) {
        store.add_import_rows(id(number), rows.to_vec(), at(2)).await.unwrap();
    }
    store.end_import_reading(id(number), None, at(3)).await.unwrap();
    finished(store, number).await
}

async fn finished(store: &dyn Store, number: u128) -> Import {
    loop {
        let (import, more) = store.step_import(id(number), 2, 2, happened, at(4)).await.unwrap();
        if !more {
            return import;
        }
    }
}

async fn outcomes(store: &dyn Store, number: u128) -> Vec<String> {
    let rows = store.import_rows(id(number), 0, false, 100).await.unwrap();
    let said = rows.into_iter().map(|row| match row.reason {
        Some(reason) => format!("{} {}: {reason}", row.number, row.outcome.as_str()),
        None => format!("{} {}", row.number, row.outcome.as_str()),
    });
    said.collect()
}

pub async fn rows_enrol_and_change_devices(store: &dyn Store) {
    enrolled(store, "urn:old").await;
    let rows = vec![
        new(1, "urn:a", "ua"),
        row(2, "urn:old", "B"),
        new(3, "urn:b", "ub"),
        new(4, "urn:c", "uc"),
        new(5, "urn:d", "ud"),
    ];
    let import = imported(store, 1, false, rows).await;
    assert_eq!((import.state, import.rows, import.bad, import.failed), (ImportState::Done, 5, 0, 0));
    assert_eq!(outcomes(store, 1).await, ["1 enrol", "2 change", "3 enrol", "4 enrol", "5 enrol"]);
    let credential = store.credential("ub").await.unwrap().unwrap();
    assert_eq!((credential.device.as_str(), credential.verifier.expose()), ("urn:b", b"secret".as_slice()));
    let old = store.fleet_device(&device("urn:old")).await.unwrap().unwrap();
    assert_eq!((old.device.label.as_str(), old.labels["site"].as_str()), ("row 2", "B"));
    let events: Vec<_> =
        store.events(None, 0, 10).await.unwrap().into_iter().map(|event| event.event.body).collect();
    assert_eq!(events.len(), 5);
    assert_eq!(events[1], "urn:old change ann");
    assert!(matches!(store.step_import(id(1), 2, 2, happened, at(5)).await, Ok((_, false))), "it has an end");
}

pub async fn one_bad_row_and_nothing_is_written(store: &dyn Store) {
    enrolled(store, "urn:old").await;
    let mut many = row(5, "urn:old", "B");
    many.annotation
        .labels
        .extend([("x".to_owned(), Some("1".to_owned())), ("y".to_owned(), Some("1".to_owned()))]);
    let unread = ImportRow { problem: Some("it is no row".to_owned()), ..row(8, "", "") };
    let rows = vec![
        new(1, "urn:a", "ua"),
        new(2, "urn:a", "ux"),
        new(3, "urn:b", "ua"),
        row(4, "urn:gone", "B"),
        many,
        new(6, "urn:c", "user of urn:old"),
        new(7, "no device", "u7"),
        unread,
    ];
    let import = imported(store, 1, false, rows).await;
    assert_eq!((import.state, import.bad), (ImportState::Refused, 7));
    assert!(import.detail.unwrap().starts_with("7 of 8 rows are bad"));
    let said = outcomes(store, 1).await;
    for (row, wrong) in said.iter().zip([
        "1 enrol",
        "2 bad: row 1 is about the same device",
        "3 bad: row 1 has the same user name",
        "4 bad: the device is not enrolled",
        "5 bad: the device would have more than 2 labels",
        "6 bad: the user name user of urn:old belongs to urn:old",
        "7 bad: the id:",
        "8 bad: it is no row",
    ]) {
        assert!(row.starts_with(wrong), "{row} is not {wrong}");
    }
    let faults = store.import_rows(id(1), 3, true, 2).await.unwrap();
    assert_eq!(faults.iter().map(|row| row.number).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(store.device(&device("urn:a")).await.unwrap(), None);
    assert_eq!(store.events(None, 0, 10).await.unwrap(), []);
}

pub async fn a_dry_run_writes_nothing(store: &dyn Store) {
    let import = imported(store, 1, true, vec![new(1, "urn:a", "ua"), new(2, "urn:b", "ub")]).await;
    assert_eq!((import.state, import.bad), (ImportState::Checked, 0));
    assert_eq!(outcomes(store, 1).await, ["1 enrol", "2 enrol"]);
    assert_eq!(store.device(&device("urn:a")).await.unwrap(), None);
}

pub async fn what_changed_since_the_check_spares_the_other_rows(store: &dyn Store) {
    store.begin_import(id(1), "ann", false, at(1)).await.unwrap();
    let rows = vec![new(1, "urn:a", "ua"), new(2, "urn:b", "ub"), new(3, "urn:c", "uc")];
    store.add_import_rows(id(1), rows, at(1)).await.unwrap();
    assert!(
        store.open_imports(at(0), at(5), 9, at(2)).await.unwrap().is_empty(),
        "its rows are still coming"
    );
    store.end_import_reading(id(1), None, at(3)).await.unwrap();
    assert_eq!(store.open_imports(at(0), at(5), 9, at(3)).await.unwrap(), [id(1)]);
    assert!(
        store.open_imports(at(0), at(3), 9, at(3)).await.unwrap().is_empty(),
        "somebody has just worked on it"
    );
    while store.step_import(id(1), 2, 2, happened, at(4)).await.unwrap().0.state != ImportState::Writing {}
    store
        .enrol(vec![Enrolment { user: "other".to_owned(), ..enrolment("urn:b") }], vec![], at(4))
        .await
        .unwrap();
    let import = finished(store, 1).await;
    assert_eq!((import.state, import.bad, import.failed), (ImportState::Done, 0, 1));
    let said = outcomes(store, 1).await;
    assert!(said[1].starts_with("2 failed: the device is enrolled with another user name"), "{said:?}");
    assert!(store.device(&device("urn:c")).await.unwrap().is_some());
    assert_eq!(store.credential("ub").await.unwrap(), None);
}

pub async fn an_import_that_breaks_off_has_failed(store: &dyn Store) {
    for number in [1, 2] {
        store.begin_import(id(number), "ann", false, at(1)).await.unwrap();
        store.add_import_rows(id(number), vec![new(1, "urn:a", "ua")], at(9)).await.unwrap();
    }
    store.end_import_reading(id(1), Some("the line went dead".to_owned()), at(10)).await.unwrap();
    let late = store.add_import_rows(id(1), vec![new(2, "urn:b", "ub")], at(11)).await.unwrap_err();
    assert!(matches!(late, StoreError::Conflict(_)), "{late}");
    assert!(store.end_import_reading(id(1), None, at(11)).await.is_err());
    // The second one is never heard of again.
    assert!(store.open_imports(at(9), at(10), 9, at(10)).await.unwrap().is_empty());
    assert_eq!(store.open_imports(at(10), at(11), 9, at(10)).await.unwrap(), [id(1), id(2)]);
    for number in [1, 2] {
        let import = finished(store, number).await;
        assert_eq!((import.state, import.position), (ImportState::Failed, 1), "its secrets are gone");
        assert!(import.detail.is_some());
    }
    assert!(store.open_imports(at(20), at(20), 9, at(20)).await.unwrap().is_empty());
    assert_eq!(store.device(&device("urn:a")).await.unwrap(), None);
}

pub async fn old_imports_go(store: &dyn Store) {
    for number in [1, 2] {
        imported(
            store,
            number,
            true,
            (1..=3).map(|row| new(row, &format!("urn:{row}"), &format!("u{row}"))).collect(),
        )
        .await;
    }
    let ids: Vec<_> = store.imports(None, 9).await.unwrap().into_iter().map(|import| import.id).collect();
    assert_eq!(ids, [id(2), id(1)], "newest first");
    assert_eq!(store.imports(Some(id(2)), 9).await.unwrap().len(), 1);
    assert_eq!(store.prune_imports(at(4), 2).await.unwrap(), 0, "they are young");
    assert_eq!(store.prune_imports(at(5), 2).await.unwrap(), 2);
    assert_eq!(store.prune_imports(at(5), 2).await.unwrap(), 2, "its last row, and the import");
    assert_eq!(store.import(id(1)).await.unwrap(), None);
    assert_eq!(store.import_rows(id(2), 0, false, 9).await.unwrap().len(), 3);
}

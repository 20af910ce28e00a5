//! How SQLite finds the devices that filters mean: by the index of what is rare, and else along a key.

use omadm_mo::{DeviceId, Time};

use super::schema;
use crate::Kept;
use crate::filter::sql::{FEW, Path, Statement, Value, count, page, path};
use crate::filter::{Filter, FilterLimits};
use crate::sql::Connection;
use crate::sql::kept::entries;

const NOW: Time = Time::from_secs(100 * 86_400);

fn filter(text: &str) -> Filter {
    Filter::parse(text, &FilterLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn database(dir: &tempfile::TempDir) -> rusqlite::Connection {
    schema::open_writer(&dir.path().join("omadm.db")).unwrap()
}

/// The steps of a plan, and that the statement is one that the engine takes.
fn plan(conn: &rusqlite::Connection, statement: &Statement) -> String {
    let mut explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let values = statement.values.iter().map(|value| match value {
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
        Value::Number(number) => rusqlite::types::Value::Integer(*number),
    });
    let values = rusqlite::params_from_iter(values.collect::<Vec<_>>());
    let steps = explained.query_map(values, |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
}

/// The plan of a page where each index has so many rows.
fn page_plan(conn: &rusqlite::Connection, text: &str, rows: u32) -> String {
    let filter = filter(text);
    let path = path::<()>(&filter, NOW, |probe| {
        let plan = plan(conn, probe);
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN fleet"), "{text}: {plan}");
        Ok(rows)
    });
    let path = path.unwrap();
    let counted = plan(conn, &count(Some(&filter), &path, 10, NOW));
    let page = plan(conn, &page(Some(&filter), &path, "a", 10, NOW));
    assert!(counted.contains(&page), "{text} is counted along the same path: {counted}");
    page
}

/// Filters with the index that leads when it has few rows, and when it has many.
const CASES: [(&str, &str, &str); 18] = [
    (r#"id = "urn:x""#, "f USING PRIMARY KEY (device=?)", "f USING PRIMARY KEY (device=?)"),
    ("model = X", "fleet_model", "f USING COVERING INDEX fleet_model (model=? AND device>?)"),
    (
        "manufacturer = X and note ~ y",
        "fleet_manufacturer",
        "fleet_manufacturer (manufacturer=? AND device>?)",
    ),
    ("protocol = dm2.0 and not fw > 1", "fleet_protocol", "fleet_protocol (protocol=? AND device>?)"),
    ("bearer = obex", "fleet_bearer", "fleet_bearer (bearer=? AND device>?)"),
    ("fw < 2", "fleet_fw (fw_key>? AND fw_key<?)", "f USING PRIMARY KEY (device>?)"),
    ("sw >= 2", "fleet_sw (sw_key>?)", "f USING PRIMARY KEY (device>?)"),
    ("hw = 2", "fleet_hw", "fleet_hw (hw_key=? AND device>?)"),
    ("seen < 2d", "fleet_contact (contact>?)", "f USING PRIMARY KEY (device>?)"),
    ("seen > 2d and queued > 0", "fleet_contact (contact<?)", "f USING PRIMARY KEY (device>?)"),
    ("seen = never", "fleet_contact (contact=?)", "f USING PRIMARY KEY (device>?)"),
    ("enrolled < 2d", "fleet_enrolled (enrolled>?)", "f USING PRIMARY KEY (device>?)"),
    ("label:site = A", "label_value (name=? AND value=?)", "label_value (name=? AND value=? AND device>?)"),
    ("label:site", "label_value (name=?)", "f USING PRIMARY KEY (device>?)"),
    ("state = revoked", "device_revoked", "f USING PRIMARY KEY (device>?)"),
    ("queued >= 1", "command_open", "f USING PRIMARY KEY (device>?)"),
    ("reach = unanswered", "push_unanswered", "f USING PRIMARY KEY (device>?)"),
    ("(model = X or label:site in (A, B)) and note = z", "fleet_model", "f USING PRIMARY KEY (device>?)"),
];

#[test]
fn what_is_rare_leads_and_pages_are_cut_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let conn = database(&dir);
    for (text, few, many) in CASES {
        let rare = page_plan(&conn, text, 1);
        assert!(rare.contains(few) && rare.contains("f USING PRIMARY KEY (device=?)"), "{text}: {rare}");
        let common = page_plan(&conn, text, FEW + 1);
        assert!(common.contains(many), "{text}: {common}");
        assert!(!common.contains("TEMP B-TREE"), "{text}: pages are sorted: {common}");
    }
}

#[test]
fn what_no_index_knows_is_gone_through_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let conn = database(&dir);
    for text in [
        "note = x",
        "model ~ 'x*'",
        "model != X",
        "not label:site",
        "queued = 0 or model = X",
        "state = active",
        "queued < 3",
        "reach in (unanswered, known)",
    ] {
        let filter = filter(text);
        assert_eq!(path::<()>(&filter, NOW, |_| Ok(1)), Ok(Path::All), "{text}");
        let plan = page_plan(&conn, text, 1);
        assert!(
            plan.contains("f USING PRIMARY KEY (device>?)") && !plan.contains("TEMP B-TREE"),
            "{text}: {plan}"
        );
    }
}

#[test]
fn the_rarest_leads() {
    let filter =
        filter("manufacturer = Acme and (label:site = A or label:site = B) and fw < 2 and model = X");
    let rows = |probe: &Statement| -> Result<u32, ()> {
        let few = [("manufacturer", FEW), ("label", 100), ("fw_key", 150), ("model", 201)];
        let found = few.iter().find(|(column, _)| probe.sql.contains(column));
        Ok(found.map(|(_, rows)| *rows).unwrap())
    };
    let Ok(Path::Few(lead)) = path(&filter, NOW, rows) else { panic!("an index should lead") };
    assert!(format!("{lead:?}").contains("fw_key"), "{lead:?}");
}

#[test]
fn the_largest_filter_is_one_that_engines_take() {
    let dir = tempfile::tempdir().unwrap();
    let conn = database(&dir);
    let limits = FilterLimits::default();
    let any = vec!["label:a ~ b"; limits.terms].join(" or ");
    let all = vec!["note!=b"; limits.terms].join(" and ");
    let deep = format!("{}label:a{}", "not (".repeat(limits.depth / 2), ")".repeat(limits.depth / 2));
    for text in [any, all, deep] {
        let plan = page_plan(&conn, &text, 1);
        assert!(plan.contains("f USING PRIMARY KEY (device>?)"), "{plan}");
    }
}

/// The counting of what is kept neither sorts nor goes through what it does not count.
#[test]
fn what_is_kept_is_counted_along_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let conn = database(&dir);
    for (kept, index) in [
        (Kept::Results, "command_finished"),
        (Kept::Traces, "session_log_started"),
        (Kept::Uploads, "payload_stored"),
        (Kept::Events, "event_at"),
        (Kept::Audit, "audit_at"),
    ] {
        let values = vec![Value::Number(1), Value::Number(2), Value::Number(3)];
        let statement = Statement { sql: format!("{} LIMIT ?3", entries(kept)), values };
        let plan = plan(&conn, &statement);
        assert!(plan.contains(index), "{kept:?}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{kept:?}: {plan}");
    }
}

/// A session of a device that brings nothing new reads and writes nothing of the inventory.
#[test]
fn what_did_not_change_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut raw = database(&dir);
    let device = DeviceId::parse("urn:x").unwrap();
    let now = Time::from_secs(5 * 86_400 + 7);
    let mut step = super::cost::exchange(&device);
    step.now = now;
    step.last_contact = Some(Time::from_secs(5 * 86_400));
    let used = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = std::sync::Arc::clone(&used);
    let count = move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    raw.progress_handler(1, Some(count)).unwrap();
    let conn = Connection::Sqlite(raw);
    crate::sql::fleet::learn(&conn, &step).unwrap();
    assert_eq!(used.load(std::sync::atomic::Ordering::Relaxed), 0);
    step.now = Time::from_secs(6 * 86_400);
    crate::sql::fleet::learn(&conn, &step).unwrap();
    assert!(used.load(std::sync::atomic::Ordering::Relaxed) > 0, "the day is another");
}

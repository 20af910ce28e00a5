//! The steps from an empty store to the present schema, in the types that engines share, and what they are called on each.

use std::borrow::Cow;

/// A step of the schema.
pub(crate) struct Migration {
    pub(crate) sql: &'static str,
    /// Whether a program that does not know the step yet works on the schema with it, so that nodes can be upgraded one by one.
    pub(crate) spares_older: bool,
}

/// A step after which programs of before still work.
const fn additive(sql: &'static str) -> Migration {
    Migration { sql, spares_older: true }
}

/// A step after which programs of before do not work.
const fn breaking(sql: &'static str) -> Migration {
    Migration { sql, spares_older: false }
}

/// Numbered from 1. What is released is never changed.
pub(crate) const MIGRATIONS: &[Migration] = &[
    breaking(include_str!("../../migrations/0001_initial.sql")),
    breaking(include_str!("../../migrations/0002_dm1.sql")),
    breaking(include_str!("../../migrations/0003_revoked.sql")),
    breaking(include_str!("../../migrations/0004_delegation.sql")),
    breaking(include_str!("../../migrations/0005_nodes.sql")),
    breaking(include_str!("../../migrations/0006_fleet.sql")),
    additive(include_str!("../../migrations/0007_profiles.sql")),
    additive(include_str!("../../migrations/0008_campaign.sql")),
    additive(include_str!("../../migrations/0009_people.sql")),
    additive(include_str!("../../migrations/0010_metrics.sql")),
    additive(include_str!("../../migrations/0011_pins.sql")),
    additive(include_str!("../../migrations/0012_bearer.sql")),
    additive(include_str!("../../migrations/0013_kept.sql")),
    additive(include_str!("../../migrations/0014_withdrawn.sql")),
    additive(include_str!("../../migrations/0015_found.sql")),
];

/// The row about the store itself: its schema, and the oldest schema that a program has to know to work on it.
pub(crate) const ABOUT: &str = "CREATE TABLE IF NOT EXISTS store (id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, compatible BIGINT NOT NULL)";

/// The schema of this program.
pub(crate) fn newest() -> i64 {
    super::count(MIGRATIONS.len())
}

/// The oldest schema that a program has to know to work on this one.
pub(crate) fn compatible(version: i64) -> i64 {
    let steps = between(0, version);
    super::count(steps.len()) - super::count(steps.iter().rev().take_while(|step| step.spares_older).count())
}

/// The steps from one schema to another; none if that is not known.
pub(crate) fn between(from: i64, to: i64) -> &'static [Migration] {
    let bounds = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    bounds.and_then(|(from, to)| MIGRATIONS.get(from..to)).unwrap_or_default()
}

/// What is to be done to a store of schema `version`.
///
/// # Errors
/// One sentence when a newer program has made it such that this one cannot work on it.
pub(crate) fn missing(version: i64, compatible: i64) -> Result<&'static [Migration], String> {
    if let Some(missing) = usize::try_from(version).ok().and_then(|applied| MIGRATIONS.get(applied..)) {
        return Ok(missing);
    }
    if compatible <= newest() {
        return Ok(&[]);
    }
    Err(format!(
        "it has schema {version}, and this program knows schemas up to {}; use the omadm that wrote it, or a newer one",
        newest()
    ))
}

/// Where the keys of PostgreSQL are other than those of SQLite. There, what was written at one time stands side by side; here, what is
/// of one device.
const OTHER_KEYS: [(&str, &str, &str); 2] = [
    ("TABLE session_log (", "INTEGER PRIMARY KEY,", "BIGINT NOT NULL,"),
    ("TABLE session_trace (", "PRIMARY KEY (log, number)", "PRIMARY KEY (device, log, number)"),
];

/// A step in the words of PostgreSQL.
pub(crate) fn for_postgres(sql: &str) -> String {
    let mut sql = Cow::Borrowed(sql);
    for (table, here, there) in OTHER_KEYS {
        if let Some((before, after)) = sql.split_once(table) {
            sql = Cow::Owned(format!("{before}{table}{}", after.replacen(here, there, 1)));
        }
    }
    // Texts compare by octets, as they do in SQLite.
    const WORDS: [(&str, &str); 5] = [
        ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT PRIMARY KEY"),
        ("INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY"),
        (" WITHOUT ROWID", ""),
        (" BLOB", " BYTEA"),
        (" TEXT", " TEXT COLLATE \"C\""),
    ];
    WORDS.iter().fold(sql.into_owned(), |sql, (here, there)| sql.replace(here, there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_for_those_whom_it_spares() {
        assert_eq!(missing(0, 0).unwrap().len(), MIGRATIONS.len());
        assert!(missing(newest(), compatible(newest())).unwrap().is_empty());
        assert!(missing(newest() + 1, newest()).unwrap().is_empty());
        let refusal = missing(newest() + 1, newest() + 1).err().unwrap();
        assert!(
            refusal.contains(&format!("schema {}", newest() + 1)) && refusal.contains("newer"),
            "{refusal}"
        );
    }

    #[test]
    fn types_have_their_names_in_postgresql() {
        let sql =
            "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, b BLOB) WITHOUT ROWID;";
        assert_eq!(
            for_postgres(sql),
            "CREATE TABLE t (a BIGINT PRIMARY KEY, text TEXT COLLATE \"C\" NOT NULL, b BYTEA);"
        );
    }

    #[test]
    fn each_step_is_taken_once() {
        for (place, step) in MIGRATIONS.iter().enumerate() {
            assert!(
                MIGRATIONS.iter().skip(place + 1).all(|other| other.sql != step.sql),
                "step {}",
                place + 1
            );
        }
    }

    #[test]
    fn other_keys_are_found() {
        let all: String = MIGRATIONS.iter().map(|step| for_postgres(step.sql)).collect();
        for (table, _, there) in OTHER_KEYS {
            assert!(all.split_once(table).unwrap().1.contains(there), "{table}");
        }
        assert!(!all.contains("INTEGER") && !all.contains("ROWID"));
    }
}

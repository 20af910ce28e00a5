//! Opening connections, and bringing the schema up to date.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::StoreError;
use crate::sql::migrations::{self, ABOUT};

/// How long a connection waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// More than there are statements in this crate.
const CACHED_STATEMENTS: usize = 128;

/// Length in octets to which the write-ahead log is cut when it starts anew.
const WAL_LIMIT: i64 = 64 << 20;

/// Page cache of the writer and of each reader in KiB.
const WRITER_CACHE: i64 = 16 << 10;
const READER_CACHE: i64 = 2 << 10;

/// Opens the file for writing, creates it if it is not there, and brings its schema up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut conn = open_unmigrated(path)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens the file for writing as it is, and creates an empty one if it is not there.
pub(super) fn open_unmigrated(path: &Path) -> Result<Connection, StoreError> {
    keep_private(path).map_err(|error| failed(path, &error))?;
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| failed(path, &error))?;
    prepare_writer(&conn).map_err(|error| failed(path, &error))?;
    Ok(conn)
}

/// Opens the file, which [`open_writer`] has made ready, for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        prepare_statements(&conn)?;
        conn.pragma_update(None, "cache_size", -READER_CACHE)?;
        Ok(conn)
    };
    open().map_err(|error: rusqlite::Error| failed(path, &error))
}

/// Opens a connection that does nothing but checkpoints.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        Ok(conn)
    };
    open().map_err(|error: rusqlite::Error| failed(path, &error))
}

/// Makes the file readable by its owner alone before SQLite does, which gives its other files the same rights.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// What readers and the writer have in common: they wait for others, and plan each statement once. Without the guarantee of a
/// stable plan, an SQLite that keeps samples of columns plans anew for each set of values.
fn prepare_statements(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn prepare_writer(conn: &Connection) -> rusqlite::Result<()> {
    prepare_statements(conn)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // With NORMAL, what was acknowledged last is lost when the power fails.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", "OFF")?;
    // Savepoints keep their undo in memory instead of a file.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    conn.pragma_update(None, "journal_size_limit", WAL_LIMIT)
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let tx = conn
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|error| failed(path, &error))?;
    let upgraded = version(&tx).and_then(|(version, compatible)| {
        let missing = migrations::missing(version, compatible).map_err(StoreError::Engine)?;
        if missing.is_empty() { Ok(()) } else { apply(&tx, version, migrations::newest()) }
    });
    upgraded.map_err(|error| match error {
        StoreError::Engine(why) => StoreError::Engine(format!("{} cannot be used: {why}", path.display())),
        other => other,
    })?;
    Ok(tx.commit()?)
}

/// The schema, 0 for an empty file, and the oldest that a program has to know to work on it.
pub(super) fn version(conn: &Connection) -> Result<(i64, i64), StoreError> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let has = |condition: &str| -> rusqlite::Result<bool> {
        conn.query_row(&format!("SELECT COUNT(*) > 0 FROM sqlite_master WHERE {condition}"), [], |row| {
            row.get(0)
        })
    };
    if version == 0 && has("TRUE")? {
        return Err(StoreError::Engine("it is a database of another program; name another file".to_owned()));
    }
    if !has("name = 'store'")? {
        return Ok((version, version));
    }
    let compatible = "SELECT compatible FROM store WHERE id = 1";
    Ok((version, conn.query_row(compatible, [], |row| row.get(0)).optional()?.unwrap_or(version)))
}

/// Brings a schema from one version to another, in the transaction that is open.
pub(super) fn apply(conn: &Connection, from: i64, to: i64) -> Result<(), StoreError> {
    conn.execute_batch(ABOUT)?;
    for step in migrations::between(from, to) {
        conn.execute_batch(step.sql)?;
    }
    conn.pragma_update(None, "user_version", to)?;
    conn.execute(
        "INSERT INTO store (id, version, compatible) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, compatible = excluded.compatible",
        [to, migrations::compatible(to)],
    )?;
    Ok(())
}

/// Writes what is there already: the number of the schema.
pub(crate) fn touch(conn: &Connection) -> Result<(), StoreError> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(conn.pragma_update(None, "user_version", version)?)
}

fn failed(path: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::Engine(format!("{} cannot be opened: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_migrations_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.db");
        for _ in 0..2 {
            let conn = open_writer(&path).unwrap();
            let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(version, migrations::newest());
        }
    }

    #[test]
    fn refuses_a_newer_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.db");
        let newer = migrations::newest() + 1;
        let conn = open_writer(&path).unwrap();
        conn.pragma_update(None, "user_version", newer).unwrap();
        drop(open_writer(&path).expect("it spares this program"));
        conn.execute("UPDATE store SET compatible = ?1", [newer]).unwrap();
        let error = open_writer(&path).unwrap_err().to_string();
        let newer = format!("has schema {newer}");
        assert!(error.contains(&newer) && error.contains("newer"), "{error}");
    }

    #[test]
    fn refuses_what_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(open_writer(&foreign).unwrap_err().to_string().contains("another program"));
        let text = dir.path().join("text.db");
        std::fs::write(&text, "not a database ".repeat(100)).unwrap();
        assert!(open_writer(&text).unwrap_err().to_string().contains("text.db cannot be opened"));
        let nowhere = dir.path().join("no/such/dir/omadm.db");
        assert!(open_writer(&nowhere).unwrap_err().to_string().contains("cannot be opened"));
    }

    #[cfg(unix)]
    #[test]
    fn is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.db");
        let conn = open_writer(&path).unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.path());
        }
        drop(conn);
    }
}

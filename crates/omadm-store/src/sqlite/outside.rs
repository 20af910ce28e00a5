//! A file of SQLite from outside, without serving from it.

use std::path::Path;

use super::schema;
use crate::StoreError;
use crate::dump::Table;
use crate::sql::{Connection, Kind, query};

/// Opens a file that is there for reading.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    schema::open_reader(path).map(Connection::Sqlite)
}

/// Opens a file for writing as it is, or makes an empty one.
pub(crate) fn writer(path: &Path) -> Result<Connection, StoreError> {
    schema::open_unmigrated(path).map(Connection::Sqlite)
}

/// Brings the schema of a file up to date.
pub(crate) fn migrate(path: &Path) -> Result<(), StoreError> {
    schema::open_writer(path).map(drop)
}

/// The schema, 0 for an empty file, and the oldest that a program has to know to work on it.
pub(crate) fn version(conn: &Connection) -> Result<(i64, i64), StoreError> {
    schema::version(file(conn)?)
}

/// Makes the schema of an empty file, in the transaction that is open.
pub(crate) fn apply(conn: &Connection, to: i64) -> Result<(), StoreError> {
    schema::apply(file(conn)?, 0, to)
}

/// What is found to be damaged.
pub(crate) fn damage(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let found: Vec<String> = query(conn, "PRAGMA quick_check(20)", &[], |row| row.get(0))?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

/// The tables with their columns, but for the row about the store.
pub(crate) fn tables(conn: &Connection) -> Result<Vec<Table>, StoreError> {
    let columns = "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name <> 'store' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid";
    let columns = query(conn, columns, &[], |row| {
        let kind = match row.get::<String>(2)?.as_str() {
            "BIGINT" | "INTEGER" => Kind::Integer,
            "BLOB" => Kind::Blob,
            _ => Kind::Text,
        };
        Ok((row.get::<String>(0)?, row.get::<String>(1)?, kind))
    })?;
    Ok(Table::of_columns(columns))
}

fn file(conn: &Connection) -> Result<&rusqlite::Connection, StoreError> {
    match conn {
        Connection::Sqlite(conn) => Ok(conn),
        Connection::Postgres(_) => Err(StoreError::Engine("it is no file of SQLite".to_owned())),
    }
}

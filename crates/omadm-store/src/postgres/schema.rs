//! Bringing the schema of a database up to date, once, however many nodes start.

use std::time::Duration;

use super::connector::Connector;
use crate::StoreError;
use crate::dump::Table;
use crate::sql::migrations::{self, ABOUT, for_postgres};
use crate::sql::{Connection, Kind, execute, params, query, query_optional};

/// How often it is tried when another node is at it.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Brings the schema up to date. The row about the store is locked meanwhile, so that one node does it and the others wait.
pub(super) fn migrate(connector: &Connector) -> Result<(), StoreError> {
    let conn = connector.connect()?;
    let mut outcome = prepare(&conn);
    for _ in 1..ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        // Two that create the same table at once: the one that comes second is refused, and finds it afterwards.
        std::thread::sleep(PAUSE);
        outcome = prepare(&conn);
    }
    outcome?;
    conn.begin()?;
    match upgrade(&conn) {
        Ok(()) => conn.commit()?,
        Err(error) => {
            conn.rollback()?;
            return Err(error);
        }
    }
    let newest = "SELECT MAX(cursor) FROM event";
    if let Some(last) = query_optional(&conn, newest, &[], |row| row.get::<Option<i64>>(0))?.flatten() {
        connector.numbers.go_on_from(last);
    }
    Ok(())
}

/// Makes the row about the store.
fn prepare(conn: &Connection) -> Result<(), StoreError> {
    conn.run(ABOUT)?;
    let row = "INSERT INTO store (id, version, compatible) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING";
    execute(conn, row, &[]).map(drop)
}

fn upgrade(conn: &Connection) -> Result<(), StoreError> {
    let locked = "UPDATE store SET version = version WHERE id = 1 RETURNING version, compatible";
    let read = query_optional(conn, locked, &[], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
    let (version, compatible) = read.unwrap_or_default();
    let missing = migrations::missing(version, compatible)
        .map_err(|why| StoreError::Engine(format!("the database cannot be used: {why}")))?;
    if missing.is_empty() { Ok(()) } else { steps(conn, version, migrations::newest()) }
}

fn steps(conn: &Connection, from: i64, to: i64) -> Result<(), StoreError> {
    for (number, step) in (from + 1..).zip(migrations::between(from, to)) {
        conn.run(&for_postgres(step.sql)).map_err(|error| {
            StoreError::Engine(format!("step {number} of the schema cannot be applied: {error}"))
        })?;
    }
    let done = "UPDATE store SET version = ?1, compatible = ?2 WHERE id = 1";
    execute(conn, done, params![to, migrations::compatible(to)]).map(drop)
}

/// Makes the schema of an empty database, in the transaction that is open.
pub(crate) fn apply(conn: &Connection, to: i64) -> Result<(), StoreError> {
    prepare(conn)?;
    steps(conn, 0, to)
}

/// The schema, 0 for an empty database, and the oldest that a program has to know to work on it.
pub(crate) fn version(conn: &Connection) -> Result<(i64, i64), StoreError> {
    let there = "SELECT COUNT(*) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name = 'store'";
    if query_optional(conn, there, &[], |row| row.get::<i64>(0))? == Some(0) {
        return Ok((0, 0));
    }
    let about = "SELECT version, compatible FROM store WHERE id = 1";
    Ok(query_optional(conn, about, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
}

/// The tables with their columns, but for the row about the store.
pub(crate) fn tables(conn: &Connection) -> Result<Vec<Table>, StoreError> {
    let columns = "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT), CAST(c.data_type AS TEXT)
         FROM information_schema.columns c
         WHERE c.table_schema = current_schema() AND c.table_name <> 'store'
         ORDER BY c.table_name, c.ordinal_position";
    let columns = query(conn, columns, &[], |row| {
        let kind = match row.get::<String>(2)?.as_str() {
            "bigint" => Kind::Integer,
            "bytea" => Kind::Blob,
            _ => Kind::Text,
        };
        Ok((row.get::<String>(0)?, row.get::<String>(1)?, kind))
    })?;
    Ok(Table::of_columns(columns))
}

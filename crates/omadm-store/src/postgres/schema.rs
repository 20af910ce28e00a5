//! Bringing the schema of a database up to date, once, however many nodes start.

use super::connector::Connector;
use crate::StoreError;
use crate::sql::migrations::{self, ABOUT, for_postgres};
use crate::sql::{Connection, count, execute, params, query_optional};

/// How often it is tried when another node is at it.
const ATTEMPTS: usize = 20;

/// Brings the schema up to date. The row about the store is locked meanwhile, so that one node does it and the others wait.
pub(super) fn migrate(connector: &Connector) -> Result<(), StoreError> {
    let conn = connector.connect()?;
    let mut outcome = prepare(&conn);
    for _ in 1..ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        // Two that create the same table at once: the one that comes second is refused, and finds it afterwards.
        std::thread::sleep(std::time::Duration::from_millis(50));
        outcome = prepare(&conn);
    }
    outcome?;
    conn.begin()?;
    let done = apply(&conn);
    match done {
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

fn prepare(conn: &Connection) -> Result<(), StoreError> {
    conn.run(ABOUT)?;
    let row = "INSERT INTO store (id, version, compatible) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING";
    execute(conn, row, &[]).map(drop)
}

fn apply(conn: &Connection) -> Result<(), StoreError> {
    let locked = "UPDATE store SET version = version WHERE id = 1 RETURNING version, compatible";
    let read = query_optional(conn, locked, &[], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
    let (version, compatible) = read.unwrap_or_default();
    let missing = migrations::missing(version, compatible)
        .map_err(|why| StoreError::Engine(format!("the database cannot be used: {why}")))?;
    if missing.is_empty() {
        return Ok(());
    }
    let from = migrations::newest() - count(missing.len());
    for (number, step) in (from + 1..).zip(missing) {
        conn.run(&for_postgres(step.sql)).map_err(|error| {
            StoreError::Engine(format!("step {number} of the schema cannot be applied: {error}"))
        })?;
    }
    let done = "UPDATE store SET version = ?1, compatible = ?2 WHERE id = 1";
    execute(conn, done, params![migrations::newest(), migrations::compatible()]).map(drop)
}

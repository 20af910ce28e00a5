//! One connection of either engine, and the statements that run on it.

use std::ops::Deref;

use super::value::{Cell, FromSql, Params};
use crate::StoreError;
use crate::postgres::Session;
use crate::sqlite;

/// A connection. Statements have their parameters as `?1`, `?2`, …, in the subset of SQL that every engine takes.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Session>),
}

/// A row of a result.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a ::postgres::Row),
}

impl Row<'_> {
    /// The value of a column, from 0.
    pub(crate) fn get<T: FromSql>(&self, index: usize) -> Result<T, StoreError> {
        T::from_sql(self.cell(index)?).ok_or_else(|| {
            StoreError::Engine(format!("column {index} of a row holds what does not belong there"))
        })
    }

    /// What stands in a column, from 0.
    pub(crate) fn cell(&self, index: usize) -> Result<Cell<'_>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::cell(row, index),
            Self::Postgres(row) => crate::postgres::cell(row, index),
        }
    }
}

/// Runs a statement that returns no rows, prepared once per connection; gives how many it changed.
pub(crate) fn execute(conn: &Connection, sql: &str, params: Params<'_>) -> Result<usize, StoreError> {
    match conn {
        Connection::Sqlite(conn) => sqlite::execute(conn, sql, params),
        Connection::Postgres(session) => session.each(sql, params, |_| Ok(())),
    }
}

/// All rows of a query.
pub(crate) fn query<T>(
    conn: &Connection,
    sql: &str,
    params: Params<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    each(conn, sql, params, |row| {
        found.push(read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Shows the rows of a query one by one.
pub(crate) fn each(
    conn: &Connection,
    sql: &str,
    params: Params<'_>,
    mut show: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match conn {
        Connection::Sqlite(conn) => sqlite::each(conn, sql, params, show),
        Connection::Postgres(session) => session.each(sql, params, |row| show(&Row::Postgres(row))).map(drop),
    }
}

/// The row of a query that has one at most. It is run to its end, so that an `UPDATE … RETURNING` is complete.
pub(crate) fn query_optional<T>(
    conn: &Connection,
    sql: &str,
    params: Params<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    Ok(query(conn, sql, params, read)?.pop())
}

impl Connection {
    /// Begins a transaction that writes.
    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::run(conn, "BEGIN IMMEDIATE"),
            Self::Postgres(session) => session.begin(),
        }
    }

    /// Makes all since [`Connection::begin`] durable.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::run(conn, "COMMIT"),
            Self::Postgres(session) => session.commit(),
        }
    }

    /// Undoes all since [`Connection::begin`], unless the engine has done so by itself.
    pub(crate) fn rollback(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) if conn.is_autocommit() => Ok(()),
            Self::Sqlite(conn) => sqlite::run(conn, "ROLLBACK"),
            Self::Postgres(session) => session.rollback(),
        }
    }

    /// Undoes all since a savepoint, after a failure.
    pub(crate) fn rollback_to(&self, savepoint: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::run(conn, savepoint),
            Self::Postgres(session) => session.rollback_to(savepoint),
        }
    }

    /// Whether something went wrong that concerns the whole transaction: to go on with it is of no use.
    pub(crate) fn is_in_trouble(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(session) => session.is_in_trouble(),
        }
    }

    /// What a `SELECT` ends with that has others wait until the transaction is over; nothing where there is one writer.
    pub(crate) fn locking(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// The number of a new row, above those of before; `None` where the engine, which has one writer, gives it.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(session) => Some(session.number()),
        }
    }

    /// As [`Connection::number`], for an event: no reader that has seen a higher one misses it.
    pub(crate) fn event_number(&self) -> Option<i64> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(session) => Some(session.event_number()),
        }
    }

    /// Below this cursor no event will appear any more.
    pub(crate) fn event_horizon(&self) -> i64 {
        match self {
            // Cursors are given in the order of commits.
            Self::Sqlite(_) => i64::MAX,
            Self::Postgres(session) => session.event_horizon(),
        }
    }

    /// Runs a statement without parameters or rows.
    pub(crate) fn run(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::run(conn, sql),
            Self::Postgres(session) => session.run(sql),
        }
    }

    /// Writes what is there already.
    pub(crate) fn touch(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::touch(conn),
            Self::Postgres(_) => execute(self, "UPDATE store SET version = version", &[]).map(drop),
        }
    }

    /// A view of all tables as they are at one instant.
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::run(conn, "BEGIN")?,
            Self::Postgres(session) => session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
        }
        Ok(Snapshot { conn: self })
    }
}

/// A connection that reads from one instant, until it is dropped.
pub(crate) struct Snapshot<'c> {
    conn: &'c Connection,
}

impl Deref for Snapshot<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // It has only read, so that undoing is the same as committing.
        if let Err(error) = self.conn.rollback() {
            tracing::warn!(%error, "a read could not be ended");
        }
    }
}

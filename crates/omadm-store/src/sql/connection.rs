//! One connection of either engine, and the statements that run on it.

use std::ops::Deref;

use super::value::{Cell, FromSql, Params};
use crate::StoreError;
use crate::postgres::Session;
use crate::sqlite;

/// A connection. Statements have their parameters as `?1`, `?2`, …, in the subset of SQL that every engine takes.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Session),
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

    fn cell(&self, index: usize) -> Result<Cell<'_>, StoreError> {
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
    let mut each = |row: &Row<'_>| {
        found.push(read(row)?);
        Ok(())
    };
    match conn {
        Connection::Sqlite(conn) => sqlite::each(conn, sql, params, each)?,
        Connection::Postgres(session) => {
            session.each(sql, params, |row| each(&Row::Postgres(row)))?;
        }
    }
    Ok(found)
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
            Self::Postgres(session) => session.run("BEGIN"),
        }
    }

    /// Makes all since [`Connection::begin`] durable.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        self.run("COMMIT")
    }

    /// Undoes all since [`Connection::begin`], unless the engine has done so by itself.
    pub(crate) fn rollback(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) if conn.is_autocommit() => Ok(()),
            _ => self.run("ROLLBACK"),
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

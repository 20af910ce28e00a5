//! Statements on a connection of SQLite.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use crate::StoreError;
use crate::sql::{self, Cell, Param, Params};

/// Runs a statement that returns no rows, prepared once per connection; gives how many it changed.
pub(crate) fn execute(conn: &Connection, sql: &str, params: Params<'_>) -> Result<usize, StoreError> {
    let values = params_from_iter(params.iter().map(|param| param.to_sql()));
    Ok(conn.prepare_cached(sql)?.execute(values)?)
}

/// Runs a query, prepared once per connection, and shows each row of its result.
pub(crate) fn each(
    conn: &Connection,
    sql: &str,
    params: Params<'_>,
    mut show: impl FnMut(&sql::Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(params.iter().map(|param| param.to_sql())))?;
    while let Some(row) = rows.next()? {
        show(&sql::Row::Sqlite(row))?;
    }
    Ok(())
}

/// Runs a statement without parameters or rows, prepared once per connection.
pub(crate) fn run(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    Ok(conn.prepare_cached(sql)?.execute([]).map(drop)?)
}

/// What stands in a column of a row.
pub(crate) fn cell<'a>(row: &'a Row<'_>, index: usize) -> Result<Cell<'a>, StoreError> {
    let value = row.get_ref(index)?;
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(_) => Cell::Text(value.as_str().map_err(rusqlite::Error::from)?),
        ValueRef::Blob(octets) => Cell::Blob(octets),
        ValueRef::Real(_) => {
            return Err(StoreError::Engine(format!("column {index} of a row holds a fraction")));
        }
    })
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null(_) => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(octets) => ToSqlOutput::Borrowed(ValueRef::Blob(octets)),
        })
    }
}

//! Stores as files: all rows of one instant, in a form that is restored into either engine.
//!
//! Lines of JSON. The first says what it is and of which schema. Each table begins with a line that names it and its columns with
//! their types; each row is an array, octets in it `{"b": BASE64}`. The last line says how many rows there are, so that a file that was
//! cut is known.

use std::io::{BufRead, Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::StoreError;
use crate::sql::{Cell, Connection, Kind, Param, ToSql, each, execute};

/// The form that is written and read.
const FORM: u32 = 1;
/// Most octets of a line: more than a row of the largest payload takes.
const MAX_LINE: u64 = 2 << 30;

/// A table with its columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) table: String,
    pub(crate) columns: Vec<(String, Kind)>,
}

impl Table {
    /// The tables of columns that are in order of tables: the name of the table, then that of the column.
    pub(crate) fn of_columns(columns: Vec<(String, String, Kind)>) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        for (table, column, kind) in columns {
            match tables.last_mut().filter(|last| last.table == table) {
                Some(last) => last.columns.push((column, kind)),
                None => tables.push(Self { table, columns: vec![(column, kind)] }),
            }
        }
        tables
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    omadm_store: u32,
    schema: i64,
}

#[derive(Serialize, Deserialize)]
struct End {
    rows: u64,
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Engine(format!("{what}: {error}"))
}

/// Writes all rows of these tables; gives how many.
pub(crate) fn write(
    conn: &Connection,
    schema: i64,
    tables: &[Table],
    out: &mut dyn Write,
) -> Result<u64, StoreError> {
    let mut rows = 0;
    line(out, &Head { omadm_store: FORM, schema })?;
    for table in tables {
        line(out, table)?;
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), table.table);
        each(conn, &sql, &[], |row| {
            let values = (0..names.len()).map(|index| Ok(value(row.cell(index)?)));
            rows += 1;
            line(out, &values.collect::<Result<Vec<Value>, StoreError>>()?)
        })?;
    }
    line(out, &End { rows })?;
    out.flush().map_err(|error| failed("the backup cannot be written", &error))?;
    Ok(rows)
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> Result<(), StoreError> {
    let error = |error: &dyn std::fmt::Display| failed("the backup cannot be written", error);
    serde_json::to_writer(&mut *out, value).map_err(|problem| error(&problem))?;
    out.write_all(b"\n").map_err(|problem| error(&problem))
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => number.into(),
        Cell::Text(text) => text.into(),
        Cell::Blob(octets) => json!({ "b": STANDARD.encode(octets) }),
    }
}

/// A backup that is read.
pub(crate) struct Dump<'a> {
    input: &'a mut dyn BufRead,
    /// Number of the line that was read last, from 1.
    number: u64,
    /// Its schema.
    pub(crate) schema: i64,
}

impl<'a> Dump<'a> {
    /// Reads the first line.
    ///
    /// # Errors
    /// When it is no backup, or of a form that is not known.
    pub(crate) fn open(input: &'a mut dyn BufRead) -> Result<Self, StoreError> {
        let mut dump = Self { input, number: 0, schema: 0 };
        let first = dump.line()?;
        let head: Head =
            serde_json::from_slice(&first).map_err(|_| dump.wrong("is not a backup of omadm"))?;
        if head.omadm_store != FORM {
            return Err(dump.wrong("is of another form; use the omadm that wrote it, or a newer one"));
        }
        dump.schema = head.schema;
        Ok(dump)
    }

    /// Inserts all rows; gives how many. `tables` are those that there are, which all of the backup have to be among.
    pub(crate) fn load(mut self, conn: &Connection, tables: &[Table]) -> Result<u64, StoreError> {
        let mut into: Option<(String, Vec<Kind>)> = None;
        let mut rows = 0;
        loop {
            let line = self.line()?;
            match line.first() {
                Some(b'[') => {
                    let Some((sql, kinds)) = &into else {
                        return Err(self.wrong("is a row without a table"));
                    };
                    self.insert(conn, sql, kinds, &line)?;
                    rows += 1;
                }
                None => return Err(self.wrong("is missing: the backup was cut")),
                Some(_) => {
                    if let Ok(End { rows: written }) = serde_json::from_slice(&line) {
                        let all = written == rows;
                        return if all {
                            Ok(rows)
                        } else {
                            Err(self.wrong("counts other rows than there are"))
                        };
                    }
                    into = Some(self.table(&line, tables)?);
                }
            }
        }
    }

    /// The statement that inserts into the table of a line, and the types of its columns.
    fn table(&self, line: &[u8], tables: &[Table]) -> Result<(String, Vec<Kind>), StoreError> {
        let table: Table =
            serde_json::from_slice(line).map_err(|_| self.wrong("is neither table nor row"))?;
        // Names come into a statement as they are, so only those of the schema do.
        let known = tables.iter().find(|known| known.table == table.table);
        let is_known =
            known.is_some_and(|known| table.columns.iter().all(|column| known.columns.contains(column)));
        if !is_known {
            return Err(self.wrong("names a table that its schema does not have"));
        }
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("?{place}")).collect();
        let sql =
            format!("INSERT INTO {} ({}) VALUES ({})", table.table, names.join(", "), places.join(", "));
        Ok((sql, table.columns.into_iter().map(|(_, kind)| kind).collect()))
    }

    fn insert(&self, conn: &Connection, sql: &str, kinds: &[Kind], line: &[u8]) -> Result<(), StoreError> {
        let values: Vec<Value> = serde_json::from_slice(line).map_err(|_| self.wrong("is no row"))?;
        if values.len() != kinds.len() {
            return Err(self.wrong("has not as many values as its table has columns"));
        }
        let owned: Option<Vec<Owned>> =
            values.into_iter().zip(kinds).map(|(value, kind)| Owned::of(value, *kind)).collect();
        let owned = owned.ok_or_else(|| self.wrong("holds what does not belong into its columns"))?;
        let params: Vec<&dyn ToSql> = owned.iter().map(|value| value as &dyn ToSql).collect();
        execute(conn, sql, &params).map(drop)
    }

    fn line(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut line = Vec::new();
        self.number += 1;
        let read = (&mut *self.input).take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| failed("the backup cannot be read", &error))?;
        if line.pop().is_some_and(|last| last != b'\n') {
            return Err(self.wrong("has no end"));
        }
        Ok(line)
    }

    fn wrong(&self, why: &str) -> StoreError {
        StoreError::Engine(format!("line {} of the backup {why}", self.number))
    }
}

/// A value of a row that is restored.
enum Owned {
    Null(Kind),
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Owned {
    fn of(value: Value, kind: Kind) -> Option<Self> {
        match (value, kind) {
            (Value::Null, kind) => Some(Self::Null(kind)),
            (Value::Number(number), Kind::Integer) => number.as_i64().map(Self::Integer),
            (Value::String(text), Kind::Text) => Some(Self::Text(text)),
            (Value::Object(octets), Kind::Blob) => {
                let text = octets.get("b").and_then(Value::as_str)?;
                STANDARD.decode(text).ok().map(Self::Blob)
            }
            _ => None,
        }
    }
}

impl ToSql for Owned {
    fn to_sql(&self) -> Param<'_> {
        match self {
            Self::Null(kind) => Param::Null(*kind),
            Self::Integer(number) => Param::Integer(*number),
            Self::Text(text) => text.to_sql(),
            Self::Blob(octets) => octets.to_sql(),
        }
    }
}

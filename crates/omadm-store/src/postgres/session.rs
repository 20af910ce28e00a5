//! One connection to PostgreSQL.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Row, RowIter, Statement};

use super::numbers::Numbers;
use crate::StoreError;
use crate::sql::{Cell, Kind, Param, Params};

type BoxedError = Box<dyn std::error::Error + Sync + Send>;

/// More than there are statements in this crate; those of filters are as many as people think of.
const CACHED_STATEMENTS: usize = 512;

/// What went wrong on a connection, other than with one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The transaction got in the way of another, and may go through when it is run again.
    Again,
    /// The connection is of no use any more.
    Lost,
}

/// A connection with what is prepared on it.
pub(crate) struct Session {
    client: RefCell<Client>,
    prepared: RefCell<Prepared>,
    /// What begins a transaction that writes.
    begin: String,
    trouble: StdCell<Option<Trouble>>,
    /// Whether a statement of the transaction has failed, so that the engine would make a commit an undoing without a word.
    failed: StdCell<bool>,
    committing: StdCell<bool>,
    numbers: Arc<Numbers>,
    event_delay: Duration,
    given: RefCell<Given>,
}

/// Cursors that were given in a transaction.
#[derive(Default)]
struct Given {
    since: Option<Instant>,
    cursors: Vec<i64>,
}

/// Statements in the form that PostgreSQL takes.
enum Prepared {
    /// Kept on the server.
    Named(HashMap<String, Statement>),
    /// Told with each use: behind a pooler the next transaction may run on another connection of the server.
    Told(HashMap<String, String>),
}

impl Prepared {
    fn make_room(&mut self) {
        match self {
            Self::Named(known) if known.len() >= CACHED_STATEMENTS => known.clear(),
            Self::Told(known) if known.len() >= CACHED_STATEMENTS => known.clear(),
            _ => {}
        }
    }
}

impl Session {
    /// Takes over a connection. `named` keeps prepared statements on the server; `begin` begins a transaction that writes.
    pub(super) fn new(
        client: Client,
        named: bool,
        begin: String,
        numbers: Arc<Numbers>,
        event_delay: Duration,
    ) -> Self {
        let prepared = if named { Prepared::Named(HashMap::new()) } else { Prepared::Told(HashMap::new()) };
        Self {
            client: RefCell::new(client),
            prepared: RefCell::new(prepared),
            begin,
            trouble: StdCell::new(None),
            failed: StdCell::new(false),
            committing: StdCell::new(false),
            numbers,
            event_delay,
            given: RefCell::default(),
        }
    }

    /// What went wrong since it was last taken.
    pub(super) fn take_trouble(&self) -> Option<Trouble> {
        self.trouble.take()
    }

    /// Whether something went wrong that concerns more than one statement.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.trouble.get().is_some()
    }

    /// Whether it can be used; unless it is `fresh`, the server is asked.
    pub(super) fn is_open(&self, fresh: bool) -> bool {
        self.client
            .try_borrow_mut()
            .is_ok_and(|mut client| !client.is_closed() && (fresh || client.check_connection().is_ok()))
    }

    /// Whether what was done last is a commit, or an attempt at one.
    pub(super) fn is_committing(&self) -> bool {
        self.committing.get()
    }

    /// Begins a transaction that writes.
    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        self.trouble.set(None);
        self.failed.set(false);
        self.committing.set(false);
        self.given.take();
        self.run(&self.begin)
    }

    /// Ends the transaction.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        if self.failed.get() {
            return Err(StoreError::Engine("a statement failed, and nobody heeded it".to_owned()));
        }
        self.committing.set(true);
        self.run("COMMIT")
    }

    /// Undoes the transaction.
    pub(crate) fn rollback(&self) -> Result<(), StoreError> {
        self.given.take();
        self.run("ROLLBACK")
    }

    /// Undoes what came after a savepoint.
    pub(crate) fn rollback_to(&self, savepoint: &str) -> Result<(), StoreError> {
        self.run(savepoint)?;
        self.failed.set(false);
        Ok(())
    }

    /// A number that no other row has, in the order of time.
    pub(crate) fn number(&self) -> i64 {
        self.numbers.next()
    }

    /// A number for an event.
    pub(crate) fn event_number(&self) -> i64 {
        let number = self.numbers.next();
        let mut given = self.given.borrow_mut();
        given.since.get_or_insert_with(Instant::now);
        given.cursors.push(number);
        number
    }

    /// Events from here on are not shown yet: some of before may still be committed.
    pub(crate) fn event_horizon(&self) -> i64 {
        if self.event_delay.is_zero() {
            return i64::MAX;
        }
        let delay = i64::try_from(self.event_delay.as_micros()).unwrap_or(i64::MAX);
        self.numbers.now().saturating_sub(delay)
    }

    /// Cursors of the transaction that was just committed, if it took so long that readers may have gone past them.
    pub(super) fn late_events(&self) -> Vec<i64> {
        let given = self.given.take();
        let is_late = given.since.is_some_and(|since| since.elapsed() > self.event_delay / 2)
            && !self.event_delay.is_zero();
        if is_late { given.cursors } else { Vec::new() }
    }

    /// Cursors of the transaction of which it is not known whether it was committed.
    pub(super) fn given_events(&self) -> Vec<i64> {
        self.given.take().cursors
    }

    /// Runs statements without parameters or rows.
    pub(crate) fn run(&self, sql: &str) -> Result<(), StoreError> {
        let mut client = self.client.try_borrow_mut().map_err(|_| nested())?;
        client.batch_execute(sql).map_err(|error| self.failed(&error))
    }

    /// Runs a statement and shows each row of its result; gives how many rows it changed or found.
    pub(crate) fn each(
        &self,
        sql: &str,
        params: Params<'_>,
        mut show: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<usize, StoreError> {
        let mut client = self.client.try_borrow_mut().map_err(|_| nested())?;
        let values: Vec<Param<'_>> = params.iter().map(|param| param.to_sql()).collect();
        let mut rows = self.start(&mut client, sql, &values).map_err(|error| self.failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
            show(&row)?;
        }
        Ok(rows.rows_affected().and_then(|rows| usize::try_from(rows).ok()).unwrap_or_default())
    }

    fn start<'c>(
        &self,
        client: &'c mut Client,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<RowIter<'c>, postgres::Error> {
        let mut prepared = self.prepared.borrow_mut();
        prepared.make_room();
        match &mut *prepared {
            Prepared::Named(known) => {
                let statement = match known.get(sql) {
                    Some(statement) => statement.clone(),
                    None => {
                        let types: Vec<Type> = values.iter().map(|value| type_of(value.kind())).collect();
                        let statement = client.prepare_typed(&translate(sql), &types)?;
                        known.insert(sql.to_owned(), statement.clone());
                        statement
                    }
                };
                client.query_raw(&statement, values.iter().map(|value| value as &(dyn ToSql + Sync)))
            }
            Prepared::Told(known) => {
                let text = match known.get(sql) {
                    Some(text) => text,
                    None => known.entry(sql.to_owned()).or_insert(translate(sql)),
                };
                let typed = values.iter().map(|value| (value as &(dyn ToSql + Sync), type_of(value.kind())));
                client.query_typed_raw(text, typed)
            }
        }
    }

    /// Remembers what an error means for the connection.
    fn failed(&self, error: &postgres::Error) -> StoreError {
        self.failed.set(true);
        let trouble = trouble(error);
        if trouble.is_some() {
            self.trouble.set(trouble);
        } else if is_number_taken(error) {
            self.numbers.draw();
            self.trouble.set(Some(Trouble::Again));
        }
        explain(error)
    }
}

fn nested() -> StoreError {
    StoreError::Engine("a statement was begun while the rows of another were read".to_owned())
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    }
}

/// `?1` is `$1` here.
fn translate(sql: &str) -> String {
    sql.replace('?', "$")
}

/// What an error means for the connection that it came from.
pub(super) fn trouble(error: &postgres::Error) -> Option<Trouble> {
    const LOST: [SqlState; 5] = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        // It was the primary when it was connected to.
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    const AGAIN: [SqlState; 3] =
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    match error.code() {
        Some(code) if AGAIN.contains(code) => Some(Trouble::Again),
        Some(code)
            if LOST.contains(code) || code.code().starts_with("08") || code.code().starts_with("57P") =>
        {
            Some(Trouble::Lost)
        }
        Some(_) => None,
        None => (error.is_closed() || is_io(error)).then_some(Trouble::Lost),
    }
}

/// Whether another node gave the same number.
fn is_number_taken(error: &postgres::Error) -> bool {
    const NUMBERED: [&str; 3] = ["event_pkey", "delegation_pkey", "delegation_message_pkey"];
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
        && error
            .as_db_error()
            .and_then(|error| error.constraint())
            .is_some_and(|name| NUMBERED.contains(&name))
}

fn is_io(error: &postgres::Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// What happened, and what to do about it where that is known.
pub(super) fn explain(error: &postgres::Error) -> StoreError {
    let text = match error.as_db_error() {
        Some(db) => format!("PostgreSQL says: {} ({})", db.message(), db.code().code()),
        None => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("PostgreSQL: {error}{cause}")
        }
    };
    // The last is what a statement gets that waited for too long.
    let busy = [SqlState::TOO_MANY_CONNECTIONS, SqlState::QUERY_CANCELED];
    if trouble(error).is_some() || error.code().is_some_and(|code| busy.contains(code)) {
        return StoreError::Unavailable(text);
    }
    let remedy = match error.code() {
        Some(&SqlState::DISK_FULL) => {
            return StoreError::Unavailable(format!("{text}; free some space on its disk"));
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "; give the user of store.url the rights on its schema",
        Some(&SqlState::UNDEFINED_TABLE) => "; run `omadm store migrate`",
        _ => "",
    };
    StoreError::Engine(format!("{text}{remedy}"))
}

/// What stands in a column of a row.
pub(crate) fn cell(row: &Row, index: usize) -> Result<Cell<'_>, StoreError> {
    let Raw(cell) = row.try_get(index).map_err(|error| explain(&error))?;
    Ok(cell)
}

/// A column of any type that the store uses.
struct Raw<'a>(Cell<'a>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, BoxedError> {
        Ok(Self(match *kind {
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Cell::Integer(bool::from_sql(kind, raw)?.into()),
            Type::BYTEA => Cell::Blob(raw),
            _ => Cell::Text(std::str::from_utf8(raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, BoxedError> {
        Ok(Self(Cell::Null))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::BOOL, Type::BYTEA, Type::TEXT, Type::VARCHAR].contains(kind)
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            // PostgreSQL has no text with a NUL.
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Blob(octets) => octets.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

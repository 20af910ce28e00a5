//! A store from outside, without serving from it: its schema, backups, and what they are restored into.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::dump::{self, Dump, Table};
use crate::postgres::{self, PostgresConfig};
use crate::sql::{Connection, execute, migrations};
use crate::{StoreError, sqlite};

/// Where a store is, or is to be. Its functions wait for files and servers: they are for threads outside of a runtime.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of PostgreSQL.
    Postgres(Box<PostgresConfig>),
}

/// What a store looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its schema; 0 if it is empty.
    pub schema: i64,
    /// The newest schema that this program knows.
    pub newest: i64,
    /// Whether this program can work on it as it is, or brings it up to date when it starts.
    pub usable: bool,
    /// One sentence on what stands against that.
    pub problem: Option<String>,
    /// Damage that was found in its file, if any; PostgreSQL looks after its own.
    pub damage: Vec<String>,
}

/// What came of a backup or of restoring one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The schema of the backup.
    pub schema: i64,
    /// Rows of all tables.
    pub rows: u64,
}

impl Place {
    /// Looks at the schema, and for damage.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn check(&self) -> Result<About, StoreError> {
        let conn = match self {
            Self::Sqlite(path) if !path.exists() => return Ok(About::of(0, 0, Vec::new())),
            Self::Sqlite(path) => sqlite::reader(path)?,
            Self::Postgres(config) => postgres::connection(config)?,
        };
        let (version, compatible) = self.version(&conn)?;
        let damage = match self {
            Self::Sqlite(_) => sqlite::damage(&conn)?,
            Self::Postgres(_) => Vec::new(),
        };
        Ok(About::of(version, compatible, damage))
    }

    /// Brings the schema up to date, if it is not; whoever serves from the store meanwhile has to be of a version that this one spares.
    ///
    /// # Errors
    /// When the schema is of a newer program, or cannot be changed.
    pub fn migrate(&self) -> Result<About, StoreError> {
        match self {
            Self::Sqlite(path) => sqlite::migrate(path)?,
            Self::Postgres(config) => postgres::migrate(config)?,
        }
        self.check()
    }

    /// Writes all of the store as it is at one instant, while others go on with it.
    ///
    /// # Errors
    /// When there is nothing, or it cannot be read, or `out` cannot be written.
    pub fn backup(&self, out: &mut dyn Write) -> Result<Moved, StoreError> {
        let conn = match self {
            Self::Sqlite(path) => sqlite::reader(path)?,
            Self::Postgres(config) => postgres::connection(config)?,
        };
        let snapshot = conn.snapshot()?;
        let (schema, compatible) = self.version(&snapshot)?;
        if schema == 0 {
            return Err(StoreError::Engine("there is no store yet".to_owned()));
        }
        migrations::missing(schema, compatible).map_err(StoreError::Engine)?;
        let rows = dump::write(&snapshot, schema, &self.tables(&snapshot)?, out)?;
        Ok(Moved { schema, rows })
    }

    /// Makes a store of a backup, all of it or nothing, and brings its schema up to date. The engine need not be that of the backup.
    ///
    /// # Errors
    /// When there is a store already, or the backup is of a newer program, or was cut or changed.
    pub fn restore(&self, input: &mut dyn BufRead) -> Result<Moved, StoreError> {
        let dump = Dump::open(input)?;
        let schema = dump.schema;
        if schema < 1 || schema > migrations::newest() {
            return Err(StoreError::Engine(format!(
                "the backup is of schema {schema}, and this program knows schemas up to {}; use a newer omadm",
                migrations::newest()
            )));
        }
        let conn = match self {
            Self::Sqlite(path) => sqlite::writer(path)?,
            Self::Postgres(config) => postgres::connection(config)?,
        };
        conn.begin()?;
        match self.fill(&conn, dump) {
            Ok(rows) => {
                conn.commit()?;
                drop(conn);
                self.migrate()?;
                Ok(Moved { schema, rows })
            }
            Err(error) => {
                conn.rollback()?;
                Err(error)
            }
        }
    }

    fn fill(&self, conn: &Connection, dump: Dump<'_>) -> Result<u64, StoreError> {
        let (version, _) = self.version(conn)?;
        if version != 0 {
            return Err(StoreError::Engine(
                "there is a store already; a backup is restored into an empty place only".to_owned(),
            ));
        }
        match self {
            Self::Sqlite(_) => sqlite::apply(conn, dump.schema)?,
            Self::Postgres(_) => postgres::apply(conn, dump.schema)?,
        }
        let tables = self.tables(conn)?;
        // Some have rows from the beginning, which are in the backup as they have become.
        for table in &tables {
            execute(conn, &format!("DELETE FROM {}", table.table), &[])?;
        }
        dump.load(conn, &tables)
    }

    /// Its schema, and the oldest that a program has to know to work on it.
    fn version(&self, conn: &Connection) -> Result<(i64, i64), StoreError> {
        match self {
            Self::Sqlite(_) => sqlite::version(conn),
            Self::Postgres(_) => postgres::version(conn),
        }
    }

    /// Its tables, but for the row about itself.
    fn tables(&self, conn: &Connection) -> Result<Vec<Table>, StoreError> {
        match self {
            Self::Sqlite(_) => sqlite::tables(conn),
            Self::Postgres(_) => postgres::tables(conn),
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl About {
    fn of(schema: i64, compatible: i64, damage: Vec<String>) -> Self {
        let problem = migrations::missing(schema, compatible).err();
        let usable = problem.is_none() && damage.is_empty();
        Self { schema, newest: migrations::newest(), usable, problem, damage }
    }
}

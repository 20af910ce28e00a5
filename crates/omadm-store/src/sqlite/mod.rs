//! SQLite, embedded: one writer thread with group commit, a small pool of readers.
//!
//! Two processes on one file are safe: all state is in the file, and writers wait for each other.

#[cfg(test)]
mod cost;
mod outside;
#[cfg(test)]
mod plans;
mod reader;
mod row;
mod schema;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub(crate) use self::outside::{apply, damage, migrate, reader, tables, version, writer};
use self::reader::Readers;
pub(crate) use self::row::{cell, each, execute, run};
pub(crate) use self::schema::touch;
use self::writer::Writer;
use crate::sql::SqlStore;
use crate::{Commits, StoreError};

/// The store on SQLite.
pub type SqliteStore = SqlStore;

/// The embedded engine.
pub(crate) struct Engine {
    // Dropped in this order: the connection that closes last cleans up the write-ahead log, and only a writer can.
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
}

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// Read-only connections with a thread, and as many without, at least 1. Default 4.
    pub readers: usize,
    /// Most requests in one commit, at least 1. Default 512.
    pub group: usize,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { readers: 4, group: 512 }
    }
}

impl SqlStore {
    /// Opens or creates the database file of SQLite and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is of a newer schema or of another program, or is locked by another process.
    pub fn open(path: &Path, config: SqliteConfig) -> Result<Self, StoreError> {
        let conn = schema::open_writer(path)?;
        let readers = Readers::start(path, config.readers)?;
        let commits = Arc::new(Commits::default());
        let writer = Writer::start(conn, path, config.group, commits.clone())?;
        Ok(Self::on_sqlite(Engine { readers, writer }, commits))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let text = explain(&error);
        match error.sqlite_error_code() {
            // It goes well once there is room, or the other process has ended.
            Some(Code::DiskFull | Code::DatabaseBusy | Code::DatabaseLocked) => Self::Unavailable(text),
            _ => Self::Engine(text),
        }
    }
}

/// What happened, and what to do about it where that is known.
fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode as Code;
    let remedy = match error.sqlite_error_code() {
        Some(Code::DiskFull) => "; free some space on its disk",
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => "; another process has been writing for too long",
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => "; restore it from a backup",
        Some(Code::ReadOnly | Code::PermissionDenied) => "; give the server the right to write it",
        _ => "",
    };
    format!("{error}{remedy}")
}

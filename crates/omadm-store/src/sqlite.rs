//! SQLite, embedded: one writer thread with group commit, a small pool of readers.

use std::path::Path;

use crate::StoreError;

/// The embedded engine.
pub struct SqliteStore {
    _private: (),
}

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// Read-only connections. Default 4.
    pub readers: usize,
    /// Most requests in one commit. Default 512.
    pub group: usize,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { readers: 4, group: 512 }
    }
}

impl SqliteStore {
    /// Opens or creates the database file and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is of a newer schema, or is locked by another process.
    pub fn open(_path: &Path, _config: SqliteConfig) -> Result<Self, StoreError> {
        todo!()
    }
}

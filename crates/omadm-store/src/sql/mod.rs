//! The store's logic, written once for every engine.
//!
//! The functions of the modules below take a connection and do their work in the transaction that is open there; none of them
//! commits. Statements are in the subset of SQL that SQLite, PostgreSQL, CockroachDB, YugabyteDB and Citus take.

mod audit;
mod campaigns;
mod catalogue;
mod columns;
pub(crate) mod commands;
mod connection;
mod delegations;
mod device_groups;
pub(crate) mod devices;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod group;
mod imports;
pub(crate) mod kept;
mod leases;
pub(crate) mod migrations;
mod packages;
mod payloads;
mod people;
mod people_store;
pub(crate) mod profiles;
mod pushes;
pub(crate) mod queue;
pub(crate) mod retention;
pub(crate) mod session;
mod standing;
mod store;
pub(crate) mod tree;
mod validators;
mod value;
mod webhooks;
mod withdrawn;

use std::sync::Arc;

use omadm_mo::DeviceId;

pub(crate) use self::columns::{Dev, Id, Texts, count, texts};
pub(crate) use self::connection::{Connection, Row, each, execute, query, query_optional};
pub use self::events::EVENTS_SIZE;
pub(crate) use self::value::{Cell, Kind, Param, Params, ToSql, params};
use crate::{Commits, StoreError, postgres, sqlite};

/// The store on an SQL engine.
pub struct SqlStore {
    engine: Engine,
    commits: Arc<Commits>,
}

enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(postgres::Engine),
}

impl SqlStore {
    /// `commits` are told of by the engine.
    pub(crate) fn on_sqlite(engine: sqlite::Engine, commits: Arc<Commits>) -> Self {
        Self { engine: Engine::Sqlite(engine), commits }
    }

    /// `commits` are told of by the engine.
    pub(crate) fn on_postgres(engine: postgres::Engine, commits: Arc<Commits>) -> Self {
        Self { engine: Engine::Postgres(engine), commits }
    }

    fn is_on_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Runs `work` in a transaction and gives its result when it is durable. When a transaction with it was undone, it runs again.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let _asked = self.commits.ask();
        match &self.engine {
            Engine::Sqlite(engine) => engine.writer.run(work).await,
            Engine::Postgres(engine) => engine.lanes.run(None, work).await,
        }
    }

    /// As [`SqlStore::write`], for work that writes rows of this device and of no other: it may share its transaction.
    pub(crate) async fn write_for<T, F>(&self, device: &DeviceId, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let _asked = self.commits.ask();
        match &self.engine {
            Engine::Sqlite(engine) => engine.writer.run(work).await,
            Engine::Postgres(engine) => engine.lanes.run(Some(device), work).await,
        }
    }

    /// As [`SqlStore::write`], for work that would get in the way of other work under this name: a node does it one after the other.
    pub(crate) async fn write_in_turn<T, F>(&self, name: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let _asked = self.commits.ask();
        match &self.engine {
            Engine::Sqlite(engine) => engine.writer.run(work).await,
            Engine::Postgres(engine) => engine.lanes.run_in_turn(name, work).await,
        }
    }

    /// Runs `work`, which only reads.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.commits.read();
        match &self.engine {
            Engine::Sqlite(engine) => engine.readers.run(work).await,
            Engine::Postgres(engine) => engine.readers.run(work).await,
        }
    }

    /// Runs `work`, which reads a few rows by their keys.
    pub(crate) async fn read_small<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.commits.read();
        match &self.engine {
            Engine::Sqlite(engine) => engine.readers.run_small(work).await,
            Engine::Postgres(engine) => engine.readers.run(work).await,
        }
    }
}

//! PostgreSQL, and engines that speak as it does: threads that write in groups, threads that read, and connections that come back.
//!
//! All that several nodes do at once is safe at READ COMMITTED: whoever changes what is of a device changes its row first, which locks
//! it, and says which version it has read.

mod connector;
mod lanes;
mod numbers;
mod readers;
mod schema;
mod session;

use std::sync::Arc;

use tokio::sync::oneshot;

use self::connector::Connector;
pub use self::connector::PostgresConfig;
use self::lanes::Lanes;
pub(crate) use self::session::{Session, cell};
use crate::sql::queue::Crew;
use crate::sql::{Connection, SqlStore};
use crate::thread::spawn;
use crate::{Commits, StoreError};

pub(crate) use self::schema::{apply, tables, version};

/// A connection for a thread outside of any runtime.
pub(crate) fn connection(config: &PostgresConfig) -> Result<Connection, StoreError> {
    Connector::new(config)?.connect()
}

/// Brings the schema of a database up to date.
pub(crate) fn migrate(config: &PostgresConfig) -> Result<(), StoreError> {
    schema::migrate(&Connector::new(config)?)
}

/// The engine of several nodes.
pub(crate) struct Engine {
    pub(crate) readers: Crew,
    pub(crate) lanes: Lanes,
}

impl SqlStore {
    /// Connects to PostgreSQL and brings the schema of the database up to date.
    ///
    /// # Errors
    /// When the settings cannot be used, no server that takes writes is reached, it is set to lose what it has acknowledged, or the
    /// schema is of a newer program.
    pub async fn connect(config: PostgresConfig) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(&config)?);
        let (reply, answer) = oneshot::channel();
        let opener = Arc::clone(&connector);
        // Its connections must not be used on the threads of a runtime.
        let thread = spawn("omadm-store-open", move || {
            let opened = opener.check_durability().and_then(|()| schema::migrate(&opener));
            // Who no longer waits needs no answer.
            let _gone = reply.send(opened);
        })?;
        let opened = answer.await.map_err(|_| StoreError::Closed);
        crate::thread::join(Some(thread));
        opened??;
        let commits = Arc::new(Commits::default());
        let readers = readers::start(&connector, config.readers)?;
        let lanes = Lanes::start(&connector, config.writers, config.group, &commits)?;
        Ok(Self::on_postgres(Engine { readers, lanes }, commits))
    }
}

#[cfg(test)]
#[path = "../../tests/support/postgres.rs"]
mod server;

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use omadm_mo::Time;

    use super::*;
    use crate::sql::events;
    use crate::{NewEvent, Store as _};

    fn event(kind: &str) -> NewEvent {
        NewEvent { device: None, kind: kind.to_owned(), body: "{}".to_owned() }
    }

    /// Kinds of the events after a cursor, and the last cursor; asks until there are some.
    async fn next(store: &SqlStore, after: i64) -> (Vec<String>, i64) {
        loop {
            let found = store.events(None, after, 10).await.unwrap();
            if let Some(last) = found.last() {
                return (found.iter().map(|event| event.event.kind.clone()).collect(), last.cursor);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_reader_misses_no_event_that_is_committed_late() {
        let config = PostgresConfig {
            url: server::shared().database(),
            event_delay: Duration::from_millis(20),
            writers: 2,
            ..PostgresConfig::default()
        };
        let store = Arc::new(SqlStore::connect(config).await.unwrap());
        let (open, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let gate = Mutex::new(gate);
        let slow = move |conn: &Connection| {
            events::add(conn, &[event("slow")], Time(1))?;
            begun.send(()).unwrap();
            // Opened once, it stays open: without its sender there is nothing to wait for.
            let _open = gate.lock().unwrap().recv();
            Ok(())
        };
        let writer = Arc::clone(&store);
        let slow = tokio::spawn(async move { writer.write(slow).await });
        tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
        store.add_events(vec![event("quick")], Time(2)).await.unwrap();
        let (kinds, cursor) = next(&store, 0).await;
        assert_eq!(kinds, ["quick"], "it has a higher cursor than the one that is not committed");
        drop(open);
        slow.await.unwrap().unwrap();
        assert_eq!(next(&store, cursor).await.0, ["slow"]);
    }
}

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
use self::readers::Readers;
pub(crate) use self::session::{Session, cell};
use crate::sql::SqlStore;
use crate::thread::spawn;
use crate::{Commits, StoreError};

/// The engine of several nodes.
pub(crate) struct Engine {
    pub(crate) readers: Readers,
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
        let readers = Readers::start(&connector, config.readers)?;
        let lanes = Lanes::start(&connector, config.writers, config.group, &commits)?;
        Ok(Self::on_postgres(Engine { readers, lanes }, commits))
    }
}

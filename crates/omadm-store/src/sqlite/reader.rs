//! Connections that read: some for small reads, which are done where they are asked for as long as they are quick, and some with a
//! thread of their own, fed from one queue.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::schema;
use crate::StoreError;
use crate::sql::Connection;
use crate::sql::queue::{Crew, Queue};

/// A small read that takes longer has waited for the disk, and not only for its turn on a busy processor.
const QUICK: Duration = Duration::from_millis(10);
/// How long small reads go to the threads after one of them has waited for the disk.
const AVOID: Duration = Duration::from_millis(200);

/// Handle of the connections.
pub(crate) struct Readers {
    crew: Crew,
    here: Here,
}

/// Connections for small reads. Handing 50 µs of work to another thread and back costs about as much again; but who reads here has
/// other requests to look after, and must not wait for a disk.
struct Here {
    conns: Mutex<Vec<Connection>>,
    began: Instant,
    /// Milliseconds after `began` until when the threads do it.
    avoided_until: AtomicU64,
}

impl Here {
    /// A connection, if there is a free one and the disk is not waited for.
    fn take(&self) -> Option<Connection> {
        if self.now() < self.avoided_until.load(Ordering::Relaxed) {
            return None;
        }
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, conn: Connection, took: Duration) {
        if took > QUICK {
            let avoid = u64::try_from(AVOID.as_millis()).unwrap_or(u64::MAX);
            self.avoided_until.store(self.now().saturating_add(avoid), Ordering::Relaxed);
        }
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Readers {
    /// Opens `count` connections of each kind, at least one.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self, StoreError> {
        let count = count.max(1);
        let conns = (0..count)
            .map(|_| schema::open_reader(path).map(Connection::Sqlite))
            .collect::<Result<_, _>>()?;
        let here = Here { conns: Mutex::new(conns), began: Instant::now(), avoided_until: AtomicU64::new(0) };
        let mut crew = Crew::default();
        for _ in 0..count {
            let conn = Connection::Sqlite(schema::open_reader(path)?);
            crew.hire(move |queue| serve(&conn, queue))?;
        }
        Ok(Self { crew, here })
    }

    /// Runs `work`, which reads a few rows by their keys.
    pub(crate) async fn run_small<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let Some(conn) = self.here.take() else { return self.run(work).await };
        let began = Instant::now();
        let result = work(&conn);
        self.here.give_back(conn, began.elapsed());
        result
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.crew.run(work).await
    }
}

fn serve(conn: &Connection, queue: &Queue) {
    while let Some(job) = queue.next() {
        job(Ok(conn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn where_it_runs(conn: &Connection) -> Result<Option<String>, StoreError> {
        conn.run("BEGIN")?;
        conn.rollback()?;
        Ok(std::thread::current().name().map(str::to_owned))
    }

    #[tokio::test]
    async fn small_reads_move_to_the_threads_while_the_disk_is_slow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.db");
        drop(schema::open_writer(&path).unwrap());
        let readers = Readers::start(&path, 1).unwrap();
        let here = std::thread::current().name().map(str::to_owned);
        let there = Some("omadm-store-read".to_owned());
        assert_eq!(readers.run(where_it_runs).await.unwrap(), there);
        assert_eq!(readers.run_small(where_it_runs).await.unwrap(), here);
        let taken = readers.here.take().unwrap();
        assert_eq!(readers.run_small(where_it_runs).await.unwrap(), there, "no connection is free");
        readers.here.give_back(taken, QUICK + Duration::from_nanos(1));
        assert_eq!(readers.run_small(where_it_runs).await.unwrap(), there, "the disk is slow");
        readers.here.avoided_until.store(0, Ordering::Relaxed);
        assert_eq!(readers.run_small(where_it_runs).await.unwrap(), here);
    }
}

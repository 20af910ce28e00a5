//! The thread that writes: it commits many requests at once and answers them when they are durable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::schema;
use crate::sql::group::{self, BoxedJob};
use crate::sql::{self, Connection};
use crate::thread::{join, spawn};
use crate::{Commits, StoreError};

/// A commit that takes longer is worth a line in the log.
const SLOW: Duration = Duration::from_millis(250);

/// Pages of 4 KiB in the write-ahead log that make a checkpoint due.
const CHECKPOINT_PAGES: i32 = 8192;

/// Handle of the writer thread; dropping it commits what was asked, then ends the thread.
pub(crate) struct Writer {
    jobs: Option<Sender<BoxedJob>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Takes over the connection; `group` is the most requests in one commit, of each of which `commits` hears.
    pub(super) fn start(
        mut conn: rusqlite::Connection,
        path: &Path,
        group: usize,
        commits: Arc<Commits>,
    ) -> Result<Self, StoreError> {
        let checkpoints = Checkpoints::start(&mut conn, path)?;
        let (jobs, queue) = channel();
        let worker = Worker { conn: Connection::Sqlite(conn), checkpoints, group: group.max(1), commits };
        let thread = spawn("omadm-store-write", move || worker.serve(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and gives its result when it is durable. When a transaction with it was undone, it runs again.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = group::job(work);
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        join(self.thread.take());
    }
}

struct Worker {
    conn: Connection,
    checkpoints: Checkpoints,
    group: usize,
    commits: Arc<Commits>,
}

impl Worker {
    fn serve(self, queue: &Receiver<BoxedJob>) {
        while let Ok(first) = queue.recv() {
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter().take(self.group - 1));
            let started = Instant::now();
            let requests = jobs.len();
            self.commit(jobs);
            let took = started.elapsed();
            self.commits.committed(requests, took);
            if took > SLOW {
                tracing::warn!(requests, took_ms = took.as_millis(), "slow commit; is the disk overloaded?");
            }
            self.checkpoints.after_commit(&self.conn);
        }
    }

    /// Runs the jobs in one transaction and answers them.
    fn commit(&self, mut jobs: Vec<BoxedJob>) {
        let failure = group::transact(&self.conn, &mut jobs).err();
        if let Some(error) = &failure {
            if let Err(error) = self.conn.rollback() {
                tracing::error!(%error, "rollback failed");
            }
            tracing::error!(%error, requests = jobs.len(), "commit failed; nothing of it is kept");
        }
        for job in jobs {
            job.answer(failure.as_ref());
        }
    }
}

/// Keeps checkpoints out of the way of commits: most of the work is done by a thread of its own while commits go on. What is
/// left then is so little that the writer does it between two commits, after which the log starts anew.
struct Checkpoints {
    log_pages: Arc<AtomicI32>,
    due: Option<SyncSender<()>>,
    nearly_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    fn start(conn: &mut rusqlite::Connection, path: &Path) -> Result<Self, StoreError> {
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&log_pages);
        // Takes the place of SQLite's own automatic checkpoint.
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let own = Connection::Sqlite(schema::open_checkpointer(path)?);
        let nearly_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&nearly_done);
        let (due, signal) = sync_channel(1);
        let thread = spawn("omadm-store-checkpoint", move || {
            while signal.recv().is_ok() {
                checkpoint(&own);
                done.store(true, Ordering::Release);
            }
        })?;
        Ok(Self { log_pages, due: Some(due), nearly_done, thread: Some(thread) })
    }

    fn after_commit(&self, conn: &Connection) {
        if self.nearly_done.swap(false, Ordering::Acquire) {
            checkpoint(conn);
        } else if self.log_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            // A full channel means that it is told already.
            if let Some(due) = &self.due {
                let _told = due.try_send(());
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.due.take());
        join(self.thread.take());
    }
}

/// Copies what it can from the log to the database without waiting for anyone.
fn checkpoint(conn: &Connection) {
    if let Err(error) = sql::query(conn, "PRAGMA wal_checkpoint(PASSIVE)", &[], |_| Ok(())) {
        tracing::error!(%error, "checkpoint failed; the write-ahead log grows until one succeeds");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::sql::params;

    fn writer(dir: &tempfile::TempDir) -> Writer {
        let path = dir.path().join("omadm.db");
        Writer::start(schema::open_writer(&path).unwrap(), &path, 100, Arc::default()).unwrap()
    }

    fn add(conn: &Connection, name: &str, octets: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO token (name, verifier, created) VALUES (?1, zeroblob(?2), 0)";
        sql::execute(conn, sql, params![name, octets]).map(drop)
    }

    async fn names(writer: &Writer) -> Vec<String> {
        let read = |conn: &Connection| {
            sql::query(conn, "SELECT name FROM token ORDER BY name", &[], |row| row.get(0))
        };
        writer.run(read).await.unwrap()
    }

    /// Lets requests pile up behind one that waits, so that they share a commit.
    fn gate() -> (mpsc::Sender<()>, impl Fn(&Connection) -> Result<(), StoreError> + Send) {
        let (open, wait) = mpsc::channel();
        // Opened once, it stays open: without its sender there is nothing to wait for.
        let pass = move |_: &Connection| {
            let _open = wait.recv();
            Ok(())
        };
        (open, pass)
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_does_not_fit() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir);
        let limit = |conn: &Connection| sql::query(conn, "PRAGMA max_page_count = 100", &[], |_| Ok(()));
        writer.run(limit).await.unwrap();
        let (open, gate) = gate();
        let (_, before, big, after, ()) = tokio::join!(
            writer.run(gate),
            writer.run(|conn| add(conn, "before", 1)),
            writer.run(|conn| add(conn, "big", 4 << 20)),
            writer.run(|conn| add(conn, "small", 1)),
            async { drop(open) },
        );
        let error = big.unwrap_err();
        assert!(error.is_unavailable(), "it goes well once there is room: {error:?}");
        let error = error.to_string();
        assert!(error.contains("full") && error.contains("free some space"), "{error}");
        let kept: Vec<_> = [("before", before), ("small", after)]
            .into_iter()
            .filter_map(|(name, result)| result.is_ok().then_some(name))
            .collect();
        assert_eq!(names(&writer).await, kept, "what was acknowledged is there, and nothing else");
        writer.run(|conn| add(conn, "later", 1)).await.unwrap();
    }

    #[tokio::test]
    async fn a_touch_writes_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir);
        let observer = schema::open_reader(&dir.path().join("omadm.db")).unwrap();
        let seen = || -> (i32, i64) {
            let pages = observer.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get("log")).unwrap();
            (pages, observer.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap())
        };
        let (pages, version) = seen();
        writer.run(Connection::touch).await.unwrap();
        assert_eq!(seen(), (pages + 1, version));
        writer.run(|conn| conn.run("PRAGMA query_only = 1")).await.unwrap();
        assert!(writer.run(Connection::touch).await.is_err());
    }

    #[tokio::test]
    async fn a_lost_transaction_fails_its_group_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir);
        let (open, gate) = gate();
        let lose = |conn: &Connection| -> Result<(), StoreError> {
            conn.run("ROLLBACK")?;
            Err(StoreError::Engine("lost".to_owned()))
        };
        let (_, before, lost, after, ()) = tokio::join!(
            writer.run(gate),
            writer.run(|conn| add(conn, "before", 1)),
            writer.run(lose),
            writer.run(|conn| add(conn, "after", 1)),
            async { drop(open) },
        );
        assert!(before.is_err() && lost.is_err() && after.is_err());
        assert_eq!(names(&writer).await, [""; 0]);
        writer.run(|conn| add(conn, "later", 1)).await.unwrap();
        assert_eq!(names(&writer).await, ["later"]);
    }

    #[tokio::test]
    async fn the_log_starts_anew_when_it_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir);
        let observer = schema::open_reader(&dir.path().join("omadm.db")).unwrap();
        let pages = || -> i32 {
            observer.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get("log")).unwrap()
        };
        let mut longest = 0;
        for round in 0..1_000 {
            writer.run(move |conn| add(conn, &round.to_string(), 1 << 20)).await.unwrap();
            let pages = pages();
            if pages < longest {
                assert!(longest >= CHECKPOINT_PAGES, "after {longest} pages already");
                return;
            }
            longest = pages;
        }
        panic!("{longest} pages, and no checkpoint");
    }
}

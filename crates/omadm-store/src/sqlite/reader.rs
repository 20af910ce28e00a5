//! Threads that read, each with a connection of its own, fed from one queue.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::schema;
use super::writer::{join, spawn};
use crate::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Handle of the reader threads; dropping it ends them.
pub(super) struct Readers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts `count` threads, at least one.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self, StoreError> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut readers = Self { jobs: Some(jobs), threads: Vec::new() };
        for _ in 0..count.max(1) {
            let conn = schema::open_reader(path)?;
            let queue = Arc::clone(&queue);
            readers.threads.push(spawn("omadm-store-read", move || serve(&conn, &queue))?);
        }
        Ok(readers)
    }

    /// Runs `work` on one of the connections.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            // Who no longer waits needs no answer.
            let _gone = reply.send(work(conn));
        });
        self.jobs.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            join(Some(thread));
        }
    }
}

fn serve(conn: &Connection, queue: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: whoever has it takes the next job and lets the next thread wait.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(conn),
            Err(_) => return,
        }
    }
}

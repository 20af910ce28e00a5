//! Threads that read, each with a connection of its own, fed from one queue.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::schema;
use super::writer::{join, spawn};
use crate::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Handle of the reader threads; dropping it ends them once the queue is empty.
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// What is to be read. A job wakes one thread that waits, and no other.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn push(&self, job: Job) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).jobs.push_back(job);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// The next job; `None` when there will be none any more.
    fn next(&self) -> Option<Job> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
        self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }
}

impl Readers {
    /// Starts `count` threads, at least one.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self, StoreError> {
        let mut readers = Self { queue: Arc::default(), threads: Vec::new() };
        for _ in 0..count.max(1) {
            let conn = schema::open_reader(path)?;
            let queue = Arc::clone(&readers.queue);
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
        self.queue.push(job);
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            join(Some(thread));
        }
    }
}

fn serve(conn: &Connection, queue: &Queue) {
    while let Some(job) = queue.next() {
        job(conn);
    }
}

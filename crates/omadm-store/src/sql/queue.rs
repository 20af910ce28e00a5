//! Threads that read, and their work.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::Connection;
use crate::StoreError;
use crate::thread::{join, spawn};

/// Threads fed from one queue; dropping it ends them once the queue is empty.
#[derive(Default)]
pub(crate) struct Crew {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts one more thread, which is to serve the queue until there is no next job.
    pub(crate) fn hire(&mut self, serve: impl FnOnce(&Queue) + Send + 'static) -> Result<(), StoreError> {
        let queue = Arc::clone(&self.queue);
        self.threads.push(spawn("omadm-store-read", move || serve(&queue))?);
        Ok(())
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue.run(work).await
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            join(Some(thread));
        }
    }
}

/// Work on a connection, or its answer when there is none.
pub(crate) type ReadJob = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// What is to be read. A job wakes one thread that waits, and no other.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<ReadJob>,
    closed: bool,
}

impl Queue {
    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |conn| {
            // Who no longer waits needs no answer.
            let _gone = reply.send(conn.and_then(work));
        });
        self.state.lock().unwrap_or_else(PoisonError::into_inner).jobs.push_back(job);
        self.changed.notify_one();
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the threads when all is done.
    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// The next job; `None` when there will be none any more.
    pub(crate) fn next(&self) -> Option<ReadJob> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
        self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }
}

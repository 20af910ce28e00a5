//! Work for threads that read.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Connection;
use crate::StoreError;

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
    /// Has a thread do `work`, and gives its result.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
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
    pub(crate) fn close(&self) {
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

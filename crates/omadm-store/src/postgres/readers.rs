//! Threads that read, each with a connection, fed from one queue.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::connector::{Connector, Link};
use super::session::Trouble;
use crate::StoreError;
use crate::sql::Connection;
use crate::sql::queue::Queue;
use crate::thread::{join, spawn};

/// Handle of the threads; dropping it ends them once the queue is empty.
pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(connector: &Arc<Connector>, count: usize) -> Result<Self, StoreError> {
        let mut readers = Self { queue: Arc::default(), threads: Vec::new() };
        for _ in 0..count.max(1) {
            let (queue, link) = (Arc::clone(&readers.queue), Link::new(Arc::clone(connector)));
            readers.threads.push(spawn("omadm-store-read", move || serve(link, &queue))?);
        }
        Ok(readers)
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

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            join(Some(thread));
        }
    }
}

fn serve(mut link: Link, queue: &Queue) {
    while let Some(job) = queue.next() {
        let (conn, session) = match link.get() {
            Ok(found) => found,
            Err(error) => {
                job(Err(error));
                continue;
            }
        };
        job(Ok(conn));
        if session.take_trouble() == Some(Trouble::Lost) {
            link.lose();
        }
    }
}

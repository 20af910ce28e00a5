//! Threads of the engines.

use std::thread::JoinHandle;

use crate::StoreError;

/// Starts a named thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| StoreError::Engine(format!("thread {name} cannot be started: {error}")))
}

/// Waits for the end of a thread.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the store panicked; restart the server");
    }
}

//! What can be seen of a store from outside: how many writes wait, how commits went, and that it is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Hears of every commit, and of every read.
pub trait CommitWatch: Send + Sync {
    /// So many writes became durable, or failed, in one commit that took so long. Called by the thread that commits: quick.
    fn committed(&self, requests: usize, took: Duration);
    /// Something is read. Called by who asks for it: quick.
    fn read(&self);
}

/// The writes of a store.
#[derive(Default)]
pub struct Commits {
    waiting: AtomicUsize,
    watch: OnceLock<Arc<dyn CommitWatch>>,
}

impl Commits {
    /// Writes that were asked for and are not answered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Has `watch` hear of every commit from now on; the first one stays.
    pub fn watch(&self, watch: Arc<dyn CommitWatch>) {
        // A second server on the same store has the figures of the first.
        let _is_first = self.watch.set(watch);
    }

    /// Counts a write as waiting until the answer, or until nobody waits for it any more.
    pub(crate) fn ask(&self) -> Asked<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Asked(self)
    }

    /// Tells of a read.
    pub(crate) fn read(&self) {
        if let Some(watch) = self.watch.get() {
            watch.read();
        }
    }

    /// Tells of a commit.
    pub(crate) fn committed(&self, requests: usize, took: Duration) {
        if let Some(watch) = self.watch.get() {
            watch.committed(requests, took);
        }
    }
}

/// A write that waits.
pub(crate) struct Asked<'a>(&'a Commits);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<usize>>);

    impl CommitWatch for Heard {
        fn committed(&self, requests: usize, _: Duration) {
            self.0.lock().unwrap().push(requests);
        }

        fn read(&self) {
            self.0.lock().unwrap().push(0);
        }
    }

    #[test]
    fn writes_are_counted_while_they_wait_and_commits_are_told_of() {
        let (commits, first, second) = (Commits::default(), Arc::new(Heard::default()), Arc::default());
        commits.watch(first.clone());
        commits.watch(Arc::<Heard>::clone(&second));
        let asked = [commits.ask(), commits.ask()];
        assert_eq!(commits.waiting(), 2);
        commits.committed(2, Duration::ZERO);
        commits.read();
        drop(asked);
        assert_eq!(commits.waiting(), 0);
        assert_eq!(*first.0.lock().unwrap(), [2, 0]);
        assert!(second.0.lock().unwrap().is_empty());
    }
}

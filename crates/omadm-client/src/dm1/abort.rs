//! How somebody beside a session ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the DM 1.x session of a client that is under way, or the next one: it tells the server by Alert 1223, and what the server
/// answers has no effect (`DM 1.3 PROTO §6.1`). What was carried out stays. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct Abort(Arc<AtomicBool>);

impl Abort {
    /// Asks for the end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for; once.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

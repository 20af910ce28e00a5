//! What management objects and the main loop tell each other. All of it happens on one thread; nothing waits.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Shared by the main loop and the management objects.
#[derive(Clone, Debug, Default)]
pub struct Controls(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    poll_interval: AtomicU32,
    poll_now: AtomicBool,
    compact: AtomicBool,
    changed: Notify,
    peer: Mutex<Option<IpAddr>>,
}

impl Controls {
    /// Seconds between sessions; 0 is none.
    pub fn poll_interval(&self) -> u32 {
        self.0.poll_interval.load(Ordering::Relaxed)
    }
    /// Sets the seconds between sessions and wakes the main loop.
    pub fn set_poll_interval(&self, seconds: u32) {
        if self.0.poll_interval.swap(seconds, Ordering::Relaxed) != seconds {
            self.0.changed.notify_one();
        }
    }
    /// Asks for a session after this one.
    pub fn ask_for_session(&self) {
        self.0.poll_now.store(true, Ordering::Relaxed);
    }
    /// Whether a session was asked for; once.
    pub fn take_session(&self) -> bool {
        self.0.poll_now.swap(false, Ordering::Relaxed)
    }
    /// Asks for compaction after this session.
    pub fn ask_for_compaction(&self) {
        self.0.compact.store(true, Ordering::Relaxed);
    }
    /// Whether compaction was asked for; once.
    pub fn take_compaction(&self) -> bool {
        self.0.compact.swap(false, Ordering::Relaxed)
    }
    /// Waits until the poll interval was changed.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }
    /// The address of the server of the session under way.
    pub fn peer(&self) -> Option<IpAddr> {
        *self.0.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Says with whom a session is about to start.
    pub fn set_peer(&self, peer: Option<IpAddr>) {
        *self.0.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }
}

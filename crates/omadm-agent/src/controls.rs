//! What management objects and the main loop tell each other. All of it happens on one thread; nothing waits.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omadm_mo::ServerId;
use tokio::sync::Notify;

/// Shared by the main loop and the management objects.
#[derive(Clone, Debug, Default)]
pub struct Controls(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    poll_interval: AtomicU32,
    compact: AtomicBool,
    changed: Notify,
    woken: Notify,
    peer: Mutex<Option<IpAddr>>,
    extra: Mutex<Extra>,
    /// The longest time for which a server wants to be left alone that has sent this device away of late.
    sent_away: Mutex<Option<Duration>>,
    /// How many sessions have ended well.
    good_sessions: AtomicU64,
    all: Notify,
}

/// Sessions that servers ask for.
#[derive(Debug, Default)]
struct Extra {
    /// The server of the session under way.
    serving: Option<ServerId>,
    /// Who asked for another session.
    asked: BTreeSet<ServerId>,
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
    /// Notes how long a server wants to be left alone, if it has sent this device away.
    pub fn sent_away(&self, wait: Option<Duration>) {
        let mut sent_away = self.0.sent_away.lock().unwrap_or_else(PoisonError::into_inner);
        *sent_away = wait.max(*sent_away);
    }
    /// How long servers want to be left alone; once.
    pub fn take_sent_away(&self) -> Option<Duration> {
        self.0.sent_away.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
    /// Asks for another session with the server of the one under way.
    pub fn ask_for_session(&self) {
        let mut extra = self.extra();
        let server = extra.serving.clone();
        extra.asked.extend(server);
    }
    /// Whether a server asked for another session.
    pub fn is_session_asked_for(&self) -> bool {
        !self.extra().asked.is_empty()
    }
    /// The servers that asked for another session; once.
    pub fn take_sessions(&self) -> BTreeSet<ServerId> {
        std::mem::take(&mut self.extra().asked)
    }
    /// Says with which server a session is under way.
    pub fn set_serving(&self, server: Option<ServerId>) {
        self.extra().serving = server;
    }
    /// Takes note of a session that ended well.
    pub fn ended_well(&self) {
        self.0.good_sessions.fetch_add(1, Ordering::Relaxed);
    }
    /// How many sessions have ended well since the start.
    pub fn good_sessions(&self) -> u64 {
        self.0.good_sessions.load(Ordering::Relaxed)
    }
    /// Asks for a session with every server, as soon as it can be.
    pub fn ask_for_all(&self) {
        self.0.all.notify_one();
    }
    /// Waits until that is asked for.
    pub async fn all_asked_for(&self) {
        self.0.all.notified().await;
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
    /// Lets the main loop look again at what there is to do, as at the end of an execution.
    pub fn wake(&self) {
        self.0.woken.notify_one();
    }
    /// Waits until [`Controls::wake`] was called.
    pub async fn woken(&self) {
        self.0.woken.notified().await;
    }
    /// The address of the server of the session under way.
    pub fn peer(&self) -> Option<IpAddr> {
        *self.0.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Says at which address the server of the next session is.
    pub fn set_peer(&self, peer: Option<IpAddr>) {
        *self.0.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    fn extra(&self) -> MutexGuard<'_, Extra> {
        self.0.extra.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_session_is_with_the_server_that_asked() {
        let controls = Controls::default();
        controls.ask_for_session();
        assert!(!controls.is_session_asked_for(), "nobody was there to ask");
        for server in ["s2", "s1", "s2"] {
            controls.set_serving(ServerId::parse(server).ok());
            controls.ask_for_session();
        }
        assert!(controls.is_session_asked_for());
        assert_eq!(controls.take_sessions().iter().map(ServerId::as_str).collect::<Vec<_>>(), ["s1", "s2"]);
        assert!(!controls.is_session_asked_for());
    }
}

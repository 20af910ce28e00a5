//! The end of the log of events, watched for all who follow it, so that one reads the store and not each of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::context::Context;

/// Pause between two looks while somebody follows: another node may have added events.
const PAUSE: Duration = Duration::from_millis(250);

/// Tells of new events.
pub struct Tail {
    newest: watch::Sender<i64>,
    /// Places for those who follow.
    pub streams: Arc<Semaphore>,
}

impl Tail {
    /// With so many places.
    pub fn new(places: usize) -> Self {
        Self { newest: watch::Sender::new(0), streams: Arc::new(Semaphore::new(places)) }
    }

    /// Hears of the cursor of the newest event whenever it has changed.
    pub fn listen(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }
}

/// Watches the log while somebody listens, until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if context.tail.newest.receiver_count() == 0 {
            continue;
        }
        match context.store.newest_event().await {
            Ok(newest) => {
                context.tail.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
            }
            Err(error) => tracing::warn!(%error, "the end of the log of events could not be read"),
        }
    }
}

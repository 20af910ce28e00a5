//! What one of several nodes does at a time.

use std::time::Duration;

use omadm_store::{Lease, Store, StoreError};
use uuid::Uuid;

use crate::clock;
use crate::context::Context;

/// A piece of work that is this node's as long as it holds the lease. Clocks of nodes may differ, and a node may be halted while it works:
/// what is done under a duty has to bear being done twice.
pub struct Duty {
    name: &'static str,
    owner: String,
    /// How long it is this node's without another word, in microseconds.
    term: i64,
    held: Option<Lease>,
}

impl Duty {
    /// The work of this name, for this process; another node takes it over so long after the death of this one.
    pub fn new(name: &'static str, term: Duration) -> Self {
        let term = i64::try_from(term.as_micros()).unwrap_or(i64::MAX);
        Self { name, owner: Uuid::new_v4().to_string(), term, held: None }
    }

    /// The work of this name, as long as the configuration says.
    pub fn of(context: &Context, name: &'static str) -> Self {
        Self::new(name, context.config.store.lease.0)
    }

    /// Whether it is this node's now. Where no other node can be, it always is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_mine(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        if !store.is_shared() {
            return Ok(true);
        }
        let now = clock::now();
        // It is prolonged well before it is over, and when the clock was set back: for others it is over as before.
        let lasts =
            |lease: &Lease| (self.term / 2 + 1..=self.term).contains(&lease.expires.0.saturating_sub(now.0));
        if self.held.as_ref().is_some_and(lasts) {
            return Ok(true);
        }
        self.held = store.acquire_lease(self.name, &self.owner, now, now.plus_micros(self.term)).await?;
        Ok(self.held.is_some())
    }

    /// Gives it back, so that another node need not wait.
    pub async fn give_back(&mut self, store: &dyn Store) {
        if let Some(lease) = self.held.take()
            && let Err(error) = store.release_lease(&lease).await
        {
            tracing::warn!(%error, duty = self.name, "a duty could not be given back; another node waits until it is over");
        }
    }
}

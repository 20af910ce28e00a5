//! The fleet counted: by protocol, state, model and version. It is counted in the background while somebody looks, never on the way of a
//! request, except for a fleet that is read at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_mo::{DeviceId, Time};
use omadm_store::{FleetDevice, StoreError};
use serde_json::Value;

use crate::clock;
use crate::context::Context;

/// Devices that are read at a time.
const PAGE: u32 = 1_000;
/// Names that are counted apart; the rest is counted together.
const MAX_NAMES: usize = 500;
/// Longest name that is counted apart, in octets.
const MAX_NAME: usize = 200;
/// Shortest time between two counts, in microseconds.
const REST: i64 = 30_000_000;
/// How much longer than a count the rest after it is.
const SHARE: i64 = 20;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All devices.
    pub devices: u64,
    /// By protocol of the last contact; empty for those that were never there.
    pub protocols: BTreeMap<String, u64>,
    /// By model.
    pub models: BTreeMap<String, u64>,
    /// By version of the firmware.
    pub firmware: BTreeMap<String, u64>,
    /// Without a bootstrap.
    pub revoked: u64,
    /// That were called and did not come.
    pub unanswered: u64,
    /// That were there in the last hour, and in the last day but not in the last hour.
    pub seen: [u64; 2],
    /// That were never there.
    pub never: u64,
    /// That have commands waiting.
    pub waiting: u64,
    /// When it was counted.
    pub at: Time,
}

/// Counts, and keeps what was counted last.
#[derive(Default)]
pub struct Counter(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    census: Option<Arc<Census>>,
    counting: bool,
    /// When it may be counted again.
    due: Time,
}

impl Counter {
    /// What was counted last; none as long as the first count of a large fleet goes on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(self: &Arc<Self>, context: &Arc<Context>) -> Result<Option<Arc<Census>>, StoreError> {
        if let Some(turn) = self.begin(clock::now()) {
            let mut census = Census { at: clock::now(), ..Census::default() };
            match count_page(context, &mut census, None).await? {
                None => turn.end(census),
                Some(last) => go_on(context, turn, census, last),
            }
        }
        Ok(self.lock().census.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to count, if it is to be counted now.
    fn begin(self: &Arc<Self>, now: Time) -> Option<Turn> {
        let mut kept = self.lock();
        let is_small = kept.census.as_ref().is_none_or(|census| census.devices < u64::from(PAGE));
        let begins = !kept.counting && (is_small || kept.due <= now);
        kept.counting |= begins;
        begins.then(|| Turn(self.clone()))
    }
}

/// The turn of who counts. It ends with who has it, also when they give up.
struct Turn(Arc<Counter>);

impl Turn {
    fn end(self, census: Census) {
        let (now, mut kept) = (clock::now(), self.0.lock());
        let took = now.0.saturating_sub(census.at.0);
        kept.due = now.plus_micros(REST.max(took.saturating_mul(SHARE)));
        kept.census = Some(Arc::new(census));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().counting = false;
    }
}

/// Counts a page; gives the last device if there is another page.
async fn count_page(
    context: &Context,
    census: &mut Census,
    after: Option<DeviceId>,
) -> Result<Option<DeviceId>, StoreError> {
    let page = context.store.fleet(None, after.as_ref(), PAGE, census.at).await?;
    for device in &page {
        census.add(device);
    }
    Ok(page.last().filter(|_| page.len() >= PAGE as usize).map(|last| last.device.id.clone()))
}

/// Goes on beside the requests.
fn go_on(context: &Arc<Context>, turn: Turn, mut census: Census, last: DeviceId) {
    let context = context.clone();
    tokio::spawn(async move {
        let mut after = Some(last);
        while let Some(last) = after {
            if *context.stopped.borrow() {
                return;
            }
            after = match count_page(&context, &mut census, Some(last)).await {
                Ok(after) => after,
                Err(error) => {
                    tracing::warn!(%error, "the fleet could not be counted");
                    return;
                }
            };
            // Devices come first.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        turn.end(census);
    });
}

impl Census {
    fn add(&mut self, device: &FleetDevice) {
        const HOUR: i64 = 3_600_000_000;
        self.devices += 1;
        count(&mut self.protocols, device.device.protocol.as_deref().unwrap_or_default());
        let facts: Value = serde_json::from_str(&device.device.facts).unwrap_or_default();
        let fact = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
        count(&mut self.models, fact("model"));
        count(&mut self.firmware, fact("firmware"));
        self.revoked += u64::from(device.state() == "revoked");
        self.unanswered += u64::from(device.reach.as_str() == "unanswered");
        self.waiting += u64::from(device.device.open_commands > 0);
        match device.device.last_contact.map(|at| self.at.0.saturating_sub(at.0)) {
            None => self.never += 1,
            Some(ago) if ago <= HOUR => self.seen[0] += 1,
            Some(ago) if ago <= 24 * HOUR => self.seen[1] += 1,
            Some(_) => {}
        }
    }
}

/// Counts a name, as long as there are not too many of them.
fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(number) = names.get_mut(name) {
        *number += 1;
    } else if names.len() < MAX_NAMES && name.len() <= MAX_NAME {
        names.insert(name.to_owned(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        let mut names = BTreeMap::new();
        for name in 0..MAX_NAMES + 50 {
            count(&mut names, &name.to_string());
        }
        count(&mut names, "7");
        count(&mut names, &"x".repeat(MAX_NAME + 1));
        assert_eq!((names.len(), names["7"]), (MAX_NAMES, 2));
    }

    #[test]
    fn one_counts_at_a_time_and_a_small_fleet_is_counted_each_time() {
        let counter = Arc::new(Counter::default());
        let now = clock::now();
        let turn = counter.begin(now);
        assert!(turn.is_some() && counter.begin(now).is_none());
        drop(turn);
        let count = |devices| {
            counter.begin(now).unwrap().end(Census { at: now, devices, ..Census::default() });
        };
        count(0);
        count(5_000);
        assert!(counter.begin(now).is_none(), "a large one rests");
        assert!(counter.begin(now.plus_micros(3_600_000_000)).is_some());
    }
}

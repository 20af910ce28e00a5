//! Asking a gateway what became of pushes of which it has told nothing (`WAP-247`, `statusquery-message`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use omadm_mo::Time;
use tokio::task::JoinSet;

use super::result;
use crate::clock;
use crate::context::Context;

/// Most pushes that are to be asked after; the oldest give way.
const MAX_OPEN: usize = 4_096;
/// Most that are asked after at once: further ones have their turn at the next look.
const MAX_AT_ONCE: usize = 16;

/// The pushes to ask after. They are kept in memory only: after a restart the limits of the notifier see to it that devices are called.
pub struct Queries {
    /// After how many microseconds; `None` is never.
    after: Option<i64>,
    /// push-ids with the times at which they are asked after, the first first.
    open: Mutex<VecDeque<(Time, String)>>,
}

impl Queries {
    /// Asks so many microseconds after a push was taken, or never.
    pub fn new(after: Option<i64>) -> Self {
        Self { after, open: Mutex::default() }
    }

    /// Notes that a push was taken.
    pub fn note(&self, push_id: String, now: Time) {
        let Some(after) = self.after else { return };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_OPEN {
            open.pop_front();
        }
        open.push_back((now.plus_micros(after), push_id));
    }

    /// The next push whose time has come.
    fn due(&self, now: Time) -> Option<String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.front().filter(|(due, _)| *due <= now)?;
        open.pop_front().map(|(_, push_id)| push_id)
    }
}

/// Begins to ask after pushes whose time has come, and whose end was not told.
pub fn ask_due(context: &Arc<Context>, work: &mut JoinSet<()>) {
    let Some((ppg, _)) = context.notifier.carrier.gateway() else { return };
    let due = std::iter::from_fn(|| ppg.queries.due(clock::now()));
    for push_id in due.take(MAX_AT_ONCE).filter(|push_id| !ppg.tickets.was_told(push_id)) {
        let context = context.clone();
        work.spawn(async move { ask(&context, &push_id).await });
    }
}

/// Asks after one push; what is said counts as if the gateway had told it by itself.
async fn ask(context: &Context, push_id: &str) {
    let Some((ppg, http)) = context.notifier.carrier.gateway() else { return };
    let Some(ticket) = ppg.tickets.read(push_id) else { return };
    let time = context.config.notifier.send_timeout.0;
    match tokio::time::timeout(time, ppg.query(http, push_id)).await {
        Ok(Ok((state, code))) => {
            if let Err(error) = result::take(context, push_id, &ticket, state, code).await {
                tracing::error!(%error, "the result of a push could not be kept");
                ppg.tickets.forget(push_id);
            }
        }
        Ok(Err(failed)) => {
            tracing::warn!(device = %ticket.device, reason = failed.reason, "it is not known what became of a push");
        }
        Err(_) => {
            tracing::warn!(device = %ticket.device, "the push proxy gateway did not say in time what became of a push")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_asked_after_once_in_their_order_and_not_without_bound() {
        let (now, later) = (Time(5), Time(15));
        let never = Queries::new(None);
        never.note("p".to_owned(), now);
        assert_eq!(never.due(Time(i64::MAX)), None);
        let queries = Queries::new(Some(10));
        for number in 0..=MAX_OPEN {
            queries.note(number.to_string(), now);
        }
        assert_eq!(queries.due(Time(14)), None);
        assert_eq!(queries.due(later).as_deref(), Some("1"), "the oldest gave way");
        let rest = std::iter::from_fn(|| queries.due(later)).count();
        assert_eq!(rest, MAX_OPEN - 1);
    }
}

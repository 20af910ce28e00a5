//! How many sessions began in each of the last minutes, at this node.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::context::Context;
use crate::metrics::{Protocol, Session};

/// Minutes that are kept.
const MINUTES: usize = 60;

/// Sessions by minute, the newest last.
#[derive(Default)]
pub struct History(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    minutes: VecDeque<u64>,
    /// How many there were in all when the last minute ended.
    counted: u64,
}

impl History {
    /// Begins to count, as long as the server runs.
    pub fn begin(context: &Arc<Context>) -> Arc<Self> {
        let history = Arc::new(Self::default());
        let (kept, context) = (history.clone(), context.clone());
        tokio::spawn(async move {
            let mut stopped = context.stopped.clone();
            loop {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => return,
                    () = tokio::time::sleep(Duration::from_secs(60)) => kept.end_minute(accepted(&context)),
                }
            }
        });
        history
    }

    fn end_minute(&self, accepted: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = accepted.saturating_sub(kept.counted);
        kept.counted = accepted;
        kept.minutes.push_back(began);
        if kept.minutes.len() > MINUTES {
            kept.minutes.pop_front();
        }
    }

    /// Sessions of each of the last minutes; the last is the one that runs.
    pub fn minutes(&self, context: &Context) -> Vec<u64> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = accepted(context).saturating_sub(kept.counted);
        let before = std::iter::repeat_n(0, MINUTES - kept.minutes.len().min(MINUTES));
        before.chain(kept.minutes.iter().copied()).skip(1).chain([running]).collect()
    }
}

/// Sessions that were accepted at this node.
fn accepted(context: &Context) -> u64 {
    Protocol::ALL.iter().map(|protocol| context.metrics.sessions.now((*protocol, Session::Accepted))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_what_came_between() {
        let history = History::default();
        for accepted in [3, 3, 10] {
            history.end_minute(accepted);
        }
        assert_eq!(history.0.lock().unwrap().minutes, [3, 0, 7]);
        for _ in 0..2 * MINUTES {
            history.end_minute(10);
        }
        assert_eq!(history.0.lock().unwrap().minutes.len(), MINUTES);
    }
}

//! How far back is forgotten, on a clock that may be wrong.
//!
//! A clock that jumps years ahead makes everything look old. So what is old goes at the pace of [`SPEED`], however old it seems, and who
//! reads the log has the time to see it and to stop the server.

mod sizes;

pub use sizes::Sizes;

use std::time::{Duration, Instant};

use omadm_mo::Time;
use omadm_store::StoreError;

/// Most rows of one step: a step shares the store with devices, so it has to be short.
pub const BATCH: u32 = 500;
/// Longest time that steps follow each other before other work has its turn.
const TURN: Duration = Duration::from_secs(5);

/// How much faster than it came what is too old goes: a day of it in an hour.
const SPEED: u32 = 24;
/// What may be left to go before it is said in the log, in microseconds: a day.
const DAY: i64 = 86_400_000_000;

/// What one or more steps have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Rows that went, where they are counted.
    pub rows: u32,
    /// Whether there may be more to do.
    pub has_more: bool,
}

impl Walked {
    /// So many rows of at most [`BATCH`].
    pub fn batch(rows: u32) -> Self {
        Self { rows, has_more: rows >= BATCH }
    }

    /// Without a number.
    pub fn some(has_more: bool) -> Self {
        Self { rows: 0, has_more }
    }
}

/// Repeats a step as long as it says that there is more to do, for a while. After each step comes a pause as long as the step took, so that
/// devices have half of the store at least.
///
/// # Errors
/// Those of the step.
pub async fn in_steps<S>(mut step: impl FnMut() -> S) -> Result<Walked, StoreError>
where
    S: Future<Output = Result<Walked, StoreError>>,
{
    let end = Instant::now() + TURN;
    let mut rows = 0;
    loop {
        let began = Instant::now();
        let walked = step().await?;
        rows += walked.rows;
        let ended = Instant::now();
        if !walked.has_more || ended >= end {
            return Ok(Walked { rows, ..walked });
        }
        tokio::time::sleep(ended - began).await;
    }
}

/// Moves the end of what is kept.
pub struct Pace {
    what: &'static str,
    /// How far back is kept, in microseconds.
    kept: i64,
    /// Up to where what was there had gone, and when.
    reached: Option<(Time, Instant)>,
    /// Whether it was said that more is kept than has to be.
    is_said: bool,
}

impl Pace {
    /// For what is kept for so many days; `what` names the setting.
    pub fn new(what: &'static str, days: u32) -> Self {
        Self { what, kept: i64::from(days).saturating_mul(DAY), reached: None, is_said: false }
    }

    /// What is older than this may go, when the clock says `now`, and the oldest that there is is of `oldest`. `None`: nothing.
    pub fn before(&mut self, oldest: Option<Time>, now: Time, instant: Instant) -> Option<Time> {
        let end = now.plus_micros(-self.kept);
        let Some(oldest) = oldest.filter(|oldest| *oldest < end) else {
            // Time in which nothing was too old counts for nothing later.
            (self.reached, self.is_said) = (None, false);
            return None;
        };
        let paced = self.reached.map_or(oldest, |(reached, at)| {
            let walked = instant.saturating_duration_since(at).saturating_mul(SPEED);
            reached.plus_micros(micros(walked))
        });
        // What is from so long before all else comes of a clock that was wrong then.
        let is_gap = oldest.0.saturating_sub(paced.0) > self.kept;
        let before = if is_gap { oldest } else { paced }.min(end);
        self.reached = Some((before, instant));
        self.say(end.0.saturating_sub(before.0));
        Some(before)
    }

    /// Says once that more is left than a server that runs leaves.
    fn say(&mut self, left: i64) {
        let is_late = left > DAY;
        if is_late && !self.is_said {
            let days = left / DAY;
            tracing::warn!(
                setting = self.what,
                days,
                "by the clock more is too old than a server that runs leaves: it goes at the pace of a day of it an hour; if the clock is wrong, stop the server and set it"
            );
        }
        self.is_said = is_late;
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn day(number: i64) -> Time {
        Time(number * DAY)
    }

    #[test]
    fn a_server_that_runs_keeps_what_it_has_to() {
        let (mut pace, start) = (Pace::new("trace.keep_days", 30), Instant::now());
        assert_eq!(pace.before(None, day(100), start), None, "there is nothing");
        assert_eq!(pace.before(Some(day(70)), day(100), start), None, "it is young enough");
        assert_eq!(pace.before(Some(day(70)), Time(day(100).0 + 1), start), Some(day(70)));
        let later = pace.before(Some(day(70)), Time(day(100).0 + DAY / 24), start + HOUR);
        assert_eq!(later, Some(Time(day(70).0 + DAY / 24)), "never more than is too old");
    }

    #[test]
    fn a_clock_that_jumps_ahead_takes_a_day_an_hour() {
        let (mut pace, start) = (Pace::new("trace.keep_days", 30), Instant::now());
        let later = day(36_500);
        assert_eq!(pace.before(Some(day(70)), later, start), Some(day(70)));
        assert_eq!(pace.before(Some(day(70)), later, start + HOUR), Some(day(71)));
        assert_eq!(pace.before(Some(day(71)), later, start + HOUR * 3), Some(day(73)));
        let mut again = Pace::new("trace.keep_days", 30);
        assert_eq!(
            again.before(Some(day(73)), later, start + HOUR * 3),
            Some(day(73)),
            "nothing by a restart"
        );
        assert_eq!(pace.before(Some(day(73)), day(100), start + HOUR * 4), None, "the clock was set right");
    }

    #[test]
    fn a_quiet_time_saves_nothing_up() {
        let (mut pace, start) = (Pace::new("trace.keep_days", 30), Instant::now());
        assert_eq!(pace.before(Some(day(70)), Time(day(100).0 + 1), start), Some(day(70)));
        assert_eq!(pace.before(Some(day(71)), day(101), start + HOUR), None);
        assert_eq!(pace.before(Some(day(80)), day(36_500), start + HOUR * 240), Some(day(80)));
    }

    #[test]
    fn what_came_of_a_clock_that_was_behind_is_no_reason_to_wait() {
        let (mut pace, start) = (Pace::new("trace.keep_days", 30), Instant::now());
        assert_eq!(pace.before(Some(day(0)), day(20_000), start), Some(day(0)));
        assert_eq!(pace.before(Some(day(0)), day(20_000), start + HOUR), Some(day(1)));
        let next = pace.before(Some(day(19_969)), day(20_000), start + HOUR);
        assert_eq!(next, Some(day(19_969)));
    }
}

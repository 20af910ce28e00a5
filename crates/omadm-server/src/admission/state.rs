//! Who may begin a session, as a pure machine: time and randomness are arguments.
//!
//! ```text
//! (new) --admit--> starting --answered, goes on--> open --answered, over--> (gone)
//!   |                 |                              |
//!   |                 +--answered, over-----> (gone) +--idle for too long--> (gone)
//!   +--turned away, with a time to come again
//! ```
//! Those who are turned away stand in a line in thought: its length is the time that those before need at the rate at which sessions were
//! seen to end. Each is told a time drawn from that line, so that they come back as fast as they can be served, and no faster.

use std::collections::HashMap;
use std::time::Duration;

use omadm_mo::Time;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Sessions a second that are thought to be possible until it is known.
const FIRST_RATE: f64 = 500.0;
/// Fewest sessions a second that are thought to be possible: a line is never endless.
const LEAST_RATE: f64 = 1.0;
/// What a second counts for in the rate.
const WEIGHT: f64 = 0.3;
/// Without anybody turned away for so long, the overload is over.
const CALM: i64 = 60 * SECOND;

/// A device, told apart from others.
pub type Key = u64;

/// Bounds on sessions.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most first messages in work at a time.
    pub starting: usize,
    /// Most sessions that go on.
    pub open: usize,
    /// Most writes that wait for the store.
    pub store_queue: usize,
    /// After this time without a message a session counts no more, in microseconds.
    pub idle: i64,
    /// Shortest time after which those come again who are turned away, in microseconds.
    pub shortest_retry: i64,
    /// Longest such time, in microseconds.
    pub longest_retry: i64,
}

/// An overload, from the first who was turned away on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// When it began.
    pub began: Time,
    /// When somebody was turned away last.
    pub last: Time,
    /// How many were turned away.
    pub refused: u64,
    /// Whether it has been told of.
    told: bool,
}

/// What operators are to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Sessions are turned away.
    Began(Overload),
    /// They are not any more.
    Ended(Overload),
}

/// What is known of the sessions of this node.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    starting: usize,
    /// Sessions that go on, with the time of their last message.
    open: HashMap<Key, Time>,
    /// When those without messages were looked for.
    swept: Time,
    /// Until when it takes to serve those who were turned away.
    line: Time,
    /// Sessions that can be served in a second.
    rate: f64,
    second: Second,
    overload: Option<Overload>,
}

/// What happened since `began`, for the rate.
#[derive(Clone, Copy, Debug)]
struct Second {
    began: Time,
    ended: u32,
    refused: u32,
}

impl Admission {
    /// With no sessions.
    pub fn new(limits: Limits) -> Self {
        let never = Time(i64::MIN);
        Self {
            limits,
            starting: 0,
            open: HashMap::new(),
            swept: never,
            line: never,
            rate: FIRST_RATE,
            second: Second { began: never, ended: 0, refused: 0 },
            overload: None,
        }
    }

    /// Whether a session may begin, while so many writes wait for the store. If so, [`Admission::started`] has to follow.
    pub fn admit(&mut self, key: Key, waiting: usize, now: Time) -> bool {
        self.tick(now);
        let is_recent = (self.swept..self.swept.plus_micros(SECOND)).contains(&now);
        if self.open.len() >= self.limits.open && !is_recent {
            self.sweep(now);
        }
        // Who begins anew takes the place of its own session.
        let has_place = self.open.len() < self.limits.open || self.open.contains_key(&key);
        let admitted = has_place && self.starting < self.limits.starting && waiting < self.limits.store_queue;
        if admitted {
            self.starting += 1;
        } else {
            self.second.refused = self.second.refused.saturating_add(1);
            let first = Overload { began: now, last: now, refused: 0, told: false };
            let overload = self.overload.get_or_insert(first);
            overload.last = now;
            overload.refused = overload.refused.saturating_add(1);
        }
        admitted
    }

    /// The first message of an admitted session is not in work any more, whatever came of it.
    pub fn started(&mut self) {
        self.starting = self.starting.saturating_sub(1);
    }

    /// A message of a session was answered, and the session goes on or is over.
    pub fn answered(&mut self, key: Key, goes_on: bool, now: Time) {
        self.tick(now);
        if goes_on {
            self.open.insert(key, now);
        } else {
            self.open.remove(&key);
            self.second.ended = self.second.ended.saturating_add(1);
        }
    }

    /// After how many microseconds one who is turned away shall come again; `chance` is any number.
    pub fn retry_after(&mut self, now: Time, chance: u64) -> i64 {
        let Limits { shortest_retry, longest_retry, .. } = self.limits;
        let place = Duration::from_secs_f64(1.0 / self.rate).as_micros();
        let place = i64::try_from(place).unwrap_or(SECOND);
        self.line = self.line.max(now).plus_micros(place.max(1));
        let spread = self.spread(now);
        let drawn = i64::try_from(chance % spread.unsigned_abs().saturating_add(1)).unwrap_or(spread);
        shortest_retry.saturating_add(drawn).min(longest_retry.max(shortest_retry))
    }

    /// The longest time that one is told who is turned away now, in microseconds.
    pub fn longest_retry_now(&self, now: Time) -> i64 {
        self.limits.shortest_retry.saturating_add(self.spread(now))
    }

    /// Over how many microseconds those are spread who come again: at least so many that those who are turned away together do not come
    /// back together.
    fn spread(&self, now: Time) -> i64 {
        let Limits { shortest_retry, longest_retry, .. } = self.limits;
        let line = self.line.0.saturating_sub(now.0);
        let most = longest_retry.saturating_sub(shortest_retry).max(0);
        line.max(shortest_retry.saturating_mul(3)).min(most)
    }

    /// First messages in work, and sessions that go on.
    pub fn counts(&self) -> (usize, usize) {
        (self.starting, self.open.len())
    }

    /// Forgets sessions without messages, and says what operators are to hear.
    pub fn tidy(&mut self, now: Time) -> Option<News> {
        self.tick(now);
        self.sweep(now);
        let overload = self.overload.as_mut()?;
        if !overload.told {
            overload.told = true;
            return Some(News::Began(*overload));
        }
        if overload.last.plus_micros(CALM) <= now {
            return self.overload.take().map(News::Ended);
        }
        None
    }

    fn sweep(&mut self, now: Time) {
        let idle = self.limits.idle;
        self.open.retain(|_, last| {
            // A clock that was set back must not keep them for longer.
            *last = (*last).min(now);
            last.plus_micros(idle) > now
        });
        self.swept = now;
    }

    /// Learns from a second that is over. One in which nobody was turned away says nothing of what is possible.
    fn tick(&mut self, now: Time) {
        let length = now.0.saturating_sub(self.second.began.0);
        // A clock that was set back begins anew.
        if (0..SECOND).contains(&length) {
            return;
        }
        if self.second.refused > 0 && length > 0 {
            let seen = f64::from(self.second.ended) * SECOND as f64 / length as f64;
            self.rate = (self.rate * (1.0 - WEIGHT) + seen * WEIGHT).max(LEAST_RATE);
        }
        self.second = Second { began: now, ended: 0, refused: 0 };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        starting: 4,
        open: 10,
        store_queue: 100,
        idle: 120 * SECOND,
        shortest_retry: 30 * SECOND,
        longest_retry: 1_800 * SECOND,
    };

    const fn at(secs: i64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn every_limit_turns_away_at_its_edge() {
        let mut admission = Admission::new(LIMITS);
        assert!(!admission.admit(0, 100, at(0)), "the store has too much to do");
        for key in 0..4 {
            assert!(admission.admit(key, 99, at(0)));
        }
        assert!(!admission.admit(4, 0, at(0)), "four are starting");
        for key in 0..4 {
            admission.started();
            admission.answered(key, true, at(0));
        }
        for key in 4..10 {
            assert!(admission.admit(key, 0, at(0)));
            admission.started();
            admission.answered(key, true, at(0));
        }
        assert!(!admission.admit(10, 0, at(1)), "ten are open");
        assert!(admission.admit(9, 0, at(1)), "one that begins anew");
        admission.started();
        admission.answered(3, false, at(1));
        assert!(admission.admit(10, 0, at(1)), "one has ended");
    }

    #[test]
    fn sessions_without_messages_count_no_more() {
        let mut admission = Admission::new(Limits { open: 1, ..LIMITS });
        assert!(admission.admit(1, 0, at(0)));
        admission.started();
        admission.answered(1, true, at(0));
        assert!(!admission.admit(2, 0, at(119)));
        assert!(admission.admit(2, 0, at(120)));
    }

    #[test]
    fn the_line_grows_with_those_who_stand_in_it_and_shrinks_with_time() {
        let mut admission = Admission::new(LIMITS);
        assert_eq!(admission.longest_retry_now(at(0)), 120 * SECOND);
        let told: Vec<i64> =
            (0..100_000).map(|chance| admission.retry_after(at(0), chance * 7_919)).collect();
        assert!(told.iter().all(|told| (30 * SECOND..=1_800 * SECOND).contains(told)));
        // 100,000 at 500 a second need 200 s.
        assert_eq!(admission.longest_retry_now(at(0)), 230 * SECOND);
        assert_eq!(admission.longest_retry_now(at(50)), 180 * SECOND);
        assert_eq!(admission.longest_retry_now(at(500)), 120 * SECOND);
    }

    #[test]
    fn the_rate_is_learnt_where_there_are_too_many() {
        let mut admission = Admission::new(Limits { starting: 0, ..LIMITS });
        let second = |admission: &mut Admission, secs, ended| {
            for key in 0..ended {
                admission.answered(key, false, at(secs));
            }
        };
        second(&mut admission, 0, 3);
        admission.tick(at(1));
        assert_eq!(admission.rate, FIRST_RATE, "three sessions were all there were");
        for secs in 1..60 {
            assert!(!admission.admit(1, 0, at(secs)));
            second(&mut admission, secs, 2_000);
        }
        admission.tick(at(60));
        assert!((1_990.0..=2_000.0).contains(&admission.rate), "{}", admission.rate);
    }

    #[test]
    fn an_overload_is_told_of_once_at_either_end() {
        let mut admission = Admission::new(Limits { starting: 0, ..LIMITS });
        assert_eq!(admission.tidy(at(0)), None);
        for secs in 0..50 {
            assert!(!admission.admit(1, 0, at(secs)));
        }
        let News::Began(began) = admission.tidy(at(50)).unwrap() else { panic!("it has ended?") };
        assert_eq!((began.began, began.refused), (at(0), 50));
        assert_eq!(admission.tidy(at(108)), None);
        assert!(matches!(admission.tidy(at(109)), Some(News::Ended(overload)) if overload.refused == 50));
        assert_eq!(admission.tidy(at(110)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Admit(Key, usize),
        Answered { goes_on: bool },
        Message(Key, bool),
        Wait(i64),
        Tidy,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..40_u64, 0..120_usize).prop_map(|(key, waiting)| Step::Admit(key, waiting)),
            4 => any::<bool>().prop_map(|goes_on| Step::Answered { goes_on }),
            2 => (0..40_u64, any::<bool>()).prop_map(|(key, goes_on)| Step::Message(key, goes_on)),
            1 => (-5..200_i64).prop_map(Step::Wait),
            1 => Just(Step::Tidy),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_the_limits_hold(steps in prop::collection::vec(step(), 0..300), chance: u64) {
            let mut admission = Admission::new(LIMITS);
            let (mut now, mut starting) = (at(1_000), Vec::new());
            for step in steps {
                match step {
                    Step::Admit(key, waiting) => {
                        let (before, _) = admission.counts();
                        let admitted = admission.admit(key, waiting, now);
                        prop_assert!(!(admitted && (waiting >= LIMITS.store_queue || before >= LIMITS.starting)));
                        if admitted {
                            starting.push(key);
                        } else {
                            let told = admission.retry_after(now, chance);
                            prop_assert!((LIMITS.shortest_retry..=LIMITS.longest_retry).contains(&told));
                        }
                    }
                    Step::Answered { goes_on } => {
                        if let Some(key) = starting.pop() {
                            admission.started();
                            admission.answered(key, goes_on, now);
                        }
                    }
                    // Messages 2 to n are never asked about.
                    Step::Message(key, goes_on) => admission.answered(key, goes_on && admission.open.contains_key(&key), now),
                    Step::Wait(secs) => now = now.plus_micros(secs * SECOND),
                    Step::Tidy => drop(admission.tidy(now)),
                }
                let (counted, open) = admission.counts();
                prop_assert_eq!(counted, starting.len());
                prop_assert!(counted <= LIMITS.starting && open <= LIMITS.open + LIMITS.starting);
                prop_assert!(admission.rate >= LEAST_RATE);
            }
            for key in std::mem::take(&mut starting) {
                admission.started();
                admission.answered(key, false, now);
            }
            admission.tidy(now);
            now = now.plus_micros(LIMITS.idle);
            admission.tidy(now);
            prop_assert_eq!(admission.counts(), (0, 0), "nothing is left over");
        }
    }
}

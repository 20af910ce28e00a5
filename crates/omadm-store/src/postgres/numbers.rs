//! Numbers that several nodes give at once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use uuid::Uuid;

/// A node gives one of so many numbers, so that nodes seldom give the same.
const SPREAD: i64 = 64;

/// Numbers in the order of time: microseconds since 1970 by the clock of the database, which all nodes share. They are below 2⁵³, so
/// that every JSON parser takes them. Two nodes can give the same; then the key of the table refuses the second, and its node draws
/// another place among the [`SPREAD`] before it repeats the transaction.
pub(crate) struct Numbers {
    began: Instant,
    /// What the database's clock showed at `began`.
    base: AtomicI64,
    last: AtomicI64,
    place: AtomicI64,
}

impl Numbers {
    pub(super) fn new() -> Self {
        let numbers = Self {
            began: Instant::now(),
            base: AtomicI64::new(0),
            last: AtomicI64::new(0),
            place: AtomicI64::new(0),
        };
        numbers.draw();
        numbers
    }

    /// Sets the clock by what the database's has just shown. It never goes back.
    pub(super) fn set(&self, micros: i64) {
        self.base.fetch_max(micros.saturating_sub(self.elapsed()), Ordering::Relaxed);
    }

    /// Gives only numbers above `last` from now on.
    pub(super) fn go_on_from(&self, last: i64) {
        self.last.fetch_max(last, Ordering::Relaxed);
    }

    /// Takes another place among the nodes.
    pub(super) fn draw(&self) {
        let random = i64::from(Uuid::new_v4().as_bytes().first().copied().unwrap_or_default());
        self.place.store(random % SPREAD, Ordering::Relaxed);
    }

    /// Microseconds since 1970 by the database's clock.
    pub(super) fn now(&self) -> i64 {
        self.base.load(Ordering::Relaxed).saturating_add(self.elapsed())
    }

    /// The next number.
    pub(super) fn next(&self) -> i64 {
        let (now, place) = (self.now(), self.place.load(Ordering::Relaxed));
        let after = |last: i64| {
            let from = now.max(last.saturating_add(1));
            Some(from + (place - from).rem_euclid(SPREAD))
        };
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        after(last.unwrap_or_else(|last| last)).unwrap_or(now)
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_go_up_with_time_and_are_given_once() {
        let numbers = Numbers::new();
        numbers.set(1_000_000);
        let given: Vec<i64> = (0..1_000).map(|_| numbers.next()).collect();
        assert!(given.is_sorted() && *given.first().unwrap() >= 1_000_000);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 1_000);
        let place = given.first().unwrap() % SPREAD;
        assert!(given.iter().all(|number| number % SPREAD == place));
    }

    #[test]
    fn a_clock_that_is_set_back_has_no_effect() {
        let numbers = Numbers::new();
        numbers.set(5_000_000);
        let before = numbers.next();
        numbers.set(1_000);
        assert!(numbers.next() > before && numbers.now() >= 5_000_000);
        numbers.go_on_from(90_000_000_000);
        assert!(numbers.next() > 90_000_000_000);
    }
}

//! The clock: warm-up, then the median of several runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How much time a figure is worth.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Runs of which the median is taken, odd.
    pub runs: usize,
    /// Length of one run.
    pub run: Duration,
    /// Fleets and trees are full size.
    pub full: bool,
}

impl Effort {
    /// For figures to publish, or just to see that everything works.
    pub fn new(quick: bool) -> Self {
        if quick {
            Self { runs: 3, run: Duration::from_millis(20), full: false }
        } else {
            Self { runs: 9, run: Duration::from_millis(200), full: true }
        }
    }

    /// Median time of one call of `work`, in nanoseconds. One run's worth of warm-up finds out how often a run can call it.
    pub fn nanoseconds<T>(&self, mut work: impl FnMut() -> T) -> f64 {
        let started = Instant::now();
        let mut calls: u64 = 0;
        while started.elapsed() < self.run {
            black_box(work());
            calls = calls.saturating_add(1);
        }
        let run = || {
            let started = Instant::now();
            for _ in 0..calls {
                black_box(work());
            }
            started.elapsed().as_secs_f64() * 1e9 / calls as f64
        };
        median(std::iter::repeat_with(run).take(self.runs).collect())
    }
}

/// How often in a second what takes so many nanoseconds.
pub fn per_second(nanoseconds: f64) -> f64 {
    1e9 / nanoseconds
}

/// The middle value; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn work_is_called_and_timed() {
        let effort = Effort { runs: 3, run: Duration::from_millis(1), full: false };
        let mut calls = 0;
        let nanoseconds = effort.nanoseconds(|| calls += 1);
        assert!(calls > 3 && nanoseconds > 0.0);
    }
}

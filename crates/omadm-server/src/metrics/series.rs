//! Counters, gauges and histograms, and their text form (Prometheus text format 0.0.4).

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::labels::Labels;

/// What all metrics say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name with its unit.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its labels.
    pub labels: Vec<&'static str>,
}

/// A metric with all of its series.
pub trait Metric {
    /// What it is.
    fn describe(&self) -> Description;
    /// Its series, a line each.
    fn write_series(&self, out: &mut String);
}

/// The text form of a metric.
pub fn write(metric: &dyn Metric, out: &mut String) {
    let Description { name, kind, help, .. } = metric.describe();
    // Writing to a String does not fail.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    metric.write_series(out);
}

/// `name{label="value",…} `, with one further label if there is one.
fn write_head<L: Labels>(name: &str, index: usize, further: Option<(&str, &str)>, out: &mut String) {
    out.push_str(name);
    let labels: Vec<_> = L::names().into_iter().zip(L::values(index)).chain(further).collect();
    for (place, (label, value)) in labels.iter().enumerate() {
        let opening = if place == 0 { '{' } else { ',' };
        let _ = write!(out, "{opening}{label}=\"{value}\"");
    }
    if !labels.is_empty() {
        out.push('}');
    }
    out.push(' ');
}

/// Something that is counted.
pub struct Counter<L> {
    name: &'static str,
    help: &'static str,
    cells: Box<[AtomicU64]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> Counter<L> {
    /// At zero.
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        let cells = (0..L::COUNT).map(|_| AtomicU64::new(0)).collect();
        Self { name, help, cells, labels: PhantomData }
    }

    /// Counts one.
    pub fn count(&self, labels: L) {
        self.add(labels, 1);
    }

    /// How much was counted.
    pub fn now(&self, labels: L) -> u64 {
        self.cells.get(labels.index()).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// Counts so many.
    pub fn add(&self, labels: L, number: u64) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl<L: Labels> Metric for Counter<L> {
    fn describe(&self) -> Description {
        Description { name: self.name, kind: "counter", help: self.help, labels: L::names() }
    }

    fn write_series(&self, out: &mut String) {
        for (index, cell) in self.cells.iter().enumerate() {
            write_head::<L>(self.name, index, None, out);
            let _ = writeln!(out, "{}", cell.load(Ordering::Relaxed));
        }
    }
}

/// Something that is more or less.
pub struct Gauge<L> {
    name: &'static str,
    help: &'static str,
    cells: Box<[AtomicI64]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> Gauge<L> {
    /// At zero.
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        let cells = (0..L::COUNT).map(|_| AtomicI64::new(0)).collect();
        Self { name, help, cells, labels: PhantomData }
    }

    /// What it was set to.
    pub fn now(&self, labels: L) -> i64 {
        self.cells.get(labels.index()).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// What it is now.
    pub fn set(&self, labels: L, value: i64) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// So much more, or less.
    pub fn add(&self, labels: L, change: i64) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_add(change, Ordering::Relaxed);
        }
    }
}

impl<L: Labels> Metric for Gauge<L> {
    fn describe(&self) -> Description {
        Description { name: self.name, kind: "gauge", help: self.help, labels: L::names() }
    }

    fn write_series(&self, out: &mut String) {
        for (index, cell) in self.cells.iter().enumerate() {
            write_head::<L>(self.name, index, None, out);
            let _ = writeln!(out, "{}", cell.load(Ordering::Relaxed));
        }
    }
}

/// Upper bounds of buckets, in whole steps of which `per_unit` are one unit of the metric.
pub struct Buckets {
    bounds: &'static [u64],
    per_unit: f64,
}

/// Times, counted in microseconds and shown in seconds.
pub const SECONDS: Buckets = Buckets {
    bounds: &[
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        10_000_000,
    ],
    per_unit: 1e6,
};

/// Numbers of things.
pub const NUMBERS: Buckets = Buckets { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512], per_unit: 1.0 };

/// How often something was how much.
pub struct Histogram<L> {
    name: &'static str,
    help: &'static str,
    buckets: Buckets,
    cells: Box<[Cell]>,
    labels: PhantomData<fn(L)>,
}

struct Cell {
    /// Values in each bucket and in none of those before; the last is for those beyond all bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl<L: Labels> Histogram<L> {
    /// With nothing in it.
    pub(super) fn new(name: &'static str, help: &'static str, buckets: Buckets) -> Self {
        let cell = |_| Cell {
            counts: (0..=buckets.bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        };
        let cells = (0..L::COUNT).map(cell).collect();
        Self { name, help, buckets, cells, labels: PhantomData }
    }

    /// A time; only with [`SECONDS`].
    pub fn time(&self, labels: L, took: Duration) {
        self.number(labels, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// A number of the steps of its buckets.
    pub fn number(&self, labels: L, number: u64) {
        let Some(cell) = self.cells.get(labels.index()) else { return };
        let bucket = self.buckets.bounds.partition_point(|bound| *bound < number);
        if let Some(count) = cell.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        cell.sum.fetch_add(number, Ordering::Relaxed);
    }
}

impl<L: Labels> Metric for Histogram<L> {
    fn describe(&self) -> Description {
        Description { name: self.name, kind: "histogram", help: self.help, labels: L::names() }
    }

    fn write_series(&self, out: &mut String) {
        let units = |steps: u64| steps as f64 / self.buckets.per_unit;
        let bounds = self.buckets.bounds.iter().map(|bound| units(*bound).to_string());
        let bounds: Vec<String> = bounds.chain(["+Inf".to_owned()]).collect();
        let (bucket, sum, count) =
            (format!("{}_bucket", self.name), format!("{}_sum", self.name), format!("{}_count", self.name));
        for (index, cell) in self.cells.iter().enumerate() {
            let mut below: u64 = 0;
            for (bound, number) in bounds.iter().zip(&cell.counts) {
                below = below.saturating_add(number.load(Ordering::Relaxed));
                write_head::<L>(&bucket, index, Some(("le", bound)), out);
                let _ = writeln!(out, "{below}");
            }
            write_head::<L>(&sum, index, None, out);
            let _ = writeln!(out, "{}", units(cell.sum.load(Ordering::Relaxed)));
            write_head::<L>(&count, index, None, out);
            let _ = writeln!(out, "{below}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::labels::Outcome;
    use super::*;

    fn text(metric: &dyn Metric) -> String {
        let mut out = String::new();
        write(metric, &mut out);
        out
    }

    #[test]
    fn counters_have_a_line_for_each_value() {
        let counter = Counter::<Outcome>::new("a_total", "Counts.");
        counter.count(Outcome::Failed);
        counter.add(Outcome::Failed, 2);
        let expected = "# HELP a_total Counts.\n# TYPE a_total counter\n\
                        a_total{outcome=\"done\"} 0\na_total{outcome=\"failed\"} 3\n";
        assert_eq!(text(&counter), expected);
    }

    #[test]
    fn gauges_go_up_and_down() {
        let gauge = Gauge::<()>::new("g", "Is.");
        gauge.set((), 5);
        gauge.add((), -7);
        assert_eq!(text(&gauge), "# HELP g Is.\n# TYPE g gauge\ng -2\n");
    }

    #[test]
    fn buckets_of_a_histogram_hold_what_is_below() {
        let histogram = Histogram::<()>::new("h_seconds", "Took.", SECONDS);
        for micros in [500, 501, 1_000, 30_000_000] {
            histogram.time((), Duration::from_micros(micros));
        }
        let text = text(&histogram);
        for line in [
            "h_seconds_bucket{le=\"0.0005\"} 1",
            "h_seconds_bucket{le=\"0.001\"} 3",
            "h_seconds_bucket{le=\"0.0025\"} 3",
            "h_seconds_bucket{le=\"10\"} 3",
            "h_seconds_bucket{le=\"+Inf\"} 4",
            "h_seconds_sum 30.002001",
            "h_seconds_count 4",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
    }
}

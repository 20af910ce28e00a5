//! Bounds on what strangers make the device do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(10);
/// Most addresses that are told apart in one window; further ones share what is left in all.
const MAX_SOURCES: usize = 1_024;

/// Counts datagrams of the present window.
#[derive(Debug)]
pub(crate) struct Floods {
    per_source: u32,
    in_all: u32,
    begin: Option<Instant>,
    sources: HashMap<IpAddr, u32>,
    count: u32,
}

impl Floods {
    pub(crate) fn new(per_source: u32, in_all: u32) -> Self {
        Self { per_source, in_all, begin: None, sources: HashMap::new(), count: 0 }
    }

    /// Counts a datagram; whether it is to be looked at.
    pub(crate) fn allows(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.begin.is_none_or(|begin| now.duration_since(begin) >= WINDOW) {
            self.begin = Some(now);
            self.sources.clear();
            self.count = 0;
        }
        let told_apart = self.sources.len() < MAX_SOURCES || self.sources.contains_key(&source);
        if told_apart {
            let count = self.sources.entry(source).or_default();
            *count = count.saturating_add(1);
            if *count > self.per_source {
                if *count == self.per_source + 1 {
                    tracing::warn!(%source, "too many datagrams; no more are read for some seconds");
                }
                return false;
            }
        }
        self.count = self.count.saturating_add(1);
        if self.count == self.in_all.saturating_add(1) {
            tracing::warn!("too many datagrams from all sides; no more are read for some seconds");
        }
        self.count <= self.in_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn sources_are_counted_by_window() {
        let mut floods = Floods::new(2, 5);
        let begin = Instant::now();
        let mut allowed =
            |source: u32, after| floods.allows(address(source), begin + Duration::from_secs(after));
        assert!(allowed(1, 0) && allowed(1, 1));
        assert!(!allowed(1, 9), "the third of one source");
        assert!(allowed(2, 9) && allowed(2, 9) && allowed(3, 9));
        assert!(!allowed(4, 9), "the sixth in all");
        assert!(allowed(1, 10), "a new window");
    }

    #[test]
    fn memory_is_bounded() {
        let mut floods = Floods::new(1, u32::MAX);
        let now = Instant::now();
        for source in 0..5_000 {
            assert!(floods.allows(address(source), now));
        }
        assert_eq!(floods.sources.len(), MAX_SOURCES);
    }
}

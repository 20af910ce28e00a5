//! Who tries secrets has to wait: longer after each failure, by user and by address, in a bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_mo::Time;
use omadm_store::{NewEvent, Store};
use serde_json::json;

use crate::config::AuthSection;

/// Users and addresses that are remembered; of more, those go whose last failure is the oldest.
const REMEMBERED: usize = 10_000;
/// Longest user name that is told apart from others.
const MAX_USER: usize = 255;
/// Events about failed logins that are stored in a minute.
const EVENTS_PER_MINUTE: u32 = 30;
/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// Whose failures are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    User(String),
    Source(IpAddr),
}

impl Key {
    fn user(name: &str) -> Self {
        Self::User(name.chars().take(MAX_USER).collect())
    }

    /// One site has at least a /64 of IPv6.
    fn source(address: IpAddr) -> Self {
        Self::Source(match address.to_canonical() {
            IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64))),
            four => four,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Time,
    until: Time,
}

#[derive(Debug)]
struct Known {
    failures: HashMap<Key, Failures>,
    /// Since when events are counted, and how many there were.
    events: (Time, u32),
}

/// Counts failed logins.
pub struct Guard {
    user_failures: u32,
    source_failures: u32,
    max_delay: i64,
    store: Arc<dyn Store>,
    known: Mutex<Known>,
}

impl Guard {
    /// With the bounds of the configuration; events go to the store.
    pub fn new(settings: &AuthSection, store: Arc<dyn Store>) -> Self {
        Self {
            user_failures: settings.user_failures,
            source_failures: settings.source_failures,
            max_delay: i64::try_from(settings.max_delay.0.as_micros()).unwrap_or(i64::MAX),
            store,
            known: Mutex::new(Known { failures: HashMap::new(), events: (Time(i64::MIN), 0) }),
        }
    }

    /// Whether failures count no more: they are long ago, or so far ahead that the clock was set back since.
    fn is_over(&self, known: &Failures, now: Time) -> bool {
        known.last.0.abs_diff(now.0) > self.max_delay.unsigned_abs()
    }

    /// How long a login has to wait, if it has to.
    pub fn wait(&self, user: Option<&str>, source: IpAddr, now: Time) -> Option<Duration> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = &known.failures;
        if failures.is_empty() {
            return None;
        }
        let keys = user.map(Key::user).into_iter().chain([Key::source(source)]);
        let failures = keys.filter_map(|key| failures.get(&key)).filter(|known| !self.is_over(known, now));
        let until = failures.map(|known| known.until).max()?;
        let left = u64::try_from(until.0.saturating_sub(now.0)).ok().filter(|left| *left > 0)?;
        Some(Duration::from_micros(left))
    }

    /// Counts a failed login, and tells operators when somebody has to wait from now on.
    pub async fn note(&self, user: Option<&str>, source: IpAddr, now: Time) {
        if !self.failed(user, source, now) {
            return;
        }
        let body = json!({ "what": "too many failed logins", "user": user, "peer": source.to_string() });
        let event = NewEvent { device: None, kind: "security".into(), body: body.to_string() };
        if let Err(error) = self.store.add_events(vec![event], now).await {
            tracing::error!(%error, "a security event could not be stored");
        }
    }

    /// Counts a failed login; whether it is to be told that somebody has to wait from now on.
    fn failed(&self, user: Option<&str>, source: IpAddr, now: Time) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { failures, events } = &mut *known;
        let keys = user.map(|user| (Key::user(user), self.user_failures));
        let keys = keys.into_iter().chain([(Key::source(source), self.source_failures)]);
        let mut begins = false;
        for (key, free) in keys {
            if failures.len() >= REMEMBERED && !failures.contains_key(&key) {
                let oldest = failures.iter().min_by_key(|(_, known)| known.last).map(|(key, _)| key.clone());
                oldest.map(|oldest| failures.remove(&oldest));
            }
            let known = failures.entry(key).or_insert(Failures { count: 0, last: now, until: now });
            if self.is_over(known, now) {
                (known.count, known.until) = (0, now);
            }
            known.last = now;
            known.count = known.count.saturating_add(1);
            if let Some(beyond) = known.count.checked_sub(free) {
                let delay = 1_000_000_i64.checked_shl(beyond.min(32)).unwrap_or(i64::MAX).min(self.max_delay);
                known.until = now.plus_micros(delay);
                begins |= beyond == 0;
            }
        }
        if events.0.0.abs_diff(now.0) >= MINUTE.unsigned_abs() {
            *events = (now, 0);
        }
        events.1 += u32::from(begins);
        begins && events.1 <= EVENTS_PER_MINUTE
    }

    /// Forgets the failures of a user who has the right secret after all. Those of the address stay: it may be of somebody who has one
    /// good account and tries others.
    pub fn succeeded(&self, user: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.failures.is_empty() {
            known.failures.remove(&Key::user(user));
        }
    }
}

#[cfg(test)]
mod tests {
    use omadm_store::sqlite::{SqliteConfig, SqliteStore};

    use super::*;
    use crate::config::Span;

    fn guard() -> Guard {
        let settings = AuthSection {
            user_failures: 3,
            source_failures: 5,
            max_delay: Span::secs(60),
            ..AuthSection::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        Guard::new(&settings, Arc::new(store))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const fn at(secs: i64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn a_user_waits_longer_after_each_failure() {
        let guard = guard();
        let source = |n: u32| ip(&format!("192.0.2.{n}"));
        for (n, expected) in [(1, None), (2, None), (3, Some(1)), (4, Some(2)), (5, Some(4)), (11, Some(60))]
        {
            let from = if n == 11 { 6 } else { n };
            let begins = (from..=n).map(|n| guard.failed(Some("a"), source(n), at(100))).collect::<Vec<_>>();
            assert_eq!(begins, vec![n == 3; begins.len()]);
            let wait = guard.wait(Some("a"), ip("198.51.100.1"), at(100));
            assert_eq!(wait, expected.map(Duration::from_secs), "{n} failures");
        }
        assert_eq!(guard.wait(Some("b"), ip("198.51.100.1"), at(100)), None);
        assert_eq!(guard.wait(Some("a"), ip("198.51.100.1"), at(160)), None, "the time is over");
        guard.succeeded("a");
        assert!(!guard.failed(Some("a"), source(1), at(160)));
        assert_eq!(guard.wait(Some("a"), source(1), at(160)), None);
    }

    #[test]
    fn an_address_waits_whoever_it_names() {
        let guard = guard();
        for n in 1..=5 {
            assert_eq!(guard.failed(Some(&n.to_string()), ip(&format!("2001:db8::{n}")), at(100)), n == 5);
        }
        assert_eq!(guard.wait(None, ip("2001:db8::77"), at(100)), Some(Duration::from_secs(1)));
        assert_eq!(guard.wait(None, ip("2001:db8:0:1::77"), at(100)), None);
        assert!(!guard.failed(None, ip("2001:db8::1"), at(161)), "forgotten after the longest wait");
        assert_eq!(guard.wait(None, ip("2001:db8::1"), at(161)), None);
    }

    #[test]
    fn nobody_waits_for_a_clock_that_was_set_back() {
        let guard = guard();
        for n in 0..3 {
            guard.failed(Some("a"), ip("192.0.2.1"), at(1_000_000 + n));
        }
        assert!(guard.wait(Some("a"), ip("192.0.2.1"), at(1_000_002)).is_some());
        assert_eq!(guard.wait(Some("a"), ip("192.0.2.1"), at(100)), None);
        let begins = (0..3).map(|_| guard.failed(Some("a"), ip("192.0.2.1"), at(100))).collect::<Vec<_>>();
        assert_eq!(begins, [false, false, true], "counted anew, and told");
        assert_eq!(guard.wait(Some("a"), ip("192.0.2.1"), at(100)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let guard = guard();
        for n in 0..6_000_u32 {
            guard.failed(Some(&n.to_string()), IpAddr::from(n.to_be_bytes()), at(i64::from(n)));
        }
        assert_eq!(guard.known.lock().unwrap().failures.len(), REMEMBERED);
    }

    #[test]
    fn events_are_bounded() {
        let guard = guard();
        let told = (0..100_u32).filter(|n| {
            let (user, source) = (n.to_string(), IpAddr::from(n.to_be_bytes()));
            (0..3).any(|_| guard.failed(Some(&user), source, at(100)))
        });
        assert_eq!(told.count(), 30);
    }
}

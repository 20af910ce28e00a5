//! The one place that reads the wall clock, and the form of times towards operators.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use omadm_mo::Time;

/// By how much this process goes by another time than the machine's, in microseconds: not at all, but in tests of clocks that jump.
static SHIFT: AtomicI64 = AtomicI64::new(0);

/// The time now.
pub fn now() -> Time {
    Time(Timestamp::now().as_microsecond().saturating_add(SHIFT.load(Ordering::Relaxed)))
}

/// Has the clock jump to this many microseconds ahead of the machine's, or behind it.
pub fn shift(micros: i64) {
    SHIFT.store(micros, Ordering::Relaxed);
}

/// RFC 3339 in UTC; what lies outside of jiff's range (years -9999 to 9999) is shown as its nearest end.
pub fn rfc3339(time: Time) -> String {
    let nearest = if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(time.0).unwrap_or(nearest).to_string()
}

/// A time as operators write it: RFC 3339 with its offset from UTC.
pub fn parse(text: &str) -> Option<Time> {
    text.parse::<Timestamp>().ok().map(|time| Time(time.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Time::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Time(1_500_000)), "1970-01-01T00:00:01.5Z");
        assert!(rfc3339(Time(i64::MAX)).starts_with("9999-12-30"));
        assert_eq!(parse("1970-01-01T01:00:01.5+01:00"), Some(Time(1_500_000)));
        assert!(parse("1970-01-01T00:00:00").is_none() && parse("").is_none());
        assert!(now() > Time::from_secs(1_700_000_000));
    }
}

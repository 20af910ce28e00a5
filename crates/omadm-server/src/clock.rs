//! The one place that reads the wall clock, and the form of times towards operators.

use jiff::Timestamp;
use omadm_mo::Time;

/// The time now.
pub fn now() -> Time {
    Time(Timestamp::now().as_microsecond())
}

/// RFC 3339 in UTC; what lies outside of jiff's range (years -9999 to 9999) is shown as its nearest end.
pub fn rfc3339(time: Time) -> String {
    let nearest = if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(time.0).unwrap_or(nearest).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Time::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Time(1_500_000)), "1970-01-01T00:00:01.5Z");
        assert!(rfc3339(Time(i64::MAX)).starts_with("9999-12-30"));
        assert!(now() > Time::from_secs(1_700_000_000));
    }
}

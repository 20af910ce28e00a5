//! The TStamp property (`DM 1.3 TND §8.2`).

use alloc::format;
use alloc::string::String;

use crate::time::{Civil, Time};

/// UTC in the basic format of ISO 8601: `20240131T235959Z`.
pub(crate) fn tstamp(time: Time) -> String {
    let Civil { year, month, day, hour, minute, second } = time.civil();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_around_the_ends_of_months_and_years() {
        for (secs, text) in [
            (0, "19700101T000000Z"),
            (-1, "19691231T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_700_000_000, "20231114T221320Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(tstamp(Time::from_secs(secs)), text);
        }
    }
}

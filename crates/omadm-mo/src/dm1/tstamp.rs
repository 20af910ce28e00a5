//! The TStamp property (`DM 1.3 TND §8.2`).

use alloc::format;
use alloc::string::String;

use crate::time::Time;

const DAY: i64 = 86_400;

/// UTC in the basic format of ISO 8601: `20240131T235959Z`.
pub(crate) fn tstamp(time: Time) -> String {
    let (days, second) = (time.as_secs().div_euclid(DAY), time.as_secs().rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar. The count goes by years that begin in March, so
/// that the leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    const IN_400_YEARS: i64 = 146_097;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (days.div_euclid(IN_400_YEARS), days.rem_euclid(IN_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
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

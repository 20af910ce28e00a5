//! Time as data: nothing in this crate reads a clock.

/// Microseconds since 1970-01-01T00:00:00Z; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// A time from whole seconds since the Epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since the Epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time moved by `micros` microseconds, stopping at the ends of the range.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// A date and time of day in the Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
}

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Days from 1 March of the year 0 to 1 January 1970.
const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
const IN_400_YEARS: i64 = 146_097;

impl Time {
    /// What calendar and clock show in UTC, fractions of a second left off.
    #[must_use]
    pub fn civil(self) -> Civil {
        let (year, month, day) = date(self.as_secs().div_euclid(DAY));
        let second = self.as_secs().rem_euclid(DAY);
        let small = |number: i64| u8::try_from(number).unwrap_or_default();
        Civil {
            year,
            month: small(month),
            day: small(day),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
        }
    }

    /// The inverse of [`Time::civil`]; `None` for what no calendar or clock shows, and for years beyond 9999.
    #[must_use]
    pub fn from_civil(civil: Civil) -> Option<Self> {
        let Civil { year, month, day, hour, minute, second } = civil;
        if !(0..=9999).contains(&year) || !(1..=12).contains(&month) {
            return None;
        }
        let days = days(year, i64::from(month), i64::from(day));
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let time = Self::from_secs(days * DAY + of_day);
        // A day that the month does not have, or an hour that the day does not have, would show as another.
        (time.civil() == civil).then_some(time)
    }
}

/// Year, month and day of a day counted from 1970-01-01. The count goes by years that begin in March, so that the leap day is the
/// last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (days.div_euclid(IN_400_YEARS), days.rem_euclid(IN_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * IN_400_YEARS + 365 * year + year / 4 - year / 100 + of_year - FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_comes_back() {
        for secs in (-62_135_596_800..253_402_300_799).step_by(7_919_993_111) {
            let time = Time::from_secs(secs);
            assert_eq!(Time::from_civil(time.civil()), Some(time), "{secs}");
        }
        for secs in [0, -1, 951_782_400, 951_868_799, 951_868_800, 4_107_542_399, 4_107_542_400] {
            let time = Time::from_secs(secs);
            assert_eq!(Time::from_civil(time.civil()), Some(time), "{secs}");
        }
    }

    #[test]
    fn what_no_calendar_shows_is_no_time() {
        let civil = Civil { year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 59 };
        assert_eq!(Time::from_civil(civil), Some(Time::from_secs(1_709_251_199)));
        for wrong in [
            Civil { year: 2023, ..civil },
            Civil { month: 13, ..civil },
            Civil { month: 0, ..civil },
            Civil { day: 0, ..civil },
            Civil { day: 30, ..civil },
            Civil { hour: 24, ..civil },
            Civil { minute: 60, ..civil },
            Civil { second: 60, ..civil },
            Civil { year: 10_000, ..civil },
        ] {
            assert_eq!(Time::from_civil(wrong), None, "{wrong:?}");
        }
    }
}

//! Times of day at which devices may be changed.

use jiff::civil::{Date, Time as Clock};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use omadm_mo::Time;
use serde::Deserialize;
use utoipa::ToSchema;

use super::fault::Fault;

/// Times of day, as they are said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignWindow)]
pub struct WindowSpec {
    /// When it opens, such as `22:00`.
    pub from: String,
    /// When it closes, such as `04:00`; one that closes before it opens goes over midnight.
    pub to: String,
    /// Time zone, such as `Europe/Berlin`. Default `UTC`.
    pub zone: Option<String>,
    /// Key of the label that holds the time zone of each device; one without it, or with an unknown zone, has that of `zone`.
    pub zone_label: Option<String>,
}

/// Times of day of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    from: Clock,
    to: Clock,
    /// The zone of devices that have none of their own.
    pub zone: TimeZone,
    /// Key of the label with the zones of devices.
    pub zone_label: Option<String>,
}

/// Whether a window is open, and until when that is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is open, and closes then.
    Open(Time),
    /// It is closed, and opens then.
    Closed(Time),
}

impl WindowSpec {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn read(&self) -> Result<Window, Fault> {
        let (from, to) = (clock("from", &self.from)?, clock("to", &self.to)?);
        if from == to {
            let (from, to) = (&self.from, &self.to);
            let what =
                format!("the window from {from} to {to} never opens; leave it out if it is always open");
            return Err(Fault::new("window/to", what));
        }
        let name = self.zone.as_deref().unwrap_or("UTC");
        let zone = zone(name).ok_or_else(|| {
            let what = format!(
                "window.zone {name:?} is no time zone; name one of the IANA database, such as \"Europe/Berlin\""
            );
            Fault::new("window/zone", what)
        })?;
        if self.zone_label.as_ref().is_some_and(String::is_empty) {
            let what = "window.zone_label is empty; name the key of a label";
            return Err(Fault::new("window/zone_label", what));
        }
        Ok(Window { from, to, zone, zone_label: self.zone_label.clone() })
    }
}

fn clock(end: &str, text: &str) -> Result<Clock, Fault> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let number = |text: &str| {
            let is_plain = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
            is_plain.then(|| text.parse::<i8>().ok()).flatten()
        };
        Clock::new(number(hour)?, number(minute)?, 0, 0).ok()
    });
    parsed.ok_or_else(|| {
        let what = format!("window.{end} is {text:?}; it has to be a time of day such as 22:00");
        Fault::new(format!("window/{end}"), what)
    })
}

/// A zone by its name.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Window {
    /// How it stands at a time in a zone. It depends on the time alone, so that a clock that jumps finds it as it would have been.
    pub fn at(&self, now: Time, zone: &TimeZone) -> Standing {
        let Ok(instant) = Timestamp::from_microsecond(now.0) else {
            return Standing::Closed(now.plus_micros(DAY));
        };
        let today = instant.to_zoned(zone.clone()).date();
        let mut opens = None;
        // That of yesterday may go over midnight; where a day has no such time, its window is where the clock jumps to.
        for day in [-1, 0, 1, 2] {
            let Some((from, to)) = self.on(today, day, zone) else { continue };
            if from <= now && now < to {
                return Standing::Open(to);
            }
            if now < from && opens.is_none_or(|opens| from < opens) {
                opens = Some(from);
            }
        }
        Standing::Closed(opens.unwrap_or(now.plus_micros(DAY)))
    }

    /// When it opens and closes on a day after (or before) another.
    fn on(&self, today: Date, days: i64, zone: &TimeZone) -> Option<(Time, Time)> {
        let date = today.checked_add(Span::new().try_days(days).ok()?).ok()?;
        let end = if self.to > self.from { date } else { date.tomorrow().ok()? };
        let time = |date: Date, clock: Clock| {
            let zoned = date.to_datetime(clock).to_zoned(zone.clone()).ok()?;
            Some(Time(zoned.timestamp().as_microsecond()))
        };
        Some((time(date, self.from)?, time(end, self.to)?))
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str) -> Window {
        let spec = WindowSpec { from: from.to_owned(), to: to.to_owned(), zone: None, zone_label: None };
        spec.read().unwrap()
    }

    fn at(text: &str) -> Time {
        Time(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let night = window("22:00", "04:00");
        let stands = |time: &str| night.at(at(time), &TimeZone::UTC);
        assert_eq!(stands("2026-11-21T21:59:59Z"), Standing::Closed(at("2026-11-21T22:00:00Z")));
        assert_eq!(stands("2026-11-21T22:00:00Z"), Standing::Open(at("2026-11-22T04:00:00Z")));
        assert_eq!(stands("2026-11-22T03:59:59Z"), Standing::Open(at("2026-11-22T04:00:00Z")));
        assert_eq!(stands("2026-11-22T04:00:00Z"), Standing::Closed(at("2026-11-22T22:00:00Z")));
    }

    #[test]
    fn it_is_one_of_the_zone() {
        let night = window("22:00", "04:00");
        let tokyo = zone("Asia/Tokyo").unwrap();
        assert_eq!(night.at(at("2026-11-21T13:00:00Z"), &tokyo), Standing::Open(at("2026-11-21T19:00:00Z")));
        assert_eq!(
            night.at(at("2026-11-21T19:00:00Z"), &tokyo),
            Standing::Closed(at("2026-11-22T13:00:00Z"))
        );
    }

    #[test]
    fn it_follows_summer_time() {
        // On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00, so a window within that hour is an hour later.
        let berlin = zone("Europe/Berlin").unwrap();
        let gone = window("02:15", "02:45");
        assert_eq!(
            gone.at(at("2026-03-29T00:00:00Z"), &berlin),
            Standing::Closed(at("2026-03-29T01:15:00Z"))
        );
        let night = window("01:00", "05:00");
        assert_eq!(night.at(at("2026-03-29T00:00:00Z"), &berlin), Standing::Open(at("2026-03-29T03:00:00Z")));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        let read = |from: &str, to: &str, zone: Option<&str>| {
            let zone = zone.map(str::to_owned);
            WindowSpec { from: from.to_owned(), to: to.to_owned(), zone, zone_label: None }
                .read()
                .unwrap_err()
                .what
        };
        assert!(read("10:00", "10:00", None).contains("never opens"));
        for wrong in ["24:00", "1:00", "10", "10:60", "aa:bb", "-1:00", "+1:00", ""] {
            assert!(read(wrong, "10:00", None).contains("window.from"), "{wrong}");
        }
        assert!(read("10:00", "11:00", Some("Mars/Olympus")).contains("no time zone"));
    }
}

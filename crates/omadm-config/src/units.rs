//! Durations and sizes as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration: whole seconds, or a whole number with `ms`, `s`, `m` or `min`, `h` or `d`, such as `"90s"` or `"5 min"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of octets: a number alone, or with `KiB`, `MiB` or `GiB`, such as `"16 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

const SPANS: [(&str, u64); 6] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Span {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// In microseconds, `i64::MAX` at most.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }

    fn parse(text: &str) -> Option<Self> {
        scaled(text, &SPANS, 1_000).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        scaled(text, &SIZES, 1).and_then(|octets| usize::try_from(octets).ok()).map(Self)
    }
}

/// A decimal number with one of `units`, or alone and then counted in `alone`.
fn scaled(text: &str, units: &[(&str, u64)], alone: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start();
    let factor = match unit {
        "" => alone,
        _ => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.checked_mul(factor)
}

/// The shortest text of `value` in the largest unit that divides it.
fn shortest(value: u64, units: &[(&str, u64)]) -> String {
    let unit = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    unit.map_or_else(|| value.to_string(), |(name, factor)| format!("{}{name}", value / factor))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shortest(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), &SPANS))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shortest(self.0 as u64, &SIZES))
    }
}

/// A number or a text, for units that are read from both.
struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a number with a unit")
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no duration; write seconds, or such as \"90s\", \"5m\", \"7d\""
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(NumberOrText)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no size; write octets, or such as \"64 KiB\", \"1 MiB\""))
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        let cases = [
            ("90", 90_000),
            ("0", 0),
            ("250ms", 250),
            ("5 m", 300_000),
            ("5 min", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ];
        for (text, millis) in cases {
            let span = Span::parse(text).unwrap();
            assert_eq!(span.0.as_millis(), millis, "{text}");
            assert_eq!(Span::parse(&span.to_string()), Some(span), "{text}");
        }
        assert_eq!(Span::secs(3_600).to_string(), "1h");
        for text in ["", "s", "-1s", "1.5s", "1 week", "99999999999999999999d", "999999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_read_and_write() {
        for (text, octets) in
            [("0", 0), ("1024", 1024), ("64KiB", 65_536), ("16 MiB", 16 << 20), ("2GiB", 2 << 30)]
        {
            let size = Size::parse(text).unwrap();
            assert_eq!(size.0, octets, "{text}");
            assert_eq!(Size::parse(&size.to_string()), Some(size), "{text}");
        }
        assert_eq!(Size(1 << 20).to_string(), "1MiB");
        for text in ["", "KiB", "1 kb", "1MB"] {
            assert_eq!(Size::parse(text), None, "{text:?}");
        }
    }
}

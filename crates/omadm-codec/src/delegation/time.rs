//! Times as the documents write them (`xs:dateTime` in UTC).

use omadm_mo::{Civil, Time};

/// `2026-11-21T06:40:00Z`
pub(super) fn write(time: Time) -> String {
    let Civil { year, month, day, hour, minute, second } = time.civil();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a time in UTC; a fraction of a second is left off.
pub(super) fn read(text: &str) -> Option<Time> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let clock = match clock.split_once('.') {
        Some((clock, fraction)) => is_digits(fraction).then_some(clock)?,
        None => clock,
    };
    let [year, month, day] = numbers(date, '-', 4)?;
    let [hour, minute, second] = numbers(clock, ':', 2)?;
    let small = |number: u16| u8::try_from(number).ok();
    Time::from_civil(Civil {
        year: year.into(),
        month: small(month)?,
        day: small(day)?,
        hour: small(hour)?,
        minute: small(minute)?,
        second: small(second)?,
    })
}

/// Three numbers, the first of `first` digits and the others of two.
fn numbers(text: &str, separator: char, first: usize) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut next = |digits| parts.next().filter(|part| part.len() == digits && is_digits(part))?.parse().ok();
    let numbers = [next(first)?, next(2)?, next(2)?];
    parts.next().is_none().then_some(numbers)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_and_other_forms_are_none() {
        for text in ["2026-11-21T06:40:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(read(text).map(write).as_deref(), Some(text));
        }
        assert_eq!(read("2026-11-21T06:40:00.999Z"), read("2026-11-21T06:40:00Z"));
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T06:40:00",
            "2026-11-21T06:40:00+00:00",
            "2026-11-21T06:40Z",
            "2026-11-21 06:40:00Z",
            "26-11-21T06:40:00Z",
            "2026-02-30T06:40:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T06:40:00.Z",
            "+026-11-21T06:40:00Z",
            "2026-11-21-01T06:40:00Z",
            "2026-11-21T06:40:0aZ",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

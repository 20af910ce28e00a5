//! Which part of a package a request asks for (`RFC 9110 §13, §14`).

use std::ops::Range;

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These octets.
    Some(Range<u64>),
    /// Nothing: the client has it.
    NotModified,
    /// Nothing: there are no such octets.
    Unsatisfiable,
}

/// What a request for something of `size` octets with the strong validator `etag` gets. Several ranges are not served: the whole is sent,
/// as a server may (`RFC 9110 §14.2`), and download agents that resume ask for one.
pub fn asked(headers: &HeaderMap, size: u64, etag: &str) -> Part {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|given| names(given, etag))
    {
        return Part::NotModified;
    }
    // A weak validator, a date, or another validator: what the client has is not known to be of this package.
    if text(IF_RANGE).is_some_and(|given| given.trim() != etag) {
        return Part::Whole;
    }
    let mut given = headers.get_all(RANGE).iter();
    match (given.next().and_then(|value| value.to_str().ok()), given.next()) {
        (Some(range), None) => range_of(range, size),
        _ => Part::Whole,
    }
}

/// Whether a list of validators has this one, compared weakly (`RFC 9110 §13.1.2`).
fn names(list: &str, etag: &str) -> bool {
    let list = list.trim();
    list == "*"
        || list.split(',').map(str::trim).any(|given| given.strip_prefix("W/").unwrap_or(given) == etag)
}

fn range_of(text: &str, size: u64) -> Part {
    let Some((unit, set)) = text.split_once('=') else { return Part::Whole };
    let (unit, set) = (unit.trim(), set.trim());
    if !unit.eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Part::Whole;
    }
    // What is no range is ignored (`RFC 9110 §14.2`).
    let Some((first, last)) = set.split_once('-') else { return Part::Whole };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        // What is too large for a number is beyond the end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), last) if last.is_some() || set.ends_with('-') => {
            if last.is_some_and(|last| last < first) {
                return Part::Whole;
            }
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            if first < size { Part::Some(first..end) } else { Part::Unsatisfiable }
        }
        (None, Some(length)) if first.trim().is_empty() => match length.min(size) {
            0 => Part::Unsatisfiable,
            length => Part::Some(size - length..size),
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(headers: &[(http::HeaderName, &'static str)]) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        asked(&headers.collect(), 100, "\"tag\"")
    }

    #[test]
    fn a_range_is_cut_to_what_there_is() {
        let range = |text| with(&[(RANGE, text)]);
        assert_eq!(range("bytes=0-"), Part::Some(0..100));
        assert_eq!(range("bytes=0-0"), Part::Some(0..1));
        assert_eq!(range("Bytes = 99-99"), Part::Some(99..100));
        assert_eq!(range("bytes=50-1000"), Part::Some(50..100));
        assert_eq!(range("bytes=50-99999999999999999999999"), Part::Some(50..100));
        assert_eq!(range("bytes=-1"), Part::Some(99..100));
        assert_eq!(range("bytes=-1000"), Part::Some(0..100));
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(beyond), Part::Unsatisfiable, "{beyond}");
        }
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=1-x",
            "bytes=0-0,5-5",
        ] {
            assert_eq!(range(ignored), Part::Whole, "{ignored}");
        }
    }

    #[test]
    fn validators_decide_first() {
        assert_eq!(with(&[]), Part::Whole);
        for same in ["\"tag\"", "W/\"tag\"", "*", "\"other\", \"tag\""] {
            assert_eq!(with(&[(IF_NONE_MATCH, same), (RANGE, "bytes=0-0")]), Part::NotModified, "{same}");
        }
        assert_eq!(with(&[(IF_NONE_MATCH, "\"other\"")]), Part::Whole);
        assert_eq!(with(&[(IF_RANGE, "\"tag\""), (RANGE, "bytes=5-")]), Part::Some(5..100));
        for other in ["\"other\"", "W/\"tag\"", "Sat, 21 Nov 2026 00:00:00 GMT"] {
            assert_eq!(with(&[(IF_RANGE, other), (RANGE, "bytes=5-")]), Part::Whole, "{other}");
        }
        assert_eq!(
            with(&[(RANGE, "bytes=0-0"), (RANGE, "bytes=1-1")]),
            Part::Whole,
            "which of them is meant is not known"
        );
    }
}

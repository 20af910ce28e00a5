//! Leaf values and their formats (`DM 2.0 §6.3.1`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::alias::Departure;
use crate::error::ValueError;

/// Format of a node (`DM 2.0 §6.3.1`); `Node` is an interior node, all others are leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Format {
    Node,
    Null,
    B64,
    Bin,
    Bool,
    Chr,
    Int,
    Xml,
    Date,
    Time,
    Float,
}

/// Value of a leaf. Which variant a leaf holds follows from its [`Format`]:
/// `null` Null, `bool` Bool, `int` Int, `float` Float, `bin` and `b64` Bytes (decoded octets), others Text.
///
/// A value may be a secret: `Debug` shows of text and octets only how many there are, and a value wipes itself when it is dropped.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "described above")]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Format {
    /// Every format with the name the standard uses.
    const NAMES: [(Self, &'static str); 11] = [
        (Self::Node, "node"),
        (Self::Null, "null"),
        (Self::B64, "b64"),
        (Self::Bin, "bin"),
        (Self::Bool, "bool"),
        (Self::Chr, "chr"),
        (Self::Int, "int"),
        (Self::Xml, "xml"),
        (Self::Date, "date"),
        (Self::Time, "time"),
        (Self::Float, "float"),
    ];

    /// The name the standard uses: `node`, `null`, `b64`, ….
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }
    /// Reads a format name, whatever its letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(format, _)| *format)
    }
    /// Whether nodes of this format are leaves.
    #[must_use]
    pub fn is_leaf(self) -> bool {
        self != Self::Node
    }
}

/// Standard alphabet; padding may be missing.
const BASE64_IN: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Value {
    /// Reads the textual form of a value: `int` decimal 32-bit signed, `bool` `true`/`false` (also `1`/`0`), `float` a
    /// finite number, `bin` and `b64` base64 (white space ignored), `date`/`time` ISO 8601 or empty (kept as written),
    /// `null` the empty text.
    ///
    /// # Errors
    /// [`ValueError`] when `text` is not a value of `format`.
    pub fn from_text(format: Format, text: &str) -> Result<Self, ValueError> {
        let value = match format {
            Format::Node => None,
            Format::Null => text.is_empty().then_some(Self::Null),
            Format::Bool => parse_bool(text).map(Self::Bool),
            Format::Int => text.trim().parse::<i32>().ok().map(|number| Self::Int(number.into())),
            Format::Float => {
                text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(Self::Float)
            }
            Format::Chr | Format::Xml => Some(Self::Text(text.to_owned())),
            Format::Date => (text.is_empty() || is_date(text)).then(|| Self::Text(text.to_owned())),
            Format::Time => (text.is_empty() || is_time(text)).then(|| Self::Text(text.to_owned())),
            Format::Bin | Format::B64 => decode_base64(text).map(Self::Bytes),
        };
        value.ok_or_else(|| ValueError { format, found: text_of(text.len()) })
    }

    /// What has to be tolerated for a value of `format` that stands as `text` in a body of its own.
    pub(crate) fn departure_of_text(format: Format, text: &str) -> Option<Departure> {
        let loose = match format {
            Format::Bool => !matches!(text, "true" | "false"),
            Format::Int | Format::Float => text.trim().len() != text.len() || text.starts_with('+'),
            _ => false,
        };
        loose.then_some(Departure::LooseText)
    }

    /// The textual form, the inverse of [`Value::from_text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(octets) => STANDARD.encode(octets),
        }
    }

    /// Makes a value as it came from a self-describing format (JSON) into a value of `format`. `Text` is read by
    /// [`Value::from_text`], and a whole number may stand as `60.0` or `6e1`; also says whether something had to be tolerated for
    /// that.
    ///
    /// # Errors
    /// [`ValueError`] when the value does not fit.
    pub fn into_format(self, format: Format) -> Result<(Self, Option<Departure>), ValueError> {
        if self.fits(format) {
            return Ok((self, None));
        }
        match (format, &self) {
            #[expect(clippy::cast_precision_loss, reason = "the float nearest to a whole number is meant")]
            (Format::Float, Self::Int(number)) => Ok((Self::Float(*number as f64), None)),
            (Format::Int, Self::Float(number)) => match whole(*number) {
                Some(number) => Ok((Self::Int(number), Some(Departure::LooseText))),
                None => Err(ValueError { format, found: self.describe() }),
            },
            (Format::Bin | Format::B64, Self::Text(text)) => match STANDARD.decode(text) {
                Ok(octets) => Ok((Self::Bytes(octets), None)),
                Err(_) => Ok((Self::from_text(format, text)?, Some(Departure::LooseBase64))),
            },
            (Format::Int | Format::Float | Format::Bool | Format::Null, Self::Text(text)) => {
                Ok((Self::from_text(format, text)?, Some(Departure::TextForTyped)))
            }
            _ => Err(ValueError { format, found: self.describe() }),
        }
    }

    /// The value of a leaf of `format` that was never set: empty, zero or false.
    #[must_use]
    pub fn unset(format: Format) -> Self {
        match format {
            Format::Node | Format::Null => Self::Null,
            Format::Bool => Self::Bool(false),
            Format::Int => Self::Int(0),
            Format::Float => Self::Float(0.0),
            Format::Chr | Format::Xml | Format::Date | Format::Time => Self::Text(String::new()),
            Format::Bin | Format::B64 => Self::Bytes(Vec::new()),
        }
    }

    /// The format of a leaf that no definition describes.
    #[must_use]
    pub fn natural_format(&self) -> Format {
        match self {
            Self::Null => Format::Null,
            Self::Bool(_) => Format::Bool,
            Self::Int(_) => Format::Int,
            Self::Float(_) => Format::Float,
            Self::Text(_) => Format::Chr,
            Self::Bytes(_) => Format::Bin,
        }
    }

    /// Whether a leaf of `format` can hold this value as it is.
    #[must_use]
    pub fn fits(&self, format: Format) -> bool {
        match self {
            Self::Null => format == Format::Null,
            Self::Bool(_) => format == Format::Bool,
            Self::Int(number) => format == Format::Int && i32::try_from(*number).is_ok(),
            Self::Float(number) => format == Format::Float && number.is_finite(),
            Self::Text(text) => match format {
                Format::Chr | Format::Xml => true,
                Format::Date => text.is_empty() || is_date(text),
                Format::Time => text.is_empty() || is_time(text),
                _ => false,
            },
            Self::Bytes(_) => matches!(format, Format::Bin | Format::B64),
        }
    }

    /// Size of the unencoded value in octets, as the Size property counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(octets) => octets.len(),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => self.to_text().len(),
        }
    }

    /// Whether there is no content (null, empty text, no octets): GET answers 204 for such a leaf.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(octets) => octets.is_empty(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => false,
        }
    }

    /// Whether the value equals `text`, compared by value for numbers and bools (`DM 2.0 §6.1.1.3`, nv).
    #[must_use]
    pub fn equals_text(&self, text: &str) -> bool {
        match self {
            Self::Null => text.is_empty(),
            Self::Bool(flag) => parse_bool(text) == Some(*flag),
            Self::Int(number) => text.trim().parse() == Ok(*number),
            Self::Float(number) => text.trim().parse() == Ok(*number),
            Self::Text(value) => value == text,
            Self::Bytes(octets) => decode_base64(text).as_ref() == Some(octets),
        }
    }

    /// What kind of value this is, for errors, which are logged.
    fn describe(&self) -> String {
        match self {
            Self::Null => String::from("null"),
            Self::Bool(_) => String::from("a bool"),
            Self::Int(_) | Self::Float(_) => String::from("a number"),
            Self::Text(text) => text_of(text.len()),
            Self::Bytes(octets) => format!("{} octets", octets.len()),
        }
    }
}

impl Zeroize for Value {
    /// Puts zeros in the place of the content, which keeps its length.
    fn zeroize(&mut self) {
        match self {
            Self::Null => {}
            Self::Bool(flag) => flag.zeroize(),
            Self::Int(number) => number.zeroize(),
            Self::Float(number) => number.zeroize(),
            Self::Text(text) => text.as_mut_str().zeroize(),
            Self::Bytes(octets) => octets.as_mut_slice().zeroize(),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(flag) => write!(f, "Bool({flag})"),
            Self::Int(number) => write!(f, "Int({number})"),
            Self::Float(number) => write!(f, "Float({number})"),
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Bytes(octets) => write!(f, "Bytes({} octets)", octets.len()),
        }
    }
}

fn text_of(octets: usize) -> String {
    format!("text of {octets} octets")
}

/// A number that an `int` leaf can hold.
fn whole(number: f64) -> Option<i64> {
    let range = f64::from(i32::MIN)..=f64::from(i32::MAX);
    if !range.contains(&number) || number % 1.0 != 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    Some(number as i64)
}

fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    if text == "1" || text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text == "0" || text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
        packed.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        return BASE64_IN.decode(&*packed).ok();
    }
    BASE64_IN.decode(text).ok()
}

/// The number that `text` is, if it has exactly `digits` decimal digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// ISO 8601 calendar date with century, basic or extended: `20240131`, `2024-01-31`.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (year, month, day) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day), None) => (year, month, day),
        (Some(all), None, None, None) => match (all.get(..4), all.get(4..6), all.get(6..)) {
            (Some(year), Some(month), Some(day)) => (year, month, day),
            _ => return false,
        },
        _ => return false,
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// ISO 8601 time of day, basic or extended, with optional seconds, fraction and zone: `142030Z`, `14:20:30.5+01:00`.
fn is_time(text: &str) -> bool {
    let (clock, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default()),
        None => (text, ""),
    };
    let zone_fits =
        zone.is_empty() || zone == "Z" || zone.get(1..).is_some_and(|offset| is_clock(offset, true));
    zone_fits && is_clock(clock, false)
}

/// Hours, minutes and (not in a zone offset) seconds with a fraction; a zone offset may be hours only.
fn is_clock(text: &str, offset: bool) -> bool {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let joined: String = whole.split(':').collect();
    let extended = whole.contains(':');
    if extended && !whole.split(':').all(|part| part.len() == 2) {
        return false;
    }
    let part = |from: usize| joined.get(from..from + 2).and_then(|digits| number(digits, 2));
    let hours = part(0).is_some_and(|hours| hours < 24);
    let minutes = part(2).is_some_and(|minutes| minutes < 60);
    let seconds = part(4).is_some_and(|seconds| seconds <= 60);
    let fraction_fits = fraction.is_none_or(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && joined.len() == 6
    });
    match joined.len() {
        2 => offset && hours && fraction.is_none(),
        4 => hours && minutes && fraction.is_none(),
        6 => !offset && hours && minutes && seconds && fraction_fits,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn every_format_has_a_name_that_reads_back() {
        for (format, name) in Format::NAMES {
            assert_eq!(format.as_str(), name);
            assert_eq!(Format::parse(&name.to_uppercase()), Some(format));
        }
        assert_eq!(Format::parse("string"), None);
    }

    #[test]
    fn text_forms_are_checked_against_the_format() {
        let good = [
            (Format::Null, ""),
            (Format::Bool, "true"),
            (Format::Bool, "0"),
            (Format::Int, "-2147483648"),
            (Format::Float, "1.5e3"),
            (Format::Date, "2024-02-29"),
            (Format::Date, "20240131"),
            (Format::Time, "142030Z"),
            (Format::Time, "14:20"),
            (Format::Time, "14:20:30.5+01:00"),
            (Format::Bin, "AQ I=\n"),
            (Format::B64, "AQI"),
        ];
        for (format, text) in good {
            assert!(Value::from_text(format, text).is_ok(), "{format:?} {text:?}");
        }
        let bad = [
            (Format::Null, "x"),
            (Format::Bool, "yes"),
            (Format::Int, "abc"),
            (Format::Int, "2147483648"),
            (Format::Int, ""),
            (Format::Float, "inf"),
            (Format::Date, "2023-02-29"),
            (Format::Date, "240131"),
            (Format::Date, "2024-1-31"),
            (Format::Time, "24:00"),
            (Format::Time, "14:2:030"),
            (Format::Time, "1420+25"),
            (Format::Bin, "A*=="),
            (Format::Node, ""),
        ];
        for (format, text) in bad {
            assert!(Value::from_text(format, text).is_err(), "{format:?} {text:?}");
        }
    }

    #[test]
    fn json_types_are_brought_into_the_format_and_conversions_are_told() {
        let text = |text: &str| Value::Text(text.into());
        let typed = Some(Departure::TextForTyped);
        assert_eq!(text("7").into_format(Format::Int), Ok((Value::Int(7), typed)));
        assert_eq!(text("true").into_format(Format::Bool), Ok((Value::Bool(true), typed)));
        assert_eq!(text("AQI=").into_format(Format::Bin), Ok((Value::Bytes(vec![1, 2]), None)));
        for loose in ["AQI", "AQ I=", "AQI=\n"] {
            let expected = Ok((Value::Bytes(vec![1, 2]), Some(Departure::LooseBase64)));
            assert_eq!(text(loose).into_format(Format::B64), expected, "{loose:?}");
        }
        assert_eq!(Value::Int(7).into_format(Format::Float), Ok((Value::Float(7.0), None)));
        assert_eq!(text("7").into_format(Format::Chr), Ok((text("7"), None)));
        assert!(Value::Int(1 << 40).into_format(Format::Int).is_err());
        assert!(Value::Int(7).into_format(Format::Chr).is_err());
        assert!(Value::Null.into_format(Format::Chr).is_err());
        assert!(text("x").into_format(Format::Null).is_err());
        assert!(Value::Bool(true).into_format(Format::Node).is_err());
    }

    #[test]
    fn whole_numbers_may_stand_as_floats() {
        let loose = Some(Departure::LooseText);
        for (float, int) in [(60.0, 60), (-0.0, 0), (-2_147_483_648.0, i64::from(i32::MIN))] {
            assert_eq!(Value::Float(float).into_format(Format::Int), Ok((Value::Int(int), loose)));
        }
        for float in [0.5, 2_147_483_648.0, -2_147_483_649.0, 1e300] {
            assert!(Value::Float(float).into_format(Format::Int).is_err(), "{float}");
        }
        assert_eq!(Value::departure_of_text(Format::Int, "+5"), loose);
        assert_eq!(Value::departure_of_text(Format::Int, "-5"), None);
    }

    #[test]
    fn comparison_with_text_is_by_value() {
        assert!(Value::Int(1).equals_text("01"));
        assert!(Value::Bool(true).equals_text("1"));
        assert!(Value::Float(1.5).equals_text("1.50"));
        assert!(!Value::Text("1".into()).equals_text("01"));
        assert!(Value::Bytes(vec![1, 2]).equals_text("AQI="));
    }

    #[test]
    fn text_and_octets_never_show_in_debug_output_or_errors() {
        assert_eq!(format!("{:?}", Value::Bytes(vec![65; 3])), "Bytes(3 octets)");
        assert_eq!(format!("{:?}", Value::Text("hunter2".into())), "Text(7 octets)");
        for format in [Format::Int, Format::Bin, Format::Date, Format::Node] {
            let refused = Value::Text("hunter2!".into()).into_format(format).unwrap_err();
            assert!(refused.to_string().starts_with("text of 8 octets is not a value"), "{refused}");
        }
        let refused = Value::Bytes(vec![65; 3]).into_format(Format::Chr).unwrap_err();
        assert_eq!(refused.to_string(), "3 octets is not a value of format chr");
    }

    #[test]
    fn wiping_leaves_zeros_in_every_place_that_held_the_content() {
        for (mut value, wiped) in [
            (Value::Text("hunter2".into()), Value::Text("\0".repeat(7))),
            (Value::Bytes(vec![1, 2, 255]), Value::Bytes(vec![0; 3])),
            (Value::Int(4711), Value::Int(0)),
            (Value::Bool(true), Value::Bool(false)),
            (Value::Float(1.5), Value::Float(0.0)),
            (Value::Null, Value::Null),
        ] {
            value.zeroize();
            assert!(value == wiped, "{value:?}");
        }
    }

    #[test]
    fn an_unset_value_fits_its_format() {
        for (format, _) in Format::NAMES.into_iter().filter(|(format, _)| format.is_leaf()) {
            assert!(Value::unset(format).fits(format), "{format:?}");
        }
    }

    proptest! {
        #[test]
        fn text_form_reads_back(number in any::<i32>(), real in -1e30f64..1e30, octets: Vec<u8>) {
            for (format, value) in [
                (Format::Int, Value::Int(number.into())),
                (Format::Float, Value::Float(real)),
                (Format::Bin, Value::Bytes(octets)),
            ] {
                prop_assert_eq!(Value::from_text(format, &value.to_text()), Ok(value));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            for (format, _) in Format::NAMES {
                if let Ok(value) = Value::from_text(format, &text) {
                    prop_assert!(value.fits(format));
                }
            }
        }
    }
}

//! Addresses of short messages (`3GPP TS 23.040 §9.1.2.5`).

use std::fmt;

use crate::reader::Reader;
use crate::{DecodeError, Problem};

/// Most digits of an address.
const MAX_DIGITS: u8 = 20;
/// Numbering plan E.164, number with its country code.
const INTERNATIONAL: u8 = 0x91;
/// Numbering plan E.164, kind of number not known.
const UNKNOWN: u8 = 0x81;
/// Bits of the type of number, and their value for a name instead of a number.
const TYPE_OF_NUMBER: u8 = 0x70;
const ALPHANUMERIC: u8 = 0x50;
/// Digits by their code; the last code is a filler.
const DIGITS: &[u8; 15] = b"0123456789*#abc";
const FILLER: u8 = 0x0f;

/// Address of a phone or a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    kind: u8,
    /// Half octets that count; the filler of an odd number is set.
    digits: u8,
    octets: Vec<u8>,
}

impl Address {
    /// Takes a number: 1 to 20 digits, after a `+` if they begin with the country code. `None` for anything else.
    #[must_use]
    pub fn parse(number: &str) -> Option<Self> {
        let (kind, number) = match number.strip_prefix('+') {
            Some(number) => (INTERNATIONAL, number),
            None => (UNKNOWN, number),
        };
        let code = |digit| DIGITS.iter().position(|known| *known == digit);
        let codes: Option<Vec<u8>> = number.bytes().map(|digit| u8::try_from(code(digit)?).ok()).collect();
        let codes = codes?;
        let digits = u8::try_from(codes.len()).ok().filter(|digits| (1..=MAX_DIGITS).contains(digits))?;
        let octets = codes.chunks(2).map(|pair| match pair {
            [low, high] => high << 4 | low,
            rest => FILLER << 4 | rest.first().unwrap_or(&FILLER),
        });
        Some(Self { kind, digits, octets: octets.collect() })
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let digits = reader.byte(field)?;
        if digits > MAX_DIGITS {
            return Err(start.error(field, Problem::TooLarge { limit: MAX_DIGITS.div_ceil(2).into() }));
        }
        let kind = reader.byte(field)?;
        let mut octets = reader.take(digits.div_ceil(2).into(), field)?.to_vec();
        if let (1, Some(last)) = (digits % 2, octets.last_mut()) {
            *last |= FILLER << 4;
        }
        Ok(Self { kind, digits, octets })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend([self.digits, self.kind]);
        out.extend(&self.octets);
    }
}

/// The number as [`Address::parse`] takes it; the octets in hexadecimal digits if it is a name.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind & TYPE_OF_NUMBER == ALPHANUMERIC {
            f.write_str("name ")?;
            return self.octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"));
        }
        if self.kind == INTERNATIONAL {
            f.write_str("+")?;
        }
        let codes = self.octets.iter().flat_map(|octet| [octet & FILLER, octet >> 4]);
        let digits = codes
            .take(self.digits.into())
            .map(|code| DIGITS.get(usize::from(code)).map_or('?', |digit| char::from(*digit)));
        f.write_str(&digits.collect::<String>())
    }
}

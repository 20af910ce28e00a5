//! Octets as hexadecimal digits: how binary messages stand in logs, mails and vectors.

use std::borrow::Cow;

use omadm_codec::{DecodeError, Problem};

/// The octets that the digits of `input` spell, with white space between them and comments from `#` to the end of the line; `input`
/// itself if it is no such text.
///
/// # Errors
/// When the last octet has one digit.
pub fn octets(input: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    let lines = input.split(|octet| *octet == b'\n');
    let code = lines.flat_map(|line| line.split(|octet| *octet == b'#').next().unwrap_or_default());
    let digits: Option<Vec<u8>> = code.filter(|octet| !octet.is_ascii_whitespace()).map(digit).collect();
    let Some(digits) = digits.filter(|digits| !digits.is_empty()) else { return Ok(input.into()) };
    let octet = |pair: &[u8]| match pair {
        [high, low] => Ok(high << 4 | low),
        _ => Err(DecodeError { at: digits.len() / 2, field: "hexadecimal digits", problem: Problem::Short }),
    };
    digits.chunks(2).map(octet).collect::<Result<_, _>>().map(Cow::Owned)
}

fn digit(octet: &u8) -> Option<u8> {
    char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The octets as digits.
pub fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_and_anything_else_stays() {
        let read = |input: &'static [u8]| octets(input).map(Cow::into_owned);
        assert_eq!(read(b"# all: 00\n20 8\n0 6000 # ff\r\n"), Ok(vec![0x20, 0x80, 0x60, 0x00]));
        assert_eq!(read(b"aF"), Ok(vec![0xaf]));
        for other in [&b""[..], b" ", b"#20", b"20 8g", b"\x20\x80", b"#\x00\x01"] {
            assert_eq!(read(other), Ok(other.to_vec()));
        }
        assert_eq!(read(b"20 8").unwrap_err().at, 1);
    }

    #[test]
    fn octets_are_shown_as_digits() {
        assert_eq!(digits(&[0x20, 0x0f]), "200f");
    }
}

//! EF(DM_Bootstrap): the bootstrap itself (`DM 2.0 §8.1, §G.4.3`).

use super::ERASED;
use crate::reader::Reader;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

const FIELD: &str = "DM_Bootstrap";
/// UTF-8 with a byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What the file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content<'f> {
    /// Nothing: every octet is FF, or there is none.
    Empty,
    /// MO data in JSON, a bootstrap of DM 2.0, without a byte order mark.
    Json(&'f [u8]),
    /// A message in WBXML, a bootstrap of DM 1.x.
    Wbxml(&'f [u8]),
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(octets) => write!(f, "Json({} octets)", octets.len()),
            Self::Wbxml(octets) => write!(f, "Wbxml({} octets)", octets.len()),
        }
    }
}

impl<'f> Content<'f> {
    /// Cuts off the octets FF at the end, and tells what is left by its first octet. Whether that is a bootstrap, and whether
    /// anything stands behind it, says the decoder of its format.
    ///
    /// # Errors
    /// When it begins like neither, or has a byte order mark and tolerances are off.
    pub fn read(file: &'f [u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let reader = Reader::new(file, limits)?;
        let written =
            file.iter().rposition(|octet| *octet != ERASED).map_or(0, |last| last.saturating_add(1));
        let content = file.get(..written).unwrap_or_default();
        let text = match content.strip_prefix(MARK) {
            Some(text) if leniency.allow(Tolerance::ByteOrderMark) => text,
            Some(_) => {
                let problem = Problem::Schema("a byte order mark before the text (DM 2.0 §8.1)".into());
                return Err(reader.error(FIELD, problem));
            }
            None => content,
        };
        match text.trim_ascii_start() {
            [] if content.is_empty() => Ok(Self::Empty),
            [b'[' | b'{', ..] => Ok(Self::Json(text)),
            _ if matches!(content, [0x01..=0x03, ..]) => Ok(Self::Wbxml(content)),
            _ => Err(reader.error(FIELD, Problem::Schema("neither JSON nor WBXML".into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Content<'_>, DecodeError> {
        Content::read(file, &Limits::default(), &mut Leniency::strict())
    }

    #[test]
    fn octets_of_ff_are_nothing() {
        for empty in [&[][..], &[0xff], &[0xff; 300]] {
            assert_eq!(read(empty), Ok(Content::Empty));
        }
    }

    #[test]
    fn filler_is_cut_off_and_the_first_octet_tells_the_format() {
        assert_eq!(read(b"[{}]\xff\xff"), Ok(Content::Json(b"[{}]")));
        assert_eq!(read(b"\n {\"a\":1}"), Ok(Content::Json(b"\n {\"a\":1}")));
        assert_eq!(read(b"\x02\xa4\x01\x6a\x00\x01\xff"), Ok(Content::Wbxml(b"\x02\xa4\x01\x6a\x00\x01")));
    }

    #[test]
    fn rubbish_is_refused_or_left_to_the_decoder() {
        for rubbish in [&b"\x00\x00"[..], b"hello", b"\xff\xff[", b"\xfe\xff\x00["] {
            assert_eq!(read(rubbish).unwrap_err().at, 0, "{rubbish:02x?}");
        }
        // What stands behind the text goes with it, so that it is seen.
        assert_eq!(read(b"[]\xff{\x00\xff"), Ok(Content::Json(b"[]\xff{\x00")));
    }

    #[test]
    fn a_byte_order_mark_is_a_tolerance() {
        let file = b"\xef\xbb\xbf[]\xff";
        assert!(read(file).is_err());
        let mut leniency = Leniency::lenient();
        assert_eq!(Content::read(file, &Limits::default(), &mut leniency), Ok(Content::Json(b"[]")));
        assert_eq!(leniency.used, [Tolerance::ByteOrderMark].into());
        // No mark goes before WBXML, and nothing but a mark is no bootstrap.
        assert!(Content::read(b"\xef\xbb\xbf\x02", &Limits::default(), &mut Leniency::lenient()).is_err());
        assert!(Content::read(b"\xef\xbb\xbf", &Limits::default(), &mut Leniency::lenient()).is_err());
    }

    #[test]
    fn a_bootstrap_does_not_print() {
        assert_eq!(format!("{:?}", Content::Json(b"[secret]")), "Json(8 octets)");
    }
}

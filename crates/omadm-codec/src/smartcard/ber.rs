//! BER-TLV data objects (`TS 101 220 §7.1`, `ISO/IEC 7816-4 §5.2.2`), read one after the other without recursion.

use std::fmt;

use super::{ERASED, only_filler};
use crate::reader::Reader;
use crate::{DecodeError, Leniency, Limits, Problem};

/// The tag of a data object: its octets as one number, such as `0x62` or `0x5F50`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u32);

impl Tag {
    /// Whether the value consists of data objects.
    #[must_use]
    pub fn is_constructed(self) -> bool {
        let octets = self.0.to_be_bytes();
        octets.iter().find(|octet| **octet != 0).is_some_and(|first| first & 0x20 != 0)
    }

    fn to_octets(self) -> Vec<u8> {
        self.0.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect()
    }
}

/// Hexadecimal digits, two an octet.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_octets().iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A data object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its value.
    pub value: &'a [u8],
    /// Where it begins in the whole input.
    pub at: usize,
    /// Where its value begins in the whole input.
    pub value_at: usize,
}

impl<'a> Object<'a> {
    /// What its value consists of, if it is constructed. `limits` bounds how many.
    #[must_use]
    pub fn objects(&self, limits: &Limits) -> Objects<'a> {
        Objects { reader: Reader::part(self.value, self.value_at), left: limits.items, limit: limits.items }
    }

    /// An error about its value.
    pub(super) fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.value_at, field, problem }
    }

    /// Its value as an unsigned number of 1 to 4 octets.
    pub(super) fn number(&self, field: &'static str) -> Result<u32, DecodeError> {
        if !(1..=4).contains(&self.value.len()) {
            return Err(self.error(field, Problem::Schema("a number has 1 to 4 octets".into())));
        }
        Ok(self.value.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
    }
}

/// Data objects side by side.
#[derive(Clone, Debug)]
pub struct Objects<'a> {
    reader: Reader<'a>,
    left: usize,
    limit: usize,
}

impl<'a> Objects<'a> {
    /// Those of a whole input.
    ///
    /// # Errors
    /// When the input is longer than the limit.
    pub fn new(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Ok(Self { reader: Reader::new(input, limits)?, left: limits.items, limit: limits.items })
    }

    /// Where the next one begins in the whole input.
    #[must_use]
    pub fn at(&self) -> usize {
        self.reader.at()
    }

    /// The next one; `None` at the end, and at an octet of 00 or FF, which fills up.
    ///
    /// # Errors
    /// A tag of more than three octets, an indefinite length or one of more than three octets, a value that is cut off, more
    /// objects than the limit.
    pub fn next_object(&mut self, field: &'static str) -> Result<Option<Object<'a>>, DecodeError> {
        if matches!(self.reader.peek(), None | Some(0x00 | ERASED)) {
            return Ok(None);
        }
        let at = self.reader.at();
        self.left = self.left.checked_sub(1).ok_or(DecodeError {
            at,
            field,
            problem: Problem::TooMany { limit: self.limit },
        })?;
        let tag = tag(&mut self.reader, field)?;
        let length = length(&mut self.reader, field)?;
        let value_at = self.reader.at();
        let value = self.reader.take(length, field)?;
        Ok(Some(Object { tag, value, at, value_at }))
    }

    /// What was not read, filler included.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// Refuses what is left unless it is filler.
    pub(super) fn end(&self, field: &'static str) -> Result<(), DecodeError> {
        only_filler(self.rest(), self.at(), field, &mut Leniency::strict())
    }
}

fn tag(reader: &mut Reader<'_>, field: &'static str) -> Result<Tag, DecodeError> {
    let first = reader.byte(field)?;
    let mut tag = u32::from(first);
    if first & 0x1f != 0x1f {
        return Ok(Tag(tag));
    }
    for _ in 0..2 {
        let octet = reader.byte(field)?;
        tag = tag << 8 | u32::from(octet);
        if octet & 0x80 == 0 {
            return Ok(Tag(tag));
        }
    }
    Err(reader.error(field, Problem::Schema("a tag of more than three octets".into())))
}

fn length(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let first = reader.byte(field)?;
    let octets = match first {
        0..=0x7f => return Ok(first.into()),
        0x81..=0x83 => reader.take(usize::from(first & 0x0f), field)?,
        0x80 => return Err(reader.error(field, Problem::Schema("an indefinite length".into()))),
        _ => {
            return Err(reader.error(field, Problem::Schema("a length of more than three octets".into())));
        }
    };
    Ok(octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
}

/// Appends a data object. Its length takes as few octets as it can.
pub fn write(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    out.extend(tag.to_octets());
    let length = value.len().to_be_bytes();
    let significant = length.iter().skip_while(|octet| **octet == 0);
    if value.len() > 0x7f {
        let count = significant.clone().count();
        // At most the eight octets of a `usize`.
        out.push(0x80 | u8::try_from(count).unwrap_or(8));
        out.extend(significant);
    } else {
        out.push(length.last().copied().unwrap_or_default());
    }
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(input: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, DecodeError> {
        let mut objects = Objects::new(input, &Limits::default())?;
        let mut all = Vec::new();
        while let Some(object) = objects.next_object("object")? {
            all.push((object.tag.0, object.value.to_vec()));
        }
        objects.end("object")?;
        Ok(all)
    }

    #[test]
    fn tags_and_lengths_have_one_to_three_octets() {
        assert_eq!(all(&[0x5f, 0x50, 0x81, 0x01, 0xaa, 0xff, 0xff]), Ok(vec![(0x5f50, vec![0xaa])]));
        assert_eq!(all(&[0x5f, 0x81, 0x01, 0x00]), Ok(vec![(0x5f_8101, vec![])]));
        assert_eq!(all(&[0x04, 0x83, 0, 0, 1, 7, 0x00]), Ok(vec![(0x04, vec![7])]));
        for (hostile, at) in [
            (&[0x5f, 0x81, 0x81, 0x01, 0x00][..], 3),
            (&[0x04, 0x80, 0, 0], 2),
            (&[0x04, 0x84, 0, 0, 0, 1, 7], 2),
            (&[0x04, 0x83, 0xff, 0xff, 0xff, 7], 5),
            (&[0x04], 1),
            (&[0x04, 0x82, 0x01], 2),
            (&[0x04, 0x01, 0x07, 0xff, 0x04], 4),
        ] {
            assert_eq!(all(hostile).unwrap_err().at, at, "{hostile:02x?}");
        }
    }

    #[test]
    fn the_number_of_objects_is_limited() {
        let limits = Limits { items: 2, ..Limits::default() };
        let mut objects = Objects::new(&[1, 0, 1, 0, 1, 0], &limits).unwrap();
        assert!(objects.next_object("x").is_ok() && objects.next_object("x").is_ok());
        let error = objects.next_object("x").unwrap_err();
        assert_eq!((error.at, error.problem), (4, Problem::TooMany { limit: 2 }));
    }

    #[test]
    fn constructed_is_told_from_the_first_octet() {
        assert!(Tag(0x62).is_constructed() && Tag(0x7f49).is_constructed());
        assert!(!Tag(0x5f50).is_constructed() && !Tag(0x80).is_constructed());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            tag in prop_oneof![1u32..0x1f, Just(0x5f50), Just(0x7f_8102)],
            value in proptest::collection::vec(any::<u8>(), 0..70_000),
        ) {
            let mut out = Vec::new();
            write(&mut out, Tag(tag), &value);
            prop_assert_eq!(all(&out), Ok(vec![(tag, value)]));
        }
    }
}

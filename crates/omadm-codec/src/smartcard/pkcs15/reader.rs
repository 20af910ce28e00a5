//! Values of DER one after the other, with their places in the whole file; and the type `Path` of PKCS#15.

use der::asn1::{AnyRef, ContextSpecificRef, OctetStringRef};
use der::{
    Decode, DecodeValue, Encode as _, FixedTag, Header, Reader as _, SliceReader, Tag, TagMode, TagNumber,
};

use crate::reader::Reader;
use crate::smartcard::Path;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Reads values; nesting is followed by the caller, a type at a time, never by the input.
#[derive(Clone, Debug)]
pub(super) struct DerReader<'a> {
    /// What has not been read.
    rest: &'a [u8],
    /// Its offset in the whole file.
    at: usize,
}

/// A value of any type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) tag: Tag,
    pub(super) value: &'a [u8],
    /// Offset of the value in the whole file.
    pub(super) value_at: usize,
}

impl<'a> Item<'a> {
    /// What its value consists of.
    pub(super) fn inside(&self) -> DerReader<'a> {
        DerReader { rest: self.value, at: self.value_at }
    }

    pub(super) fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.value_at, field, problem }
    }
}

impl<'a> DerReader<'a> {
    pub(super) fn new(file: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Reader::new(file, limits).map(|reader| Self { rest: reader.rest(), at: reader.at() })
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.at, field, problem }
    }

    /// A value by its type.
    pub(super) fn decode<T: Decode<'a, Error = der::Error>>(
        &mut self,
        field: &'static str,
    ) -> Result<T, DecodeError> {
        self.read(field, |reader| reader.decode())
    }

    /// A value by its type, if the next one has its tag.
    pub(super) fn optional<T: Decode<'a, Error = der::Error> + FixedTag>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        if self.tag() == Some(T::TAG) { self.decode(field).map(Some) } else { Ok(None) }
    }

    /// A value of this type under a tag of its own, if the next one has that.
    pub(super) fn implicit<T: DecodeValue<'a, Error = der::Error> + FixedTag + 'a>(
        &mut self,
        number: TagNumber,
        field: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.read(field, |reader| reader.context_specific(number, TagMode::Implicit))
    }

    /// A value that has to have this tag.
    pub(super) fn expect(&mut self, tag: Tag, field: &'static str) -> Result<Item<'a>, DecodeError> {
        match self.tag() {
            Some(found) if found == tag => self.any(field),
            Some(found) => {
                Err(self.error(field, Problem::Schema(format!("{found} in place of {tag}").into())))
            }
            None if self.rest.is_empty() => Err(self.error(field, Problem::Missing)),
            None => Err(self.error(field, Problem::Syntax("not a tag of DER".into()))),
        }
    }

    /// The next value, if it has this tag.
    pub(super) fn take(&mut self, tag: Tag, field: &'static str) -> Result<Option<Item<'a>>, DecodeError> {
        if self.tag() == Some(tag) { self.any(field).map(Some) } else { Ok(None) }
    }

    /// The next value, whatever it is.
    pub(super) fn any(&mut self, field: &'static str) -> Result<Item<'a>, DecodeError> {
        let header = self.read(field, Header::decode)?;
        let value_at = self.at;
        let parts =
            usize::try_from(header.length()).ok().and_then(|length| self.rest.split_at_checked(length));
        let (value, rest) = parts.ok_or_else(|| self.error(field, Problem::Short))?;
        self.rest = rest;
        self.at = self.at.saturating_add(value.len());
        Ok(Item { tag: header.tag(), value, value_at })
    }

    /// The tag of the next value.
    pub(super) fn tag(&self) -> Option<Tag> {
        SliceReader::new(self.rest).and_then(|reader| Tag::peek(&reader)).ok()
    }

    /// Refuses what is left.
    pub(super) fn end(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(field, Problem::Trailing)) }
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
    ) -> Result<T, DecodeError> {
        let place = |position: Option<der::Length>| {
            let offset = position.and_then(|position| usize::try_from(position).ok()).unwrap_or_default();
            self.at.saturating_add(offset.min(self.rest.len()))
        };
        let fault = |error: der::Error| {
            let problem = match error.kind() {
                der::ErrorKind::Incomplete { .. } => Problem::Short,
                der::ErrorKind::Utf8(_) => Problem::BadUtf8,
                kind => Problem::Syntax(kind.to_string().into()),
            };
            DecodeError { at: place(error.position()), field, problem }
        };
        let mut reader = SliceReader::new(self.rest).map_err(fault)?;
        let value = read(&mut reader).map_err(fault)?;
        let read = usize::try_from(reader.position()).unwrap_or_default();
        self.rest = self.rest.get(read..).unwrap_or_default();
        self.at = self.at.saturating_add(read);
        Ok(value)
    }
}

/// A value of any tag around `content`.
pub(super) fn wrap(tag: Tag, content: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(tag, content)?.to_der()
}

/// The context-specific tag of a constructed value.
pub(super) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// Where the value of an object is (`Path` of PKCS#15): a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: Path,
    /// The part; absent for all of it.
    pub part: Option<Part>,
}

/// A part of a transparent file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Octets before it.
    pub index: u32,
    /// Octets in it.
    pub length: u32,
}

impl Location {
    /// All of a file.
    #[must_use]
    pub fn of(path: Path) -> Self {
        Self { path, part: None }
    }

    const LENGTH: TagNumber = TagNumber(0);

    pub(super) fn read(item: &Item<'_>, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let mut reader = item.inside();
        let path_at = reader.at();
        let path: &OctetStringRef = reader.decode("Path.path")?;
        let path = Path::decode(path.as_bytes(), path_at, "Path.path")?;
        let index: Option<u32> = reader.optional("Path.index")?;
        let length_at = reader.at();
        let tagged: Option<u32> = reader.implicit(Self::LENGTH, "Path.length")?;
        let untagged: Option<u32> = if tagged.is_none() { reader.optional("Path.length")? } else { None };
        reader.end("Path")?;
        let part = match (index, tagged.or(untagged)) {
            (None, None) => None,
            (Some(index), Some(length)) if untagged.is_none() => Some(Part { index, length }),
            (index, Some(length)) if leniency.allow(Tolerance::LooseCardPath) => {
                Some(Part { index: index.unwrap_or_default(), length })
            }
            _ => {
                let problem = Problem::Schema("index and tagged length belong together".into());
                return Err(DecodeError { at: length_at, field: "Path.length", problem });
            }
        };
        Ok(Self { path, part })
    }

    /// The value with its tag.
    pub(super) fn write(&self) -> der::Result<Vec<u8>> {
        let mut content = OctetStringRef::new(&self.path.to_octets())?.to_der()?;
        if let Some(Part { index, length }) = self.part {
            content.extend(index.to_der()?);
            let tagged =
                ContextSpecificRef { tag_number: Self::LENGTH, tag_mode: TagMode::Implicit, value: &length };
            content.extend(tagged.to_der()?);
        }
        wrap(Tag::Sequence, &content)
    }
}

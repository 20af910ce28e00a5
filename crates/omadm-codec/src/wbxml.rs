//! What all documents in WBXML share (`WAP-192`): tokens of every code space, the head, numbers, strings and their table.

use std::borrow::Cow;

use crate::reader::Reader;
use crate::{DecodeError, Leniency, Problem, Tolerance};

/// Tokens that mean the same in every code space (`WAP-192 §7.1`).
pub(crate) mod global {
    pub(crate) const SWITCH_PAGE: u8 = 0x00;
    pub(crate) const END: u8 = 0x01;
    pub(crate) const ENTITY: u8 = 0x02;
    pub(crate) const STR_I: u8 = 0x03;
    pub(crate) const LITERAL: u8 = 0x04;
    pub(crate) const EXT_I_0: u8 = 0x40;
    pub(crate) const EXT_I_2: u8 = 0x42;
    pub(crate) const PI: u8 = 0x43;
    pub(crate) const LITERAL_C: u8 = 0x44;
    pub(crate) const EXT_T_0: u8 = 0x80;
    pub(crate) const EXT_T_2: u8 = 0x82;
    pub(crate) const STR_T: u8 = 0x83;
    pub(crate) const LITERAL_A: u8 = 0x84;
    pub(crate) const EXT_0: u8 = 0xC0;
    pub(crate) const EXT_2: u8 = 0xC2;
    pub(crate) const OPAQUE: u8 = 0xC3;
    pub(crate) const LITERAL_AC: u8 = 0xC4;
}

/// Bit of a tag: it has attributes.
pub(crate) const HAS_ATTRIBUTES: u8 = 0x80;
/// Bit of a tag: it has content.
pub(crate) const HAS_CONTENT: u8 = 0x40;
/// MIBenum of UTF-8, which is what we write.
pub(crate) const UTF_8: u8 = 0x6A;

/// Field of errors in the syntax of a document.
pub(crate) const DOCUMENT: &str = "document";
/// Field of errors in the string table and in references to it.
const TABLE: &str = "strtbl";
/// Octets that a string table may have.
const TABLE_LIMIT: usize = 64 * 1024;

/// How octets of strings become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    /// UTF-8 if it is that.
    Open,
}

/// The document type that a head names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentType {
    /// By number; 1 is none.
    Number(u32),
    /// By a name in the string table.
    Name(usize),
}

/// Strings of a document: their charset, and those that stand in its table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strings<'a> {
    pub(crate) charset: Charset,
    pub(crate) table: &'a [u8],
    /// Octets taken from the table so far, and the most: each reference may mean many.
    taken: usize,
    limit: usize,
}

impl<'a> Strings<'a> {
    /// Reads charset and table as they stand in a head.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        has_charset: bool,
        leniency: &mut Leniency,
        limit: usize,
    ) -> Result<Self, DecodeError> {
        let charset = if has_charset { charset(reader, leniency)? } else { Charset::Open };
        let length = length(reader, TABLE)?;
        if length > TABLE_LIMIT {
            return Err(reader.error(TABLE, Problem::TooLarge { limit: TABLE_LIMIT }));
        }
        Ok(Self { charset, table: reader.take(length, TABLE)?, taken: 0, limit })
    }

    /// Octets of a string that begins at `at` as characters.
    #[inline]
    pub(crate) fn characters(&self, octets: &'a [u8], at: usize) -> Result<Cow<'a, str>, DecodeError> {
        match (std::str::from_utf8(octets), self.charset) {
            (Ok(text), Charset::Utf8 | Charset::Open) => Ok(Cow::Borrowed(text)),
            (Ok(text), Charset::Latin1) if text.is_ascii() => Ok(Cow::Borrowed(text)),
            (_, Charset::Latin1 | Charset::Open) => {
                Ok(Cow::Owned(octets.iter().map(|octet| char::from(*octet)).collect()))
            }
            (Err(cause), Charset::Utf8) => {
                let at = at + cause.valid_up_to();
                Err(DecodeError { at, field: DOCUMENT, problem: Problem::BadUtf8 })
            }
        }
    }

    /// A string of the table, which may begin within another; `at` is where it is referred to.
    pub(crate) fn of_table(
        &mut self,
        index: usize,
        at: usize,
        leniency: &mut Leniency,
    ) -> Result<Cow<'a, str>, DecodeError> {
        let Some(rest) = self.table.get(index..).filter(|rest| !rest.is_empty()) else {
            let text = format!("string {index} is outside of the table of {} octets", self.table.len());
            return Err(schema(at, TABLE, text));
        };
        let octets = match rest.iter().position(|octet| *octet == 0) {
            Some(length) => rest.get(..length).unwrap_or_default(),
            None if leniency.allow(Tolerance::UnterminatedString) => rest,
            None => return Err(schema(at, DOCUMENT, "a string of the table does not end")),
        };
        self.taken += octets.len();
        if self.taken > self.limit {
            return Err(DecodeError { at, field: TABLE, problem: Problem::TooLarge { limit: self.limit } });
        }
        self.characters(octets, at).map_err(|cause| DecodeError { at, ..cause })
    }
}

/// A public identifier.
pub(crate) fn document_type(reader: &mut Reader<'_>) -> Result<DocumentType, DecodeError> {
    const FIELD: &str = "publicid";
    Ok(match number(reader, FIELD)? {
        0 => DocumentType::Name(length(reader, FIELD)?),
        id => DocumentType::Number(id),
    })
}

/// The character of an entity.
pub(crate) fn entity(reader: &mut Reader<'_>) -> Result<char, DecodeError> {
    let at = reader.at();
    let code = number(reader, DOCUMENT)?;
    char::from_u32(code).ok_or_else(|| schema(at, DOCUMENT, format!("entity {code:#x} is not a character")))
}

/// An `mb_u_int32`.
pub(crate) fn number(reader: &mut Reader<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let at = reader.at();
    let mut value: u32 = 0;
    for _ in 0..5 {
        let octet = reader.byte(field)?;
        let shifted =
            value.checked_mul(1 << 7).ok_or_else(|| schema(at, field, "a number beyond 32 bits"))?;
        value = shifted | u32::from(octet & 0x7F);
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(schema(at, field, "a number of more than 5 octets"))
}

/// An `mb_u_int32` that counts octets of the document.
pub(crate) fn length(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let at = reader.at();
    usize::try_from(number(reader, field)?).map_err(|_| schema(at, field, "a number beyond this machine"))
}

/// The charset by its MIBenum.
fn charset(reader: &mut Reader<'_>, leniency: &mut Leniency) -> Result<Charset, DecodeError> {
    let at = reader.at();
    match number(reader, "charset")? {
        // ASCII is a part of UTF-8.
        3 | 106 => Ok(Charset::Utf8),
        4 => Ok(Charset::Latin1),
        0 if leniency.allow(Tolerance::MissingCharset) => Ok(Charset::Open),
        other => Err(schema(at, "charset", format!("{other} is neither UTF-8 nor ISO-8859-1 nor US-ASCII"))),
    }
}

/// The error for something that the format does not have.
pub(crate) fn schema(at: usize, field: &'static str, text: impl Into<Cow<'static, str>>) -> DecodeError {
    DecodeError { at, field, problem: Problem::Schema(text.into()) }
}

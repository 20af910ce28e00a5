//! The reader of WBXML.

use std::borrow::Cow;

use super::global::{
    END, ENTITY, EXT_0, EXT_2, EXT_I_0, EXT_I_2, EXT_T_0, EXT_T_2, LITERAL, LITERAL_A, LITERAL_AC, LITERAL_C,
    OPAQUE, PI, STR_I, STR_T, SWITCH_PAGE,
};
use super::{HAS_ATTRIBUTES, HAS_CONTENT, PublicId, WbxmlVersion};
use crate::dm1::element::{Element, Page};
use crate::dm1::event::{DEEPEST, Event, Pull, Push, Tag, append, transcribe};
use crate::dm1::message::Data;
use crate::dm1::xml::XmlWriter;
use crate::reader::Reader;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Field of errors in the syntax of the document.
const DOCUMENT: &str = "document";
/// Field of errors in the version.
const VERSION: &str = "version";
/// Field of errors in the public identifier.
const PUBLIC_ID: &str = "publicid";
/// Field of errors in the string table and in references to it.
const TABLE: &str = "strtbl";

/// Octets that a string table may have.
const TABLE_LIMIT: usize = 64 * 1024;

/// Public ids that some stacks use instead of those assigned.
const OLD_SYNCML_11: u32 = 0x0F21;

/// How octets of strings become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Utf8,
    Latin1,
    /// UTF-8 if it is that.
    Open,
}

/// Reads a document in WBXML 1.1 to 1.3. Attributes and processing instructions are passed over, extension tokens refused.
#[derive(Debug)]
pub struct WbxmlReader<'a, 'l> {
    reader: Reader<'a>,
    version: WbxmlVersion,
    charset: Charset,
    table: &'a [u8],
    limits: Limits,
    leniency: &'l mut Leniency,
    /// Current page of tags.
    page: u8,
    /// Elements seen so far.
    items: usize,
    /// Octets of the string table that were referred to so far: each reference may mean many.
    from_table: usize,
    /// Elements that have begun and not ended.
    depth: usize,
    /// The element that began last has no content: its end is next.
    ends: bool,
    at: usize,
}

impl<'a, 'l> WbxmlReader<'a, 'l> {
    /// Reads the head of a document whose root element is of `root`.
    ///
    /// # Errors
    /// When it is larger than the limit; on a version, document type or charset that we do not read.
    pub fn new(
        input: &'a [u8],
        limits: &Limits,
        leniency: &'l mut Leniency,
        root: Page,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let octet = reader.byte(VERSION)?;
        let version = match WbxmlVersion::from_octet(octet) {
            Some(version) => version,
            None if octet == 0 && leniency.allow(Tolerance::OldWbxml) => WbxmlVersion::V1_1,
            None => return Err(schema(0, VERSION, format!("octet {octet:#04x} is not WBXML 1.1 to 1.3"))),
        };
        let public_id = reader.at();
        let id = number(&mut reader, PUBLIC_ID)?;
        let name = if id == 0 { Some(number(&mut reader, PUBLIC_ID)?) } else { None };
        let charset = if octet == 0 { Charset::Open } else { charset(&mut reader, leniency)? };
        let length = number(&mut reader, TABLE)?;
        if length > TABLE_LIMIT {
            return Err(reader.error(TABLE, Problem::TooLarge { limit: TABLE_LIMIT }));
        }
        let table = reader.take(length, TABLE)?;
        let mut document = Self {
            reader,
            version,
            charset,
            table,
            limits: Limits { depth: limits.depth.min(DEEPEST), ..*limits },
            leniency,
            page: Page::SyncMl.number(),
            items: 0,
            from_table: 0,
            depth: 0,
            ends: false,
            at: public_id,
        };
        document.check_public_id(id, name)?;
        if root == Page::Ddf
            && document.reader.peek().is_some_and(|octet| octet != SWITCH_PAGE && octet != PI)
        {
            document.tolerate(Tolerance::MissingPageSwitch, "the document does not switch to page 2")?;
            document.page = root.number();
        }
        Ok(document)
    }

    /// The version that the document says it is in.
    #[must_use]
    pub fn version(&self) -> WbxmlVersion {
        self.version
    }

    fn check_public_id(&mut self, id: usize, name: Option<usize>) -> Result<(), DecodeError> {
        let Some(index) = name else {
            return match u32::try_from(id).ok().and_then(PublicId::from_number) {
                Some(_) => Ok(()),
                None if id == OLD_SYNCML_11 as usize => {
                    self.tolerate(Tolerance::OldPublicId, "0x0f21 is not the public id of SyncML 1.1")
                }
                None => {
                    Err(self.schema(PUBLIC_ID, format!("{id:#x} is not a document type that is read here")))
                }
            };
        };
        let name = self.table_string(index)?;
        match PublicId::from_name(&name) {
            Some(_) => Ok(()),
            None => Err(self.schema(PUBLIC_ID, format!("{name:?} is not a document type that is read here"))),
        }
    }

    fn tolerate(&mut self, tolerance: Tolerance, text: &'static str) -> Result<(), DecodeError> {
        if self.leniency.allow(tolerance) { Ok(()) } else { Err(self.schema(DOCUMENT, text)) }
    }

    /// Octets of a string as characters.
    fn characters(&self, octets: &'a [u8]) -> Result<Cow<'a, str>, DecodeError> {
        match (std::str::from_utf8(octets), self.charset) {
            (Ok(text), Charset::Utf8 | Charset::Open) => Ok(Cow::Borrowed(text)),
            (Ok(text), Charset::Latin1) if text.is_ascii() => Ok(Cow::Borrowed(text)),
            (_, Charset::Latin1 | Charset::Open) => {
                Ok(Cow::Owned(octets.iter().map(|octet| char::from(*octet)).collect()))
            }
            (Err(cause), Charset::Utf8) => {
                let at = self.reader.at().saturating_sub(octets.len() + 1) + cause.valid_up_to();
                Err(DecodeError { at, field: DOCUMENT, problem: Problem::BadUtf8 })
            }
        }
    }

    /// A string of the table, which may begin within another.
    fn table_string(&mut self, index: usize) -> Result<Cow<'a, str>, DecodeError> {
        let table = self.table.get(index..).filter(|rest| !rest.is_empty());
        let Some(rest) = table else {
            let length = self.table.len();
            return Err(
                self.schema(TABLE, format!("string {index} is outside of the table of {length} octets"))
            );
        };
        let octets = match rest.iter().position(|octet| *octet == 0) {
            Some(length) => rest.get(..length).unwrap_or_default(),
            None => {
                self.tolerate(Tolerance::UnterminatedString, "a string of the table does not end")?;
                rest
            }
        };
        self.from_table += octets.len();
        if self.from_table > self.limits.bytes {
            return Err(self.error(TABLE, Problem::TooLarge { limit: self.limits.bytes }));
        }
        self.characters(octets).map_err(|cause| DecodeError { at: self.at, ..cause })
    }

    fn number(&mut self) -> Result<usize, DecodeError> {
        number(&mut self.reader, DOCUMENT)
    }

    fn entity(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let code = self.number()?;
        match u32::try_from(code).ok().and_then(char::from_u32) {
            Some(character) => Ok(Cow::Owned(character.to_string())),
            None => Err(self.schema(DOCUMENT, format!("entity {code:#x} is not a character"))),
        }
    }

    /// An element begins whose token was read.
    fn tag(&mut self, token: u8) -> Result<Tag<'a>, DecodeError> {
        if self.items >= self.limits.items {
            return Err(self.error(DOCUMENT, Problem::TooMany { limit: self.limits.items }));
        }
        if self.depth >= self.limits.depth {
            return Err(self.error(DOCUMENT, Problem::TooDeep { limit: self.limits.depth }));
        }
        self.items += 1;
        self.depth += 1;
        self.ends = token & HAS_CONTENT == 0;
        let identity = token & !(HAS_ATTRIBUTES | HAS_CONTENT);
        let page = Page::from_number(self.page);
        let tag = if identity == LITERAL {
            let index = self.number()?;
            let name = self.table_string(index)?;
            page.and_then(|page| Element::parse(page, &name)).map_or(Tag::Unknown(name), Tag::Known)
        } else {
            let known = page.and_then(|page| Element::from_token(page, identity));
            let unknown = || Tag::Unknown(format!("token {identity:#04x} of page {}", self.page).into());
            known.map_or_else(unknown, Tag::Known)
        };
        if token & HAS_ATTRIBUTES != 0 {
            self.skip_attributes()?;
        }
        Ok(tag)
    }

    /// Passes over a list of attributes up to its end. Attributes have a current page of their own, which means nothing here.
    fn skip_attributes(&mut self) -> Result<(), DecodeError> {
        loop {
            let token = self.reader.byte(DOCUMENT)?;
            match token {
                END => return Ok(()),
                SWITCH_PAGE => {
                    self.reader.byte(DOCUMENT)?;
                }
                STR_I | EXT_I_0..=EXT_I_2 => {
                    self.reader.until_zero(DOCUMENT)?;
                }
                ENTITY | EXT_T_0..=EXT_T_2 => {
                    self.number()?;
                }
                LITERAL | STR_T => {
                    let index = self.number()?;
                    if token == LITERAL && index == 0 && self.table.is_empty() {
                        self.tolerate(
                            Tolerance::StrayLiteral,
                            "an attribute name from a string table that is empty",
                        )?;
                    } else {
                        self.table_string(index)?;
                    }
                }
                OPAQUE => {
                    let length = self.number()?;
                    self.reader.take(length, DOCUMENT)?;
                }
                PI | LITERAL_C | LITERAL_A | LITERAL_AC => {
                    return Err(self.schema(DOCUMENT, format!("token {token:#04x} among attributes")));
                }
                // What we know of no attribute, and EXT_0 to EXT_2, stand alone.
                _ => {}
            }
        }
    }
}

impl<'a> Pull<'a> for WbxmlReader<'a, '_> {
    fn next(&mut self) -> Result<Event<'a>, DecodeError> {
        if std::mem::take(&mut self.ends) {
            self.depth -= 1;
            return Ok(Event::End);
        }
        loop {
            self.at = self.reader.at();
            let token = self.reader.byte(DOCUMENT)?;
            match token {
                SWITCH_PAGE => self.page = self.reader.byte(DOCUMENT)?,
                PI => self.skip_attributes()?,
                EXT_I_0..=EXT_I_2 | EXT_T_0..=EXT_T_2 | EXT_0..=EXT_2 => {
                    return Err(self
                        .schema(DOCUMENT, format!("extension token {token:#04x}, which DM does not have")));
                }
                END | ENTITY | STR_I | STR_T | OPAQUE if self.depth == 0 => {
                    return Err(
                        self.schema(DOCUMENT, format!("token {token:#04x} outside of the root element"))
                    );
                }
                END => {
                    self.depth -= 1;
                    return Ok(Event::End);
                }
                STR_I => {
                    let octets = self.reader.until_zero(DOCUMENT)?;
                    return self.characters(octets).map(Event::Text);
                }
                STR_T => {
                    let index = self.number()?;
                    return self.table_string(index).map(Event::Text);
                }
                ENTITY => return self.entity().map(Event::Text),
                OPAQUE => {
                    let length = self.number()?;
                    return self.reader.take(length, DOCUMENT).map(Event::Opaque);
                }
                _ => return self.tag(token).map(Event::Start),
            }
        }
    }

    fn at(&self) -> usize {
        self.at
    }

    fn leniency(&mut self) -> &mut Leniency {
        self.leniency
    }

    fn data(&mut self) -> Result<Data<'a>, DecodeError> {
        let mut text = Cow::Borrowed("");
        let mut opaque: Option<Cow<'a, [u8]>> = None;
        loop {
            match self.next()? {
                Event::Text(piece) if opaque.is_none() => append(&mut text, piece),
                Event::Text(piece) => add(&mut opaque, piece.as_bytes()),
                Event::Opaque(octets) if opaque.is_none() && text.is_empty() => {
                    opaque = Some(Cow::Borrowed(octets))
                }
                Event::Opaque(octets) => {
                    opaque.get_or_insert_with(|| {
                        Cow::Owned(std::mem::take(&mut text).into_owned().into_bytes())
                    });
                    add(&mut opaque, octets);
                }
                Event::Start(tag) => {
                    let before = opaque.map_or_else(|| Data::Text(text), Data::Opaque);
                    return self.markup(before, tag).map(|markup| Data::Text(Cow::Owned(markup)));
                }
                Event::End => return Ok(opaque.map_or_else(|| Data::Text(text), Data::Opaque)),
            }
        }
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        self.at = self.reader.at();
        while self.reader.peek() == Some(PI) {
            self.reader.byte(DOCUMENT)?;
            self.skip_attributes()?;
        }
        match self.reader.end() {
            Err(cause) if !self.leniency.allow(Tolerance::Padding) => Err(cause),
            _ => Ok(()),
        }
    }
}

impl<'a> WbxmlReader<'a, '_> {
    /// Content of `Data` in XML that began with `before` and a tag: what tags of page 2 embed there.
    fn markup(&mut self, before: Data<'a>, tag: Tag<'a>) -> Result<String, DecodeError> {
        let mut sink = XmlWriter::new("");
        match before {
            Data::Text(text) => sink.text(&text),
            Data::Opaque(octets) => sink.opaque(&octets),
        }
        match tag {
            Tag::Known(element) => {
                sink.start(element);
                transcribe(self, &mut sink)?;
                sink.end();
            }
            Tag::Unknown(_) => self.skip()?,
        }
        transcribe(self, &mut sink)?;
        Ok(sink.into_text())
    }
}

/// Adds octets after others.
fn add(opaque: &mut Option<Cow<'_, [u8]>>, octets: &[u8]) {
    if let Some(opaque) = opaque {
        opaque.to_mut().extend_from_slice(octets);
    }
}

/// An `mb_u_int32`; on a machine of 16 bits it would have to fit there.
fn number(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let at = reader.at();
    let mut value: u32 = 0;
    for _ in 0..5 {
        let octet = reader.byte(field)?;
        let shifted =
            value.checked_mul(1 << 7).ok_or_else(|| schema(at, field, "a number beyond 32 bits"))?;
        value = shifted | u32::from(octet & 0x7F);
        if octet & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| schema(at, field, "a number beyond this machine"));
        }
    }
    Err(schema(at, field, "a number of more than 5 octets"))
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

fn schema(at: usize, field: &'static str, text: impl Into<Cow<'static, str>>) -> DecodeError {
    DecodeError { at, field, problem: Problem::Schema(text.into()) }
}

//! The reader of WBXML.

use std::borrow::Cow;
use std::ffi::CStr;

use super::{PublicId, WbxmlVersion};
use crate::dm1::element::{Element, Page};
use crate::dm1::event::{DEEPEST, Event, Pull, Push, Tag, append, skipped, transcribe};
use crate::dm1::message::Data;
use crate::dm1::xml::XmlWriter;
use crate::reader::Reader;
use crate::wbxml::global::{
    END, ENTITY, EXT_0, EXT_2, EXT_I_0, EXT_I_2, EXT_T_0, EXT_T_2, LITERAL, LITERAL_A, LITERAL_AC, LITERAL_C,
    OPAQUE, PI, STR_I, STR_T, SWITCH_PAGE,
};
use crate::wbxml::{
    DOCUMENT, DocumentType, HAS_ATTRIBUTES, HAS_CONTENT, Strings, document_type, entity, length, schema,
};
use crate::xml::is_xml_char;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Field of errors in the version.
const VERSION: &str = "version";
/// Field of errors in the public identifier.
const PUBLIC_ID: &str = "publicid";

/// Public ids that some stacks use instead of those assigned.
const OLD_SYNCML_11: u32 = 0x0F21;

/// What is left of a tag without its two bits.
const IDENTITY: u8 = !(HAS_ATTRIBUTES | HAS_CONTENT);

/// Reads a document in WBXML 1.1 to 1.3. Attributes and processing instructions are passed over, extension tokens refused.
#[derive(Debug)]
pub struct WbxmlReader<'a, 'l> {
    reader: Reader<'a>,
    version: WbxmlVersion,
    strings: Strings<'a>,
    limits: Limits,
    leniency: &'l mut Leniency,
    /// Current page of tags.
    page: u8,
    /// Elements seen so far.
    items: usize,
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
        let document_type = document_type(&mut reader)?;
        let strings = Strings::read(&mut reader, octet != 0, leniency, limits.bytes)?;
        let mut document = Self {
            reader,
            version,
            strings,
            limits: Limits { depth: limits.depth.min(DEEPEST), ..*limits },
            leniency,
            page: Page::SyncMl.number(),
            items: 0,
            depth: 0,
            ends: false,
            at: public_id,
        };
        document.check_public_id(document_type)?;
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

    fn check_public_id(&mut self, named: DocumentType) -> Result<(), DecodeError> {
        match named {
            DocumentType::Number(id) if PublicId::from_number(id).is_some() => Ok(()),
            DocumentType::Number(OLD_SYNCML_11) => {
                self.tolerate(Tolerance::OldPublicId, "0x0f21 is not the public id of SyncML 1.1")
            }
            DocumentType::Number(id) => {
                Err(self.schema(PUBLIC_ID, format!("{id:#x} is not a document type that is read here")))
            }
            DocumentType::Name(index) => {
                let name = self.table_string(index)?;
                match PublicId::from_name(&name) {
                    Some(_) => Ok(()),
                    None => {
                        let text = format!("{name:?} is not a document type that is read here");
                        Err(self.schema(PUBLIC_ID, text))
                    }
                }
            }
        }
    }

    fn tolerate(&mut self, tolerance: Tolerance, text: &'static str) -> Result<(), DecodeError> {
        if self.leniency.allow(tolerance) { Ok(()) } else { Err(self.schema(DOCUMENT, text)) }
    }

    /// A string of the table.
    fn table_string(&mut self, index: usize) -> Result<Cow<'a, str>, DecodeError> {
        self.strings.of_table(index, self.at, self.leniency)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        length(&mut self.reader, DOCUMENT)
    }

    /// What a token stands for that begins no element and ends none.
    fn characters(&mut self, token: u8) -> Result<Event<'a>, DecodeError> {
        match token {
            EXT_I_0..=EXT_I_2 | EXT_T_0..=EXT_T_2 | EXT_0..=EXT_2 => {
                Err(self.schema(DOCUMENT, format!("extension token {token:#04x}, which DM does not have")))
            }
            _ if self.depth == 0 => {
                Err(self.schema(DOCUMENT, format!("token {token:#04x} outside of the root element")))
            }
            STR_I => {
                let at = self.reader.at();
                let octets = self.reader.until_zero(DOCUMENT)?;
                self.strings.characters(octets, at).map(Event::Text)
            }
            STR_T => {
                let index = self.length()?;
                self.table_string(index).map(Event::Text)
            }
            ENTITY => match entity(&mut self.reader)? {
                character if is_xml_char(character) => Ok(Event::Text(Cow::Owned(character.to_string()))),
                _ => Err(self.schema(DOCUMENT, "an entity of a character that XML does not allow")),
            },
            _ => {
                let length = self.length()?;
                self.reader.take(length, DOCUMENT).map(Event::Opaque)
            }
        }
    }

    /// An element begins whose token was read.
    #[inline(always)]
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
        let identity = token & IDENTITY;
        let page = Page::from_number(self.page);
        let tag = if identity == LITERAL {
            let index = self.length()?;
            let name = self.table_string(index)?;
            page.and_then(|page| Element::parse(page, &name)).map_or(Tag::Unknown(name), Tag::Known)
        } else {
            let known = page.and_then(|page| Element::from_token(page, identity));
            known.map_or_else(|| unknown(identity, self.page), Tag::Known)
        };
        if token & HAS_ATTRIBUTES != 0 {
            self.skip_attributes()?;
        }
        Ok(tag)
    }

    /// Passes over a string and the END after it, if these are all that the element begun last has.
    #[inline(always)]
    fn lone_string(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        let [STR_I, rest @ ..] = self.reader.rest() else { return Ok(None) };
        let octets = CStr::from_bytes_until_nul(rest).map_or(rest, CStr::to_bytes);
        if self.ends || rest.get(octets.len() + 1) != Some(&END) {
            return Ok(None);
        }
        self.at = self.reader.at();
        self.reader.take(octets.len() + 3, DOCUMENT)?;
        self.depth -= 1;
        self.strings.characters(octets, self.at + 1).map(Some)
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
                    self.length()?;
                }
                LITERAL | STR_T => {
                    let index = self.length()?;
                    if token == LITERAL && index == 0 && self.strings.table.is_empty() {
                        self.tolerate(
                            Tolerance::StrayLiteral,
                            "an attribute name from a string table that is empty",
                        )?;
                    } else {
                        self.table_string(index)?;
                    }
                }
                OPAQUE => {
                    let length = self.length()?;
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
    // Callers want one or two of the events only: where they see the whole, no event is ever made.
    #[inline(always)]
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
                END if self.depth > 0 => {
                    self.depth -= 1;
                    return Ok(Event::End);
                }
                PI => self.skip_attributes()?,
                LITERAL | LITERAL_A | LITERAL_C | LITERAL_AC => return self.tag(token).map(Event::Start),
                _ if token & IDENTITY > LITERAL => return self.tag(token).map(Event::Start),
                _ => return self.characters(token),
            }
        }
    }

    fn at(&self) -> usize {
        self.at
    }

    fn leniency(&mut self) -> &mut Leniency {
        self.leniency
    }

    #[inline]
    fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        // As almost every value is; the way through events takes twice as long.
        match self.lone_string()? {
            Some(text) => Ok(text),
            None => self.text_with(skipped),
        }
    }

    fn data(&mut self) -> Result<Data<'a>, DecodeError> {
        if let Some(text) = self.lone_string()? {
            return Ok(Data::Text(text));
        }
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
            Tag::Unknown(_) | Tag::Token(_) => self.skip()?,
        }
        transcribe(self, &mut sink)?;
        Ok(sink.into_text())
    }
}

#[cold]
fn unknown(identity: u8, page: u8) -> Tag<'static> {
    Tag::Token(format!("token {identity:#04x} of page {page}").into())
}

/// Adds octets after others.
fn add(opaque: &mut Option<Cow<'_, [u8]>>, octets: &[u8]) {
    if let Some(opaque) = opaque {
        opaque.to_mut().extend_from_slice(octets);
    }
}

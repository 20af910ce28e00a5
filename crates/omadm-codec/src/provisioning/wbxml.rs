//! Documents in WBXML (`ProvCont 1.1 §8`).
//!
//! Tags and attributes have a current code page each. Encoders commonly switch that of the attributes only, to 1 for what belongs to an
//! APPLICATION, where the same token means something else than on page 0.

use std::borrow::Cow;

use super::token::{self, AAUTHTYPE, NAME, TYPE, VALUE, VERSION, VERSION_1_0};
use super::xml::{CHARACTERISTIC, DOCUMENT, PARAMETER};
use super::{Characteristic, Entry, Parameter, ProvisioningDocument};
use crate::reader::Reader;
use crate::wbxml::global::{END, ENTITY, EXT_T_0, EXT_T_2, LITERAL, OPAQUE, PI, STR_I, STR_T, SWITCH_PAGE};
use crate::wbxml::{
    DocumentType, HAS_ATTRIBUTES, HAS_CONTENT, Strings, UTF_8, document_type, entity, length, schema,
};
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Public id of `-//WAPFORUM//DTD PROV 1.0//EN`.
const PUBLIC_ID: u8 = 0x0B;
const PUBLIC_NAME: &str = "-//WAPFORUM//DTD PROV 1.0//EN";
/// Public id of a document that names no type.
const UNKNOWN_ID: u32 = 1;
const WBXML_1_3: u8 = 3;
const ROOT: u8 = 0x05;
const CHARACTERISTIC_TAG: u8 = 0x06;
const PARAMETER_TAG: u8 = 0x07;
/// Deepest nesting, whatever the limits say: reading goes by recursion.
const DEEPEST: usize = 32;

impl ProvisioningDocument {
    /// The document in WBXML 1.3.
    #[must_use]
    pub fn to_wbxml(&self) -> Vec<u8> {
        let mut out = vec![WBXML_1_3, PUBLIC_ID, UTF_8, 0];
        out.extend([ROOT | HAS_ATTRIBUTES | content(!self.characteristics.is_empty()), VERSION]);
        inline("1.1", &mut out);
        out.push(END);
        let mut page = 0;
        self.characteristics.iter().for_each(|inner| write(inner, &mut page, &mut out));
        out.extend((!self.characteristics.is_empty()).then_some(END));
        out
    }

    /// Reads WBXML 1.1 to 1.3.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn from_wbxml(input: &[u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let version = reader.byte("version")?;
        if !(1..=WBXML_1_3).contains(&version) {
            return Err(schema(0, "version", format!("octet {version:#04x} is not WBXML 1.1 to 1.3")));
        }
        let at = reader.at();
        let document_type = document_type(&mut reader)?;
        let strings = Strings::read(&mut reader, true, leniency, limits.bytes)?;
        let limits = Limits { depth: limits.depth.min(DEEPEST), ..*limits };
        let mut decoder =
            Decoder { reader, strings, leniency, limits, tag_page: 0, attribute_page: 0, items: 0 };
        let known = match document_type {
            DocumentType::Number(id) => id == u32::from(PUBLIC_ID) || id == UNKNOWN_ID,
            DocumentType::Name(index) => decoder.of_table(index)?.trim().eq_ignore_ascii_case(PUBLIC_NAME),
        };
        if !known {
            return Err(schema(at, "publicid", "not that of a provisioning document"));
        }
        decoder.document()
    }
}

/// The bit for content.
fn content(there_is: bool) -> u8 {
    if there_is { HAS_CONTENT } else { 0 }
}

fn write(characteristic: &Characteristic, page: &mut u8, out: &mut Vec<u8>) {
    let has_content = !characteristic.entries.is_empty();
    out.push(CHARACTERISTIC_TAG | HAS_ATTRIBUTES | content(has_content));
    match token::of_kind(*page, &characteristic.kind) {
        Some((needed, token)) => {
            if needed != *page {
                out.extend([SWITCH_PAGE, needed]);
                *page = needed;
            }
            out.push(token);
        }
        None => {
            out.push(TYPE);
            inline(&characteristic.kind, out);
        }
    }
    out.push(END);
    for entry in &characteristic.entries {
        match entry {
            Entry::Characteristic(inner) => write(inner, page, out),
            Entry::Parameter(parameter) => write_parameter(parameter, *page, out),
        }
    }
    out.extend(has_content.then_some(END));
}

fn write_parameter(parameter: &Parameter, page: u8, out: &mut Vec<u8>) {
    out.push(PARAMETER_TAG | HAS_ATTRIBUTES);
    match token::of_name(page, &parameter.name) {
        Some(token) => out.push(token),
        None => {
            out.push(NAME);
            inline(&parameter.name, out);
        }
    }
    if let Some(value) = &parameter.value {
        out.push(VALUE);
        match token::of_value(page, value) {
            Some(token) => out.push(token),
            None => inline(value, out),
        }
    }
    out.push(END);
}

/// A string as it stands; zero octets, which would end it, are left out.
fn inline(text: &str, out: &mut Vec<u8>) {
    out.push(STR_I);
    out.extend(text.bytes().filter(|octet| *octet != 0));
    out.push(0);
}

/// A tag that was read.
struct Tag {
    at: usize,
    identity: u8,
    has_attributes: bool,
    has_content: bool,
}

/// Attributes of an element, as far as the format has them.
#[derive(Default)]
struct Attributes {
    kind: Option<String>,
    name: Option<String>,
    value: Option<String>,
}

/// Which attribute a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Kind,
    Name,
    Value,
    /// One that the format does not have, or that means nothing to us.
    Other,
}

struct Decoder<'a, 'l> {
    reader: Reader<'a>,
    strings: Strings<'a>,
    leniency: &'l mut Leniency,
    limits: Limits,
    tag_page: u8,
    attribute_page: u8,
    items: usize,
}

impl<'a> Decoder<'a, '_> {
    fn document(mut self) -> Result<ProvisioningDocument, DecodeError> {
        let Some(root) = self.tag()? else {
            return Err(self.reader.error(DOCUMENT, Problem::Missing));
        };
        if root.identity != ROOT || self.tag_page != 0 {
            return Err(schema(root.at, DOCUMENT, "the root element is another one"));
        }
        self.attributes(&root)?;
        let entries = self.content(&root, 1)?;
        let characteristics = entries.into_iter().filter_map(|entry| match entry {
            Entry::Characteristic(characteristic) => Some(characteristic),
            Entry::Parameter(_) => None,
        });
        let document = ProvisioningDocument { characteristics: characteristics.collect() };
        match self.reader.end() {
            Err(cause) if !self.leniency.allow(Tolerance::Padding) => Err(cause),
            _ => Ok(document),
        }
    }

    /// The next tag, or the end of the element that is open.
    fn tag(&mut self) -> Result<Option<Tag>, DecodeError> {
        loop {
            let at = self.reader.at();
            let token = self.reader.byte(DOCUMENT)?;
            match token {
                SWITCH_PAGE => self.tag_page = self.reader.byte(DOCUMENT)?,
                END => return Ok(None),
                PI => {
                    self.attribute_list()?;
                }
                // White space between elements.
                STR_I | STR_T | ENTITY | OPAQUE => {
                    self.text(token)?;
                }
                _ => {
                    if self.items >= self.limits.items {
                        let problem = Problem::TooMany { limit: self.limits.items };
                        return Err(DecodeError { at, field: DOCUMENT, problem });
                    }
                    self.items += 1;
                    let identity = token & !(HAS_ATTRIBUTES | HAS_CONTENT);
                    if identity == LITERAL {
                        let index = length(&mut self.reader, DOCUMENT)?;
                        self.of_table(index)?;
                    }
                    let has_attributes = token & HAS_ATTRIBUTES != 0;
                    let has_content = token & HAS_CONTENT != 0;
                    return Ok(Some(Tag { at, identity, has_attributes, has_content }));
                }
            }
        }
    }

    fn attributes(&mut self, tag: &Tag) -> Result<Attributes, DecodeError> {
        if tag.has_attributes { self.attribute_list() } else { Ok(Attributes::default()) }
    }

    /// What is in an element at a depth.
    fn content(&mut self, tag: &Tag, depth: usize) -> Result<Vec<Entry>, DecodeError> {
        let mut entries = Vec::new();
        if !tag.has_content {
            return Ok(entries);
        }
        let limit = self.limits.depth;
        while let Some(tag) = self.tag()? {
            if depth >= limit {
                return Err(DecodeError { at: tag.at, field: DOCUMENT, problem: Problem::TooDeep { limit } });
            }
            let Attributes { kind, name, value } = self.attributes(&tag)?;
            let inner = self.content(&tag, depth + 1)?;
            let missing = |field| DecodeError { at: tag.at, field, problem: Problem::Missing };
            match tag.identity {
                CHARACTERISTIC_TAG => entries.push(Entry::Characteristic(Characteristic {
                    kind: kind.ok_or(missing(CHARACTERISTIC))?,
                    entries: inner,
                })),
                PARAMETER_TAG => {
                    entries.push(Entry::Parameter(Parameter { name: name.ok_or(missing(PARAMETER))?, value }))
                }
                // An element that the format does not have.
                _ => {}
            }
        }
        Ok(entries)
    }

    /// A list of attributes up to its end.
    fn attribute_list(&mut self) -> Result<Attributes, DecodeError> {
        let mut list = Attributes::default();
        let mut open = Open::None;
        let mut is_auth_type = false;
        loop {
            let at = self.reader.at();
            let token = self.reader.byte(DOCUMENT)?;
            let page = self.attribute_page;
            match token {
                END => return Ok(list),
                SWITCH_PAGE => self.attribute_page = self.reader.byte(DOCUMENT)?,
                EXT_T_0..=EXT_T_2 | STR_T | 0x90..=0x93
                    if open == Open::Value && is_auth_type && page == 1 && self.is_auth_part(token) =>
                {
                    let part = token::auth_part(token).map_or("", |(text, _)| text);
                    list.append(open, part);
                }
                STR_I | STR_T | ENTITY | OPAQUE => {
                    let text = self.text(token)?;
                    list.append(open, &text);
                }
                LITERAL => {
                    let index = length(&mut self.reader, DOCUMENT)?;
                    self.of_table(index)?;
                    open = Open::Other;
                }
                NAME => open = list.begin(Open::Name, ""),
                VALUE => open = list.begin(Open::Value, ""),
                TYPE => open = list.begin(Open::Kind, ""),
                VERSION | VERSION_1_0 if page == 0 => open = Open::Other,
                start if start < 0x80 => {
                    let kind = token::kind(page, start);
                    open = match (kind, token::name(page, start)) {
                        (Some(kind), _) => list.begin(Open::Kind, kind),
                        (None, Some(name)) => {
                            is_auth_type = page == 1 && start == AAUTHTYPE;
                            list.begin(Open::Name, name)
                        }
                        (None, None) => Open::Other,
                    };
                }
                value => match token::value(page, value) {
                    Some(text) => list.append(open, text),
                    None => {
                        let text = format!("token {value:#04x} of page {page} is no value of an attribute");
                        return Err(schema(at, DOCUMENT, text));
                    }
                },
            }
        }
    }

    /// Whether a token is a part of an `AAUTHTYPE` and not a string of the table, which it is if there is one.
    fn is_auth_part(&self, token: u8) -> bool {
        token != STR_T || self.strings.table.is_empty()
    }

    /// The text of a token that was read.
    fn text(&mut self, token: u8) -> Result<Cow<'a, str>, DecodeError> {
        let at = self.reader.at();
        match token {
            STR_T => {
                let index = length(&mut self.reader, DOCUMENT)?;
                self.of_table(index)
            }
            ENTITY => entity(&mut self.reader).map(|character| Cow::Owned(character.to_string())),
            OPAQUE => {
                let length = length(&mut self.reader, DOCUMENT)?;
                let octets = self.reader.take(length, DOCUMENT)?;
                self.strings.characters(octets, at)
            }
            _ => {
                let octets = self.reader.until_zero(DOCUMENT)?;
                self.strings.characters(octets, at)
            }
        }
    }

    fn of_table(&mut self, index: usize) -> Result<Cow<'a, str>, DecodeError> {
        self.strings.of_table(index, self.reader.at(), self.leniency)
    }
}

impl Attributes {
    /// An attribute begins, with the start of its value.
    fn begin(&mut self, open: Open, start: &str) -> Open {
        if let Some(text) = self.text(open) {
            *text = Some(start.to_owned());
        }
        open
    }

    /// More of the value of the attribute that is open.
    fn append(&mut self, open: Open, more: &str) {
        if let Some(text) = self.text(open) {
            text.get_or_insert_default().push_str(more);
        }
    }

    fn text(&mut self, open: Open) -> Option<&mut Option<String>> {
        match open {
            Open::Kind => Some(&mut self.kind),
            Open::Name => Some(&mut self.name),
            Open::Value => Some(&mut self.value),
            Open::None | Open::Other => None,
        }
    }
}

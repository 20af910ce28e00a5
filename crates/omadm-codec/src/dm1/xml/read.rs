//! The reader of XML.

use std::borrow::Cow;
use std::io::BufRead as _;

use memchr::memchr2;
use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes as RawAttributes;
use quick_xml::events::{BytesCData, BytesEnd, BytesRef, BytesStart, BytesText, Event as XmlEvent};
use quick_xml::reader::Reader;

use super::Namespace;
use crate::dm1::element::{Element, Page, SyncMl};
use crate::dm1::event::{Attributes, DEEPEST, Event, Pull, Tag, append};
use crate::dm1::message::Data;
use crate::xml::{describe, is_xml_char, position, resolve_reference};
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Field of errors in the syntax of the document.
const DOCUMENT: &str = "document";

/// The only attribute of most elements that have one.
const METINF_ALONE: &str = " xmlns=\"syncml:metinf\"";

/// Attributes that an element may have.
const ATTRIBUTES: usize = 16;

/// Reads a document in XML: UTF-8, whatever its declaration says. A DOCTYPE is passed over, and no entity but the five is resolved.
#[derive(Debug)]
pub struct XmlReader<'a, 'l> {
    text: &'a str,
    /// Octets before `text`: a byte order mark.
    offset: usize,
    reader: Reader<&'a [u8]>,
    limits: Limits,
    leniency: &'l mut Leniency,
    /// Elements seen so far.
    items: usize,
    /// Elements that have begun and not ended, outermost first.
    open: Vec<Open<'a>>,
    /// Prefixes in scope, innermost last.
    prefixes: Vec<(&'a str, Namespace)>,
    /// The element that began last has no content: its end is next.
    ends: bool,
    at: usize,
    /// Attributes of the element that began last, as written.
    attributes: &'a str,
    /// The parser has just read a tag, so that what stands next may be read past it.
    between: bool,
    /// No character of the document needs a second look: no CR, nothing that XML forbids.
    plain: bool,
}

/// An element that has begun.
#[derive(Clone, Copy, Debug)]
struct Open<'a> {
    /// Its name as written.
    name: &'a str,
    /// Page of its children, unless their namespace says another.
    page: Page,
    /// Namespace of names without prefix in it.
    default: Namespace,
    /// How many prefixes are in scope outside.
    prefixes: usize,
}

/// What stands in an element.
struct Content<'a> {
    /// Characters directly in it.
    text: Cow<'a, str>,
    /// All of it as written, if there are elements in it.
    markup: Option<&'a str>,
}

impl<'a, 'l> XmlReader<'a, 'l> {
    /// Begins at the start of a document.
    ///
    /// # Errors
    /// When it is larger than the limit, or not UTF-8.
    pub fn new(input: &'a [u8], limits: &Limits, leniency: &'l mut Leniency) -> Result<Self, DecodeError> {
        let error = |at, problem| DecodeError { at, field: DOCUMENT, problem };
        if input.len() > limits.bytes {
            return Err(error(limits.bytes, Problem::TooLarge { limit: limits.bytes }));
        }
        let text =
            std::str::from_utf8(input).map_err(|cause| error(cause.valid_up_to(), Problem::BadUtf8))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        // The names of open elements are kept here, and the parser does not see every tag.
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        Ok(Self {
            text,
            offset: input.len() - text.len(),
            reader,
            limits: Limits { depth: limits.depth.min(DEEPEST), ..*limits },
            leniency,
            items: 0,
            open: Vec::with_capacity(limits.depth.min(16)),
            prefixes: Vec::new(),
            ends: false,
            at: 0,
            attributes: "",
            between: false,
            plain: is_plain(text),
        })
    }

    /// The next event of the parser, where it begins noted.
    fn read(&mut self) -> Result<XmlEvent<'a>, DecodeError> {
        self.at = position(self.reader.buffer_position());
        let event = self.reader.read_event().map_err(|cause| {
            self.at = position(self.reader.error_position());
            self.error(DOCUMENT, describe(&cause))
        })?;
        self.between = matches!(event, XmlEvent::Start(_) | XmlEvent::End(_) | XmlEvent::Empty(_));
        Ok(event)
    }

    /// Passes over octets that the parser shall not see.
    fn pass(&mut self, at: usize, octets: usize) {
        self.at = at;
        self.reader.stream().consume(octets);
    }

    /// A tag with nothing but a name, if one is next. Most are so, and need no parser.
    fn plain_tag(&mut self) -> Option<Result<Event<'a>, DecodeError>> {
        let at = position(self.reader.buffer_position());
        let tag = self.text.get(at..).filter(|_| self.between)?.strip_prefix('<')?;
        if let Some(end) = tag.strip_prefix('/') {
            let name = self.open.last()?.name;
            end.strip_prefix(name)?.strip_prefix('>')?;
            self.pass(at, "</>".len() + name.len());
            return Some(self.end(None).map(|()| Event::End));
        }
        let length = tag.bytes().position(|octet| !octet.is_ascii_alphanumeric())?;
        let name =
            tag.get(..length).filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))?;
        tag.get(length..)?.strip_prefix('>')?;
        self.pass(at, "<>".len() + length);
        Some(self.begin(name, "").map(Event::Start))
    }

    /// Counts an element that begins at a depth.
    fn count(&mut self, depth: usize) -> Result<(), DecodeError> {
        if self.items >= self.limits.items {
            return Err(self.error(DOCUMENT, Problem::TooMany { limit: self.limits.items }));
        }
        if depth >= self.limits.depth {
            return Err(self.error(DOCUMENT, Problem::TooDeep { limit: self.limits.depth }));
        }
        self.items += 1;
        Ok(())
    }

    fn start(&mut self, tag: &BytesStart<'a>) -> Result<Tag<'a>, DecodeError> {
        let name = self.name(tag);
        let ends = self.at + 1 + name.len();
        let attributes = self.text.get(ends..ends + tag.attributes_raw().len());
        self.begin(name, attributes.unwrap_or_default())
    }

    /// Begins an element with its name and attributes as written.
    fn begin(&mut self, name: &'a str, attributes: &'a str) -> Result<Tag<'a>, DecodeError> {
        self.count(self.open.len())?;
        self.attributes = attributes;
        let prefixes = self.prefixes.len();
        let mut default = self.open.last().map_or(Namespace::Absent, |open| open.default);
        if !self.attributes.is_empty() {
            self.declarations(&mut default)?;
        }
        let (namespace, local) = match name.bytes().position(|octet| octet == b':') {
            None => (default, name),
            Some(at) => {
                let (prefix, local) =
                    (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default());
                (self.prefix(prefix), local)
            }
        };
        let element = self.resolve(namespace, local)?;
        let page = match element {
            Some(Element::SyncMl(SyncMl::Meta)) => Page::MetInf,
            Some(element) => element.page(),
            None => self.open.last().map_or(Page::SyncMl, |parent| parent.page),
        };
        self.open.push(Open { name, page, default, prefixes });
        Ok(element.map_or(Tag::Unknown(Cow::Borrowed(local)), Tag::Known))
    }

    /// The name of an element that begins, as written.
    fn name(&self, tag: &BytesStart<'a>) -> &'a str {
        let begins = self.at + 1;
        self.text.get(begins..begins + tag.name().as_ref().len()).unwrap_or_default()
    }

    /// Notes the namespaces that the attributes declare.
    fn declarations(&mut self, default: &mut Namespace) -> Result<(), DecodeError> {
        // Every peer writes this on every child of Meta, and the way through the parser of attributes is long.
        if self.attributes == METINF_ALONE {
            *default = Namespace::Of(Page::MetInf);
            return Ok(());
        }
        for (count, attribute) in RawAttributes::new(self.attributes, 0).enumerate() {
            if count >= ATTRIBUTES {
                return Err(self.error(DOCUMENT, Problem::TooMany { limit: ATTRIBUTES }));
            }
            let attribute =
                attribute.map_err(|cause| self.error(DOCUMENT, Problem::Syntax(cause.to_string().into())))?;
            let name = attribute.key.0;
            if name == "xmlns" {
                *default = Namespace::parse(&attribute.value);
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                self.prefixes.push((prefix, Namespace::parse(&attribute.value)));
            }
        }
        Ok(())
    }

    fn prefix(&self, prefix: &str) -> Namespace {
        let found = self.prefixes.iter().rev().find(|(known, _)| *known == prefix);
        found.map_or(Namespace::Foreign, |(_, namespace)| *namespace)
    }

    /// The element that a name stands for.
    fn resolve(&mut self, namespace: Namespace, name: &str) -> Result<Option<Element>, DecodeError> {
        let expected = self.open.last().map(|parent| parent.page);
        let (page, tolerance) = match namespace {
            Namespace::Foreign => return Ok(None),
            // A child of Meta that inherits the namespace of the message.
            Namespace::Of(Page::SyncMl) if expected == Some(Page::MetInf) => {
                (expected, Some(Tolerance::MissingNamespace))
            }
            Namespace::Of(page) => (Some(page), None),
            Namespace::Misspelt(page) => (Some(page), Some(Tolerance::MisspeltNamespace)),
            Namespace::Absent => (expected, Some(Tolerance::MissingNamespace)),
        };
        let element = match page {
            Some(page) => Element::parse(page, name),
            None => Element::parse(Page::SyncMl, name).or_else(|| Element::parse(Page::Ddf, name)),
        };
        match tolerance {
            Some(tolerance) if element.is_some() && !self.leniency.allow(tolerance) => {
                Err(self.schema(DOCUMENT, format!("{name} is not in the namespace that it belongs to")))
            }
            _ => Ok(element),
        }
    }

    /// The end of the element begun last, whose tag, if it has one, is of that name.
    fn end(&mut self, tag: Option<&BytesEnd<'_>>) -> Result<(), DecodeError> {
        let Some(open) = self.open.pop() else {
            return Err(self.error(DOCUMENT, Problem::Syntax("an end tag without a start tag".into())));
        };
        self.prefixes.truncate(open.prefixes);
        tag.map_or(Ok(()), |tag| self.check_end(open.name, tag))
    }

    fn check_end(&self, began: &str, tag: &BytesEnd<'_>) -> Result<(), DecodeError> {
        let name = tag.name();
        if name.as_ref() == began {
            return Ok(());
        }
        let text = format!("expected `</{began}>`, but `</{}>` was found", name.as_ref());
        Err(self.error(DOCUMENT, Problem::Syntax(text.into())))
    }

    /// Characters as they stand there, with their line ends normalised; none that XML does not allow.
    fn characters(&self, text: BytesText<'a>) -> Result<Cow<'a, str>, DecodeError> {
        if self.plain {
            Ok(text.into_inner())
        } else {
            self.allowed(text.xml_content(XmlVersion::Explicit1_0))
        }
    }

    /// As [`Self::characters`].
    fn cdata(&self, text: BytesCData<'a>) -> Result<Cow<'a, str>, DecodeError> {
        if self.plain {
            Ok(text.into_inner())
        } else {
            self.allowed(text.xml_content(XmlVersion::Explicit1_0))
        }
    }

    fn allowed(&self, text: Cow<'a, str>) -> Result<Cow<'a, str>, DecodeError> {
        if text.chars().all(is_xml_char) {
            return Ok(text);
        }
        Err(self.error(DOCUMENT, Problem::Syntax("a character that XML does not allow".into())))
    }

    /// A reference may be to a character that a plain document does not hold itself.
    fn reference(&self, reference: &BytesRef<'_>) -> Result<Cow<'a, str>, DecodeError> {
        let text = resolve_reference(reference).map_err(|problem| self.error(DOCUMENT, problem))?;
        self.allowed(text)
    }

    /// The characters from here to the end tag of the element begun last, if there is nothing else and nothing to look at twice. Most
    /// elements are so, and the parser needs not be asked for each piece.
    fn lone_text(&mut self, begins: usize) -> Option<&'a str> {
        let rest = self.text.get(begins..).filter(|_| self.plain)?;
        let (text, after) = rest.split_at_checked(memchr2(b'<', b'&', rest.as_bytes())?)?;
        let name = self.open.last()?.name;
        after.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        self.pass(begins + text.len(), text.len() + "</>".len() + name.len());
        Some(text)
    }

    /// Everything in the element begun last, up to its end.
    fn content(&mut self) -> Result<Content<'a>, DecodeError> {
        let begins = position(self.reader.buffer_position());
        let mut text = Cow::Borrowed("");
        if std::mem::take(&mut self.ends) {
            return self.end(None).map(|()| Content { text, markup: None });
        }
        if let Some(text) = self.lone_text(begins) {
            return self.end(None).map(|()| Content { text: Cow::Borrowed(text), markup: None });
        }
        let outside = self.open.len();
        // Names of the elements in it.
        let mut inner = Vec::new();
        let mut has_elements = false;
        let end = loop {
            let piece = match self.read()? {
                XmlEvent::Text(piece) => self.characters(piece)?,
                XmlEvent::CData(piece) => self.cdata(piece)?,
                XmlEvent::GeneralRef(reference) => self.reference(&reference)?,
                XmlEvent::End(tag) => match inner.pop() {
                    None => break tag,
                    Some(began) => {
                        self.check_end(began, &tag)?;
                        continue;
                    }
                },
                XmlEvent::Start(tag) => {
                    self.count(outside + inner.len())?;
                    inner.push(self.name(&tag));
                    has_elements = true;
                    continue;
                }
                XmlEvent::Empty(_) => {
                    self.count(outside + inner.len())?;
                    has_elements = true;
                    continue;
                }
                XmlEvent::Eof => return Err(self.error(DOCUMENT, Problem::Short)),
                XmlEvent::Decl(_) | XmlEvent::PI(_) | XmlEvent::DocType(_) | XmlEvent::Comment(_) => continue,
            };
            if inner.is_empty() {
                append(&mut text, piece);
            }
        };
        let markup = self.text.get(begins..self.at).filter(|_| has_elements);
        if let Some(markup) = markup.filter(|_| !self.plain) {
            self.allowed(Cow::Borrowed(markup))?;
        }
        self.end(Some(&end))?;
        Ok(Content { text, markup })
    }
}

impl<'a> Pull<'a> for XmlReader<'a, '_> {
    fn next(&mut self) -> Result<Event<'a>, DecodeError> {
        if std::mem::take(&mut self.ends) {
            self.end(None)?;
            return Ok(Event::End);
        }
        if let Some(event) = self.plain_tag() {
            return event;
        }
        loop {
            let text = match self.read()? {
                XmlEvent::Start(tag) => return self.start(&tag).map(Event::Start),
                XmlEvent::End(tag) => return self.end(Some(&tag)).map(|()| Event::End),
                XmlEvent::Empty(tag) => {
                    self.ends = true;
                    return self.start(&tag).map(Event::Start);
                }
                XmlEvent::Text(text) => self.characters(text)?,
                XmlEvent::CData(text) => self.cdata(text)?,
                XmlEvent::GeneralRef(reference) => self.reference(&reference)?,
                XmlEvent::Eof => return Err(self.error(DOCUMENT, Problem::Short)),
                XmlEvent::Decl(_) | XmlEvent::PI(_) | XmlEvent::DocType(_) | XmlEvent::Comment(_) => continue,
            };
            if !self.open.is_empty() {
                return Ok(Event::Text(text));
            }
            if !text.trim_ascii().is_empty() {
                return Err(self.error(DOCUMENT, Problem::Syntax("text outside of the root element".into())));
            }
        }
    }

    fn at(&self) -> usize {
        self.offset + self.at
    }

    fn leniency(&mut self) -> &mut Leniency {
        self.leniency
    }

    fn attributes(&self) -> Result<Attributes<'a>, DecodeError> {
        let mut found = Vec::new();
        for attribute in RawAttributes::new(self.attributes, 0) {
            let syntax = |cause: String| self.error(DOCUMENT, Problem::Syntax(cause.into()));
            let attribute = attribute.map_err(|cause| syntax(cause.to_string()))?;
            let name = attribute.key.0;
            if name != "xmlns" && !name.starts_with("xmlns:") {
                let value = attribute.normalized_value(XmlVersion::Explicit1_0);
                let value = value.map_err(|cause| syntax(cause.to_string()))?;
                found.push((Cow::Borrowed(name), value));
            }
        }
        Ok(found)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.content().map(|content| content.text)
    }

    fn data(&mut self) -> Result<Data<'a>, DecodeError> {
        self.content().map(|content| Data::Text(content.markup.map_or(content.text, Cow::Borrowed)))
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        loop {
            match self.read()? {
                XmlEvent::Eof => return Ok(()),
                XmlEvent::Text(text) if text.trim_ascii().is_empty() => {}
                XmlEvent::Comment(_) | XmlEvent::PI(_) => {}
                _ => return Err(self.error(DOCUMENT, Problem::Trailing)),
            }
        }
    }
}

/// Whether every character is allowed in XML, and no line end needs to be normalised, as far as a glance at the octets can tell.
fn is_plain(text: &str) -> bool {
    // U+FFFE and U+FFFF, which XML does not allow, begin with 0xEF.
    let suspicious = |octet: u8| (octet < 0x20 && octet != b'\n' && octet != b'\t') || octet == 0xEF;
    // No early end within a block, so that the compiler can look at many octets at once.
    !text.as_bytes().chunks(256).any(|block| block.iter().fold(false, |any, octet| any | suspicious(*octet)))
}

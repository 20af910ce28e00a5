//! XML documents as trees of elements, under limits: what the XML formats share.
//!
//! DOCTYPE, comments and processing instructions are passed over; no entity but the five of XML itself is resolved.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::errors::SyntaxError;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::Limits;
use crate::error::{DecodeError, Problem};

/// Field of errors in the syntax of the document.
const DOCUMENT: &str = "document";

/// Deepest nesting whatever [`Limits::depth`] says: what walks the tree later does so by recursion.
const DEEPEST: usize = 256;
/// Most attributes of an element.
const MAX_ATTRIBUTES: usize = 64;

/// An element with all that is in it.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// Local name.
    pub(crate) name: String,
    /// Byte offset of its start tag.
    pub(crate) at: usize,
    /// Its attributes but declarations of namespaces, by their names as written.
    pub(crate) attributes: Vec<(String, String)>,
    /// Text and CDATA directly in it, in one piece, line ends normalised.
    pub(crate) text: String,
    /// Child elements in order.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a document and gives its root element; `known` says which namespaces (`None`: no namespace) belong to the format. Elements of
/// others are passed over with their content.
///
/// # Errors
/// On broken syntax or a limit, with byte offset.
pub(crate) fn parse(
    input: &[u8],
    limits: &Limits,
    known: impl Fn(Option<&str>) -> bool,
) -> Result<Element, DecodeError> {
    let error = |at, problem| DecodeError { at, field: DOCUMENT, problem };
    if input.len() > limits.bytes {
        return Err(error(limits.bytes, Problem::TooLarge { limit: limits.bytes }));
    }
    let text = std::str::from_utf8(input).map_err(|e| error(e.valid_up_to(), Problem::BadUtf8))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        offset: input.len() - text.len(),
        limits,
        known: &known,
        open: Vec::new(),
        root: None,
        foreign_depth: 0,
        items: 0,
    };
    let mut reader = NsReader::from_str(text);
    loop {
        let at = builder.offset + position(reader.buffer_position());
        let event = match reader.read_resolved_event() {
            Ok((_, Event::Eof)) => return builder.finish(input.len()),
            Ok((namespace, Event::Start(tag))) => builder.start(at, &namespace, &tag),
            Ok((namespace, Event::Empty(tag))) => {
                builder.start(at, &namespace, &tag).and_then(|()| builder.end(at))
            }
            Ok((_, Event::End(_))) => builder.end(at),
            Ok((_, Event::Text(text))) => builder.text(at, &text.xml_content(XmlVersion::Explicit1_0)),
            Ok((_, Event::CData(text))) => builder.text(at, &text.xml_content(XmlVersion::Explicit1_0)),
            Ok((_, Event::GeneralRef(reference))) => builder.reference(at, &reference),
            Ok((_, Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_))) => Ok(()),
            Err(cause) => {
                let at = builder.offset + position(reader.error_position());
                Err(error(at, describe(&cause)))
            }
        };
        event?;
    }
}

/// What the parser says.
pub(crate) fn describe(cause: &quick_xml::Error) -> Problem {
    let text = match cause {
        quick_xml::Error::Syntax(cause @ SyntaxError::InvalidBangMarkup) => cause.to_string(),
        // All others say that something is not closed.
        quick_xml::Error::Syntax(_) => return Problem::Short,
        quick_xml::Error::IllFormed(cause) => cause.to_string(),
        cause => cause.to_string(),
    };
    Problem::Syntax(text.into())
}

/// A position of the parser.
pub(crate) fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

struct Builder<'l> {
    /// What stands before the text, a byte order mark.
    offset: usize,
    limits: &'l Limits,
    known: &'l dyn Fn(Option<&str>) -> bool,
    /// Elements that have begun, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
    /// How many foreign elements have begun and not ended.
    foreign_depth: usize,
    items: usize,
}

impl Builder<'_> {
    fn start(
        &mut self,
        at: usize,
        namespace: &ResolveResult<'_>,
        tag: &BytesStart<'_>,
    ) -> Result<(), DecodeError> {
        let error = |problem| Err(DecodeError { at, field: DOCUMENT, problem });
        if self.root.is_some() {
            return error(Problem::Trailing);
        }
        if self.items >= self.limits.items {
            return error(Problem::TooMany { limit: self.limits.items });
        }
        self.items += 1;
        let limit = self.limits.depth.min(DEEPEST);
        if self.open.len() + self.foreign_depth >= limit {
            return error(Problem::TooDeep { limit });
        }
        let known = match namespace {
            ResolveResult::Unbound => (self.known)(None),
            ResolveResult::Bound(namespace) => (self.known)(Some(namespace.as_ref())),
            ResolveResult::Unknown(_) => false,
        };
        if self.foreign_depth > 0 || !known {
            self.foreign_depth += 1;
        } else {
            let name = tag.local_name().as_ref().to_owned();
            let attributes =
                attributes(tag).map_err(|problem| DecodeError { at, field: DOCUMENT, problem })?;
            self.open.push(Element { name, at, attributes, ..Element::default() });
        }
        Ok(())
    }

    fn end(&mut self, at: usize) -> Result<(), DecodeError> {
        if self.foreign_depth > 0 {
            self.foreign_depth -= 1;
            return Ok(());
        }
        let Some(element) = self.open.pop() else {
            let problem = Problem::Syntax("an end tag without a start tag".into());
            return Err(DecodeError { at, field: DOCUMENT, problem });
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, at: usize, text: &str) -> Result<(), DecodeError> {
        let syntax = |problem: &'static str| {
            Err(DecodeError { at, field: DOCUMENT, problem: Problem::Syntax(problem.into()) })
        };
        if !text.chars().all(is_xml_char) {
            return syntax("a character that XML does not allow");
        }
        match self.open.last_mut() {
            _ if self.foreign_depth > 0 => {}
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return syntax("text outside of the root element"),
        }
        Ok(())
    }

    fn reference(&mut self, at: usize, reference: &BytesRef<'_>) -> Result<(), DecodeError> {
        match resolve_reference(reference) {
            Ok(text) => self.text(at, &text),
            Err(problem) => Err(DecodeError { at, field: DOCUMENT, problem }),
        }
    }

    fn finish(self, end: usize) -> Result<Element, DecodeError> {
        let error = |problem| DecodeError { at: end, field: DOCUMENT, problem };
        if !self.open.is_empty() || self.foreign_depth > 0 {
            return Err(error(Problem::Short));
        }
        self.root.ok_or_else(|| error(Problem::Missing))
    }
}

/// Attributes of a tag, as the element keeps them.
fn attributes(tag: &BytesStart<'_>) -> Result<Vec<(String, String)>, Problem> {
    let syntax = |cause: String| Problem::Syntax(cause.into());
    let mut kept = Vec::new();
    for (index, attribute) in tag.attributes().enumerate() {
        if index >= MAX_ATTRIBUTES {
            return Err(Problem::TooMany { limit: MAX_ATTRIBUTES });
        }
        let attribute = attribute.map_err(|cause| syntax(cause.to_string()))?;
        let name = attribute.key.as_ref();
        if name != "xmlns" && !name.starts_with("xmlns:") {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|cause| syntax(cause.to_string()))?.into_owned();
            if !value.chars().all(is_xml_char) {
                return Err(Problem::Syntax("a character that XML does not allow".into()));
            }
            kept.push((name.to_owned(), value));
        }
    }
    Ok(kept)
}

/// What a character reference, or one of the five entities, stands for.
pub(crate) fn resolve_reference(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Problem> {
    let syntax = |cause: String| Problem::Syntax(cause.into());
    if let Some(character) = reference.resolve_char_ref().map_err(|cause| syntax(cause.to_string()))? {
        return Ok(Cow::Owned(character.to_string()));
    }
    let name = reference.xml_content(XmlVersion::Explicit1_0);
    let text = resolve_xml_entity(&name).map(Cow::Borrowed);
    text.ok_or_else(|| syntax(format!("the entity {name} is not one of the five of XML")))
}

/// Whether XML 1.0 allows this character (`XML 1.0 §2.2`).
pub(crate) fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// `text` as element content. What XML cannot hold becomes U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    escape_into(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// `text` as the value of an attribute between double quotes. White space other than a space would be read as one.
pub(crate) fn escape_attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Appends `text` as element content. What XML cannot hold becomes U+FFFD.
pub(crate) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(length) = rest.iter().position(|octet| wants_escape(*octet)) {
        let (before, from) = rest.split_at(length);
        out.extend_from_slice(before);
        let (escaped, taken): (&[u8], _) = match from {
            [b'&', ..] => (b"&amp;", 1),
            [b'<', ..] => (b"&lt;", 1),
            [b'>', ..] => (b"&gt;", 1),
            // A parser would read a bare one as a line feed.
            [b'\r', ..] => (b"&#13;", 1),
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => (REPLACEMENT, 3),
            [0xEF, second, third, ..] => (&[0xEF, *second, *third], 3),
            _ => (REPLACEMENT, 1),
        };
        out.extend_from_slice(escaped);
        rest = from.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Whether an octet of UTF-8 may not stand as it is; 0xEF begins U+FFFE and U+FFFF, among others.
fn wants_escape(octet: u8) -> bool {
    matches!(octet, b'&' | b'<' | b'>' | b'\r' | 0xEF) || (octet < 0x20 && !matches!(octet, b'\n' | b'\t'))
}

/// Octets of a character as [`escape_into`] writes it.
pub(crate) fn escaped_length(character: char) -> usize {
    match character {
        '&' | '\r' => 5,
        '<' | '>' => 4,
        character if is_xml_char(character) => character.len_utf8(),
        _ => REPLACEMENT.len(),
    }
}

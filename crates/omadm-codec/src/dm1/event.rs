//! Documents as a stream of elements and text, whatever their encoding.
//!
//! A decoder is written once, over [`Pull`], and an encoder once, over [`Push`]; both exist in XML ([`XmlReader`], [`XmlWriter`]) and
//! in WBXML ([`WbxmlReader`], [`WbxmlWriter`]). Nothing is built in between: a reader borrows text from its input, and keeps limits,
//! code pages, namespaces and the charset to itself.
//!
//! ```
//! use omadm_codec::dm1::element::{Ddf, Element};
//! use omadm_codec::dm1::event::{Pull, Tag, XmlReader};
//! use omadm_codec::{DecodeError, Leniency, Limits};
//!
//! fn versions<'a>(source: &mut impl Pull<'a>) -> Result<Vec<String>, DecodeError> {
//!     let mut versions = Vec::new();
//!     source.root(Ddf::MgmtTree)?;
//!     while let Some(tag) = source.child()? {
//!         match tag {
//!             Tag::Known(Element::Ddf(Ddf::VerDtd)) => versions.push(source.value()?.into_owned()),
//!             _ => source.skip()?,
//!         }
//!     }
//!     source.finish()?;
//!     Ok(versions)
//! }
//!
//! let text = br#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD></MgmtTree>"#;
//! let mut leniency = Leniency::strict();
//! let mut reader = XmlReader::new(text, &Limits::default(), &mut leniency)?;
//! assert_eq!(versions(&mut reader)?, ["1.2"]);
//! # Ok::<(), DecodeError>(())
//! ```
//!
//! TNDS comes to its reader in three ways, told apart by what [`Data`] holds:
//!
//! - text or markup in an XML message, or text in a WBXML message: [`Data::Text`] with an XML document;
//! - OPAQUE of a WBXML message: [`Data::Opaque`] with a document of its own, in WBXML or XML as the media type says;
//! - tags of code page 2 directly in `Data` of a WBXML message: [`Data::Text`] again, with an XML document made from them (OPAQUE below
//!   it is base64 there). So [`Data::Text`] is XML even where the media type says `+wbxml`, unless the format says it is base64.

use std::borrow::Cow;

use super::element::Element;
use super::message::Data;
pub use super::wbxml::{PublicId, WbxmlReader, WbxmlVersion, WbxmlWriter};
pub use super::xml::{XmlReader, XmlWriter};
use crate::{DecodeError, Leniency, Problem};

/// What begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag<'a> {
    /// An element of the tables.
    Known(Element),
    /// Another, by its local name.
    Unknown(Cow<'a, str>),
    /// A token of WBXML that stands for no element: itself and its page, for people.
    Token(Cow<'a, str>),
}

/// A step through a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An element begins; one without content ends at once.
    Start(Tag<'a>),
    /// Characters. What stands in one piece in the document may come in several.
    Text(Cow<'a, str>),
    /// OPAQUE of WBXML.
    Opaque(&'a [u8]),
    /// The element that began last and has not ended, ends.
    End,
}

/// Deepest nesting whatever [`crate::Limits::depth`] says: a decoder may walk down by recursion.
pub(crate) const DEEPEST: usize = 256;

/// Attributes of an element, name and value.
pub type Attributes<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads a document.
///
/// `root`, then for each element begun exactly one of `child` until it gives none, `text`, `value`, `data` or `skip`; at last `finish`.
pub trait Pull<'a> {
    /// The next event below the root element. After the end of the root there is none: call [`Pull::finish`].
    ///
    /// # Errors
    /// On broken syntax or a limit, with byte offset.
    fn next(&mut self) -> Result<Event<'a>, DecodeError>;

    /// Byte offset of what came last.
    fn at(&self) -> usize;

    /// Which tolerances are on, and were used.
    fn leniency(&mut self) -> &mut Leniency;

    /// Attributes of the element that began last, without declarations of namespaces. WBXML has none here.
    ///
    /// # Errors
    /// When their syntax is broken.
    fn attributes(&self) -> Result<Attributes<'a>, DecodeError> {
        Ok(Vec::new())
    }

    /// Content of `Data`, which has just begun, up to its end.
    ///
    /// # Errors
    /// As [`Pull::next`].
    fn data(&mut self) -> Result<Data<'a>, DecodeError>;

    /// Refuses what follows the root element.
    ///
    /// # Errors
    /// When something does.
    fn finish(&mut self) -> Result<(), DecodeError>;

    /// Begins the document, whose root element must be this one.
    ///
    /// # Errors
    /// When it is another.
    fn root(&mut self, root: impl Into<Element>) -> Result<(), DecodeError> {
        let root = root.into();
        let found = match self.next()? {
            Event::Start(Tag::Known(found)) if found == root => return Ok(()),
            Event::Start(Tag::Known(found)) => Cow::Borrowed(found.name()),
            Event::Start(Tag::Unknown(found) | Tag::Token(found)) => found,
            Event::Text(_) | Event::Opaque(_) | Event::End => Cow::Borrowed("no element"),
        };
        let of = if found == root.name() { ", but of a foreign namespace" } else { "" };
        Err(self.schema(root.name(), format!("the root element is {found}{of}")))
    }

    /// The next child of the element begun last; `None` at its end.
    ///
    /// # Errors
    /// As [`Pull::next`], and on characters other than white space.
    #[inline]
    fn child(&mut self) -> Result<Option<Tag<'a>>, DecodeError> {
        loop {
            match self.next()? {
                Event::Start(tag) => return Ok(Some(tag)),
                Event::End => return Ok(None),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Text(_) | Event::Opaque(_) => {
                    return Err(self.schema("document", "text where only elements may stand"));
                }
            }
        }
    }

    /// The characters of the element begun last, up to its end; elements in it are skipped.
    ///
    /// # Errors
    /// As [`Pull::next`], and when an OPAQUE is not UTF-8.
    fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.text_with(skipped)
    }

    /// As [`Pull::text`], with what `inner` makes of the elements in it.
    ///
    /// # Errors
    /// As [`Pull::text`] and `inner`.
    fn text_with(
        &mut self,
        mut inner: impl FnMut(&mut Self, Tag<'a>) -> Result<Cow<'a, str>, DecodeError>,
    ) -> Result<Cow<'a, str>, DecodeError> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.next()? {
                Event::Text(piece) => append(&mut text, piece),
                Event::Opaque(octets) => {
                    let piece =
                        std::str::from_utf8(octets).map_err(|_| self.error("document", Problem::BadUtf8))?;
                    append(&mut text, Cow::Borrowed(piece));
                }
                Event::Start(tag) => append(&mut text, inner(self, tag)?),
                Event::End => return Ok(text),
            }
        }
    }

    /// As [`Pull::text`], without the white space around it.
    ///
    /// # Errors
    /// As [`Pull::text`].
    #[inline]
    fn value(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.text().map(trim)
    }

    /// Passes over the element begun last and all that is in it.
    ///
    /// # Errors
    /// As [`Pull::next`].
    fn skip(&mut self) -> Result<(), DecodeError> {
        let mut depth = 0_usize;
        loop {
            match self.next()? {
                Event::Start(_) => depth += 1,
                Event::End if depth == 0 => return Ok(()),
                Event::End => depth -= 1,
                Event::Text(_) | Event::Opaque(_) => {}
            }
        }
    }

    /// The error for a problem with what came last.
    fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { at: self.at(), field, problem }
    }

    /// The error when what came last does not fit the schema.
    fn schema(&self, field: &'static str, text: impl Into<Cow<'static, str>>) -> DecodeError {
        self.error(field, Problem::Schema(text.into()))
    }
}

/// No text, for [`Pull::text_with`].
pub(crate) fn skipped<'a, S: Pull<'a> + ?Sized>(
    source: &mut S,
    _: Tag<'a>,
) -> Result<Cow<'a, str>, DecodeError> {
    source.skip().map(|()| Cow::Borrowed(""))
}

/// Adds a piece of text, without a copy as long as there is only one.
#[inline]
pub(crate) fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

/// Text without the white space around it.
#[inline]
pub(crate) fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_blank = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_whitespace);
    if !is_blank(text.as_bytes().first()) && !is_blank(text.as_bytes().last()) {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
    }
}

/// Writes a document. Each `start` wants its `end`.
pub trait Push {
    /// Begins an element.
    fn start(&mut self, element: impl Into<Element>);
    /// Ends the element that began last.
    fn end(&mut self);
    /// An element without content.
    fn empty(&mut self, element: impl Into<Element>);
    /// Characters, escaped as the encoding wants it.
    fn text(&mut self, text: &str);
    /// Characters that must not be escaped: CDATA in XML, OPAQUE in WBXML.
    fn cdata(&mut self, text: &str);
    /// Octets: OPAQUE in WBXML, base64 in XML.
    fn opaque(&mut self, octets: &[u8]);

    /// Characters that are a document of their own: CDATA in XML, a string in WBXML.
    fn markup(&mut self, text: &str) {
        self.cdata(text);
    }
    /// An element with characters.
    fn leaf(&mut self, element: impl Into<Element>, text: &str) {
        if text.is_empty() {
            self.empty(element);
        } else {
            self.start(element);
            self.text(text);
            self.end();
        }
    }
    /// An element with what `content` writes.
    fn within(&mut self, element: impl Into<Element>, content: impl FnOnce(&mut Self))
    where
        Self: Sized,
    {
        self.start(element);
        content(self);
        self.end();
    }
}

/// Writes the rest of the element begun last, without its end. Elements that the tables do not have are left out.
pub(crate) fn transcribe<'a>(source: &mut impl Pull<'a>, sink: &mut impl Push) -> Result<(), DecodeError> {
    let mut depth = 0_usize;
    loop {
        match source.next()? {
            Event::Start(Tag::Known(element)) => {
                sink.start(element);
                depth += 1;
            }
            Event::Start(Tag::Unknown(_) | Tag::Token(_)) => source.skip()?,
            Event::Text(text) => sink.text(&text),
            Event::Opaque(octets) => sink.opaque(octets),
            Event::End if depth == 0 => return Ok(()),
            Event::End => {
                sink.end();
                depth -= 1;
            }
        }
    }
}

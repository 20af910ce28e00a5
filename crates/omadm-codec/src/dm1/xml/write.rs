//! The writer of XML.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{DDF, METINF, SYNCML_11, SYNCML_12};
use crate::dm1::element::{Element, Page};
use crate::dm1::event::Push;
use crate::xml::{escape_into, is_xml_char};

/// Most messages need no more octets.
const USUAL: usize = 2048;

/// Writes a document in XML: no declaration, no white space, a namespace on each element whose parent is of another.
#[derive(Clone)]
pub struct XmlWriter {
    out: Vec<u8>,
    open: Vec<Element>,
    /// Namespace of SyncML.
    syncml: &'static str,
}

impl XmlWriter {
    /// Begins a document; `ver_dtd` decides about the namespace of SyncML.
    #[must_use]
    pub fn new(ver_dtd: &str) -> Self {
        let syncml = if ver_dtd == "1.1" { SYNCML_11 } else { SYNCML_12 };
        Self { out: Vec::with_capacity(USUAL), open: Vec::new(), syncml }
    }
    /// What was written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }
    /// The document.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }
    /// The document as text, which XML always is.
    #[must_use]
    pub fn into_text(self) -> String {
        String::from_utf8(self.out).unwrap_or_default()
    }

    /// Octets of the document if it ended after an element without content, or at once.
    pub(in crate::dm1) fn closed_length(&self, last: Option<Element>) -> usize {
        let last = last.map_or(0, |element| element.name().len() + "</>".len());
        let ends: usize = self.open.iter().map(|element| element.name().len() + "</>".len()).sum();
        self.out.len() + last + ends
    }
    /// A place to come back to while no element that is open there has ended.
    pub(in crate::dm1) fn place(&self) -> Place {
        Place(self.out.len())
    }
    pub(in crate::dm1) fn rewind(&mut self, place: Place) {
        self.out.truncate(place.0);
    }

    /// A start tag without its bracket.
    fn tag(&mut self, element: Element) {
        self.out.push(b'<');
        self.out.extend_from_slice(element.name().as_bytes());
        let page = element.page();
        if self.open.last().is_none_or(|parent| parent.page() != page) {
            let namespace = match page {
                Page::SyncMl => self.syncml,
                Page::MetInf => METINF,
                Page::Ddf => DDF,
            };
            for part in [" xmlns=\"", namespace, "\""] {
                self.out.extend_from_slice(part.as_bytes());
            }
        }
    }
}

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(in crate::dm1) struct Place(usize);

impl fmt::Debug for XmlWriter {
    /// A document may hold secrets: only how long it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XmlWriter({} octets)", self.out.len())
    }
}

impl Push for XmlWriter {
    fn start(&mut self, element: impl Into<Element>) {
        let element = element.into();
        self.tag(element);
        self.out.push(b'>');
        self.open.push(element);
    }

    fn end(&mut self) {
        if let Some(element) = self.open.pop() {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(element.name().as_bytes());
            self.out.push(b'>');
        }
    }

    fn empty(&mut self, element: impl Into<Element>) {
        self.tag(element.into());
        self.out.extend_from_slice(b"/>");
    }

    fn text(&mut self, text: &str) {
        escape_into(text, &mut self.out);
    }

    fn cdata(&mut self, text: &str) {
        // A parser would read a CR as a line feed, and there is no escape for it in CDATA.
        if text.contains('\r') || !text.chars().all(is_xml_char) {
            return self.text(text);
        }
        self.out.extend_from_slice(b"<![CDATA[");
        self.out.extend_from_slice(text.replace("]]>", "]]]]><![CDATA[>").as_bytes());
        self.out.extend_from_slice(b"]]>");
    }

    fn opaque(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(STANDARD.encode(octets).as_bytes());
    }
}

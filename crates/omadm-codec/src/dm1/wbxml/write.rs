//! The writer of WBXML.

use std::fmt;

use super::{PublicId, WbxmlVersion};
use crate::dm1::element::{Element, Page};
use crate::dm1::event::Push;
use crate::wbxml::global::{END, OPAQUE, STR_I, SWITCH_PAGE};
use crate::wbxml::{HAS_CONTENT, UTF_8};

/// Most messages need no more octets.
const USUAL: usize = 512;

/// Writes a document in WBXML: UTF-8, no string table, a page switched only where it changes.
#[derive(Clone)]
pub struct WbxmlWriter {
    out: Vec<u8>,
    page: Page,
    /// Elements that have begun and not ended.
    depth: usize,
}

impl WbxmlWriter {
    /// Begins a document.
    #[must_use]
    pub fn new(version: WbxmlVersion, id: PublicId) -> Self {
        let mut out = Vec::with_capacity(USUAL);
        out.push(version.octet());
        number(id.number(), &mut out);
        number(UTF_8.into(), &mut out);
        number(0, &mut out);
        Self { out, page: Page::SyncMl, depth: 0 }
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

    /// Octets of the document if it ended after an element without content, or at once.
    pub(in crate::dm1) fn closed_length(&self, last: Option<Element>) -> usize {
        let last = last.map_or(0, |element| if element.page() == self.page { 1 } else { 3 });
        self.out.len() + last + self.depth
    }
    /// A place to come back to while no element that is open there has ended.
    pub(in crate::dm1) fn place(&self) -> Place {
        Place { length: self.out.len(), page: self.page }
    }
    pub(in crate::dm1) fn rewind(&mut self, place: Place) {
        self.out.truncate(place.length);
        self.page = place.page;
    }

    fn tag(&mut self, element: Element, flags: u8) {
        let page = element.page();
        if page != self.page {
            self.out.extend_from_slice(&[SWITCH_PAGE, page.number()]);
            self.page = page;
        }
        self.out.push(element.token() | flags);
    }
}

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(in crate::dm1) struct Place {
    length: usize,
    page: Page,
}

impl fmt::Debug for WbxmlWriter {
    /// A document may hold secrets: only how long it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WbxmlWriter({} octets)", self.out.len())
    }
}

impl Push for WbxmlWriter {
    fn start(&mut self, element: impl Into<Element>) {
        self.tag(element.into(), HAS_CONTENT);
        self.depth += 1;
    }

    fn end(&mut self) {
        self.out.push(END);
        self.depth = self.depth.saturating_sub(1);
    }

    fn empty(&mut self, element: impl Into<Element>) {
        self.tag(element.into(), 0);
    }

    fn text(&mut self, text: &str) {
        // A zero octet would end the string.
        if text.as_bytes().contains(&0) {
            return self.opaque(text.as_bytes());
        }
        self.out.push(STR_I);
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(0);
    }

    fn markup(&mut self, text: &str) {
        self.text(text);
    }

    fn cdata(&mut self, text: &str) {
        self.opaque(text.as_bytes());
    }

    fn opaque(&mut self, octets: &[u8]) {
        self.out.push(OPAQUE);
        // No message that anybody takes is longer than 4 GiB.
        number(u32::try_from(octets.len()).unwrap_or(u32::MAX), &mut self.out);
        self.out.extend_from_slice(octets);
    }
}

/// Appends an `mb_u_int32`: groups of seven bits, the highest first, each but the last with its top bit set.
pub(super) fn number(value: u32, out: &mut Vec<u8>) {
    for shift in [28, 21, 14, 7] {
        if value >> shift != 0 {
            let [.., group] = (value >> shift).to_be_bytes();
            out.push(group | 0x80);
        }
    }
    let [.., group] = value.to_be_bytes();
    out.push(group & 0x7F);
}

/// Octets of a length as an `mb_u_int32`.
pub(in crate::dm1) fn number_length(value: usize) -> usize {
    [1 << 7, 1 << 14, 1 << 21, 1 << 28].iter().filter(|limit| value >= **limit).count() + 1
}

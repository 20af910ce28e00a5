//! The writer of WBXML.

use super::global::{END, OPAQUE, STR_I, SWITCH_PAGE};
use super::{HAS_CONTENT, PublicId, WbxmlVersion};
use crate::dm1::element::{Element, Page};
use crate::dm1::event::Push;

/// MIBenum of UTF-8.
const UTF_8: u32 = 106;

/// Writes a document in WBXML: UTF-8, no string table, a page switched only where it changes.
#[derive(Clone, Debug)]
pub struct WbxmlWriter {
    out: Vec<u8>,
    page: Page,
}

impl WbxmlWriter {
    /// Begins a document.
    #[must_use]
    pub fn new(version: WbxmlVersion, id: PublicId) -> Self {
        let mut out = vec![version.octet()];
        number(id.number(), &mut out);
        number(UTF_8, &mut out);
        number(0, &mut out);
        Self { out, page: Page::SyncMl }
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

    fn tag(&mut self, element: Element, flags: u8) {
        let page = element.page();
        if page != self.page {
            self.out.extend_from_slice(&[SWITCH_PAGE, page.number()]);
            self.page = page;
        }
        self.out.push(element.token() | flags);
    }
}

impl Push for WbxmlWriter {
    fn start(&mut self, element: impl Into<Element>) {
        self.tag(element.into(), HAS_CONTENT);
    }

    fn end(&mut self) {
        self.out.push(END);
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

    fn cdata(&mut self, text: &str) {
        self.text(text);
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

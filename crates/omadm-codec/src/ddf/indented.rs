//! XML for people: files, not messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dm1::element::{Ddf, Element};
use crate::dm1::event::Push;
use crate::xml::escape_into;

/// Writes a DDF document with its declaration, one element a line, indented by two blanks a level. What is in an element that is no
/// node and no list of properties stands on its line.
pub(super) struct Indented<'o> {
    out: &'o mut Vec<u8>,
    /// Elements that have begun and not ended.
    open: Vec<Element>,
    /// How many of them have lines of their own.
    depth: usize,
}

impl<'o> Indented<'o> {
    /// Begins the document.
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self { out, open: Vec::new(), depth: 0 }
    }

    /// Blanks before an element that begins a line.
    fn indent(&mut self) {
        if self.open.len() == self.depth {
            self.out.resize(self.out.len() + 2 * self.depth, b' ');
        }
    }

    /// The end of a line after an element that began one.
    fn line_end(&mut self) {
        if self.open.len() == self.depth {
            self.out.push(b'\n');
        }
    }

    /// A tag without its brackets.
    fn name(&mut self, element: Element) {
        self.out.extend_from_slice(element.name().as_bytes());
        if self.open.is_empty() {
            self.out.extend_from_slice(b" xmlns=\"syncml:dmddf1.2\"");
        }
    }
}

/// Whether what is in an element stands on lines of its own.
fn has_lines(element: Element) -> bool {
    matches!(element, Element::Ddf(Ddf::MgmtTree | Ddf::Node | Ddf::RtProperties | Ddf::DfProperties))
}

impl Push for Indented<'_> {
    fn start(&mut self, element: impl Into<Element>) {
        let element = element.into();
        self.indent();
        self.out.push(b'<');
        self.name(element);
        self.out.push(b'>');
        self.open.push(element);
        if has_lines(element) {
            self.depth += 1;
            self.out.push(b'\n');
        }
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        if has_lines(element) {
            self.depth -= 1;
            self.indent();
        }
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(element.name().as_bytes());
        self.out.push(b'>');
        self.line_end();
    }

    fn empty(&mut self, element: impl Into<Element>) {
        self.indent();
        self.out.push(b'<');
        self.name(element.into());
        self.out.extend_from_slice(b"/>");
        self.line_end();
    }

    fn text(&mut self, text: &str) {
        escape_into(text, self.out);
    }

    fn cdata(&mut self, text: &str) {
        self.text(text);
    }

    fn opaque(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(STANDARD.encode(octets).as_bytes());
    }
}

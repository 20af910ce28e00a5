//! Writing multipart bodies.

use super::PartHead;
use crate::media_type::{quote, quote_if_needed};

/// Writes a body part by part.
pub struct Writer {
    boundary: String,
    begun: bool,
}

impl Writer {
    /// A writer with this boundary; pick one by [`boundary_for`] so that no part holds it.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        Self { boundary: boundary.to_owned(), begun: false }
    }
    /// Appends delimiter and head of the next part; the caller appends its body.
    pub fn begin(&mut self, head: &PartHead, out: &mut Vec<u8>) {
        self.delimiter(out);
        out.extend_from_slice(b"\r\nContent-Disposition: form-data");
        if let Some(name) = &head.name {
            out.extend_from_slice(b"; name=");
            out.extend_from_slice(quote(name).as_bytes());
        }
        if let Some(content_type) = &head.content_type {
            out.extend_from_slice(b"\r\nContent-Type: ");
            // A line end in it would begin another field.
            out.extend(content_type.bytes().filter(|byte| !byte.is_ascii_control() || *byte == b'\t'));
        }
        out.extend_from_slice(b"\r\n\r\n");
    }
    /// Appends the closing delimiter.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.delimiter(out);
        out.extend_from_slice(b"--\r\n");
    }

    fn delimiter(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"--");
        out.extend_from_slice(self.boundary.as_bytes());
    }
}

/// A boundary made from `seed` that occurs in none of `bodies`.
#[must_use]
pub fn boundary_for(seed: u64, bodies: &[&[u8]]) -> String {
    let mut number = seed;
    loop {
        let boundary = format!("omadm-{number:016x}");
        let used = |body: &&[u8]| body.windows(boundary.len()).any(|window| window == boundary.as_bytes());
        if !bodies.iter().any(used) {
            return boundary;
        }
        // Bodies are finite, so some number is free.
        number = number.wrapping_add(1);
    }
}

/// The value of `Content-Type` for a boundary.
#[must_use]
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={}", quote_if_needed(boundary))
}

//! Writing multipart bodies.

use std::collections::BTreeSet;

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

/// How our boundaries begin; 16 hexadecimal digits follow.
const BOUNDARY: &[u8] = b"omadm-";
const DIGITS: usize = 16;

/// A boundary made from `seed` that occurs in none of `bodies`. They are read once, whatever they hold.
#[must_use]
pub fn boundary_for(seed: u64, bodies: &[&[u8]]) -> String {
    let used: BTreeSet<u64> = bodies
        .iter()
        .flat_map(|body| body.windows(BOUNDARY.len() + DIGITS))
        .filter_map(|window| number(window.strip_prefix(BOUNDARY)?))
        .collect();
    let mut free = seed;
    // Bodies are finite, so some number is free.
    while used.contains(&free) {
        free = free.wrapping_add(1);
    }
    format!("omadm-{free:016x}")
}

/// The number of a boundary of ours.
fn number(digits: &[u8]) -> Option<u64> {
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(lower))?;
    u64::from_str_radix(text, 16).ok()
}

/// The value of `Content-Type` for a boundary.
#[must_use]
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={}", quote_if_needed(boundary))
}

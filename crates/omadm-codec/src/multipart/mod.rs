//! `multipart/form-data`, both ways, streaming (`DM 2.0 Appendix F`, `RFC 2046`, `RFC 7578`).

use crate::{DecodeError, Leniency, Limits};

/// Header fields of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// `name` of `Content-Disposition: form-data`.
    pub name: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

/// What a reader finds, in order: `Head`, any number of `Data`, `EndOfPart`, …, `End`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "described above")]
pub enum Event {
    Head(PartHead),
    Data(Vec<u8>),
    EndOfPart,
    End,
}

/// Push parser: feed it chunks as they arrive; it holds no more than a boundary's length plus a part's head.
pub struct Reader {
    _private: (),
}

impl Reader {
    /// A reader for this boundary (1 to 70 characters).
    ///
    /// # Errors
    /// When the boundary is empty, too long, or has illegal characters.
    pub fn new(_boundary: &str, _limits: Limits) -> Result<Self, DecodeError> {
        todo!()
    }
    /// Takes the next chunk of the body and appends what it completes to `events`.
    ///
    /// # Errors
    /// On broken syntax or a limit; the reader is then dead.
    pub fn feed(
        &mut self,
        _chunk: &[u8],
        _leniency: &mut Leniency,
        _events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        todo!()
    }
    /// Says that the body is over.
    ///
    /// # Errors
    /// `Short` when the closing delimiter did not come.
    pub fn finish(self) -> Result<(), DecodeError> {
        todo!()
    }
}

/// A part held whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its header fields.
    pub head: PartHead,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads a whole body that is in memory.
///
/// # Errors
/// As [`Reader`].
pub fn decode(
    _input: &[u8],
    _boundary: &str,
    _limits: &Limits,
    _leniency: &mut Leniency,
) -> Result<Vec<Part>, DecodeError> {
    todo!()
}

/// Writes a body part by part.
pub struct Writer {
    _private: (),
}

impl Writer {
    /// A writer with this boundary; pick one by [`boundary_for`] so that no part holds it.
    #[must_use]
    pub fn new(_boundary: &str) -> Self {
        todo!()
    }
    /// Appends delimiter and head of the next part.
    pub fn begin(&mut self, _head: &PartHead, _out: &mut Vec<u8>) {
        todo!()
    }
    /// Appends the closing delimiter.
    pub fn finish(self, _out: &mut Vec<u8>) {
        todo!()
    }
}

/// A boundary made from `seed` that occurs in none of `bodies`.
#[must_use]
pub fn boundary_for(_seed: u64, _bodies: &[&[u8]]) -> String {
    todo!()
}

/// The value of `Content-Type` for a boundary.
#[must_use]
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

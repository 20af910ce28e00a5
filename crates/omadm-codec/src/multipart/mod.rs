//! `multipart/form-data`, both ways, streaming (`DM 2.0 Appendix F`, `RFC 2046`, `RFC 7578`).

mod read;
mod write;

pub use read::{Reader, decode};
pub use write::{Writer, boundary_for, content_type};

/// Header fields of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// `name` of `Content-Disposition: form-data`.
    pub name: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

/// A part held whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its header fields.
    pub head: PartHead,
    /// Its body.
    pub body: Vec<u8>,
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

/// Longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// Whether `text` may be a boundary (`RFC 2046 §5.1.1`).
fn is_boundary(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST_BOUNDARY && text.bytes().all(legal) && !text.ends_with(' ')
}

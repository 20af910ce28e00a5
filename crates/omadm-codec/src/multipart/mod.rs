//! `multipart/form-data`, both ways, streaming (`DM 2.0 Appendix F`, `RFC 2046`, `RFC 7578`).

mod read;
mod write;

use std::fmt;

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

/// A part held whole. Its body may hold secrets, so `Debug` shows only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Its header fields.
    pub head: PartHead,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a reader finds, in order: `Head`, any number of `Data`, `EndOfPart`, …, `End`. `Debug` shows of data only how long they are.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "described above")]
pub enum Event {
    Head(PartHead),
    Data(Vec<u8>),
    EndOfPart,
    End,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, body } = self;
        write!(f, "Part({head:?}, {} octets)", body.len())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => write!(f, "Head({head:?})"),
            Self::Data(data) => write!(f, "Data({} octets)", data.len()),
            Self::EndOfPart => f.write_str("EndOfPart"),
            Self::End => f.write_str("End"),
        }
    }
}

/// Longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// Whether `text` may be a boundary (`RFC 2046 §5.1.1`).
fn is_boundary(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST_BOUNDARY && text.bytes().all(legal) && !text.ends_with(' ')
}

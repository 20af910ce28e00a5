//! DDF files in XML and in WBXML (`DM 1.3 DDF DTD`, `DM 2.0 §6.4`).

pub(crate) mod element;
mod indented;
mod read;
mod write;

use omadm_mo::ddf::Ddf;

pub use read::decode;
pub use write::{encode, encode_wbxml};

/// A DDF file with what the reader had to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The model.
    pub ddf: Ddf,
    /// Things a person should know: unknown elements skipped, odd VerDTD; with line numbers (byte offsets in WBXML), in the order of the
    /// file.
    pub warnings: Vec<String>,
}

/// Whether a file is in WBXML: it begins with the version, an octet that no XML begins with.
fn is_wbxml(input: &[u8]) -> bool {
    matches!(input, [0..=3, ..])
}

/// Line and column (both from 1, the column in bytes) of a byte offset.
#[must_use]
pub fn line_and_column(input: &[u8], at: usize) -> (usize, usize) {
    let before = input.get(..at).unwrap_or(input);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

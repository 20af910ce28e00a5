//! DDF files in XML (`DM 1.3 DDF DTD`, `DM 2.0 §6.4`).

mod read;
mod write;

use omadm_mo::ddf::Ddf;

pub use read::decode;
pub use write::encode;

/// A DDF file with what the reader had to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The model.
    pub ddf: Ddf,
    /// Things a person should know: unknown elements skipped, odd VerDTD; with line numbers, in the order of the file.
    pub warnings: Vec<String>,
}

/// Line and column (both from 1, the column in bytes) of a byte offset.
#[must_use]
pub fn line_and_column(input: &[u8], at: usize) -> (usize, usize) {
    let before = input.get(..at).unwrap_or(input);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

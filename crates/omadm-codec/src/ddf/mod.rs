//! DDF files in XML (`DM 1.3 DDF DTD`, `DM 2.0 §6.4`).

use omadm_mo::ddf::Ddf;

use crate::{DecodeError, Limits};

/// A DDF file with what the reader had to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The model.
    pub ddf: Ddf,
    /// Things a person should know: unknown elements skipped, odd VerDTD; with line numbers.
    pub warnings: Vec<String>,
}

/// Reads a DDF file. DOCTYPE is skipped, entities other than the five are refused, order of elements is free.
///
/// # Errors
/// With byte offset; [`line_and_column`] turns it into a place for people.
pub fn decode(_input: &[u8], _limits: &Limits) -> Result<Decoded, DecodeError> {
    todo!()
}

/// Appends a DDF file, elements in the order of the DTD.
pub fn encode(_ddf: &Ddf, _out: &mut Vec<u8>) {
    todo!()
}

/// Line and column (both from 1) of a byte offset.
#[must_use]
pub fn line_and_column(_input: &[u8], _at: usize) -> (usize, usize) {
    todo!()
}

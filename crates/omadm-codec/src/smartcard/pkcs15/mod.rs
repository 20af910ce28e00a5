//! The files of PKCS#15 that lead to a bootstrap (`PKCS #15 v1.1`, `DM 2.0 §G.4`), in DER.
//!
//! EF(ODF) says where the directories of objects are, EF(DODF-bootstrap) is one of data objects, and the object with
//! [`BOOTSTRAP`] says where the bootstrap is.

mod dodf;
mod odf;
mod reader;
mod token_info;

pub use der::asn1::ObjectIdentifier;
pub use dodf::{BOOTSTRAP, CLIENT_PROVISIONING, DataObject, ObjectValue};
pub use odf::{Class, Directory, Objects};
pub use reader::{Location, Part};
pub use token_info::{TokenFlags, TokenInfo};

use self::reader::DerReader;
use super::{ERASED, only_filler};
use crate::{DecodeError, Leniency, Limits, Problem};

/// EF(ODF): the directories, the one of the highest priority first.
///
/// # Errors
/// When an entry is malformed, or something stands behind the last one that does not only fill up.
pub fn decode_odf(
    file: &[u8],
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Vec<Directory>, DecodeError> {
    entries(file, limits, leniency, odf::entry)
}

/// EF(DODF): data objects, in their order. Objects with an identifier of another authority are left out.
///
/// # Errors
/// As [`decode_odf`].
pub fn decode_dodf(
    file: &[u8],
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Vec<DataObject>, DecodeError> {
    let objects = entries(file, limits, leniency, dodf::entry)?;
    Ok(objects.into_iter().flatten().collect())
}

/// The octets of EF(ODF), without filler.
///
/// # Errors
/// [`NotEncodable`].
pub fn encode_odf(directories: &[Directory]) -> Result<Vec<u8>, NotEncodable> {
    concat(directories, odf::write)
}

/// The octets of EF(DODF), without filler.
///
/// # Errors
/// [`NotEncodable`].
pub fn encode_dodf(objects: &[DataObject]) -> Result<Vec<u8>, NotEncodable> {
    concat(objects, dodf::write)
}

/// A value that has no form in DER, such as a text of 256 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no file of a card can hold it: {0}")]
pub struct NotEncodable(der::Error);

impl From<der::Error> for NotEncodable {
    fn from(error: der::Error) -> Self {
        Self(error)
    }
}

fn concat<T>(values: &[T], write: impl Fn(&T) -> der::Result<Vec<u8>>) -> Result<Vec<u8>, NotEncodable> {
    let entries = values.iter().map(write).collect::<der::Result<Vec<_>>>()?;
    Ok(entries.concat())
}

/// Values side by side up to the octets that fill up the file: FF, or 00.
fn entries<T>(
    file: &[u8],
    limits: &Limits,
    leniency: &mut Leniency,
    read: impl Fn(&mut DerReader<'_>, &mut Leniency) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut reader = DerReader::new(file, limits)?;
    let mut entries = Vec::new();
    while !matches!(reader.rest(), [] | [ERASED | 0x00, ..]) {
        if entries.len() == limits.items {
            return Err(reader.error("entry", Problem::TooMany { limit: limits.items }));
        }
        entries.push(read(&mut reader, leniency)?);
    }
    only_filler(reader.rest(), reader.at(), "entry", leniency)?;
    Ok(entries)
}

//! The TNDS document that the data of an item is (`DM 1.3 TNDS §5`).

use omadm_codec::dm1::Encoding;
use omadm_codec::dm1::tnds::{self, TNDS_WBXML, TNDS_XML};
use omadm_codec::{DecodeError, Leniency, Limits};
use omadm_mo::dm1::Snapshot;
use omadm_mo::{Format, Value};

/// Why data is no document although its type says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// There is no data.
    #[error("an item has no Data")]
    Missing,
    /// It is text that should be base64.
    #[error("the data is no base64")]
    NoBase64,
    /// It is broken.
    #[error("the TNDS document cannot be read: {0}")]
    Broken(#[from] DecodeError),
}

/// Reads data as carried; `None` if its type is not that of a document.
pub(super) fn read(
    media_type: Option<&str>,
    format: Option<Format>,
    value: Option<&Value>,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Option<Snapshot>, DocumentError> {
    let encoding = match media_type {
        Some(TNDS_XML) => Encoding::Xml,
        Some(TNDS_WBXML) => Encoding::Wbxml,
        _ => return Ok(None),
    };
    let encoded = matches!(format, Some(Format::Bin | Format::B64));
    let snapshot = match value {
        None => return Err(DocumentError::Missing),
        Some(Value::Bytes(octets)) => tnds::read(octets, encoding, limits, leniency)?,
        Some(text) if encoded => match Value::from_text(Format::B64, &text.to_text()) {
            Ok(Value::Bytes(ref octets)) => tnds::read(octets, encoding, limits, leniency)?,
            Ok(_) | Err(_) => return Err(DocumentError::NoBase64),
        },
        // Text is XML, whatever the type says: tags of the document in a message in WBXML come as such.
        Some(text) => tnds::read(text.to_text().as_bytes(), Encoding::Xml, limits, leniency)?,
    };
    Ok(Some(snapshot))
}

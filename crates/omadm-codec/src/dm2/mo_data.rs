//! `application/dmmo+json`: MO data (`DM 2.0 §7.2.1.4`).

use omadm_mo::Content;

use crate::{DecodeError, Leniency, Limits};

/// One item of MO data.
#[derive(Clone, Debug, PartialEq)]
pub struct MoItem {
    /// `DDF`: link to the DDF file.
    pub ddf: Option<String>,
    /// `ClientURI` as text.
    pub client_uri: String,
    /// `CV`: cache validator.
    pub cv: Option<String>,
    /// The one label of `MOData`.
    pub label: String,
    /// What stands under the label. Decoded leaves have the JSON type: string Text, integer Int, other number Float.
    pub content: Content,
}

/// Reads MO data: an array, or (tolerated) one object. Duplicate members are refused.
///
/// # Errors
/// With byte offset and field.
pub fn decode(_input: &[u8], _limits: &Limits, _leniency: &mut Leniency) -> Result<Vec<MoItem>, DecodeError> {
    todo!()
}

/// Appends MO data as a JSON array; `Bytes` become base64 strings.
pub fn encode(_items: &[MoItem], _out: &mut Vec<u8>) {
    todo!()
}

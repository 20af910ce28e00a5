//! Media types and the Accept syntax, also of `OMADM-Accept` (`DM 2.0 §5.5`, `RFC 2616 §14.1`).

use crate::error::DecodeError;

/// `application/vnd.oma.dm.initiation+json`, Package#1.
pub const INITIATION_JSON: &str = "application/vnd.oma.dm.initiation+json";
/// `application/vnd.oma.dm.request+json`, Package#2.
pub const REQUEST_JSON: &str = "application/vnd.oma.dm.request+json";
/// `application/vnd.oma.dm.response+json`, Package#3.
pub const RESPONSE_JSON: &str = "application/vnd.oma.dm.response+json";
/// `application/dmmo+json`, MO data.
pub const DMMO_JSON: &str = "application/dmmo+json";
/// `multipart/form-data`, Package#3 with data.
pub const FORM_DATA: &str = "multipart/form-data";
/// `text/plain`.
pub const TEXT_PLAIN: &str = "text/plain";
/// `application/octet-stream`.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// A `Content-Type` value: type and subtype in lower case, parameters as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    pub essence: String,
    /// Parameters, names in lower case, values unquoted.
    pub parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a `Content-Type` value.
    ///
    /// # Errors
    /// When it does not have the form `type/subtype *(;name=value)`.
    pub fn parse(_text: &str) -> Result<Self, DecodeError> {
        todo!()
    }
    /// Value of a parameter.
    #[must_use]
    pub fn parameter(&self, _name: &str) -> Option<&str> {
        todo!()
    }
}

/// An `Accept` or `OMADM-Accept` value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptList {
    /// Ranges with their q-values in thousandths (0 to 1000), as written.
    pub ranges: Vec<(String, u16)>,
}

impl AcceptList {
    /// Reads a list; members that do not parse are skipped, a list without any good member is an error.
    ///
    /// # Errors
    /// When nothing in it is a media range.
    pub fn parse(_text: &str) -> Result<Self, DecodeError> {
        todo!()
    }
    /// Quality of a media type in thousandths: the most specific range decides; 0 is not acceptable.
    #[must_use]
    pub fn quality(&self, _essence: &str) -> u16 {
        todo!()
    }
    /// The first of `offered` with the highest quality above 0.
    #[must_use]
    pub fn choose<'a>(&self, _offered: &[&'a str]) -> Option<&'a str> {
        todo!()
    }
}

//! ServerURI: an RFC 3986 URI with parameters such as `[DevID]` (`DM 2.0 §6.2`).

use alloc::string::String;

use crate::error::AddressError;

/// A ServerURI as the server wrote it, parameters not yet replaced. Scheme is any; policy checks it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerUri(String);

/// What the device puts in place of the parameters; `None` becomes `-1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub struct ParameterValues {
    pub dev_id: Option<String>,
    pub mnc: Option<String>,
    pub mcc: Option<String>,
    pub cmnc: Option<String>,
    pub cmcc: Option<String>,
    pub sp_name: Option<String>,
}

impl ServerUri {
    /// Takes `text` if it would be an absolute RFC 3986 URI once its `[Name]` parameters are replaced. A bracket pair that
    /// is the whole host is an IP literal, not a parameter; `%5BName%5D` counts as `[Name]` outside the authority.
    ///
    /// # Errors
    /// [`AddressError`] with the byte offset of the first illegal character.
    pub fn parse(_text: &str) -> Result<Self, AddressError> {
        todo!()
    }
    /// The text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Replaces every parameter (percent-encoded after replacement); unknown names and missing values become `-1`.
    #[must_use]
    pub fn expand(&self, _values: &ParameterValues) -> String {
        todo!()
    }
}

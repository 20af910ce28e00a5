//! Package#3: statuses and alerts (`DM 2.0 §5.2.4, §7.2.1.3`).

use crate::dm2::{Alert, StatusCode};
use crate::{DecodeError, Leniency, Limits};

/// One item of `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// `sc`.
    pub code: StatusCode,
    /// `URI`, such as the location of what an HGET stored.
    pub uris: Vec<String>,
}

/// Package#3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// `Status`, one per command of the Package#2.
    pub statuses: Vec<StatusEntry>,
    /// `Alert`.
    pub alerts: Vec<Alert>,
}

impl Response {
    /// Reads a package.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(_input: &[u8], _limits: &Limits, _leniency: &mut Leniency) -> Result<Self, DecodeError> {
        todo!()
    }
    /// Appends the package as JSON.
    pub fn encode(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}

//! Package#1: DM session initiation (`DM 2.0 §5.2.2, §7.2.1.1`).

use crate::dm2::Alert;
use crate::{DecodeError, Leniency, Limits};

/// One item of `MOS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedMo {
    /// Link to the DDF file; empty only when a peer left it out.
    pub ddf: String,
    /// MOID as text.
    pub moid: String,
    /// MIIDs, possibly none.
    pub miids: Vec<String>,
}

/// Package#1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initiation {
    /// `MOS`, if it was asked for.
    pub mos: Option<Vec<SupportedMo>>,
    /// `Alert`.
    pub alerts: Vec<Alert>,
}

impl Initiation {
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

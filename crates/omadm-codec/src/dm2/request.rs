//! Package#2: DM commands (`DM 2.0 §5.2.3, §7.2.1.2`).

use crate::dm2::{Command, CommandEntry};
use crate::{DecodeError, Leniency, Limits};

/// Package#2 as a client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `CMD` in order.
    pub entries: Vec<CommandEntry>,
}

impl Request {
    /// Reads a package. Unknown members are ignored.
    ///
    /// # Errors
    /// When it is not JSON, not an object, or `CMD` is missing or no array.
    pub fn decode(
        _input: &[u8], _limits: &Limits, _leniency: &mut Leniency, _known_moid: &dyn Fn(&str) -> bool,
    ) -> Result<Self, DecodeError> {
        todo!()
    }
    /// Appends a package of these commands as JSON: the server's side cannot send what is no command.
    pub fn encode(_commands: &[Command], _out: &mut Vec<u8>) {
        todo!()
    }
}

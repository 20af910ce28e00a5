//! A failure as a sentence: what a status means for a command, its likely cause, and what to do.

/// The parts of the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the status means (`DM 2.0 Appendix C`).
    pub meaning: &'static str,
    /// The likely cause.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Explains a status for a command name (`GET`, `HGET`, …); unknown codes are explained by their class.
#[must_use]
pub fn explain(_command: &str, _status: u16) -> Explanation {
    todo!()
}

/// The whole sentence: address, command, status, meaning, likely cause, remedy.
#[must_use]
pub fn sentence(_command: &str, _address: &str, _status: u16) -> String {
    todo!()
}

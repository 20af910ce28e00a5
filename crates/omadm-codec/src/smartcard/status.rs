//! Status words: how a command ended (`TS 51.011 §9.4`, `TS 102 221 §10.2`, `GlobalPlatform Card Specification §11.1.3`).

use std::fmt;

use super::Expected;

/// SW1 and SW2, as one number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

/// What to do after a status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The command was done.
    Done,
    /// It was done, and that many octets wait for GET RESPONSE.
    GetResponse(Expected),
    /// It has to be said again, expecting that many octets.
    Again(Expected),
    /// It was done, with a warning: the data may be less than asked for.
    Warning,
    /// It was not done.
    Failed(Failure),
}

/// Why a command was not done, as far as bootstrap has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such file, record or application.
    NotFound,
    /// A PIN or a secure channel has to come before.
    Security,
    /// The PIN or the cryptogram is wrong.
    Verification,
    /// The PIN is blocked.
    Blocked,
    /// The card has no logical channel for it.
    NoChannel,
    /// Anything else.
    Other,
}

#[allow(missing_docs, reason = "`meaning` has their words")]
impl StatusWord {
    pub const OK: Self = Self(0x9000);
    pub const END_OF_FILE: Self = Self(0x6282);
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    pub const WRONG_LENGTH: Self = Self(0x6700);
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    pub const SECURITY_NOT_SATISFIED: Self = Self(0x6982);
    pub const BLOCKED: Self = Self(0x6983);
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    pub const NO_FILE_SELECTED: Self = Self(0x6986);
    pub const SECURE_MESSAGING_INCORRECT: Self = Self(0x6988);
    pub const FUNCTION_NOT_SUPPORTED: Self = Self(0x6a81);
    pub const FILE_NOT_FOUND: Self = Self(0x6a82);
    pub const RECORD_NOT_FOUND: Self = Self(0x6a83);
    pub const WRONG_PARAMETERS: Self = Self(0x6a86);
    pub const DATA_NOT_FOUND: Self = Self(0x6a88);
    pub const WRONG_OFFSET: Self = Self(0x6b00);
    pub const UNKNOWN_INSTRUCTION: Self = Self(0x6d00);
    pub const UNKNOWN_CLASS: Self = Self(0x6e00);
    /// Of a SIM.
    pub const SIM_NO_FILE_SELECTED: Self = Self(0x9400);
    /// Of a SIM.
    pub const SIM_OUT_OF_RANGE: Self = Self(0x9402);
    /// Of a SIM.
    pub const SIM_FILE_NOT_FOUND: Self = Self(0x9404);
    /// Of a SIM.
    pub const SIM_WRONG_FILE: Self = Self(0x9408);
    /// Of a SIM.
    pub const SIM_NO_CHV: Self = Self(0x9802);
    /// Of a SIM.
    pub const SIM_ACCESS_DENIED: Self = Self(0x9804);
    /// Of a SIM.
    pub const SIM_BLOCKED: Self = Self(0x9840);
}

impl StatusWord {
    /// SW1.
    #[must_use]
    pub fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// SW2.
    #[must_use]
    pub fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// The word for "that many octets wait": `61xx`.
    #[must_use]
    pub fn more(octets: u8) -> Self {
        Self(0x6100 | u16::from(octets))
    }

    /// The word for "that many octets wait" of a SIM: `9Fxx`.
    #[must_use]
    pub fn sim_more(octets: u8) -> Self {
        Self(0x9f00 | u16::from(octets))
    }

    /// The word for "expect exactly that many": `6Cxx`.
    #[must_use]
    pub fn exactly(octets: u8) -> Self {
        Self(0x6c00 | u16::from(octets))
    }

    /// The word for a wrong PIN with that many tries left, 15 at most: `63Cx`.
    #[must_use]
    pub fn wrong_pin(tries_left: u8) -> Self {
        Self(0x63c0 | u16::from(tries_left.min(0x0f)))
    }

    /// Whether the command was done without a warning; data may wait.
    #[must_use]
    pub fn is_ok(self) -> bool {
        matches!(self.next(), Next::Done | Next::GetResponse(_))
    }

    /// What to do.
    #[must_use]
    pub fn next(self) -> Next {
        match (self.sw1(), self.sw2()) {
            (0x90, 0x00) | (0x91, _) => Next::Done,
            (0x61 | 0x9f, octets) => Next::GetResponse(Expected::from_octet(octets)),
            (0x6c, octets) => Next::Again(Expected::from_octet(octets)),
            // A SIM says the right length with 67.
            (0x67, octets) if octets != 0 => Next::Again(Expected::from_octet(octets)),
            (0x63, 0xc0) => Next::Failed(Failure::Blocked),
            (0x63, 0x00 | 0xc1..=0xcf) | (0x98, 0x04) => Next::Failed(Failure::Verification),
            (0x62 | 0x63 | 0x92, _) => Next::Warning,
            (0x69, 0x82 | 0x88) => Next::Failed(Failure::Security),
            (0x69, 0x83) | (0x98, 0x40) => Next::Failed(Failure::Blocked),
            (0x68, 0x81) => Next::Failed(Failure::NoChannel),
            (0x6a, 0x82 | 0x83 | 0x88) | (0x94, 0x02 | 0x04) => Next::Failed(Failure::NotFound),
            _ => Next::Failed(Failure::Other),
        }
    }

    /// How many tries of a PIN are left, where the word says so.
    #[must_use]
    pub fn tries_left(self) -> Option<u8> {
        match self.0 {
            word @ 0x63c0..=0x63cf => u8::try_from(word & 0x0f).ok(),
            _ if matches!(self.next(), Next::Failed(Failure::Blocked)) => Some(0),
            _ => None,
        }
    }

    /// What it means.
    #[must_use]
    pub fn meaning(self) -> String {
        let fixed = match self {
            Self::OK => "done",
            Self::END_OF_FILE => "the file ends before that many octets",
            Self::AUTHENTICATION_FAILED => "authentication failed",
            Self::WRONG_LENGTH => "wrong length",
            Self::CHANNEL_NOT_SUPPORTED => "logical channels are not supported",
            Self(0x6882) => "secure messaging is not supported",
            Self(0x6981) => "the command does not fit the structure of the file",
            Self::SECURITY_NOT_SATISFIED => "a PIN or a secure channel is needed first",
            Self::BLOCKED => "the PIN is blocked",
            Self(0x6984) => "the referenced data cannot be used",
            Self::CONDITIONS_NOT_SATISFIED => "the conditions of use are not satisfied",
            Self::NO_FILE_SELECTED => "no file is selected",
            Self(0x6987) => "secure messaging is missing",
            Self::SECURE_MESSAGING_INCORRECT => "the MAC or the encryption of the command is wrong",
            Self(0x6a80) => "wrong data",
            Self::FUNCTION_NOT_SUPPORTED => "the function is not supported, or no channel is free",
            Self::FILE_NOT_FOUND => "there is no such file or application",
            Self::RECORD_NOT_FOUND => "there is no such record",
            Self(0x6a84) => "not enough memory in the file",
            Self::WRONG_PARAMETERS => "wrong P1 or P2",
            Self(0x6a87) => "the length of the data does not fit P1 and P2",
            Self::DATA_NOT_FOUND => "there is no such key or data",
            Self::WRONG_OFFSET => "the offset is outside the file",
            Self::UNKNOWN_INSTRUCTION => "the instruction is not supported",
            Self::UNKNOWN_CLASS => "the class is not supported",
            Self::SIM_NO_FILE_SELECTED => "no file is selected",
            Self::SIM_OUT_OF_RANGE => "the address is outside the file",
            Self::SIM_FILE_NOT_FOUND => "there is no such file",
            Self::SIM_WRONG_FILE => "the command does not fit the file",
            Self::SIM_NO_CHV => "the card has no such CHV",
            Self::SIM_ACCESS_DENIED => "access is denied, or the CHV is wrong with tries left",
            Self(0x9808) => "the CHV is in another state",
            Self(0x9810) => "the file is invalidated",
            Self::SIM_BLOCKED => "the CHV is blocked",
            _ => return self.family(),
        };
        fixed.to_owned()
    }

    fn family(self) -> String {
        let octets = Expected::from_octet(self.sw2()).octets();
        match self.sw1() {
            0x61 | 0x9f => format!("done, {octets} octets wait for GET RESPONSE"),
            0x62 => "done, with a warning".to_owned(),
            0x63 if self.0 & 0xf0 == 0xc0 => match self.0 & 0x0f {
                0 => "the PIN is wrong and blocked".to_owned(),
                tries => format!("the PIN is wrong or not verified, tries left: {tries}"),
            },
            0x63 => "done, with a warning: the memory changed".to_owned(),
            0x64 | 0x65 => "the execution failed".to_owned(),
            0x67 | 0x6c => format!("wrong length, {octets} would be right"),
            0x68 => "the class has a function that is not supported".to_owned(),
            0x69 => "the command is not allowed".to_owned(),
            0x6a | 0x6b => "wrong parameters".to_owned(),
            0x6f => "a technical problem without a diagnosis".to_owned(),
            0x91 => "done, the card has a proactive command".to_owned(),
            0x92 => "memory: retried, or a problem".to_owned(),
            0x93 => "the SIM toolkit is busy".to_owned(),
            0x94 => "the file is not right for it".to_owned(),
            0x98 => "security: the CHV or the state is not right for it".to_owned(),
            _ => "unknown".to_owned(),
        }
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// Four hexadecimal digits.
impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_to_do() {
        let cases = [
            (0x9000, Next::Done),
            (0x9110, Next::Done),
            (0x6100, Next::GetResponse(Expected::ALL)),
            (0x9f17, Next::GetResponse(Expected::from_octet(0x17))),
            (0x6c20, Next::Again(Expected::from_octet(0x20))),
            (0x6c00, Next::Again(Expected::ALL)),
            (0x670f, Next::Again(Expected::from_octet(15))),
            (0x6700, Next::Failed(Failure::Other)),
            (0x6282, Next::Warning),
            (0x6300, Next::Failed(Failure::Verification)),
            (0x63c2, Next::Failed(Failure::Verification)),
            (0x63c0, Next::Failed(Failure::Blocked)),
            (0x6983, Next::Failed(Failure::Blocked)),
            (0x9840, Next::Failed(Failure::Blocked)),
            (0x6982, Next::Failed(Failure::Security)),
            (0x6a82, Next::Failed(Failure::NotFound)),
            (0x9404, Next::Failed(Failure::NotFound)),
            (0x6881, Next::Failed(Failure::NoChannel)),
            (0x6f00, Next::Failed(Failure::Other)),
            (0x0000, Next::Failed(Failure::Other)),
        ];
        for (word, next) in cases {
            assert_eq!(StatusWord(word).next(), next, "{word:04X}");
        }
    }

    #[test]
    fn tries_are_counted_down_to_none() {
        assert_eq!(StatusWord::wrong_pin(3).tries_left(), Some(3));
        assert_eq!(StatusWord::wrong_pin(99).tries_left(), Some(15));
        for blocked in [0x63c0, 0x6983, 0x9840] {
            assert_eq!(StatusWord(blocked).tries_left(), Some(0), "{blocked:04X}");
        }
        assert_eq!(StatusWord::SIM_ACCESS_DENIED.tries_left(), None);
        assert_eq!(StatusWord::OK.tries_left(), None);
    }

    #[test]
    fn every_word_has_a_meaning() {
        for word in 0..=u16::MAX {
            assert!(!StatusWord(word).meaning().is_empty());
        }
        assert!(StatusWord(0x63c1).meaning().ends_with("tries left: 1"));
        assert!(StatusWord::more(0).meaning().contains("256"));
    }
}

//! What a user may type in, as both sides name it (`DM 1.3 PROTO §10`, option `IT`).

/// Kinds of input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputType {
    /// `A`: anything.
    #[default]
    Alphanumeric,
    /// `N`: digits, decimal point, sign.
    Numeric,
    /// `D`: a date, `DDMMYYYY`.
    Date,
    /// `T`: a time, `hhmmss`.
    Time,
    /// `P`: a phone number: digits, `+` in front, `p`, `w`, `s`.
    Phone,
    /// `I`: an IPv4 address, `xxx.yyy.zzz.www`.
    Ipv4,
}

impl InputType {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Alphanumeric, "A"),
        (Self::Numeric, "N"),
        (Self::Date, "D"),
        (Self::Time, "T"),
        (Self::Phone, "P"),
        (Self::Ipv4, "I"),
    ];

    /// The letter on the wire.
    #[must_use]
    pub fn letter(self) -> &'static str {
        Self::ALL.iter().find(|(input, _)| *input == self).map_or("", |(_, letter)| letter)
    }

    /// The inverse of [`InputType::letter`].
    #[must_use]
    pub fn parse(letter: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == letter).map(|(input, _)| *input)
    }
}

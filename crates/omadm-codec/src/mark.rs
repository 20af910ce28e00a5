//! Importance of Generic Alerts, which all versions of DM share.

/// Importance of a Generic Alert, the highest first (`DM 1.3 PROTO §6.7`, `DM 2.0 §5.4`); absent on the wire means informational.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Mark {
    Fatal,
    Critical,
    Minor,
    Warning,
    #[default]
    Informational,
    Harmless,
    Indeterminate,
}

impl Mark {
    const ALL: [Self; 7] = [
        Self::Fatal,
        Self::Critical,
        Self::Minor,
        Self::Warning,
        Self::Informational,
        Self::Harmless,
        Self::Indeterminate,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Critical => "critical",
            Self::Minor => "minor",
            Self::Warning => "warning",
            Self::Informational => "informational",
            Self::Harmless => "harmless",
            Self::Indeterminate => "indeterminate",
        }
    }
    /// Reads the word on the wire, letter case as the standard has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.as_str() == text)
    }
}

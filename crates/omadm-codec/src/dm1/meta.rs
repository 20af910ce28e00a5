//! MetInf: what describes an item, a command, or a message (`DM 1.3 Meta §5.2`).

use std::borrow::Cow;

/// Children of `Meta` that DM uses; others are skipped when decoding and never sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta<'a> {
    /// `Format` as written, without the white space around it; absent means `chr`.
    pub format: Option<Cow<'a, str>>,
    /// `Type`: a media type, an authentication type, an alert type or a MOID; absent means `text/plain`.
    pub media_type: Option<Cow<'a, str>>,
    /// `Mark` of a Generic Alert; absent means informational. One that is unknown is taken as informational.
    pub mark: Option<Mark>,
    /// `Size` of the whole object, in octets as carried.
    pub size: Option<u64>,
    /// `NextNonce`, decoded.
    pub next_nonce: Option<Cow<'a, [u8]>>,
    /// `MaxMsgSize`, in octets of the encoded message.
    pub max_message_size: Option<u64>,
    /// `MaxObjSize`, in octets as carried.
    pub max_object_size: Option<u64>,
}

impl Meta<'_> {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Importance of a Generic Alert (`DM 1.3 PROTO §6.7`), the highest first.
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
    /// The mark of a word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.as_str() == text)
    }
}

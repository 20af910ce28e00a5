//! MetInf: what describes an item, a command, or a message (`DM 1.3 Meta §5.2`).

use std::borrow::Cow;

pub use crate::mark::Mark;

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

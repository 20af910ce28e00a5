//! The encodings of a message, and which one a peer uses.

use serde::{Deserialize, Serialize};

use super::message::Version;
use super::wbxml::WbxmlVersion;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Xml,
    Wbxml,
}

impl Encoding {
    /// What the first octets look like; `None` when it is neither. A transport's media type says more than this.
    #[must_use]
    pub fn sniff(document: &[u8]) -> Option<Self> {
        match document.trim_ascii_start() {
            [b'<', ..] | [0xEF, 0xBB, 0xBF, ..] | [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => Some(Self::Xml),
            [0..=3, ..] => Some(Self::Wbxml),
            _ => None,
        }
    }
}

/// All that an encoder has to know beside the message: what the peer used, or what it is expected to understand.
///
/// Namespace and public identifier follow from `VerDTD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Form {
    Xml,
    Wbxml(WbxmlVersion),
}

impl Form {
    /// What opens a session with a peer of this version: WBXML 1.3 to those that speak DM 1.3, WBXML 1.2 to others [choice].
    #[must_use]
    pub fn for_version(encoding: Encoding, version: Version) -> Self {
        match (encoding, version) {
            (Encoding::Xml, _) => Self::Xml,
            (Encoding::Wbxml, Version::Dm13) => Self::Wbxml(WbxmlVersion::V1_3),
            (Encoding::Wbxml, Version::Dm11 | Version::Dm12) => Self::Wbxml(WbxmlVersion::V1_2),
        }
    }
    /// Its encoding.
    #[must_use]
    pub fn encoding(self) -> Encoding {
        match self {
            Self::Xml => Encoding::Xml,
            Self::Wbxml(_) => Encoding::Wbxml,
        }
    }
}

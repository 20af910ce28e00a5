//! The encodings of a message, and which one a peer uses.

use serde::{Deserialize, Serialize};

use super::message::{Data, Version};
use super::wbxml::{WbxmlVersion, number_length};
use crate::xml::escaped_length;

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

    /// How many octets of `data`, from its front, fit into a message that may grow by `room` octets, and in which its `Data` is still
    /// empty (not absent). Characters stay whole.
    #[must_use]
    pub fn fitting(self, data: &Data<'_>, room: usize) -> usize {
        match (self, data) {
            // <Data/> becomes <Data></Data>, in which four characters stand for three octets.
            (Self::Xml, Data::Opaque(octets)) => octets.len().min(room.saturating_sub(6) / 4 * 3),
            (Self::Xml, Data::Text(text)) => prefix(text, room.saturating_sub(6), escaped_length),
            // A token begins the string, a zero octet ends it, and END its element.
            (Self::Wbxml(_), Data::Text(text)) if !text.contains('\0') => {
                prefix(text, room.saturating_sub(3), char::len_utf8)
            }
            (Self::Wbxml(_), Data::Text(text)) => {
                prefix(text, fitting_opaque(text.len(), room), char::len_utf8)
            }
            (Self::Wbxml(_), Data::Opaque(octets)) => fitting_opaque(octets.len(), room),
        }
    }
}

/// Octets of the characters from the front that have at most `room` octets as they are written.
fn prefix(text: &str, room: usize, length: impl Fn(char) -> usize) -> usize {
    let mut used = 0;
    let mut fits = |character| {
        used += length(character);
        used <= room
    };
    text.chars().take_while(|character| fits(*character)).map(char::len_utf8).sum()
}

/// Octets out of `length` for which an OPAQUE has room: with its token, the length, and END.
fn fitting_opaque(length: usize, room: usize) -> usize {
    let most = length.min(room.saturating_sub(3));
    (most.saturating_sub(4)..=most).rev().find(|count| count + 2 + number_length(*count) <= room).unwrap_or(0)
}

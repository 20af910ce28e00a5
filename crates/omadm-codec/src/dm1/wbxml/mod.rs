//! Documents in WBXML 1.1 to 1.3 (`WAP-192`), with the code pages of SyncML.

mod read;
mod write;

pub use read::WbxmlReader;
pub use write::WbxmlWriter;
pub(in crate::dm1) use write::{Place, number_length};

/// Version of WBXML that a document says it is in. In what DM uses they do not differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum WbxmlVersion {
    V1_1,
    V1_2,
    V1_3,
}

impl WbxmlVersion {
    /// The first octet of a document.
    #[must_use]
    pub fn octet(self) -> u8 {
        match self {
            Self::V1_1 => 1,
            Self::V1_2 => 2,
            Self::V1_3 => 3,
        }
    }
    /// The version of a first octet.
    #[must_use]
    pub fn from_octet(octet: u8) -> Option<Self> {
        [Self::V1_1, Self::V1_2, Self::V1_3].into_iter().find(|version| version.octet() == octet)
    }
}

/// Which document type a document says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicId {
    /// Unknown or missing. DDF and TNDS have no number, and are of this.
    Unknown,
    /// SyncML 1.0.
    SyncMl10,
    /// SyncML 1.1, of DM 1.1.
    SyncMl11,
    /// SyncML 1.2, of DM 1.2 and 1.3.
    SyncMl12,
    /// DDF and TNDS by the name `-//OMA//DTD-DM-DDF 1.2//EN`.
    Ddf,
}

impl PublicId {
    /// Numbers and names.
    const ALL: [(Self, u32, &str); 5] = [
        (Self::Unknown, 0x01, ""),
        (Self::SyncMl10, 0x0FD1, "-//SYNCML//DTD SyncML 1.0//EN"),
        (Self::SyncMl11, 0x0FD3, "-//SYNCML//DTD SyncML 1.1//EN"),
        (Self::SyncMl12, 0x1201, "-//SYNCML//DTD SyncML 1.2//EN"),
        (Self::Ddf, 0x01, "-//OMA//DTD-DM-DDF 1.2//EN"),
    ];

    /// The number in the head of a document: 1 where none is assigned.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Unknown | Self::Ddf => 0x01,
            Self::SyncMl10 => 0x0FD1,
            Self::SyncMl11 => 0x0FD3,
            Self::SyncMl12 => 0x1201,
        }
    }
    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == number).map(|(id, ..)| id)
    }
    /// By formal public identifier, which is not empty; case does not count.
    fn from_name(name: &str) -> Option<Self> {
        let name = name.trim_ascii();
        let found = Self::ALL.into_iter().find(|(_, _, known)| known.eq_ignore_ascii_case(name));
        found.map(|(id, ..)| id).filter(|id| *id != Self::Unknown)
    }
}

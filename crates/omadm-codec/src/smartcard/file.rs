//! What names a file or an application of a card, and what kinds of files there are.

use std::fmt;

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// The identifier of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

impl FileId {
    /// The master file.
    pub const MF: Self = Self(0x3f00);
    /// EF(DIR), below the MF.
    pub const DIR: Self = Self(0x2f00);
    /// EF(ICCID), below the MF.
    pub const ICCID: Self = Self(0x2fe2);
    /// DF(PKCS#15) of a SIM, where nothing else is agreed.
    pub const PKCS15: Self = Self(0x7f50);
    /// The selected application, at the beginning of a path.
    pub const APPLICATION: Self = Self(0x7fff);
    /// EF(ODF), below DF(PKCS#15) (`PKCS #15 §5.5.1`).
    pub const ODF: Self = Self(0x5031);
    /// EF(TokenInfo), below DF(PKCS#15) (`PKCS #15 §5.5.3`).
    pub const TOKEN_INFO: Self = Self(0x5032);
    /// EF(DODF-bootstrap), where EF(ODF) does not say otherwise (`DM 2.0 §G.4.2`).
    pub const DODF_BOOTSTRAP: Self = Self(0x6420);
}

/// Four hexadecimal digits.
impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a file is: identifiers from the MF on, or from the application's directory on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Path(Vec<FileId>);

impl Path {
    /// The most identifiers in a path.
    pub const MAX: usize = 8;

    /// `None` when empty or longer than [`Path::MAX`].
    #[must_use]
    pub fn new(files: Vec<FileId>) -> Option<Self> {
        (1..=Self::MAX).contains(&files.len()).then_some(Self(files))
    }

    /// Of one file below the application's directory.
    #[must_use]
    pub fn of(file: FileId) -> Self {
        Self(vec![file])
    }

    /// From its octets: two for each identifier.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (pairs, rest) = octets.as_chunks();
        if !rest.is_empty() || pairs.len() > Self::MAX {
            return None;
        }
        Self::new(pairs.iter().map(|pair| FileId(u16::from_be_bytes(*pair))).collect())
    }

    /// Its octets.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        self.0.iter().flat_map(|file| file.0.to_be_bytes()).collect()
    }

    /// The identifiers.
    #[must_use]
    pub fn files(&self) -> &[FileId] {
        &self.0
    }

    /// Whether it begins at the MF.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.0.first() == Some(&FileId::MF)
    }

    /// The identifiers without the MF at the beginning: what SELECT by path takes. The MF alone stays.
    #[must_use]
    pub fn without_mf(&self) -> Self {
        match self.0.as_slice() {
            [FileId::MF, rest @ ..] if !rest.is_empty() => Self(rest.to_vec()),
            _ => self.clone(),
        }
    }

    /// The file at the end.
    #[must_use]
    pub fn file(&self) -> FileId {
        self.0.last().copied().unwrap_or(FileId::MF)
    }

    pub(super) fn decode(octets: &[u8], at: usize, field: &'static str) -> Result<Self, DecodeError> {
        Self::from_octets(octets).ok_or(DecodeError {
            at,
            field,
            problem: Problem::Schema("a path is 1 to 8 file identifiers of two octets".into()),
        })
    }
}

/// Identifiers with a slash between.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, file) in self.0.iter().enumerate() {
            write!(f, "{}{file}", if number == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identifier of an application: 5 to 16 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aid(Vec<u8>);

impl Aid {
    /// Octets of the registered provider at the beginning.
    const RID: usize = 5;
    const PKCS15: [u8; 12] = *b"\xa0\x00\x00\x00\x63PKCS-15";

    /// `None` for fewer than 5 or more than 16 octets.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Option<Self> {
        (Self::RID..=16).contains(&octets.len()).then_some(Self(octets))
    }

    /// PKCS#15: `A0 00 00 00 63 50 4B 43 53 2D 31 35`.
    #[must_use]
    pub fn pkcs15() -> Self {
        Self(Self::PKCS15.to_vec())
    }

    /// Its octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is an application of PKCS#15, whatever the issuer put behind.
    #[must_use]
    pub fn is_pkcs15(&self) -> bool {
        self.0.starts_with(&Self::PKCS15)
    }

    pub(super) fn decode(octets: &[u8], at: usize, field: &'static str) -> Result<Self, DecodeError> {
        Self::new(octets.to_vec()).ok_or(DecodeError {
            at,
            field,
            problem: Problem::Schema("an application identifier has 5 to 16 octets".into()),
        })
    }
}

/// Hexadecimal digits.
impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a file consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// A directory: MF, DF or ADF.
    Directory,
    /// Octets, for READ BINARY.
    Transparent,
    /// Records of one length, for READ RECORD.
    LinearFixed {
        /// Octets of a record.
        record: u16,
        /// Records, where the card says so.
        count: Option<u8>,
    },
    /// Records of one length in a ring.
    Cyclic {
        /// Octets of a record.
        record: u16,
        /// Records, where the card says so.
        count: Option<u8>,
    },
    /// Data objects.
    DataObjects,
    /// Anything else, by the octet that says so.
    Other(u8),
}

/// The identity of a card from EF(ICCID): up to 20 digits, two an octet, the lower half first (`TS 102 221 §13.2`).
///
/// # Errors
/// When there is an octet that is no digit before the filler, or no digit at all.
pub fn iccid(octets: &[u8], limits: &Limits) -> Result<String, DecodeError> {
    const FIELD: &str = "ICCID";
    let mut reader = Reader::new(octets, limits)?;
    let mut digits = String::new();
    while reader.peek().is_some() && digits.len() < 20 {
        let error = reader.error(FIELD, Problem::Schema("not a decimal digit".into()));
        let octet = reader.byte(FIELD)?;
        for half in [octet & 0x0f, octet >> 4] {
            match half {
                0x0f if !digits.is_empty() => return Ok(digits),
                0..=9 => digits.push(char::from(b'0' + half)),
                _ => return Err(error),
            }
        }
    }
    if digits.is_empty() { Err(reader.error(FIELD, Problem::Short)) } else { Ok(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_pairs_of_octets() {
        let path = Path::from_octets(&[0x3f, 0x00, 0x7f, 0x50, 0x64, 0x20]).unwrap();
        assert!(path.is_absolute());
        assert_eq!(path.to_string(), "3F00/7F50/6420");
        assert_eq!(path.file(), FileId::DODF_BOOTSTRAP);
        assert_eq!(path.without_mf().to_octets(), [0x7f, 0x50, 0x64, 0x20]);
        assert_eq!(Path::of(FileId::MF).without_mf().files(), [FileId::MF]);
        assert_eq!(Path::from_octets(&[]), None);
        assert_eq!(Path::from_octets(&[1]), None);
        assert!(Path::from_octets(&[1; 16]).is_some());
        assert_eq!(Path::from_octets(&[1; 18]), None);
    }

    #[test]
    fn files_are_filled_up_or_refused() {
        use crate::smartcard::padded;
        assert_eq!(padded(b"[]".to_vec(), 4).as_deref(), Some(&b"[]\xff\xff"[..]));
        assert_eq!(padded(b"[]".to_vec(), 2).as_deref(), Some(&b"[]"[..]));
        assert_eq!(padded(b"[]".to_vec(), 1), None);
    }

    #[test]
    fn application_identifiers_have_5_to_16_octets() {
        assert!(Aid::new(vec![0; 4]).is_none() && Aid::new(vec![0; 17]).is_none());
        let mut longer = Aid::pkcs15().as_bytes().to_vec();
        longer.push(1);
        assert!(Aid::new(longer).unwrap().is_pkcs15());
        assert!(!Aid::new(vec![0xa0, 0, 0, 0, 0x87]).unwrap().is_pkcs15());
        assert_eq!(Aid::pkcs15().to_string(), "A000000063504B43532D3135");
    }

    #[test]
    fn the_identity_of_a_card_is_digits_with_halves_swapped() {
        let limits = Limits::default();
        assert_eq!(iccid(&[0x98, 0x94, 0x10, 0xf2], &limits).as_deref(), Ok("8949012"));
        assert_eq!(iccid(&[0x98; 10], &limits).map(|digits| digits.len()), Ok(20));
        assert_eq!(iccid(&[0xff; 10], &limits).unwrap_err().at, 0);
        assert_eq!(iccid(&[0x98, 0xa1], &limits).unwrap_err().at, 1);
        assert_eq!(iccid(&[], &limits).unwrap_err().problem, Problem::Short);
    }
}

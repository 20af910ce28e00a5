//! What a SIM, or a UICC in 2G mode, says of a selected file (`TS 51.011 §9.2.1`).

use super::{FileId, Structure};
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// The answer to SELECT, which GET RESPONSE gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// MF or DF.
    Directory(Directory),
    /// EF.
    File(File),
}

/// Of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Its identifier.
    pub id: FileId,
    /// Whether CHV1 has to be verified; it can be disabled.
    pub chv1_enabled: bool,
    /// How many tries CHV1 has left, 15 at most; `None` if the card has no CHV1.
    pub chv1_tries: Option<u8>,
}

/// Of an elementary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its identifier.
    pub id: FileId,
    /// Octets in it.
    pub size: u16,
    /// What it consists of.
    pub structure: Structure,
    /// Who may read it.
    pub read: Access,
    /// Who may change it.
    pub update: Access,
    /// Whether it is not invalidated.
    pub valid: bool,
}

/// An access condition (`TS 51.011 §9.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// ALW.
    Always,
    /// CHV1.
    Chv1,
    /// CHV2.
    Chv2,
    /// ADM, by its number 4 to 14.
    Issuer(u8),
    /// NEV.
    Never,
    /// Not assigned.
    Unknown,
}

impl Access {
    fn from_half(half: u8) -> Self {
        match half {
            0 => Self::Always,
            1 => Self::Chv1,
            2 => Self::Chv2,
            4..=14 => Self::Issuer(half),
            15 => Self::Never,
            _ => Self::Unknown,
        }
    }

    fn to_half(self) -> u8 {
        match self {
            Self::Always => 0,
            Self::Chv1 => 1,
            Self::Chv2 => 2,
            Self::Issuer(number) => number.clamp(4, 14),
            Self::Never => 15,
            Self::Unknown => 3,
        }
    }
}

impl Selected {
    const MF: u8 = 0x01;
    const DF: u8 = 0x02;
    const EF: u8 = 0x04;

    /// Reads it.
    ///
    /// # Errors
    /// When it is cut off, or of no known type of file.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        reader.take(2, "RFU")?;
        let size = reader.u16("file size")?;
        let id = FileId(reader.u16("file identifier")?);
        let kind = reader.byte("type of file")?;
        match kind {
            Self::MF | Self::DF => Directory::decode(id, &mut reader).map(Self::Directory),
            Self::EF => File::decode(id, size, &mut reader).map(Self::File),
            _ => {
                let problem = Problem::Schema("neither MF nor DF nor EF".into());
                Err(DecodeError { at: 6, field: "type of file", problem })
            }
        }
    }

    /// The octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Directory(directory) => directory.encode(),
            Self::File(file) => file.encode(),
        }
    }
}

impl Directory {
    /// Octets behind the length, for GSM.
    const LENGTH: u8 = 9;

    fn decode(id: FileId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.take(5, "RFU")?;
        let length = reader.byte("length")?;
        let mut data = reader.fence(length.into(), "GSM specific data")?;
        let characteristics = data.byte("file characteristics")?;
        data.take(4, "GSM specific data")?;
        let chv1 = data.byte("CHV1 status")?;
        Ok(Self {
            id,
            chv1_enabled: characteristics & 0x80 == 0,
            chv1_tries: (chv1 & 0x80 != 0).then_some(chv1 & 0x0f),
        })
    }

    fn encode(self) -> Vec<u8> {
        let [high, low] = self.id.0.to_be_bytes();
        let kind = if self.id == FileId::MF { Selected::MF } else { Selected::DF };
        let characteristics = if self.chv1_enabled { 0x00 } else { 0x80 };
        let chv1 = self.chv1_tries.map_or(0, |left| 0x80 | left.min(0x0f));
        [
            &[0, 0, 0, 0, high, low, kind, 0, 0, 0, 0, 0, Self::LENGTH][..],
            // Characteristics, DFs, EFs, CHVs, RFU, CHV1 and its unblocking, CHV2 and its unblocking.
            &[characteristics, 0, 0, 2, 0, chv1, 0x8a, 0, 0],
        ]
        .concat()
    }
}

impl File {
    fn decode(id: FileId, size: u16, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.byte("cyclic")?;
        let [access, _, _] = reader.array("access conditions")?;
        let status = reader.byte("file status")?;
        let length = reader.byte("length")?;
        let mut data = reader.fence(length.into(), "structure of EF")?;
        let structure = data.byte("structure of EF")?;
        let mut record =
            || data.byte("length of a record").map(|record| (u16::from(record), records(size, record)));
        let structure = match structure {
            0x00 => Structure::Transparent,
            0x01 => record().map(|(record, count)| Structure::LinearFixed { record, count })?,
            0x03 => record().map(|(record, count)| Structure::Cyclic { record, count })?,
            other => Structure::Other(other),
        };
        Ok(Self {
            id,
            size,
            structure,
            read: Access::from_half(access >> 4),
            update: Access::from_half(access & 0x0f),
            valid: status & 0x01 != 0,
        })
    }

    fn encode(self) -> Vec<u8> {
        let ([size_high, size_low], [high, low]) = (self.size.to_be_bytes(), self.id.0.to_be_bytes());
        let access = self.read.to_half() << 4 | self.update.to_half();
        // Records of a SIM have at most 255 octets.
        let of_record = |record: u16| u8::try_from(record).unwrap_or(u8::MAX);
        let (structure, record) = match self.structure {
            Structure::LinearFixed { record, .. } => (0x01, of_record(record)),
            Structure::Cyclic { record, .. } => (0x03, of_record(record)),
            Structure::Other(other) => (other, 0),
            Structure::Directory | Structure::Transparent | Structure::DataObjects => (0x00, 0),
        };
        let head = [0, 0, size_high, size_low, high, low, Selected::EF];
        let tail = [0, access, 0x0f, 0xff, self.valid.into(), 2, structure, record];
        [&head[..], &tail].concat()
    }
}

/// How many records of that length a file has.
fn records(size: u16, record: u8) -> Option<u8> {
    size.checked_div(record.into()).and_then(|count| u8::try_from(count).ok())
}

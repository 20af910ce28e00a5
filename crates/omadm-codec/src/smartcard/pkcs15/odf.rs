//! EF(ODF): where the directories of objects are (`PKCS #15 §6.2`).

use der::Tag;

use super::reader::{DerReader, Location, context, wrap};
use crate::{DecodeError, Leniency, Problem};

/// The class of the objects in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Class {
    PrivateKeys,
    PublicKeys,
    TrustedPublicKeys,
    SecretKeys,
    Certificates,
    TrustedCertificates,
    UsefulCertificates,
    DataObjects,
    AuthObjects,
}

impl Class {
    const ALL: [Self; 9] = [
        Self::PrivateKeys,
        Self::PublicKeys,
        Self::TrustedPublicKeys,
        Self::SecretKeys,
        Self::Certificates,
        Self::TrustedCertificates,
        Self::UsefulCertificates,
        Self::DataObjects,
        Self::AuthObjects,
    ];

    /// The name of the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrivateKeys => "privateKeys",
            Self::PublicKeys => "publicKeys",
            Self::TrustedPublicKeys => "trustedPublicKeys",
            Self::SecretKeys => "secretKeys",
            Self::Certificates => "certificates",
            Self::TrustedCertificates => "trustedCertificates",
            Self::UsefulCertificates => "usefulCertificates",
            Self::DataObjects => "dataObjects",
            Self::AuthObjects => "authObjects",
        }
    }

    fn tag(self) -> Tag {
        let number = Self::ALL.iter().zip(0..).find(|(class, _)| **class == self);
        context(number.map_or(0, |(_, number)| number))
    }
}

/// A directory of objects of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The class.
    pub class: Class,
    /// The objects.
    pub objects: Objects,
}

/// Where the objects of a directory are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objects {
    /// In a file of their own.
    At(Location),
    /// Here, side by side as in such a file.
    Inline(Vec<u8>),
}

impl Directory {
    /// EF(DODF-bootstrap) in this file.
    #[must_use]
    pub fn of_data_objects(location: Location) -> Self {
        Self { class: Class::DataObjects, objects: Objects::At(location) }
    }
}

pub(super) fn entry(reader: &mut DerReader<'_>, leniency: &mut Leniency) -> Result<Directory, DecodeError> {
    const FIELD: &str = "PKCS15Objects";
    let at = reader.at();
    let item = reader.any(FIELD)?;
    let class = Class::ALL.into_iter().find(|class| class.tag() == item.tag).ok_or_else(|| DecodeError {
        at,
        field: FIELD,
        problem: Problem::Schema(format!("{} is no class of objects", item.tag).into()),
    })?;
    let mut inside = item.inside();
    let objects = match inside.take(context(0), FIELD)? {
        Some(inline) => Objects::Inline(inline.value.to_vec()),
        None => Objects::At(Location::read(&inside.expect(Tag::Sequence, "Path")?, leniency)?),
    };
    inside.end(FIELD)?;
    Ok(Directory { class, objects })
}

pub(super) fn write(directory: &Directory) -> der::Result<Vec<u8>> {
    let objects = match &directory.objects {
        Objects::At(location) => location.write()?,
        Objects::Inline(objects) => wrap(context(0), objects)?,
    };
    wrap(directory.class.tag(), &objects)
}

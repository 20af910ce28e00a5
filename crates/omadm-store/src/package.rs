//! What is kept of firmware and software packages; their octets are elsewhere.

use omadm_mo::Time;
use uuid::Uuid;

use crate::StoreError;

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PackageKind {
    /// For the firmware update object (FUMO).
    Firmware,
    /// For the software component object (SCOMO).
    Software,
}

impl PackageKind {
    /// The name for people, programs and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Software => "software",
        }
    }

    /// The inverse of [`PackageKind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Firmware, Self::Software].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A package. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its identifier (time-ordered).
    pub id: Uuid,
    /// Name; with the version unique.
    pub name: String,
    /// Version.
    pub version: String,
    /// What it is for.
    pub kind: PackageKind,
    /// Models that it is for, as a glob; `None` for all.
    pub model: Option<String>,
    /// Media type.
    pub content_type: String,
    /// Length in octets.
    pub size: i64,
    /// SHA-256 in 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Signature over it, if it has one.
    pub signature: Option<Vec<u8>>,
    /// Which trusted key made the signature.
    pub signed_by: Option<String>,
    /// When it was stored.
    pub created: Time,
    /// Who stored it.
    pub created_by: String,
}

/// What became of the wish to remove a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageRemoval {
    /// It is gone.
    Removed,
    /// There is none.
    Unknown,
    /// Something needs it; this says what.
    InUse(String),
}

/// The part of [`crate::Store`] that is about packages.
#[async_trait::async_trait]
pub trait PackageStore: Send + Sync + 'static {
    /// Keeps a package; `false` if there is one of that name and version, which stays as it is.
    async fn add_package(&self, package: Package) -> Result<bool, StoreError>;
    /// One package.
    async fn package(&self, id: Uuid) -> Result<Option<Package>, StoreError>;
    /// One package by name and version.
    async fn package_named(&self, name: &str, version: &str) -> Result<Option<Package>, StoreError>;
    /// Packages, newest first, below `before`, at most `limit`.
    async fn packages(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Package>, StoreError>;
    /// Removes a package that no campaign which is not over needs. What profiles bring is not known here: they name packages in their documents.
    async fn remove_package(&self, id: Uuid) -> Result<PackageRemoval, StoreError>;
}

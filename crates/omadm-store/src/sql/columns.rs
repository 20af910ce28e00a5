//! Types of the store in columns.

use std::borrow::Cow;

use omadm_mo::DeviceId;
use uuid::Uuid;

use super::value::{Cell, FromSql, Kind, Param, ToSql, Typed, blob, text};
use crate::{
    CampaignDeviceState, CampaignState, CommandState, DelegationRole, DelegationState, ImportState, Kept,
    PackageKind, PartState, ProfileState, RowOutcome, StandingKind, StoredSecret,
};

/// A number of things as a column can hold it.
pub(crate) fn count(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}

/// A UUID, kept as its 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) Uuid);

impl Typed for Id {
    const KIND: Kind = Kind::Blob;
}

impl ToSql for Id {
    fn to_sql(&self) -> Param<'_> {
        Param::Blob(self.0.as_bytes())
    }
}

impl FromSql for Id {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        Uuid::from_slice(blob(cell)?).ok().map(Self)
    }
}

/// A DevID that is read.
pub(crate) struct Dev(pub(crate) DeviceId);

impl FromSql for Dev {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        DeviceId::parse(text(cell)?).ok().map(Self)
    }
}

/// Texts as a column keeps them: a JSON array.
pub(crate) fn texts(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

/// Texts that are read.
pub(crate) struct Texts(pub(crate) Vec<String>);

impl FromSql for Texts {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        serde_json::from_str(text(cell)?).ok().map(Self)
    }
}

impl Typed for StoredSecret {
    const KIND: Kind = Kind::Blob;
}

impl ToSql for StoredSecret {
    fn to_sql(&self) -> Param<'_> {
        Param::Blob(self.expose())
    }
}

impl FromSql for StoredSecret {
    fn from_sql(cell: Cell<'_>) -> Option<Self> {
        blob(cell).map(|octets| octets.to_vec().into())
    }
}

/// Types with a name for each value: `as_str` and `parse`.
macro_rules! named {
    ($($type:ty),* $(,)?) => {
        $(
            impl Typed for $type {
                const KIND: Kind = Kind::Text;
            }

            impl ToSql for $type {
                fn to_sql(&self) -> Param<'_> {
                    Param::Text(Cow::Borrowed(self.as_str()))
                }
            }

            impl FromSql for $type {
                fn from_sql(cell: Cell<'_>) -> Option<Self> {
                    Self::parse(text(cell)?)
                }
            }
        )*
    };
}

named!(
    ImportState,
    RowOutcome,
    CampaignDeviceState,
    CampaignState,
    PackageKind,
    CommandState,
    Kept,
    DelegationRole,
    DelegationState,
    PartState,
    ProfileState,
    StandingKind
);

//! What `[notifier]` says of DM 1.x.

use omadm_codec::dm1::trigger;
use omadm_config::Fault;
use omadm_mo::Moid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NotifierSection;

/// Most preferred bearers.
const MAX_BEARERS: usize = 32;
/// Most numbers of management objects.
const MAX_OBJECTS: usize = 256;

/// The form of notifications to devices of DM 1.x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dm1Format {
    /// The trigger of DM 1.2, which devices of DM 1.3 know, too.
    #[default]
    #[serde(rename = "1.2")]
    Trigger,
    /// The notification of DM 1.3.
    #[serde(rename = "1.3")]
    Extended,
    /// That of DM 1.3 where the device spoke it last, else that of DM 1.2.
    #[serde(rename = "auto")]
    Auto,
}

/// The form for a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFormat {
    /// `Mod` of DevInfo.
    pub model: String,
    /// The form.
    pub format: Dm1Format,
}

/// A number of a management object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectNumber {
    /// The number.
    pub number: u16,
    /// The object.
    pub moid: String,
}

/// How the user is to be involved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UiMode {
    /// As the device likes.
    #[default]
    Unspecified,
    /// The session goes unnoticed.
    Background,
    /// The user is told.
    Inform,
    /// The user is asked first.
    Ask,
}

impl From<UiMode> for trigger::UiMode {
    fn from(mode: UiMode) -> Self {
        match mode {
            UiMode::Unspecified => Self::NotSpecified,
            UiMode::Background => Self::Background,
            UiMode::Inform => Self::Informative,
            UiMode::Ask => Self::UserInteraction,
        }
    }
}

/// Whether the settings are in order.
pub(super) fn check(settings: &NotifierSection) -> Result<(), Fault> {
    if settings.dm1_bearers.len() > MAX_BEARERS {
        return Err(Fault::new("notifier.dm1_bearers", format!("has at most {MAX_BEARERS} numbers")));
    }
    const KEY: &str = "notifier.dm1_objects";
    if settings.dm1_objects.len() > MAX_OBJECTS {
        return Err(Fault::new(KEY, format!("has at most {MAX_OBJECTS} numbers")));
    }
    for (at, object) in settings.dm1_objects.iter().enumerate() {
        Moid::parse(&object.moid).map_err(|error| Fault::new(KEY, error.to_string()))?;
        if settings.dm1_objects.iter().take(at).any(|other| other.number == object.number) {
            return Err(Fault::new(KEY, format!("has the number {} twice", object.number)));
        }
    }
    Ok(())
}

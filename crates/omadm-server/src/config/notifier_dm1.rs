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

#[cfg(test)]
mod tests {
    use super::*;

    fn object(number: u16) -> ObjectNumber {
        ObjectNumber { number, moid: "urn:oma:mo:x:1.0".to_owned() }
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let good = NotifierSection {
            dm1_bearers: vec![0; 32],
            dm1_objects: (0..256).map(object).collect(),
            ..NotifierSection::default()
        };
        assert!(check(&good).is_ok());
        for wrong in [
            NotifierSection { dm1_bearers: vec![0; 33], ..good.clone() },
            NotifierSection { dm1_objects: (0..257).map(object).collect(), ..good.clone() },
            NotifierSection { dm1_objects: vec![object(1), object(1)], ..good.clone() },
            NotifierSection {
                dm1_objects: vec![ObjectNumber { moid: String::new(), ..object(1) }],
                ..good.clone()
            },
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn settings_are_written_as_people_write_them() {
        let text = r#"{ "dm1_format": "auto", "dm1_ui": "ask", "dm1_models": [{ "model": "T", "format": "1.3" }],
            "dm1_objects": [{ "number": 65535, "moid": "urn:oma:mo:x:1.0" }] }"#;
        let settings: NotifierSection = serde_json::from_str(text).unwrap();
        assert_eq!((settings.dm1_format, settings.dm1_ui), (Dm1Format::Auto, UiMode::Ask));
        assert_eq!(settings.dm1_models[0].format, Dm1Format::Extended);
        assert_eq!(settings.dm1_objects, [object(65_535)]);
        assert_eq!(NotifierSection::default().dm1_format, Dm1Format::Trigger);
    }
}

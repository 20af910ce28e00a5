//! Notifications to devices of DM 1.x: the trigger of DM 1.2 and the notification of DM 1.3 (`DM 1.2 NOTI §6`, `DM 1.3 NOTI §6`).

use omadm_auth::dm1::{DEFAULT_NONCE, Hash, Keys};
use omadm_codec::dm1::notification::Notification;
use omadm_codec::dm1::trigger::{DIGEST_LENGTH, Trigger};
use omadm_codec::wsp;
use omadm_mo::ServerId;
use omadm_store::{Push, PushProgress};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan;
use crate::config::{Config, Dm1Format, NotifierSection, UiMode};
use crate::device::dm1::{Kept, protocol_version};

/// Longest reason in octets.
const MAX_REASON: usize = 4_095;
/// Most objects that a notification asks for.
const MAX_REQUESTED: usize = 64;

/// What a notification by hand is to say; only devices of DM 1.x are told. What is left out is as the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// How the user is to be involved: `unspecified`, `background`, `inform` or `ask`.
    pub ui: Option<UiMode>,
    /// Why the device is called, for its user; in the form of DM 1.3 only. At most 4,095 octets.
    pub reason: Option<String>,
    /// Management objects that the device is to send at the begin of the session, by MOID or number; in the form of DM 1.3 only.
    pub request_mos: Vec<String>,
    /// The same of those that the session will be about.
    pub target_mos: Vec<String>,
    /// The user or the device asked for the session, not the server.
    pub for_user: bool,
    /// The form, whatever the configuration says.
    pub format: Option<Form>,
}

impl Wish {
    /// Whether it asks for something that only the notification of DM 1.3 can say.
    fn is_extended(&self) -> bool {
        self.reason.is_some() || !self.request_mos.is_empty() || !self.target_mos.is_empty()
    }

    /// Whether it is for DM 1.x alone.
    pub fn is_of_dm1(&self) -> bool {
        self.is_extended() || self.ui.is_some() || self.for_user || self.format.is_some()
    }
}

/// The form of a notification of DM 1.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Form {
    /// The trigger of DM 1.2.
    #[serde(rename = "1.2")]
    Trigger,
    /// The notification of DM 1.3.
    #[serde(rename = "1.3")]
    Extended,
}

impl Form {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "1.2",
            Self::Extended => "1.3",
        }
    }

    /// The content type of a push.
    pub fn media(self) -> wsp::Media {
        wsp::Media::code(match self {
            Self::Trigger => wsp::TRIGGER_CODE,
            Self::Extended => wsp::NOTIFICATION_CODE,
        })
    }

    /// What a device gets: as the operator says, else as the configuration says of its model or of all.
    fn of(push: &Push, wish: &Wish, settings: &NotifierSection) -> Self {
        let model = || {
            let facts: serde_json::Value = serde_json::from_str(&push.facts).ok()?;
            let model = facts.get("model")?.as_str()?;
            settings.dm1_models.iter().find(|of| of.model == model).map(|of| of.format)
        };
        let newest = protocol_version(push.protocol.as_deref()) == Some(omadm_codec::dm1::Version::Dm13);
        wish.format.unwrap_or_else(|| match model().unwrap_or(settings.dm1_format) {
            Dm1Format::Trigger => Self::Trigger,
            Dm1Format::Auto if !newest => Self::Trigger,
            Dm1Format::Extended | Dm1Format::Auto => Self::Extended,
        })
    }
}

/// A notification that is made.
pub struct Made {
    /// Its form.
    pub form: Form,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// Makes the notification of a device. `progress` is that after it.
///
/// # Errors
/// A sentence that says why there is none.
pub fn make(
    config: &Config,
    push: &Push,
    progress: &PushProgress,
    session_id: u16,
    wish: &Wish,
) -> Result<Made, String> {
    let settings = &config.notifier;
    let kept = push.dm1.as_ref().and_then(|kept| Kept::read(kept.expose()));
    let kept = kept.ok_or("the device was not enrolled for DM 1.x")?;
    let endpoint = config.dm1.endpoints.first().ok_or("this server does not speak DM 1.x")?;
    let server = endpoint.server_id(config);
    let form = Form::of(push, wish, settings);
    let nonce = if plan::gives_nonce_up(progress, settings) { &DEFAULT_NONCE } else { kept.nonces().1 };
    let server_id = ServerId::parse(server).map_err(|error| format!("dm1.endpoints: {error}"))?;
    let ui_mode = wish.ui.unwrap_or(settings.dm1_ui).into();
    let by_server = !wish.for_user;
    let octets = match form {
        Form::Trigger if wish.is_extended() => {
            return Err(
                "a notification 1.2 has no room for a reason or for objects; ask for the form 1.3".to_owned()
            );
        }
        Form::Trigger => {
            let trigger = Trigger { ui_mode, by_server, session_id, server_id, vendor: Vec::new() };
            let keys = Keys::of(server, &kept.server_secret(server));
            trigger.encode(|octets| digest_of(&keys, nonce, octets))
        }
        Form::Extended => {
            let notification = Notification {
                ui_mode,
                by_server,
                session_id,
                timeout_days: settings.dm1_timeout_days,
                server_id,
                targeted_mos: numbers(&wish.target_mos, settings)?,
                requested_mos: numbers(&wish.request_mos, settings)?,
                bearers: settings.dm1_bearers.clone(),
                reason: wish.reason.clone(),
                vendor: None,
            };
            let (keys, hash, nonce) = match kept.notification_secret(server) {
                // Its nonce is the empty one, and never changes.
                Some(own) => (Keys::of(server, &own), Hash::Sha256, &[][..]),
                None => (Keys::of(server, &kept.server_secret(server)), Hash::Md5, nonce),
            };
            notification.encode(|octets| keys.mac(hash, nonce, octets))
        }
    };
    Ok(Made { form, octets })
}

/// The digest of a trigger, of MD5.
fn digest_of(keys: &Keys, nonce: &[u8], octets: &[u8]) -> [u8; DIGEST_LENGTH] {
    let mac = keys.mac(Hash::Md5, nonce, octets);
    mac.first_chunk().copied().unwrap_or_default()
}

/// Numbers of management objects: they themselves, or those of the table.
fn numbers(objects: &[String], settings: &NotifierSection) -> Result<Vec<u16>, String> {
    if objects.len() > MAX_REQUESTED {
        return Err(format!("a notification names at most {MAX_REQUESTED} objects"));
    }
    let number = |object: &String| {
        let known = settings.dm1_objects.iter().find(|known| known.moid == *object);
        let unknown = || format!("{object:?} is no number, and no object of notifier.dm1_objects");
        known.map(|known| known.number).or_else(|| object.parse().ok()).ok_or_else(unknown)
    };
    objects.iter().map(number).collect()
}

/// Checks what an operator wrote.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check(wish: &Wish) -> Result<(), String> {
    let too_long = wish.reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON);
    if too_long { Err(format!("a reason has at most {MAX_REASON} octets")) } else { Ok(()) }
}

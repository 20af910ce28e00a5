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

#[cfg(test)]
mod tests {
    use omadm_codec::dm1::{notification, trigger};
    use omadm_codec::{Leniency, Limits};
    use omadm_mo::DeviceId;

    use super::*;
    use crate::config::{ModelFormat, ObjectNumber};

    fn push(protocol: Option<&str>) -> Push {
        let kept = Kept::new("dev", &omadm_auth::Secret::new(b"secret".to_vec())).unwrap();
        Push {
            device: DeviceId::parse("A:1").unwrap(),
            generation: 1,
            version: 0,
            addresses: Vec::new(),
            registration: None,
            wanted: None,
            progress: PushProgress::default(),
            last_contact: None,
            open_commands: 0,
            has_inventory: false,
            verifier: Default::default(),
            protocol: protocol.map(str::to_owned),
            facts: r#"{"model":"T1"}"#.to_owned(),
            dm1: Some(kept.write().into()),
        }
    }

    fn form(protocol: &str, settings: &NotifierSection) -> Form {
        Form::of(&push(Some(protocol)), &Wish::default(), settings)
    }

    #[test]
    fn the_form_is_as_the_operator_the_model_or_all_have_it() {
        let all = |dm1_format| NotifierSection { dm1_format, ..NotifierSection::default() };
        assert_eq!(form("dm1.3", &NotifierSection::default()), Form::Trigger);
        assert_eq!(form("dm1.3", &all(Dm1Format::Auto)), Form::Extended);
        assert_eq!(form("dm1.2", &all(Dm1Format::Auto)), Form::Trigger);
        assert_eq!(form("dm1.2", &all(Dm1Format::Extended)), Form::Extended);
        let model = ModelFormat { model: "T1".to_owned(), format: Dm1Format::Trigger };
        let settings = NotifierSection { dm1_models: vec![model], ..all(Dm1Format::Extended) };
        assert_eq!(form("dm1.3", &settings), Form::Trigger);
        let wish = Wish { format: Some(Form::Extended), ..Wish::default() };
        assert_eq!(Form::of(&push(None), &wish, &settings), Form::Extended);
    }

    #[test]
    fn what_is_wished_for_is_in_it() {
        let mut config = Config::default();
        let moid = "urn:oma:mo:x:1.0".to_owned();
        config.notifier.dm1_objects = vec![ObjectNumber { number: 9, moid: moid.clone() }];
        let made = |wish: &Wish| make(&config, &push(Some("dm1.3")), &PushProgress::default(), 0xffff, wish);
        let by_user = Wish { ui: Some(UiMode::Ask), for_user: true, ..Wish::default() };
        let octets = made(&by_user).unwrap().octets;
        let received = trigger::Received::decode(&octets, &Limits::default(), &mut Leniency::strict());
        let trigger = received.unwrap().trigger;
        assert_eq!((trigger.ui_mode, trigger.by_server), (trigger::UiMode::UserInteraction, false));
        assert_eq!((trigger.session_id, trigger.server_id.as_str()), (0xffff, "omadm"));
        let wish = Wish {
            format: Some(Form::Extended),
            reason: Some("why".to_owned()),
            request_mos: vec![moid, "65535".to_owned()],
            ..Wish::default()
        };
        let octets = made(&wish).unwrap().octets;
        let notification = notification::Received::decode(&octets, &Limits::default()).unwrap().notification;
        assert_eq!(
            (notification.requested_mos, notification.reason.as_deref()),
            (vec![9, 65_535], Some("why"))
        );
        assert_eq!((notification.timeout_days, notification.by_server), (1, true));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let config = Config::default();
        let refusal = |push: &Push, wish: &Wish| {
            make(&config, push, &PushProgress::default(), 1, wish).err().unwrap_or_default()
        };
        let (known, with_reason) =
            (push(Some("dm1.3")), Wish { reason: Some("x".to_owned()), ..Wish::default() });
        assert!(refusal(&known, &with_reason).contains("has no room for a reason"));
        let asks = |count| Wish {
            format: Some(Form::Extended),
            request_mos: vec!["1".to_owned(); count],
            ..Wish::default()
        };
        assert_eq!(refusal(&known, &asks(64)), "");
        assert!(refusal(&known, &asks(65)).contains("at most 64 objects"));
        let unknown = Wish { request_mos: vec!["urn:oma:mo:y:1.0".to_owned()], ..asks(0) };
        assert!(refusal(&known, &unknown).contains("notifier.dm1_objects"));
        assert!(refusal(&Push { dm1: None, ..known }, &Wish::default()).contains("not enrolled for DM 1.x"));
        let reason = |octets| check(&Wish { reason: Some("r".repeat(octets)), ..Wish::default() });
        assert!(reason(4_095).is_ok() && reason(4_096).is_err());
    }
}

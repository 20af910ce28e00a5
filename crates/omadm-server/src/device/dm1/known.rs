//! Who sent a message, and what is known of the device: from its transport, or by the names in the message, which prove nothing yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use omadm_codec::dm1::Version;
use omadm_mo::DeviceId;
use omadm_session::dm1::server as engine;
use omadm_session::dm1::server::Capabilities;
use omadm_session::dm2::server::Refusal;
use omadm_store::{CheckIn, Credential, Model, StoreError};

use super::account::{Kept, by_transport};
use crate::config::Endpoint;
use crate::context::Context;
use crate::device::auth::{self, Caller};
use crate::device::store_failed;

/// Names of the protocol in the store.
const PROTOCOLS: [(Version, &str); 3] =
    [(Version::Dm11, "dm1.1"), (Version::Dm12, "dm1.2"), (Version::Dm13, "dm1.3")];
/// Most models whose capabilities are remembered.
const MAX_MODELS: usize = 1_024;
/// For how long what another node has learnt of a model may be unknown here.
const LATELY: Duration = Duration::from_secs(30);

/// The name of the protocol of a version.
pub fn protocol(version: Version) -> &'static str {
    PROTOCOLS.iter().find(|(known, _)| *known == version).map_or("dm1.2", |(_, name)| name)
}

/// The version of DM 1.x that a device spoke last; `None` if it was another protocol.
pub fn protocol_version(protocol: Option<&str>) -> Option<Version> {
    PROTOCOLS.iter().find(|(_, name)| Some(*name) == protocol).map(|(version, _)| *version)
}

/// Whose message it may be.
pub struct Sender {
    /// The name whose failures are counted.
    pub name: String,
    /// The device, as far as there is one of that name.
    pub device: Option<Found>,
}

/// A device that was found.
pub struct Found {
    /// What the message needs to know; the store may know better by now.
    pub check: CheckIn,
    /// User name and credential, unless it was found by its identifier alone.
    pub login: Option<(String, Credential)>,
    /// Whether its transport has proved that it is the device.
    pub is_proved: bool,
    /// Whether `check` is from memory: another node may have served the device since. Only a write to the store shows that it has not.
    pub is_remembered: bool,
}

impl Found {
    /// Reads anew what the message needs, where the device still is what it was.
    ///
    /// # Errors
    /// 401 when it is not; 503 when the store fails.
    pub async fn read_again(&mut self, context: &Context, limit: u32) -> Result<(), Refusal> {
        self.is_remembered = false;
        // What the message proves by itself is looked at anew with what is read.
        if let Some((user, credential)) = self.login.as_ref().filter(|_| self.is_proved) {
            self.check = auth::check_in_again(context, user, credential, limit).await?;
            return Ok(());
        }
        let device = &self.check.device;
        let read = context.store.check_in(&device.id, limit).await.map_err(|error| store_failed(&error))?;
        let same = read.filter(|check| check.device.generation == device.generation);
        self.check = same.ok_or_else(|| crate::device::refusal(401, auth::GONE))?;
        Ok(())
    }

    /// What is kept of it for DM 1.x.
    pub fn kept(&self) -> Option<Kept> {
        self.check.dm1.as_ref().and_then(|kept| Kept::read(kept.expose()))
    }

    /// The account for the engine.
    pub fn account(&self, kept: Option<&Kept>, context: &Context, endpoint: &Endpoint) -> engine::Account {
        let (device, server) = (self.check.device.id.as_str(), endpoint.server_id(&context.config));
        let account = kept.map_or_else(|| by_transport(device, server), |kept| kept.account(device, server));
        engine::Account { transport_authenticated: self.is_proved, ..account }
    }
}

/// Finds the device of a message.
///
/// # Errors
/// What the transport says is wrong; 403 if it says that it is another device; 429 after too many failures; 503 when the store fails.
pub async fn find(
    context: &Context,
    caller: &Caller,
    named: &engine::Sender,
    limit: u32,
) -> Result<Sender, Refusal> {
    if caller.has_credentials() {
        let known = auth::check_in(context, caller, limit).await?;
        let device = &known.credential.device;
        if named.device != device.as_str() {
            return Err(auth::tell_apart(context, device, &named.device, &caller.connection).await);
        }
        let name = known.user.clone();
        let found = Found {
            check: known.check,
            login: Some((known.user, known.credential)),
            is_proved: true,
            is_remembered: known.is_remembered,
        };
        return Ok(Sender { name, device: Some(found) });
    }
    let name = named.user.clone().unwrap_or_else(|| named.device.clone());
    auth::hold_back(context, caller, &name)?;
    let device = match &named.user {
        Some(user) => by_user(context, user, limit).await?,
        None => None,
    };
    let device = match device {
        None => by_identifier(context, &named.device, limit).await?,
        found => found,
    };
    Ok(Sender { name, device })
}

async fn by_user(context: &Context, user: &str, limit: u32) -> Result<Option<Found>, Refusal> {
    let remembered = context.memory.take(user, |_| true);
    let is_remembered = remembered.is_some();
    let known = match remembered {
        Some(known) => Some(known),
        None => {
            let any = Box::new(|_: &Credential| true);
            context.store.check_in_user(user, any, limit).await.map_err(|error| store_failed(&error))?
        }
    };
    Ok(known.map(|(credential, check)| Found {
        check,
        login: Some((user.to_owned(), credential)),
        is_proved: false,
        is_remembered,
    }))
}

async fn by_identifier(context: &Context, device: &str, limit: u32) -> Result<Option<Found>, Refusal> {
    let Ok(id) = DeviceId::parse(device) else { return Ok(None) };
    let check = context.store.check_in(&id, limit).await.map_err(|error| store_failed(&error))?;
    Ok(check.map(|check| Found { check, login: None, is_proved: false, is_remembered: false }))
}

/// What devices of each model can do, as far as it was looked up lately.
#[derive(Default)]
pub struct Models(Mutex<HashMap<String, (Instant, Capabilities)>>);

impl Models {
    /// What a device can do, by its model.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(&self, context: &Context, facts: &str) -> Result<Capabilities, StoreError> {
        let Some(name) = model(facts) else { return Ok(Capabilities::default()) };
        if let Some((at, known)) = self.known().get(&name)
            && at.elapsed() < LATELY
        {
            return Ok(*known);
        }
        let stored = context.store.model(&name).await?;
        let known = stored.and_then(|model| serde_json::from_str(&model.text).ok()).unwrap_or_default();
        self.note(name, known);
        Ok(known)
    }

    /// What a device can do, for operators: only what is known.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn features(
        &self,
        context: &Context,
        facts: &str,
    ) -> Result<BTreeMap<String, bool>, StoreError> {
        let known = serde_json::json!(self.of(context, facts).await?);
        let members = known.as_object().into_iter().flatten();
        let known = members.filter_map(|(name, known)| Some((name.clone(), known.as_bool()?)));
        // All others are not Windows.
        Ok(known.filter(|(name, known)| *known || name != "windows").collect())
    }

    /// Keeps what was learnt of the model of a device, if that is known; gives it for the store.
    pub fn learn(&self, facts: &str, learnt: Capabilities) -> Option<Model> {
        let name = model(facts)?;
        self.note(name.clone(), learnt);
        Some(Model { name, text: serde_json::json!(learnt).to_string() })
    }

    fn note(&self, name: String, known: Capabilities) {
        let mut models = self.known();
        if models.len() >= MAX_MODELS {
            models.clear();
        }
        models.insert(name, (Instant::now(), known));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Capabilities)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells a model with its software from others; `None` as long as the device has not told.
fn model(facts: &str) -> Option<String> {
    let facts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(facts).ok()?;
    let fact = |name: &str| facts.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let model = ["manufacturer", "model", "firmware", "software"].map(fact);
    model.iter().any(|part| !part.is_empty()).then(|| model.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names() {
        for (version, name) in PROTOCOLS {
            assert_eq!(protocol(version), name);
            assert_eq!(protocol_version(Some(name)), Some(version));
        }
        assert_eq!(protocol_version(Some("dm2.0")), None);
        assert_eq!(protocol_version(None), None);
    }

    #[test]
    fn what_is_learnt_is_of_the_model() {
        let models = Models::default();
        assert_eq!(models.learn("{}", Capabilities::default()), None);
        let facts = r#"{"manufacturer":"Acme","model":"T1","firmware":"7"}"#;
        let learnt = Capabilities { tnds: Some(false), ..Capabilities::default() };
        let kept = models.learn(facts, learnt).unwrap();
        assert_eq!(serde_json::from_str::<Capabilities>(&kept.text).unwrap(), learnt);
        assert_eq!(models.known().get(&kept.name).map(|(_, known)| *known), Some(learnt));
        for number in 0..MAX_MODELS {
            models.note(number.to_string(), learnt);
        }
        assert!(models.known().len() <= MAX_MODELS);
    }
}

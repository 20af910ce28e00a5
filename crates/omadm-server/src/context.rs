//! What every request handler shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_auth::Secret;
use omadm_codec::media_type::{DMMO_JSON, SYNCML_DM_WBXML};
use omadm_codec::{DecodeError, Leniency, Limits, dm2};
use omadm_mo::{DeviceId, Time};
use omadm_session::dm1;
use omadm_session::dm2::server as engine;
use omadm_store::Store;
use tokio::sync::{Notify, watch};

use crate::about::About;
use crate::admission::Admission;
use crate::audit::Audit;
use crate::campaign::Campaigns;
use crate::config::{Config, Dm1Section, Endpoint, Size};
use crate::delegation::Delegations;
use crate::desired::Profiles;
use crate::device::{Memory, Schemes};
use crate::guard::Guard;
use crate::links::Links;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::notifier::Notifier;
use crate::operator::ready::Readiness;
use crate::package::Packages;
use crate::password::Passwords;
use crate::proxy::Proxies;
use crate::tail::Tail;
use crate::tls::KeyPair;
use crate::webhooks;

/// Path of the DM 2.0 endpoint below the public URL.
pub const DM2_PATH: &str = "/dm/2.0";
/// Path of bootstraps below the public URL.
pub const BOOTSTRAP_PATH: &str = "/bootstrap";

/// The realm of HTTP authentication towards devices. What is kept of their secrets is bound to it.
pub const REALM: &str = "omadm";

/// Shared by all handlers of both listeners.
pub struct Context {
    /// Settings.
    pub config: Config,
    /// This process.
    pub about: About,
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Settings of the protocol engine.
    pub engine: engine::Config,
    /// Settings of the engine of DM 1.x.
    pub dm1: dm1::server::Config,
    /// What models of DM 1.x can do.
    pub dm1_models: crate::device::dm1::Models,
    /// How devices may prove who they are.
    pub schemes: Schemes,
    /// What is taken from proxies that end TLS.
    pub proxies: Proxies,
    /// Has those wait who try secrets.
    pub guard: Arc<Guard>,
    /// Writes the audit log.
    pub audit: Audit,
    /// Passwords of people.
    pub passwords: Passwords,
    /// Has those wait who try passwords of people.
    pub logins: Logins,
    /// The end of the log of events, for those who follow it.
    pub tail: Tail,
    /// Tells programs elsewhere of events.
    pub webhooks: webhooks::Sender,
    /// How devices reach us: scheme and authority, no trailing slash.
    pub public_url: String,
    /// The authority that devices have to trust, as PEM.
    pub authority: Option<String>,
    /// Who this server is in TLS; none if it speaks none.
    pub identity: Option<KeyPair>,
    /// Admission of new sessions.
    pub admission: Admission,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    /// Whether the store has worked when it was looked at last.
    pub readiness: Readiness,
    /// Says when the server stops: who waits then goes.
    pub stopped: watch::Receiver<bool>,
    /// Wakes those who wait for a device's commands.
    pub wakers: Wakers,
    /// What is known of devices in the middle of a session.
    pub memory: Memory,
    /// Bounds what a single device can make us write outside of sessions.
    pub remarks: Budget,
    /// What is wanted of devices.
    pub profiles: Profiles,
    /// What the DDF files say.
    pub models: Models,
    /// Moves campaigns on.
    pub campaigns: Campaigns,
    /// Firmware and software packages.
    pub packages: Packages,
    /// Fetches the DDF files that devices link to.
    pub links: Links,
    /// Delegation between servers, if it is on.
    pub delegations: Option<Delegations>,
    /// Calls devices.
    pub notifier: Notifier,
}

impl Context {
    /// The URI of the DM 2.0 endpoint, `SrvURI` of the DM account.
    pub fn device_uri(&self) -> String {
        format!("{}{DM2_PATH}", self.public_url)
    }

    /// The URI of an endpoint of DM 1.x, `Addr` of the DM account.
    pub fn dm1_uri(&self, endpoint: &Endpoint) -> String {
        format!("{}{}", self.public_url, endpoint.path)
    }

    /// Where devices fetch bootstraps, `Auth/Bootstrap/ServerURI` of the DM account.
    pub fn bootstrap_uri(&self) -> String {
        format!("{}{BOOTSTRAP_PATH}", self.public_url)
    }

    /// Whether devices can fetch bootstraps of DM 2.0: over TLS only (`DM 2.0 §9.3.1.1`), and if the configuration says for which MOIDs.
    pub fn serves_bootstraps(&self) -> bool {
        !self.config.device.plain_http && !self.config.bootstrap.moids.is_empty()
    }

    /// Media types of the bootstraps that devices can fetch, that of DM 2.0 first.
    pub fn served_bootstraps(&self) -> Vec<&'static str> {
        let dm1 = self.config.bootstrap.dm1 && self.config.dm1.enabled && !self.config.device.plain_http;
        let served = [(self.serves_bootstraps(), DMMO_JSON), (dm1, SYNCML_DM_WBXML)];
        served.into_iter().filter(|(is_served, _)| *is_served).map(|(_, media_type)| media_type).collect()
    }
}

/// Limits for a body of MO data up to `bytes`.
pub fn limits(bytes: usize) -> Limits {
    Limits { bytes, ..Limits::default() }
}

/// Settings of the engine.
pub fn engine_config(config: &Config) -> engine::Config {
    engine::Config {
        limits: limits(config.device.max_message.0),
        strict: config.device.strict,
        max_commands: config.queue.max_commands_per_package,
        max_attempts: config.queue.max_attempts,
        max_items: config.data.max_items,
    }
}

/// Settings of the engine of DM 1.x; `key` is that of nonces.
pub fn dm1_config(config: &Config, key: Secret) -> dm1::server::Config {
    let Dm1Section { max_message, max_object, max_reply, max_session, .. } = config.dm1;
    let octets = |size: Size| u32::try_from(size.0).unwrap_or(u32::MAX);
    dm1::server::Config {
        limits: limits(max_message.0),
        strict: config.device.strict,
        max_message: octets(max_message),
        max_object: max_object.0 as u64,
        max_reply: octets(max_reply),
        versions: config.dm1.versions.iter().map(|version| version.0).collect(),
        schemes: config.dm1.schemes.clone(),
        lenient_nonce: config.dm1.lenient_nonce,
        max_challenges: config.dm1.max_challenges,
        max_attempts: config.queue.max_attempts,
        max_commands: config.queue.max_commands_per_package,
        max_nodes: config.data.max_items,
        max_messages: config.dm1.max_messages,
        max_session: max_session.0 as u64,
        idle: config.dm1.session_timeout.0,
        repeat_window: config.dm1.repeat_window.0,
        ..dm1::server::Config::new(key)
    }
}

/// Reads MO data.
///
/// # Errors
/// With byte offset and field.
pub fn decode_mo_data(
    body: &[u8],
    bytes: usize,
    leniency: &mut Leniency,
) -> Result<Vec<dm2::MoItem>, DecodeError> {
    dm2::mo_data::decode(body, &limits(bytes), leniency)
}

/// Wakes waiting requests of this process when something happened to a device's commands. Other processes are noticed by
/// re-reading.
#[derive(Default)]
pub struct Wakers(Mutex<HashMap<DeviceId, Arc<Notify>>>);

impl Wakers {
    /// A handle to wait on; ask for it before reading, so that nothing is missed in between.
    pub fn of(&self, device: &DeviceId) -> Arc<Notify> {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whom nobody waits on any more go first, so the map holds no more than there are waiting requests.
        wakers.retain(|_, waker| Arc::strong_count(waker) > 1);
        wakers.entry(device.clone()).or_default().clone()
    }

    /// Wakes all who wait for this device.
    pub fn wake(&self, device: &DeviceId) {
        if let Some(waker) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(device) {
            waker.notify_waiters();
        }
    }
}

/// At most so many remarks (security events, traces of refused messages) a device and window.
pub struct Budget {
    per_window: u32,
    window: Duration,
    spent: Mutex<(Time, HashMap<DeviceId, u32>)>,
}

/// Devices counted at a time; beyond, nobody has anything left until the next window.
const MAX_COUNTED: usize = 10_000;

impl Budget {
    /// A budget of so many remarks in each window.
    pub fn new(per_window: u32, window: Duration) -> Self {
        Self { per_window, window, spent: Mutex::new((Time(i64::MIN), HashMap::new())) }
    }

    /// Takes one, if there is one left.
    pub fn take(&self, device: &DeviceId, now: Time) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let window = i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX);
        if spent.0.plus_micros(window) <= now {
            *spent = (now, HashMap::new());
        }
        if spent.1.len() >= MAX_COUNTED && !spent.1.contains_key(device) {
            return false;
        }
        let count = spent.1.entry(device.clone()).or_default();
        *count += 1;
        *count <= self.per_window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_per_device_and_window() {
        let budget = Budget::new(2, Duration::from_secs(60));
        let (a, b) = (DeviceId::parse("A:1").unwrap(), DeviceId::parse("B:1").unwrap());
        let at = Time::from_secs;
        assert!(budget.take(&a, at(0)) && budget.take(&a, at(1)));
        assert!(!budget.take(&a, at(59)));
        assert!(budget.take(&b, at(59)));
        assert!(budget.take(&a, at(60)));
    }

    #[test]
    fn so_many_devices_are_counted_in_a_window() {
        let budget = Budget::new(1, Duration::from_secs(60));
        let device = |number: usize| DeviceId::parse(&format!("SIM:{number}")).unwrap();
        assert!((0..MAX_COUNTED).all(|number| budget.take(&device(number), Time(0))));
        assert!(!budget.take(&device(MAX_COUNTED), Time(0)));
        assert!(budget.take(&device(MAX_COUNTED), Time::from_secs(60)), "a new window");
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_forgotten() {
        let wakers = Wakers::default();
        let device = DeviceId::parse("A:1").unwrap();
        {
            let waker = wakers.of(&device);
            let mut waiting = std::pin::pin!(waker.notified());
            waiting.as_mut().enable();
            wakers.wake(&device);
            waiting.await;
        }
        wakers.of(&DeviceId::parse("B:1").unwrap());
        assert_eq!(wakers.0.lock().unwrap().len(), 1);
    }
}

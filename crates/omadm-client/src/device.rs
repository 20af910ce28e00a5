//! A device without its network: the tree, the plug-ins, and what keeps them durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use omadm_codec::Limits;
use omadm_codec::dm2::Alert;
use omadm_mo::ddf::Catalogue;
use omadm_mo::{Change, DeviceId, Moid, Quota, ServerId, Time, Tree};

use crate::error::{ClientError, PluginError};
use crate::grants::Grant;
use crate::persistence::{Entries, Persistence};
use crate::plugin::ManagementObject;

/// Settings of a device.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Bounds of the tree.
    pub quota: Quota,
    /// Bounds on a bootstrap.
    pub limits: Limits,
    /// No tolerance towards bootstraps and servers.
    pub strict: bool,
    /// Rights that the device gives.
    pub grants: Vec<Grant>,
    /// Most undelivered alerts kept for one server. Default 256.
    pub outbox: usize,
    /// The definitions of exactly the plug-ins given beside, if they are decoded already: a simulator shares one catalogue
    /// among its devices. `None` decodes their DDF files.
    pub catalogue: Option<Arc<Catalogue>>,
    /// The clock. Default the system's.
    pub clock: fn() -> Time,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            quota: Quota::default(),
            limits: Limits::default(),
            strict: false,
            grants: Vec::new(),
            outbox: 256,
            catalogue: None,
            clock: system_time,
        }
    }
}

/// The system's time; before 1970 and after the year 294246 it stops at the end of the range.
#[must_use]
pub fn system_time() -> Time {
    let micros = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Time(micros)
}

/// What a person wants to know of a device at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// DevID.
    pub device_id: Option<DeviceId>,
    /// Accounts: server, address, whether its bootstrap session is still to come, alerts that wait.
    pub accounts: Vec<AccountStatus>,
    /// MO instances in the tree.
    pub instances: usize,
}

/// One account of a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStatus {
    /// Server identifier.
    pub server: ServerId,
    /// SrvURI.
    pub uri: String,
    /// Whether BootstrapComplete is still to be sent.
    pub bootstrap_pending: bool,
    /// Undelivered alerts.
    pub alerts: usize,
}

/// The tree, the plug-ins, and what keeps them durable.
pub struct Device {
    pub(crate) config: DeviceConfig,
    pub(crate) tree: Tree,
    pub(crate) plugins: Vec<Box<dyn ManagementObject>>,
    pub(crate) owners: BTreeMap<Moid, usize>,
    pub(crate) persistence: Box<dyn Persistence>,
    pub(crate) entries: Entries,
}

impl Device {
    /// Decodes the DDF files of plug-ins, for [`DeviceConfig::catalogue`].
    ///
    /// # Errors
    /// [`ClientError::Ddf`] and [`ClientError::Plugins`].
    pub fn catalogue_of(plugins: &[Box<dyn ManagementObject>]) -> Result<Arc<Catalogue>, ClientError> {
        todo!()
    }
    /// Brings a device up: definitions, durable state, the plug-ins' instances, grants.
    ///
    /// # Errors
    /// When a DDF file, the durable state, a plug-in or a grant is not in order.
    pub fn open(
        config: DeviceConfig,
        plugins: Vec<Box<dyn ManagementObject>>,
        persistence: Box<dyn Persistence>,
    ) -> Result<Self, ClientError> {
        todo!()
    }
    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
    /// A change by the device itself, durable when this returns.
    ///
    /// # Errors
    /// What `change` says, or when it cannot be made durable; the tree is unchanged then.
    pub fn change<R>(
        &mut self,
        change: impl FnOnce(&mut Change<'_>) -> Result<R, PluginError>,
    ) -> Result<R, ClientError> {
        todo!()
    }
    /// Installs a bootstrap (`DM 2.0 §8.5`): all of it or nothing; durable together with the mark that each of its servers
    /// still has to be sent BootstrapComplete. Gives these servers.
    ///
    /// # Errors
    /// [`ClientError::Bootstrap`] and [`ClientError::Persist`].
    pub fn install_bootstrap(&mut self, body: &[u8]) -> Result<Vec<ServerId>, ClientError> {
        todo!()
    }
    /// As [`Device::install_bootstrap`], once in the life of the device: a factory bootstrap that was installed is not
    /// looked at again (`DM 2.0 §8.2`). `None` when that is so.
    ///
    /// # Errors
    /// As [`Device::install_bootstrap`]; the next start tries again.
    pub fn install_factory_bootstrap(&mut self, body: &[u8]) -> Result<Option<Vec<ServerId>>, ClientError> {
        todo!()
    }
    /// Keeps an alert for the next session with a server, durably.
    ///
    /// # Errors
    /// [`ClientError::OutboxFull`] and [`ClientError::Persist`].
    pub fn raise_alert(&mut self, server: &ServerId, alert: Alert) -> Result<(), ClientError> {
        todo!()
    }
    /// Servers that have yet to be sent BootstrapComplete.
    #[must_use]
    pub fn bootstraps_pending(&self) -> Vec<ServerId> {
        todo!()
    }
    /// What a person wants to know.
    #[must_use]
    pub fn status(&self) -> Status {
        todo!()
    }
    /// Compacts what is kept, now.
    ///
    /// # Errors
    /// [`ClientError::Persist`]; what was kept before is still there.
    pub fn compact(&mut self) -> Result<(), ClientError> {
        todo!()
    }
}

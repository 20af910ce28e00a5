//! The device side of OMA Device Management as a library.
//!
//! Here: the durable tree of a device, the plug-in trait for management objects, bootstrap, the outbox, the host loop that
//! carries out what the session engine asks for, and the HTTPS transport.
//! Never here: protocol rules (they live in `omadm-session`), wire formats (`omadm-codec`), anything of one operating system.
//!
//! A device is put together from three things: plug-ins ([`ManagementObject`]), a [`Persistence`], and a [`Transport`].
//! [`Device`] is the part without a network, [`Client`] adds it.

mod account;
pub mod bootstrap;
pub mod browser;
pub mod client;
mod defaults;
mod definitions;
pub mod device;
mod dm1x;
mod effects;
mod entry;
pub mod error;
mod exchange;
mod executions;
mod grants;
mod host;
pub mod https;
pub mod journal;
mod keys;
pub mod notification;
mod outbox;
pub mod persistence;
pub mod plugin;
mod reporting;
mod running;
mod status;
mod subscriptions;
mod text;
pub mod transport;

pub use bootstrap::{Always, BootstrapRequest, BootstrapSource, Consent, Origin, Received, RequestedAccount};
pub use browser::{Browser, Shown};
pub use client::{Client, ClientConfig, SessionReport};
pub use defaults::{DefaultSource, Provisioned};
pub use device::{Device, DeviceConfig};
pub use dm1x::dm1x_data;
pub use error::{ClientError, PersistError, PluginError, TransportError};
pub use grants::{Grant, Grantee};
pub use https::{HttpsConfig, HttpsTransport, TlsVersion};
pub use journal::{Journal, JournalView};
pub use notification::{Ignored, NotificationConfig, Notifications, Wake};
pub use omadm_auth::digest::Hash;
pub use omadm_auth::gba::{GbaError, GbaPush, NafId, NafKey, Place};
pub use omadm_auth::suite::{SUITES, Suite};
pub use omadm_auth::{BasicCredentials, Secret, TlsPolicy};
pub use omadm_codec::dm2::alert::AlertData;
pub use omadm_codec::dm2::{Alert, Mark, StatusCode};
pub use omadm_session::dm2::client::{Body, BootstrapError, Note, Outcome, Trigger};
pub use persistence::{Batch, Persistence, Volatile};
pub use plugin::{Changed, ChangedNode, DataMo, Execution, Finished, ManagementObject, Refusal};
pub use reporting::{DueSession, ReportConfig};
pub use status::{AccountStatus, ExecutionStatus, Status, SubscriptionStatus};
pub use transport::{HttpRequest, HttpResponse, TlsIdentity, Transport};

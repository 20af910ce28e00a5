//! The device side of OMA Device Management as a library.
//!
//! Here: the durable tree of a device, the plug-in trait for management objects, bootstrap, the outbox, the host loop that
//! carries out what the session engine asks for, and the HTTPS transport.
//! Never here: protocol rules (they live in `omadm-session`), wire formats (`omadm-codec`), anything of one operating system.
//!
//! A device is put together from three things: plug-ins ([`ManagementObject`]), a [`Persistence`], and a [`Transport`].
//! [`Device`] is the part without a network, [`Client`] adds it.
//!
//! Features: `dm2` is DM 2.0 with its JSON, `dm1` is DM 1.1 to 1.3 ([`dm1`]); both are on by default. `smartcard` reads cards through
//! PC/SC. `profile-1.0` alone is what the Client
//! Profile of DM 1.3 asks for.

#[cfg(feature = "dm2")]
mod account;
#[cfg(feature = "dm2")]
pub mod bootstrap;
#[cfg(feature = "dm2")]
pub mod browser;
pub mod client;
pub mod consent;
#[cfg(feature = "dm2")]
mod defaults;
mod definitions;
pub mod device;
#[cfg(feature = "dm1")]
pub mod dm1;
#[cfg(feature = "dm2")]
mod dm1x;
#[cfg(feature = "download")]
pub mod download;
#[cfg(feature = "dm2")]
mod effects;
mod ends;
#[cfg(feature = "dm2")]
mod entry;
pub mod error;
mod exchange;
#[cfg(feature = "dm2")]
mod executions;
mod gathered;
mod grants;
mod host;
pub mod https;
#[cfg(feature = "dm2")]
mod installation;
pub mod journal;
#[cfg(feature = "dm2")]
mod keys;
pub mod notification;
#[cfg(feature = "dm2")]
mod outbox;
mod peer;
pub mod persistence;
pub mod plugin;
pub mod push;
#[cfg(feature = "dm2")]
mod reporting;
mod retry_after;
#[cfg(feature = "dm2")]
mod running;
#[cfg(feature = "dm2")]
mod session;
#[cfg(feature = "dm1")]
pub mod smartcard;
#[cfg(feature = "dm2")]
mod status;
#[cfg(feature = "dm2")]
mod subscriptions;
mod text;
pub mod transport;

#[cfg(feature = "dm2")]
pub use bootstrap::{BootstrapSource, Received};
#[cfg(feature = "dm2")]
pub use browser::{Browser, Shown};
pub use client::{Client, ClientConfig};
pub use consent::{Always, BootstrapRequest, Consent, Origin, RequestedAccount};
#[cfg(feature = "dm2")]
pub use defaults::{DefaultSource, Provisioned};
pub use device::{Device, DeviceConfig};
#[cfg(feature = "dm2")]
pub use dm1x::{dm1x_code, dm1x_data};
pub use error::{ClientError, PersistError, PluginError, TransportError};
pub use grants::{Grant, Grantee};
pub use https::{HttpsConfig, HttpsTransport, TlsVersion};
pub use journal::{Journal, JournalView};
#[cfg(feature = "dm2")]
pub use notification::Wake;
pub use notification::{Ignored, NotificationConfig, Notifications};
pub use omadm_auth::digest::Hash;
pub use omadm_auth::gba::{GbaError, GbaPush, NafId, NafKey, Place};
pub use omadm_auth::suite::{SUITES, Suite};
pub use omadm_auth::{BasicCredentials, Secret, TlsPolicy};
pub use omadm_codec::StatusCode;
#[cfg(feature = "dm2")]
pub use omadm_codec::dm2::alert::AlertData;
#[cfg(feature = "dm2")]
pub use omadm_codec::dm2::{Alert, Mark};
pub use omadm_session::Body;
#[cfg(feature = "dm2")]
pub use omadm_session::dm2::client::{BootstrapError, Note, Outcome, Trigger};
pub use persistence::{Batch, Persistence, Volatile};
pub use plugin::{Changed, ChangedNode, DataMo, Execution, Finished, ManagementObject, Refusal};
pub use push::{PushContent, PushOrigin, Pushed};
#[cfg(feature = "dm2")]
pub use reporting::{DueSession, ReportConfig};
#[cfg(feature = "dm2")]
pub use session::SessionReport;
#[cfg(feature = "dm2")]
pub use status::{AccountStatus, ExecutionStatus, Status, SubscriptionStatus};
pub use transport::{HttpRequest, HttpResponse, TlsIdentity, Transport};

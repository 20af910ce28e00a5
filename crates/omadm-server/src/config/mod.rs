//! Configuration: one TOML file, every key also as `OMADM_SECTION__KEY`.

mod campaigns;
mod delegation;
mod dm1;
mod fleet;
mod metrics;
mod network;
mod notifier;
mod notifier_dm1;
mod package;
mod people;
mod prefix;
mod profiles;
mod push;
mod retention;
mod security;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod validate;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use omadm_mo::Moid;
use serde::{Deserialize, Serialize};

pub use campaigns::CampaignsSection;
pub use delegation::{Contract, DelegationPeer, DelegationSection, Right};
pub use dm1::{Dm1Section, Endpoint, ProtocolVersion};
pub use fleet::FleetSection;
pub use metrics::MetricsSection;
pub use network::Network;
pub use notifier::{
    CloudSection, CloudService, NotifierSection, PreferredConnection, SmsGateway, SmsMethod, SmsSection,
};
pub use notifier_dm1::{Dm1Format, ModelFormat, ObjectNumber, UiMode};
pub use omadm_config::{ConfigError, LogForm, Origin, Origins, Size, Span};
pub use omadm_link::ObexSection;
pub use package::PackageSection;
pub use people::{AuditSection, OperatorSection, WebhookSection};
pub use prefix::UrlPrefix;
pub use profiles::ProfilesSection;
pub use push::{HttpPushSection, PpgSection, SipSection};
pub use retention::RetentionSection;
pub use security::{AuthSection, ClientCertificates, TlsSection};
pub use settings::Settings;
pub(crate) use settings::{Setting, without_credentials};
pub use store::StoreSection;

/// Prefix of environment variables.
const PREFIX: &str = "OMADM_";
/// Prefix of the agent's variables, which may stand in the same environment and are none of ours.
const AGENT_PREFIX: &str = "OMADM_AGENT__";

/// All settings of a server. `Config::default()` is a working trial server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who the server is.
    pub server: ServerSection,
    /// The listener for devices.
    pub device: DeviceSection,
    /// DM 1.x towards devices.
    pub dm1: Dm1Section,
    /// TLS towards devices.
    pub tls: TlsSection,
    /// How devices prove who they are.
    pub auth: AuthSection,
    /// The listener for operators.
    pub operator: OperatorSection,
    /// The command queue.
    pub queue: QueueSection,
    /// The store.
    pub store: StoreSection,
    /// Traces of sessions.
    pub trace: TraceSection,
    /// How much is kept.
    pub retention: RetentionSection,
    /// The Data Repository.
    pub data: DataSection,
    /// Firmware and software packages.
    pub package: PackageSection,
    /// Desired state.
    pub profiles: ProfilesSection,
    /// Campaigns.
    pub campaigns: CampaignsSection,
    /// Inventory, filters and imports.
    pub fleet: FleetSection,
    /// DDF files.
    pub ddf: DdfSection,
    /// Bootstraps.
    pub bootstrap: BootstrapSection,
    /// Notifications of devices.
    pub notifier: NotifierSection,
    /// Short messages.
    pub sms: SmsSection,
    /// Cloud messaging.
    pub cloud: CloudSection,
    /// Push to devices that listen for it by HTTP.
    pub http_push: HttpPushSection,
    /// Push by SIP.
    pub sip: SipSection,
    /// Push by a Push Proxy Gateway.
    pub ppg: PpgSection,
    /// Delegation between servers.
    pub delegation: DelegationSection,
    /// Figures.
    pub metrics: MetricsSection,
    /// The audit log.
    pub audit: AuditSection,
    /// Webhooks.
    pub webhook: WebhookSection,
    /// The log of the program.
    pub log: LogSection,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Server Identifier, `SrvID` of the DM account on every device (`DM 2.0 §12.2`). 1 to 64 letters, digits, `.`, `-`, `_`.
    pub id: String,
    /// Name of the server for people, `Name` of the DM account.
    pub name: String,
    /// Directory for everything the server keeps. Made if it is missing.
    pub data_dir: PathBuf,
    /// How devices reach this server, such as `https://dm.example.org:8443`, no path. Default: the host of `device.listen`
    /// (`localhost` if it listens everywhere) with its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

/// `[device]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceSection {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file with the server's certificate and its chain. Without it a certification authority and a certificate are made
    /// under `data_dir/tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// PEM file with the authority that devices have to trust when `certificate` is given; bootstraps carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// Insecure: speak HTTP without TLS, so that everyone on the way reads credentials and data. Only for tests or behind a
    /// TLS proxy on the same machine.
    pub plain_http: bool,
    /// Insecure: address and port of a second listener that speaks HTTP without TLS, for labs and for proxies that end TLS. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_listen: Option<SocketAddr>,
    /// Addresses and networks of proxies that end TLS, such as `192.0.2.7` or `10.0.0.0/8`. What they say in `X-Forwarded-For`, and in
    /// `certificate_header`, counts where no TLS is spoken. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// Header in which trusted proxies hand on the certificate of a device, such as `Client-Cert` (`RFC 9440`) or `X-SSL-Client-Cert`
    /// (PEM in percent-encoding). It is checked against `tls.client_ca`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_header: Option<String>,
    /// Largest package a device may send.
    pub max_message: Size,
    /// How long a connection may stay without a request before it is closed.
    pub idle_timeout: Span,
    /// How long a new connection may take until its first request's head is complete.
    pub header_timeout: Span,
    /// How long a request's body may take.
    pub body_timeout: Span,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Span,
    /// Most connections at a time; more wait to be accepted.
    pub max_connections: usize,
    /// Most TLS handshakes at a time; more wait for their turn. 1 to 100,000.
    pub max_handshakes: usize,
    /// Most Package#1 in work at a time; more get 503 with a spread `Retry-After`. Messages of accepted sessions are never
    /// turned away. 0 takes no new session (maintenance).
    pub max_new_sessions: usize,
    /// Most sessions that go on at a time; more get 503. 1 to 10,000,000.
    pub max_open_sessions: usize,
    /// After this time without a message a session does not count as going on; the device may go on with it all the same. One second or
    /// more.
    pub open_session_idle: Span,
    /// Most writes that wait for the store; while there are more, new sessions get 503. 1 to 1,000,000.
    pub max_store_queue: usize,
    /// Devices in the middle of a session that are remembered, so that their next message needs no read; 0 to 1,000,000.
    pub remembered_sessions: usize,
    /// Shortest `Retry-After` of a 503. The value sent is drawn from one to four times this, or from as long as it takes to serve all who
    /// were turned away before.
    pub retry_after: Span,
    /// Longest `Retry-After` of a 503, `retry_after` or more.
    pub longest_retry: Span,
    /// How long a Package#1 that comes again counts as a repetition of the one before and not as a new session.
    pub repeat_window: Span,
    /// Most alerts of one message that are kept; a trace notes that there were more.
    pub max_alerts: usize,
    /// Refuse everything that the standard does not allow, also where we understand it.
    pub strict: bool,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSection {
    /// Most commands that may wait for one device.
    pub max_per_device: u32,
    /// Most commands in one Package#2. 1 to 1000.
    pub max_commands_per_package: usize,
    /// How often a command is sent before it is quarantined. 1 or more.
    pub max_attempts: u32,
    /// When a command expires unless the operator says otherwise.
    pub default_expiry: Span,
}

/// `[trace]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSection {
    /// How much of each message is kept.
    pub keep_bytes: Size,
    /// For how many days traces and finished commands are kept. 1 or more.
    pub keep_days: u32,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSection {
    /// Largest upload of a device.
    pub max_upload: Size,
    /// Largest payload an operator may queue for a device.
    pub max_payload: Size,
    /// Most JSON members and items of MO data taken from one message or upload, so that none holds up the other devices while it is
    /// stored: about one a node, and four for each ClientURI. 100 to 1000000.
    pub max_items: usize,
}

/// `[ddf]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DdfSection {
    /// Where DDF files may be fetched from that devices link to: URLs that end in `/`, such as `https://ddf.example.org/files/`. In
    /// the environment they are separated by commas. Default: none, so no device makes the server talk to anybody.
    pub fetch_from: Vec<UrlPrefix>,
    /// PEM file with trust anchors for them beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// `[bootstrap]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapSection {
    /// MOIDs that bootstraps ask for which devices fetch at `/bootstrap`, `*` for all; those of operators, too, if they name none. 1000
    /// at most. Default: none, so devices cannot fetch bootstraps.
    pub moids: Vec<String>,
    /// Let devices fetch bootstraps of DM 1.x (`application/vnd.syncml.dm+wbxml`) at `/bootstrap`. Default false.
    pub dm1: bool,
    /// PEM file with trust anchors for devices that bootstraps are sent to, beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long a device may take until it has answered a bootstrap that is sent to it, one second or more. Default 30 s.
    pub send_timeout: Span,
}

impl Default for BootstrapSection {
    fn default() -> Self {
        Self { moids: Vec::new(), dm1: false, ca_file: None, send_timeout: Span::secs(30) }
    }
}

impl BootstrapSection {
    /// Most MOIDs in a bootstrap.
    const MAX_MOIDS: usize = 1_000;

    /// Whether a bootstrap can ask for these MOIDs.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn check(moids: &[String]) -> Result<(), String> {
        if moids.is_empty() || moids.len() > Self::MAX_MOIDS {
            return Err(format!("a bootstrap has 1 to {} MOIDs", Self::MAX_MOIDS));
        }
        let moids = moids.iter().filter(|moid| *moid != "*");
        moids
            .map(|moid| Moid::parse(moid))
            .try_for_each(|moid| moid.map(drop))
            .map_err(|error| error.to_string())
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// `text` (default), a line for people, or `json`, an object a line for programs.
    pub format: LogForm,
    /// Collector of OpenTelemetry that gets traces of requests (OTLP over HTTP), such as `http://127.0.0.1:4318`; for programs that were
    /// built with the feature `otlp`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self { id: "omadm".into(), name: "omadm".into(), data_dir: "omadm-data".into(), public_url: None }
    }
}

impl Default for DeviceSection {
    fn default() -> Self {
        Self {
            listen: ([0, 0, 0, 0], 8443).into(),
            certificate: None,
            key: None,
            authority: None,
            plain_http: false,
            plain_listen: None,
            trusted_proxies: Vec::new(),
            certificate_header: None,
            max_message: Size(1 << 20),
            idle_timeout: Span::secs(120),
            header_timeout: Span::secs(15),
            body_timeout: Span::secs(60),
            handshake_timeout: Span::secs(10),
            max_connections: 20_000,
            max_handshakes: 128,
            max_new_sessions: 512,
            max_open_sessions: 100_000,
            open_session_idle: Span::secs(120),
            max_store_queue: 4_096,
            remembered_sessions: 4_096,
            retry_after: Span::secs(30),
            longest_retry: Span::secs(1_800),
            repeat_window: Span::secs(30),
            max_alerts: 1_000,
            strict: false,
        }
    }
}

impl Default for QueueSection {
    fn default() -> Self {
        Self {
            max_per_device: 1_000,
            max_commands_per_package: 32,
            max_attempts: 3,
            default_expiry: Span::secs(7 * 86_400),
        }
    }
}

impl Default for TraceSection {
    fn default() -> Self {
        Self { keep_bytes: Size(64 << 10), keep_days: 30 }
    }
}

impl Default for DataSection {
    fn default() -> Self {
        Self { max_upload: Size(16 << 20), max_payload: Size(16 << 20), max_items: 20_000 }
    }
}

impl Config {
    /// Reads `file` (if given), lays `OMADM_SECTION__KEY` variables of `env` over it, and checks the result. Variables without
    /// `__` are not settings and are left alone.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and where it stands; an unknown one comes with the nearest name there is.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        Settings::load(file, env).map(|settings| settings.config)
    }

    /// Where the database file is.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(|| self.server.data_dir.join("omadm.db"))
    }
}

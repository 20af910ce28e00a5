//! Configuration: one TOML file, every key also as `OMADM_AGENT__SECTION__KEY`.

pub mod dm1;
pub mod dm1_bootstrap;
pub mod later;
pub mod objects;
mod push;
pub mod smartcard;
#[cfg(test)]
mod tests;
mod validate;
pub mod wsp;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use omadm_client::{Hash, Suite, TlsPolicy, TlsVersion};
use omadm_config::{ConfigError, LogForm, Size, Span};
use omadm_mo::Rights;
use serde::{Deserialize, Serialize};

pub use self::dm1::{Dm1Section, UserMode};
pub use self::dm1_bootstrap::{Dm1BootstrapSection, SourceAuth};
pub use self::later::{MaintenanceSection, NetworkSection, NotificationSection, ReportSection, ShowSection};
pub use self::objects::{
    Confirmation, DiagnosticsSection, DiskEntry, ExitCode, FirmwareMethod, FirmwareSection, Inventory,
    LockSection, PackagesSection, SoftwareSection, WipeItem,
};
pub use self::push::PushSection;
pub use self::smartcard::SmartcardSection;

/// Prefix of environment variables.
const PREFIX: &str = "OMADM_AGENT__";

/// All settings of the agent. The default is a device that waits for its bootstrap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who the device is and where it keeps its state.
    pub device: DeviceSection,
    /// The factory bootstrap.
    pub bootstrap: BootstrapSection,
    /// Trust.
    pub tls: TlsSection,
    /// Sessions.
    pub session: SessionSection,
    /// The mobile network.
    pub network: NetworkSection,
    /// Notifications of servers.
    pub notification: NotificationSection,
    /// Pushes over HTTP and by SIP.
    pub push: PushSection,
    /// Reports to servers beside sessions.
    pub report: ReportSection,
    /// Pages that servers show to the user.
    pub show: ShowSection,
    /// What servers may have done on the machine.
    pub maintenance: MaintenanceSection,
    /// Packages of firmware and software.
    pub packages: PackagesSection,
    /// Firmware update.
    pub firmware: FirmwareSection,
    /// Software components.
    pub software: SoftwareSection,
    /// Diagnostics and monitoring.
    pub diagnostics: DiagnosticsSection,
    /// Lock and wipe.
    pub lock: LockSection,
    /// DM 1.x.
    pub dm1: Dm1Section,
    /// Bootstraps on smartcards.
    pub smartcard: SmartcardSection,
    /// Upper bounds.
    pub limits: LimitsSection,
    /// Rights that the device gives.
    pub access: AccessSection,
    /// Descriptions of management objects.
    pub ddf: DdfSection,
    /// Logging.
    pub log: LogSection,
}

impl Config {
    /// Reads `file` (if given), lays the variables of `environment` over it, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and where it stands.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        omadm_config::load::<Self>(file, PREFIX, environment)?.check(validate::check)
    }
}

/// `[device]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceSection {
    /// DevID, such as `IMEI:493005100592800` (`DM 2.0 §12.1`). Default: a UUID derived from the machine's identity.
    pub id: Option<String>,
    /// Directory of the durable state. Default: `/var/lib/omadm-agent` for root if it is there, else `omadm-agent-data`.
    pub data_dir: Option<PathBuf>,
}

/// `[bootstrap]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapSection {
    /// Factory bootstrap (`application/dmmo+json`), installed at the first start (`DM 2.0 §8.2`).
    pub file: Option<PathBuf>,
    /// Bootstrap server, such as `https://bs.example/bootstrap?dev=[DevID]`: an agent that starts without an account fetches its
    /// bootstrap there (`DM 2.0 §8.3`). It alone is trusted to give one, so redirects to other hosts are not followed.
    pub url: Option<String>,
    /// User name of the device at the bootstrap server.
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    pub password_file: Option<PathBuf>,
    /// Address and port at which servers may send a bootstrap (`DM 2.0 §8.4`): HTTPS POST to `/bootstrap`. Default: nowhere. It needs
    /// `senders_ca_file`, `senders` and a certificate.
    pub listen: Option<SocketAddr>,
    /// Certificate with its chain (PEM) that senders see. Default: `tls.certificate`.
    pub listen_certificate: Option<PathBuf>,
    /// Private key of `listen_certificate` (PEM). Default: `tls.key`.
    pub listen_key: Option<PathBuf>,
    /// Authorities (PEM) of the servers that may send a bootstrap; no others are trusted for that, those of the system neither.
    pub senders_ca_file: Option<PathBuf>,
    /// Host names of the servers that may: a sender's certificate has to have one of them, as it stands here, among its DNS names.
    pub senders: Vec<String>,
    /// File in which the program that looks after the SIM writes the keys of GBA Push (`DM 2.0 §9.3.1.3`), a line for each run: B-TID, a
    /// blank, and `Ks_(ext/int)_NAF` in 64 hexadecimal digits. With it, bootstraps are taken that are protected so, also in a WAP push
    /// (`notification.enabled`).
    pub gba_file: Option<PathBuf>,
    /// Who has to agree before a bootstrap is installed (`DM 2.0 §12.2`): `none` (default), the person at the `terminal` of the
    /// agent, or a `command`. The factory bootstrap is installed without asking.
    pub consent: ConsentMode,
    /// The command that decides, with its arguments: it gets the request as JSON and agrees by exit status 0.
    pub consent_command: Vec<String>,
    /// How long the answer may take, one second or more; none is no.
    pub consent_timeout: Span,
}

impl Default for BootstrapSection {
    fn default() -> Self {
        Self {
            file: None,
            url: None,
            user: None,
            password_file: None,
            listen: None,
            listen_certificate: None,
            listen_key: None,
            senders_ca_file: None,
            senders: Vec::new(),
            gba_file: None,
            consent: ConsentMode::default(),
            consent_command: Vec::new(),
            consent_timeout: Span::secs(120),
        }
    }
}

/// Who has to agree to a bootstrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum ConsentMode {
    #[default]
    None,
    Terminal,
    Command,
}

/// `[tls]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// Trust anchors (PEM) beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Certificate of the device with its chain (PEM), for servers that ask for one and whose account brings none.
    pub certificate: Option<PathBuf>,
    /// Private key of `certificate` (PEM).
    pub key: Option<PathBuf>,
    /// Use the secret of an account as its pre-shared key (PSK-TLS), with the user name as identity, unless it brings a certificate.
    pub psk: bool,
    /// Oldest TLS version: `1.0`, `1.1`, `1.2` (default) or `1.3`. Those before 1.2 need the policy `legacy`.
    pub min_version: MinVersion,
    /// Newest TLS version. Default: whatever there is.
    pub max_version: Option<MinVersion>,
    /// Suites of TLS 1.2 and before: `modern` (default; forward secrecy and authenticated encryption), `oma` (all of
    /// `DM 2.0 §9.2.2` beside), or `legacy` (those of TLS 1.0 and 1.1 beside).
    pub policy: TlsPolicy,
    /// Suites in place of those of `policy`, by their registered names, such as `TLS_PSK_WITH_AES_128_GCM_SHA256`. Where none with
    /// certificates stands here, or none with pre-shared keys, `policy` says which of that kind.
    pub suites: Vec<SuiteName>,
}

/// The registered name of a suite that this agent knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SuiteName(pub Suite);

impl TryFrom<String> for SuiteName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Suite::named(&name).map(Self).ok_or_else(|| format!("there is no suite {name:?} here"))
    }
}

impl From<SuiteName> for String {
    fn from(name: SuiteName) -> Self {
        name.0.name.to_owned()
    }
}

impl std::str::FromStr for SuiteName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

/// A TLS version as the configuration writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum MinVersion {
    #[serde(rename = "1.0")]
    Tls10,
    #[serde(rename = "1.1")]
    Tls11,
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

impl From<MinVersion> for TlsVersion {
    fn from(version: MinVersion) -> Self {
        match version {
            MinVersion::Tls10 => Self::Tls10,
            MinVersion::Tls11 => Self::Tls11,
            MinVersion::Tls12 => Self::Tls12,
            MinVersion::Tls13 => Self::Tls13,
        }
    }
}

/// `[session]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSection {
    /// Time between sessions that the device starts by itself, in whole seconds up to a week, spread by a tenth each way; 0 is
    /// none. A server can change it on the device; a changed configuration wins at the next start.
    pub poll_interval: Span,
    /// Shortest time between sessions that a server asks for by PollNow, or waits for because an execution has ended, beside those
    /// of `poll_interval`. The first is at once.
    pub extra_interval: Span,
    /// How long the set-up of a TCP connection may take, one second or more.
    pub connect_timeout: Span,
    /// How long a whole HTTP exchange may take, one second or more.
    pub request_timeout: Span,
    /// Allow `http` for sessions and data: for a laboratory only, there is no protection at all.
    pub plain_http: bool,
    /// Insecure: send HTTP Basic credentials over `http` when the account's own host and port asks for them, so that everyone on
    /// the way reads them. Means nothing without `plain_http`.
    pub basic_without_tls: bool,
    /// Send HTTP Basic credentials to the account's own https host without waiting to be asked.
    pub preemptive_basic: bool,
    /// Digests that a server may ask for by HTTP Digest, the best first: `SHA-256`, `SHA-512-256`, and `MD5`, which is weak and only
    /// used if it stands here.
    pub digest: Vec<Hash>,
    /// List the supported management objects in every Package#1, also when no notification asked for them.
    pub send_mos: bool,
    /// Accept only what the normative text allows.
    pub strict: bool,
    /// Most rounds (Package#2) in one session, 1 or more.
    pub max_rounds: u32,
}

impl Default for SessionSection {
    fn default() -> Self {
        Self {
            poll_interval: Span::secs(60),
            extra_interval: Span::secs(10),
            connect_timeout: Span::secs(10),
            request_timeout: Span::secs(60),
            plain_http: false,
            basic_without_tls: false,
            preemptive_basic: true,
            digest: vec![Hash::Sha256, Hash::Sha512_256],
            send_mos: false,
            strict: false,
            max_rounds: 1_000,
        }
    }
}

impl SessionSection {
    /// [`SessionSection::poll_interval`] in seconds, as the management object has it.
    pub fn poll_seconds(&self) -> u32 {
        u32::try_from(self.poll_interval.0.as_secs()).unwrap_or(u32::MAX)
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Largest package that is received.
    pub package_bytes: Size,
    /// Largest body that is fetched (HGET).
    pub fetch_bytes: Size,
    /// Most nodes in the tree that servers may fill. The device itself may go a sixteenth beyond.
    pub tree_nodes: usize,
    /// Size of all names and values in the tree that servers may fill. The device itself may go a sixteenth beyond.
    pub tree_bytes: Size,
    /// Most undelivered alerts for one server.
    pub alerts: usize,
    /// Most subscriptions of one server (SUB).
    pub subscriptions: usize,
    /// Most executions for one server whose end it has yet to be told (EXEC that is reported later).
    pub executions: usize,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            package_bytes: Size(1 << 20),
            fetch_bytes: Size(1 << 20),
            tree_nodes: 200_000,
            tree_bytes: Size(16 << 20),
            alerts: 256,
            subscriptions: 64,
            executions: 64,
        }
    }
}

/// `[access]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSection {
    /// Give the usual rights: DevInfo and Session Information readable by everyone (`DM 2.0 figure 17`), the agent's own
    /// object readable, writable and executable by every bootstrapped server.
    pub defaults: bool,
    /// Rights beside. In the environment they are written as in TOML: `[{ moid = "…", server = "…", rights = ["read"] }]`.
    pub grants: Vec<GrantEntry>,
}

impl Default for AccessSection {
    fn default() -> Self {
        Self { defaults: true, grants: Vec::new() }
    }
}

/// One of `access.grants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantEntry {
    /// The management object.
    pub moid: String,
    /// Server identifier, or `*` for everyone.
    pub server: String,
    /// Any of `read`, `write`, `execute`, `delegate`.
    pub rights: Vec<Right>,
    /// Sub-tree such as `/Ext`. Default `/`, the whole instance.
    #[serde(default = "whole_instance")]
    pub path: String,
}

fn whole_instance() -> String {
    "/".to_owned()
}

/// One access right (`DM 2.0 §12.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Right {
    Read,
    Write,
    Execute,
    Delegate,
}

impl From<Right> for Rights {
    fn from(right: Right) -> Self {
        match right {
            Right::Read => Self::READ,
            Right::Write => Self::WRITE,
            Right::Execute => Self::EXECUTE,
            Right::Delegate => Self::DELEGATE,
        }
    }
}

/// `[ddf]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DdfSection {
    /// Directory with further DDF files (`*.ddf`, `*.xml`): what they describe is kept and served as data.
    pub dir: Option<PathBuf>,
    /// Where servers find the DDF files, such as `https://vendor.example/ddf/`: the file name is added to make the link.
    /// Default: the register of OMA for its own files, and the name alone for others.
    pub base: Option<String>,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// `off`, `error`, `warn`, `info` (default), `debug` or `trace`. A server can change it on the device.
    pub level: LogLevel,
    /// `text` (default), a line for people, or `json`, an object a line for programs.
    pub format: LogForm,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

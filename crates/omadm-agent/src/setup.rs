//! From configuration to a device.

use std::path::{Path, PathBuf};

use omadm_client::{
    Client, ClientConfig, Device, DeviceConfig, Grant, Grantee, HttpsConfig, HttpsTransport, Journal,
    JournalView, PersistError, Persistence, TlsVersion,
};
use omadm_mo::well_known::{DEVINFO, SESSION_INFO};
use omadm_mo::{Moid, Quota, Rights, ServerId};

use crate::browser::CommandBrowser;
use crate::config::{Config, GrantEntry};
use crate::controls::Controls;
use crate::device_id;
use crate::error::AgentError;
use crate::firmware;
use crate::gba::GbaFile;
use crate::logging::Logging;
use crate::machine::Machine;
use crate::mo::{self, agent, facts};
use crate::network_secret;
use crate::software;
use crate::user;

/// The Inbox of DM 1.x.
const INBOX: &str = "urn:oma:mo:oma-dm-inbox:1.0";
const SYSTEM_DATA: &str = "/var/lib/omadm-agent";
const LOCAL_DATA: &str = "omadm-agent-data";

/// A configured agent, not open yet.
pub struct Setup {
    pub config: Config,
    pub data_dir: PathBuf,
    pub machine: Machine,
    pub controls: Controls,
    logging: Logging,
}

impl Setup {
    /// Reads the configuration.
    pub fn read(config: Option<&Path>, logging: impl FnOnce(&Config) -> Logging) -> Result<Self, AgentError> {
        let config = Config::load(config, std::env::vars_os())?;
        let logging = logging(&config);
        let data_dir = config.device.data_dir.clone().unwrap_or_else(default_data_dir);
        let controls = Controls::default();
        controls.set_poll_interval(config.session.poll_seconds());
        let machine = Machine::this().with_firmware(config.firmware.version_file.as_deref());
        Ok(Self { config, data_dir, machine, controls, logging })
    }

    /// The identity of the device; makes one up and keeps it if there is none.
    pub fn device_id(&self) -> Result<String, AgentError> {
        device_id::find(self.config.device.id.as_deref(), &self.machine, &self.data_dir)
    }

    /// The device, for this process alone.
    pub fn open(&self) -> Result<Device, AgentError> {
        let journal = Journal::open(&self.data_dir).map_err(|error| match error {
            PersistError::InUse { path } => AgentError::Refused(format!(
                "{} is in use: an agent runs on this data directory; send it SIGHUP for a session now, or stop it first",
                path.display()
            )),
            error => error.into(),
        })?;
        self.device(Box::new(journal), self.device_id()?)
    }

    /// The device as it is on disk, to look at: nothing is written, so a device that has yet to make up its identity has none.
    pub fn view(&self) -> Result<Device, AgentError> {
        let id = device_id::look(self.config.device.id.as_deref(), &self.machine, &self.data_dir)?;
        let id = id.unwrap_or_else(|| device_id::NONE.to_owned());
        self.device(Box::new(JournalView::new(&self.data_dir)), id)
    }

    /// The device with its network.
    pub fn client(&self, device: Device) -> Result<Client, AgentError> {
        let transport = self.transport()?;
        let (session, tls) = (&self.config.session, &self.config.tls);
        let config = ClientConfig {
            plain_http: session.plain_http,
            basic_without_tls: session.basic_without_tls,
            preemptive_basic: session.preemptive_basic,
            digests: session.digest.clone(),
            psk: tls.psk,
            always_send_mos: session.send_mos,
            max_rounds: session.max_rounds,
            fetch_limit: self.config.limits.fetch_bytes.0,
            parameters: self.config.network.parameters(),
            dm1: self.config.dm1.to_sessions(session.strict),
            dm1_bootstrap: self.config.dm1.bootstrap.to_bootstraps(),
            ..ClientConfig::default()
        };
        if let Some(wsp) = &config.dm1.wsp {
            let gateway = &wsp.gateway;
            tracing::warn!(
                gateway,
                "dm1.wsp.allow_insecure is on: everyone on the way to the WAP gateway reads what is said and may change it"
            );
        }
        let mut client = Client::new(device, transport, config);
        if let Some(user) = user::interface(&self.config.dm1) {
            client = client.with_user(user);
        }
        if let Some(file) = &self.config.dm1.bootstrap.network_file {
            client = client.with_network_secret(network_secret::read(file)?);
        }
        if let Some(file) = &self.config.bootstrap.gba_file {
            client = client.with_gba(Box::new(GbaFile(file.clone())));
        }
        let show = &self.config.show;
        Ok(match CommandBrowser::new(&show.command, show.pages_per_minute) {
            Some(browser) => client.with_browser(Box::new(browser)),
            None => client,
        })
    }

    /// Connections as the configuration has them.
    fn transport(&self) -> Result<HttpsTransport, AgentError> {
        let (session, tls) = (&self.config.session, &self.config.tls);
        Ok(HttpsTransport::new(&HttpsConfig {
            ca_file: tls.ca_file.clone(),
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            min_version: tls.min_version.into(),
            max_version: tls.max_version.map(TlsVersion::from),
            policy: tls.policy,
            suites: tls.suites.iter().map(|suite| suite.0).collect(),
            connect_timeout: session.connect_timeout.0,
            request_timeout: session.request_timeout.0,
            ..HttpsConfig::default()
        })?)
    }

    fn device(&self, persistence: Box<dyn Persistence>, device_id: String) -> Result<Device, AgentError> {
        let settings = agent::Settings {
            poll_interval: self.config.session.poll_seconds(),
            log_level: self.config.log.level,
            logging: self.logging.clone(),
            maintenance: self.config.maintenance.clone(),
        };
        let connect = || self.transport();
        let transport: mo::Transport<'_> = (&connect, &self.data_dir);
        let objects = mo::all(&self.config, &self.machine, device_id, &self.controls, settings, transport)?;
        let limits = &self.config.limits;
        let mut config = DeviceConfig {
            quota: Quota { nodes: limits.tree_nodes, bytes: limits.tree_bytes.0, ..Quota::default() },
            strict: self.config.session.strict,
            grants: self.grants()?,
            outbox: limits.alerts,
            subscriptions: limits.subscriptions,
            executions: limits.executions,
            reports: self.config.report.to_reports(),
            ..DeviceConfig::default()
        };
        config.limits.bytes = limits.package_bytes.0;
        Ok(Device::open(config, objects, persistence)?)
    }

    fn grants(&self) -> Result<Vec<Grant>, AgentError> {
        let access = &self.config.access;
        // What a server needs to run an object; to lock and wipe has to be granted by name.
        let all = Rights::READ.union(Rights::WRITE).union(Rights::EXECUTE);
        let usual = [
            (DEVINFO, Grantee::Everyone, Rights::READ),
            (facts::DM1_DEVINFO, Grantee::Everyone, Rights::READ),
            (facts::DEVDETAIL, Grantee::Everyone, Rights::READ),
            (INBOX, Grantee::Bootstrapped, Rights::WRITE),
            (SESSION_INFO, Grantee::Everyone, Rights::READ),
            (firmware::MOID, Grantee::Bootstrapped, all),
            (software::MOID, Grantee::Bootstrapped, all),
            (mo::DIAGNOSTICS, Grantee::Bootstrapped, all),
            (agent::MOID, Grantee::Bootstrapped, all),
        ];
        let usual = usual.into_iter().filter(|_| access.defaults).map(|(moid, to, rights)| {
            let moid = Moid::parse(moid).map_err(|error| AgentError::Refused(error.to_string()))?;
            Ok(Grant { moid, path: "/".to_owned(), to, rights })
        });
        usual.chain(access.grants.iter().map(grant)).collect()
    }
}

fn grant(entry: &GrantEntry) -> Result<Grant, AgentError> {
    let refuse = |error: omadm_mo::AddressError| AgentError::Refused(format!("access.grants: {error}"));
    let to = match entry.server.as_str() {
        "*" => Grantee::Everyone,
        server => Grantee::Server(ServerId::parse(server).map_err(refuse)?),
    };
    let rights = entry.rights.iter().fold(Rights::NONE, |rights, right| rights.union((*right).into()));
    Ok(Grant { moid: Moid::parse(&entry.moid).map_err(refuse)?, path: entry.path.clone(), to, rights })
}

/// The system's directory if this user may write there, which is how packages install the agent.
fn default_data_dir() -> PathBuf {
    let system = Path::new(SYSTEM_DATA);
    let ours = system.is_dir() && is_root();
    if ours { system.to_owned() } else { PathBuf::from(LOCAL_DATA) }
}

/// Whether this process runs as root: it owns its own entry in `/proc`.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

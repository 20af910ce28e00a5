//! Starting and stopping a server.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use omadm_auth::Secret;
use omadm_store::Store;
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use openssl::ssl::SslContext;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config::{Config, DeviceSection};
use crate::context::{Budget, Context, Wakers, engine_config};
use crate::device::Memory;
use crate::links::{self, Fetcher, Links};
use crate::listener::{self, Bounds};
use crate::models::Models;
use crate::tls::{self, Identity};
use crate::{ServerError, background, clock, ddfs, device, operator};

/// Name of the token that the first start makes.
const FIRST_TOKEN: &str = "first";
/// File below the data directory that holds it.
const TOKEN_FILE: &str = "operator.token";
/// How long running requests may take once the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Remarks about one device (security events, traces of refused messages) that are stored in a minute.
const REMARKS_PER_MINUTE: u32 = 30;

/// An operator token in clear; it does not print itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenText(Secret);

impl TokenText {
    /// The text; the only way out.
    #[must_use]
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

/// A DM server.
pub struct Server;

/// A server that runs; dropping it without [`Running::stop`] leaves its tasks to the runtime.
pub struct Running {
    /// Where devices are served.
    pub device_addr: SocketAddr,
    /// Where operators are served.
    pub operator_addr: SocketAddr,
    /// The token of the first start; `None` when there was one already. It also stands in `operator.token` in the data
    /// directory, readable by the owner only.
    pub first_token: Option<TokenText>,
    /// `SrvURI` for devices.
    pub device_uri: String,
    /// The authority that devices have to trust, as PEM; `None` if it is not ours and not configured.
    pub authority: Option<String>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Opens the store under the data directory, listens, and serves.
    ///
    /// # Errors
    /// [`ServerError`] says what is in the way.
    pub async fn start(config: Config) -> Result<Running, ServerError> {
        make_data_dir(&config)?;
        let path = config.store_path();
        let store = SqliteStore::open(&path, SqliteConfig::default())?;
        Self::start_with(config, Arc::new(store)).await
    }

    /// Like [`Server::start`], on a store of the caller's.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(config: Config, store: Arc<dyn Store>) -> Result<Running, ServerError> {
        make_data_dir(&config)?;
        let devices = listen(config.device.listen, "device.listen").await?;
        let operators = listen(config.operator.listen, "operator.listen").await?;
        let (device_addr, operator_addr) = (local(&devices)?, local(&operators)?);
        let public_url = public_url(&config, device_addr);
        let (tls, authority) = transport(&config, &public_url)?;
        ddfs::seed(store.as_ref()).await?;
        let first_token = first_token(&config, store.as_ref()).await?;
        let (links, wanted) = Links::new(&config.ddf);
        let fetcher = Fetcher::new(config.ddf.ca_file.as_deref())?;
        let (stop, stopped) = watch::channel(false);
        let context = Arc::new(Context {
            stopped: stopped.clone(),
            engine: engine_config(&config),
            new_sessions: Semaphore::new(config.device.max_new_sessions),
            memory: Memory::new(config.device.remembered_sessions),
            wakers: Wakers::default(),
            remarks: Budget::new(REMARKS_PER_MINUTE, Duration::from_secs(60)),
            models: Models::default(),
            links,
            store,
            public_url,
            authority: authority.clone(),
            config,
        });
        let bounds = bounds(&context.config.device);
        let tasks = vec![
            tokio::spawn(listener::serve(
                devices,
                tls,
                device::router(context.clone()),
                bounds,
                stopped.clone(),
            )),
            tokio::spawn(listener::serve(
                operators,
                None,
                operator::router(context.clone()),
                bounds,
                stopped.clone(),
            )),
            tokio::spawn(background::run(context.clone(), stopped.clone())),
            tokio::spawn(links::follow(context.clone(), fetcher, wanted, stopped)),
        ];
        let device_uri = context.device_uri();
        tracing::info!(%device_addr, %operator_addr, device_uri, "serving");
        Ok(Running { device_addr, operator_addr, first_token, device_uri, authority, stop, tasks })
    }
}

impl Running {
    /// Stops accepting, lets running requests end, and returns when everything is quiet.
    pub async fn stop(self) {
        // Whoever does not listen any more has ended already.
        let _ended = self.stop.send(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the server ended badly");
            }
        }
        tracing::info!("stopped");
    }
}

fn make_data_dir(config: &Config) -> Result<(), ServerError> {
    let dir = &config.server.data_dir;
    // It holds what devices sent and verifiers of their secrets.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| ServerError::File { what: "the data directory", path: dir.clone(), source })
}

async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, setting, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, ServerError> {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    listener.local_addr().map_err(|source| ServerError::Listen {
        address: unknown,
        setting: "listen",
        source,
    })
}

fn public_url(config: &Config, address: SocketAddr) -> String {
    if let Some(url) = &config.server.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if config.device.plain_http { "http" } else { "https" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

/// TLS towards devices, and the authority that they have to trust.
fn transport(config: &Config, public_url: &str) -> Result<(Option<SslContext>, Option<String>), ServerError> {
    let device = &config.device;
    if device.plain_http {
        tracing::warn!(
            "device.plain_http is on: everyone on the way reads the devices' credentials and data"
        );
        return Ok((None, None));
    }
    let identity = match (&device.certificate, &device.key) {
        (Some(certificate), Some(key)) => Identity {
            certificate: certificate.clone(),
            key: key.clone(),
            authority: device.authority.as_deref().map(read_authority).transpose()?,
        },
        _ => tls::trial_identity(&config.server.data_dir.join("tls"), &names(device, public_url))?,
    };
    Ok((Some(tls::context(&identity)?), identity.authority))
}

fn read_authority(path: &std::path::Path) -> Result<String, ServerError> {
    std::fs::read_to_string(path).map_err(|source| ServerError::File {
        what: "device.authority",
        path: path.to_owned(),
        source,
    })
}

/// Names that a trial certificate has to hold for.
fn names(device: &DeviceSection, public_url: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let host = public_url.parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host).map(|host| host.trim_matches(['[', ']']));
    names.extend(host.map(str::to_owned));
    if !device.listen.ip().is_unspecified() {
        names.insert(device.listen.ip().to_string());
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = machine.trim();
    let is_dns_name = |name: &str| {
        !name.is_empty()
            && name.parse::<IpAddr>().is_err()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    if is_dns_name(machine) {
        names.insert(machine.to_owned());
    }
    names
}

async fn first_token(config: &Config, store: &dyn Store) -> Result<Option<TokenText>, ServerError> {
    // Of servers that start at the same time one makes the token, and the file is of that one.
    let directory = &config.server.data_dir;
    let lock = File::open(directory).and_then(|file| file.lock().map(|()| file));
    let _lock =
        lock.map_err(|source| ServerError::File { what: "no lock on", path: directory.clone(), source })?;
    if !store.tokens().await?.is_empty() {
        return Ok(None);
    }
    let (token, row) = operator::tokens::make(FIRST_TOKEN, None, clock::now())?;
    // The file comes first: a token that is stored and written nowhere would lock everyone out for good.
    tls::write_private(&config.server.data_dir.join(TOKEN_FILE), token.expose())?;
    store.add_token(row).await?;
    Ok(Some(TokenText(token)))
}

fn bounds(device: &DeviceSection) -> Bounds {
    Bounds {
        connections: device.max_connections,
        handshake: device.handshake_timeout.0,
        header: device.header_timeout.0,
        idle: device.idle_timeout.0,
        grace: GRACE,
    }
}

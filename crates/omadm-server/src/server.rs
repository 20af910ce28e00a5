//! Starting and stopping a server.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use omadm_auth::Secret;
use omadm_link::LinkListener;
use omadm_store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::about::{About, Listening};
use crate::admission::Admission;
use crate::audit::Audit;
use crate::campaign::{self, Campaigns};
use crate::config::{Config, DeviceSection, Settings};
use crate::context::{Budget, Context, Wakers, dm1_config, engine_config};
use crate::delegation::{self, Delegations};
use crate::desired::{self, Profiles};
use crate::device::dm1;
use crate::device::{Memory, Schemes};
use crate::guard::Guard;
use crate::links::{self, Fetcher, Links};
use crate::listener::{self, Bounds, Connection, Tls};
use crate::logins::Logins;
use crate::metrics::{self, Listener as Who, Metrics};
use crate::models::Models;
use crate::notifier::{self, Notifier};
use crate::operator::ready::Readiness;
use crate::package::{self, Packages};
use crate::password::Passwords;
use crate::proxy::Proxies;
use crate::requests::Watched;
use crate::storage::open_store;
use crate::tail::{self, Tail};
use crate::tls::Transport;
use crate::{ServerError, audit, background, clock, ddfs, device, obex, operator, random, tls, webhooks};

/// Name of the token that the first start makes.
const FIRST_TOKEN: &str = "first";
/// File below the data directory that holds it.
const TOKEN_FILE: &str = "operator.token";
/// File below the data directory that holds the key of nonces.
const AUTH_KEY_FILE: &str = "auth.key";
/// File below the data directory that names the chain of this node in the audit log.
const AUDIT_CHAIN_FILE: &str = "audit.chain";
/// Shortest such key in octets.
const MIN_AUTH_KEY: usize = 32;
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

/// A DM Server.
pub struct Server;

/// A server that runs; dropping it without [`Running::stop`] leaves its tasks to the runtime.
pub struct Running {
    /// Where devices are served.
    pub device_addr: SocketAddr,
    /// Where devices are served without TLS, if they are.
    pub plain_addr: Option<SocketAddr>,
    /// Where devices are served by OBEX over TCP, if they are.
    pub obex_addr: Option<SocketAddr>,
    /// Where other servers are served, if they are.
    pub delegation_addr: Option<SocketAddr>,
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
    /// Opens the store that the configuration names, listens, and serves.
    ///
    /// # Errors
    /// [`ServerError`] says what is in the way.
    pub async fn start(settings: impl Into<Settings>) -> Result<Running, ServerError> {
        let settings = settings.into();
        make_data_dir(&settings.config)?;
        let store = open_store(&settings.config).await?;
        Self::start_with(settings, Arc::new(store)).await
    }

    /// Like [`Server::start`], on a store of the caller's.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(
        settings: impl Into<Settings>,
        store: Arc<dyn Store>,
    ) -> Result<Running, ServerError> {
        let Settings { config, origins } = settings.into();
        make_data_dir(&config)?;
        let sockets = Sockets::open(&config).await?;
        let (device_addr, operator_addr) = (local(&sockets.devices)?, local(&sockets.operators)?);
        let plain_addr = sockets.plain.as_ref().map(local).transpose()?;
        let delegation_addr = sockets.delegation.as_ref().map(local).transpose()?;
        let obex_addr = sockets.links.as_ref().and_then(LinkListener::local);
        let listeners =
            listening(&config, device_addr, operator_addr, [plain_addr, delegation_addr, obex_addr]);
        let public_url = public_url(&config, device_addr);
        let guard = Arc::new(Guard::new(&config.auth, store.clone()));
        let metrics = Arc::new(Metrics::default());
        store.commits().watch(metrics.clone());
        let Transport { live, identity, authority } = tls::transport(&config, &public_url, &store, &guard)?;
        let key = auth_key(&config)?;
        let schemes = Schemes::new(&config.auth, key.clone());
        let packages = Packages::open(&config, &key)?;
        let audit = Audit::open(audit_chain(&config)?, &key, store.as_ref()).await?;
        ddfs::seed(store.as_ref()).await?;
        let first_token = first_token(&config, store.as_ref()).await?;
        let (links, wanted) = Links::new(&config.ddf);
        let fetcher = Fetcher::new(config.ddf.ca_file.as_deref())?;
        let notifier = Notifier::new(&config, &public_url, &key)?;
        let (delegations, shown) = Delegations::new(&config, identity.as_ref())?.unzip();
        let between = shown.map(|own| tls::live_between_servers(&own)).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let context = Arc::new(Context {
            stopped: stopped.clone(),
            engine: engine_config(&config),
            dm1: dm1_config(&config, key),
            dm1_models: dm1::Models::default(),
            admission: Admission::new(&config.device, metrics.clone()),
            metrics,
            schemes,
            proxies: Proxies::new(&config)?,
            guard: guard.clone(),
            audit,
            webhooks: webhooks::Sender::new(config.webhook.ca_file.as_deref())?,
            readiness: Readiness::default(),
            tail: Tail::new(config.operator.max_streams),
            passwords: Passwords::new(config.operator.password_checks)?,
            logins: Logins::new(&config.auth, &store),
            memory: Memory::new(config.device.remembered_sessions),
            wakers: Wakers::default(),
            remarks: Budget::new(REMARKS_PER_MINUTE, Duration::from_secs(60)),
            profiles: Profiles::default(),
            models: Models::default(),
            campaigns: Campaigns::default(),
            packages,
            links,
            delegations,
            notifier,
            store,
            public_url,
            authority: authority.clone(),
            identity,
            about: About { started: clock::now(), origins, listeners },
            config,
        });
        context.profiles.refresh(&context).await?;
        let between = between.map(|live| Tls { live, guard: guard.clone(), identify: Connection::server });
        let tls = live.map(|live| Tls { live, guard, identify: Connection::device });
        let fetching = tokio::spawn(links::follow(context.clone(), fetcher, wanted, stopped));
        let mut tasks = tasks(&context, sockets, tls, between);
        tasks.push(fetching);
        let device_uri = context.device_uri();
        tracing::info!(%device_addr, %operator_addr, device_uri, "serving");
        Ok(Running {
            device_addr,
            plain_addr,
            delegation_addr,
            obex_addr,
            operator_addr,
            first_token,
            device_uri,
            authority,
            stop,
            tasks,
        })
    }
}

/// The sockets of a server.
struct Sockets {
    devices: TcpListener,
    plain: Option<TcpListener>,
    delegation: Option<TcpListener>,
    operators: TcpListener,
    links: Option<LinkListener>,
}

impl Sockets {
    async fn open(config: &Config) -> Result<Self, ServerError> {
        let plain = match config.device.plain_listen {
            Some(address) => Some(listen(address, "device.plain_listen").await?),
            None => None,
        };
        if let Some(socket) = &plain {
            let address = local(socket)?;
            tracing::warn!(%address, "device.plain_listen is on: everyone on the way reads what comes and goes there without a proxy that ends TLS");
        }
        let delegation = match config.delegation.enabled {
            true => Some(listen(config.delegation.listen, "delegation.listen").await?),
            false => None,
        };
        Ok(Self {
            delegation,
            devices: listen(config.device.listen, "device.listen").await?,
            plain,
            operators: listen(config.operator.listen, "operator.listen").await?,
            links: obex::listen(&config.dm1.obex).await?,
        })
    }
}

/// Where the sockets of a server are; the last three are those that may not be there: without TLS, of other servers, and by OBEX.
fn listening(
    config: &Config,
    devices: SocketAddr,
    operators: SocketAddr,
    [plain, delegation, obex]: [Option<SocketAddr>; 3],
) -> Vec<Listening> {
    let at = |setting, address: Option<SocketAddr>, tls| {
        address.map(|address| Listening { setting, address, tls })
    };
    let all = [
        at("device.listen", Some(devices), !config.device.plain_http),
        at("device.plain_listen", plain, false),
        at("operator.listen", Some(operators), false),
        at("delegation.listen", delegation, true),
        at("dm1.obex.listen", obex, false),
    ];
    all.into_iter().flatten().collect()
}

/// Starts to serve, and what goes on beside.
fn tasks(
    context: &Arc<Context>,
    sockets: Sockets,
    tls: Option<Tls>,
    between: Option<Tls>,
) -> Vec<JoinHandle<()>> {
    let stopped = context.stopped.clone();
    let bounds = bounds(&context.config.device);
    let of_operators = Bounds { connections: context.config.operator.max_connections, ..bounds };
    let every = context.config.tls.reload_interval.0;
    let renewed = |tls: &Tls| tokio::spawn(tls::watch(tls.live.clone(), every, stopped.clone()));
    let certificates = [&tls, &between].map(|tls| tls.as_ref().map(renewed));
    let handed_on = context.proxies.certificates();
    let handed_on =
        handed_on.map(|it| tokio::spawn(tls::watch(it.authorities.clone(), every, stopped.clone())));
    let serve = |who, socket, tls, router| {
        let bounds = if who == Who::Operator { of_operators } else { bounds };
        let watched = Watched { listener: who, metrics: context.metrics.clone() };
        tokio::spawn(listener::serve(socket, tls, router, bounds, watched, stopped.clone()))
    };
    let devices = device::router(context.clone());
    let plain = sockets.plain.map(|socket| serve(Who::Device, socket, None, devices.clone()));
    let mut tasks = vec![
        serve(Who::Device, sockets.devices, tls, devices),
        serve(Who::Operator, sockets.operators, None, operator::router(context.clone())),
        tokio::spawn(metrics::run(context.clone(), stopped.clone())),
        tokio::spawn(background::run(context.clone(), stopped.clone())),
        tokio::spawn(desired::follow(context.clone(), stopped.clone())),
        tokio::spawn(audit::run(context.clone(), stopped.clone())),
        tokio::spawn(webhooks::run(context.clone(), stopped.clone())),
        tokio::spawn(tail::run(context.clone(), stopped.clone())),
        tokio::spawn(package::tidy(context.clone(), stopped.clone())),
        tokio::spawn(campaign::run(context.clone(), stopped.clone())),
    ];
    tasks.extend([handed_on, plain].into_iter().chain(certificates).flatten());
    if let Some((socket, between)) = sockets.delegation.zip(between) {
        tasks.push(serve(Who::Delegation, socket, Some(between), delegation::router(context.clone())));
        tasks.push(tokio::spawn(delegation::run(context.clone(), stopped.clone())));
        tasks.push(tokio::spawn(delegation::run_outbox(context.clone(), stopped.clone())));
    }
    if context.config.dm1.enabled {
        tasks.push(tokio::spawn(obex::run(context.clone(), sockets.links, stopped.clone())));
    }
    if context.config.notifier.enabled {
        tasks.push(tokio::spawn(notifier::run(context.clone(), stopped.clone())));
    }
    tasks
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

/// Held while files of the data directory are made that several servers may share.
fn lock_data_dir(config: &Config) -> Result<File, ServerError> {
    let directory = &config.server.data_dir;
    let lock = File::open(directory).and_then(|file| file.lock().map(|()| file));
    lock.map_err(|source| ServerError::File { what: "no lock on", path: directory.clone(), source })
}

/// The key of nonces: of its file, which is made at the first start unless it is configured.
fn auth_key(config: &Config) -> Result<Secret, ServerError> {
    let what = "auth.key_file";
    let path = config.auth.key_file.clone().unwrap_or_else(|| config.server.data_dir.join(AUTH_KEY_FILE));
    let _lock = lock_data_dir(config)?;
    match std::fs::read(&path) {
        Ok(key) if key.len() >= MIN_AUTH_KEY => Ok(Secret::new(key)),
        Ok(_) => {
            let problem = format!("has to have {MIN_AUTH_KEY} octets or more");
            Err(ServerError::File { what, path, source: std::io::Error::other(problem) })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && config.auth.key_file.is_none() => {
            let key = Secret::new(random::octets::<MIN_AUTH_KEY>()?.to_vec());
            tls::write_private(&path, key.expose())?;
            Ok(key)
        }
        Err(source) => Err(ServerError::File { what, path, source }),
    }
}

/// The name of the chain of this node, made at the first start.
fn audit_chain(config: &Config) -> Result<String, ServerError> {
    let path = config.server.data_dir.join(AUDIT_CHAIN_FILE);
    let _lock = lock_data_dir(config)?;
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.is_empty() && name.len() <= 64 => Ok(name),
        Ok(_) => {
            let source =
                std::io::Error::other("has to hold the name of a chain; remove it to have a new one begun");
            Err(ServerError::File { what: "the name of the audit log's chain in", path, source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = random::word()?;
            tls::write_private(&path, name.as_bytes())?;
            Ok(name)
        }
        Err(source) => Err(ServerError::File { what: "the name of the audit log's chain in", path, source }),
    }
}

async fn first_token(config: &Config, store: &dyn Store) -> Result<Option<TokenText>, ServerError> {
    // Of servers that start at the same time one makes the token, and the file is of that one.
    let _lock = lock_data_dir(config)?;
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
        handshakes: device.max_handshakes,
        handshake: device.handshake_timeout.0,
        header: device.header_timeout.0,
        idle: device.idle_timeout.0,
        grace: GRACE,
    }
}

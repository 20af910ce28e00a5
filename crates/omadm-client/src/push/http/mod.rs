//! OTA-HTTP push (`WAP-235`): the device is the HTTP server, and Push Proxy Gateways, or DM Servers themselves, its clients.
//!
//! They connect (PO-TCP), or the device connects to a gateway that asked for it by a session initiation request, and then serves it on
//! that connection (TO-TCP). What is pushed goes to [`HttpPush::content`]; the answer says only that it is taken, and nothing of what
//! becomes of it.

mod auth;
mod capabilities;
mod request;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use omadm_auth::Secret;
use omadm_codec::wsp::SessionInitiation;
use omadm_codec::{DecodeError, Limits};
use openssl::error::ErrorStack;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use self::auth::Doorkeeper;
use self::capabilities::Capabilities;
use super::PushContent;
use crate::notification::Floods;

pub use self::tls::HttpPushTls;

/// Pushes that wait to be looked into; while they do, further ones are told that there is no room.
const MAX_WAITING: usize = 8;
/// Connections of one address at a time.
const MAX_PER_SOURCE: usize = 4;
/// Longest session initiation request in octets.
const MAX_REQUEST: usize = 1_024;
/// Longest head of a request in octets.
const MAX_HEAD: usize = 16 << 10;
/// Pause after a connection that could not be accepted, such as for too many open files.
const REST: Duration = Duration::from_secs(2);

/// Settings.
#[derive(Clone, Debug)]
pub struct HttpPushConfig {
    /// Who may push: this user. `None` is anybody, or over TLS anybody with a certificate that is trusted.
    pub user: Option<(String, Secret)>,
    /// Take digests of MD5, and without TLS the password itself. Weak.
    pub weak: bool,
    /// `X-Wap-Terminal-ID`: who the device is, told to those who may push. `None` where anybody may.
    pub terminal_id: Option<String>,
    /// Gateways that the device connects to when they ask for it.
    pub gateways: Vec<Gateway>,
    /// Most octets of a push. Default 16 KiB.
    pub max_size: usize,
    /// Most connections at a time. Default 8.
    pub max_connections: usize,
    /// Longest handshake, and longest time for the head and for the body of a request; a connection on which nothing is asked ends after
    /// it, too. Default ten seconds.
    pub timeout: Duration,
    /// Most pushes from one address in ten seconds. Default 20.
    pub per_source: u32,
    /// Most pushes in ten seconds. Default 200.
    pub in_all: u32,
}

impl Default for HttpPushConfig {
    fn default() -> Self {
        Self {
            user: None,
            weak: false,
            terminal_id: None,
            gateways: Vec::new(),
            max_size: 16 << 10,
            max_connections: 8,
            timeout: Duration::from_secs(10),
            per_source: 20,
            in_all: 200,
        }
    }
}

/// A gateway that the device may be asked to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Where it is: requests name it by its address.
    pub address: SocketAddr,
    /// Over TLS: the name that its certificate has to have.
    pub name: Option<String>,
    /// Trust anchors (PEM) for that beside those of the system.
    pub ca_file: Option<PathBuf>,
}

impl Gateway {
    /// Whether a request asks to connect to it. A contact point without a port is one with whatever port is configured.
    fn is_among(&self, asked: &SessionInitiation<'_>) -> bool {
        let port = self.address.port();
        let mut points = asked.contact_points.iter();
        asked.is_for_dm()
            && points.any(|point| point.port.unwrap_or(port) == port && point.ip() == Some(self.address.ip()))
    }
}

/// What is wrong with a listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpPushError {
    /// The system.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file of TLS cannot be used.
    #[error("{path}: {problem}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// TLS.
    #[error("TLS: {0}")]
    Tls(#[from] ErrorStack),
    /// What came is no session initiation request.
    #[error("it is no session initiation request: {0}")]
    Malformed(#[from] DecodeError),
    /// No gateway of those that the device may connect to.
    #[error("no gateway of those that are configured asked for a connection")]
    NoGateway,
}

/// Where pushes over HTTP come in.
pub struct HttpPush {
    shared: Arc<Shared>,
    contents: mpsc::Receiver<PushContent>,
    listeners: Vec<tokio::task::JoinHandle<()>>,
}

/// What all connections share.
struct Shared {
    config: HttpPushConfig,
    doorkeeper: Doorkeeper,
    capabilities: Capabilities,
    places: Arc<Semaphore>,
    sources: Mutex<HashMap<IpAddr, usize>>,
    floods: Mutex<Floods>,
    contents: mpsc::Sender<PushContent>,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
struct Peer {
    address: IpAddr,
    /// Over TLS.
    secure: bool,
    /// Proved by a certificate who it is.
    known: bool,
}

impl HttpPush {
    /// Listens to nothing yet.
    #[must_use]
    pub fn new(config: HttpPushConfig) -> Self {
        let (sender, contents) = mpsc::channel(MAX_WAITING);
        let shared = Shared {
            doorkeeper: Doorkeeper::new(&config),
            capabilities: Capabilities::new(&config),
            places: Arc::new(Semaphore::new(config.max_connections)),
            sources: Mutex::default(),
            floods: Mutex::new(Floods::new(config.per_source, config.in_all)),
            contents: sender,
            config,
        };
        Self { shared: Arc::new(shared), contents, listeners: Vec::new() }
    }

    /// Listens at an address, over TLS if it is given; that is port 4035 or 4036 unless it is a test. Gives the address.
    ///
    /// # Errors
    /// As the system, and when a file of TLS cannot be used.
    pub async fn listen(
        &mut self,
        address: SocketAddr,
        tls: Option<HttpPushTls>,
    ) -> Result<SocketAddr, HttpPushError> {
        if let Some(tls) = &tls {
            // Files that cannot be used are told now, and not to the first sender.
            tls.acceptor()?;
        }
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        self.listeners.push(tokio::spawn(accept(listener, tls.map(Arc::new), self.shared.clone())));
        Ok(local)
    }

    /// Waits for a push. Nothing is lost when the future is dropped.
    pub async fn content(&mut self) -> PushContent {
        match self.contents.recv().await {
            Some(content) => content,
            // The other end is in `shared`.
            None => std::future::pending().await,
        }
    }

    /// Takes a session initiation request: connects to the first of its gateways that the configuration knows, and serves it in the
    /// background.
    ///
    /// # Errors
    /// When it is none, or knows no such gateway: anybody can send one.
    pub fn contact(&self, request: &PushContent) -> Result<(), HttpPushError> {
        let limits = Limits { bytes: MAX_REQUEST, ..Limits::default() };
        let asked = SessionInitiation::decode(&request.body, &limits)?;
        let gateway = self.shared.config.gateways.iter().find(|gateway| gateway.is_among(&asked));
        let gateway = gateway.ok_or(HttpPushError::NoGateway)?.clone();
        let Ok(place) = self.shared.places.clone().try_acquire_owned() else { return Ok(()) };
        // Whoever repeats a request fills the places of this gateway, and no others.
        let Some(seat) = Seat::take(&self.shared, gateway.address.ip()) else { return Ok(()) };
        tokio::spawn(async move {
            let Gateway { address, .. } = &gateway;
            tracing::info!(%address, "connecting to a Push Proxy Gateway that asked for it");
            if let Err(reason) = seat.shared.call(&gateway).await {
                tracing::warn!(%address, "the Push Proxy Gateway cannot be served: {reason}");
            }
            drop((seat, place));
        });
        Ok(())
    }
}

impl Drop for HttpPush {
    fn drop(&mut self) {
        self.listeners.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl fmt::Debug for HttpPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPush").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<HttpPushTls>>, shared: Arc<Shared>) {
    while let Ok(place) = shared.places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(seat) = Seat::take(&shared, peer.ip()) else { continue };
                let tls = tls.clone();
                tokio::spawn(async move {
                    if let Err(reason) = seat.shared.receive(stream, peer.ip(), tls.as_deref()).await {
                        tracing::debug!(%peer, "a connection for push ended: {reason}");
                    }
                    drop((seat, place));
                });
            }
            Err(error) => {
                tracing::warn!("a connection for push could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// One connection of an address, for as long as it lives.
struct Seat {
    shared: Arc<Shared>,
    source: IpAddr,
}

impl Seat {
    /// `None` when the address has enough of them.
    fn take(shared: &Arc<Shared>, source: IpAddr) -> Option<Self> {
        let mut sources = shared.sources();
        let count = sources.entry(source).or_default();
        if *count >= MAX_PER_SOURCE {
            return None;
        }
        *count += 1;
        Some(Self { shared: shared.clone(), source })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sources = self.shared.sources();
        match sources.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                sources.remove(&self.source);
            }
        }
    }
}

impl Shared {
    fn sources(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more push of this address is looked at.
    fn allows(&self, source: IpAddr) -> bool {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner).allows(source, Instant::now())
    }

    async fn receive(
        self: &Arc<Self>,
        stream: TcpStream,
        address: IpAddr,
        tls: Option<&HttpPushTls>,
    ) -> Result<(), String> {
        let Some(tls) = tls else {
            return self.serve(stream, Peer { address, secure: false, known: false }).await;
        };
        let stream = tls.accept(stream, self.config.timeout).await?;
        let known = tls.is_proven(stream.ssl())?;
        self.serve(stream, Peer { address, secure: true, known }).await
    }

    /// Connects to a gateway and serves it.
    async fn call(self: &Arc<Self>, gateway: &Gateway) -> Result<(), String> {
        let Gateway { address, name, ca_file } = gateway;
        let connecting = TcpStream::connect(address);
        let connected = tokio::time::timeout(self.config.timeout, connecting).await;
        let stream =
            connected.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
        let address = address.ip();
        match name {
            None => self.serve(stream, Peer { address, secure: false, known: false }).await,
            Some(name) => {
                let stream = tls::connect(ca_file.as_deref(), name, stream, self.config.timeout).await?;
                // Its certificate says who it is, and we have called it.
                self.serve(stream, Peer { address, secure: true, known: true }).await
            }
        }
    }

    async fn serve<S>(self: &Arc<Self>, stream: S, peer: Peer) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let (shared, peer) = (self.clone(), peer.clone());
            async move { Ok::<_, std::convert::Infallible>(shared.answer(request, &peer).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.timeout)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        connection.await.map_err(|error| error.to_string())
    }
}

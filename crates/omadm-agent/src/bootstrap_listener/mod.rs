//! Server initiated bootstrap (`DM 2.0 §8.4`): servers send one over TLS, both sides with their certificates (`§9.3.2`).
//!
//! The standard names no protocol. Ours is `POST /bootstrap` of `application/dmmo+json`: 204 says that it is installed, 507 that the
//! user does not want it.

mod tls;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use omadm_client::push::http::HttpPushTls;
use omadm_client::{
    BootstrapRequest, Client, ClientError, Consent, Origin, PersistError, Received, Refusal,
    StatusCode as DmStatus,
};
use omadm_mo::ServerId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::cmd::MAX_BOOTSTRAP;
use crate::config::Config;
use crate::consent::Asking;
use crate::error::AgentError;

const PATH: &str = "/bootstrap";
/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 8;
/// Bootstraps that are looked at in a minute: nobody shall pester the user.
const PER_MINUTE: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Longest handshake, and longest time for the head and for the body of a request.
const TIME: Duration = Duration::from_secs(10);
/// Octets of a request's head.
const MAX_HEAD: usize = 16 << 10;
/// Pause after a connection that could not be accepted, such as for too many open files.
const REST: Duration = Duration::from_secs(2);

/// Where bootstraps come in.
pub struct BootstrapListener {
    /// `None` when none can come.
    deliveries: Option<mpsc::Receiver<Delivery>>,
}

/// A bootstrap that came in, with its sender waiting for the answer.
pub struct Delivery {
    received: Received,
    answer: oneshot::Sender<Verdict>,
}

/// What the sender is told.
#[derive(Debug)]
struct Verdict {
    status: StatusCode,
    reason: String,
}

impl Verdict {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

/// What all connections share.
struct Shared {
    tls: HttpPushTls,
    deliveries: mpsc::Sender<Delivery>,
    /// When bootstraps came, within the last minute.
    lately: Mutex<VecDeque<Instant>>,
}

impl BootstrapListener {
    /// Listens if the configuration says so. What is in the way is told: there are other ways to a bootstrap.
    pub async fn start(config: &Config) -> Self {
        let (Some(address), Some(tls)) = (config.bootstrap.listen, tls::of(config)) else {
            return Self { deliveries: None };
        };
        match Self::listen(address, tls).await {
            Ok((address, listener)) => {
                tracing::info!(%address, "listening for bootstraps");
                listener
            }
            Err(reason) => {
                tracing::error!("cannot listen for bootstraps (bootstrap.listen): {reason}");
                Self { deliveries: None }
            }
        }
    }

    async fn listen(address: SocketAddr, tls: HttpPushTls) -> Result<(SocketAddr, Self), String> {
        // Files that cannot be used are told now, and not to the first sender.
        tls.acceptor().map_err(|error| error.to_string())?;
        let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        // While one is decided on, another can wait.
        let (deliveries, received) = mpsc::channel(1);
        let shared = Arc::new(Shared { tls, deliveries, lately: Mutex::default() });
        tokio::spawn(accept(listener, shared));
        Ok((address, Self { deliveries: Some(received) }))
    }

    /// Waits for a bootstrap.
    pub async fn delivery(&mut self) -> Delivery {
        let next = match &mut self.deliveries {
            Some(deliveries) => deliveries.recv().await,
            None => None,
        };
        match next {
            Some(delivery) => delivery,
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    if let Err(reason) = serve(stream, shared).await {
                        tracing::warn!(%peer, "a connection to bootstrap.listen failed: {reason}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection to bootstrap.listen could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Result<(), String> {
    let stream = shared.tls.accept(stream, TIME).await?;
    let by = shared.tls.sender(stream.ssl())?;
    let service = service_fn(|request| {
        let (by, shared) = (by.clone(), shared.clone());
        async move {
            let verdict = take(request, by, &shared).await.unwrap_or_else(|verdict| verdict);
            Ok::<_, std::convert::Infallible>(response(verdict))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TIME)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    connection.await.map_err(|error| error.to_string())
}

fn response(verdict: Verdict) -> Response<Full<Bytes>> {
    let text = if verdict.reason.is_empty() { String::new() } else { verdict.reason + "\n" };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = verdict.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if verdict.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// Takes a request, and waits for what becomes of the bootstrap in it.
async fn take(request: Request<Incoming>, by: String, shared: &Shared) -> Result<Verdict, Verdict> {
    if request.uri().path() != PATH {
        return Err(Verdict::new(StatusCode::NOT_FOUND, format!("bootstraps are taken at {PATH}")));
    }
    if request.method() != Method::POST {
        return Err(Verdict::new(StatusCode::METHOD_NOT_ALLOWED, "bootstraps are sent by POST"));
    }
    if !admit(&mut shared.lately.lock().unwrap_or_else(PoisonError::into_inner)) {
        let reason = format!("{PER_MINUTE} bootstraps came within a minute, which is the limit");
        return Err(Verdict::new(StatusCode::TOO_MANY_REQUESTS, reason));
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let late = format!("the bootstrap was not complete within {} s", TIME.as_secs());
    let body = tokio::time::timeout(TIME, Limited::new(request.into_body(), MAX_BOOTSTRAP).collect()).await;
    let body = body.map_err(|_| Verdict::new(StatusCode::REQUEST_TIMEOUT, late))?.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let reason = format!("the bootstrap is larger than {MAX_BOOTSTRAP} bytes");
            Verdict::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
        } else {
            Verdict::new(StatusCode::BAD_REQUEST, format!("the bootstrap broke off: {error}"))
        }
    })?;
    let received = Received {
        origin: Origin::Pushed { by, secured: true },
        content_type,
        body: Vec::from(body.to_bytes()).into(),
    };
    let (answer, answered) = oneshot::channel();
    let busy = || Verdict::new(StatusCode::SERVICE_UNAVAILABLE, "the device is busy with another bootstrap");
    shared.deliveries.try_send(Delivery { received, answer }).map_err(|_| busy())?;
    answered.await.map_err(|_| busy())
}

/// Whether one more may be looked at.
fn admit(lately: &mut VecDeque<Instant>) -> bool {
    while lately.front().is_some_and(|at| at.elapsed() >= MINUTE) {
        lately.pop_front();
    }
    let admitted = lately.len() < PER_MINUTE;
    if admitted {
        lately.push_back(Instant::now());
    }
    admitted
}

impl Delivery {
    /// Installs it, if whoever has to agree does, and answers its sender; gives the servers that the device has an account of now.
    ///
    /// # Errors
    /// When the durable state cannot be trusted any more.
    pub async fn install(self, client: &mut Client, config: &Config) -> Result<Vec<ServerId>, AgentError> {
        let Self { received, mut answer } = self;
        let from = received.origin.to_string();
        let mut consent = WhileWaiting { asking: Asking::new(&config.bootstrap), answer: &mut answer };
        let installed = client.install_received(received, &mut consent).await;
        let verdict = match &installed {
            Ok(servers) => {
                let servers: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
                tracing::info!(servers = servers.join(", "), "bootstrap {from} installed");
                Verdict::new(StatusCode::NO_CONTENT, "")
            }
            Err(error) => {
                tracing::error!("the bootstrap {from} is not installed: {error}");
                Verdict::new(status(error), error.to_string())
            }
        };
        // Who has gone gets no answer.
        let _gone = answer.send(verdict);
        match installed {
            Ok(servers) => Ok(servers),
            Err(ClientError::Persist(error)) if !matches!(error, PersistError::Full { .. }) => {
                Err(error.into())
            }
            Err(_) => Ok(Vec::new()),
        }
    }
}

/// The HTTP status for a bootstrap that is not installed.
fn status(error: &ClientError) -> StatusCode {
    match error {
        ClientError::BootstrapRejected(refusal) => {
            StatusCode::from_u16(refusal.status.0).unwrap_or(StatusCode::FORBIDDEN)
        }
        ClientError::BootstrapType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ClientError::Bootstrap(_) | ClientError::BootstrapKeys { .. } | ClientError::Gba(_) => {
            StatusCode::BAD_REQUEST
        }
        ClientError::Persist(PersistError::Full { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Asks for as long as the sender waits: one that has given up counts the bootstrap as not taken.
struct WhileWaiting<'a> {
    asking: Asking<'a>,
    answer: &'a mut oneshot::Sender<Verdict>,
}

impl Consent for WhileWaiting<'_> {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        let gone = || Refusal::new(DmStatus::USER_REJECTED, "its sender waits no longer");
        tokio::select! {
            biased;
            () = self.answer.closed() => Err(gone()),
            decided = self.asking.decide(request) => decided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_bootstraps_a_minute_and_no_more() {
        let mut lately = VecDeque::new();
        let admitted = (0..2 * PER_MINUTE).filter(|_| admit(&mut lately)).count();
        assert_eq!(admitted, PER_MINUTE);
        let Some(past) = Instant::now().checked_sub(MINUTE) else { return };
        lately.iter_mut().for_each(|at| *at = past);
        assert!(admit(&mut lately), "a minute later");
    }
}

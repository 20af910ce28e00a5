//! Accepting connections: TLS, HTTP/1.1 and HTTP/2, limits and timeouts, an orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use openssl::ssl::{Ssl, SslRef};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_openssl::SslStream;
use tower::ServiceExt as _;

use crate::clock;
use crate::guard::Guard;
use crate::metrics::Outcome;
use crate::requests::Watched;
use crate::tls::{self, Identified, Live};

/// Longest request head in octets.
const MAX_HEAD: u32 = 64 << 10;
/// Octets of an answer that go out together at most, for each connection.
const GATHERED: usize = 4 << 10;
/// Pause after a failed accept, such as when file descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake keeps its turn: one that stalls lets others go on.
const TURN: Duration = Duration::from_secs(1);

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most at a time.
    pub connections: usize,
    /// Most TLS handshakes at a time: they are work for the processor, and others wait behind them.
    pub handshakes: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the first complete head.
    pub header: Duration,
    /// Without a request.
    pub idle: Duration,
    /// For running requests once the server stops.
    pub grace: Duration,
}

/// One connection as its requests see it (an extension of each request).
#[derive(Debug)]
pub struct Connection {
    /// The other side.
    pub peer: SocketAddr,
    /// What TLS has proved of it.
    pub identified: Identified,
    /// The certificates that another server has shown, DER, its own first; none where devices connect.
    pub presented: Vec<Vec<u8>>,
    /// Whether TLS is spoken.
    pub is_secure: bool,
    /// Digest of the request whose reply was handed to this connection last: a client that sends on has read that reply.
    answered: Mutex<Option<[u8; 32]>>,
}

impl Connection {
    /// One that has proved nothing.
    pub fn plain(peer: SocketAddr) -> Self {
        let identified = Identified::Nobody;
        Self { peer, identified, presented: Vec::new(), is_secure: false, answered: Mutex::new(None) }
    }

    /// Of a device.
    pub fn device(peer: SocketAddr, ssl: &SslRef) -> Self {
        Self { identified: Identified::of(ssl), is_secure: true, ..Self::plain(peer) }
    }

    /// Of another server.
    pub fn server(peer: SocketAddr, ssl: &SslRef) -> Self {
        let own = ssl.peer_certificate().and_then(|certificate| certificate.to_der().ok());
        let chain = ssl.peer_cert_chain().into_iter().flatten().filter_map(|other| other.to_der().ok());
        let presented = own.into_iter().chain(chain).collect();
        Self { presented, is_secure: true, ..Self::plain(peer) }
    }

    /// Digest of the request that was answered last on this connection.
    pub fn answered(&self) -> Option<[u8; 32]> {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the request that is being answered.
    pub fn note_answer(&self, digest: [u8; 32]) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
    }
}

/// TLS of a listener.
#[derive(Clone)]
pub struct Tls {
    /// The certificates in use.
    pub live: Arc<Live>,
    /// Counts handshakes with wrong keys.
    pub guard: Arc<Guard>,
    /// What a finished handshake says of the other side.
    pub identify: fn(SocketAddr, &SslRef) -> Connection,
}

/// A connection that is counted as long as it is there.
struct Counted(Watched);

impl Counted {
    fn new(watched: &Watched) -> Self {
        watched.metrics.connections.add(watched.listener, 1);
        Self(watched.clone())
    }

    fn shaken(&self, outcome: Outcome) {
        self.0.metrics.handshakes.count((self.0.listener, outcome));
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.add(self.0.listener, -1);
    }
}

/// Accepts until `stop` says so, then lets running requests end within the grace time.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    bounds: Bounds,
    watched: Watched,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let handshakes = Arc::new(Semaphore::new(bounds.handshakes));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (slot, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; raise the limit of open files if this goes on");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (tls, router, mut stop) = (tls.clone(), router.clone(), stop.clone());
        let (counted, handshakes) = (Counted::new(&watched), handshakes.clone());
        tasks.spawn(async move {
            let _slot = slot;
            let Some(tls) = tls else {
                return converse(stream, Connection::plain(peer), router, bounds, stop).await;
            };
            let shaken = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                shaken = shake_hands(&tls, stream, peer, bounds.handshake, &handshakes) => shaken,
            };
            counted.shaken(if shaken.is_ok() { Outcome::Done } else { Outcome::Failed });
            match shaken {
                Ok(stream) => {
                    let connection = (tls.identify)(peer, stream.ssl());
                    converse(stream, connection, router, bounds, stop).await;
                }
                Err(problem) => tracing::info!(%peer, problem, "TLS handshake failed"),
            }
        });
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let end = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.grace, end).await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections did not end in time and are cut");
        tasks.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "small packets of this connection may be late");
    }
    Ok((slot, stream, peer))
}

/// Does something when it has its turn, which it keeps for [`TURN`] at most.
async fn in_turn<T>(turns: &Semaphore, work: impl Future<Output = T>) -> T {
    // Nobody closes it, so there is always a turn.
    let turn = turns.acquire().await;
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(TURN, work.as_mut()).await {
        return done;
    }
    drop(turn);
    work.await
}

async fn shake_hands(
    tls: &Tls,
    stream: TcpStream,
    peer: SocketAddr,
    limit: Duration,
    turns: &Semaphore,
) -> Result<SslStream<TcpStream>, String> {
    // Who says nothing takes nobody's turn.
    match tokio::time::timeout(limit, stream.readable()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("nothing came within {} s", limit.as_secs())),
    }
    let mut ssl = Ssl::new(&tls.live.get()).map_err(|error| error.to_string())?;
    tls::set_source(&mut ssl, peer.ip());
    let mut stream = SslStream::new(ssl, stream).map_err(|error| error.to_string())?;
    let accepted = in_turn(turns, tokio::time::timeout(limit, Pin::new(&mut stream).accept())).await;
    let problem = match accepted {
        Ok(Ok(())) => return Ok(stream),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not complete within {} s", limit.as_secs()),
    };
    if let Some(attempt) = tls::attempt(stream.ssl()) {
        tls.guard.note(Some(&attempt.user), peer.ip(), clock::now()).await;
    }
    Err(problem)
}

/// What happens on a connection, for its timeouts.
struct Activity {
    running: AtomicUsize,
    /// Milliseconds after `began` at which the last request ended; 0 before the first.
    ended: AtomicU64,
    began: Instant,
}

impl Activity {
    /// Notes that something went out.
    fn touch(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ended.store(millis.max(1), Ordering::Release);
    }

    /// When the connection has been quiet for too long, as far as is known now.
    fn deadline(&self, bounds: &Bounds) -> Instant {
        if self.running.load(Ordering::Acquire) > 0 {
            return Instant::now() + bounds.idle;
        }
        match self.ended.load(Ordering::Acquire) {
            0 => self.began + bounds.header,
            ended => self.began + Duration::from_millis(ended) + bounds.idle,
        }
    }
}

/// Counts a request as running until it is dropped, also when its connection breaks.
struct Running(Arc<Activity>);

impl Running {
    fn start(activity: &Arc<Activity>) -> Self {
        activity.running.fetch_add(1, Ordering::AcqRel);
        Self(activity.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.touch();
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn converse<S>(
    stream: S,
    connection: Connection,
    router: Router,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity =
        Arc::new(Activity { running: AtomicUsize::new(0), ended: AtomicU64::new(0), began: Instant::now() });
    let peer = connection.peer;
    let connection = Arc::new(connection);
    let counted = activity.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let running = Running::start(&counted);
        answer(router.clone(), connection.clone(), request, running)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The timeouts are ours: hyper's own for heads would also count the time between requests.
    builder.http1().header_read_timeout(None).max_buf_size(MAX_HEAD as usize).half_close(false);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(64).max_header_list_size(MAX_HEAD);
    // HTTP/2 hands a message over in pieces, and each of them would be a TLS record and a system call of its own.
    let stream = BufWriter::with_capacity(GATHERED, stream);
    let conversation = builder.serve_connection(TokioIo::new(stream), service);
    let mut conversation = std::pin::pin!(conversation);
    loop {
        tokio::select! {
            ended = conversation.as_mut() => return log_end(peer, ended),
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep_until(activity.deadline(&bounds)) => {
                if activity.deadline(&bounds) <= Instant::now() {
                    break;
                }
            }
        }
    }
    conversation.as_mut().graceful_shutdown();
    if let Ok(ended) = tokio::time::timeout(bounds.grace, conversation).await {
        log_end(peer, ended);
    }
}

fn log_end(peer: SocketAddr, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection broke");
    }
}

fn answer(
    router: Router,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
    running: Running,
) -> impl Future<Output = Result<Response, Infallible>> {
    request.extensions_mut().insert(connection);
    async move {
        let activity = running.0.clone();
        let response = router.oneshot(request.map(Body::new)).await?;
        drop(running);
        if response.body().size_hint().exact().is_some() {
            return Ok(response);
        }
        // A body that comes piece by piece may take longer than a connection may be quiet; each piece shows that the other side takes it.
        Ok(response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                activity.touch();
                frame
            }))
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::{Notify, mpsc};

    use super::*;
    use crate::metrics::Listener;

    /// What a device gets whose request is in work while the server stops, with so much time to end it.
    async fn answer_while_stopping(grace: Duration) -> String {
        let time = Duration::from_secs(60);
        let bounds =
            Bounds { connections: 1, handshakes: 1, handshake: time, header: time, idle: time, grace };
        let watched = Watched { listener: Listener::Device, metrics: Arc::default() };
        let (enter, mut entered) = mpsc::channel(1);
        let leave = Arc::new(Notify::new());
        let left = leave.clone();
        let work = move || async move {
            enter.send(()).await.unwrap();
            left.notified().await;
            "done"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(
            listener,
            None,
            Router::new().route("/", get(work)),
            bounds,
            watched,
            stopping,
        ));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        entered.recv().await.unwrap();
        stop.send(true).unwrap();
        let mut answer = Vec::new();
        if grace.is_zero() {
            serving.await.unwrap();
        } else {
            leave.notify_one();
        }
        // A connection that is cut may be reset.
        let _read = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_request_in_work_has_the_grace_time_and_no_more() {
        assert!(answer_while_stopping(Duration::from_secs(60)).await.ends_with("done"));
        assert_eq!(answer_while_stopping(Duration::ZERO).await, "");
    }
}

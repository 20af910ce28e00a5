//! Push by SIP (`RFC 3428`): the device is a user agent that takes MESSAGE over UDP and TCP, and registers with its domain if it has one.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use omadm_codec::sip::{self, MAX_MESSAGE};
use omadm_codec::wsp::DM_APPLICATION;
use omadm_codec::{Limits, ota_http};
pub use omadm_session::sip::Credentials as SipCredentials;
use omadm_session::sip::{
    Account, Arrival, Credentials, Exchange, Hop, Outcome, Reaction, Registration, Server, Step, Taken,
    Verdict,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::{ACCEPTED, PushContent, PushOrigin};
use crate::notification::Floods;

/// Pushes that wait to be looked into; while they do, further senders are told to come again.
const MAX_WAITING: usize = 8;
/// Most connections at a time.
const MAX_CONNECTIONS: usize = 8;
/// A connection ends when nothing came over it for so long, or a message was not complete after so long.
const IDLE: Duration = Duration::from_secs(120);
const INCOMPLETE: Duration = Duration::from_secs(10);
/// Pause after the system has failed.
const REST: Duration = Duration::from_secs(2);
/// Pause after a registrar that could not be asked.
const RETRY: Duration = Duration::from_secs(30);
/// Longest pause until a registration is looked at again.
const NEVER: Duration = Duration::from_secs(3_600);

/// Settings.
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// Address and port for UDP and TCP; the standard has port 5060.
    pub listen: SocketAddr,
    /// Most octets of a push. Default 16 KiB.
    pub max_size: usize,
    /// Most messages from one address in ten seconds; more are dropped unread. Default 20.
    pub per_source: u32,
    /// Most messages in ten seconds. Default 200.
    pub in_all: u32,
    /// Where the device registers, if it does.
    pub registrar: Option<SipRegistrar>,
}

impl SipConfig {
    /// With the defaults.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, max_size: 16 << 10, per_source: 20, in_all: 200, registrar: None }
    }
}

/// A SIP domain that the device registers with.
#[derive(Clone, Debug)]
pub struct SipRegistrar {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user's address, such as `sip:john@ims.example`.
    pub address: String,
    /// Where requests for the user are to go, such as `sip:john@192.0.2.1:5060`. `None`: to where the device listens, as the way to the
    /// registrar shows it.
    pub contact: Option<String>,
    /// User name and password for whoever asks for them.
    pub credentials: Option<Credentials>,
    /// For how many seconds a registration is asked for.
    pub expires: u32,
}

/// Where pushes by SIP come in.
pub struct SipPush {
    contents: mpsc::Receiver<PushContent>,
    addresses: [SocketAddr; 2],
    tasks: [JoinHandle<()>; 2],
}

/// What the tasks share.
struct Shared {
    server: Mutex<Server>,
    floods: Mutex<Floods>,
    contents: mpsc::Sender<PushContent>,
}

impl SipPush {
    /// Listens.
    ///
    /// # Errors
    /// As the system.
    pub async fn listen(config: SipConfig) -> io::Result<Self> {
        let socket = UdpSocket::bind(config.listen).await?;
        let udp = socket.local_addr()?;
        let listener = TcpListener::bind(config.listen).await?;
        let tcp = listener.local_addr()?;
        let (sender, contents) = mpsc::channel(MAX_WAITING);
        let limits = Limits { bytes: config.max_size.min(MAX_MESSAGE), ..Limits::default() };
        let shared = Arc::new(Shared {
            server: Mutex::new(Server::new(ACCEPTED, limits)),
            floods: Mutex::new(Floods::new(config.per_source, config.in_all)),
            contents: sender,
        });
        let tasks = [
            tokio::spawn(datagrams(socket, shared.clone(), config.registrar)),
            tokio::spawn(accept(listener, shared)),
        ];
        Ok(Self { contents, addresses: [udp, tcp], tasks })
    }

    /// Where it listens: over UDP, and over TCP.
    #[must_use]
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses
    }

    /// Waits for a push. Nothing is lost when the future is dropped.
    pub async fn content(&mut self) -> PushContent {
        match self.contents.recv().await {
            Some(content) => content,
            // The tasks end with this value.
            None => std::future::pending().await,
        }
    }
}

impl Drop for SipPush {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for SipPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipPush").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes a message, and hands on what it brings; what is to be sent for it is in the reaction.
    fn take(&self, octets: &[u8], source: SocketAddr) -> Reaction {
        let now = Instant::now();
        let Some(unique) = word().filter(|_| lock(&self.floods).allows(source.ip(), now)) else {
            return Reaction::default();
        };
        let arrival = Arrival { octets, source, now, unique: &unique };
        let mut server = lock(&self.server);
        let reaction = server.receive(arrival, self.contents.capacity() > 0);
        let mut reaction = reaction.unwrap_or_else(|error| {
            tracing::debug!(%source, "a message is none of SIP: {error}");
            Reaction::default()
        });
        if let Some(taken) = reaction.taken.take() {
            // There is room: while the lock is held nobody else fills it.
            let _sent = self.contents.try_send(content(taken, source));
        }
        reaction
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn content(taken: Taken, source: SocketAddr) -> PushContent {
    let Taken { content_type, for_dm, date, from, hmac, body } = taken;
    // Who it says that it is stays out of what the user gets to see, and of what senders are told apart by: it is not proved.
    tracing::debug!(%source, from, "a push by SIP");
    let via = PushOrigin {
        by: format!("SIP from {}", source.ip()),
        authenticated: false,
        sent: date.as_deref().and_then(ota_http::date),
    };
    let application = for_dm.then(|| DM_APPLICATION.to_owned());
    PushContent { content_type, application, hmac, body: Bytes::from(body), via }
}

/// A word that nobody can guess.
fn word() -> Option<String> {
    let mut octets = [0; 16];
    openssl::rand::rand_bytes(&mut octets).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(octets)))
}

/// Takes datagrams, and keeps the device registered.
async fn datagrams(socket: UdpSocket, shared: Arc<Shared>, registrar: Option<SipRegistrar>) {
    let mut registrant = registrar.map(Registrant::new);
    let mut buffer = vec![0; MAX_MESSAGE + 1];
    loop {
        let due = match &mut registrant {
            Some(registrant) => registrant.go_on(&socket).await,
            None => Instant::now() + NEVER,
        };
        let Ok(received) = tokio::time::timeout_at(due.into(), socket.recv_from(&mut buffer)).await else {
            continue;
        };
        match received {
            Ok((length, source)) => {
                let octets = buffer.get(..length).unwrap_or_default();
                let reaction = shared.take(octets, source);
                if let Some((octets, to)) = reaction.answer
                    && let Err(error) = socket.send_to(&octets, to).await
                {
                    tracing::debug!(%to, "an answer of SIP could not be sent: {error}");
                }
                if let (Some(response), Some(registrant)) = (reaction.response, &mut registrant) {
                    registrant.receive(&response, source);
                }
            }
            Err(error) => {
                tracing::warn!("a datagram of SIP could not be received: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, source)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, source, &shared).await {
                        tracing::debug!(%source, "a connection of SIP ended: {error}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection of SIP could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Takes the messages of a connection, one after the other.
async fn serve(mut stream: TcpStream, source: SocketAddr, shared: &Shared) -> io::Result<()> {
    let limits = Limits { bytes: MAX_MESSAGE, ..Limits::default() };
    let mut buffer = Vec::new();
    let mut until = Instant::now() + IDLE;
    loop {
        let length = sip::frame(&buffer, &limits).map_err(|error| io::Error::other(error.to_string()))?;
        let Some(length) = length else {
            let is_first = buffer.is_empty();
            let read = tokio::time::timeout_at(until.into(), stream.read_buf(&mut buffer)).await;
            if read.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Ok(());
            }
            if is_first {
                until = Instant::now() + INCOMPLETE;
            }
            continue;
        };
        let message: Vec<u8> = buffer.drain(..length).collect();
        let start = message.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
        let reaction = shared.take(message.get(start..).unwrap_or_default(), source);
        if let Some((octets, _)) = reaction.answer {
            tokio::time::timeout_at(until.into(), stream.write_all(&octets))
                .await
                .map_err(|_| io::ErrorKind::TimedOut)??;
        }
        until = Instant::now() + if buffer.is_empty() { IDLE } else { INCOMPLETE };
    }
}

/// Keeps the device registered over UDP, from the port that it listens on.
struct Registrant {
    registrar: SipRegistrar,
    registration: Option<Registration>,
    /// The request that is under way, and where it goes.
    exchange: Option<(Exchange, SocketAddr)>,
    due: Instant,
}

impl Registrant {
    fn new(registrar: SipRegistrar) -> Self {
        Self { registrar, registration: None, exchange: None, due: Instant::now() }
    }

    /// Does what is to be done now; gives when there is more.
    async fn go_on(&mut self, socket: &UdpSocket) -> Instant {
        if self.exchange.is_none() && self.due <= Instant::now() {
            match self.begin(socket).await {
                Ok(exchange) => self.exchange = Some(exchange),
                Err(error) => {
                    let host = &self.registrar.host;
                    tracing::warn!(host, "the registrar of SIP cannot be asked: {error}");
                    self.due = Instant::now() + RETRY;
                }
            }
        }
        while let Some((exchange, to)) = &mut self.exchange {
            match exchange.poll(Instant::now()) {
                Step::Send(octets) => {
                    if let Err(error) = socket.send_to(&octets, *to).await {
                        tracing::debug!(%to, "a registration could not be sent: {error}");
                    }
                }
                Step::Wait(until) => return until,
                Step::Over(outcome) => self.end(&outcome),
            }
        }
        self.due
    }

    async fn begin(&mut self, socket: &UdpSocket) -> io::Result<(Exchange, SocketAddr)> {
        let SipRegistrar { host, port, .. } = &self.registrar;
        let to = lookup_host((host.as_str(), *port))
            .await?
            .find(|to| to.is_ipv4() == socket.local_addr().is_ok_and(|own| own.is_ipv4()));
        let to = to.ok_or_else(|| io::Error::other("it has no address"))?;
        let own = own_address(socket, to).await?;
        let no_word = || io::Error::other("there is no randomness");
        let unique = word().ok_or_else(no_word)?;
        let text = match own {
            SocketAddr::V4(own) => own.ip().to_string(),
            SocketAddr::V6(own) => format!("[{}]", own.ip()),
        };
        if self.registration.is_none() {
            let tag = word().ok_or_else(no_word)?;
            self.registration = Some(Registration::new(self.account(&text, own.port()), unique.clone(), tag));
        }
        let registration = self.registration.as_mut().ok_or_else(no_word)?;
        let hop = Hop { transport: "UDP", host: text, port: own.port() };
        let credentials = self.registrar.credentials.clone();
        Ok((Exchange::new(registration.request(), hop, credentials, &unique), to))
    }

    fn account(&self, own: &str, port: u16) -> Account {
        let SipRegistrar { address, contact, expires, .. } = &self.registrar;
        let (user, domain) =
            address.strip_prefix("sip:").and_then(|rest| rest.split_once('@')).unwrap_or_default();
        Account {
            address: address.clone(),
            registrar: format!("sip:{domain}"),
            contact: contact.clone().unwrap_or_else(|| format!("sip:{user}@{own}:{port}")),
            expires: *expires,
        }
    }

    /// Takes a response, if it comes from where the request went.
    fn receive(&mut self, response: &sip::Message, source: SocketAddr) {
        let Some((exchange, to)) = &mut self.exchange else { return };
        if let Some(unique) = word().filter(|_| *to == source) {
            exchange.receive(response, Instant::now(), &unique);
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        let number = self.exchange.take().map_or(0, |(exchange, _)| exchange.number());
        let response = match outcome {
            Outcome::Final(response) => Some(response.as_ref()),
            Outcome::TimedOut => None,
        };
        let Some(registration) = &mut self.registration else { return };
        let address = &self.registrar.address;
        let pause = match registration.answered(response, number) {
            Verdict::Registered(pause) => {
                tracing::info!(address, "registered with SIP");
                pause
            }
            Verdict::Failed(why, pause) => {
                tracing::warn!(address, "not registered with SIP: {why}");
                pause
            }
        };
        self.due = Instant::now() + pause;
    }
}

/// Our end of the way to `to`, at the port that is listened on.
async fn own_address(socket: &UdpSocket, to: SocketAddr) -> io::Result<SocketAddr> {
    let local = socket.local_addr()?;
    if !local.ip().is_unspecified() {
        return Ok(local);
    }
    let probe = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).await?;
    probe.connect(to).await?;
    Ok(SocketAddr::new(probe.local_addr()?.ip(), local.port()))
}

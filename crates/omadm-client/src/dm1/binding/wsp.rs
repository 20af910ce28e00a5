//! The WSP binding of DM 1.x (`DM 1.3 WSPBinding`): what the HTTP binding says goes to a WAP gateway, which speaks HTTP to the server.
//!
//! There is no WTLS here, so everyone on the way to the gateway, and the gateway, reads what is said and may change it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use omadm_auth::dm1::{HMAC_HEADER, Scheme};
use omadm_codec::wsp;
use omadm_mo::ServerId;
use omadm_session::dm1::client::Config;
use omadm_session::dm1::wsp::{Client, Failure, Mode, Output, PushMessage, Reply, Request, Settings};
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::error::TransportError;
use crate::push::{PushContent, PushOrigin};
use crate::transport::{HttpRequest, HttpResponse, Transport};

/// Stands for every server in [`WspConfig::servers`].
const EVERY_SERVER: &str = "*";
/// Octets of a message that headers and address may take beside the body.
const HEADERS: usize = 8 << 10;
/// Octets of a datagram that are not for the body of a message without a connection: address and headers [choice].
const CONNECTIONLESS_HEADERS: usize = 320;
/// Most pushes of one session that are kept.
const MAX_PUSHES: usize = 16;
/// Largest datagram.
const BUFFER: usize = u16::MAX as usize;

/// The way to servers through a WAP gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WspConfig {
    /// Host and port of the gateway; 9201 is that for connections, 9200 that without.
    pub gateway: String,
    /// Whether there is a connection.
    pub mode: Mode,
    /// `ServerID`s of the accounts whose sessions go through the gateway; `*` stands for all.
    pub servers: Vec<String>,
    /// Octets of the largest datagram that is sent, 64 to 65,507. Default 1400.
    pub datagram: usize,
    /// Pause before a packet that got no answer is sent again. Default 5 s.
    pub retry: Duration,
    /// How often it is sent again. Default 4.
    pub retries: u32,
    /// Longest wait for anything new of the gateway. Default 60 s.
    pub timeout: Duration,
}

impl WspConfig {
    /// Through this gateway, for these servers.
    #[must_use]
    pub fn new(gateway: String, mode: Mode, servers: Vec<String>) -> Self {
        let Settings { datagram, retry, retries, patience, .. } = Settings::default();
        Self { gateway, mode, servers, datagram, retry, retries, timeout: patience }
    }

    /// Whether the sessions of a server go through the gateway.
    pub(in crate::dm1) fn serves(&self, server: &ServerId) -> bool {
        self.servers.iter().any(|name| name == EVERY_SERVER || name == server.as_str())
    }

    /// Suits an engine to the gateway: without a connection a message has to fit into a datagram, and a password goes in the clear only
    /// where that is allowed.
    pub(in crate::dm1) fn suit(&self, engine: &mut Config, allow_basic: bool) {
        if self.mode == Mode::Connectionless {
            let room = self.datagram.saturating_sub(CONNECTIONLESS_HEADERS);
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            engine.max_message = engine.max_message.min(room);
            engine.max_sent = Some(room);
        }
        if !allow_basic {
            engine.schemes.retain(|scheme| *scheme != Scheme::Basic);
        }
    }

    fn settings(&self, answer_limit: usize) -> Settings {
        Settings {
            datagram: self.datagram,
            retry: self.retry,
            retries: self.retries,
            patience: self.timeout,
            message: answer_limit.saturating_add(HEADERS),
            ..Settings::default()
        }
    }
}

/// The transport of one DM Session: straight, or through a gateway.
pub(in crate::dm1) enum Carrier<'a, T> {
    /// Straight to the server.
    Straight(&'a T),
    /// Through the gateway.
    Gateway(Gateway<'a>),
}

impl<'a, T: Transport> Carrier<'a, T> {
    /// Through the gateway if there is one; answers have as many octets as this at most.
    pub(in crate::dm1) fn new(transport: &'a T, wsp: Option<&'a WspConfig>, answer_limit: usize) -> Self {
        match wsp {
            Some(config) => Self::Gateway(Gateway { config, answer_limit, line: Mutex::new(None) }),
            None => Self::Straight(transport),
        }
    }

    /// Ends the session with the gateway; gives what it has pushed meanwhile.
    pub(in crate::dm1) async fn close(&self) -> Vec<PushContent> {
        match self {
            Self::Straight(_) => Vec::new(),
            Self::Gateway(gateway) => gateway.close().await,
        }
    }
}

impl<T: Transport> Transport for Carrier<'_, T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        match self {
            Self::Straight(transport) => transport.send(request).await,
            Self::Gateway(gateway) => gateway.send(request).await,
        }
    }

    fn is_private(&self, uri: &Uri) -> bool {
        match self {
            Self::Straight(transport) => transport.is_private(uri),
            // Nobody protects the way to the gateway, whatever the gateway does then.
            Self::Gateway(_) => false,
        }
    }
}

/// A session with a gateway.
pub(in crate::dm1) struct Gateway<'a> {
    config: &'a WspConfig,
    /// Most octets of an answer's body.
    answer_limit: usize,
    line: Mutex<Option<Box<Line>>>,
}

/// A socket that speaks to the gateway.
struct Line {
    gateway: String,
    socket: UdpSocket,
    client: Client,
    timeout: Duration,
    /// When the time of the client was 0.
    start: Instant,
    buffer: Vec<u8>,
    pushes: Vec<PushMessage>,
}

impl Gateway<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let limit = request.answer_limit;
        let request = to_wsp(request)?;
        let mut line = self.line.lock().await;
        let line = match &mut *line {
            Some(line) => line,
            none => none.insert(Box::new(Line::open(self.config, self.answer_limit).await?)),
        };
        let reply = line.exchange(&request).await?;
        if reply.body.len() > limit {
            let host = self.config.gateway.clone();
            return Err(TransportError::TooLarge { host, status: reply.status, limit });
        }
        from_wsp(reply, &self.config.gateway)
    }

    async fn close(&self) -> Vec<PushContent> {
        let Some(mut line) = self.line.lock().await.take() else { return Vec::new() };
        line.client.disconnect(line.now());
        if let Err(error) = line.carry_out().await {
            tracing::debug!("the gateway did not hear of the end: {error}");
        }
        let by = format!("a push through the WAP gateway {}", line.gateway);
        line.pushes.into_iter().filter_map(|push| content(push, &by)).collect()
    }
}

impl Line {
    async fn open(config: &WspConfig, answer_limit: usize) -> Result<Self, TransportError> {
        let gateway = config.gateway.clone();
        let failed = |error: std::io::Error| TransportError::Failed {
            host: gateway.clone(),
            reason: error.to_string(),
        };
        let address = tokio::net::lookup_host(&gateway).await.map_err(failed)?.next();
        let address = address.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(failed)?;
        socket.connect(address).await.map_err(failed)?;
        let mut first = [0; 2];
        openssl::rand::rand_bytes(&mut first).map_err(|error| TransportError::Settings(error.to_string()))?;
        Ok(Self {
            client: Client::new(config.mode, config.settings(answer_limit), u16::from_be_bytes(first)),
            gateway,
            socket,
            timeout: config.timeout,
            start: Instant::now(),
            buffer: vec![0; BUFFER],
            pushes: Vec::new(),
        })
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    async fn exchange(&mut self, request: &Request) -> Result<Reply, TransportError> {
        self.client.request(self.now(), request);
        loop {
            if let Some(reply) = self.carry_out().await? {
                return Ok(reply);
            }
            let wake_at = self.start + self.client.wake_at().unwrap_or(self.timeout);
            if let Ok(received) = timeout_at(wake_at, self.socket.recv(&mut self.buffer)).await {
                let length = received.map_err(|error| self.failed(&error))?;
                let datagram = self.buffer.get(..length).unwrap_or_default();
                self.client.datagram(self.start.elapsed(), datagram);
            }
            // Also while datagrams come one after the other.
            self.client.tick(self.now());
        }
    }

    /// Does what the client wants; gives the reply if there is one.
    async fn carry_out(&mut self) -> Result<Option<Reply>, TransportError> {
        let mut answered = Ok(None);
        while let Some(output) = self.client.poll() {
            match output {
                Output::Transmit(datagram) => {
                    self.socket.send(&datagram).await.map_err(|error| self.failed(&error))?;
                }
                Output::Reply(reply) => answered = Ok(Some(reply)),
                Output::Failed(failure) => answered = Err(self.error(&failure)),
                Output::Push(push) if self.pushes.len() < MAX_PUSHES => self.pushes.push(push),
                Output::Push(_) => {
                    tracing::warn!(gateway = self.gateway, "a push is lost: there are too many")
                }
                Output::Dropped(error) => {
                    tracing::debug!(gateway = self.gateway, "a datagram is dropped: {error}");
                }
            }
        }
        answered
    }

    fn failed(&self, error: &std::io::Error) -> TransportError {
        TransportError::Failed { host: self.gateway.clone(), reason: error.to_string() }
    }

    /// What is of use to try again is told apart from what is not.
    fn error(&self, failure: &Failure) -> TransportError {
        let host = self.gateway.clone();
        match failure {
            Failure::NoResponse => TransportError::Timeout { host, seconds: self.timeout.as_secs_f64() },
            Failure::GivenUp(_) | Failure::Ended(_) => {
                TransportError::Failed { host, reason: failure.to_string() }
            }
            _ => TransportError::Gateway { gateway: host, reason: failure.to_string() },
        }
    }
}

/// A request of HTTP in words of WSP.
fn to_wsp(request: HttpRequest) -> Result<Request, TransportError> {
    let HttpRequest { method, uri, headers, body, .. } = request;
    let bad = |reason: &str| TransportError::BadUri { uri: uri.to_string(), reason: reason.to_owned() };
    let method = match method {
        Method::POST => wsp::Method::POST,
        Method::PUT => wsp::Method::PUT,
        _ => return Err(bad("a WAP gateway is asked by POST and PUT only")),
    };
    let text = wsp::Text::new(&uri.to_string()).ok_or_else(|| bad("it holds control characters"))?;
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media =
        media.and_then(wsp::Media::from_http).ok_or_else(|| bad("the message has no content type"))?;
    let mut fields = Vec::new();
    for (name, value) in &headers {
        if [CONTENT_TYPE, CONTENT_LENGTH, HOST].contains(name) {
            continue;
        }
        let field = value.to_str().ok().and_then(|value| wsp::Header::from_http(name.as_str(), value));
        fields.extend(field.ok_or_else(|| bad("a header for it cannot be written in WSP"))?);
    }
    Ok(Request { method, uri: text, media, headers: fields, body: body.to_vec().into() })
}

/// A reply in words of HTTP. Headers that HTTP cannot write are left out.
fn from_wsp(reply: Reply, gateway: &str) -> Result<HttpResponse, TransportError> {
    let Reply { status, media, headers: fields, body } = reply;
    let status = StatusCode::from_u16(status).map_err(|_| TransportError::Gateway {
        gateway: gateway.to_owned(),
        reason: format!("it answers with the status {status}"),
    })?;
    let mut headers = HeaderMap::new();
    for field in &fields {
        let Some((name, value)) = field.to_http() else { continue };
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            continue;
        };
        headers.append(name, value);
    }
    // What stands before the headers holds, also where a gateway says it again among them.
    let content_type = media.and_then(|media| media.as_http());
    if let Some(Ok(content_type)) = content_type.map(HeaderValue::try_from) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    Ok(HttpResponse { status, headers, body })
}

/// What a push brings; `None` for one of no content type that means anything here.
fn content(push: PushMessage, by: &str) -> Option<PushContent> {
    let PushMessage { media, headers, body, .. } = push;
    let push = wsp::Push { transaction: 0, media, headers, body: &body };
    Some(PushContent {
        content_type: push.media.as_http()?,
        application: push.application(),
        hmac: push.text(HMAC_HEADER),
        body: Bytes::copy_from_slice(push.body),
        via: PushOrigin { by: by.to_owned(), authenticated: false, sent: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        HttpRequest {
            method,
            uri: Uri::from_static("http://dm.example/dm"),
            headers: headers.collect(),
            body: Bytes::from_static(b"b"),
            answer_limit: 10,
            identity: None,
        }
    }

    #[test]
    fn requests_go_in_words_of_wsp() {
        let headers = [
            ("content-type", "application/vnd.syncml.dm+wbxml"),
            ("content-length", "1"),
            ("accept", "a/b, c/d"),
        ];
        let sent = to_wsp(request(Method::POST, &headers)).unwrap();
        assert_eq!((sent.method, sent.uri.as_str()), (wsp::Method::POST, "http://dm.example/dm"));
        assert_eq!((sent.media, sent.headers.len()), (wsp::Media::code(0x42), 2));
        for (method, headers) in [(Method::GET, &headers[..]), (Method::POST, &headers[1..])] {
            assert!(matches!(to_wsp(request(method, headers)), Err(TransportError::BadUri { .. })));
        }
    }

    #[test]
    fn replies_come_in_words_of_http() {
        let header = |name, value| wsp::Header::from_http(name, value).unwrap().remove(0);
        let reply = |status| Reply {
            status,
            media: Some(wsp::Media::code(0x42)),
            headers: vec![
                header("Content-Type", "text/plain"),
                header("set-cookie", "a=b"),
                header("x y".trim_end_matches(" y"), "1"),
            ],
            body: b"b".to_vec().into(),
        };
        let response = from_wsp(reply(413), "gw").unwrap();
        assert_eq!((response.status.as_u16(), response.headers.len()), (413, 3));
        assert_eq!(response.headers.get_all(CONTENT_TYPE).iter().count(), 1);
        assert_eq!(response.headers[CONTENT_TYPE], "application/vnd.syncml.dm+wbxml");
        assert!(matches!(from_wsp(reply(99), "gw"), Err(TransportError::Gateway { .. })));
    }

    #[test]
    fn a_gateway_is_for_the_servers_that_are_named() {
        let serves = |servers: &[&str]| {
            let servers = servers.iter().map(|&name| name.to_owned()).collect();
            let config = WspConfig::new("gw:9201".to_owned(), Mode::Connection, servers);
            config.serves(&ServerId::parse("dm.ex").unwrap())
        };
        assert!(serves(&["other", "dm.ex"]) && serves(&["*"]));
        assert!(!serves(&[]) && !serves(&["other"]) && !serves(&["dm"]));
    }

    #[test]
    fn engines_are_suited_to_the_gateway() {
        let suited = |mode, allow_basic| {
            let mut engine = Config::new(omadm_mo::DeviceId::parse("IMEI:493005100592800").unwrap());
            engine.schemes = vec![Scheme::Basic, Scheme::Sha256];
            let config = WspConfig::new("gw:9200".to_owned(), mode, Vec::new());
            config.suit(&mut engine, allow_basic);
            (engine.max_message, engine.max_sent, engine.schemes.len())
        };
        assert_eq!(suited(Mode::Connectionless, true), (1080, Some(1080), 2));
        assert_eq!(suited(Mode::Connection, false), (64 << 10, None, 1));
    }
}

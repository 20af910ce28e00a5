//! The transport over TLS: hyper over OpenSSL.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_openssl::client::legacy::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openssl::error::ErrorStack;
use openssl::pkey::Id;
use openssl::ssl::{
    ConnectConfiguration, NameType, SslCipherRef, SslConnector, SslConnectorBuilder, SslMethod,
    SslVerifyMode, SslVersion,
};
use openssl::x509::{X509Ref, X509VerifyResult};
use tokio::net::TcpStream;
use tower::ServiceExt as _;
use tower::util::MapResponse;

use crate::error::TransportError;
use crate::transport::{HttpRequest, HttpResponse, Transport};

/// HTTP/2 is allowed, HTTP/1.1 is the fall-back.
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// Shortest key on an elliptic curve in bits (`DM 2.0 §9.2.2`).
const MIN_CURVE_BITS: u32 = 256;

/// Curves of [`MIN_CURVE_BITS`] and more.
const GROUPS: &str = "X25519:P-256:P-384:P-521";

/// Oldest TLS version that is accepted (`DM 2.0 §9.2.2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum TlsVersion {
    Tls10,
    Tls11,
    #[default]
    Tls12,
    Tls13,
}

/// Settings of the transport.
#[derive(Clone, Debug)]
pub struct HttpsConfig {
    /// Trust anchors (PEM) beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Oldest TLS version. Default 1.2.
    pub min_version: TlsVersion,
    /// Longest TCP connection set-up. Default 10 s.
    pub connect_timeout: Duration,
    /// Longest exchange, connection set-up included. Default 60 s.
    pub request_timeout: Duration,
    /// How long an unused connection is kept. Default 90 s.
    pub idle_timeout: Duration,
}

impl Default for HttpsConfig {
    fn default() -> Self {
        Self {
            ca_file: None,
            min_version: TlsVersion::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(90),
        }
    }
}

/// A connection before its first exchange.
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What makes connections.
type Connector = MapResponse<HttpsConnector<HttpConnector>, fn(Connection) -> Connection>;

/// HTTPS and, for those who allow it, HTTP. Clones share one connection pool.
///
/// The server's chain is verified up to a trust anchor and its name against the host of the address (`DM 2.0 §9.2.1`).
#[derive(Clone)]
pub struct HttpsTransport {
    client: Client<Connector, Full<Bytes>>,
    request_timeout: Duration,
}

impl HttpsTransport {
    /// Reads the trust anchors and prepares TLS. Needs no running runtime.
    ///
    /// # Errors
    /// [`TransportError::Settings`].
    pub fn new(config: &HttpsConfig) -> Result<Self, TransportError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(config.connect_timeout));
        let tls = tls(config)?;
        let mut connector = HttpsConnector::with_connector(tcp, tls).map_err(|error| settings(&error))?;
        connector.set_callback(expect_ipv6);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout)
            .build(connector.map_response(log_tls as fn(Connection) -> Connection));
        Ok(Self { client, request_timeout: config.request_timeout })
    }

    async fn exchange(&self, host: &str, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let limit = request.answer_limit;
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = request.uri;
        *outgoing.headers_mut() = request.headers;
        let response = self.client.request(outgoing).await.map_err(|error| failed(host, &error))?;
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, limit).collect().await;
        let body = collected.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::TooLarge { host: host.to_owned(), status: head.status.as_u16(), limit }
            } else {
                failed(host, error.as_ref())
            }
        })?;
        Ok(HttpResponse {
            status: head.status,
            headers: head.headers,
            body: Vec::from(body.to_bytes()).into(),
        })
    }
}

impl Transport for HttpsTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = request.uri.authority().map(ToString::to_string).unwrap_or_default();
        let exchange = self.exchange(&host, request);
        tokio::time::timeout(self.request_timeout, exchange).await.unwrap_or_else(|_| {
            Err(TransportError::Timeout { host: host.clone(), seconds: self.request_timeout.as_secs_f64() })
        })
    }
}

fn tls(config: &HttpsConfig) -> Result<SslConnectorBuilder, TransportError> {
    // The builder verifies the peer and takes the system's trust anchors by itself.
    let mut tls = SslConnector::builder(SslMethod::tls_client()).map_err(|error| settings(&error))?;
    let oldest = match config.min_version {
        TlsVersion::Tls10 => SslVersion::TLS1,
        TlsVersion::Tls11 => SslVersion::TLS1_1,
        TlsVersion::Tls12 => SslVersion::TLS1_2,
        TlsVersion::Tls13 => SslVersion::TLS1_3,
    };
    if config.min_version < TlsVersion::Tls12 {
        // Below 1.2 signatures use SHA-1, which every higher level refuses.
        tls.set_security_level(0);
    }
    tls.set_min_proto_version(Some(oldest))
        .and_then(|()| tls.set_groups_list(GROUPS))
        .and_then(|()| tls.set_alpn_protos(ALPN))
        .map_err(|error| settings(&error))?;
    tls.set_verify_callback(SslVerifyMode::PEER, |valid, chain| {
        let weak = chain.current_cert().is_some_and(has_short_curve);
        if valid && weak {
            tracing::warn!("the peer's certificate has a key on a curve of less than {MIN_CURVE_BITS} bits");
            chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
        }
        valid && !weak
    });
    if let Some(path) = &config.ca_file {
        tls.set_ca_file(path).map_err(|error| {
            TransportError::Settings(format!("the trust anchors in {}: {error}", path.display()))
        })?;
    }
    Ok(tls)
}

/// A URI has an IPv6 address in brackets, with which OpenSSL would look for a name: what the certificate has to hold is the address.
fn expect_ipv6(connection: &mut ConnectConfiguration, uri: &Uri) -> Result<(), ErrorStack> {
    let literal = uri.host().and_then(|host| host.strip_prefix('[')?.strip_suffix(']'));
    let Some(address) = literal.and_then(|literal| literal.parse::<Ipv6Addr>().ok()) else { return Ok(()) };
    connection.set_verify_hostname(false);
    connection.set_use_server_name_indication(false);
    connection.param_mut().set_ip(address.into())
}

/// Logs what TLS has negotiated, once a connection (`DM 2.0 §9.2.2`).
fn log_tls(connection: Connection) -> Connection {
    if let MaybeHttpsStream::Https(stream) = &connection {
        let tls = stream.ssl();
        tracing::info!(
            host = tls.servername(NameType::HOST_NAME),
            version = tls.version_str(),
            cipher = tls.current_cipher().map(SslCipherRef::name),
            "TLS connection"
        );
    }
    connection
}

fn has_short_curve(certificate: &X509Ref) -> bool {
    certificate.public_key().is_ok_and(|key| key.id() == Id::EC && key.bits() < MIN_CURVE_BITS)
}

fn settings(error: &ErrorStack) -> TransportError {
    TransportError::Settings(error.to_string())
}

/// An error with its causes, which is where hyper and OpenSSL say what happened.
fn failed(host: &str, error: &(dyn std::error::Error + 'static)) -> TransportError {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    TransportError::Failed { host: host.to_owned(), reason: causes.collect::<Vec<_>>().join(": ") }
}

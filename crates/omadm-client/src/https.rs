//! The transport over TLS: hyper over OpenSSL.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_openssl::client::legacy::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use omadm_auth::TlsPolicy;
use omadm_auth::suite::{GROUPS, MIN_CURVE_BITS, Mode, Suite, cipher_list};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey};
use openssl::ssl::{
    ConnectConfiguration, NameType, SslCipherRef, SslConnector, SslConnectorBuilder, SslFiletype, SslMethod,
    SslVerifyMode, SslVersion,
};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use tokio::net::TcpStream;
use tower::ServiceExt as _;
use tower::util::MapResponse;

use crate::error::TransportError;
use crate::gathered::Gathered;
use crate::transport::{HttpRequest, HttpResponse, TlsIdentity, Transport};

/// HTTP/2 is allowed, HTTP/1.1 is the fall-back.
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// The suites of TLS 1.3 that go with pre-shared keys.
const TLS13_SHARED_KEY: &str = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

/// A TLS version (`DM 2.0 §9.2.2`).
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
    /// Certificate of the device with its chain (PEM), for servers that ask for one and whose account has none. It goes with `key`.
    pub certificate: Option<PathBuf>,
    /// Private key of `certificate` (PEM).
    pub key: Option<PathBuf>,
    /// Oldest TLS version. Default 1.2; older ones need [`TlsPolicy::Legacy`].
    pub min_version: TlsVersion,
    /// Newest TLS version. Default: whatever there is.
    pub max_version: Option<TlsVersion>,
    /// Which suites of TLS 1.2 and before are offered. Default [`TlsPolicy::Modern`].
    pub policy: TlsPolicy,
    /// Suites of TLS 1.2 and before that are offered in place of those of `policy`: of certificates, of pre-shared keys, or of both; where
    /// none of a kind stands here, `policy` says which. Default none.
    pub suites: Vec<Suite>,
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
            certificate: None,
            key: None,
            min_version: TlsVersion::default(),
            max_version: None,
            policy: TlsPolicy::default(),
            suites: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(90),
        }
    }
}

/// A connection before its first exchange.
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What makes connections.
type Connector = MapResponse<HttpsConnector<HttpConnector>, fn(Connection) -> Gathered<Connection>>;

/// Connections of one identity.
type Pool = Client<Connector, Full<Bytes>>;

/// Most identities whose connections are kept; a device has few accounts.
const MAX_IDENTITIES: usize = 8;

/// HTTPS and, for those who allow it, HTTP. Clones share their connections.
///
/// The server's chain is verified up to a trust anchor and its name against the host of the address (`DM 2.0 §9.2.1`), unless both
/// sides know each other by a pre-shared key.
#[derive(Clone)]
pub struct HttpsTransport(Arc<Shared>);

struct Shared {
    config: HttpsConfig,
    anyone: Pool,
    /// Those of identities that came with requests, the oldest first.
    identified: Mutex<Vec<(Arc<TlsIdentity>, Pool)>>,
}

impl HttpsTransport {
    /// Reads the trust anchors and prepares TLS. Needs no running runtime.
    ///
    /// # Errors
    /// [`TransportError::Settings`].
    pub fn new(config: &HttpsConfig) -> Result<Self, TransportError> {
        let anyone = pool(config, None)?;
        Ok(Self(Arc::new(Shared { config: config.clone(), anyone, identified: Mutex::default() })))
    }

    /// The connections that may carry a request.
    fn pool(&self, identity: Option<&Arc<TlsIdentity>>) -> Result<Pool, TransportError> {
        let Some(identity) = identity else { return Ok(self.0.anyone.clone()) };
        let mut identified = self.0.identified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = identified.iter().find(|(known, _)| known == identity) {
            return Ok(known.clone());
        }
        let made = pool(&self.0.config, Some(identity))?;
        if identified.len() >= MAX_IDENTITIES {
            identified.remove(0);
        }
        identified.push((identity.clone(), made.clone()));
        Ok(made)
    }

    /// Sends a GET with the device's own identity and gives the answer as soon as its head is there.
    #[cfg(feature = "download")]
    pub(crate) async fn open(
        &self,
        host: &str,
        uri: Uri,
        headers: http::HeaderMap,
    ) -> Result<http::Response<hyper::body::Incoming>, TransportError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.0.anyone.request(request).await.map_err(|error| failed(host, &error))
    }

    async fn exchange(&self, host: &str, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let limit = request.answer_limit;
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = request.uri;
        *outgoing.headers_mut() = request.headers;
        let pool = self.pool(request.identity.as_ref())?;
        let response = pool.request(outgoing).await.map_err(|error| failed(host, &error))?;
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
        tokio::time::timeout(self.0.config.request_timeout, exchange).await.unwrap_or_else(|_| {
            Err(TransportError::Timeout {
                host: host.clone(),
                seconds: self.0.config.request_timeout.as_secs_f64(),
            })
        })
    }
}

fn pool(config: &HttpsConfig, identity: Option<&TlsIdentity>) -> Result<Pool, TransportError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(config.connect_timeout));
    let tls = tls(config, identity)?;
    let mut connector = HttpsConnector::with_connector(tcp, tls).map_err(|error| settings(&error))?;
    connector.set_callback(expect_ipv6);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.idle_timeout)
        .build(connector.map_response(made as fn(Connection) -> Gathered<Connection>)))
}

impl From<TlsVersion> for SslVersion {
    fn from(version: TlsVersion) -> Self {
        match version {
            TlsVersion::Tls10 => Self::TLS1,
            TlsVersion::Tls11 => Self::TLS1_1,
            TlsVersion::Tls12 => Self::TLS1_2,
            TlsVersion::Tls13 => Self::TLS1_3,
        }
    }
}

fn tls(config: &HttpsConfig, identity: Option<&TlsIdentity>) -> Result<SslConnectorBuilder, TransportError> {
    if config.min_version < TlsVersion::Tls12 && config.policy < TlsPolicy::Legacy {
        return Err(TransportError::Settings("TLS before 1.2 needs the policy \"legacy\"".to_owned()));
    }
    // The builder verifies the peer and takes the system's trust anchors by itself.
    let mut tls = SslConnector::builder(SslMethod::tls_client()).map_err(|error| settings(&error))?;
    if config.min_version < TlsVersion::Tls12 {
        // Below 1.2 signatures use SHA-1, which every higher level refuses.
        tls.set_security_level(0);
    }
    let mode = match identity {
        Some(TlsIdentity::SharedKey { .. }) => Mode::SharedKey,
        Some(TlsIdentity::Certificate { .. }) | None => Mode::Certificate,
    };
    let named = config.suites.iter().any(|suite| suite.mode == mode);
    let suites = cipher_list(|suite| {
        let wanted = if named { config.suites.contains(suite) } else { suite.policy <= config.policy };
        suite.mode == mode && wanted
    });
    tls.set_min_proto_version(Some(config.min_version.into()))
        .and_then(|()| tls.set_max_proto_version(config.max_version.map(SslVersion::from)))
        .and_then(|()| tls.set_cipher_list(&suites))
        .and_then(|()| tls.set_groups_list(GROUPS))
        .and_then(|()| tls.set_alpn_protos(ALPN))
        .map_err(|error| settings(&error))?;
    identify(&mut tls, config, identity)?;
    let only = match identity {
        Some(TlsIdentity::Certificate { server: Some(server), .. }) => {
            trust_only(&mut tls, server).map_err(|error| settings(&error))?;
            Some(server.clone())
        }
        _ => None,
    };
    tls.set_verify_callback(SslVerifyMode::PEER, move |valid, chain| {
        let weak = chain.current_cert().is_some_and(has_short_curve);
        if let Some(only) = only.as_ref().filter(|_| chain.error_depth() == 0)
            && chain.current_cert().and_then(|certificate| certificate.to_der().ok()).as_ref() != Some(only)
        {
            tracing::warn!("the peer's certificate is another than the account names");
            chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
            return false;
        }
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

/// Lets the server's own certificate stand for the trust in it.
fn trust_only(tls: &mut SslConnectorBuilder, server: &[u8]) -> Result<(), ErrorStack> {
    let store = tls.cert_store_mut();
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    store.add_cert(X509::from_der(server)?)
}

/// Says who the device is.
fn identify(
    tls: &mut SslConnectorBuilder,
    config: &HttpsConfig,
    identity: Option<&TlsIdentity>,
) -> Result<(), TransportError> {
    match identity {
        Some(TlsIdentity::Certificate { certificate, key, .. }) => {
            let unusable = |error: ErrorStack| {
                TransportError::Settings(format!("the certificate and key of the account: {error}"))
            };
            X509::from_der(certificate)
                .and_then(|certificate| tls.set_certificate(&certificate))
                .and_then(|()| PKey::private_key_from_der(key.expose()))
                .and_then(|key| tls.set_private_key(&key))
                .and_then(|()| tls.check_private_key())
                .map_err(unusable)
        }
        Some(TlsIdentity::SharedKey { identity, key }) => {
            // External keys are bound to SHA-256 (`RFC 8446 §4.2.11`), so suites with other digests would do without.
            tls.set_ciphersuites(TLS13_SHARED_KEY).map_err(|error| settings(&error))?;
            let (identity, key) = (identity.clone(), key.clone());
            tls.set_psk_client_callback(move |_, _, identity_room, key_room| {
                // The identity ends with a zero octet. What has no room is not sent, and the handshake fails.
                let named = [identity.as_bytes(), b"\0"].concat();
                let rooms = identity_room.get_mut(..named.len()).zip(key_room.get_mut(..key.expose().len()));
                Ok(rooms.map_or(0, |(identity_room, key_room)| {
                    identity_room.copy_from_slice(&named);
                    key_room.copy_from_slice(key.expose());
                    key_room.len()
                }))
            });
            Ok(())
        }
        None => {
            let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else { return Ok(()) };
            let unusable = |path: &Path, error: ErrorStack| {
                TransportError::Settings(format!(
                    "the device's certificate and key, {}: {error}",
                    path.display()
                ))
            };
            tls.set_certificate_chain_file(certificate).map_err(|error| unusable(certificate, error))?;
            tls.set_private_key_file(key, SslFiletype::PEM)
                .and_then(|()| tls.check_private_key())
                .map_err(|error| unusable(key, error))
        }
    }
}

/// A URI has an IPv6 address in brackets, with which OpenSSL would look for a name: what the certificate has to hold is the address.
fn expect_ipv6(connection: &mut ConnectConfiguration, uri: &Uri) -> Result<(), ErrorStack> {
    let literal = uri.host().and_then(|host| host.strip_prefix('[')?.strip_suffix(']'));
    let Some(address) = literal.and_then(|literal| literal.parse::<Ipv6Addr>().ok()) else { return Ok(()) };
    connection.set_verify_hostname(false);
    connection.set_use_server_name_indication(false);
    connection.param_mut().set_ip(address.into())
}

/// A connection as it is used; what TLS has negotiated goes into the log, once a connection (`DM 2.0 §9.2.2`).
fn made(connection: Connection) -> Gathered<Connection> {
    if let MaybeHttpsStream::Https(stream) = &connection {
        let tls = stream.ssl();
        tracing::info!(
            host = tls.servername(NameType::HOST_NAME),
            version = tls.version_str(),
            cipher = tls.current_cipher().map(SslCipherRef::name),
            "TLS connection"
        );
    }
    Gathered::new(connection)
}

fn has_short_curve(certificate: &X509Ref) -> bool {
    certificate.public_key().is_ok_and(|key| key.id() == Id::EC && key.bits() < MIN_CURVE_BITS)
}

fn settings(error: &ErrorStack) -> TransportError {
    TransportError::Settings(error.to_string())
}

/// An error with its causes, which is where hyper and OpenSSL say what happened.
pub(crate) fn failed(host: &str, error: &(dyn std::error::Error + 'static)) -> TransportError {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    TransportError::Failed { host: host.to_owned(), reason: causes.collect::<Vec<_>>().join(": ") }
}

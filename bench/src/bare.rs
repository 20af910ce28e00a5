//! The ceiling of everything over HTTPS: a server of the same library that answers the same octets, and does nothing else.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use omadm_client::{HttpRequest, HttpsConfig, HttpsTransport, Transport};
use omadm_codec::media_type;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, select_next_proto};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_openssl::SslStream;

use crate::Result;

/// Connections, as many as the load over TLS has.
pub const CONNECTIONS: usize = 64;
/// What the omadm server offers, too.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// A Package#2 as a session has it.
const PACKAGE2: &[u8] = br#"{"CMD":[["GET","urn:oma:mo:oma-dm-devinfo:1.2//DevID"]]}"#;
/// A Package#1.
const PACKAGE1: &[u8] = br#"{"Alert":[{"AlertType":"urn:oma:at:dm:2.0:ClientInitiatedMgmt"}]}"#;

/// The server, and clients that are connected to it.
pub struct Bare {
    runtime: Runtime,
    uri: Uri,
    clients: Vec<HttpsTransport>,
    /// Holds the certificate.
    _dir: TempDir,
}

impl Bare {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let runtime = Runtime::new()?;
        let (uri, clients) = runtime.block_on(async {
            let (uri, authority) = start(dir.path()).await?;
            let clients = connect(&uri, &authority).await?;
            Result::Ok((uri, clients))
        })?;
        Ok(Self { runtime, uri, clients, _dir: dir })
    }

    /// Requests per second over kept connections, client and server on this machine.
    pub fn requests_per_second(&self, length: Duration) -> Result<f64> {
        self.runtime.block_on(load(&self.clients, &self.uri, length))
    }
}

/// Starts the server in the background; gives its address and the certificate to trust.
async fn start(dir: &Path) -> Result<(Uri, PathBuf)> {
    let (certificate, key) = certificate()?;
    let authority = dir.join("ca.pem");
    std::fs::write(&authority, certificate.to_pem()?)?;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(&certificate)?;
    acceptor.set_private_key(&key)?;
    acceptor
        .set_alpn_select_callback(|_, offered| select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::NOACK));
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("https://localhost:{}/dm/2.0", listener.local_addr()?.port()).parse()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { converse(&acceptor, stream).await });
        }
    });
    Ok((uri, authority))
}

async fn converse(acceptor: &SslAcceptor, stream: tokio::net::TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, stream)?;
    Pin::new(&mut stream).accept().await?;
    let answer = || async { ([(CONTENT_TYPE, media_type::REQUEST_JSON)], PACKAGE2) };
    let service = TowerToHyperService::new(Router::new().route("/dm/2.0", post(answer)));
    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
}

/// One transport, and so one connection, for each client; each has had an answer already.
async fn connect(uri: &Uri, authority: &Path) -> Result<Vec<HttpsTransport>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let config = HttpsConfig { ca_file: Some(authority.to_owned()), ..HttpsConfig::default() };
        let client = HttpsTransport::new(&config)?;
        let answer = client.send(request(uri)).await?;
        if *answer.body != *PACKAGE2 {
            return Err(format!("the bare server answers {}", answer.status).into());
        }
        clients.push(client);
    }
    Ok(clients)
}

/// Requests per second of all clients together.
async fn load(clients: &[HttpsTransport], uri: &Uri, length: Duration) -> Result<f64> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        let (client, uri) = (client.clone(), uri.clone());
        tasks.spawn(async move {
            let mut answers: u64 = 0;
            while started.elapsed() < length {
                client.send(request(&uri)).await?;
                answers = answers.saturating_add(1);
            }
            Result::Ok(answers)
        });
    }
    let mut answers = 0.0;
    while let Some(ended) = tasks.join_next().await {
        answers += ended?? as f64;
    }
    Ok(answers / started.elapsed().as_secs_f64())
}

fn request(uri: &Uri) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type::INITIATION_JSON));
    HttpRequest {
        method: Method::POST,
        uri: uri.clone(),
        headers,
        body: bytes::Bytes::from_static(PACKAGE1),
        answer_limit: 1 << 20,
    }
}

/// A certificate for localhost that is its own authority.
fn certificate() -> Result<(X509, PKey<Private>)> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "localhost")?;
    let name = name.build();
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(BigNum::from_u32(1)?.to_asn1_integer()?.as_ref())?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_pubkey(&key)?;
    certificate.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    certificate.set_not_after(Asn1Time::days_from_now(1)?.as_ref())?;
    certificate.append_extension(BasicConstraints::new().ca().build()?)?;
    let names =
        SubjectAlternativeName::new().dns("localhost").build(&certificate.x509v3_context(None, None))?;
    certificate.append_extension(names)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((certificate.build(), key))
}

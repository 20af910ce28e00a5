//! The ceiling of everything over HTTPS: a server of the same library that answers the same octets, and does nothing else. Like the
//! real one it is a process of its own.

use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
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
use crate::in_process::{self, Exchange};
use crate::processes::Running;

/// Connections, as many as the load over TLS has.
pub const CONNECTIONS: usize = 256;
/// What the omadm server offers, too.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// The certificate to trust, in the directory of the server.
const CERTIFICATE: &str = "ca.pem";

/// The server, and clients that are connected to it.
pub struct Bare {
    runtime: Runtime,
    clients: Vec<HttpsTransport>,
    /// What a device sends in a session.
    requests: Vec<HttpRequest>,
    _server: Running,
    _dir: TempDir,
}

impl Bare {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut server = Running::start(command.arg("--bare-server").arg(dir.path()))?;
        let uri: Uri = server.first_line()?.trim().parse()?;
        let requests: Vec<_> = in_process::exchanges()?
            .into_iter()
            .map(|exchange| request(uri.clone(), exchange))
            .collect::<Result<_>>()?;
        let runtime = Runtime::new()?;
        let clients = runtime.block_on(connect(&requests, &dir.path().join(CERTIFICATE)))?;
        Ok(Self { runtime, clients, requests, _server: server, _dir: dir })
    }

    /// Requests per second over kept connections, client and server on this machine.
    pub fn requests_per_second(&self, length: Duration) -> Result<f64> {
        self.runtime.block_on(load(&self.clients, &self.requests, length))
    }
}

/// Serves until it is killed: what `--bare-server` does. Prints its address.
pub fn serve(dir: &Path) -> Result<()> {
    let (certificate, key) = certificate()?;
    std::fs::write(dir.join(CERTIFICATE), certificate.to_pem()?)?;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(&certificate)?;
    acceptor.set_private_key(&key)?;
    acceptor
        .set_alpn_select_callback(|_, offered| select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::NOACK));
    let acceptor = acceptor.build();
    let [first, second] = <[Exchange; 2]>::try_from(in_process::exchanges()?)
        .map_err(|exchanges| format!("a session has {} exchanges, not two", exchanges.len()))?;
    let answer = async move |headers: HeaderMap, _body: Bytes| {
        let begins = headers.get(CONTENT_TYPE).is_some_and(|given| *given == first.content_type);
        let reply = if begins { first.reply.clone() } else { second.reply.clone() };
        ([(CONTENT_TYPE, media_type::REQUEST_JSON)], reply)
    };
    let router = Router::new().route("/dm/2.0", post(answer));
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("https://localhost:{}/dm/2.0", listener.local_addr()?.port());
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move { converse(&acceptor, stream, router).await });
        }
        Ok(())
    })
}

async fn converse(acceptor: &SslAcceptor, stream: tokio::net::TcpStream, router: Router) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, stream)?;
    Pin::new(&mut stream).accept().await?;
    let service = TowerToHyperService::new(router);
    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
}

/// One transport, and so one connection, for each client; each has had an answer already.
async fn connect(requests: &[HttpRequest], authority: &Path) -> Result<Vec<HttpsTransport>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let config = HttpsConfig { ca_file: Some(authority.to_owned()), ..HttpsConfig::default() };
        let client = HttpsTransport::new(&config)?;
        session(&client, requests).await?;
        clients.push(client);
    }
    Ok(clients)
}

/// Sends what a device sends in a session.
async fn session(client: &HttpsTransport, requests: &[HttpRequest]) -> Result<()> {
    for request in requests {
        let answer = client.send(request.clone()).await?;
        if answer.body.is_empty() {
            return Err(format!("the bare server answers {}", answer.status).into());
        }
    }
    Ok(())
}

/// Requests per second of all clients together.
async fn load(clients: &[HttpsTransport], requests: &[HttpRequest], length: Duration) -> Result<f64> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        let (client, requests) = (client.clone(), requests.to_vec());
        tasks.spawn(async move {
            let mut answers: usize = 0;
            while started.elapsed() < length {
                session(&client, &requests).await?;
                answers = answers.saturating_add(requests.len());
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

/// A device's message.
fn request(uri: Uri, exchange: Exchange) -> Result<HttpRequest> {
    Ok(HttpRequest {
        method: Method::POST,
        uri,
        headers: headers(&exchange)?,
        body: exchange.body,
        answer_limit: 1 << 20,
        identity: None,
    })
}

fn headers(exchange: &Exchange) -> Result<HeaderMap> {
    let mut authorization =
        HeaderValue::from_static("Basic U0lNLWJlbmNoOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm");
    authorization.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (USER_AGENT, HeaderValue::from_static("omadm-bench")),
        (ACCEPT, HeaderValue::from_static(exchange.accept)),
        (CONTENT_TYPE, HeaderValue::from_str(&exchange.content_type)?),
        (HeaderName::from_static("omadm-devid"), HeaderValue::from_static(in_process::DEVICE)),
        (AUTHORIZATION, authorization),
    ]))
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

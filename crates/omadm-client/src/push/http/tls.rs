//! TLS of pushes over HTTP.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use openssl::ssl::{Ssl, SslAcceptor, SslConnector, SslFiletype, SslMethod, SslRef, SslVerifyMode};
use openssl::x509::{X509, X509Ref};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::HttpPushError;

/// How the device shows itself over TLS, and whom it knows.
#[derive(Clone, Debug)]
pub struct HttpPushTls {
    /// Its certificate with its chain (PEM).
    pub certificate: PathBuf,
    /// Private key of `certificate` (PEM).
    pub key: PathBuf,
    /// Authorities (PEM) of those who may push: with it, nobody gets in without a certificate.
    pub senders_ca_file: Option<PathBuf>,
    /// DNS names of those who may push, as their certificates have them; none is everybody of `senders_ca_file`.
    pub senders: Vec<String>,
}

impl HttpPushTls {
    /// Our side of a handshake: TLS 1.2 or later, which nobody gets through without a certificate of `senders_ca_file`, if there is
    /// one. The files are read for each, so that new certificates count without a restart.
    ///
    /// # Errors
    /// A file cannot be used, or TLS fails.
    pub fn acceptor(&self) -> Result<Ssl, HttpPushError> {
        let unusable = |path: &Path, error: &dyn std::error::Error| HttpPushError::File {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        tls.set_certificate_chain_file(&self.certificate)
            .map_err(|error| unusable(&self.certificate, &error))?;
        tls.set_private_key_file(&self.key, SslFiletype::PEM)
            .and_then(|()| tls.check_private_key())
            .map_err(|error| unusable(&self.key, &error))?;
        if let Some(path) = &self.senders_ca_file {
            let pem = std::fs::read(path).map_err(|error| unusable(path, &error))?;
            let authorities = X509::stack_from_pem(&pem).map_err(|error| unusable(path, &error))?;
            if authorities.is_empty() {
                let problem = "there is no certificate in it".to_owned();
                return Err(HttpPushError::File { path: path.clone(), problem });
            }
            for authority in authorities {
                tls.add_client_ca(&authority)?;
                tls.cert_store_mut().add_cert(authority)?;
            }
            tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        Ok(Ssl::new(tls.build().context())?)
    }

    /// Accepts TLS on a connection, within `time`.
    ///
    /// # Errors
    /// A sentence.
    pub async fn accept(&self, stream: TcpStream, time: Duration) -> Result<SslStream<TcpStream>, String> {
        let ssl = self.acceptor().map_err(|error| error.to_string())?;
        let mut stream = SslStream::new(ssl, stream).map_err(|error| error.to_string())?;
        let handshake = tokio::time::timeout(time, Pin::new(&mut stream).accept()).await;
        handshake.map_err(|_| late(time))?.map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// Whether the peer of a finished handshake has proved who it is.
    ///
    /// # Errors
    /// When it is none of those who may push.
    pub(super) fn is_proven(&self, ssl: &SslRef) -> Result<bool, String> {
        match ssl.peer_certificate() {
            None => Ok(false),
            Some(_) if self.senders.is_empty() => Ok(true),
            Some(_) => self.sender(ssl).map(|_| true),
        }
    }

    /// Which of `senders` the peer of a finished handshake is.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn sender(&self, ssl: &SslRef) -> Result<String, String> {
        let certificate = ssl.peer_certificate().ok_or("the sender showed no certificate")?;
        let names = names(&certificate);
        let is_sender = |sender: &&String| names.iter().any(|name| sender.eq_ignore_ascii_case(name));
        let sender = self.senders.iter().find(is_sender).cloned();
        sender.ok_or_else(|| {
            format!("the sender's certificate has none of the names that may send, but {names:?}")
        })
    }
}

/// The DNS names among the alternative names of a certificate. A common name may be that of a device.
fn names(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    names.iter().flatten().filter_map(|name| name.dnsname()).map(str::to_owned).collect()
}

/// Connects by TLS to a gateway that has to be `host`.
pub(super) async fn connect(
    ca_file: Option<&Path>,
    host: &str,
    stream: TcpStream,
    time: Duration,
) -> Result<SslStream<TcpStream>, String> {
    let failed = |error: openssl::error::ErrorStack| error.to_string();
    let mut tls = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    if let Some(path) = ca_file {
        tls.set_ca_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let ssl = tls.build().configure().and_then(|setup| setup.into_ssl(host)).map_err(failed)?;
    let mut stream = SslStream::new(ssl, stream).map_err(failed)?;
    let handshake = tokio::time::timeout(time, Pin::new(&mut stream).connect()).await;
    handshake.map_err(|_| late(time))?.map_err(|error| error.to_string())?;
    Ok(stream)
}

fn late(time: Duration) -> String {
    format!("the handshake was not over within {} s", time.as_secs())
}

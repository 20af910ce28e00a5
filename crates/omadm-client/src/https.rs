//! The transport over TLS: hyper over OpenSSL.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::TransportError;
use crate::transport::{HttpRequest, HttpResponse, Transport};

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

/// HTTPS and, for those who allow it, HTTP. Clones share one connection pool.
#[derive(Clone)]
pub struct HttpsTransport {
    request_timeout: Duration,
}

impl HttpsTransport {
    /// Reads the trust anchors and prepares TLS. Needs no running runtime.
    ///
    /// # Errors
    /// [`TransportError::Settings`].
    pub fn new(config: &HttpsConfig) -> Result<Self, TransportError> {
        todo!()
    }
}

impl Transport for HttpsTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        todo!()
    }
}

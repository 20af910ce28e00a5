//! What the client needs of HTTP: one request, one answer.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use omadm_auth::Secret;
use omadm_session::Body;

use crate::error::TransportError;
use crate::peer::is_https;

/// An HTTP request with all of its body. `Debug` shows neither credentials nor the body.
#[derive(Clone)]
pub struct HttpRequest {
    /// `GET`, `POST` or `PUT`.
    pub method: Method,
    /// Absolute, `http` or `https`.
    pub uri: Uri,
    /// Headers without `Host` and `Content-Length`, which the transport sets. Credentials are marked sensitive.
    pub headers: HeaderMap,
    /// The body; what a session sends is wiped with the last handle of it.
    pub body: Bytes,
    /// Most octets of the answer's body.
    pub answer_limit: usize,
    /// Who the device is in TLS. `None` leaves it to the settings of the transport.
    pub identity: Option<Arc<TlsIdentity>>,
}

/// How a device proves in TLS who it is (`DM 2.0 §9.2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsIdentity {
    /// By a certificate.
    Certificate {
        /// DER.
        certificate: Vec<u8>,
        /// Its private key, DER (PKCS#8, or PKCS#1 or SEC 1).
        key: Secret,
        /// The one certificate of the server that is accepted, DER, whoever issued it. `None` accepts what the trust anchors vouch for.
        server: Option<Vec<u8>>,
    },
    /// By a key that both sides have (`RFC 4279`).
    SharedKey {
        /// PSK identity.
        identity: String,
        /// The key.
        key: Secret,
    },
}

/// An HTTP answer with all of its body, of whatever status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("headers", &self.headers)
            .field("body", &format_args!("{} octets", self.body.len()))
            .field("answer_limit", &self.answer_limit)
            .field("identity", &self.identity)
            .finish()
    }
}

/// Carries requests. Redirects, credentials and policy are not its business; TLS verification is.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`TransportError`] when there is no complete answer within the limits.
    fn send(&self, request: HttpRequest)
    -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;

    /// Whether nobody on the way to this address can read or change what goes there.
    fn is_private(&self, uri: &Uri) -> bool {
        is_https(uri)
    }
}

impl<T: Transport> Transport for Arc<T> {
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send {
        T::send(self, request)
    }

    fn is_private(&self, uri: &Uri) -> bool {
        T::is_private(self, uri)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn neither_credentials_nor_bodies_show() {
        let mut credentials = HeaderValue::from_static("Basic hunter2");
        credentials.set_sensitive(true);
        let request = HttpRequest {
            method: Method::PUT,
            uri: Uri::from_static("https://a.example/"),
            headers: HeaderMap::from_iter([(AUTHORIZATION, credentials)]),
            body: Bytes::from_static(b"hunter2"),
            answer_limit: 1,
            identity: Some(Arc::new(TlsIdentity::SharedKey {
                identity: "device".to_owned(),
                key: Secret::new(b"hunter2".to_vec()),
            })),
        };
        let response = HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: b"hunter2".to_vec().into(),
        };
        for shown in [format!("{request:?}"), format!("{response:?}")] {
            assert!(shown.contains("7 octets"), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
        }
    }
}

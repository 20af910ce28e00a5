//! What the client needs of HTTP: one request, one answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::error::TransportError;

/// An HTTP request with all of its body.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `GET`, `POST` or `PUT`.
    pub method: Method,
    /// Absolute, `http` or `https`.
    pub uri: Uri,
    /// Headers without `Host` and `Content-Length`, which the transport sets. Credentials are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Most octets of the answer's body.
    pub answer_limit: usize,
}

/// An HTTP answer with all of its body, of whatever status.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Carries requests. Redirects, credentials and policy are not its business; TLS verification is.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`TransportError`] when there is no complete answer within the limits.
    fn send(&self, request: HttpRequest)
    -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;
}

impl<T: Transport> Transport for Arc<T> {
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send {
        T::send(self, request)
    }
}

//! Requests to gateways and services.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::carrier::Failed;
use crate::ServerError;
use crate::config::NotifierSection;
use crate::outgoing::{self, causes};
use crate::tls::KeyPair;

/// Most octets of an answer.
const MAX_ANSWER: usize = 64 << 10;

/// An HTTP client.
pub struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// With the trust anchors of the configuration.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(settings: &NotifierSection) -> Result<Self, ServerError> {
        let connector = outgoing::connector(settings.ca_file.as_deref(), "notifier.ca_file")?;
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// As [`Http::new`], and shows a certificate to who asks for one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn showing(settings: &NotifierSection, own: &KeyPair) -> Result<Self, ServerError> {
        let connector = outgoing::mutual(settings.ca_file.as_deref(), "notifier.ca_file", own)?;
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        let response = self.0.request(request).await.map_err(|error| Failed::with(causes(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| Failed::with(causes(error.as_ref())))?.to_bytes();
        Ok((head.status, head.headers, body))
    }
}

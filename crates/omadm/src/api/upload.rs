//! Sending a file of any length, piece by piece.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::Frame;
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::{Api, ApiError, MAX_ANSWER, PATIENCE};

/// Octets that are read at a time.
const PIECE: usize = 256 << 10;
/// Slowest way to the server, in octets a second, for which is waited.
const SLOWEST: u64 = 16 << 10;

impl Api {
    /// POST of a file of this length.
    ///
    /// # Errors
    /// When the file cannot be read to its end, or the server does not take it.
    pub async fn post_file(
        &self,
        path: &str,
        content_type: &str,
        file: std::fs::File,
        size: u64,
    ) -> Result<Value, ApiError> {
        let bad = |reason: String| ApiError::Address { server: self.server.clone(), reason };
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| bad(format!("{content_type:?} is no media type")))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/api/v1{path}", self.server))
            .header(ACCEPT, HeaderValue::from_static("application/json, application/problem+json"))
            .header(CONTENT_LENGTH, size)
            .header(CONTENT_TYPE, content_type);
        if let Some(token) = self.token.header() {
            request = request.header(AUTHORIZATION, token);
        }
        let pieces = stream::unfold(File::from_std(file), |mut opened| async move {
            let mut piece = vec![0; PIECE];
            match opened.read(&mut piece).await {
                Ok(0) => None,
                Ok(length) => {
                    piece.truncate(length);
                    Some((Ok(Frame::data(Bytes::from(piece))), opened))
                }
                Err(error) => Some((Err(error), opened)),
            }
        });
        let request = request.body(StreamBody::new(Box::pin(pieces)));
        let request = request.map_err(|error| bad(format!("with {path} it makes no request: {error}")))?;
        let connector = HttpsConnector::new().map_err(|error| bad(format!("OpenSSL says: {error}")))?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let patience = PATIENCE + Duration::from_secs(size / SLOWEST);
        let slow = |_| ApiError::Slow { server: self.server.clone(), seconds: patience.as_secs() };
        let answer = tokio::time::timeout(patience, client.request(request)).await.map_err(slow)?;
        let (head, body) = answer.map_err(|error| ApiError::unreachable(&self.server, &error))?.into_parts();
        let unread = |reason: String| ApiError::Answer { path: path.to_owned(), reason };
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| unread(error.to_string()))?.to_bytes();
        if !head.status.is_success() {
            return Err(ApiError::refused(head.status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| unread(format!("it is not JSON: {error}")))
    }
}

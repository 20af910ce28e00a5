//! A client of the server's REST API with errors that say what to do.

mod error;
mod path;
mod token;
pub mod types;
mod upload;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;

pub use error::ApiError;
pub use path::{Query, segment};
pub use types::read;

use token::Token;

/// Most octets of one answer; a listing page is far below, an upload can be large.
const MAX_ANSWER: usize = 256 << 20;
/// How long the server may take for an answer, beside what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Items per page of a listing.
const PAGE: u32 = 1_000;

/// A server's REST API.
#[derive(Clone)]
pub struct Api {
    /// Scheme and authority, no trailing slash.
    server: String,
    token: Token,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Api {
    /// A client of the server at `server` (`http://` or `https://`, host and port), with the token of the environment or `token_file`.
    ///
    /// # Errors
    /// When the address is none, or the token cannot be used as a header.
    pub fn new(server: &str, token_file: &Path) -> Result<Self, ApiError> {
        let server = server.trim_end_matches('/');
        let bad = |reason: &str| ApiError::Address { server: server.to_owned(), reason: reason.to_owned() };
        let uri: Uri = server.parse().map_err(|_| bad("it is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("it has to begin with http:// or https://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("it has to end after host and port"));
        }
        let connector = HttpsConnector::new().map_err(|error| bad(&format!("OpenSSL says: {error}")))?;
        Ok(Self {
            server: server.to_owned(),
            token: Token::find(token_file)?,
            http: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// GET of a JSON document.
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::GET, path, None, Duration::ZERO).await
    }

    /// GET that the server may hold for `wait`.
    pub async fn get_waiting(&self, path: &str, wait: Duration) -> Result<Value, ApiError> {
        self.json(Method::GET, path, None, wait).await
    }

    /// GET of a document that is not JSON.
    pub async fn get_bytes(&self, path: &str) -> Result<Bytes, ApiError> {
        self.send(Method::GET, path, None, Duration::ZERO).await
    }

    /// POST of a JSON document; the server may hold the answer for `wait`.
    pub async fn post(&self, path: &str, body: &impl Serialize, wait: Duration) -> Result<Value, ApiError> {
        self.json(Method::POST, path, Some(json_body(path, body)?), wait).await
    }

    /// PUT of a document of any type.
    pub async fn put(&self, path: &str, content_type: &'static str, body: Bytes) -> Result<(), ApiError> {
        self.send(Method::PUT, path, Some((content_type, body)), Duration::ZERO).await.map(|_| ())
    }

    /// PUT of a document of any type, with what the server answers.
    pub async fn put_bytes(
        &self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Value, ApiError> {
        self.json(Method::PUT, path, Some((content_type, body)), Duration::ZERO).await
    }

    /// PUT of a JSON document, with what the server answers.
    pub async fn put_json(&self, path: &str, body: &impl Serialize) -> Result<Value, ApiError> {
        self.json(Method::PUT, path, Some(json_body(path, body)?), Duration::ZERO).await
    }

    /// PATCH of a JSON document.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Value, ApiError> {
        self.json(Method::PATCH, path, Some(json_body(path, body)?), Duration::ZERO).await
    }

    /// POST of a document of any type, which the server may take `wait` to read.
    pub async fn post_bytes(
        &self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Value, ApiError> {
        self.json(Method::POST, path, Some((content_type, body)), wait).await
    }

    /// GET of a document of any length, part by part.
    pub async fn download(&self, path: &str) -> Result<Download, ApiError> {
        let request = self.request(Method::GET, path, None)?;
        let answer = self.http.request(request);
        let (head, body) = self.in_time(answer, PATIENCE).await?.into_parts();
        if head.status.is_success() {
            return Ok(Download { body, path: path.to_owned() });
        }
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body =
            body.map_err(|error| ApiError::Answer { path: path.to_owned(), reason: error.to_string() })?;
        Err(self.failed(head.status, &body.to_bytes()))
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.send(Method::DELETE, path, None, Duration::ZERO).await.map(|_| ())
    }

    /// The items of a listing, page by page, until `limit` of them or the end.
    pub async fn list(&self, path: &str, query: &Query, limit: Option<u32>) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let left = limit
                .map_or(PAGE, |limit| limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX)));
            if left == 0 {
                return Ok(items);
            }
            let page = self.page(path, query, left.min(PAGE), after.as_deref()).await?;
            items.extend(page.items);
            match page.next.and_then(types::cursor_text) {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(items),
            }
        }
    }

    /// One page of a listing.
    pub async fn page(
        &self,
        path: &str,
        query: &Query,
        limit: u32,
        after: Option<&str>,
    ) -> Result<types::Page, ApiError> {
        let query = query.clone().with("limit", &limit.to_string()).with_some("after", after);
        let target = query.onto(path);
        read(&target, self.get(&target).await?)
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        wait: Duration,
    ) -> Result<Value, ApiError> {
        let answer = self.send(method, path, body, wait).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|error| ApiError::Answer {
            path: path.to_owned(),
            reason: format!("it is not JSON: {error}"),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        wait: Duration,
    ) -> Result<Bytes, ApiError> {
        let request = self.request(method, path, body)?;
        let patience = PATIENCE + wait;
        let response = self.in_time(self.http.request(request), patience).await?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(patience, Limited::new(body, MAX_ANSWER).collect())
            .await
            .map_err(|_| ApiError::Slow { server: self.server.clone(), seconds: patience.as_secs() })?
            .map_err(|error| ApiError::Answer { path: path.to_owned(), reason: error.to_string() })?
            .to_bytes();
        match head.status {
            status if status.is_success() => Ok(body),
            status => Err(self.failed(status, &body)),
        }
    }

    /// The head of an answer, for which the server has so much time.
    async fn in_time(
        &self,
        answer: ResponseFuture,
        patience: Duration,
    ) -> Result<Response<Incoming>, ApiError> {
        tokio::time::timeout(patience, answer)
            .await
            .map_err(|_| ApiError::Slow { server: self.server.clone(), seconds: patience.as_secs() })?
            .map_err(|error| ApiError::unreachable(&self.server, &error))
    }

    /// What an answer says that is no success.
    fn failed(&self, status: StatusCode, body: &[u8]) -> ApiError {
        match status {
            StatusCode::UNAUTHORIZED => {
                ApiError::Unauthorised { server: self.server.clone(), token: self.token.origin() }
            }
            status => ApiError::refused(status, body),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let mut request =
            Request::builder().method(method).uri(format!("{}/api/v1{path}", self.server)).header(
                ACCEPT,
                HeaderValue::from_static("application/json, application/problem+json, */*;q=0.1"),
            );
        if let Some(token) = self.token.header() {
            request = request.header(AUTHORIZATION, token);
        }
        let body = match body {
            Some((content_type, body)) => {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
                body
            }
            None => Bytes::new(),
        };
        request.body(Full::new(body)).map_err(|error| ApiError::Address {
            server: self.server.clone(),
            reason: format!("with {path} it makes no request: {error}"),
        })
    }
}

/// A document as the body of a request.
fn json_body(path: &str, body: &impl Serialize) -> Result<(&'static str, Bytes), ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::Answer {
        path: path.to_owned(),
        reason: format!("the request cannot be written as JSON: {error}"),
    })?;
    Ok(("application/json", body.into()))
}

/// A document on its way.
pub struct Download {
    body: Incoming,
    path: String,
}

impl Download {
    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// When it breaks off, or nothing comes for long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let broken = |reason: String| ApiError::Answer { path: self.path.clone(), reason };
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| broken(format!("nothing came for {} s", PATIENCE.as_secs())))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(part) = frame.map_err(|error| broken(error.to_string()))?.into_data() {
                return Ok(Some(part));
            }
        }
    }
}

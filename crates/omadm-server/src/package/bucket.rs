//! Packages in a bucket that speaks S3, over the HTTP, the TLS and the digests that everything else here uses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    ClientConfigKey, CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, HttpClient, HttpError,
    HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService, Signer,
    SigningAlgorithm,
};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use sha2::{Digest as _, Sha256};
use tokio::time::{error::Elapsed, timeout};

use crate::config::PackageSection;
use crate::{ServerError, outgoing};

/// The setting that names a bucket.
const KEY: &str = "package.bucket";

/// Opens the bucket of `package.bucket`, with what `AWS_…` of the environment says. Nothing is asked of it yet.
///
/// # Errors
/// When address or environment cannot be used.
pub fn open(section: &PackageSection) -> Result<Arc<dyn ObjectStore>, ServerError> {
    let url = section.bucket.as_deref().unwrap_or_default();
    let patience = section.bucket_timeout.0;
    let store = AmazonS3Builder::from_env()
        .with_url(url)
        .with_http_connector(Connector { patience })
        .with_crypto_provider(Arc::new(Crypto))
        .with_retry(RetryConfig { retry_timeout: patience, ..RetryConfig::default() })
        .build();
    let store = store.map_err(|error| wrong(&error))?;
    let prefix = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    let prefix = prefix.map_or("", |(_, prefix)| prefix).trim_end_matches('/');
    let prefix = Path::parse(prefix).map_err(|error| wrong(&error))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

fn wrong(error: &dyn std::error::Error) -> ServerError {
    ServerError::Setting { key: KEY.to_owned(), problem: error.to_string() }
}

/// Makes clients that wait so long for a beginning, and for each piece of an answer.
#[derive(Debug)]
struct Connector {
    patience: Duration,
}

impl object_store::client::HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let connector = outgoing::connector(None, KEY)
            .map_err(|error| object_store::Error::Generic { store: "S3", source: error.into() })?;
        let mut http = Client::builder(TokioExecutor::new());
        let http = http.pool_timer(TokioTimer::new()).build(connector);
        let allow_plain =
            options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|text| is_yes(&text));
        Ok(HttpClient::new(Service { http, allow_plain, patience: self.patience }))
    }
}

/// Whether a variable of the environment says yes, in any of the words that S3 clients know.
fn is_yes(text: &str) -> bool {
    ["1", "true", "on", "yes", "y"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// What speaks HTTP with the bucket, and with who gives credentials for it.
#[derive(Debug)]
struct Service {
    http: Client<HttpsConnector<HttpConnector>, HttpRequestBody>,
    /// Whether what is not encrypted may be used (`AWS_ALLOW_HTTP`).
    allow_plain: bool,
    patience: Duration,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.allow_plain && request.uri().scheme_str() != Some("https") {
            return Err(HttpError::new(HttpErrorKind::Unknown, NotEncrypted));
        }
        let answer = timeout(self.patience, self.http.request(request)).await.map_err(late)?;
        let (head, body) = answer.map_err(broken)?.into_parts();
        let body = HttpResponseBody::new(StreamBody::new(pieces(body, self.patience)));
        Ok(HttpResponse::from_parts(head, body))
    }
}

/// What is told where a bucket would be reached without TLS.
#[derive(Debug, thiserror::Error)]
#[error("plain HTTP is refused; AWS_ALLOW_HTTP=true allows it")]
struct NotEncrypted;

/// The pieces of an answer, each of which is waited for that long.
fn pieces(
    body: Incoming,
    patience: Duration,
) -> impl Stream<Item = Result<Frame<Bytes>, HttpError>> + Send + Sync {
    stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match timeout(patience, body.frame()).await {
            Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
            Ok(Some(Err(error))) => Some((Err(HttpError::new(HttpErrorKind::Interrupted, error)), None)),
            Ok(None) => None,
            Err(elapsed) => Some((Err(late(elapsed)), None)),
        }
    })
}

fn late(elapsed: Elapsed) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, elapsed)
}

/// What could not be connected was not sent, and everything else may have been.
fn broken(error: ClientError) -> HttpError {
    let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Interrupted };
    HttpError::new(kind, error)
}

/// Digests for the signatures of requests.
#[derive(Debug)]
struct Crypto;

impl CryptoProvider for Crypto {
    fn digest(&self, algorithm: DigestAlgorithm) -> object_store::Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Digesting { made: Sha256::new(), value: [0; 32] })),
            other => Err(unsupported(&other)),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> object_store::Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => match Hmac::<Sha256>::new_from_slice(secret) {
                Ok(made) => Ok(Box::new(Digesting { made, value: [0; 32] })),
                Err(error) => Err(unsupported(&error)),
            },
            other => Err(unsupported(&other)),
        }
    }

    fn sign(&self, algorithm: SigningAlgorithm, _: &[u8]) -> object_store::Result<Box<dyn Signer>> {
        // No S3 is signed for by RSA.
        Err(unsupported(&algorithm))
    }
}

fn unsupported(what: &dyn std::fmt::Debug) -> object_store::Error {
    object_store::Error::NotSupported { source: format!("{what:?} is not known here").into() }
}

/// A digest or a MAC that is being made, and its value in the end.
struct Digesting<M> {
    made: M,
    value: [u8; 32],
}

impl DigestContext for Digesting<Sha256> {
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.made, data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.value = self.made.finalize_reset().into();
        Ok(&self.value)
    }
}

impl HmacContext for Digesting<Hmac<Sha256>> {
    fn update(&mut self, data: &[u8]) {
        hmac::Mac::update(&mut self.made, data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.value = self.made.clone().finalize().into_bytes().into();
        Ok(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpConnector as _;

    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn digests_and_macs_are_those_of_the_standards() {
        let mut digest = Crypto.digest(DigestAlgorithm::Sha256).unwrap();
        digest.update(b"a");
        digest.update(b"bc");
        let value = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(digest.finish().unwrap()), value, "FIPS 180-4");
        let mut mac = Crypto.hmac(DigestAlgorithm::Sha256, b"Jefe").unwrap();
        mac.update(b"what do ya want ");
        mac.update(b"for nothing?");
        let value = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(mac.finish().unwrap()), value, "RFC 4231 §4.3");
        assert!(Crypto.sign(SigningAlgorithm::RS256, b"").is_err());
    }

    #[tokio::test]
    async fn plain_http_is_refused_unless_it_is_allowed() {
        let connector = Connector { patience: Duration::from_secs(5) };
        for (word, refused) in [("false", true), ("no", true), ("true", false), ("YES", false)] {
            let options = ClientOptions::new().with_config(ClientConfigKey::AllowHttp, word);
            let client = connector.connect(&options).unwrap();
            // Nobody listens there: who may ask is told that.
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.uri_mut() = "http://127.0.0.1:1/".parse().unwrap();
            let error = client.execute(request).await.unwrap_err();
            let expected = if refused { HttpErrorKind::Unknown } else { HttpErrorKind::Connect };
            assert_eq!(error.kind(), expected, "{word}: {error}");
        }
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for_forever() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ClientOptions::new().with_allow_http(true);
        let client = Connector { patience: Duration::from_millis(50) }.connect(&options).unwrap();
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        assert_eq!(client.execute(request).await.unwrap_err().kind(), HttpErrorKind::Timeout);
    }
}

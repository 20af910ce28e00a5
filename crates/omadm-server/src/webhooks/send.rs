//! One delivery: a signed request, to an address that was checked, within a time, and no redirect is followed.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use omadm_auth::Secret;
use openssl::ssl::SslConnector;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use uuid::Uuid;

use super::address::Target;
use crate::ServerError;
use crate::audit::mac;
use crate::config::WebhookSection;
use crate::outgoing::{self, causes};

/// Most octets of an answer that are read; they are not used.
const MAX_ANSWER: usize = 64 << 10;
/// `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the time, a dot, and the body.
const SIGNATURE: HeaderName = HeaderName::from_static("omadm-signature");
/// The same for each attempt of one delivery.
const DELIVERY: HeaderName = HeaderName::from_static("omadm-delivery");
/// Name of the webhook, percent-encoded.
const WEBHOOK: HeaderName = HeaderName::from_static("omadm-webhook");

/// What is to be delivered.
pub struct Delivery<'a> {
    /// Name of the webhook.
    pub webhook: &'a str,
    /// Where to.
    pub url: &'a str,
    /// The key of its signatures.
    pub secret: &'a Secret,
    /// Identifies it: the same for each attempt.
    pub id: Uuid,
    /// JSON.
    pub body: &'a str,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// Sends deliveries.
pub struct Sender {
    tls: SslConnector,
}

impl Sender {
    /// With the trust anchors of the configuration.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, ServerError> {
        Ok(Self { tls: outgoing::tls(ca_file, "webhook.ca_file")?.build() })
    }

    /// Delivers, and gives the status of the answer, whatever it is.
    ///
    /// # Errors
    /// A sentence that says why there is no answer.
    pub async fn send(
        &self,
        delivery: &Delivery<'_>,
        settings: &WebhookSection,
    ) -> Result<StatusCode, String> {
        let time = settings.timeout.0;
        let sending = tokio::time::timeout(time, self.send_now(delivery, settings));
        sending.await.unwrap_or_else(|_| Err(format!("no answer within {} s", time.as_secs())))
    }

    async fn send_now(
        &self,
        delivery: &Delivery<'_>,
        settings: &WebhookSection,
    ) -> Result<StatusCode, String> {
        let target = Target::parse(delivery.url, settings)?;
        let stream = connect(&target.addresses(settings).await?).await?;
        let request = request(&target, delivery)?;
        if !target.secure {
            return exchange(stream, request).await;
        }
        let failed = |error: &(dyn std::error::Error + 'static)| format!("TLS failed: {}", causes(error));
        let ssl = self.tls.configure().and_then(|configured| configured.into_ssl(&target.host));
        let ssl = ssl.map_err(|error| failed(&error))?;
        let mut stream = SslStream::new(ssl, stream).map_err(|error| failed(&error))?;
        Pin::new(&mut stream).connect().await.map_err(|error| failed(&error))?;
        exchange(stream, request).await
    }
}

/// Connects to the first address that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut problem = "there is no address".to_owned();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => problem = format!("cannot connect: {error}"),
        }
    }
    Err(problem)
}

fn request(target: &Target, delivery: &Delivery<'_>) -> Result<Request<Full<Bytes>>, String> {
    let request = Request::post(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .header(USER_AGENT, concat!("omadm/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(DELIVERY, delivery.id.to_string())
        .header(WEBHOOK, utf8_percent_encode(delivery.webhook, NON_ALPHANUMERIC).to_string())
        .header(SIGNATURE, signature(delivery.secret, delivery.now, delivery.body.as_bytes()))
        .body(Full::from(delivery.body.to_owned()));
    request.map_err(|error| format!("there is no such request: {error}"))
}

/// The signature of a body that is sent now.
fn signature(secret: &Secret, now: i64, body: &[u8]) -> String {
    let mac = mac(secret, &[now.to_string().as_bytes(), b".", body]);
    let hex: String = mac.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("t={now},v1={hex}")
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broke = |error: hyper::Error| format!("the exchange failed: {}", causes(&error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        let status = response.status();
        // A status alone is an answer; a long body, or one that does not end, changes nothing about it.
        let _read = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(status)
    };
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        biased;
        talked = talk.as_mut() => return talked,
        // What was read before the end is still there for the talk.
        _ended = connection => {}
    }
    talk.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_time_and_body() {
        let secret = Secret::new(b"key".to_vec());
        let signed = signature(&secret, 1_700_000_000, b"{}");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let expected = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(signed, expected);
    }
}

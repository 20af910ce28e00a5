//! Packages by HTTPS, over the connections of the device.

use bytes::Bytes;
use http::{HeaderMap, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{Answer, Pieces, Source};
use crate::error::TransportError;
use crate::https::{HttpsTransport, failed};

/// The body of an answer that is on its way.
#[derive(Debug)]
pub struct HttpsBody {
    host: String,
    body: Incoming,
}

impl Source for HttpsTransport {
    type Body = HttpsBody;

    async fn get(&self, uri: &Uri, headers: HeaderMap) -> Result<Answer<HttpsBody>, TransportError> {
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let (head, body) = self.open(&host, uri.clone(), headers).await?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body: HttpsBody { host, body } })
    }
}

impl Pieces for HttpsBody {
    async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(failed(&self.host, &error)),
                // Trailers say nothing of the package.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => continue,
                },
            }
        }
    }
}

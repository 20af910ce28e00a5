//! One request to the device.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use omadm_auth::dm1::HMAC_HEADER;
use omadm_codec::Limits;
use omadm_codec::media_type::MediaType;
use omadm_codec::ota_http::{
    self, APPLICATION_ID, CPI_TAG, NESTED, Nested, PATH, PushStatus, STATUS_HEADER, VERSION_HEADER,
};
use omadm_codec::wsp::DM_APPLICATION;

use super::super::{ACCEPTED, PushContent, PushOrigin};
use super::{Peer, Shared};

/// Header fields of a nested response.
const MAX_FIELDS: usize = 64;

/// What a request is answered.
struct Reply {
    status: StatusCode,
    push: Option<PushStatus>,
    headers: HeaderMap,
}

impl Reply {
    fn http(status: StatusCode) -> Self {
        Self { status, push: None, headers: HeaderMap::new() }
    }

    /// What OTA-HTTP says to a push, good or bad: 204.
    fn push(status: PushStatus) -> Self {
        Self { push: Some(status), ..Self::http(StatusCode::NO_CONTENT) }
    }
}

impl Shared {
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let reply = if head.uri.path() != PATH {
            Reply::http(StatusCode::NOT_FOUND)
        } else if head.method != Method::POST && head.method != Method::OPTIONS {
            let mut reply = Reply::http(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers.insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            reply
        } else if !self.allows(peer.address) {
            Reply { push: Some(PushStatus::NO_ROOM), ..Reply::http(StatusCode::TOO_MANY_REQUESTS) }
        } else {
            let target = head.uri.path_and_query().map_or("", |target| target.as_str());
            match self.doorkeeper.admit(peer, &head.method, target, &head.headers) {
                Err(headers) => Reply { headers, ..Reply::http(StatusCode::UNAUTHORIZED) },
                Ok(_) if head.method == Method::OPTIONS => self.register(&head.headers),
                Ok(authenticated) => {
                    self.take(&head.headers, body, peer, authenticated).await.unwrap_or_else(|reply| reply)
                }
            }
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        let headers = response.headers_mut();
        headers.insert(VERSION_HEADER, HeaderValue::from_static(ota_http::VERSION));
        if let Some(PushStatus(number)) = reply.push {
            headers.insert(STATUS_HEADER, HeaderValue::from(number));
        }
        response
    }

    /// `OPTIONS`: what the device can do, unless the gateway knows that.
    fn register(&self, headers: &HeaderMap) -> Reply {
        let known = headers.get(CPI_TAG).is_some_and(|tag| self.capabilities.is_tag(tag));
        let mut reply = Reply::push(if known { PushStatus::UNCHANGED } else { PushStatus::REGISTERED });
        self.capabilities.tell(!known, &mut reply.headers);
        reply
    }

    /// `POST`: a push.
    async fn take(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        peer: &Peer,
        authenticated: bool,
    ) -> Result<Reply, Reply> {
        let bad = || Reply::http(StatusCode::BAD_REQUEST);
        if headers.get(CPI_TAG).is_some_and(|tag| !self.capabilities.is_tag(tag)) {
            return Err(Reply::push(PushStatus::STALE));
        }
        let body = self.body(body).await?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let content_type = text(CONTENT_TYPE.as_str()).ok_or_else(bad)?;
        let outer = MediaType::parse(&content_type).map_err(|_| bad())?;
        let (content_type, application, date, hmac, body) = if outer.essence == NESTED {
            let limits = Limits { bytes: body.len(), items: MAX_FIELDS, ..Limits::default() };
            let nested = Nested::decode(&body, &limits).map_err(|error| {
                tracing::debug!(peer = %peer.address, "a push is malformed: {error}");
                bad()
            })?;
            if nested.status != 200 {
                return Err(bad());
            }
            let field = |name: &str| nested.field(name).map(str::to_owned);
            let content_type = field(CONTENT_TYPE.as_str()).ok_or_else(bad)?;
            let (date, hmac) = (field(DATE.as_str()), field(HMAC_HEADER));
            (content_type, field(APPLICATION_ID), date, hmac, Bytes::from(nested.body))
        } else {
            (content_type, text(APPLICATION_ID), text(DATE.as_str()), text(HMAC_HEADER), body)
        };
        if application.as_deref().is_some_and(|application| !ota_http::is_dm_application(application)) {
            return Err(Reply::push(PushStatus::NO_APPLICATION));
        }
        let known =
            MediaType::parse(&content_type).is_ok_and(|media| ACCEPTED.contains(&media.essence.as_str()));
        if !known {
            return Err(Reply::push(PushStatus::NO_TYPE));
        }
        let via = PushOrigin {
            by: format!("OTA-HTTP from {}", peer.address),
            authenticated,
            sent: date.as_deref().and_then(ota_http::date),
        };
        let application = application.map(|_| DM_APPLICATION.to_owned());
        let content = PushContent { content_type, application, hmac, body, via };
        let room = self.contents.try_send(content);
        Ok(Reply::push(if room.is_ok() { PushStatus::ACCEPTED } else { PushStatus::NO_ROOM }))
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, Reply> {
        let reading = Limited::new(body, self.config.max_size).collect();
        let read = tokio::time::timeout(self.config.timeout, reading).await;
        let read = read.map_err(|_| Reply::http(StatusCode::REQUEST_TIMEOUT))?;
        let too_large = |error: Box<dyn std::error::Error + Send + Sync>| {
            Reply::http(match error.is::<LengthLimitError>() {
                true => StatusCode::PAYLOAD_TOO_LARGE,
                false => StatusCode::BAD_REQUEST,
            })
        };
        read.map(http_body_util::Collected::to_bytes).map_err(too_large)
    }
}

//! The HTTP binding of DM 1.x (`DM 1.3 HTTPBinding §5.3`).

use bytes::Bytes;
use http::header::{ACCEPT_CHARSET, CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use omadm_auth::dm1::HMAC_HEADER;
use omadm_session::dm1::client::{HttpReply, Post};

use crate::error::TransportError;
use crate::exchange::{Exchange, Identify, Outgoing, Redirects};
use crate::transport::{HttpResponse, Transport};

const HMAC: HeaderName = HeaderName::from_static(HMAC_HEADER);
const CHARSET: HeaderValue = HeaderValue::from_static("utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-store, private");
/// Most cookies that are returned, and most octets of one: load balancers need one that is short.
const MAX_COOKIES: usize = 16;
const MAX_COOKIE: usize = 4096;

/// Messages of one session over HTTP.
pub(in crate::dm1) struct Http<'a, T> {
    exchange: Exchange<'a, T>,
    /// Most octets of an answer.
    limit: usize,
    /// Cookies of this session, as `name=value`.
    cookies: Vec<String>,
}

impl<'a, T: Transport> Http<'a, T> {
    pub(super) fn new(exchange: Exchange<'a, T>, limit: usize) -> Self {
        Self { exchange, limit, cookies: Vec::new() }
    }

    /// Sends a message and gives the answer, whatever its status.
    pub(super) async fn post(&mut self, post: Post) -> Result<HttpReply, TransportError> {
        let Post { uri, content_type, accept, hmac, body, message_id: _, wait: _ } = post;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_CHARSET, CHARSET);
        headers.insert(CACHE_CONTROL, NO_CACHE);
        let bad = |reason: &str| TransportError::BadUri { uri: uri.clone(), reason: reason.to_owned() };
        if let Some(hmac) = hmac {
            let value = HeaderValue::from_str(&hmac);
            headers.insert(
                HMAC,
                value.map_err(|_| bad("the user name of the account cannot stand in a header"))?,
            );
        }
        if let Ok(cookies) = HeaderValue::from_str(&self.cookies.join("; "))
            && !cookies.is_empty()
        {
            headers.insert(COOKIE, cookies);
        }
        let outgoing = Outgoing {
            method: Method::POST,
            uri,
            content_type: Some(content_type.to_owned()),
            accept: Some(accept.to_owned()),
            body: Bytes::from_owner(body),
            identify: Identify::Never,
            redirects: Redirects::Secured,
            limit: self.limit,
        };
        let response = self.exchange.send_with(outgoing, headers).await?;
        self.take_cookies(&response.headers);
        Ok(reply(response))
    }

    /// When the server wants the device to come again that has sent it away.
    pub(super) fn retry_after(&self) -> Option<&HeaderValue> {
        self.exchange.retry_after.as_ref()
    }

    /// Cookies are returned until the session ends, whatever they say of their life and place: they go to this server only.
    fn take_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default().trim();
            let Some((name, _)) = pair.split_once('=').filter(|_| pair.len() <= MAX_COOKIE) else { continue };
            self.cookies.retain(|known| known.split_once('=').is_none_or(|(known, _)| known != name));
            if self.cookies.len() < MAX_COOKIES {
                self.cookies.push(pair.to_owned());
            }
        }
    }
}

fn reply(response: HttpResponse) -> HttpReply {
    let header = |name: HeaderName| {
        response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    HttpReply {
        status: response.status.as_u16(),
        content_type: header(CONTENT_TYPE),
        hmac: header(HMAC),
        body: response.body,
    }
}

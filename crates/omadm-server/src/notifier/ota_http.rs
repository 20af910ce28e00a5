//! OTA-HTTP push (`WAP-235`, PO-TCP): the device is the HTTP server, and this one the client.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use omadm_auth::digest::{Answers, Hash};
use omadm_auth::dm1::HMAC_HEADER;
use omadm_auth::header::Challenge;
use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::ota_http::{
    self, ACCEPT, AUTHENTICATE, CPI_TAG, MAX_SIZE, NESTED, Nested, PATH, PushStatus, STATUS_HEADER,
    VERSION_HEADER,
};
use omadm_codec::wsp::DM_APPLICATION;
use omadm_codec::{AcceptList, MediaType};

use super::address::Place;
use super::carrier::{Failed, Item};
use super::http::Http;
use crate::config::{HttpPushSection, NotifierSection};
use crate::tls::KeyPair;
use crate::{ServerError, outgoing, random};

/// Most devices whose registrations are remembered; beyond, all of them are asked again.
const MAX_REMEMBERED: usize = 10_000;
/// Digests that devices may ask for, the best first.
const DIGESTS: [Hash; 3] = [Hash::Sha256, Hash::Sha512_256, Hash::Md5];

/// Pushes to devices.
pub struct OtaHttp {
    http: Http,
    credentials: Option<(String, Secret)>,
    plain_basic: bool,
    terminals: Mutex<HashMap<String, Terminal>>,
}

/// What a device says that it can do.
#[derive(Clone, Debug, Default)]
struct Terminal {
    /// Its name for that.
    tag: Option<HeaderValue>,
    /// Most octets.
    max_size: Option<usize>,
    /// Media types.
    accept: Option<AcceptList>,
}

impl OtaHttp {
    /// With the credentials of the configuration.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(settings: &HttpPushSection, notifier: &NotifierSection) -> Result<Self, ServerError> {
        let http = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => {
                Http::showing(notifier, &KeyPair { certificate: certificate.clone(), key: key.clone() })?
            }
            _ => Http::new(notifier)?,
        };
        let secret = outgoing::password(settings.password_file.as_deref(), "http_push.password_file")?;
        Ok(Self {
            http,
            credentials: settings.user.clone().zip(secret),
            plain_basic: settings.plain_basic,
            terminals: Mutex::default(),
        })
    }

    /// Pushes something; registers with the device before, when it has to.
    pub async fn send(&self, to: &Place, secure: bool, item: &Item<'_>) -> Result<String, Failed> {
        let scheme = if secure { "https" } else { "http" };
        let base = format!("{scheme}://{to}");
        let mut talk = Talk { transport: self, base: &base, host: to.to_string(), secure, answers: None };
        let mut terminal = match self.known(&base) {
            Some(terminal) => terminal,
            None => talk.register().await?,
        };
        let mut status = talk.push(&terminal, item).await?;
        if status == PushStatus::STALE {
            terminal = talk.register().await?;
            status = talk.push(&terminal, item).await?;
        }
        let PushStatus(number) = status;
        if !status.is_success() {
            return Err(Failed::with(format!("X-Wap-Push-Status {number}: {}", status.meaning())));
        }
        Ok(format!("{to}: X-Wap-Push-Status {number}"))
    }

    fn known(&self, base: &str) -> Option<Terminal> {
        self.terminals.lock().unwrap_or_else(PoisonError::into_inner).get(base).cloned()
    }

    fn remember(&self, base: &str, terminal: Terminal) {
        let mut terminals = self.terminals.lock().unwrap_or_else(PoisonError::into_inner);
        if terminals.len() >= MAX_REMEMBERED {
            terminals.clear();
        }
        terminals.insert(base.to_owned(), terminal);
    }
}

/// Requests to one device, one after the other.
struct Talk<'a> {
    transport: &'a OtaHttp,
    base: &'a str,
    host: String,
    secure: bool,
    /// How its challenge is answered, once there was one, and in which header.
    answers: Option<(Proof, &'static str)>,
}

enum Proof {
    Basic(Secret),
    Digest(Box<Answers>),
}

impl Talk<'_> {
    /// `OPTIONS`: asks the device what it can do.
    async fn register(&mut self) -> Result<Terminal, Failed> {
        let tag = self.transport.known(self.base).and_then(|terminal| terminal.tag);
        let (status, headers) = self.ask(Method::OPTIONS, tag.as_ref(), Bytes::new()).await?;
        let terminal = match status {
            status if status.is_success() => Terminal::read(&headers),
            // It takes pushes, and knows nothing of registrations.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Terminal::default(),
            status => return Err(refused("registration", status, self.transport.credentials.is_some())),
        };
        self.transport.remember(self.base, terminal.clone());
        Ok(terminal)
    }

    /// `POST`: pushes.
    async fn push(&mut self, terminal: &Terminal, item: &Item<'_>) -> Result<PushStatus, Failed> {
        let mut body = Vec::new();
        let application = item.application.then_some(DM_APPLICATION);
        let nested = Nested::new(&item.content_type, application, item.body);
        let nested = match item.hmac {
            Some(hmac) => nested.with(HMAC_HEADER, hmac),
            None => nested,
        };
        nested.encode(&mut body);
        terminal.check(&item.content_type, body.len())?;
        let (status, headers) = self.ask(Method::POST, terminal.tag.as_ref(), body.into()).await?;
        let said = headers.get(STATUS_HEADER).and_then(|value| value.to_str().ok());
        match said.and_then(PushStatus::parse) {
            Some(said) => Ok(said),
            // Some say it by HTTP alone.
            None if status.is_success() => Ok(PushStatus::ACCEPTED),
            None => Err(refused("push", status, self.transport.credentials.is_some())),
        }
    }

    /// Sends a request, and once more with credentials if the device wants them.
    async fn ask(
        &mut self,
        method: Method,
        tag: Option<&HeaderValue>,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap), Failed> {
        let first = self.answers.is_none();
        let (status, headers, _) = self.transport.http.send(self.request(&method, tag, &body)?).await?;
        if status != StatusCode::UNAUTHORIZED || !first || !self.answer(&headers) {
            return Ok((status, headers));
        }
        let (status, headers, _) = self.transport.http.send(self.request(&method, tag, &body)?).await?;
        Ok((status, headers))
    }

    fn request(
        &mut self,
        method: &Method,
        tag: Option<&HeaderValue>,
        body: &Bytes,
    ) -> Result<Request<http_body_util::Full<Bytes>>, Failed> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{PATH}", self.base))
            .header(HOST, &self.host)
            .header(VERSION_HEADER, ota_http::VERSION);
        if let Some(tag) = tag {
            request = request.header(CPI_TAG, tag);
        }
        if *method == Method::POST {
            request = request.header(CONTENT_TYPE, NESTED);
        }
        if let Some((proof, header)) = &mut self.answers {
            let value = match proof {
                Proof::Basic(value) => HeaderValue::from_bytes(value.expose()),
                Proof::Digest(answers) => {
                    HeaderValue::from_str(&answers.authorize(method.as_str(), PATH, body))
                }
            };
            let mut value = value.map_err(|error| Failed::with(format!("http_push.user: {error}")))?;
            value.set_sensitive(true);
            request = request.header(*header, value);
        }
        request.body(body.clone().into()).map_err(|error| Failed::with(error.to_string()))
    }

    /// Makes up its mind how to answer a challenge; whether it can be answered. The device challenges in the headers of HTTP, or in those
    /// of OTA-HTTP; which of them is for what is not known for sure, so it is answered in the one that it came in.
    fn answer(&mut self, headers: &HeaderMap) -> bool {
        let Some((user, secret)) = &self.transport.credentials else { return false };
        let known =
            [(WWW_AUTHENTICATE.as_str(), AUTHORIZATION.as_str()), (AUTHENTICATE, ota_http::AUTHORIZATION)];
        for (challenge, authorization) in known {
            let values = headers.get_all(challenge).iter().filter_map(|value| value.to_str().ok());
            let challenges: Vec<Challenge> = values.filter_map(Challenge::read_all).flatten().collect();
            let Ok(cnonce) = random::word() else { return false };
            let digest = Answers::to(&challenges, (user, secret), &DIGESTS, false, cnonce);
            let basic = challenges.iter().any(|challenge| challenge.is("Basic"))
                && (self.secure || self.transport.plain_basic);
            let proof = match digest {
                Some(answers) => Some(Proof::Digest(Box::new(answers))),
                None if basic => {
                    let credentials = BasicCredentials { user: user.clone(), password: secret.clone() };
                    Some(Proof::Basic(credentials.to_header()))
                }
                None => None,
            };
            if let Some(proof) = proof {
                self.answers = Some((proof, authorization));
                return true;
            }
        }
        false
    }
}

/// A request that the device did not want.
fn refused(what: &str, status: StatusCode, has_credentials: bool) -> Failed {
    let hint = match status {
        StatusCode::UNAUTHORIZED if has_credentials => " (http_push.user, or no scheme that it takes)",
        StatusCode::UNAUTHORIZED => " (it wants http_push.user and http_push.password_file)",
        StatusCode::NOT_FOUND => " (is it the address of a device that listens for push?)",
        _ => "",
    };
    Failed::with(format!("the device answered the {what} {status}{hint}"))
}

impl Terminal {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            tag: headers.get(CPI_TAG).cloned(),
            max_size: text(MAX_SIZE).and_then(|size| size.trim().parse().ok()),
            accept: text(ACCEPT).and_then(|list| AcceptList::parse(list).ok()),
        }
    }

    /// Whether the device says that it takes so many octets, and content of this type in them.
    fn check(&self, content_type: &str, length: usize) -> Result<(), Failed> {
        if let Some(max) = self.max_size.filter(|max| length > *max) {
            return Err(Failed::with(format!("{length} octets are more than the device takes ({max})")));
        }
        let essence = MediaType::parse(content_type).map(|media| media.essence).unwrap_or_default();
        let known = self.accept.as_ref().is_none_or(|accept| accept.quality(&essence) > 0);
        let unknown = || Failed::with(format!("the device does not take {essence}"));
        known.then_some(()).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_that_it_takes_is_obeyed() {
        let mut headers = HeaderMap::new();
        let types = "application/vnd.syncml.notification, text/*;q=0";
        for (name, value) in [("x-wap-push-maxmsgsize", "100"), ("x-wap-push-accept", types)] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let terminal = Terminal::read(&headers);
        const TRIGGER: &str = "application/vnd.syncml.notification; x=y";
        assert!(terminal.check(TRIGGER, 100).is_ok());
        let refused = |content_type, length| terminal.check(content_type, length).unwrap_err().reason;
        assert_eq!(refused(TRIGGER, 101), "101 octets are more than the device takes (100)");
        assert_eq!(refused("text/plain", 1), "the device does not take text/plain");
        let silent = Terminal::read(&HeaderMap::new());
        assert!(silent.check("text/plain", 1_000_000).is_ok(), "it says nothing of that");
    }
}

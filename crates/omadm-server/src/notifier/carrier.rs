//! Carries a push to a device, whatever it brings, by whatever way the device has (`DM 2.0` Appendix E).

use std::sync::atomic::{AtomicU8, Ordering};

use omadm_auth::Secret;
use omadm_auth::dm1::HMAC_HEADER;
use omadm_codec::wsp::{self, Header, Media};
use omadm_mo::DeviceId;
use omadm_store::Push;

use super::address::PushAddress;
use super::cloud::Cloud;
use super::http::Http;
use super::ota_http::OtaHttp;
use super::ppg::{Ppg, Tickets};
use super::short_message::ShortMessages;
use super::sip::Sip;
use super::udp;
use crate::ServerError;
use crate::config::Config;
use crate::obex::Calling;

/// What a push brings.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// Content type.
    pub media: Media,
    /// Whether `X-Wap-Application-Id` says that it is for the DM application.
    pub application: bool,
    /// `x-syncml-hmac`, by which a message of DM 1.x proves that it is from this server.
    pub hmac: Option<&'a str>,
    /// The octets.
    pub body: &'a [u8],
    /// Which notification it is: some ways tell later what became of it.
    pub subject: Option<Subject<'a>>,
}

/// Content in the words of HTTP.
pub struct Item<'a> {
    /// Media type with its parameters.
    pub content_type: String,
    /// Whether it is for the DM application.
    pub application: bool,
    /// `x-syncml-hmac`.
    pub hmac: Option<&'a str>,
    /// The octets.
    pub body: &'a [u8],
}

/// A notification, by what is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Of which device.
    pub device: &'a DeviceId,
    /// Its enrolment generation.
    pub generation: i64,
    /// The number of the notification, or of the session that it asks for.
    pub number: u16,
}

impl<'a> Content<'a> {
    /// Something for the DM application.
    pub fn for_dm(media: Media, body: &'a [u8]) -> Self {
        Self { media, application: true, hmac: None, body, subject: None }
    }

    /// With what proves that a message of DM 1.x is from this server.
    pub fn proved_by(self, hmac: &'a str) -> Self {
        Self { hmac: Some(hmac), ..self }
    }

    /// It is the notification of this number for a device.
    pub fn about(self, push: &'a Push, number: u16) -> Self {
        let subject = Subject { device: &push.device, generation: push.generation, number };
        Self { subject: Some(subject), ..self }
    }

    /// As the ways that speak HTTP's language have it.
    fn item(&self) -> Result<Item<'a>, Failed> {
        let unwritable = || Failed::with("HTTP has no words for its content type".to_owned());
        let content_type = self.media.as_http().ok_or_else(unwritable)?;
        Ok(Item { content_type, application: self.application, hmac: self.hmac, body: self.body })
    }

    /// Whether it is a notification, of whatever version.
    fn is_notification(&self) -> bool {
        self.media.is(wsp::NOTIFICATION_CODE, wsp::NOTIFICATION_TYPE)
            || self.media.is(wsp::TRIGGER_CODE, wsp::TRIGGER_TYPE)
    }
}

/// Why a notification was not handed over.
#[derive(Debug)]
pub struct Failed {
    /// A sentence.
    pub reason: String,
    /// What follows.
    pub remedy: Remedy,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try again later, or another way.
    Later,
    /// Forget the registration: the device does not have it any more.
    Forget,
}

impl Failed {
    /// It may do later, or another way.
    pub fn with(reason: String) -> Self {
        Self { reason, remedy: Remedy::Later }
    }
}

/// The gateways and services of this server.
pub struct Carrier {
    http: Http,
    sms: Option<ShortMessages>,
    cloud: Option<Cloud>,
    ota_http: OtaHttp,
    sip: Option<Sip>,
    ppg: Option<Ppg>,
    /// Calls over local links.
    pub calling: Calling,
    /// TID of the next push.
    transaction: AtomicU8,
}

impl Carrier {
    /// With those of the configuration. Gateways find us at `public_url`; `key` is what push-ids are known by.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(config: &Config, public_url: &str, key: &Secret) -> Result<Self, ServerError> {
        Ok(Self {
            ota_http: OtaHttp::new(&config.http_push, &config.notifier)?,
            sip: Sip::new(&config.sip)?,
            ppg: Ppg::new(&config.ppg, public_url, &config.server.id, key)?,
            http: Http::new(&config.notifier)?,
            sms: ShortMessages::new(&config.sms)?,
            cloud: Cloud::new(&config.cloud),
            calling: Calling::new(config)?,
            transaction: AtomicU8::new(0),
        })
    }

    /// The push-ids of this server, if it has a Push Proxy Gateway.
    pub fn tickets(&self) -> Option<&Tickets> {
        self.ppg.as_ref().map(Ppg::tickets)
    }

    /// The Push Proxy Gateway, and what its requests go by.
    pub(super) fn gateway(&self) -> Option<(&Ppg, &Http)> {
        self.ppg.as_ref().map(|ppg| (ppg, &self.http))
    }

    /// Whether this server can go that way.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn supports(&self, address: &PushAddress) -> Result<(), String> {
        match address {
            PushAddress::Sms(_) if self.sms.is_none() => {
                Err("this server has no SMS gateway; set sms.gateway".to_owned())
            }
            PushAddress::Cloud(_) if self.cloud.is_none() => {
                Err("this server has no push service; set cloud.service".to_owned())
            }
            PushAddress::Sip(_) if self.sip.is_none() => {
                Err("this server has no address in SIP; set sip.from".to_owned())
            }
            PushAddress::Ppg(_) if self.ppg.is_none() => {
                Err("this server has no push proxy gateway; set ppg.url".to_owned())
            }
            PushAddress::Obex(_) => self.calling.supports(),
            PushAddress::Sms(_)
            | PushAddress::Cloud(_)
            | PushAddress::Udp(_)
            | PushAddress::Http { .. }
            | PushAddress::Sip(_)
            | PushAddress::Ppg(_) => Ok(()),
        }
    }

    /// Hands a push over; gives what the way says of it, for people.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn carry(&self, to: &PushAddress, content: &Content<'_>) -> Result<String, Failed> {
        self.supports(to).map_err(Failed::with)?;
        let none = || Failed::with(format!("there is no way for it by {}", to.kind()));
        match to {
            PushAddress::Udp(place) => udp::send(place, &self.pdu(content)?).await,
            PushAddress::Obex(to) => self.calling.carry(to, content).await,
            PushAddress::Sms(number) => {
                let sms = self.sms.as_ref().ok_or_else(none)?;
                sms.send(&self.http, number, &self.pdu(content)?).await
            }
            PushAddress::Cloud(registration) => {
                let cloud = self.cloud.as_ref().filter(|_| content.is_notification()).ok_or_else(none)?;
                cloud.send(&self.http, registration, content.body).await
            }
            PushAddress::Http { place, secure } => self.ota_http.send(place, *secure, &content.item()?).await,
            PushAddress::Sip(address) => {
                let sip = self.sip.as_ref().ok_or_else(none)?;
                sip.send(address, &content.item()?).await
            }
            PushAddress::Ppg(address) => {
                let ppg = self.ppg.as_ref().ok_or_else(none)?;
                ppg.send(&self.http, address, &content.item()?, content.subject.as_ref()).await
            }
        }
    }

    /// The push PDU of connectionless WSP.
    fn pdu(&self, content: &Content<'_>) -> Result<Vec<u8>, Failed> {
        let Content { media, application, hmac, body, .. } = content;
        let unwritable = || Failed::with("WSP has no words for its headers".to_owned());
        let proof =
            hmac.map(|hmac| Header::from_http(HMAC_HEADER, hmac).ok_or_else(unwritable)).transpose()?;
        let application = application.then(|| Header::application(wsp::DM_APPLICATION_CODE));
        let push = wsp::Push {
            transaction: self.transaction.fetch_add(1, Ordering::Relaxed),
            media: media.clone(),
            headers: application.into_iter().chain(proof.into_iter().flatten()).collect(),
            body,
        };
        if content.is_notification() {
            push.check_header().map_err(|error| Failed::with(error.to_string()))?;
        }
        let mut octets = Vec::new();
        push.encode(&mut octets);
        let length = octets.len();
        let too_long =
            || Failed::with(format!("{length} octets are more than a push has ({})", wsp::MAX_PUSH));
        (length <= wsp::MAX_PUSH).then_some(octets).ok_or_else(too_long)
    }
}

//! Carries a push to a device, whatever it brings, by whatever way the device has (`DM 2.0` Appendix E).

use std::sync::atomic::{AtomicU8, Ordering};

use omadm_codec::wsp::{self, Header, Media, Push};

use super::address::PushAddress;
use super::cloud::Cloud;
use super::http::Http;
use super::short_message::ShortMessages;
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
    /// The octets.
    pub body: &'a [u8],
}

impl<'a> Content<'a> {
    /// A notification of DM 1.3 or 2.0.
    pub fn notification(body: &'a [u8]) -> Self {
        Self::for_dm(Media::code(wsp::NOTIFICATION_CODE), body)
    }

    /// Something for the DM application.
    pub fn for_dm(media: Media, body: &'a [u8]) -> Self {
        Self { media, application: true, body }
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
    /// Calls over local links.
    pub calling: Calling,
    /// TID of the next push.
    transaction: AtomicU8,
}

impl Carrier {
    /// With those of the configuration.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(config: &Config) -> Result<Self, ServerError> {
        Ok(Self {
            http: Http::new(&config.notifier)?,
            sms: ShortMessages::new(&config.sms)?,
            cloud: Cloud::new(&config.cloud),
            calling: Calling::new(config)?,
            transaction: AtomicU8::new(0),
        })
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
            PushAddress::Http { .. } | PushAddress::Sip(_) | PushAddress::Ppg(_) => {
                Err(format!("this server has no way by {}", address.kind()))
            }
            PushAddress::Obex(_) => self.calling.supports(),
            PushAddress::Sms(_) | PushAddress::Cloud(_) | PushAddress::Udp(_) => Ok(()),
        }
    }

    /// Hands a push over; gives what the way says of it, for people.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn carry(&self, to: &PushAddress, content: &Content<'_>) -> Result<String, Failed> {
        self.supports(to).map_err(Failed::with)?;
        match (to, &self.sms, &self.cloud) {
            (PushAddress::Udp(place), ..) => udp::send(place, &self.pdu(content)?).await,
            (PushAddress::Obex(to), ..) => self.calling.carry(to, content).await,
            (PushAddress::Sms(number), Some(sms), _) => {
                sms.send(&self.http, number, &self.pdu(content)?).await
            }
            (PushAddress::Cloud(registration), _, Some(cloud)) if content.is_notification() => {
                cloud.send(&self.http, registration, content.body).await
            }
            _ => Err(Failed::with(format!("there is no way for it by {}", to.kind()))),
        }
    }

    /// The push PDU of connectionless WSP.
    fn pdu(&self, content: &Content<'_>) -> Result<Vec<u8>, Failed> {
        let Content { media, application, body } = content;
        let push = Push {
            transaction: self.transaction.fetch_add(1, Ordering::Relaxed),
            media: media.clone(),
            headers: application.then(|| Header::application(wsp::DM_APPLICATION_CODE)).into_iter().collect(),
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
